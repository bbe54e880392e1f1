//! The planner by the minute: chains, acknowledgements, budgets, restarts at any row.

use model::alarm::Title;
use model::{
    Actor, AlarmTransition, Evidence, GridId, Hazard, IncidentChange, IncidentTransition, Kind as SourceKind, Level,
    Origin, Owner, Source, UserId,
};
use proptest::prelude::*;

use super::*;

const FILE: &str = "
persons = [
  {id = 'li', name = 'Li', user = 'li', email = 'li@town', per_hour_max = 2},
  {id = 'wang', name = 'Wang', user = 'wang'},
  {id = 'lead', name = 'Lead', user = 'lead', email = 'lead@town'},
]
[[channels.mail]]
name = 'mail'
host = 'localhost'
from = 'hub@town'
[[channels.mqtt]]
name = 'siren'
url = 'mqtt://h'
topic = 'siren/1'
[[shifts]]
role = 'desk'
persons = ['li']
[[shifts]]
role = 'patrol'
persons = ['wang']
when = [{hours = ['08:00-20:00']}]
[[routes]]
name = 'all'
over = true
steps = [
  {channels = ['app'], to = ['role:desk']},
  {after = '5m', channels = ['app'], to = ['role:patrol']},
  {after = '15m', unless = 'dispatched', channels = ['mail'], to = ['person:lead']},
]
[[routes]]
name = 'siren'
level = 'red'
hazards = ['flood']
over = true
steps = [{channels = ['siren']}]
";

/// Noon in the town.
fn noon() -> Timestamp {
    "2026-11-24T12:00:00+08:00".parse().unwrap()
}

fn after(minutes: i64) -> Timestamp {
    noon() + SignedDuration::from_mins(minutes)
}

fn town() -> Town {
    Town::new(&[], [&Source::new("gauge", SourceKind::Sensor, Owner::Governance, "g1")])
}

/// A log that is written by hand, and the planner that follows it.
struct World {
    planner: Planner,
    log: Vec<LogEntry>,
    decided: Vec<Decided>,
    told: Vec<Notice>,
    held: Vec<Notice>,
    telling: Arc<Telling>,
}

impl World {
    fn new() -> Self {
        let telling: Telling = toml::from_str(FILE).unwrap();
        assert_eq!(telling.problems(), []);
        let telling = Arc::new(telling);
        let planner = Planner::new(Arc::clone(&telling), BTreeMap::new());
        Self { planner, log: Vec::new(), decided: Vec::new(), told: Vec::new(), held: Vec::new(), telling }
    }

    fn row(&mut self, at: Timestamp, body: LogBody) {
        let seq = self.log.len() as i64 + 1;
        let entry = LogEntry { seq, at, actor: Actor::Hub, body, hash: String::new() };
        self.planner.observe(&entry, &town());
        self.log.push(entry);
    }

    fn incident(&mut self, id: &str, at: Timestamp, actor: Actor, change: IncidentChange) {
        let seq = 1 + self
            .log
            .iter()
            .filter(|e| matches!(&e.body, LogBody::Incident(t) if t.incident.as_str() == id))
            .count();
        let transition = IncidentTransition { incident: id.into(), seq: seq as u32, at, actor, change, reason: None };
        self.row(at, LogBody::Incident(transition));
    }

    fn by(&mut self, who: &str, id: &str, at: Timestamp, change: IncidentChange) {
        self.incident(id, at, Actor::User(UserId::new(who)), change);
    }

    fn open(&mut self, id: &str, at: Timestamp, level: Level) {
        let alarm = AlarmTransition {
            alarm: format!("alarm-{id}").as_str().into(),
            rule: "river".into(),
            source: "gauge".into(),
            seq: 1,
            at,
            change: AlarmChange::Raised {
                level,
                hazard: Hazard::Flood,
                title: title(),
                action: title(),
                grid: "g1".into(),
                place: None,
                shelved_until: None,
                suppressed_by: None,
                shadow: false,
                owner: None,
                evidence: Evidence {
                    rule_version: String::new(),
                    condition: String::new(),
                    value: None,
                    values: BTreeMap::new(),
                    since: None,
                },
            },
        };
        self.row(at, LogBody::Alarm(alarm));
        let reported = IncidentChange::Reported {
            title: title(),
            hazard: Hazard::Flood,
            level,
            grid: GridId::new("g1"),
            place: None,
            source: Some("gauge".into()),
            action: None,
            origin: Origin::Alarm(format!("alarm-{id}").as_str().into()),
        };
        self.incident(id, at, Actor::Hub, reported);
    }

