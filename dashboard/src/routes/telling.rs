//! Who is on duty, which routes there are, and what they would tell.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use model::{GridId, Hazard, Level, Owner, Right, RuleId, Timestamp};
use notify::{Planner, Target, Town, Wish};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::state::AppState;

/// Somebody who can be told.
#[derive(Serialize, ToSchema)]
pub struct PersonView {
    /// As routes name them.
    id: String,
    /// As they are called.
    name: String,
    /// By which of app, e-mail and robots they can be reached.
    reached_by: Vec<&'static str>,
    /// In which roles they are on duty now.
    on_duty: Vec<String>,
    /// Messages in an hour before further ones are put together.
    per_hour_max: Option<u32>,
}

/// Who is on duty in a role now.
#[derive(Serialize, ToSchema)]
pub struct RoleView {
    /// The role.
    role: String,
    /// Ids of persons; empty when nobody is.
    on_duty: Vec<String>,
}

/// The duty roster as it stands now.
#[derive(Serialize, ToSchema)]
pub struct RosterView {
    /// When it was looked at.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// All roles.
    roles: Vec<RoleView>,
    /// All persons; their addresses are not shown.
    persons: Vec<PersonView>,
    /// The shifts as they are in the file.
    #[schema(value_type = Vec<Object>)]
    shifts: serde_json::Value,
}

/// The routes.
#[derive(Serialize, ToSchema)]
pub struct RoutesView {
    /// The routes as they are in the file.
    #[schema(value_type = Vec<Object>)]
    items: serde_json::Value,
    /// The names of the channels, with their kind.
    channels: Vec<ChannelView>,
}

/// A channel.
#[derive(Serialize, ToSchema)]
pub struct ChannelView {
    /// As routes name it.
    name: String,
    /// `app`, `webhook`, `robot`, `mail` or `mqtt`.
    kind: &'static str,
}

/// An incident that is made up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MadeUp {
    /// How grave.
    level: Level,
    /// What harm.
    hazard: Hazard,
    /// In which grid.
    grid: GridId,
    /// The rule of its alarm; a person's report without.
    rule: Option<RuleId>,
    /// The owner of its source.
    owner: Option<Owner>,
    /// When; now without.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}

/// What a step would tell.
#[derive(Serialize, ToSchema)]
pub struct WouldView {
    /// Which route.
    route: String,
    /// Which of its steps, from 0.
    step: usize,
    /// How many seconds after the beginning.
    after_s: i64,
    /// What makes it needless: `acknowledged`, `accepted`, `dispatched` or `never`.
    unless: String,
    /// Who would be told.
    told: Vec<TargetView>,
    /// Whom the step names and nobody stands behind then.
    nobody: Vec<TargetView>,
}

/// A recipient on a channel.
#[derive(Serialize, ToSchema)]
pub struct TargetView {
    /// Over which channel.
    channel: String,
    /// To whom.
    recipient: String,
}

/// What would be told.
#[derive(Serialize, ToSchema)]
pub struct WouldPage {
    /// Each step of each route that is for it.
    items: Vec<WouldView>,
}

/// Who is on duty now. For operators and above.
#[utoipa::path(get, path = "/api/v1/roster", operation_id = "roster", tag = "telling", responses(
    (status = 200, body = RosterView), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn roster(State(state): State<Arc<AppState>>, caller: Caller) -> Result<Json<RosterView>, ApiError> {
    caller.need(Right::Operate)?;
    let (telling, at) = (&state.telling, Timestamp::now());
    let ids = |role: &str| telling.on_duty(role, at).iter().map(|person| person.id.clone()).collect::<Vec<_>>();
    let roles: Vec<RoleView> =
        telling.roles().into_iter().map(|role| RoleView { role: role.to_owned(), on_duty: ids(role) }).collect();
    let persons = telling.persons.iter().map(|person| {
        let ways = [
            ("app", person.user.is_some()),
            ("mail", person.email.is_some()),
            ("robot", person.handle.is_some() || person.phone.is_some()),
        ];
        PersonView {
            id: person.id.clone(),
            name: person.name.clone(),
            reached_by: ways.into_iter().filter(|(_, is)| *is).map(|(way, _)| way).collect(),
            on_duty: roles.iter().filter(|r| r.on_duty.contains(&person.id)).map(|r| r.role.clone()).collect(),
            per_hour_max: person.per_hour_max,
        }
    });
    let persons = persons.collect();
    Ok(Json(RosterView { at, roles, persons, shifts: json(&telling.shifts) }))
}

/// The routes in force, and the channels by name; addresses and secrets are not shown. For operators and above.
#[utoipa::path(get, path = "/api/v1/routes", operation_id = "routes", tag = "telling", responses(
    (status = 200, body = RoutesView), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn routes(State(state): State<Arc<AppState>>, caller: Caller) -> Result<Json<RoutesView>, ApiError> {
    caller.need(Right::Operate)?;
    let all = &state.telling.channels;
    let named = |kind: &'static str, name: &str| ChannelView { name: name.to_owned(), kind };
    let mut channels = vec![named("app", notify::APP)];
    channels.extend(all.webhook.iter().map(|c| named("webhook", &c.name)));
    channels.extend(all.robot.iter().map(|c| named("robot", &c.name)));
    channels.extend(all.mail.iter().map(|c| named("mail", &c.name)));
    channels.extend(all.mqtt.iter().map(|c| named("mqtt", &c.name)));
    Ok(Json(RoutesView { items: json(&state.telling.routes), channels }))
}

/// What would be told to whom of a made-up incident; sends nothing. For operators and above.
#[utoipa::path(post, path = "/api/v1/routes/test", operation_id = "test_routes", tag = "telling", request_body = MadeUp,
    responses((status = 200, body = WouldPage), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody)))]
pub async fn test(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Json(made_up): Json<MadeUp>,
) -> Result<Json<WouldPage>, ApiError> {
    caller.need(Right::Operate)?;
    let grids = state.feed.grids();
    // A grid outside the scope does not exist.
    if !grids.iter().any(|grid| grid.id == made_up.grid) || !caller.sees_grid(&made_up.grid) {
        return Err(ApiError::bad_request(format!("grid: {:?} is not known", made_up.grid.as_str())));
    }
    let sources = state.feed.sources();
    let town = Town::new(&grids, sources.values().map(|source| &**source));
    let at = made_up.at.unwrap_or_else(Timestamp::now);
    let wish = Wish {
        level: made_up.level,
        hazard: made_up.hazard,
        grid: made_up.grid,
        rule: made_up.rule,
        owner: made_up.owner,
    };
    let views = |targets: Vec<Target>| -> Vec<TargetView> {
        let view = |target: Target| TargetView { channel: target.channel, recipient: target.recipient };
        targets.into_iter().map(view).collect()
    };
    let items = Planner::would_tell(&state.telling, &wish, at, &town).into_iter().map(|would| WouldView {
        route: would.route,
        step: would.step,
        after_s: would.after_s,
        unless: would.unless.as_str().to_owned(),
        told: views(would.told),
        nobody: views(would.nobody),
    });
    Ok(Json(WouldPage { items: items.collect() }))
}

fn json(value: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}
