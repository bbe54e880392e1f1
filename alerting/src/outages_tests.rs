use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + seconds).unwrap()
}

fn camera(id: &str, host: &str, grid: &str, owner: Owner, away_s: Option<i64>) -> Seen {
    let source = Source {
        class: "street".into(),
        name: id.into(),
        url: format!("rtsp://{host}/{id}"),
        ..Source::new(id, Kind::Camera, owner, grid)
    };
    Seen { source: Arc::new(source), away_since: away_s.map(at) }
}

fn sensor(id: &str, gateway: &str, grid: &str, away_s: Option<i64>) -> Seen {
    let mut seen = camera(id, "", grid, Owner::Governance, away_s);
    let source = Arc::make_mut(&mut seen.source);
    source.kind = Kind::Sensor;
    source.url.clear();
    source.tags.insert("gateway".into(), gateway.into());
    seen
}

fn grid(id: &str, parent: Option<&str>) -> Grid {
    Grid { id: id.into(), name: id.into(), parent: parent.map(GridId::from), outline: Vec::new() }
}

fn town() -> Vec<Grid> {
    vec![
        grid("town", None),
        grid("v1", Some("town")),
        grid("v2", Some("town")),
        grid("g1", Some("v1")),
        grid("g2", Some("v1")),
        grid("g3", Some("v2")),
    ]
}

/// Sources that are well, so that no larger group looks dead.
fn well(count: usize) -> Vec<Seen> {
    (0..count).map(|n| camera(&format!("well-{n}"), &format!("10.9.0.{n}"), "g3", Owner::Telecom, None)).collect()
}

fn told(seen: &[Seen]) -> Vec<(Cause, usize, usize)> {
    group(seen, &town()).into_iter().map(|outage| (outage.cause, outage.away.len(), outage.members)).collect()
}

#[test]
fn cameras_of_one_host_that_went_together_are_one_recorder() {
    let mut seen = well(30);
    for n in 0..8 {
        // Two are still well, and one grid of several is touched.
        let away = (n < 6).then_some(n * 10);
        seen.push(camera(&format!("c{n}"), "10.0.0.7:554", if n % 2 == 0 { "g1" } else { "g3" }, Owner::Police, away));
    }
    seen.extend((0..9).map(|n| camera(&format!("p{n}"), &format!("10.5.0.{n}"), "g2", Owner::Police, None)));
    let outages = group(&seen, &town());
    assert_eq!(outages.len(), 1, "{outages:?}");
    let outage = &outages[0];
    assert_eq!((&outage.cause, outage.members), (&Cause::Recorder("10.0.0.7".into()), 8));
    assert_eq!((outage.away.len(), outage.first, outage.last), (6, at(0), at(50)));
    assert!(outage.away.iter().all(|place| seen[*place].away_since.is_some()));
}

#[test]
fn two_are_chance_and_half_is_no_guess() {
    let mut seen = well(10);
    seen.extend((0..2).map(|n| camera(&format!("a{n}"), "nvr-a", "g1", Owner::Police, Some(0))));
    assert_eq!(told(&seen), []);
    let mut seen = well(10);
    seen.extend((0..10).map(|n| camera(&format!("b{n}"), "nvr-b", "g1", Owner::Police, (n < 5).then_some(0))));
    assert_eq!(told(&seen), [], "five of ten");
    seen.push(camera("b-more", "nvr-b", "g1", Owner::Police, Some(0)));
    assert_eq!(told(&seen), [], "six of eleven is below 60 %");
    seen.push(camera("b-last", "nvr-b", "g1", Owner::Police, Some(0)));
    seen.push(camera("b-end", "nvr-b", "g1", Owner::Police, Some(0)));
    assert_eq!(told(&seen), [(Cause::Recorder("nvr-b".into()), 8, 13)]);
}

#[test]
fn what_died_long_ago_is_no_part_of_what_went_today() {
    let mut seen = well(40);
    let day = 86_400;
    seen.extend((0..2).map(|n| camera(&format!("old{n}"), "nvr", "g1", Owner::Police, Some(-30 * day))));
    seen.extend((0..8).map(|n| camera(&format!("new{n}"), "nvr", "g1", Owner::Police, Some(n * 60))));
    let outages = group(&seen, &town());
    assert_eq!((outages.len(), outages[0].away.len(), outages[0].members), (1, 8, 10));
    assert_eq!(outages[0].first, at(0));
    // Spread over weeks they have nothing in common but bad luck.
    let mut seen = well(40);
    seen.extend((0..10).map(|n| camera(&format!("c{n}"), "nvr", "g1", Owner::Police, Some(n * day))));
    assert_eq!(told(&seen), []);
}

#[test]
fn a_grid_without_power_is_one_guess_and_not_one_for_each_recorder() {
    let mut seen = well(60);
    for n in 0..12 {
        seen.push(camera(&format!("c{n}"), &format!("nvr-{}", n / 4), "g1", Owner::Governance, Some(n)));
    }
    seen.extend((0..12).map(|n| camera(&format!("o{n}"), "nvr-9", "g2", Owner::Governance, None)));
    assert_eq!(told(&seen), [(Cause::Grid("g1".into()), 12, 12)]);
    // The whole village: its grids are not told one by one.
    let all: Vec<Seen> = seen
        .into_iter()
        .map(|one| if one.source.grid == "g2".into() { Seen { away_since: Some(at(5)), ..one } } else { one })
        .collect();
    assert_eq!(told(&all), [(Cause::Grid("v1".into()), 24, 24)]);
}

