//! What a reader of the file cannot see key by key: names that are nowhere, persons who cannot be reached.

use std::collections::{BTreeMap, BTreeSet};

use crate::telling::{Channels, Problem, Route, Telling, To};
use crate::{APP, telling};

/// The most of each list; a town has some dozens.
const MOST: usize = 1_000;

/// What is behind a channel.
#[derive(Clone, Copy, PartialEq)]
enum Behind {
    /// One place: a program, a topic.
    Fixed,
    /// A group that can mention persons.
    Group,
    /// Persons with an e-mail address.
    Mail,
    /// Persons who log in.
    App,
}

impl Telling {
    /// All that is wrong beyond single keys, in the order of the file.
    pub fn problems(&self) -> Vec<Problem> {
        let mut told = Vec::new();
        let channels = self.channels(&mut told);
        self.people(&mut told);
        unique(&mut told, self.routes.iter().enumerate().map(|(n, r)| (format!("routes[{n}].name"), r.name.as_str())));
        for (number, route) in self.routes.iter().enumerate() {
            self.route(&format!("routes[{number}]"), route, &channels, &mut told);
        }
        let lists = [("persons", self.persons.len()), ("shifts", self.shifts.len()), ("routes", self.routes.len())];
        for (key, count) in lists.into_iter().filter(|(_, count)| *count > MOST) {
            told.push(Problem::new(key, count, format!("at most {MOST}")));
        }
        told
    }

    fn channels(&self, told: &mut Vec<Problem>) -> BTreeMap<&str, Behind> {
        let Channels { webhook, robot, mail, mqtt } = &self.channels;
        let mut named: Vec<(String, &str, Behind)> = Vec::new();
        for (n, channel) in webhook.iter().enumerate() {
            named.push((format!("channels.webhook[{n}].name"), &channel.name, Behind::Fixed));
            address(told, format!("channels.webhook[{n}].url"), &channel.url, &["http", "https"]);
        }
        for (n, channel) in robot.iter().enumerate() {
            named.push((format!("channels.robot[{n}].name"), &channel.name, Behind::Group));
            if let Some(url) = &channel.url {
                address(told, format!("channels.robot[{n}].url"), url, &["http", "https"]);
            }
        }
        for (n, channel) in mail.iter().enumerate() {
            named.push((format!("channels.mail[{n}].name"), &channel.name, Behind::Mail));
            if channel.username.is_some() != channel.password.is_some() {
                let key = format!("channels.mail[{n}].password");
                told.push(Problem::new(key, "one of username and password", "both or neither"));
            }
            if !channel.from.contains('@') {
                told.push(Problem::new(format!("channels.mail[{n}].from"), &channel.from, "an e-mail address"));
            }
        }
        for (n, channel) in mqtt.iter().enumerate() {
            named.push((format!("channels.mqtt[{n}].name"), &channel.name, Behind::Fixed));
            address(told, format!("channels.mqtt[{n}].url"), &channel.url, &["mqtt", "mqtts"]);
            if channel.topic.is_empty() || channel.topic.contains(['+', '#', '\0']) {
                let expected = "a topic without wildcards";
                told.push(Problem::new(format!("channels.mqtt[{n}].topic"), &channel.topic, expected));
            }
        }
        unique(told, named.iter().map(|(key, name, _)| (key.clone(), *name)));
        for (key, name, _) in named.iter().filter(|(_, name, _)| *name == APP) {
            told.push(Problem::new(key, name, "another name: `app` is the console"));
        }
        named.into_iter().map(|(_, name, behind)| (name, behind)).chain([(APP, Behind::App)]).collect()
    }

    fn people(&self, told: &mut Vec<Problem>) {
        unique(told, self.persons.iter().enumerate().map(|(n, p)| (format!("persons[{n}].id"), p.id.as_str())));
        for (n, person) in self.persons.iter().enumerate() {
            if person.email.as_ref().is_some_and(|email| !email.contains('@')) {
                let found = person.email.as_deref().unwrap_or_default();
                told.push(Problem::new(format!("persons[{n}].email"), found, "an e-mail address"));
            }
        }
        for (n, shift) in self.shifts.iter().enumerate() {
            for (m, id) in shift.persons.iter().enumerate().filter(|(_, id)| self.person(id).is_none()) {
                told.push(Problem::new(format!("shifts[{n}].persons[{m}]"), id, "the id of a person"));
            }
        }
    }

    fn route(&self, key: &str, route: &Route, channels: &BTreeMap<&str, Behind>, told: &mut Vec<Problem>) {
        if route.steps.is_empty() {
            told.push(Problem::new(format!("{key}.steps"), "none", "at least one step"));
        }
        for (n, pair) in route.steps.windows(2).enumerate() {
            if pair[1].after < pair[0].after {
                let key = format!("{key}.steps[{}].after", n + 1);
                told.push(Problem::new(key, String::from(pair[1].after), "a time not before the step above"));
            }
        }
        for (n, step) in route.steps.iter().enumerate() {
            let key = format!("{key}.steps[{n}]");
            if step.channels.is_empty() {
                told.push(Problem::new(format!("{key}.channels"), "none", "at least one channel"));
            }
            self.targets(&key, step, told);
            for (m, name) in step.channels.iter().enumerate() {
                let at = format!("{key}.channels[{m}]");
                let Some(behind) = channels.get(name.as_str()) else {
                    let known = channels.keys().copied().collect::<Vec<_>>().join(", ");
                    told.push(Problem::new(at, name, format!("one of {known}")));
                    continue;
                };
                if matches!(behind, Behind::Mail | Behind::App) {
                    if step.to.is_empty() {
                        told.push(Problem::new(format!("{key}.to"), "nobody", format!("persons for {name}")));
                    }
                    for person in self.unreachable(step, *behind) {
                        let has = if *behind == Behind::Mail { "an e-mail address" } else { "a user name" };
                        told.push(Problem::new(&at, format!("{person} without"), format!("{has} for {name}")));
                    }
                }
            }
        }
    }

