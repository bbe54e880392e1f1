//! The sources file in the hub's import format, passwords included.

use model::{Kind, PullMode, Source};

use super::{LOGIN, Registry};
use crate::rtsp::Auth;

/// The hub's columns.
pub const HEADER: [&str; 17] = [
    "id",
    "kind",
    "class",
    "name",
    "owner",
    "grid",
    "lon",
    "lat",
    "url",
    "username",
    "password",
    "mode",
    "topic",
    "format",
    "unit",
    "interval_s",
    "tags",
];

/// All sources: cameras, sensors, load.
pub fn write(registry: &Registry) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADER)?;
    for camera in &registry.cameras {
        let login = if camera.auth == Auth::None { ("", "") } else { LOGIN };
        writer.write_record(record(&camera.source, login))?;
    }
    let sensors = registry.sensors.iter().map(|sensor| &sensor.source);
    let load = registry.load_cameras.iter().chain(registry.load_sensors.iter().map(|sensor| &sensor.source));
    for source in sensors.chain(load) {
        writer.write_record(record(source, ("", "")))?;
    }
    Ok(writer.into_inner()?)
}

fn record(source: &Source, (username, password): (&str, &str)) -> [String; 17] {
    let degrees =
        |pick: fn(&model::Place) -> f64| source.place.as_ref().map(|p| pick(p).to_string()).unwrap_or_default();
    let tags: Vec<String> = source.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mode = match (source.kind, source.mode) {
        (Kind::Sensor, _) => "",
        (Kind::Camera, PullMode::Always) => "always",
        (Kind::Camera, PullMode::Demand) => "demand",
    };
    [
        source.id.to_string(),
        if source.kind == Kind::Camera { "camera" } else { "sensor" }.to_owned(),
        source.class.clone(),
        source.name.clone(),
        source.owner.as_str().to_owned(),
        source.grid.to_string(),
        degrees(|place| place.lon),
        degrees(|place| place.lat),
        source.url.clone(),
        username.to_owned(),
        password.to_owned(),
        mode.to_owned(),
        source.topic.clone(),
        source.format.clone(),
        source.unit.clone(),
        source.interval_s.map(|s| s.to_string()).unwrap_or_default(),
        tags.join(";"),
    ]
}
