//! What only the registry can tell: whom a rule is about, and what their limits make of it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use model::{RuleId, Source};

use super::{Findings, reach};
use crate::rule::{LevelRule, Rule, Select, Trigger};
use crate::ruleset::RuleSet;

/// The most different sets of limits that are looked at for a rule.
const MAX_LIMIT_SETS: usize = 500;
/// The most sources that a finding names.
const NAMED: usize = 3;

/// Whether the selection leaves nothing out.
pub(super) fn is_unbounded(select: &Select) -> bool {
    let Select { classes, kind, owners, grids, sites, tags, condition } = select;
    classes.is_empty()
        && kind.is_none()
        && owners.is_empty()
        && grids.is_empty()
        && sites.is_empty()
        && tags.is_empty()
        && condition.is_none()
}

pub(super) fn look(rules: &RuleSet, sources: &[Arc<Source>], found: &mut Findings) {
    let mut bound: HashMap<&RuleId, Vec<&Source>> = HashMap::new();
    for source in sources {
        for (_, rule) in rules.about(source) {
            bound.entry(&rule.id).or_default().push(source);
        }
    }
    for rule in rules.all().filter(|rule| rule.status.watches()) {
        let about = bound.get(&rule.id).map(Vec::as_slice).unwrap_or_default();
        if about.is_empty() {
            found.warn(rule, rule.at, "selects-nothing", "no source of the registry is selected");
            continue;
        }
        if let Trigger::Reading { levels, .. } = &rule.trigger {
            limits(rule, levels, about, found);
        }
    }
}

fn limits(rule: &Rule, levels: &[LevelRule], about: &[&Source], found: &mut Findings) {
    for level in levels {
        for limit in &level.limits {
            if about.iter().all(|source| source.limit(limit).is_none()) {
                let text =
                    format!("no selected source has the limit {limit}: {} is never raised", level.level.as_str());
                found.warn(rule, level.at, "no-limit", text);
            }
        }
    }
    let names: BTreeSet<&Arc<str>> = levels.iter().flat_map(|level| &level.limits).collect();
    // Sources of the same limits are judged once.
    let mut sets: HashMap<Vec<Option<u64>>, Vec<&Source>> = HashMap::new();
    for source in about {
        let set = names.iter().map(|name| source.limit(name).map(f64::to_bits)).collect();
        if sets.len() < MAX_LIMIT_SETS || sets.contains_key(&set) {
            sets.entry(set).or_default().push(source);
        }
    }
    let mut never: Vec<Vec<&Source>> = vec![Vec::new(); levels.len()];
    let mut overtaken: HashMap<(usize, usize), Vec<&Source>> = HashMap::new();
    for same in sets.into_values() {
        judge(levels, &same, &mut never, &mut overtaken);
    }
    for (level, sources) in levels.iter().zip(&never) {
        if !sources.is_empty() {
            let text = format!("{} can never be raised with the limits of {}", level.level.as_str(), named(sources));
            found.warn(rule, level.at, "unreachable", text);
        }
    }
    let mut overtaken: Vec<_> = overtaken.into_iter().collect();
    overtaken.sort_by_key(|(pair, _)| *pair);
    for ((lower, higher), sources) in overtaken {
        let (low, high) = (&levels[lower], &levels[higher]);
        let text = format!(
            "{} is never seen, for {} is reached no later, with the limits of {}",
            low.level.as_str(),
            high.level.as_str(),
            named(&sources)
        );
        found.warn(rule, low.at, "limits-fall", text);
    }
}

/// Judges the levels over sources of the same limits.
fn judge<'s>(
    levels: &[LevelRule],
    same: &[&'s Source],
    never: &mut [Vec<&'s Source>],
    overtaken: &mut HashMap<(usize, usize), Vec<&'s Source>>,
) {
    let Some(one) = same.first() else { return };
    // A level whose limit is not there never counts, and is told as that.
    let known: Vec<usize> = (0..levels.len())
        .filter(|place| levels[*place].limits.iter().all(|limit| one.limit(limit).is_some()))
        .collect();
    let values: Vec<(Arc<str>, f64)> = known
        .iter()
        .flat_map(|place| &levels[*place].limits)
        .filter_map(|name| Some((Arc::clone(name), one.limit(name)?)))
        .collect();
    let raises: Vec<_> = known.iter().map(|place| &levels[*place].raise).collect();
    let Some(truths) = reach::together(&raises, &values) else { return };
    for (number, place) in known.iter().enumerate() {
        if !truths.ever(number) && !levels[*place].limits.is_empty() {
            never[*place].extend(same);
        }
        let higher = (number + 1..known.len())
            .find(|higher| truths.implies(number, *higher) && levels[known[*higher]].wait <= levels[*place].wait);
        if let Some(higher) = higher {
            overtaken.entry((*place, known[higher])).or_default().extend(same);
        }
    }
}

fn named(sources: &[&Source]) -> String {
    let mut ids: Vec<&str> = sources.iter().map(|source| source.id.as_str()).collect();
    ids.sort_unstable();
    let more = ids.len().saturating_sub(NAMED);
    ids.truncate(NAMED);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", ids.join(", "))
}