    fn alarm(&mut self, id: &str, at: Timestamp, change: AlarmChange) {
        let alarm = format!("alarm-{id}");
        let t = AlarmTransition {
            alarm: alarm.as_str().into(),
            rule: "river".into(),
            source: "gauge".into(),
            seq: 2,
            at,
            change,
        };
        self.row(at, LogBody::Alarm(t));
    }

    /// What is told at a moment, as `key` without the incident's id where there is one incident.
    fn tick(&mut self, at: Timestamp) -> Vec<String> {
        let made = self.planner.tick(at, &town());
        self.decided.extend(made.decided);
        self.held.retain(|notice| !made.summed.contains(&notice.key));
        self.held.extend(made.notices.iter().filter(|n| n.state == State::Held).cloned());
        self.told.extend(made.notices.iter().cloned());
        let said = made.notices.iter().filter(|notice| notice.state != State::Held);
        said.map(|notice| format!("{} {}>{}", notice.step, notice.target.channel, notice.target.recipient)).collect()
    }

    /// The hub stops and starts: only the log and the outbox remain.
    fn restart(&mut self, now: Timestamp) {
        let mut planner = Planner::new(Arc::clone(&self.telling), BTreeMap::new());
        self.log.iter().for_each(|entry| planner.observe(entry, &town()));
        let own = self.told.iter().filter(|n| n.state == State::Waiting && n.incident.is_some());
        let recent = own.filter(|n| now.duration_since(n.at) < crate::budget::WINDOW);
        planner.remember(Remembered {
            decided: self.decided.clone(),
            held: self.held.clone(),
            recent: recent.map(|n| (n.target.recipient.clone(), n.at)).collect(),
        });
        self.planner = planner;
    }
}

fn title() -> Title {
    Title { zh: "水位".into(), en: "Water".into() }
}

#[test]
fn a_chain_goes_on_until_somebody_acknowledges() {
    let mut world = World::new();
    world.open("i", noon(), Level::Yellow);
    assert_eq!(world.tick(noon()), ["all/0@yellow app>li"]);
    assert_eq!(world.planner.next_deadline(noon()), Some(after(5)));
    assert_eq!(world.tick(after(4)), [""; 0]);
    assert_eq!(world.tick(after(5)), ["all/1 app>wang"]);
    world.by("li", "i", after(6), IncidentChange::Acknowledged);
    assert_eq!(world.tick(after(14)), [""; 0]);
    assert_eq!(world.tick(after(15)), ["all/2 mail>lead"], "seen is not sent");
    assert_eq!(world.tick(after(600)), [""; 0]);
    assert_eq!(world.planner.next_deadline(after(600)), None);
}

#[test]
fn an_acknowledgement_in_time_stops_what_waits_for_it() {
    let mut world = World::new();
    world.open("i", noon(), Level::Yellow);
    world.tick(noon());
    world.by("li", "i", after(4), IncidentChange::Acknowledged);
    assert_eq!(world.tick(after(5)), [""; 0]);
    world.by("li", "i", after(6), IncidentChange::Dispatched { from: model::Step::File, responder: "wang".into() });
    assert_eq!(world.tick(after(15)), [""; 0]);
    world.by("wang", "i", after(20), IncidentChange::Returned { from: model::Step::Dispatch });
    assert_eq!(world.tick(after(20)), ["all/2 mail>lead"], "nobody is on the way any more");
}

