//! Sources for load tests: cameras that share pictures, sensors that count their messages.

use std::net::SocketAddr;

use model::{Kind, Owner, Source};

use super::{source, stream_url};
use crate::map::TownMap;
use crate::map::frame::Uv;
use crate::map::seed::Seed;
use crate::scene::Size;

/// How many sources a town has for load tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Cameras.
    pub cameras: usize,
    /// Sensors.
    pub sensors: usize,
    /// The town's own cameras and sensors are left out.
    pub alone: bool,
    /// Pictures a second of these cameras' `/sub`, one of [`Size::LOAD_RATES`].
    pub fps: u32,
}

impl Default for Load {
    fn default() -> Load {
        Load { cameras: 0, sensors: 0, alone: false, fps: Size::LOAD_SUB.fps }
    }
}

/// A sensor of a load test. Its value is the number of its message, from 1.
#[derive(Clone, Debug)]
pub struct LoadSensor {
    /// As the hub's registry knows it.
    pub source: Source,
    /// QoS 1 instead of 0.
    pub acknowledged: bool,
}

/// Owners of what the town's offices run.
const OFFICES: [Owner; 4] = [Owner::Governance, Owner::Police, Owner::Traffic, Owner::Telecom];

/// Classes and units. A count is no measurement, so none of them has a rule that it could break; a gauge without
/// limits is looked at by the rules and raises nothing.
const CLASSES: [(&str, &str); 6] =
    [("noise", "dB"), ("river_gauge", "m"), ("humidity", "%"), ("flow", "m3/h"), ("meter", "kWh"), ("air", "ug/m3")];

/// Somewhere on dry land: both banks, away from the river.
fn somewhere(dice: &mut Seed) -> Uv {
    let v = if dice.chance(0.6) { dice.between(190.0, 1450.0) } else { dice.between(-1250.0, -190.0) };
    (dice.between(-2850.0, 2850.0), v)
}

/// Cameras `load-00001`... of a farm at `rtsp`.
pub fn cameras(map: &TownMap, rtsp: SocketAddr, count: usize, seed: u64) -> Vec<Source> {
    let mut dice = Seed::new(seed, "load");
    let camera = |number: usize| {
        let id = format!("load-{number:05}");
        let at = somewhere(&mut dice);
        let owner = dice.pick(&OFFICES);
        let name = format!("压测 {number:05}");
        let mut source = source(map, Kind::Camera, &id, "street", &name, owner, at);
        source.url = stream_url(rtsp, &id, "main");
        source.tags.insert("sub".into(), stream_url(rtsp, &id, "sub"));
        source
    };
    (1..=count).map(camera).collect()
}

/// Sensors `load-s-00001`..., every other one at QoS 1.
pub fn sensors(map: &TownMap, count: usize, seed: u64) -> Vec<LoadSensor> {
    let mut dice = Seed::new(seed, "load-s");
    let sensor = |number: usize| {
        let id = format!("load-s-{number:05}");
        let at = somewhere(&mut dice);
        let owner = dice.pick(&OFFICES);
        let (class, unit) = dice.pick(&CLASSES);
        let name = format!("压测传感器 {number:05}");
        let mut source = source(map, Kind::Sensor, &id, class, &name, owner, at);
        source.topic = format!("town/load/{id}");
        source.format = "raw".into();
        source.unit = unit.into();
        source.interval_s = Some(dice.between(1.0, 61.0) as u32);
        LoadSensor { source, acknowledged: number % 2 == 1 }
    };
    (1..=count).map(sensor).collect()
}
