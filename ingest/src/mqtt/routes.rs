//! Which topics to subscribe to, and which sensors a message speaks for.
//!
//! Built anew when the list of sensors changes and then only read, so that lookups take no lock.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use model::{Kind, Source};

use super::decode::Format;
use super::watch::Watched;
use crate::topic::{self, TopicTree};

/// The tag that names a sensor's broker.
const TAG_BROKER: &str = "broker";
/// The tag that names the topic of a sensor's last will.
const TAG_OFFLINE: &str = "offline_topic";

/// A sensor whose topic and format are sound.
#[derive(Debug)]
pub(super) struct Route {
    pub source: Arc<Source>,
    pub format: Format,
}

/// What a message on a topic means to one sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Readings of the sensor with this number.
    Readings(u32),
    /// Whether it is there.
    State(u32),
}

/// The topics of one broker.
#[derive(Debug, Default)]
pub(super) struct Routes {
    sensors: Vec<Route>,
    exact: HashMap<Box<str>, Vec<Use>>,
    wild: TopicTree<Use>,
    /// The filters to subscribe to, without those that a wildcard among them covers.
    pub filters: BTreeSet<String>,
}

/// Who a message is for.
#[derive(Debug, Default)]
pub(super) struct Receivers<'r> {
    pub readings: Vec<&'r Route>,
    pub states: Vec<&'r Route>,
}

impl Routes {
    /// The sensors that a message speaks for; `into` is cleared first.
    pub fn find<'r>(&'r self, name: &str, into: &mut Receivers<'r>) {
        into.readings.clear();
        into.states.clear();
        let mut take = |found: &Use| match found {
            Use::Readings(i) => into.readings.push(&self.sensors[*i as usize]),
            Use::State(i) => into.states.push(&self.sensors[*i as usize]),
        };
        if let Some(found) = self.exact.get(name) {
            found.iter().for_each(&mut take);
        }
        if !self.wild.is_empty() {
            self.wild.for_each_match(name, &mut take);
        }
    }

    fn add(&mut self, filter: &str, what: Use) {
        if topic::has_wildcard(filter) {
            self.wild.insert(filter, what);
        } else {
            self.exact.entry(filter.into()).or_default().push(what);
        }
        self.filters.insert(filter.to_owned());
    }

    /// Leaves out exact filters that one of the wildcard filters covers: some brokers deliver once per subscription.
    fn thin_out(&mut self) {
        if self.wild.is_empty() {
            return;
        }
        let wild = &self.wild;
        self.filters.retain(|filter| {
            let mut covered = false;
            if !topic::has_wildcard(filter) {
                wild.for_each_match(filter, &mut |_| covered = true);
            }
            !covered
        });
    }
}

/// Sorts the sensors to their brokers. Returns the routes of each link by its number, and every sensor with what is
/// wrong with it.
pub(super) fn build<'s>(
    sensors: impl IntoIterator<Item = &'s Arc<Source>>,
    links: &[String],
) -> (Vec<Routes>, Vec<Watched>) {
    let mut routes: Vec<Routes> = links.iter().map(|_| Routes::default()).collect();
    let mut watched = Vec::new();
    for source in sensors {
        if source.kind != Kind::Sensor {
            continue;
        }
        let place = check(source, links);
        let (link, fault) = match place {
            Ok((link, format)) => {
                let table = &mut routes[link];
                let number = table.sensors.len() as u32;
                table.sensors.push(Route { source: Arc::clone(source), format });
                table.add(&source.topic, Use::Readings(number));
                if let Some(state_topic) = source.tags.get(TAG_OFFLINE) {
                    table.add(state_topic, Use::State(number));
                }
                (link, None)
            }
            // A link that does not exist: never up, never asked.
            Err(fault) => (usize::MAX, Some(fault)),
        };
        watched.push(Watched { source: Arc::clone(source), link, fault });
    }
    routes.iter_mut().for_each(Routes::thin_out);
    (routes, watched)
}

