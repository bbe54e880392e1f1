//! Rules: what is in force, what one sees and would have seen, and its life from draft to retirement.

use std::collections::BTreeMap;
use std::sync::Arc;

use alerting::lint::Finding;
use alerting::{Explanation, RuleStatus};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use jiff::SignedDuration;
use model::{Alarm, LogBody, Right, RuleId, SourceId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::source_for;
use crate::access::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::rules::{Ask, Job, Move, Refused, Reloaded, RuleText, Wish, Written};
use crate::state::AppState;

/// The longest reason or note, in characters.
const MAX_NOTE_CHARS: usize = 500;
/// The longest window of a backtest.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 92);
/// Alarms a day of one source, beyond which limits are sought that calm it.
const CALM_PER_DAY: f64 = 1.0;
/// Rows of the log that a look at a rule on trial goes through.
const SHADOW_ROWS: u32 = 20_000;

/// The rules in force, with their state.
#[utoipa::path(get, path = "/api/v1/rules", tag = "rules", responses(
    (status = 200, description = "`items`: one object a rule; `version`, `loaded_at`; `problems` of the files as they are \
     now, while the rules before stay in force"), (status = 401, body = ErrorBody)))]
pub async fn rules(State(state): State<Arc<AppState>>, _caller: Caller) -> Json<serde_json::Value> {
    let book = state.rulebook.book();
    let items = match (state.rules)() {
        // In the first moment after a start.
        serde_json::Value::Null => serde_json::json!([]),
        items => items,
    };
    Json(serde_json::json!({
        "items": items, "version": book.version, "loaded_at": book.loaded_at, "problems": book.problems,
    }))
}

/// Reads the rule files again now; without it they are looked at every two seconds. For administrators.
#[utoipa::path(post, path = "/api/v1/rules/reload", operation_id = "reload_rules", tag = "rules", responses(
    (status = 200, body = Reloaded), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 422, body = ErrorBody, description = "The files have problems: `details.problems`"),
    (status = 503, body = ErrorBody)))]
pub async fn reload(State(state): State<Arc<AppState>>, caller: Caller) -> Result<Json<Reloaded>, ApiError> {
    caller.need(Right::Administer)?;
    let done = state.rulebook.ask(Ask::Reload).await?;
    let detail = serde_json::json!({ "rules": done.rules, "version": done.version, "changed": done.changed });
    state.audit(caller.actor(), "rules.reload", "", None, detail).await?;
    Ok(Json(done))
}

/// A text to look at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleTextBody {
    /// A whole rule file.
    text: String,
}

/// What was found.
#[derive(Serialize, ToSchema)]
pub struct Findings {
    /// In the order of lines; nothing for a text that is good.
    pub items: Vec<Finding>,
}

/// What is wrong with a text, and what somebody should look at, while it is typed. Nothing is kept.
#[utoipa::path(post, path = "/api/v1/rules/check", operation_id = "check_rule", tag = "rules",
    request_body = RuleTextBody, responses(
    (status = 200, body = Findings), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn check(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Json(body): Json<RuleTextBody>,
) -> Result<Json<Findings>, ApiError> {
    caller.need(Right::Lead)?;
    let sources = visible(&state, &caller);
    let items = state.rulebook.ask(|reply| Ask::Check(body.text, sources, reply)).await?;
    Ok(Json(Findings { items }))
}

/// A rule's text, and what was done to it by whom.
#[utoipa::path(get, path = "/api/v1/rules/{id}", operation_id = "rule", tag = "rules", params(("id" = String, Path)),
    responses((status = 200, body = RuleText), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
pub async fn one(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<RuleText>, ApiError> {
    caller.need(Right::Operate)?;
    Ok(Json(state.rulebook.ask(|reply| Ask::Text(RuleId::new(id), reply)).await?))
}

/// A rule to be written.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleBody {
    /// A whole rule file that holds this rule alone, and perhaps calendars.
    text: String,
    /// Why; up to 500 characters.
    #[serde(default)]
    note: String,
}

/// Writes a rule into the console's folder, when the whole set is good with it. A new rule begins as draft or shadow;
/// the meaning of one in force is not changed here: copy it under another id, try that, and retire the old one. For
/// administrators.
#[utoipa::path(put, path = "/api/v1/rules/{id}", operation_id = "write_rule", tag = "rules",
    params(("id" = String, Path)), request_body = RuleBody, responses(
    (status = 200, body = RuleText), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 422, body = ErrorBody, description = "The text has problems: `details.problems`"),
    (status = 503, body = ErrorBody)))]
