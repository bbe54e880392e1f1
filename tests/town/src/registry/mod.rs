//! The demo town's sources: which cameras and sensors stand where, and the files the hub imports.
//!
//! Here belongs what a source *is*; what it shows or reports at a moment is [`crate::script`]'s and
//! [`crate::sensors`]' business.

mod cameras;
mod csv;
mod load;
mod sensors;

use std::net::SocketAddr;

use model::{GridId, Kind, Owner, Place, Source};

use crate::map::TownMap;
use crate::map::frame::Uv;
use crate::map::names::TOWN;
use crate::rtsp::{Auth, CameraSpec};
use crate::scene::Scene;

pub use csv::HEADER;
pub use load::{Load, LoadSensor};
pub use sensors::{GATEWAYS, gateway_topic};

/// User and password of all cameras that ask for one.
pub const LOGIN: (&str, &str) = ("viewer", "town-demo");

/// A camera and how the farm plays it.
#[derive(Clone, Debug)]
pub struct Camera {
    /// As the hub's registry knows it.
    pub source: Source,
    /// What stands before the lens in quiet times.
    pub scene: Scene,
    /// How it asks who is there.
    pub auth: Auth,
}

/// A sensor and how it reports.
#[derive(Clone, Debug)]
pub struct Sensor {
    /// As the hub's registry knows it.
    pub source: Source,
    /// QoS 1 instead of 0.
    pub acknowledged: bool,
    /// Its topic holds a state: the broker keeps the last message.
    pub retained: bool,
    /// The gateway whose connection carries it.
    pub gateway: &'static str,
}

/// All sources of the town.
#[derive(Clone, Debug)]
pub struct Registry {
    /// Cameras with drawn scenes.
    pub cameras: Vec<Camera>,
    /// Sensors.
    pub sensors: Vec<Sensor>,
    /// Cameras of a load test, all with the same pictures.
    pub load_cameras: Vec<Source>,
    /// Sensors of a load test.
    pub load_sensors: Vec<LoadSensor>,
}

impl Registry {
    /// The sources of a town whose farm listens at `rtsp`, with those for load tests.
    pub fn new(map: &TownMap, rtsp: SocketAddr, load: Load, seed: u64) -> Registry {
        Registry {
            cameras: if load.alone { Vec::new() } else { cameras::cameras(map, rtsp) },
            sensors: if load.alone { Vec::new() } else { sensors::sensors(map) },
            load_cameras: load::cameras(map, rtsp, load.cameras, seed),
            load_sensors: load::sensors(map, load.sensors, seed),
        }
    }

    /// What the farm plays.
    pub fn farm(&self) -> Vec<CameraSpec> {
        let spec = |camera: &Camera| CameraSpec {
            id: camera.source.id.to_string(),
            name: camera.source.name.clone(),
            scene: camera.scene,
            owner: Some(camera.source.owner.as_str().to_owned()),
            auth: camera.auth,
            gop_s: 1,
        };
        self.cameras.iter().map(spec).collect()
    }

    /// The file for `gridward sources import`.
    pub fn csv(&self) -> anyhow::Result<Vec<u8>> {
        csv::write(self)
    }
}

/// What all sources have in common.
fn source(map: &TownMap, kind: Kind, id: &str, class: &str, name: &str, owner: Owner, at: Uv) -> Source {
    let place = map.frame.place(at);
    let grid = map.grid_at(place).map_or_else(|| GridId::new(TOWN.0), |grid| grid.id.clone());
    Source {
        class: class.to_owned(),
        name: name.to_owned(),
        place: Some(Place { lon: place[0], lat: place[1] }),
        ..Source::new(id, kind, owner, grid)
    }
}

fn stream_url(rtsp: SocketAddr, id: &str, profile: &str) -> String {
    format!("rtsp://{rtsp}/{id}/{profile}")
}

#[cfg(test)]
mod tests;
