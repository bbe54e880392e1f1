//! What several absences have in common: a guess at one cause, with the figures it rests on.
//!
//! Pure. Sources that went away within one [`WINDOW`] are held against what they share: a recorder, a gateway, a broker, a
//! grid with all inside it, an owner. A guess needs [`MEMBERS_MIN`] of them and [`SHARE_MIN_PERCENT`] of all that share
//! it, those that are well and those not known included, so that it is never bolder than its figures. Each source is in
//! one group at most: the guess that explains most against what contradicts it comes first, among equals the narrower
//! cause. Does not belong here: which states count as away (`model::Standing`), who may see which group (`dashboard`).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use jiff::SignedDuration;
use model::{Grid, GridId, Kind, Owner, Source, Timestamp};

/// Absences this far apart may have one beginning: a camera on demand is asked every 15 minutes, so one recorder's death
/// is learnt over that long, and a margin for tries that time out.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(20);
/// Two cameras fail together by chance.
pub const MEMBERS_MIN: usize = 3;
/// Below this most of the group's fellows contradict the guess, or nearly do.
pub const SHARE_MIN_PERCENT: usize = 60;

/// A source as the guess sees it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The source.
    pub source: Arc<Source>,
    /// Since when it is away; none when it is not, or not known to be.
    pub away_since: Option<Timestamp>,
}

/// What may have failed, the narrower first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The recorder, or whatever stands at this host of the cameras' URLs.
    Recorder(String),
    /// The gateway that sensors name in the tag `gateway`.
    Gateway(String),
    /// The broker that sensors name in the tag `broker`; empty for the first one.
    Broker(String),
    /// The power or network of a grid, with all grids inside it.
    Grid(GridId),
    /// The network or platform of an owner.
    Owner(Owner),
}

/// A guess: so many of so many went away within one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// What they share.
    pub cause: Cause,
    /// Cameras or sensors: they are counted apart, for they fail apart.
    pub kind: Kind,
    /// Those that went away, as places in the list that was given, rising.
    pub away: Vec<usize>,
    /// All that share it, away or not.
    pub members: usize,
    /// When the first of them went.
    pub first: Timestamp,
    /// When the last of them went.
    pub last: Timestamp,
}

/// Groups what is away now; the largest group first. What is in no group failed by itself, as far as can be told.
pub fn group(seen: &[Seen], grids: &[Grid]) -> Vec<Outage> {
    let candidates = candidates(seen, grids);
    let mut grouped = vec![false; seen.len()];
    let mut heap: BinaryHeap<_> = candidates
        .iter()
        .enumerate()
        .filter_map(|(at, candidate)| Some((candidate.rank(&candidate.best(seen, &grouped)?), at)))
        .collect();
    let mut outages = Vec::new();
    while let Some((rank, at)) = heap.pop() {
        let candidate = &candidates[at];
        let Some(best) = candidate.best(seen, &grouped) else { continue };
        let now = candidate.rank(&best);
        if now != rank {
            // Some of its members have found a better guess meanwhile.
            heap.push((now, at));
            continue;
        }
        best.iter().for_each(|member| grouped[*member] = true);
        let times = || best.iter().filter_map(|member| seen[*member].away_since);
        let (Some(first), Some(last)) = (times().min(), times().max()) else { continue };
        let mut away = best;
        away.sort_unstable();
        let (cause, kind) = (candidate.cause.clone(), candidate.kind);
        outages.push(Outage { cause, kind, away, members: candidate.members, first, last });
    }
    outages.sort_by(|a, b| b.away.len().cmp(&a.away.len()).then_with(|| a.cause.cmp(&b.cause)));
    outages
}

/// A cause with all who share it.
struct Candidate {
    cause: Cause,
    kind: Kind,
    members: usize,
    /// Those of them that are away, by when they went.
    away: Vec<usize>,
    /// How wide the cause is beside others of its sort: of grids, how far above the sources' own.
    width: usize,
}

/// How good a guess is: what it explains less what contradicts it, then how narrow it is, then its name, so that the
/// answer does not depend on the order of the sources.
type Rank = (i64, Reverse<(u8, usize, Cause, Kind)>);

impl Candidate {
    /// The most of its members that went within one window and are in no group yet; the later ones of two as many.
    /// None when they are too few for a guess.
    fn best(&self, seen: &[Seen], grouped: &[bool]) -> Option<Vec<usize>> {
        let open: Vec<(Timestamp, usize)> = self
            .away
            .iter()
            .filter(|member| !grouped[**member])
            .filter_map(|member| Some((seen[*member].away_since?, *member)))
            .collect();
        let (mut best, mut from) = (0..0, 0);
        for to in 0..open.len() {
            while open[to].0.duration_since(open[from].0) > WINDOW {
                from += 1;
            }
            if to + 1 - from >= best.len() {
                best = from..to + 1;
            }
        }
        let enough = best.len() >= MEMBERS_MIN && best.len() * 100 >= self.members * SHARE_MIN_PERCENT;
        enough.then(|| open[best].iter().map(|(_, member)| *member).collect())
    }

    fn rank(&self, best: &[usize]) -> Rank {
        let (away, members) = (best.len() as i64, self.members as i64);
        let sort = match self.cause {
            Cause::Recorder(_) | Cause::Gateway(_) => 0,
            Cause::Broker(_) => 1,
            Cause::Grid(_) => 2,
            Cause::Owner(_) => 3,
        };
        (away - (members - away), Reverse((sort, self.width, self.cause.clone(), self.kind)))
    }
}

fn candidates(seen: &[Seen], grids: &[Grid]) -> Vec<Candidate> {
    let parents: HashMap<&GridId, &GridId> =
        grids.iter().filter_map(|grid| Some((&grid.id, grid.parent.as_ref()?))).collect();
    let mut shared: HashMap<(Cause, Kind), (usize, Vec<usize>, usize)> = HashMap::new();
    for (at, one) in seen.iter().enumerate() {
        for (place, cause) in causes_of(&one.source, &parents).into_iter().enumerate() {
            let (members, away, width) = shared.entry((cause, one.source.kind)).or_default();
            *members += 1;
            *width = place.max(*width);
            if one.away_since.is_some() {
                away.push(at);
            }
        }
    }
    shared
        .into_iter()
        .filter(|(_, (_, away, _))| away.len() >= MEMBERS_MIN)
        .map(|((cause, kind), (members, mut away, width))| {
            away.sort_by_key(|member| (seen[*member].away_since, seen[*member].source.id.clone()));
            Candidate { cause, kind, members, away, width }
        })
        .collect()
}

/// All that a source shares with others; of its grids the narrower first.
fn causes_of(source: &Source, parents: &HashMap<&GridId, &GridId>) -> Vec<Cause> {
    let mut causes = vec![Cause::Owner(source.owner)];
    match source.kind {
        Kind::Camera => causes.extend(source.host().map(Cause::Recorder)),
        Kind::Sensor => {
            causes.extend(source.tags.get("gateway").cloned().map(Cause::Gateway));
            causes.push(Cause::Broker(source.tags.get("broker").cloned().unwrap_or_default()));
        }
    }
    let mut grid = Some(&source.grid);
    // Nesting is three deep; a ring of parents, which nobody should make, ends here too.
    for _ in 0..8 {
        let Some(id) = grid else { break };
        let cause = Cause::Grid(id.clone());
        if causes.contains(&cause) {
            break;
        }
        causes.push(cause);
        grid = parents.get(id).copied();
    }
    causes
}

#[cfg(test)]
#[path = "outages_tests.rs"]
mod tests;
