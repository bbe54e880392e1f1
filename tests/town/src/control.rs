//! The control address: a test or a person in training makes things happen in the town.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::director::{CameraWish, Report, SensorWish, Shot, UnderWay, WishError};
use crate::rtsp::{CameraStats, Connects};
use crate::script::Event;
use crate::sensors::load::{BurstError, BurstWish, LoadSensors, SensorSent, SensorsSent};
use crate::sensors::{Fleet, LinkState};
use crate::stage::Stage;
use crate::wave::{WaveError, WaveState, WaveWish};

/// What the handlers need.
#[derive(Clone)]
pub struct Control {
    /// Cameras and the director.
    pub stage: Arc<Stage>,
    /// Gateways.
    pub fleet: Arc<Fleet>,
    /// Sensors for load tests.
    pub load: Arc<LoadSensors>,
}

/// The routes.
pub fn router(control: Control) -> Router {
    Router::new()
        .route("/state", get(state))
        .route("/events", get(events))
        .route("/events/{name}", post(start))
        .route("/sensors/{id}", post(sensor))
        .route("/cameras/{id}", post(camera))
        .route("/gateways/{id}", post(gateway))
        .route("/reset", post(reset))
        .route("/wave", get(wave).post(begin_wave).delete(end_wave))
        .route("/burst", post(burst))
        .route("/load", post(load))
        .route("/sent", get(sent))
        .route("/sent/sensors", get(sent_by_sensor))
        .route("/connections", get(connections))
        .with_state(control)
}

/// Why a request is refused.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<WishError> for Refused {
    fn from(error: WishError) -> Refused {
        let status = match error {
            WishError::Unknown(..) => StatusCode::NOT_FOUND,
            WishError::Type(..) => StatusCode::BAD_REQUEST,
        };
        Refused(status, error.to_string())
    }
}

impl From<BurstError> for Refused {
    fn from(error: BurstError) -> Refused {
        let status = match error {
            BurstError::OutOfRange => StatusCode::BAD_REQUEST,
            BurstError::NoSensors | BurstError::UnderWay(_) => StatusCode::CONFLICT,
        };
        Refused(status, error.to_string())
    }
}

impl From<WaveError> for Refused {
    fn from(error: WaveError) -> Refused {
        let status = match error {
            WaveError::Runs(_) => StatusCode::CONFLICT,
            _ => StatusCode::BAD_REQUEST,
        };
        Refused(status, error.to_string())
    }
}

impl From<QueryRejection> for Refused {
    fn from(error: QueryRejection) -> Refused {
        Refused(StatusCode::BAD_REQUEST, error.body_text())
    }
}

impl From<JsonRejection> for Refused {
    fn from(error: JsonRejection) -> Refused {
        Refused(StatusCode::BAD_REQUEST, error.body_text())
    }
}

#[derive(Serialize)]
struct TownState {
    uptime_s: f64,
    cycle_s: f64,
    quiet_script: bool,
    events: Vec<UnderWay>,
    sensors: BTreeMap<String, Report>,
    cameras: BTreeMap<String, CameraState>,
    gateways: HashMap<&'static str, LinkState>,
    /// Pictures skipped because the machine was too busy.
    late_frames: u64,
}

#[derive(Serialize)]
struct CameraState {
    #[serde(flatten)]
    shot: Shot,
    #[serde(flatten)]
    stats: CameraStats,
}

async fn state(State(control): State<Control>) -> Json<TownState> {
    let stage = &control.stage;
    let farm = stage.farm().stats();
    let stats: HashMap<String, CameraStats> = farm.cameras.into_iter().map(|stats| (stats.id.clone(), stats)).collect();
    let camera = |(id, shot): (String, Shot)| {
        let stats = stats.get(&id).cloned().unwrap_or_default();
        (id, CameraState { shot, stats })
    };
    let (script, events) = {
        let director = stage.director();
        (director.script(), director.under_way(stage.now_s()))
    };
    Json(TownState {
        uptime_s: stage.now_s(),
        cycle_s: script.cycle_s,
        quiet_script: script.quiet,
        events,
        sensors: stage.all_reports(),
        cameras: stage.shots().into_iter().map(camera).collect(),
        gateways: control.fleet.states(),
        late_frames: farm.late_frames,
    })
}

async fn events(State(control): State<Control>) -> Json<Value> {
    let director = control.stage.director();
    let script = director.script();
    let about = |event: Event| json!({ "name": event, "duration_s": script.duration_s(event), "about": event.about() });
    let under_way = director.under_way(control.stage.now_s());
    Json(json!({ "events": Event::ALL.map(about), "under_way": under_way }))
}

