use std::collections::{BTreeMap, BTreeSet};

use super::*;

fn features(map: &Value) -> &Vec<Value> {
    map["features"].as_array().unwrap()
}

/// Every position of a geometry.
fn positions(value: &Value, into: &mut Vec<[f64; 2]>) {
    let array = value.as_array().unwrap();
    if array[0].is_number() {
        into.push([array[0].as_f64().unwrap(), array[1].as_f64().unwrap()]);
    } else {
        array.iter().for_each(|inner| positions(inner, into));
    }
}

fn rings(feature: &Value) -> Vec<Vec<[f64; 2]>> {
    let coordinates = feature["geometry"]["coordinates"].as_array().unwrap();
    let polygons: Vec<&Value> = match feature["geometry"]["type"].as_str().unwrap() {
        "Polygon" => vec![&feature["geometry"]["coordinates"]],
        "MultiPolygon" => coordinates.iter().collect(),
        _ => Vec::new(),
    };
    let rings = polygons.into_iter().flat_map(|polygon| polygon.as_array().unwrap());
    rings.map(|ring| serde_json::from_value(ring.clone()).unwrap()).collect()
}

#[test]
fn the_same_seed_gives_the_same_town_and_another_seed_another() {
    let text = |seed| TownMap::new(seed).geojson().to_string();
    assert_eq!(text(7), text(7));
    assert_ne!(text(7), text(8));
    assert_eq!(TownMap::new(7).grids, TownMap::new(7).grids);
}

#[test]
fn grids_nest_and_tile_the_town() {
    for seed in [1, 7, 99] {
        let map = TownMap::new(seed);
        let ids: BTreeSet<&str> = map.grids.iter().map(|grid| grid.id.as_str()).collect();
        let names: BTreeSet<&str> = map.grids.iter().map(|grid| grid.name.as_str()).collect();
        assert_eq!((ids.len(), names.len(), map.leaves().count()), (71, 71, 60));
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut area: BTreeMap<&str, f64> = BTreeMap::new();
        for grid in &map.grids {
            assert!(grid.parent.as_ref().is_none_or(|parent| seen.contains(parent.as_str())), "parents come first");
            seen.insert(grid.id.as_str());
            assert_eq!(grid.outline.first(), grid.outline.last(), "{} is closed", grid.id);
            assert!(frame::area2(&grid.outline) > 0.0, "{} runs counter-clockwise", grid.id);
            let parent = grid.parent.as_ref().map_or("", |parent| parent.as_str());
            *area.entry(parent).or_default() += frame::area2(&grid.outline);
            if map.is_leaf(grid) {
                let middle = grids::middle(&grid.outline);
                assert_eq!(map.grid_at(middle).map(|found| &found.id), Some(&grid.id), "{}", grid.name);
            }
        }
        // Children cover their parent without gap or overlap: areas add up.
        for grid in map.grids.iter().filter(|grid| !map.is_leaf(grid)) {
            let (whole, parts) = (frame::area2(&grid.outline), area[grid.id.as_str()]);
            assert!((whole - parts).abs() < whole * 1e-6, "seed {seed}: {} {whole} {parts}", grid.id);
        }
    }
}

#[test]
fn the_map_is_valid_small_and_says_that_it_is_made_up() {
    let map = TownMap::new(7).geojson();
    assert!(map["fictional"].as_bool().unwrap() && map["notice"].as_str().unwrap().contains("虚构示例"));
    assert!(map.to_string().len() < 600_000, "{}", map.to_string().len());
    let bbox: Vec<f64> = serde_json::from_value(map["bbox"].clone()).unwrap();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for feature in features(&map) {
        let kind = feature["properties"]["kind"].as_str().unwrap();
        let shapes = rings(feature);
        *kinds.entry(kind).or_default() += shapes.len().max(1);
        for ring in shapes {
            assert!(ring.len() >= 4 && ring.first() == ring.last(), "{kind} is closed");
            assert!(frame::area2(&ring) > 0.0, "{kind} runs counter-clockwise");
        }
        let mut all = Vec::new();
        let coordinates = &feature["geometry"]["coordinates"];
        if coordinates[0].is_number() {
            positions(&Value::Array(vec![coordinates.clone()]), &mut all)
        } else {
            positions(coordinates, &mut all)
        }
        for [lon, lat] in all {
            assert!(lon > bbox[0] - 0.02 && lon < bbox[2] + 0.02 && lat > bbox[1] - 0.02 && lat < bbox[3] + 0.02);
        }
    }
    assert!(kinds["building"] >= 2_000, "{kinds:?}");
    assert_eq!(kinds["bridge"], 2);
    assert_eq!((kinds["village"], kinds["grid_label"]), (10, 60));
    for kind in
        ["river", "road", "park", "school", "yard", "field", "wood", "stream", "island", "pond", "square", "public"]
    {
        assert!(kinds.contains_key(kind), "{kind}: {kinds:?}");
    }
}

#[test]
fn every_kind_is_in_the_documentation() {
    let documented = include_str!("../../../../docs/town.md");
    for feature in features(&TownMap::new(7).geojson()) {
        let kind = feature["properties"]["kind"].as_str().unwrap();
        assert!(documented.contains(&format!("| `{kind}` |")), "{kind}");
    }
}

#[test]
fn houses_stand_on_dry_land() {
    let map = TownMap::new(7).geojson();
    let water: Vec<Vec<[f64; 2]>> =
        features(&map).iter().filter(|f| f["properties"]["kind"] == "river").flat_map(rings).collect();
    for ring in features(&map).iter().filter(|f| f["properties"]["kind"] == "building").flat_map(rings) {
        assert!(!water.iter().any(|river| frame::holds(river, ring[0])), "{ring:?}");
    }
}
