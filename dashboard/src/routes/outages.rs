//! What is away now, and what those that went together have in common.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use alerting::outages::{self, Cause, Outage, Seen};
use axum::Json;
use axum::extract::{Query, State};
use model::{Grid, GridId, Kind, Owner, SourceId, SourceState, SourceStatus, Standing, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::limit_of;
use crate::access::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::state::AppState;

/// The group of what failed by itself.
const ALONE: &str = "none";

/// Which outages.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OutageQuery {
    kind: Option<Kind>,
    /// A group's `id`: only its members; `none`: only what is in no group.
    group: Option<String>,
    /// 1 to 1,000; 100 without.
    limit: Option<u32>,
    /// The last answer's `next_cursor`.
    cursor: Option<String>,
}

/// What may have failed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum CauseView {
    /// The recorder at a host of the cameras' URLs.
    Recorder {
        /// The host, without port and credentials.
        host: String,
    },
    /// A gateway of sensors.
    Gateway {
        /// As the tag `gateway` names it.
        gateway: String,
    },
    /// A broker of sensors.
    Broker {
        /// As the tag `broker` names it; none for the first one in the settings.
        broker: Option<String>,
    },
    /// Power or network of a grid, with all grids inside it.
    Grid {
        /// Which.
        #[schema(value_type = String)]
        grid: GridId,
    },
    /// Network or platform of an owner.
    Owner {
        /// Whose.
        owner: Owner,
    },
}

/// Sources that went away together, and a guess why: so many of all that share it.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutageGroup {
    /// Names the group as long as its cause and kind stay.
    id: String,
    /// What they share.
    cause: CauseView,
    /// Cameras or sensors; they are counted apart.
    kind: Kind,
    /// How many went away within 20 minutes.
    away: u64,
    /// How many share the cause in all, as far as the caller sees them.
    members: u64,
    /// When the first went.
    #[schema(value_type = String, format = DateTime)]
    first: Timestamp,
    /// When the last went.
    #[schema(value_type = String, format = DateTime)]
    last: Timestamp,
    /// How many for each reason; what has none counts under its state.
    reasons: BTreeMap<String, u64>,
}

/// A source that is away.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutageView {
    /// Which.
    #[schema(value_type = String)]
    source: SourceId,
    /// Camera or sensor.
    kind: Kind,
    /// How it is.
    state: SourceState,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// Why, as a code the console translates.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The group it is in; none when it failed by itself.
    group: Option<String>,
}

/// What is away in the caller's scope.
#[derive(Serialize, ToSchema)]
pub struct OutagePage {
    /// When it was looked at.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// How many sources are away, whatever the page and group.
    away: u64,
    /// How many of them are in no group.
    alone: u64,
    /// All groups, the largest first.
    groups: Vec<OutageGroup>,
    /// The sources, the newest outage first.
    items: Vec<OutageView>,
    /// How many match on all pages.
    total: u64,
    /// Where the next page begins; none on the last.
    next_cursor: Option<String>,
}