pub async fn write(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<RuleBody>,
) -> Result<Json<RuleText>, ApiError> {
    caller.need(Right::Administer)?;
    whole_town(&caller)?;
    short("note", &body.note)?;
    let written = Written { rule: RuleId::new(id), text: body.text, note: body.note, by: caller.actor() };
    Ok(Json(state.rulebook.ask(|reply| Ask::Write(written, reply)).await?))
}

/// Where a rule goes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusBody {
    status: RuleStatus,
    /// Why; required, up to 500 characters.
    reason: String,
    /// Into force without trial or second person, on the caller's own account.
    #[serde(default, rename = "override")]
    overridden: bool,
}

/// Moves a rule on in its life. Into force it goes with a backtest of the whole town or a shadow run of an hour on record,
/// both of this very version, and by somebody other than who wrote it. For leads, who may override that with a reason.
#[utoipa::path(post, path = "/api/v1/rules/{id}/status", operation_id = "set_rule_status", tag = "rules",
    params(("id" = String, Path)), request_body = StatusBody, responses(
    (status = 200, body = RuleText), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn set_status(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<StatusBody>,
) -> Result<Json<RuleText>, ApiError> {
    caller.need(Right::Lead)?;
    whole_town(&caller)?;
    short("reason", &body.reason)?;
    if body.reason.trim().is_empty() {
        return Err(ApiError::bad_request("reason: say why"));
    }
    let (rule, by) = (RuleId::new(id), caller.actor());
    let step = Move { rule, to: body.status, reason: body.reason, overridden: body.overridden, by };
    Ok(Json(state.rulebook.ask(|reply| Ask::Move(step, reply)).await?))
}

/// Which source, and when.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExplainQuery {
    /// The source's id.
    source: String,
    /// A moment of the past; now without.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}

/// Why the rule has raised an alarm for the source, or has not: what it sees there now, from the engine itself, or what it
/// saw at a moment, played again from the history by the rules in force now.
#[utoipa::path(get, path = "/api/v1/rules/{id}/explain", operation_id = "explain_rule", tag = "rules",
    params(("id" = String, Path), ExplainQuery), responses(
    (status = 200, body = Explanation), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn explain(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<ExplainQuery>,
) -> Result<Json<Explanation>, ApiError> {
    let source = source_for(&state, &caller, &query.source)?.id.clone();
    if query.at.is_some_and(|at| at > Timestamp::now()) {
        return Err(ApiError::bad_request("at: expected a moment of the past"));
    }
    Ok(Json(state.rulebook.ask(|reply| Ask::Explain(RuleId::new(id), source, query.at, reply)).await?))
}

/// What a rule said on trial.
#[derive(Serialize, ToSchema)]
pub struct ShadowView {
    /// The rule.
    pub rule: RuleId,
    /// When it first said something; none when it has not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Alarms raised.
    pub raised: usize,
    /// Alarms that stand.
    pub active: usize,
    /// By source, the noisiest first.
    pub by_source: Vec<ShadowSource>,
    /// By hour of the clock (UTC).
    pub by_hour: Vec<ShadowHour>,
    /// The alarms, the newest first; at most 500.
    pub alarms: Vec<Alarm>,
    /// Whether older ones were left out.
    pub more: bool,
}

/// What a rule said on trial of a source.
#[derive(Serialize, ToSchema)]
pub struct ShadowSource {
    /// The source.
    pub source: SourceId,
    /// Alarms raised.
    pub raised: usize,
}

/// What a rule said on trial in an hour.
#[derive(Serialize, ToSchema)]
pub struct ShadowHour {
    /// When the hour begins.
    #[schema(value_type = String, format = DateTime)]
    pub hour: Timestamp,
    /// Alarms raised.
    pub raised: usize,
}

/// What a rule has said on trial, to nobody, about sources of the caller's scope.
#[utoipa::path(get, path = "/api/v1/rules/{id}/shadow", operation_id = "rule_shadow", tag = "rules",
    params(("id" = String, Path)), responses(
    (status = 200, body = ShadowView), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn shadow(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ShadowView>, ApiError> {
    caller.need(Right::Operate)?;
    let rule = RuleId::new(id);
    let rows = state.storage.log().shadow(&rule, SHADOW_ROWS).await?;
    let sources = state.feed.sources();
    let more = rows.len() == SHADOW_ROWS as usize;
    let mut alarms: BTreeMap<model::AlarmId, Alarm> = BTreeMap::new();
    for row in rows {
        let LogBody::Shadow(transition) = row.body else { continue };
        match alarms.get_mut(&transition.alarm) {
            Some(alarm) => alarm.apply(&transition),
            None => alarms.extend(Alarm::begin(&transition).map(|alarm| (alarm.id.clone(), alarm))),
        }
    }
    let mut list: Vec<Alarm> = alarms.into_values().filter(|alarm| caller.sees_alarm(&sources, alarm)).collect();
    list.sort_by_key(|alarm| std::cmp::Reverse(alarm.raised_at));
    let (mut by_source, mut by_hour) = (BTreeMap::new(), BTreeMap::new());
    for alarm in &list {
        *by_source.entry(alarm.source.clone()).or_insert(0usize) += 1;
        *by_hour.entry(alarm.raised_at.as_second().div_euclid(3_600)).or_insert(0usize) += 1;
    }
    let mut by_source: Vec<ShadowSource> =
        by_source.into_iter().map(|(source, raised)| ShadowSource { source, raised }).collect();
    by_source.sort_by_key(|count| std::cmp::Reverse(count.raised));
    let hour =
        |(hour, raised): (i64, usize)| Some(ShadowHour { hour: Timestamp::from_second(hour * 3_600).ok()?, raised });
    Ok(Json(ShadowView {
        rule,
        since: list.last().map(|alarm| alarm.raised_at),
        raised: list.len(),
        active: list.iter().filter(|alarm| alarm.is_active()).count(),
        by_source,
        by_hour: by_hour.into_iter().filter_map(hour).collect(),
        more: more || list.len() > 500,
        alarms: list.into_iter().take(500).collect(),
    }))
}

/// What to try, over which time.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BacktestBody {
    /// A rule in the set, or of `text`; may be left out when the text holds one rule alone.
    #[schema(value_type = Option<String>)]
    rule: Option<RuleId>,
    /// A rule file to be tried in place of the rules in force.
    text: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// At most 92 days after `from`, and not after now.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Alarms a day of one source beyond which limits are sought that calm it; 1 without.
    calm_per_day: Option<f64>,
}

/// A backtest that was begun.
#[derive(Serialize, ToSchema)]
pub struct BacktestBegun {
    /// Its number.
    pub id: u64,
}

/// Tries a rule over the stored past: the same engine over the same readings. One runs at a time. For leads; over the
/// sources of the caller's scope, and only one over the whole town counts for a promotion.
#[utoipa::path(post, path = "/api/v1/rules/backtest", operation_id = "backtest_rule", tag = "rules",
    request_body = BacktestBody, responses(
    (status = 202, body = BacktestBegun), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 422, body = ErrorBody, description = "The text has problems: `details.problems`"),
    (status = 503, body = ErrorBody, description = "Too many wait")))]
