//! A small town for tests of rules that look at several sources: two grids, each with a gateway, a mains meter, and
//! sensors in a yard.

use std::sync::Arc;

use model::{Kind, Observation, Owner, Place, Source, Value};
use proptest::prelude::*;

use super::tests::observation;
use crate::ruleset::RuleSet;

/// Effects sort before their causes, so that the order of sources does not help.
const RULES: &str = "
version: 1
rules:
- id: a-no-picture
  title: {zh: a, en: a}
  hazard: equipment
  about: {owner: o, action: {zh: a, en: a}}
  on: {class: eye, reading: dark}
  for: 5s
  level: blue
  raise: x == true
  inhibited_by: [{rule: gateway-down, same: gateway}, {rule: mains-lost, same: grid}]
- id: gateway-down
  title: {zh: g, en: g}
  hazard: equipment
  about: {owner: o, action: {zh: a, en: a}}
  on: {class: gateway, reading: down}
  for: 5s
  level: yellow
  raise: x == true
  inhibited_by: [{rule: mains-lost, near: 300m}]
- id: mains-lost
  title: {zh: m, en: m}
  hazard: utility
  about: {owner: o, action: {zh: a, en: a}}
  on: {class: mains, reading: lost}
  level: orange
  raise: x == true
- id: flame
  title: {zh: f, en: f}
  hazard: fire
  about: {owner: o, action: {zh: a, en: a}}
  on: {class: lens, reading: flame}
  for: 3s
  level: yellow
  raise: x == true
  inhibited_by: [{rule: smoke-with-heat, same: site}]
- id: smoke-with-heat
  title: {zh: s, en: s}
  hazard: fire
  about: {owner: o, action: {zh: a, en: a}}
  on: {class: smoke}
  k_of_n: 2
  of:
  - {class: smoke, reading: smoke, when: x == true}
  - {class: heat, reading: heat, when: x == true}
  - {alarm: flame}
  within: 30s
  near: 60m
  level: orange
  hold: 10s
  fallback: {any_of: [smoke], for: 20s, level: yellow}
- id: burning
  title: {zh: b, en: b}
  hazard: fire
  about: {owner: o, action: {zh: a, en: a}}
  on: {class: lens}
  all_of: [{alarm: flame}, {alarm: smoke-with-heat}]
  same: site
  for: 5s
  level: red
";

pub(super) fn rules() -> RuleSet {
    rules_of(RULES)
}

pub(super) fn rules_of(text: &str) -> RuleSet {
    RuleSet::load(&[("town.yaml".to_owned(), text.to_owned())]).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// A sensor that can say yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Voice {
    pub class: &'static str,
    pub reading: &'static str,
    /// In which grid, and which of its kind there.
    pub grid: u8,
    pub number: u8,
}

/// Class, reading, how many a grid.
const KINDS: [(&str, &str, u8); 6] = [
    ("eye", "dark", 3),
    ("gateway", "down", 1),
    ("heat", "heat", 1),
    ("lens", "flame", 1),
    ("mains", "lost", 1),
    ("smoke", "smoke", 2),
];

pub(super) fn all_voices() -> Vec<Voice> {
    let kinds = |grid| {
        KINDS.iter().flat_map(move |(class, reading, count)| {
            (0..*count).map(move |number| Voice { class, reading, grid, number })
        })
    };
    (0..2).flat_map(kinds).collect()
}

pub(super) fn voices() -> impl Strategy<Value = Voice> {
    prop::sample::select(all_voices())
}

pub(super) fn sources() -> Vec<Arc<Source>> {
    all_voices().into_iter().map(|voice| Arc::new(voice.source())).collect()
}

impl Voice {
    pub fn of(class: &'static str, grid: u8, number: u8) -> Self {
        all_voices().into_iter().find(|v| (v.class, v.grid, v.number) == (class, grid, number)).unwrap()
    }

    pub fn id(&self) -> String {
        format!("{}-{}-{}", self.class, self.grid, self.number)
    }

    /// Grids lie a kilometre apart, the sources of one 10 m; all but heat report on change, so only that goes missing.
    pub fn source(&self) -> Source {
        let mut source =
            Source::new(self.id().as_str(), Kind::Sensor, Owner::Governance, format!("g{}", self.grid).as_str());
        source.class = self.class.to_owned();
        let metre = 1.0 / 111_195.0;
        let north = f64::from(self.grid) * 1_000.0 + f64::from(self.number) * 10.0;
        source.place = Some(Place { lon: 106.0, lat: 29.0 + north * metre });
        source.tags.insert("site".to_owned(), format!("yard-{}", self.grid));
        source.interval_s = (self.class == "heat").then_some(10);
        if self.class == "eye" {
            source.tags.insert("gateway".to_owned(), format!("gateway-{}-0", self.grid));
        }
        source
    }

    pub fn says(&self, on: bool, second: i64) -> Observation {
        observation(&self.id(), self.reading, Value::Bool(on), second)
    }
}
