//! Who is on duty, and whom a step means.

use jiff::Timestamp;
use model::UserId;

use crate::telling::{Person, Telling, To};

/// Whom a step means now.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Meant<'t> {
    /// Each person once, in the order of the step.
    pub persons: Vec<&'t Person>,
    /// What the step names and nobody stands behind now, as `role:desk`.
    pub nobody: Vec<String>,
}

impl Telling {
    /// The persons on duty in a role at a moment, each once.
    pub fn on_duty(&self, role: &str, at: Timestamp) -> Vec<&Person> {
        let zone = self.zone();
        let mut found: Vec<&Person> = Vec::new();
        for shift in self.shifts.iter().filter(|shift| shift.role == role) {
            if shift.when.is_empty() || shift.when.iter().any(|hours| hours.is_open(at, &zone)) {
                let persons = shift.persons.iter().filter_map(|id| self.person(id));
                for person in persons {
                    if !found.iter().any(|known| known.id == person.id) {
                        found.push(person);
                    }
                }
            }
        }
        found
    }

    /// All roles of the shifts, in the order of the file.
    pub fn roles(&self) -> Vec<&str> {
        let mut roles: Vec<&str> = Vec::new();
        for shift in &self.shifts {
            if !roles.contains(&shift.role.as_str()) {
                roles.push(&shift.role);
            }
        }
        roles
    }

    /// The persons behind a recipient of a message: one, or whoever is on duty now in a role that nobody was on duty in.
    pub fn recipients(&self, recipient: &str, now: Timestamp) -> Vec<&Person> {
        match To::try_from(recipient.to_owned()) {
            Ok(to) => self.meant(&[to], None, now).persons,
            Err(_) => self.person(recipient).into_iter().collect(),
        }
    }

    pub(crate) fn meant(&self, to: &[To], responder: Option<&UserId>, now: Timestamp) -> Meant<'_> {
        let mut meant = Meant::default();
        for target in to {
            let found = match target {
                To::Role(role) => self.on_duty(role, now),
                To::Person(id) => self.person(id).into_iter().collect(),
                To::Responder => {
                    self.persons.iter().filter(|p| p.user.is_some() && p.user.as_ref() == responder).collect()
                }
            };
            if found.is_empty() {
                meant.nobody.push(String::from(target.clone()));
            }
            for person in found {
                if !meant.persons.iter().any(|known| known.id == person.id) {
                    meant.persons.push(person);
                }
            }
        }
        meant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_shifts_share_a_day_and_a_person_counts_once() {
        let telling: Telling = toml::from_str(
            "persons = [{id = 'li', name = 'Li'}, {id = 'wang', name = 'Wang', user = 'w'}]\n\
             [[shifts]]\nrole = 'desk'\npersons = ['li']\nwhen = [{hours = ['08:00-20:00']}]\n\
             [[shifts]]\nrole = 'desk'\npersons = ['wang', 'li']\nwhen = [{hours = ['19:00-08:00']}]",
        )
        .unwrap();
        let ids = |at: &str| -> Vec<&str> {
            telling.on_duty("desk", at.parse().unwrap()).iter().map(|person| person.id.as_str()).collect()
        };
        assert_eq!(ids("2026-11-24T12:00:00+08:00"), ["li"]);
        assert_eq!(ids("2026-11-24T19:30:00+08:00"), ["li", "wang"], "the hour of handing over");
        assert_eq!(ids("2026-11-25T03:00:00+08:00"), ["wang", "li"]);
        let to = [To::Role("patrol".into()), To::Responder];
        let meant = telling.meant(&to, Some(&"w".into()), "2026-11-24T12:00:00+08:00".parse().unwrap());
        assert_eq!(meant.persons[0].id, "wang");
        assert_eq!(meant.nobody, ["role:patrol"]);
    }
}