    fn targets(&self, key: &str, step: &telling::Step, told: &mut Vec<Problem>) {
        for (m, to) in step.to.iter().enumerate() {
            let known = match to {
                To::Person(id) => self.person(id).is_some(),
                To::Role(role) => self.shifts.iter().any(|shift| shift.role == *role),
                To::Responder => true,
            };
            if !known {
                let expected = "a person of the list, or a role of a shift";
                told.push(Problem::new(format!("{key}.to[{m}]"), String::from(to.clone()), expected));
            }
        }
    }

    /// Persons a step may mean and the channel cannot reach.
    fn unreachable<'a>(&'a self, step: &'a telling::Step, behind: Behind) -> BTreeSet<&'a str> {
        let mut ids = BTreeSet::new();
        for to in &step.to {
            match to {
                To::Person(id) => ids.extend([id.as_str()]),
                To::Role(role) => {
                    let shifts = self.shifts.iter().filter(|shift| shift.role == *role);
                    ids.extend(shifts.flat_map(|shift| shift.persons.iter().map(String::as_str)));
                }
                // Whoever it will be: told as a dead letter when it happens.
                To::Responder => {}
            }
        }
        let lacks = |id: &&str| {
            self.person(id).is_some_and(|person| match behind {
                Behind::Mail => person.email.is_none(),
                Behind::App => person.user.is_none(),
                Behind::Fixed | Behind::Group => false,
            })
        };
        ids.into_iter().filter(lacks).collect()
    }
}

fn unique<'a>(told: &mut Vec<Problem>, names: impl Iterator<Item = (String, &'a str)>) {
    let mut seen = BTreeSet::new();
    for (key, name) in names {
        // Names stand in keys of the outbox and in metrics.
        let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            told.push(Problem::new(key, format!("{name:?}"), "1 to 64 bytes of letters, digits and - _ ."));
        } else if !seen.insert(name) {
            told.push(Problem::new(key, format!("{name:?} a second time"), "another name"));
        }
    }
}

fn address(told: &mut Vec<Problem>, key: String, url: &str, schemes: &[&str]) {
    let host = url.split_once("://").filter(|(scheme, _)| schemes.contains(scheme)).map(|(_, rest)| rest);
    let host = host.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    if host.is_none_or(|host| host.is_empty() || host.contains('@')) {
        let schemes = schemes.join("://, ");
        told.push(Problem::new(
            key,
            url.split('?').next().unwrap_or_default(),
            format!("{schemes}://HOST, no log-in in it"),
        ));
    }
}

#[cfg(test)]
mod tests {
    use crate::Telling;

    fn told(text: &str) -> Vec<String> {
        let telling: Telling = toml::from_str(text).unwrap();
        telling
            .problems()
            .into_iter()
            .map(|p| format!("{}: found {}, expected {}", p.key, p.found, p.expected))
            .collect()
    }

    #[test]
    fn names_that_are_nowhere_are_told_all_at_once() {
        let text = "persons = [{id = 'li', name = 'Li'}]\nshifts = [{role = 'desk', persons = ['wang']}]\n\
            [[routes]]\nname = 'a'\nsteps = [{channels = ['post'], to = ['role:patrol']}]\n\
            [[routes]]\nname = 'a'\nsteps = []";
        let told = told(text);
        assert_eq!(told.len(), 5, "{told:#?}");
        assert!(told.iter().any(|t| t.starts_with("shifts[0].persons[0]: found wang")), "{told:#?}");
        assert!(told.iter().any(|t| t.starts_with("routes[0].steps[0].channels[0]: found post")), "{told:#?}");
        assert!(told.iter().any(|t| t.starts_with("routes[0].steps[0].to[0]: found role:patrol")), "{told:#?}");
        assert!(told.iter().any(|t| t.starts_with("routes[1].name: found \"a\" a second time")), "{told:#?}");
        assert!(told.iter().any(|t| t.starts_with("routes[1].steps: found none")), "{told:#?}");
    }

    #[test]
    fn a_person_whom_the_channel_cannot_reach_is_told() {
        let text = "persons = [{id = 'li', name = 'Li'}]\n[[channels.mail]]\nname = 'mail'\nhost = 'h'\nfrom = 'a@b'\n\
            [[routes]]\nname = 'a'\nsteps = [{channels = ['mail'], to = ['person:li']}, {channels = ['app']}]";
        let told = told(text);
        assert!(told[0].contains("li without") && told[0].contains("e-mail"), "{told:#?}");
        assert!(told[1].starts_with("routes[0].steps[1].to: found nobody"), "{told:#?}");
        assert_eq!(told.len(), 2, "{told:#?}");
    }

    #[test]
    fn an_address_with_a_log_in_is_refused_without_repeating_what_follows_it() {
        let text = "[[channels.webhook]]\nname = 'w'\nurl = 'ftp://x/?key=s3cret'\nsecret = 'env:X'";
        let told = told(text);
        assert!(told.len() == 1 && !told[0].contains("s3cret"), "{told:#?}");
        assert!(
            toml::from_str::<Telling>("[[channels.webhook]]\nname='w'\nurl='http://h'\nsecret='s3cret'").is_err_and(
                |error| error.message().contains("expected \"file:PATH\"") && !error.message().contains("s3cret")
            )
        );
    }
}