#[test]
fn what_grows_worse_is_told_again_and_the_end_goes_to_those_who_were_told() {
    let mut world = World::new();
    world.open("i", noon(), Level::Yellow);
    world.tick(noon());
    world.incident("i", after(1), Actor::Hub, IncidentChange::LevelChanged { from: Level::Yellow, to: Level::Red });
    assert_eq!(world.tick(after(1)), ["all/0@red app>li", "siren/0@red siren>*"]);
    assert_eq!(world.told.last().map(|n| n.content.kind), Some(Kind::Opened), "new to the siren");
    assert_eq!(world.told[1].content.kind, Kind::Risen);
    world.incident("i", after(2), Actor::Hub, IncidentChange::LevelChanged { from: Level::Red, to: Level::Blue });
    world.incident("i", after(3), Actor::Hub, IncidentChange::LevelChanged { from: Level::Blue, to: Level::Red });
    assert_eq!(world.tick(after(3)), [""; 0], "red was told");
    world.by("li", "i", after(4), IncidentChange::Cancelled);
    assert_eq!(world.tick(after(4)), ["all/over app>li", "siren/over siren>*"]);
    assert_eq!(world.tick(after(60)), [""; 0]);
}

#[test]
fn nothing_is_told_of_what_is_put_aside_until_it_is_taken_back() {
    let mut world = World::new();
    world.open("i", noon(), Level::Yellow);
    world.tick(noon());
    let shelved = AlarmChange::Shelved { by: "li".into(), until: after(30), reason: "works".into(), automatic: false };
    world.alarm("i", after(1), shelved);
    assert_eq!(world.tick(after(5)), [""; 0]);
    assert_eq!(world.planner.next_deadline(after(5)), Some(after(30)));
    world.alarm("i", after(10), AlarmChange::Unshelved { by: Some("li".into()) });
    assert_eq!(world.tick(after(10)), ["all/1 app>wang"]);
}

#[test]
fn a_role_without_anybody_on_duty_is_said_and_not_passed_over() {
    let mut world = World::new();
    let night: Timestamp = "2026-11-24T22:00:00+08:00".parse().unwrap();
    world.open("i", night, Level::Yellow);
    world.tick(night);
    assert_eq!(world.tick(night + SignedDuration::from_mins(5)), ["all/1 app>role:patrol"]);
    assert_eq!(world.told.last().unwrap().state, State::Dead("nobody_on_duty"));
}

#[test]
fn beyond_a_budget_messages_become_one_and_orange_comes_through() {
    let mut world = World::new();
    for number in 0..30 {
        world.open(&format!("i{number}"), noon(), Level::Yellow);
    }
    let said = world.tick(noon());
    assert_eq!(said.len(), 2, "Li's budget is two an hour: {said:?}");
    world.open("grave", after(1), Level::Orange);
    assert_eq!(world.tick(after(1)), ["all/0@orange app>li"]);
    (0..30).for_each(|n| world.by("li", &format!("i{n}"), after(2), IncidentChange::Acknowledged));
    world.restart(after(3));
    let said = world.tick(after(10));
    let summary = said.iter().find(|said| said.starts_with("summary@")).unwrap();
    assert!(summary.ends_with(" app>li"), "{said:?}");
    let summary = world.told.iter().find(|n| n.content.kind == Kind::Summary).unwrap();
    assert_eq!((summary.content.count, summary.content.items.len()), (28, 20), "none is dropped unseen");
    assert!(world.held.is_empty());
    assert_eq!(world.tick(after(10)), [""; 0]);
    world.open("later", after(62), Level::Blue);
    let said = world.tick(after(62));
    assert!(said.contains(&"all/0@blue app>li".to_owned()), "an hour later there is room: {said:?}");
}

#[test]
fn a_route_says_nothing_of_what_began_before_it_was_there() {
    let mut world = World::new();
    world.open("old", noon(), Level::Red);
    let mut planner =
        Planner::new(Arc::clone(&world.telling), BTreeMap::from([("all".into(), 2), ("siren".into(), 2)]));
    world.log.iter().for_each(|entry| planner.observe(entry, &town()));
    assert!(planner.tick(after(60), &town()).is_empty());
    assert_eq!(planner.next_deadline(after(60)), None);
}

