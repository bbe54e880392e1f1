//! What the town is told to do: the script's cycle, events started out of turn, and what was set by hand.
//!
//! Pure: time is an argument, in seconds since the town began. Carrying it out is [`crate::stage`]'s business.

use std::collections::BTreeMap;

use model::Value;
use serde::{Deserialize, Deserializer, Serialize};

use crate::registry::{Registry, Sensor};
use crate::rtsp::Behaviour;
use crate::scene::Scene;
use crate::script::{Active, Effects, Event, Script};
use crate::sensors::{Conditions, value};
use crate::wave::Candidate;

/// What a person asks of a sensor. What is left out stays as it is; `null` gives it back to the script.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SensorWish {
    /// Report this.
    #[serde(deserialize_with = "given")]
    pub value: Option<Option<Value>>,
    /// Say nothing.
    #[serde(deserialize_with = "given")]
    pub silent: Option<Option<bool>>,
    /// Send what cannot be decoded.
    #[serde(deserialize_with = "given")]
    pub garbage: Option<Option<bool>>,
}

/// What a person asks of a camera.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CameraWish {
    /// Something over the lens.
    #[serde(deserialize_with = "given")]
    pub covered: Option<Option<bool>>,
    /// Off the net.
    #[serde(deserialize_with = "given")]
    pub offline: Option<Option<bool>>,
    /// How it misbehaves.
    #[serde(deserialize_with = "given")]
    pub behaviour: Option<Option<Behaviour>>,
    /// What stands before the lens.
    #[serde(deserialize_with = "given")]
    pub scene: Option<Option<Scene>>,
}

/// Tells a member that is `null` from one that is not there.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// What a sensor is to send.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What it measures.
    pub value: Value,
    /// Whether it says nothing.
    pub silent: bool,
    /// Whether it sends what cannot be decoded.
    pub garbage: bool,
    /// Changes when it was set by hand and should speak at once.
    #[serde(skip)]
    pub nudge: u64,
}

/// What a camera is to do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shot {
    /// What stands before the lens.
    pub scene: Scene,
    /// Whether something is over it.
    pub covered: bool,
    /// Whether it is off the net.
    pub offline: bool,
    /// How it misbehaves.
    pub behaviour: Behaviour,
}

/// An event under way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UnderWay {
    /// Which.
    pub event: Event,
    /// Seconds since it began.
    pub elapsed_s: f64,
    /// Seconds until it ends.
    pub left_s: f64,
    /// `script` or `control`.
    pub by: &'static str,
}

#[derive(Clone, Debug, Default)]
struct SensorHand {
    value: Option<Value>,
    silent: Option<bool>,
    garbage: Option<bool>,
    nudge: u64,
}

#[derive(Clone, Debug, Default)]
struct CameraHand {
    covered: Option<bool>,
    offline: Option<bool>,
    behaviour: Option<Behaviour>,
    scene: Option<Scene>,
}

/// The director.
#[derive(Debug)]
pub struct Director {
    seed: u64,
    script: Script,
    registry: Registry,
    sensors: BTreeMap<String, SensorHand>,
    cameras: BTreeMap<String, CameraHand>,
    /// When the script's cycle began; it waits for the audience.
    curtain_s: Option<f64>,
    started: Vec<(Event, f64)>,
}