pub async fn backtest(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Json(body): Json<BacktestBody>,
) -> Result<(StatusCode, Json<BacktestBegun>), ApiError> {
    caller.need(Right::Lead)?;
    let to = body.to.min(Timestamp::now());
    if body.from >= to || to.duration_since(body.from) > LONGEST {
        return Err(ApiError::bad_request("from, to: expected a time of the past of at most 92 days"));
    }
    let calm_per_day = body.calm_per_day.unwrap_or(CALM_PER_DAY);
    if !(0.0..=10_000.0).contains(&calm_per_day) {
        return Err(ApiError::bad_request("calm_per_day: expected 0 to 10,000"));
    }
    let seer = caller.clone();
    let wish = Wish {
        rule: body.rule,
        text: body.text,
        from: body.from,
        to,
        calm_per_day,
        sources: visible(&state, &caller),
        sees_grid: Arc::new(move |grid| seer.sees_grid(grid)),
        whole: !caller.is_limited(),
        by: caller.name.clone(),
    };
    let id = state.rulebook.ask(|reply| Ask::Backtest(wish, reply)).await?;
    Ok((StatusCode::ACCEPTED, Json(BacktestBegun { id })))
}

/// The backtests that run, wait, or have ended lately.
#[derive(Serialize, ToSchema)]
pub struct BacktestList {
    /// The newest first, without their reports.
    pub items: Vec<Job>,
}