#[test]
fn two_dead_recorders_explain_more_than_the_owner_they_share() {
    let mut seen = well(200);
    for n in 0..60 {
        seen.push(camera(&format!("c{n}"), &format!("nvr-{}", n / 30), "g1", Owner::Police, Some(0)));
    }
    seen.extend((0..35).map(|n| camera(&format!("w{n}"), &format!("10.1.0.{n}"), "g1", Owner::Police, None)));
    assert_eq!(told(&seen), [(Cause::Recorder("nvr-0".into()), 30, 30), (Cause::Recorder("nvr-1".into()), 30, 30)]);
}

#[test]
fn sensors_are_grouped_by_gateway_and_by_broker_apart_from_cameras() {
    let mut seen = well(20);
    seen.extend((0..9).map(|n| sensor(&format!("s{n}"), &format!("gw-{}", n / 3), "g1", (n < 3).then_some(n))));
    seen.extend((0..9).map(|n| camera(&format!("c{n}"), &format!("h{n}"), "g1", Owner::Police, None)));
    assert_eq!(told(&seen), [(Cause::Gateway("gw-0".into()), 3, 3)]);
    for one in seen.iter_mut().filter(|one| one.source.kind == Kind::Sensor) {
        one.away_since = Some(at(1));
    }
    assert_eq!(told(&seen), [(Cause::Broker(String::new()), 9, 9)]);
}

#[test]
fn among_guesses_that_explain_as_much_the_narrower_one_is_told() {
    // Grid, village and owner fit alike, and the name of the wider one would come first.
    let grids = [grid("a-village", None), grid("z-grid", Some("a-village"))];
    let lone = |n: i64| camera(&n.to_string(), &format!("h{n}"), "z-grid", Owner::Police, Some(n));
    let outages = group(&(0..5).map(lone).collect::<Vec<_>>(), &grids);
    assert_eq!((outages.len(), &outages[0].cause), (1, &Cause::Grid("z-grid".into())));
}

#[test]
fn a_ring_of_parents_ends() {
    let grids = vec![grid("a", Some("b")), grid("b", Some("a"))];
    let seen: Vec<Seen> = (0..3).map(|n| camera(&n.to_string(), &n.to_string(), "a", Owner::Police, Some(0))).collect();
    assert_eq!(group(&seen, &grids).len(), 1);
}

fn any_seen() -> impl Strategy<Value = Vec<Seen>> {
    let one = (0u8..6, 0u8..4, 0usize..3, proptest::option::weighted(0.5, 0i64..6_000), any::<bool>());
    proptest::collection::vec(one, 0..120).prop_map(|all| {
        all.into_iter()
            .enumerate()
            .map(|(n, (host, grid, owner, away, is_camera))| {
                let (id, grid) = (format!("s{n:03}"), format!("g{grid}"));
                match is_camera {
                    true => camera(&id, &format!("nvr-{host}"), &grid, Owner::ALL[owner], away),
                    false => sensor(&id, &format!("gw-{host}"), &grid, away),
                }
            })
            .collect()
    })
}

fn ids(seen: &[Seen], outage: &Outage) -> BTreeSet<String> {
    outage.away.iter().map(|place| seen[*place].source.id.to_string()).collect()
}

proptest! {
    #[test]
    fn a_guess_is_never_bolder_than_its_figures(seen in any_seen()) {
        let grids = town();
        let parents = grids.iter().filter_map(|grid| Some((&grid.id, grid.parent.as_ref()?))).collect();
        let outages = group(&seen, &grids);
        let mut once = BTreeSet::new();
        for outage in &outages {
            let shares = |one: &Seen| one.source.kind == outage.kind && causes_of(&one.source, &parents).contains(&outage.cause);
            prop_assert!(outage.away.len() >= MEMBERS_MIN);
            prop_assert_eq!(outage.members, seen.iter().filter(|one| shares(one)).count());
            prop_assert!(outage.away.len() * 100 >= outage.members * SHARE_MIN_PERCENT);
            prop_assert!(outage.last.duration_since(outage.first) <= WINDOW);
            for place in &outage.away {
                prop_assert!(once.insert(*place), "in two groups");
                prop_assert!(shares(&seen[*place]));
                let since = seen[*place].away_since;
                prop_assert!(since.is_some_and(|since| (outage.first..=outage.last).contains(&since)));
            }
        }
        // No guess that holds was passed over.
        let left: Vec<bool> = (0..seen.len()).map(|place| once.contains(&place)).collect();
        for candidate in candidates(&seen, &grids) {
            prop_assert!(candidate.best(&seen, &left).is_none(), "{:?} was missed", candidate.cause);
        }
    }

    #[test]
    fn the_order_of_the_sources_changes_nothing(seen in any_seen(), turn in 0usize..120) {
        let mut other = seen.clone();
        if !other.is_empty() {
            let turn = turn % other.len();
            other.rotate_left(turn);
            other.reverse();
        }
        let told = |seen: &[Seen]| -> Vec<_> {
            group(seen, &town()).iter().map(|o| (o.cause.clone(), o.kind, ids(seen, o))).collect()
        };
        prop_assert_eq!(told(&seen), told(&other));
    }
}