#[test]
fn what_a_made_up_incident_would_tell_is_what_a_real_one_tells() {
    let world = World::new();
    let wish = Wish { level: Level::Red, hazard: Hazard::Flood, grid: "g1".into(), rule: None, owner: None };
    let would = Planner::would_tell(&world.telling, &wish, noon(), &town());
    let told: Vec<_> = would.iter().map(|w| (w.route.as_str(), w.step, w.after_s, w.told.len())).collect();
    assert_eq!(told, [("all", 0, 0, 1), ("all", 1, 300, 1), ("all", 2, 900, 1), ("siren", 0, 0, 1)]);
    let late = Planner::would_tell(&world.telling, &wish, after(7 * 60 + 56), &town());
    assert_eq!(late[1].nobody[0].recipient, "role:patrol", "at 20:01 the patrol has gone home");
}

#[derive(Debug, Clone)]
enum Act {
    Open(u8, Level),
    Rise(u8, Level),
    Acknowledge(u8),
    Dispatch(u8),
    Cancel(u8),
    Shelve(u8),
    Unshelve(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let level = prop::sample::select(Level::ALL.to_vec());
    prop_oneof![
        (0u8..4, level.clone()).prop_map(|(n, l)| Act::Open(n, l)),
        (0u8..4, level).prop_map(|(n, l)| Act::Rise(n, l)),
        (0u8..4).prop_map(Act::Acknowledge),
        (0u8..4).prop_map(Act::Dispatch),
        (0u8..4).prop_map(Act::Cancel),
        (0u8..4).prop_map(Act::Shelve),
        (0u8..4).prop_map(Act::Unshelve),
    ]
}

fn play(acts: &[(u8, Act)], kills: &[bool]) -> Vec<(String, State)> {
    let mut world = World::new();
    let mut now = noon();
    let mut opened = BTreeSet::new();
    for (number, (minutes, act)) in acts.iter().enumerate() {
        now += SignedDuration::from_mins(i64::from(*minutes));
        world.tick(now);
        let id = |n: &u8| format!("i{n}");
        match act {
            Act::Open(n, level) => {
                if opened.insert(*n) {
                    world.open(&id(n), now, *level);
                }
            }
            Act::Rise(n, to) => {
                world.incident(&id(n), now, Actor::Hub, IncidentChange::LevelChanged { from: Level::Blue, to: *to })
            }
            Act::Acknowledge(n) => world.by("li", &id(n), now, IncidentChange::Acknowledged),
            Act::Dispatch(n) => world.by(
                "li",
                &id(n),
                now,
                IncidentChange::Dispatched { from: model::Step::File, responder: "wang".into() },
            ),
            Act::Cancel(n) => world.by("li", &id(n), now, IncidentChange::Cancelled),
            Act::Shelve(n) => world.alarm(
                &id(n),
                now,
                AlarmChange::Shelved {
                    by: "li".into(),
                    until: now + SignedDuration::from_mins(20),
                    automatic: false,
                    reason: "w".into(),
                },
            ),
            Act::Unshelve(n) => world.alarm(&id(n), now, AlarmChange::Unshelved { by: None }),
        }
        // A stop before the row was looked at, or after.
        if kills[2 * number % kills.len()] {
            world.restart(now);
        }
        world.tick(now);
        if kills[(2 * number + 1) % kills.len()] {
            world.restart(now);
        }
    }
    world.tick(now + SignedDuration::from_hours(2));
    world.told.iter().map(|notice| (notice.key.clone(), notice.state.clone())).collect()
}

proptest! {
    /// Stops at any row change nothing of what is told, and no key is planned twice.
    #[test]
    fn stops_change_nothing(
        acts in prop::collection::vec((0u8..12, act()), 1..25),
        kills in prop::collection::vec(any::<bool>(), 1..20),
    ) {
        let without = play(&acts, &[false]);
        let with = play(&acts, &kills);
        prop_assert_eq!(&without, &with);
        let keys: BTreeSet<&String> = with.iter().map(|(key, _)| key).collect();
        prop_assert_eq!(keys.len(), with.len(), "a key twice");
    }
}
