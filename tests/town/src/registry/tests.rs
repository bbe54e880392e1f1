use std::collections::{BTreeMap, BTreeSet};

use model::PullMode;

use super::*;
use crate::map::frame;

fn town(cameras: usize, sensors: usize) -> (TownMap, Registry) {
    let map = TownMap::new(7);
    let registry =
        Registry::new(&map, "127.0.0.1:8554".parse().unwrap(), Load { cameras, sensors, ..Load::default() }, 7);
    (map, registry)
}

fn all(registry: &Registry) -> impl Iterator<Item = &Source> {
    let cameras = registry.cameras.iter().map(|camera| &camera.source);
    let sensors = registry.sensors.iter().map(|sensor| &sensor.source);
    let load_sensors = registry.load_sensors.iter().map(|sensor| &sensor.source);
    cameras.chain(sensors).chain(&registry.load_cameras).chain(load_sensors)
}

#[test]
fn the_hub_takes_the_file_without_a_complaint() {
    let (_, registry) = town(50, 40);
    let parsed = storage::csv::parse(&registry.csv().unwrap());
    assert_eq!(parsed.problems, []);
    let taken: Vec<&Source> = parsed.rows.iter().map(|row| &row.source).collect();
    assert_eq!(taken, all(&registry).collect::<Vec<_>>());
    assert_eq!(HEADER, storage::csv::HEADER);
}

#[test]
fn ids_are_unique_and_every_source_stands_in_its_grid() {
    for seed in [1, 7, 42] {
        let map = TownMap::new(seed);
        let registry = Registry::new(
            &map,
            "127.0.0.1:1".parse().unwrap(),
            Load { cameras: 300, sensors: 200, ..Load::default() },
            seed,
        );
        let mut ids = BTreeSet::new();
        for source in all(&registry) {
            assert!(ids.insert(source.id.as_str()), "{} twice", source.id);
            let place = source.place.unwrap();
            let grid = map.leaves().find(|grid| grid.id == source.grid);
            let grid = grid.unwrap_or_else(|| panic!("seed {seed}: {} stands outside the grids", source.id));
            assert!(frame::holds(&grid.outline, [place.lon, place.lat]), "{}", source.id);
        }
        assert_eq!(ids.len(), 24 + 60 + 300 + 200);
    }
}

#[test]
fn the_demo_has_what_it_is_to_show() {
    let (_, registry) = town(0, 0);
    let mut owners: BTreeMap<Owner, usize> = BTreeMap::new();
    registry.cameras.iter().for_each(|camera| *owners.entry(camera.source.owner).or_default() += 1);
    assert_eq!(owners.len(), 5);
    assert!(owners[&Owner::Resident] >= 2, "{owners:?}");
    assert!(registry.cameras.iter().filter(|camera| camera.source.mode == PullMode::Demand).count() >= 3);
    let sensors: BTreeSet<&str> = registry.sensors.iter().map(|sensor| sensor.source.id.as_str()).collect();
    for camera in &registry.cameras {
        for key in ["sub", "bearing"] {
            assert!(camera.source.tags.contains_key(key), "{} has no {key}", camera.source.id);
        }
        for seen in camera.source.looks_at() {
            assert!(sensors.contains(seen), "{} looks at {seen}", camera.source.id);
        }
    }
    let formats: BTreeSet<&str> =
        registry.sensors.iter().map(|sensor| sensor.source.format.split(':').next().unwrap()).collect();
    assert_eq!(formats, BTreeSet::from(["json", "map", "raw", "senml"]));
    assert!(registry.sensors.iter().any(|sensor| sensor.acknowledged));
    assert!(registry.sensors.iter().any(|sensor| !sensor.acknowledged));
    assert!(registry.sensors.iter().any(|sensor| sensor.retained));
    for sensor in &registry.sensors {
        assert!(GATEWAYS.contains(&sensor.gateway), "{}", sensor.gateway);
        assert_eq!(sensor.source.tags["offline_topic"], gateway_topic(sensor.gateway));
    }
}

#[test]
fn thirteen_thousand_more_of_each_make_a_file_the_hub_takes() {
    let (_, registry) = town(13_000, 13_000);
    let parsed = storage::csv::parse(&registry.csv().unwrap());
    assert_eq!((parsed.problems.len(), parsed.rows.len()), (0, 26_084));
    let mean = |of: fn(&LoadSensor) -> f64| registry.load_sensors.iter().map(of).sum::<f64>() / 13_000.0;
    assert_eq!(mean(|sensor| f64::from(u8::from(sensor.acknowledged))), 0.5);
    let intervals: BTreeSet<u32> = registry.load_sensors.iter().filter_map(|sensor| sensor.source.interval_s).collect();
    assert_eq!((intervals.len(), intervals.first(), intervals.last()), (60, Some(&1), Some(&60)));
    let grids: BTreeSet<&GridId> = registry.load_sensors.iter().map(|sensor| &sensor.source.grid).collect();
    let owners: BTreeSet<Owner> = registry.load_sensors.iter().map(|sensor| sensor.source.owner).collect();
    assert!(grids.len() > 50 && owners.len() == 4, "{} grids, {owners:?}", grids.len());
}

#[test]
fn a_load_test_can_do_without_the_town_itself() {
    let map = TownMap::new(7);
    let load = Load { cameras: 3, sensors: 2, alone: true, ..Load::default() };
    let registry = Registry::new(&map, "127.0.0.1:1".parse().unwrap(), load, 7);
    let ids: Vec<&str> = all(&registry).map(|source| source.id.as_str()).collect();
    assert_eq!(ids, ["load-00001", "load-00002", "load-00003", "load-s-00001", "load-s-00002"]);
}