async fn start(State(control): State<Control>, Path(name): Path<String>) -> Result<Json<Value>, Refused> {
    let known = || Event::ALL.map(Event::as_str).join(", ");
    let event = Event::named(&name)
        .ok_or_else(|| Refused(StatusCode::NOT_FOUND, format!("no event is named {name:?}; there are {}", known())))?;
    let mut director = control.stage.director();
    director.start(event, control.stage.now_s());
    Ok(Json(json!({ "started": event, "duration_s": director.script().duration_s(event) })))
}

async fn sensor(
    State(control): State<Control>,
    Path(id): Path<String>,
    wish: Result<Json<SensorWish>, JsonRejection>,
) -> Result<Json<Option<Report>>, Refused> {
    let Json(wish) = wish?;
    control.stage.director().set_sensor(&id, wish)?;
    Ok(Json(control.stage.all_reports().remove(&id)))
}

async fn camera(
    State(control): State<Control>,
    Path(id): Path<String>,
    wish: Result<Json<CameraWish>, JsonRejection>,
) -> Result<Json<Option<Shot>>, Refused> {
    let Json(wish) = wish?;
    control.stage.director().set_camera(&id, wish)?;
    Ok(Json(control.stage.shots().remove(&id)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GatewayWish {
    offline: bool,
}

async fn gateway(
    State(control): State<Control>,
    Path(id): Path<String>,
    wish: Result<Json<GatewayWish>, JsonRejection>,
) -> Result<Json<Value>, Refused> {
    let Json(wish) = wish?;
    if !control.fleet.set_offline(&id, wish.offline) {
        return Err(WishError::Unknown("gateway", id).into());
    }
    Ok(Json(json!({ "gateway": id, "offline": wish.offline })))
}

async fn reset(State(control): State<Control>) -> Json<Value> {
    control.stage.director().reset(control.stage.now_s());
    control.stage.end_wave();
    control.fleet.reset();
    Json(json!({ "reset": true }))
}

async fn wave(State(control): State<Control>) -> Json<Value> {
    Json(json!({ "wave": control.stage.wave_state() }))
}

async fn begin_wave(
    State(control): State<Control>,
    wish: Result<Json<WaveWish>, JsonRejection>,
) -> Result<Json<WaveState>, Refused> {
    let Json(wish) = wish?;
    Ok(Json(control.stage.begin_wave(wish)?))
}

async fn end_wave(State(control): State<Control>) -> Json<Value> {
    Json(json!({ "ended": control.stage.end_wave() }))
}

async fn burst(
    State(control): State<Control>,
    wish: Result<Json<BurstWish>, JsonRejection>,
) -> Result<Json<Value>, Refused> {
    let Json(wish) = wish?;
    let readings = control.load.burst(wish)?;
    Ok(Json(json!({ "readings": readings, "seconds": wish.seconds })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoadWish {
    silent: bool,
}

async fn load(
    State(control): State<Control>,
    wish: Result<Json<LoadWish>, JsonRejection>,
) -> Result<Json<Value>, Refused> {
    let Json(LoadWish { silent }) = wish?;
    control.load.set_silent(silent);
    Ok(Json(json!({ "silent": silent })))
}

/// What the town has sent since start.
#[derive(Serialize)]
struct Sent {
    cameras: CamerasSent,
    sensors: SensorsSent,
}

#[derive(Default, Serialize)]
struct CamerasSent {
    cameras: usize,
    /// Open sessions.
    sessions: usize,
    /// Sessions since start.
    sessions_total: u64,
    frames: u64,
    bytes: u64,
    /// Pictures that a slow viewer did not get.
    dropped: u64,
    /// Pictures that nobody got because this machine was too busy.
    late: u64,
}

async fn sent(State(control): State<Control>) -> Json<Sent> {
    let farm = control.stage.farm().stats();
    let mut cameras = CamerasSent { cameras: farm.cameras.len(), late: farm.late_frames, ..CamerasSent::default() };
    for camera in &farm.cameras {
        cameras.sessions += camera.sessions;
        cameras.sessions_total += camera.sessions_total;
        cameras.frames += camera.frames;
        cameras.bytes += camera.bytes;
        cameras.dropped += camera.dropped;
    }
    Json(Sent { cameras, sensors: control.load.sent() })
}

async fn sent_by_sensor(State(control): State<Control>) -> Json<BTreeMap<String, SensorSent>> {
    Json(control.load.sent_by_sensor())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    /// The number of the first connection to tell.
    #[serde(default)]
    since: u64,
}

async fn connections(
    State(control): State<Control>,
    since: Result<Query<Since>, QueryRejection>,
) -> Result<Json<Connects>, Refused> {
    let Query(Since { since }) = since?;
    Ok(Json(control.stage.farm().connects(since)))
}
