//! Where a source stands for people who count: online, intact, away, or not known.
//!
//! Belongs here: how states become the two rates that a town is measured by (online rate 在线率, intact rate 完好率), and
//! which of a camera's streams speaks for it. Does not belong here: who counts, and what several absences have in common
//! (`alerting::outages`).

use serde::{Deserialize, Serialize};

use crate::{Profile, SourceState, SourceStatus};

/// The reason of a sensor that has only not spoken yet since its broker is back; it is not away.
const WAITING_FOR_DATA: &str = "waiting_for_data";

/// Where a source stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Online, and as it should be; a camera on demand was well when it was last asked.
    Intact,
    /// Online, but not as it should be.
    Impaired,
    /// Gives nothing, and the hub knows why.
    Away,
    /// The hub cannot say: nothing heard yet, a connection on its way, a camera on demand that was never asked.
    Unknown,
}

impl Standing {
    /// All standings.
    pub const ALL: [Standing; 4] = [Standing::Intact, Standing::Impaired, Standing::Away, Standing::Unknown];

    /// The name in the API and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Intact => "intact",
            Standing::Impaired => "impaired",
            Standing::Away => "away",
            Standing::Unknown => "unknown",
        }
    }

    /// Of the status that speaks for a source; none when nothing was heard.
    pub fn of(status: Option<&SourceStatus>) -> Self {
        let Some(status) = status else { return Standing::Unknown };
        match status.state {
            SourceState::Live => Standing::Intact,
            SourceState::Idle if status.last_data_at.is_some() => Standing::Intact,
            SourceState::Degraded => Standing::Impaired,
            SourceState::Stalled | SourceState::AuthFailed | SourceState::Offline | SourceState::Silent => {
                Standing::Away
            }
            // Its broker is away, or its row in the registry cannot work.
            SourceState::Unknown if status.reason.as_deref().is_some_and(|reason| reason != WAITING_FOR_DATA) => {
                Standing::Away
            }
            SourceState::Idle | SourceState::Connecting | SourceState::Unknown => Standing::Unknown,
        }
    }

    /// Whether it delivers.
    pub fn is_online(self) -> bool {
        matches!(self, Standing::Intact | Standing::Impaired)
    }
}

/// The status that speaks for a source, out of those of its streams: that of the sub stream, which is pulled always,
/// while it is wanted; else the one that tells most.
pub fn leading<'a>(statuses: impl IntoIterator<Item = &'a SourceStatus>) -> Option<&'a SourceStatus> {
    let telling = |status: &&SourceStatus| match status.state {
        SourceState::Idle if status.last_data_at.is_some() => 2,
        SourceState::Idle => 1,
        SourceState::Unknown => 0,
        _ if status.profile == Some(Profile::Sub) => 10,
        SourceState::Live => 9,
        SourceState::Degraded => 8,
        SourceState::Stalled => 7,
        SourceState::AuthFailed => 6,
        SourceState::Offline => 5,
        SourceState::Silent => 4,
        SourceState::Connecting => 3,
    };
    statuses.into_iter().max_by_key(telling)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Timestamp};

    fn status(profile: Option<Profile>, state: SourceState) -> SourceStatus {
        SourceStatus {
            source: "cam".into(),
            kind: Kind::Camera,
            profile,
            state,
            since: Timestamp::UNIX_EPOCH,
            reason: None,
            detail: None,
            last_data_at: None,
            stream: None,
        }
    }

    #[test]
    fn a_camera_is_as_its_sub_stream_while_that_is_wanted() {
        let of = |main, sub| {
            let statuses = [status(Some(Profile::Main), main), status(Some(Profile::Sub), sub)];
            leading(&statuses).map(|status| status.state).unwrap()
        };
        assert_eq!(of(SourceState::Idle, SourceState::Offline), SourceState::Offline);
        assert_eq!(of(SourceState::Live, SourceState::Degraded), SourceState::Degraded);
        assert_eq!(of(SourceState::Live, SourceState::Idle), SourceState::Live);
        assert_eq!(of(SourceState::Unknown, SourceState::Idle), SourceState::Idle);
        assert_eq!(leading([]), None);
    }

    #[test]
    fn of_two_idle_streams_the_one_that_was_asked_speaks() {
        let asked = SourceStatus { last_data_at: Some(Timestamp::UNIX_EPOCH), ..status(None, SourceState::Idle) };
        for statuses in
            [[asked.clone(), status(None, SourceState::Idle)], [status(None, SourceState::Idle), asked.clone()]]
        {
            assert_eq!(leading(&statuses), Some(&asked));
        }
    }

    #[test]
    fn what_is_not_known_is_neither_online_nor_away() {
        let of = |state, reason: Option<&str>| {
            Standing::of(Some(&SourceStatus { reason: reason.map(str::to_owned), ..status(None, state) }))
        };
        assert_eq!(Standing::of(None), Standing::Unknown);
        assert_eq!(of(SourceState::Unknown, None), Standing::Unknown);
        assert_eq!(of(SourceState::Unknown, Some("waiting_for_data")), Standing::Unknown);
        assert_eq!(of(SourceState::Unknown, Some("broker_unreachable")), Standing::Away);
        assert_eq!(of(SourceState::Connecting, Some("connection_lost")), Standing::Unknown);
        assert_eq!(of(SourceState::Idle, None), Standing::Unknown, "never asked");
        let asked = SourceStatus { last_data_at: Some(Timestamp::UNIX_EPOCH), ..status(None, SourceState::Idle) };
        assert_eq!(Standing::of(Some(&asked)), Standing::Intact);
        for state in [SourceState::Stalled, SourceState::AuthFailed, SourceState::Offline, SourceState::Silent] {
            assert_eq!(of(state, None), Standing::Away, "{state:?}");
        }
        assert!(of(SourceState::Degraded, None).is_online() && of(SourceState::Degraded, None) != Standing::Intact);
    }
}