/// The caller's own backtests; for a caller without a scope all.
#[utoipa::path(get, path = "/api/v1/rules/backtests", operation_id = "list_backtests", tag = "rules", responses(
    (status = 200, body = BacktestList), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn backtests(State(state): State<Arc<AppState>>, caller: Caller) -> Result<Json<BacktestList>, ApiError> {
    caller.need(Right::Lead)?;
    let items = state.rulebook.jobs.list().into_iter().filter(|job| may_see(&caller, job)).collect();
    Ok(Json(BacktestList { items }))
}

/// How far a backtest is, and what came of it.
#[utoipa::path(get, path = "/api/v1/rules/backtests/{id}", operation_id = "backtest", tag = "rules",
    params(("id" = u64, Path)), responses(
    (status = 200, body = Job), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
pub async fn backtest_job(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<u64>,
) -> Result<Json<Job>, ApiError> {
    caller.need(Right::Lead)?;
    let job = state.rulebook.jobs.get(id).filter(|job| may_see(&caller, job));
    job.map(Json).ok_or_else(|| ApiError::not_found("backtest"))
}

/// Ends a backtest.
#[utoipa::path(delete, path = "/api/v1/rules/backtests/{id}", operation_id = "cancel_backtest", tag = "rules",
    params(("id" = u64, Path)), responses(
    (status = 204, description = "It ends"), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
pub async fn cancel_backtest(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<u64>,
) -> Result<StatusCode, ApiError> {
    caller.need(Right::Lead)?;
    let job = state.rulebook.jobs.get(id).filter(|job| may_see(&caller, job));
    job.ok_or_else(|| ApiError::not_found("backtest"))?;
    state.rulebook.jobs.cancel(id);
    Ok(StatusCode::NO_CONTENT)
}

/// A report tells of sources that another caller's scope may hide.
fn may_see(caller: &Caller, job: &Job) -> bool {
    !caller.is_limited() || job.by == caller.name
}

fn visible(state: &AppState, caller: &Caller) -> Vec<Arc<model::Source>> {
    state.feed.sources().values().filter(|source| caller.sees(source)).cloned().collect()
}

/// A rule is about sources of the whole town.
fn whole_town(caller: &Caller) -> Result<(), ApiError> {
    if caller.is_limited() { Err(ApiError::forbidden("rules are about the whole town")) } else { Ok(()) }
}

fn short(name: &str, text: &str) -> Result<(), ApiError> {
    if text.chars().count() > MAX_NOTE_CHARS {
        return Err(ApiError::bad_request(format!("{name}: expected at most {MAX_NOTE_CHARS} characters")));
    }
    Ok(())
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotFound(what) => ApiError::not_found(what),
            Refused::BadText(problems) => ApiError::bad_text(&problems),
            Refused::Bad(why) => ApiError::bad_request(why),
            Refused::Conflict(why) => ApiError::conflict(why),
            Refused::Unavailable(why) => ApiError::unavailable(why),
        }
    }
}
