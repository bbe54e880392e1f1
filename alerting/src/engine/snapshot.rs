//! The engine as bytes: what a restart begins from.

use std::sync::Arc;

use model::{Reading, RuleId, Source, SourceId, SourceState, Timestamp, Value};
use serde::{Deserialize, Serialize};

use super::composite::{Kept, Membership};
use super::memory::{Last, Slot};
use super::track::Track;
use super::window::Window;
use super::{Engine, Known};
use crate::ruleset::RuleSet;

/// Bytes of another form are not read.
const FORMAT: u32 = 1;

/// An engine's snapshot, read back. Milliseconds keep it short: 20,000 sources make some megabytes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Snapshot {
    format: u32,
    clock: Timestamp,
    sources: Vec<SourceShot>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SourceShot {
    id: SourceId,
    #[serde(rename = "s")]
    state: SourceState,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    blind: Option<i64>,
    #[serde(rename = "k")]
    since: i64,
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    heard: Option<i64>,
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    slots: Vec<SlotShot>,
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    tracks: Vec<(RuleId, Arc<str>, Track)>,
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Kept>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SlotShot {
    #[serde(rename = "n")]
    name: Reading,
    #[serde(rename = "g", default, skip_serializing_if = "std::ops::Not::not")]
    good: bool,
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    window: Option<Box<Window>>,
    /// Value, when it was true, how long after that it came.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    live: Option<(Value, i64, i64)>,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    kept: Option<Value>,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    lagging: Option<(i64, i64)>,
}

impl Engine {
    /// Everything a restart needs beside the rules and the registry. Sources that have never spoken are left out.
    pub fn snapshot(&self) -> Vec<u8> {
        let rules: Vec<_> = self.rules.all().map(|rule| (rule.id.clone(), Arc::clone(&rule.version))).collect();
        let shots = self.sources.iter().filter_map(|known| {
            let tracks: Vec<_> = known
                .bounds
                .iter()
                .filter_map(|bound| {
                    let rule = self.rules.at(bound.rule);
                    Some((rule.id.clone(), Arc::clone(&rule.version), (**bound.track.as_ref()?).clone()))
                })
                .collect();
            let parts = Self::kept_of(&rules, known);
            let quiet =
                known.slots.is_empty() && parts.is_empty() && tracks.is_empty() && known.state == SourceState::Unknown;
            (!quiet).then(|| SourceShot {
                id: known.source.id.clone(),
                state: known.state,
                blind: known.blind.map(Timestamp::as_millisecond),
                since: known.since.as_millisecond(),
                heard: (known.heard != known.since).then_some(known.heard.as_millisecond()),
                slots: known.slots.iter().map(SlotShot::of).collect(),
                tracks,
                parts,
            })
        });
        let shot = Snapshot { format: FORMAT, clock: self.clock, sources: shots.collect() };
        serde_json::to_vec(&shot).expect("plain data with string keys")
    }

    /// The engine as [`Engine::snapshot`] saw it. Nothing is looked at yet, and no deadline planned.
    pub(super) fn restore(rules: RuleSet, sources: impl IntoIterator<Item = Arc<Source>>, shot: Snapshot) -> Self {
        let mut engine = Self::new(rules, sources, shot.clock);
        for saved in shot.sources {
            let Some(&place) = engine.places.get(&saved.id) else { continue };
            let known = &mut engine.sources[place as usize];
            known.state = saved.state;
            known.blind = saved.blind.and_then(moment);
            known.since = moment(saved.since).unwrap_or(known.since);
            known.heard = saved.heard.and_then(moment).unwrap_or(known.since);
            known.slots = saved.slots.into_iter().map(SlotShot::into_slot).collect();
            let rules = &engine.rules;
            let bounds = std::mem::take(&mut known.bounds);
            known.fit(bounds.iter().map(|bound| rules.at(bound.rule)), shot.clock);
            known.bounds = bounds;
            for (rule, version, track) in saved.tracks {
                restore_track(&engine.rules, known, &rule, &version, track);
            }
            for (rule, version, part, held) in saved.parts {
                let number = engine.rules.find(&rule).filter(|number| engine.rules.at(*number).version == version);
                let of_it = |place: &&mut Membership| Some(place.rule) == number && place.part == part;
                if let Some(place) = known.memberships.iter_mut().find(of_it) {
                    place.held = Some(held);
                }
            }
        }
        engine
    }
}

impl Snapshot {
    /// Reads the bytes; none when they are of another form.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|shot: &Self| shot.format == FORMAT)
    }
}

/// Timers of a rule that has changed begin anew.
fn restore_track(rules: &RuleSet, known: &mut Known, rule: &RuleId, version: &str, mut track: Track) {
    let Some(number) = rules.find(rule) else { return };
    let Ok(bound) = known.bounds.binary_search_by_key(&number, |bound| bound.rule) else { return };
    if *rules.at(number).version != *version {
        track.timers.clear();
    }
    known.bounds[bound].track = Some(Box::new(track));
}

impl SlotShot {
    fn of(slot: &Slot) -> Self {
        let ms = |at: Timestamp| at.as_millisecond();
        let live = slot.live.as_ref();
        Self {
            name: Arc::clone(&slot.name),
            good: slot.good,
            window: slot.window.clone(),
            live: live.map(|last| (last.value.clone(), ms(last.at), ms(last.received) - ms(last.at))),
            kept: slot.kept.clone(),
            lagging: slot.lagging.map(|(now, at)| (ms(now), ms(at))),
        }
    }

    fn into_slot(self) -> Slot {
        let live = self.live.and_then(|(value, at, after)| {
            Some(Last { value, at: moment(at)?, received: moment(at.saturating_add(after))? })
        });
        let lagging = self.lagging.and_then(|(now, at)| Some((moment(now)?, moment(at)?)));
        Slot { name: self.name, good: self.good, window: self.window, live, kept: self.kept, lagging }
    }
}

fn moment(ms: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(ms).ok()
}
