//! What a viewer's coming and going costs a fleet of a whole town.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use model::{Kind, Owner, Profile, PullMode, Source};
use tokio::sync::mpsc;
use video::{Rings, StreamKey};

use crate::rtsp::fleet::Fleet;
use crate::rtsp::{CameraSpec, RtspConfig};

const CAMERAS: usize = 13_000;

fn town(mode: PullMode, cameras: usize) -> Vec<CameraSpec> {
    let camera = |n| {
        let source = Source {
            class: "street".into(),
            url: format!("rtsp://10.0.{}.{}/main", n / 250, n % 250),
            // Every other one has a sub stream.
            tags: if n % 2 == 0 { [("sub".to_owned(), "/sub".to_owned())].into() } else { [].into() },
            mode,
            ..Source::new(format!("cam-{n:05}").as_str(), Kind::Camera, Owner::Governance, "g")
        };
        CameraSpec { source: Arc::new(source), credentials: None }
    };
    (0..cameras).map(camera).collect()
}

/// A fleet that opens nothing.
fn fleet_of(cameras: &[CameraSpec], sessions_max: usize) -> Fleet {
    let (progress, _) = mpsc::channel(1);
    let config = RtspConfig { sessions_max, ..RtspConfig::default() };
    let mut fleet = Fleet::new(&config, Rings::new(&video::Config::default()), Arc::default(), progress);
    fleet.follow_registry(cameras);
    fleet
}

/// Milliseconds for one change of demand.
fn cost(fleet: &mut Fleet) -> f64 {
    let rounds = 50;
    let before = fleet.demand.clone();
    let mut with = before.clone();
    with.insert(("cam-12998".into(), Profile::Main));
    let begun = Instant::now();
    for _ in 0..rounds {
        fleet.follow_demand(with.clone());
        fleet.follow_demand(before.clone());
    }
    begun.elapsed().as_secs_f64() * 1_000.0 / f64::from(rounds * 2)
}

/// What `admit` would count and shed, from nothing.
fn anew(fleet: &Fleet) -> (usize, BTreeSet<StreamKey>) {
    let (claims, gone) = fleet.without_place();
    (claims, gone.into_iter().map(|wish| wish.key).collect())
}

#[tokio::test]
async fn a_change_of_demand_is_counted_as_all_claims_would_be() {
    for (mode, sessions_max) in [(PullMode::Demand, 40), (PullMode::Always, 120), (PullMode::Always, 10)] {
        let mut fleet = fleet_of(&town(mode, 100), sessions_max);
        let mut seed = 7u32;
        for step in 0..400 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (camera, profile) = ((seed >> 8) % 110, if seed >> 30 == 0 { Profile::Main } else { Profile::Sub });
            let mut demand = fleet.demand.clone();
            let key = (format!("cam-{camera:05}").as_str().into(), profile);
            if !demand.remove(&key) {
                demand.insert(key);
            }
            fleet.follow_demand(demand);
            if step % 90 == 89 {
                // Some leave the registry, some come.
                fleet.follow_registry(&town(mode, 100 - step % 7));
            }
            let (claims, gone) = anew(&fleet);
            assert_eq!(fleet.claims, claims, "step {step}");
            assert_eq!(fleet.shed.iter().cloned().collect::<BTreeSet<_>>(), gone, "step {step}");
            assert_eq!(gone.len(), claims.saturating_sub(sessions_max));
        }
    }
}

#[tokio::test]
#[ignore = "a measurement: cargo test --release -p ingest what_a_change_of_demand_costs -- --ignored --nocapture"]
async fn what_a_change_of_demand_costs() {
    for (what, mode, max, watched) in [
        ("on demand, 100 watched", PullMode::Demand, 20_000, 100),
        ("on demand, 13,000 watched", PullMode::Demand, 20_000, CAMERAS),
        ("always", PullMode::Always, 20_000, 100),
        ("always, over the limit", PullMode::Always, 12_000, 100),
    ] {
        let mut fleet = fleet_of(&town(mode, CAMERAS), max);
        fleet.follow_demand((0..watched).map(|n| (format!("cam-{n:05}").as_str().into(), Profile::Sub)).collect());
        let ms = cost(&mut fleet);
        let begun = Instant::now();
        fleet.admit();
        println!("{what}: {ms:.3} ms a change; {:.3} ms to look at all", begun.elapsed().as_secs_f64() * 1_000.0);
    }
}
