//! Sources that the registry takes out of service.

use std::sync::Arc;

use model::{AlarmChange, Source};

use super::*;
use crate::engine::related_town::{self as town, Voice};
use crate::engine::tests::at;

fn eye() -> Voice {
    Voice::of("eye", 0, 0)
}

/// The town with these tags at the first eye.
fn with(tags: &[(&str, String)]) -> Vec<Arc<Source>> {
    let mut sources = town::sources();
    let mut one = (*sources[0]).clone();
    assert_eq!(one.id.as_str(), eye().id());
    one.tags.extend(tags.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    sources[0] = Arc::new(one);
    sources
}

fn conditions(transitions: &[AlarmTransition]) -> Vec<(i64, String)> {
    let word = |t: &AlarmTransition| match &t.change {
        AlarmChange::Raised { .. } => "raised".to_owned(),
        AlarmChange::Cleared { evidence } => evidence.condition.clone(),
        other => format!("{other:?}"),
    };
    transitions.iter().map(|t| (t.at.as_second() - at(0).as_second(), word(t))).collect()
}

#[test]
fn what_is_out_of_service_says_nothing_and_ends_with_that_reason() {
    let mut engine = Engine::new(town::rules(), town::sources(), at(0));
    engine.observe(&eye().says(true, 0));
    assert_eq!(engine.tick(at(5)).len(), 1);
    let out = with(&[("service", "out".to_owned())]);
    assert_eq!(conditions(&engine.replace_sources(out, at(10))), [(10, OUT_OF_SERVICE.to_owned())]);
    assert_eq!(engine.out_of_service().map(|source| source.id.as_str()).collect::<Vec<_>>(), [eye().id()]);
    engine.observe(&eye().says(false, 20));
    engine.observe(&eye().says(true, 30));
    assert_eq!(engine.tick(at(1_000)), []);
    // What it said last is known when it is back.
    engine.replace_sources(town::sources(), at(1_000));
    assert_eq!(conditions(&engine.tick(at(1_010))), [(1_005, "raised".to_owned())]);
}

#[test]
fn maintenance_ends_by_itself_at_its_time() {
    let until = [("service", "maintenance".to_owned()), ("service_until", at(100).to_string())];
    let mut engine = Engine::new(town::rules(), with(&until), at(0));
    engine.observe(&eye().says(true, 10));
    assert_eq!(engine.next_deadline(), Some(at(100)));
    assert_eq!(conditions(&engine.tick(at(500))), [(105, "raised".to_owned())]);
    assert_eq!(engine.out_of_service().count(), 0);
    // A restart in the middle of it ends it at the same time.
    let mut engine = Engine::new(town::rules(), with(&until), at(0));
    engine.observe(&eye().says(true, 10));
    let shot = Snapshot::read(&engine.snapshot());
    let recovery = Recovery::begin(town::rules(), with(&until), shot, Vec::new(), at(50));
    let (mut engine, said) = recovery.finish(at(50), at(50));
    assert_eq!(said, []);
    assert_eq!(conditions(&engine.tick(at(500))), [(105, "raised".to_owned())]);
}

#[test]
fn silence_in_maintenance_is_no_absence_and_its_parts_do_not_count() {
    let text = "version: 1\nrules:\n- id: silent\n  title: {zh: s, en: s}\n  hazard: equipment\n  \
                about: {owner: o, action: {zh: a, en: a}}\n  on: {class: eye, reading: dark}\n  absent: 60s\n  level: blue\n\
                - id: dark-yard\n  title: {zh: d, en: d}\n  hazard: security\n  about: {owner: o, action: {zh: a, en: a}}\n  \
                on: {class: lens}\n  any_of: [{class: eye, reading: dark, when: x == true}]\n  same: grid\n  level: blue\n";
    let until = [("service", "maintenance".to_owned()), ("service_until", at(1_000).to_string())];
    let only = |sources: Vec<Arc<Source>>| -> Vec<Arc<Source>> {
        sources.into_iter().filter(|s| s.id.as_str() == eye().id() || s.class == "lens").collect()
    };
    let mut engine = Engine::new(town::rules_of(text), only(with(&until)), at(0));
    assert_eq!(engine.observe(&eye().says(true, 10)), []);
    let said = conditions(&engine.tick(at(1_200)));
    assert_eq!(said, [(1_000, "raised".to_owned()), (1_060, "raised".to_owned())], "the part counts, then absence");
}