/// Each source of the caller's scope that is away now, since when and why, grouped with a guess at a common cause.
#[utoipa::path(get, path = "/api/v1/outages", operation_id = "outages", tag = "sources", params(OutageQuery), responses(
    (status = 200, body = OutagePage), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub async fn list(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Query(query): Query<OutageQuery>,
) -> Result<Json<OutagePage>, ApiError> {
    let limit = limit_of(query.limit, 100)? as usize;
    let (seen, statuses) = seen(&state, &caller, query.kind);
    // A grid outside the scope is no cause that may be named.
    let grids = state.feed.grids();
    let grids: Vec<Grid> = grids.iter().filter(|grid| caller.sees_grid(&grid.id)).cloned().collect();
    // Thousands of sources in a bad hour: some milliseconds that others should not wait for.
    let (count, outages) = tokio::task::spawn_blocking(move || {
        let outages = outages::group(&seen, &grids);
        (seen.len(), outages)
    })
    .await
    .map_err(|_| ApiError::unavailable("the outages could not be grouped"))?;
    let mut group_of: Vec<Option<String>> = vec![None; count];
    for outage in &outages {
        outage.away.iter().for_each(|place| group_of[*place] = Some(id_of(outage)));
    }
    let groups: Vec<_> = outages.iter().map(|outage| group_view(outage, &statuses)).collect();
    if let Some(group) = query.group.as_ref().filter(|group| group.as_str() != ALONE)
        && !groups.iter().any(|known| known.id == *group)
    {
        return Err(ApiError::not_found("group"));
    }
    let mut items: Vec<OutageView> = statuses
        .iter()
        .zip(group_of)
        .filter_map(|(status, group)| {
            let status = status.as_ref()?;
            Some(OutageView {
                source: status.source.clone(),
                kind: status.kind,
                state: status.state,
                since: status.since,
                reason: status.reason.clone(),
                group,
            })
        })
        .collect();
    let away = items.len() as u64;
    let alone = items.iter().filter(|item| item.group.is_none()).count() as u64;
    if let Some(group) = &query.group {
        items.retain(|item| item.group.as_deref().unwrap_or(ALONE) == group);
    }
    items.sort_by(|a, b| b.since.cmp(&a.since).then_with(|| a.source.cmp(&b.source)));
    let total = items.len() as u64;
    if let Some(cursor) = &query.cursor {
        let (since, id) = parse_cursor(cursor)?;
        items.retain(|item| (std::cmp::Reverse(item.since), item.source.as_str()) > (std::cmp::Reverse(since), id));
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(|last| format!("{} {}", last.since, last.source));
    Ok(Json(OutagePage { at: Timestamp::now(), away, alone, groups, items, total, next_cursor }))
}

/// The caller's sources, with the status of each that is away.
fn seen(state: &AppState, caller: &Caller, kind: Option<Kind>) -> (Vec<Seen>, Vec<Option<Arc<SourceStatus>>>) {
    let all = state.feed.leading().into_iter();
    all.filter(|(source, _)| caller.sees(source) && kind.is_none_or(|kind| source.kind == kind))
        .map(|(source, status)| {
            let status = status.filter(|status| Standing::of(Some(status)) == Standing::Away);
            (Seen { source, away_since: status.as_ref().map(|status| status.since) }, status)
        })
        .unzip()
}

/// Groups of everything as last counted: nobody is asked who they are before `/metrics`, so counting has its pace.
#[derive(Default)]
pub struct GroupCounts(Mutex<Option<(Instant, [usize; CAUSES.len()])>>);

/// How long a count holds.
const COUNT_HOLDS: Duration = Duration::from_secs(5);
const CAUSES: [&str; 5] = ["recorder", "gateway", "broker", "grid", "owner"];

/// How many groups there are of everything, for the metrics.
pub fn group_counts(state: &AppState) -> impl Iterator<Item = (&'static str, usize)> {
    let mut kept = state.outage_groups.0.lock().unwrap_or_else(PoisonError::into_inner);
    let counts = match *kept {
        Some((at, counts)) if at.elapsed() < COUNT_HOLDS => counts,
        _ => {
            let counts = count_groups(state);
            *kept = Some((Instant::now(), counts));
            counts
        }
    };
    CAUSES.into_iter().zip(counts)
}

fn count_groups(state: &AppState) -> [usize; CAUSES.len()] {
    let all = state.feed.leading().into_iter().map(|(source, status)| {
        let status = status.filter(|status| Standing::of(Some(status)) == Standing::Away);
        Seen { source, away_since: status.map(|status| status.since) }
    });
    let outages = outages::group(&all.collect::<Vec<_>>(), &state.feed.grids());
    CAUSES.map(|name| outages.iter().filter(|outage| name_of(&outage.cause) == name).count())
}

fn name_of(cause: &Cause) -> &'static str {
    match cause {
        Cause::Recorder(_) => "recorder",
        Cause::Gateway(_) => "gateway",
        Cause::Broker(_) => "broker",
        Cause::Grid(_) => "grid",
        Cause::Owner(_) => "owner",
    }
}

fn id_of(outage: &Outage) -> String {
    let what = match &outage.cause {
        Cause::Recorder(name) | Cause::Gateway(name) | Cause::Broker(name) => name.as_str(),
        Cause::Grid(grid) => grid.as_str(),
        Cause::Owner(owner) => owner.as_str(),
    };
    let kind = if outage.kind == Kind::Camera { "camera" } else { "sensor" };
    format!("{kind}:{}:{what}", name_of(&outage.cause))
}

fn group_view(outage: &Outage, statuses: &[Option<Arc<SourceStatus>>]) -> OutageGroup {
    let mut reasons = BTreeMap::new();
    for status in outage.away.iter().filter_map(|place| statuses[*place].as_ref()) {
        let reason = status.reason.clone().unwrap_or_else(|| status.state.as_str().to_owned());
        *reasons.entry(reason).or_insert(0) += 1;
    }
    let cause = match outage.cause.clone() {
        Cause::Recorder(host) => CauseView::Recorder { host },
        Cause::Gateway(gateway) => CauseView::Gateway { gateway },
        Cause::Broker(broker) => CauseView::Broker { broker: (!broker.is_empty()).then_some(broker) },
        Cause::Grid(grid) => CauseView::Grid { grid },
        Cause::Owner(owner) => CauseView::Owner { owner },
    };
    OutageGroup {
        id: id_of(outage),
        cause,
        kind: outage.kind,
        away: outage.away.len() as u64,
        members: outage.members as u64,
        first: outage.first,
        last: outage.last,
        reasons,
    }
}

fn parse_cursor(cursor: &str) -> Result<(Timestamp, &str), ApiError> {
    let parsed = cursor.split_once(' ').and_then(|(since, id)| Some((since.parse().ok()?, id)));
    parsed.ok_or_else(|| ApiError::bad_request("cursor: expected the last answer's next_cursor"))
}