/// Why a wish cannot be fulfilled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WishError {
    /// No such source.
    #[error("no {0} is named {1:?}")]
    Unknown(&'static str, String),
    /// The value is of another type.
    #[error("{0} measures {1}")]
    Type(String, &'static str),
}

impl Director {
    /// A director who knows the sources and the script.
    pub fn new(registry: Registry, script: Script, seed: u64) -> Director {
        let sensors =
            registry.sensors.iter().map(|sensor| (sensor.source.id.to_string(), SensorHand::default())).collect();
        let cameras =
            registry.cameras.iter().map(|camera| (camera.source.id.to_string(), CameraHand::default())).collect();
        Director { seed, script, registry, sensors, cameras, curtain_s: None, started: Vec::new() }
    }

    /// The script's cycle begins, if it has not yet.
    pub fn curtain_up(&mut self, t: f64) {
        self.curtain_s.get_or_insert(t);
    }

    /// The script as it was given.
    pub fn script(&self) -> Script {
        self.script
    }

    /// Starts an event now, anew if it is under way already.
    pub fn start(&mut self, event: Event, t: f64) {
        self.started.retain(|(other, _)| *other != event);
        self.started.push((event, t));
    }

    /// Takes back everything set by hand and begins the cycle anew.
    pub fn reset(&mut self, t: f64) {
        self.started.clear();
        for hand in self.sensors.values_mut() {
            *hand = SensorHand { nudge: hand.nudge + 1, ..SensorHand::default() };
        }
        self.cameras.values_mut().for_each(|hand| *hand = CameraHand::default());
        if self.curtain_s.is_some() {
            self.curtain_s = Some(t);
        }
    }

    /// All cameras that a wave may take, those for load tests with them.
    pub fn candidates(&self) -> impl Iterator<Item = Candidate> {
        let own = self.registry.cameras.iter().map(|camera| &camera.source);
        own.chain(&self.registry.load_cameras)
            .map(|source| Candidate { id: source.id.to_string(), owner: source.owner })
    }

    /// Sets a sensor by hand.
    pub fn set_sensor(&mut self, id: &str, wish: SensorWish) -> Result<(), WishError> {
        let unknown = || WishError::Unknown("sensor", id.to_owned());
        let sensor = self.registry.sensors.iter().find(|sensor| sensor.source.id.as_str() == id).ok_or_else(unknown)?;
        let hand = self.sensors.get_mut(id).ok_or_else(unknown)?;
        let is_contact = matches!(sensor.source.class.as_str(), "smoke" | "door" | "power");
        match &wish.value {
            Some(Some(Value::Bool(_))) if is_contact => {}
            Some(Some(Value::Number(number))) if !is_contact && number.is_finite() => {}
            Some(Some(_)) => {
                return Err(WishError::Type(id.to_owned(), if is_contact { "true or false" } else { "a number" }));
            }
            Some(None) | None => {}
        }
        if let Some(value) = wish.value {
            hand.value = value;
        }
        if let Some(silent) = wish.silent {
            hand.silent = silent;
        }
        if let Some(garbage) = wish.garbage {
            hand.garbage = garbage;
        }
        hand.nudge += 1;
        Ok(())
    }

    /// Sets a camera by hand.
    pub fn set_camera(&mut self, id: &str, wish: CameraWish) -> Result<(), WishError> {
        let hand = self.cameras.get_mut(id).ok_or_else(|| WishError::Unknown("camera", id.to_owned()))?;
        if let Some(covered) = wish.covered {
            hand.covered = covered;
        }
        if let Some(offline) = wish.offline {
            hand.offline = offline;
        }
        if let Some(behaviour) = wish.behaviour {
            hand.behaviour = behaviour;
        }
        if let Some(scene) = wish.scene {
            hand.scene = scene;
        }
        Ok(())
    }

    /// Events under way.
    pub fn under_way(&self, t: f64) -> Vec<UnderWay> {
        let told =
            |by| move |now: Active| UnderWay { event: now.event, elapsed_s: now.elapsed_s, left_s: now.left_s, by };
        let scripted = self.curtain_s.map(|curtain| self.script.active(t - curtain)).unwrap_or_default();
        let started = self.started.iter().filter_map(|(event, at)| self.script.at(*event, t - at));
        scripted.into_iter().map(told("script")).chain(started.map(told("control"))).collect()
    }

    fn effects(&self, t: f64) -> Effects {
        let now = |e: UnderWay| Active { event: e.event, elapsed_s: e.elapsed_s, left_s: e.left_s };
        self.script.effects(&self.under_way(t).into_iter().map(now).collect::<Vec<_>>())
    }

    /// What sensors are to send at `t`, in their order; `hour` is that of the day.
    pub fn reports(&self, sensors: &[Sensor], t: f64, hour: f64) -> Vec<Report> {
        let effects = self.effects(t);
        sensors.iter().map(|sensor| self.report(sensor, &effects, t, hour)).collect()
    }

    /// What all sensors are to send at `t`.
    pub fn all_reports(&self, t: f64, hour: f64) -> BTreeMap<String, Report> {
        let reports = self.reports(&self.registry.sensors, t, hour);
        self.registry.sensors.iter().map(|sensor| sensor.source.id.to_string()).zip(reports).collect()
    }

    fn report(&self, sensor: &Sensor, effects: &Effects, t: f64, hour: f64) -> Report {
        let id = sensor.source.id.as_str();
        let hand = self.sensors.get(id).cloned().unwrap_or_default();
        let conditions = || Conditions {
            seed: self.seed,
            t,
            hour,
            added: effects.added.get(id).copied().unwrap_or_default(),
            on: effects.on.contains(id),
        };
        Report {
            value: hand.value.unwrap_or_else(|| value(&sensor.source, conditions())),
            silent: hand.silent.unwrap_or_else(|| effects.silent.contains(id)),
            garbage: hand.garbage.unwrap_or_default(),
            nudge: hand.nudge,
        }
    }

    /// What all cameras are to do at `t`: a river camera shows what its gauge reports, a yard burns with its detectors.
    pub fn shots(&self, t: f64, hour: f64) -> BTreeMap<String, Shot> {
        let effects = self.effects(t);
        let reports = self.all_reports(t, hour);
        let seen = |camera: &crate::registry::Camera| -> Vec<Value> {
            camera.source.looks_at().filter_map(|id| reports.get(id)).map(|report| report.value.clone()).collect()
        };
        let shot = |camera: &crate::registry::Camera| {
            let id = camera.source.id.to_string();
            let hand = self.cameras.get(&id).cloned().unwrap_or_default();
            let scene = match camera.scene {
                Scene::River { .. } => seen(camera)
                    .iter()
                    .find_map(|value| if let Value::Number(level) = value { Some(Scene::river(*level)) } else { None })
                    .unwrap_or(camera.scene),
                Scene::Yard { .. } => {
                    // A door that stands open is no smoke.
                    let detectors = camera.source.looks_at().filter(|id| id.starts_with("smoke"));
                    let alarmed = detectors.filter_map(|id| reports.get(id)).any(|r| r.value == Value::Bool(true));
                    Scene::Yard { smoke: alarmed || effects.burning.contains(id.as_str()) }
                }
                other => other,
            };
            let shot = Shot {
                scene: hand.scene.unwrap_or(scene),
                covered: hand.covered.unwrap_or_else(|| effects.covered.contains(id.as_str())),
                offline: hand.offline.unwrap_or_else(|| effects.offline.contains(id.as_str())),
                behaviour: hand.behaviour.unwrap_or_default(),
            };
            (id, shot)
        };
        self.registry.cameras.iter().map(shot).collect()
    }
}

#[cfg(test)]
#[path = "director_tests.rs"]
mod tests;
