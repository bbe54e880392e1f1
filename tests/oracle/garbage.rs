//! One payload of a hundred is garbage, some are too large: each is counted, and nothing else is lost for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::books::{Books, Outcome};
use super::numbered::{Account, devices, embed, folder, topic};
use super::{is_long, rounds};
use crate::dice::Dice;
use crate::hub::{Folder, Hub, free_port};
use crate::mosquitto::Mosquitto;
use crate::sensor::{Habits, Link, Sensor};

/// More than a payload may have (256 KiB).
const OVERSIZE: usize = 300_000;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A reading with this number.
    Good(u32),
    Garbage,
    Oversize,
}

/// What a device sends, drawn beforehand.
fn script(dice: &mut Dice, count: usize, with_oversize: bool) -> Vec<Kind> {
    let mut next = 0;
    let mut draw = |_| match dice.below(1_000) {
        0..10 => Kind::Garbage,
        10..12 if with_oversize => Kind::Oversize,
        _ => {
            next += 1;
            Kind::Good(next - 1)
        }
    };
    (0..count).map(&mut draw).collect()
}

fn payload(kind: Kind, number: u32) -> Vec<u8> {
    const GARBAGE: [&[u8]; 8] =
        [b"", b"\xff\xfe\x00\x80", b"NaN", b"{\"level\": 3}", b"3,52", b"1e999", b"\0\0\0\0", b"12 34"];
    match kind {
        Kind::Good(number) => number.to_string().into_bytes(),
        Kind::Garbage => GARBAGE[number as usize % GARBAGE.len()].to_vec(),
        Kind::Oversize => vec![b'7'; OVERSIZE],
    }
}

/// Sends the scripts to a broker; answers with the devices' accounts, and how much garbage and how many oversize
/// payloads were sent.
fn send(port: u16, dice: &Dice, with_oversize: bool) -> (Vec<(Account, BTreeSet<u32>)>, usize, usize) {
    // A device's share: a hundred disasters are a hundred times garbage, at 1 %.
    let count = 100 * rounds(12);
    let begun: Vec<_> = devices(4)
        .into_iter()
        .enumerate()
        .map(|(number, (id, _))| {
            // More than is waited for: the last ones are on their way by then.
            let script = Arc::new(script(&mut dice.branch(number as u64), count + 2_000, with_oversize));
            let drawn = Arc::clone(&script);
            let habits = Habits { per_s: 2_000, payload: Arc::new(move |n| payload(drawn[n as usize], n)) };
            (id.clone(), script, Sensor::with(port, &topic(&id), habits))
        })
        .collect();
    let (mut accounts, mut garbage, mut oversize) = (Vec::new(), 0, 0);
    for (id, script, sensor) in begun {
        sensor.progress(count.saturating_sub(sensor.count()));
        let (sent, acknowledged) = sensor.finish();
        let good = |n: u32| if let Kind::Good(number) = script[n as usize] { Some(number) } else { None };
        let of = |kind| (0..sent).filter(|n| script[*n as usize] == kind).count();
        (garbage, oversize) = (garbage + of(Kind::Garbage), oversize + of(Kind::Oversize));
        assert_eq!(acknowledged.len(), sent as usize, "{id}: what cannot be read is acknowledged too");
        let account = Account {
            device: id,
            sent: (0..sent).filter_map(good).collect(),
            acknowledged: acknowledged.into_iter().filter_map(good).collect(),
        };
        accounts.push((account, BTreeSet::new()));
    }
    (accounts, garbage, oversize)
}

/// Waits until all of it has been counted, stops the hub, and judges.
fn judge(folder: &Folder, hub: Hub, accounts: Vec<(Account, BTreeSet<u32>)>, bad: usize, mut outcome: Outcome) {
    let good: usize = accounts.iter().map(|(account, _)| account.sent.len()).sum();
    let began = Instant::now();
    let counted = || (hub.metric("gridward_observations_total"), hub.metric("gridward_dead_letters_total"));
    while counted() != (good as f64, bad as f64) {
        assert!(began.elapsed() < Duration::from_secs(30), "{:?} counted of {good} good, {bad} bad", counted());
        std::thread::sleep(Duration::from_millis(100));
    }
    for name in
        ["gridward_dead_letters_dropped_total", "gridward_dead_letters_lost_total", "gridward_mqtt_dropped_total"]
    {
        assert_eq!(hub.metric(name), 0.0, "{name}");
    }
    assert_eq!(hub.stop().0, Some(0));
    assert_eq!(Books::read(folder).letters as usize, bad, "on file");
    outcome.notes.push(format!("{} sent = {good} kept + {bad} dead letters", good + bad));
    outcome.judge(folder, &accounts);
}

#[test]
fn and_oversize_payloads_over_mosquitto() {
    let mut outcome = Outcome::begin("garbage, mosquitto");
    let folder = folder(&devices(4));
    let broker = Mosquitto::start(folder.path(), "");
    folder.add_config(&format!("[[mqtt.brokers]]\nname = \"town\"\nurl = \"mqtt://127.0.0.1:{}\"\n", broker.port));
    let token = folder.token("viewer");
    let hub = folder.run();
    hub.wait_for(&token, "/api/v1/hub", |hub| hub["details"]["brokers"][0]["connected"] == true);
    let dice = Dice::new("garbage, mosquitto");
    let (accounts, garbage, oversize) = send(broker.port, &dice, true);
    assert!(garbage > 0 && (oversize > 0 || !is_long()));
    outcome.disasters = format!("{garbage} garbage, {oversize} oversize");
    judge(&folder, hub, accounts, garbage + oversize, outcome);
}

#[test]
fn over_the_hubs_own_broker_beside_a_client_whose_packets_are_too_large() {
    let mut outcome = Outcome::begin("garbage, its own broker");
    let (devices, port) = (devices(4), free_port());
    let folder = folder(&devices);
    embed(&folder, port);
    let hub = folder.run();
    let dice = Dice::new("garbage, its own broker");
    let (mut accounts, mut garbage) = (Vec::new(), 0);
    let large = rounds(5);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..large {
                // It is closed, each time: a packet beyond the broker's limit is never read.
                let mut link = Link::open(port, "too-large").expect("others' packets close no door");
                let _ = link.publish_bytes(&topic("device-0"), Some(1), &vec![b'7'; OVERSIZE]);
                let began = Instant::now();
                while let Some(ids) = link.acknowledged() {
                    assert!(ids.is_empty() && began.elapsed() < Duration::from_secs(20), "{number}: {ids:?}");
                }
            }
        });
        (accounts, garbage, _) = send(port, &dice, false);
    });
    assert_eq!(hub.metric("gridward_broker_closed_total{reason=\"malformed\"}"), large as f64);
    outcome.disasters = format!("{garbage} garbage, {large} oversize");
    outcome.notes.push(format!("{large} clients closed and counted"));
    judge(&folder, hub, accounts, garbage, outcome);
}