/// The link and format of a sensor, or a reason and detail why it cannot be read.
fn check(source: &Source, links: &[String]) -> Result<(usize, Format), (&'static str, String)> {
    let link = match source.tags.get(TAG_BROKER) {
        Some(name) => links
            .iter()
            .position(|l| l == name)
            .ok_or_else(|| ("broker_unknown", format!("no broker is named {name:?} in the settings")))?,
        None if links.is_empty() => return Err(("broker_unknown", "no broker is in the settings".to_owned())),
        None => 0,
    };
    topic::check_filter(&source.topic).map_err(|e| ("bad_topic", e.to_string()))?;
    if let Some(state_topic) = source.tags.get(TAG_OFFLINE) {
        topic::check_filter(state_topic).map_err(|e| ("bad_topic", format!("offline_topic: {e}")))?;
    }
    let format = Format::parse(&source.format).map_err(|e| ("bad_format", e.to_string()))?;
    Ok((link, format))
}

#[cfg(test)]
mod tests {
    use model::Owner;

    use super::*;

    fn sensor(id: &str, topic: &str, tags: &[(&str, &str)]) -> Arc<Source> {
        Arc::new(Source {
            class: "river_gauge".into(),
            topic: topic.into(),
            format: "raw".into(),
            tags: tags.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            ..Source::new(id, Kind::Sensor, Owner::Governance, "g")
        })
    }

    fn links() -> Vec<String> {
        vec!["embedded".into(), "town".into()]
    }

    fn ids(routes: &Routes, name: &str) -> (Vec<String>, Vec<String>) {
        let mut found = Receivers::default();
        routes.find(name, &mut found);
        let names = |list: &[&Route]| list.iter().map(|r| r.source.id.to_string()).collect();
        (names(&found.readings), names(&found.states))
    }

    #[test]
    fn messages_find_their_sensors() {
        let list = [
            sensor("a", "town/a", &[("offline_topic", "town/a/state")]),
            sensor("b", "town/+", &[]),
            sensor("c", "yard/c", &[("broker", "town")]),
        ];
        let (routes, watched) = build(&list, &links());
        assert_eq!(ids(&routes[0], "town/a"), (vec!["a".into(), "b".into()], vec![]));
        assert_eq!(ids(&routes[0], "town/a/state"), (vec![], vec!["a".into()]));
        assert_eq!(ids(&routes[0], "yard/c"), (vec![], vec![]));
        assert_eq!(ids(&routes[1], "yard/c").0, ["c"]);
        assert_eq!(watched.len(), 3);
        // `town/a` is covered by `town/+`.
        assert_eq!(routes[0].filters.iter().map(String::as_str).collect::<Vec<_>>(), ["town/+", "town/a/state"]);
    }

    #[test]
    fn what_is_wrong_with_a_sensor_is_told() {
        let mut bad_format = (*sensor("f", "f", &[])).clone();
        bad_format.format = "xml".into();
        let list = [sensor("t", "a/#/b", &[]), sensor("b", "b", &[("broker", "nowhere")]), Arc::new(bad_format)];
        let (_, watched) = build(&list, &links());
        let reasons: Vec<_> = watched.iter().map(|w| w.fault.as_ref().map(|f| f.0)).collect();
        assert_eq!(reasons, [Some("bad_topic"), Some("broker_unknown"), Some("bad_format")]);
    }

    #[test]
    fn twenty_thousand_sensors_are_found_fast() {
        let list: Vec<_> =
            (0..20_000).map(|i| sensor(&format!("s{i}"), &format!("t/{}/s{i}/v", i % 60), &[])).collect();
        let started = std::time::Instant::now();
        let (routes, _) = build(&list, &links());
        let mut found = Receivers::default();
        for i in 0..20_000 {
            routes[0].find(&format!("t/{}/s{i}/v", i % 60), &mut found);
            assert_eq!(found.readings.len(), 1);
        }
        assert!(started.elapsed().as_secs() < 2, "{:?}", started.elapsed());
    }
}
