//! The calendars of a rule file.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::fields::{File, Map};
use super::{Calendars, Holidays};
use crate::calendar::{Calendar, Dates, Span};
use crate::problem::shown;
use crate::yaml::Node;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl File<'_> {
    /// Reads the named lists of holidays of one file into those of all.
    pub fn holidays(&mut self, root: &Node, all: &mut Holidays) {
        let crate::yaml::Kind::Map(entries) = &root.kind else { return };
        let Some((_, node)) = entries.iter().find(|(key, _)| key.text == "holidays") else { return };
        let Some(map) = self.map(node, "lists of dates by name, as cn-2026: [2026-10-01..2026-10-07]") else { return };
        for (key, node) in map.entries() {
            let dates = self.dates_of(Some(node));
            match (all.entry(key.text.clone()), dates) {
                (Entry::Occupied(known), _) => {
                    let found = format!("the holidays {} a second time", shown(known.key()));
                    self.problems.add(key.at, found, "another name");
                }
                (Entry::Vacant(free), Some(dates)) => drop(free.insert(dates)),
                (Entry::Vacant(_), None) => {}
            }
        }
    }

    /// Reads the calendars of one file into those of all.
    pub fn calendars(&mut self, root: &Node, holidays: &Holidays, all: &mut Calendars) {
        // What is wrong with the root is told when its rules are read.
        let crate::yaml::Kind::Map(entries) = &root.kind else { return };
        let Some((_, node)) = entries.iter().find(|(key, _)| key.text == "calendars") else { return };
        let Some(map) = self.map(node, "calendars by name, as night: {zone: ..., hours: [...]}") else { return };
        for (key, node) in map.entries() {
            let name: Arc<str> = key.text.as_str().into();
            let calendar = self.calendar(&name, node, holidays);
            match (all.entry(name), calendar) {
                (Entry::Occupied(known), _) => {
                    let found = format!("the calendar {} a second time", shown(known.key()));
                    self.problems.add(key.at, found, "another name");
                }
                (Entry::Vacant(free), Some(calendar)) => {
                    free.insert(Arc::new(calendar));
                }
                (Entry::Vacant(_), None) => {}
            }
        }
    }

    fn calendar(&mut self, name: &Arc<str>, node: &Node, known: &Holidays) -> Option<Calendar> {
        let mut map = self.map(node, "a mapping with `zone` and `hours`")?;
        let zone = self.required(&mut map, "zone").and_then(|node| self.zone(node));
        let hours = self.required(&mut map, "hours").and_then(|node| {
            let items = self.list(node, "a list of hours, as [\"22:00-06:00\"]")?;
            let spans: Vec<Option<Span>> = items.iter().map(|item| self.span(item)).collect();
            spans.into_iter().collect::<Option<Vec<Span>>>()
        });
        let days = match map.take("days") {
            None => Some([true; 7]),
            Some(node) => self.days(node),
        };
        let except = self.dates_of(map.take("except"));
        let holidays = self.named_holidays(&mut map, known);
        let also = self.dates_of(map.take("also"));
        let terms = self.dates_of(map.take("terms"));
        self.nothing_left(map);
        Some(Calendar {
            name: Arc::clone(name),
            zone: zone?,
            days: days?,
            hours: hours?,
            except: except?,
            holidays: holidays?,
            also: also?,
            terms: terms?,
        })
    }

    /// The dates of one named list, or of several.
    fn named_holidays(&mut self, map: &mut Map<'_>, known: &Holidays) -> Option<Vec<Dates>> {
        let Some(node) = map.take("holidays") else { return Some(Vec::new()) };
        let names = match &node.kind {
            crate::yaml::Kind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut dates = Some(Vec::new());
        for node in names {
            let Some(name) = self.text(node) else {
                dates = None;
                continue;
            };
            match (known.get(name), &mut dates) {
                (Some(found), Some(dates)) => dates.extend_from_slice(found),
                (Some(_), None) => {}
                (None, _) => {
                    let expected = "a name under `holidays` of any rule file";
                    self.problems.add(node.at, format!("the unknown holidays {}", shown(name)), expected);
                    dates = None;
                }
            }
        }
        dates
    }

    /// A list of dates; none given is an empty one.
    fn dates_of(&mut self, node: Option<&Node>) -> Option<Vec<Dates>> {
        let Some(node) = node else { return Some(Vec::new()) };
        let items = self.list(node, "a list of dates, as [2026-10-01..2026-10-07]")?;
        let dates: Vec<Option<Dates>> = items.iter().map(|item| self.dates(item)).collect();
        dates.into_iter().collect()
    }

    fn zone(&mut self, node: &Node) -> Option<TimeZone> {
        let text = self.text(node)?;
        let zone = TimeZone::get(text).ok();
        if zone.is_none() {
            self.problems.add(node.at, shown(text), "a zone of the IANA list, as Asia/Shanghai");
        }
        zone
    }

    fn days(&mut self, node: &Node) -> Option<[bool; 7]> {
        let items = self.list(node, "a list of days, as [mon, tue]")?;
        let mut days = [false; 7];
        let mut whole = true;
        for item in items {
            match self.one_of(item, DAYS.iter().enumerate().map(|(number, name)| (*name, number))) {
                Some(day) => days[day] = true,
                None => whole = false,
            }
        }
        whole.then_some(days)
    }

    fn span(&mut self, node: &Node) -> Option<Span> {
        let text = self.text(node)?;
        let span = text.split_once('-').and_then(|(from, to)| {
            let (from, to) = (minute_of(from)?, minute_of(to)?);
            (from < 1_440 && from != to).then_some(Span { from, to })
        });
        if span.is_none() {
            self.problems.add(node.at, shown(text), "hours from-to, as \"22:00-06:00\" or \"00:00-24:00\"");
        }
        span
    }

    fn dates(&mut self, node: &Node) -> Option<Dates> {
        let text = self.text(node)?;
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let dates = first.trim().parse::<Date>().ok().zip(last.trim().parse::<Date>().ok());
        let dates = dates.filter(|(first, last)| first <= last);
        if dates.is_none() {
            self.problems.add(node.at, shown(text), "a date or first..last, as 2026-10-01..2026-10-07");
        }
        dates
    }
}

/// `HH:MM` up to 24:00.
fn minute_of(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let two = |part: &str| (part.len() == 2).then(|| part.parse::<u16>().ok()).flatten();
    let minutes = two(hour)? * 60 + two(minute).filter(|m| *m < 60)?;
    (minutes <= 1_440).then_some(minutes)
}
