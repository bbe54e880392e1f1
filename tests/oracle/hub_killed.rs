//! The hub is killed (-9) at moments of chance: while it starts, while it works, while it commits.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::books::{Books, Outcome};
use super::numbered::{Account, devices, embed, folder, topic};
use super::rounds;
use super::witness::Witness;
use crate::dice::Dice;
use crate::hub::{Folder, free_port};
use crate::mosquitto::Mosquitto;
use crate::sensor::{Habits, Sensor};

const DEVICES: usize = 3;

fn habits(per_s: u32) -> Habits {
    Habits { per_s, ..Habits::default() }
}

/// Kills it once: while it starts, a moment after it has acknowledged something, or at any time. `acknowledged` counts
/// what the hub has.
fn kill(folder: &Folder, dice: &mut Dice, acknowledged: impl Fn() -> usize) {
    let when = dice.below(4);
    if when == 0 {
        folder.run_and_kill(Duration::from_millis(dice.below(400)));
        return;
    }
    let hub = folder.run();
    let progress = |more: usize| {
        let (began, wanted) = (Instant::now(), acknowledged() + more);
        while acknowledged() < wanted {
            assert!(began.elapsed() < Duration::from_secs(60), "{} of {wanted} acknowledged", acknowledged());
            std::thread::sleep(Duration::from_micros(200));
        }
    };
    progress(30);
    if when == 1 {
        dice.sleep_ms(500);
    } else {
        progress(1);
        std::thread::sleep(Duration::from_micros(dice.below(2_000)));
    }
    hub.kill();
}

#[test]
fn with_its_own_broker() {
    let mut outcome = Outcome::begin("hub killed, its own broker");
    let (devices, port) = (devices(DEVICES), free_port());
    let folder = folder(&devices);
    embed(&folder, port);
    let mut dice = Dice::new("hub killed, its own broker");
    let sensors: Vec<Sensor> = devices.iter().map(|(id, _)| Sensor::with(port, &topic(id), habits(300))).collect();
    let rounds = rounds(8);
    for round in 0..rounds {
        kill(&folder, &mut dice, || sensors.iter().map(Sensor::count).sum());
        // At this moment, with nobody there to mend anything.
        let acknowledged: Vec<BTreeSet<u32>> = sensors.iter().map(Sensor::acknowledged).collect();
        let books = Books::read(&folder);
        for ((id, _), acknowledged) in devices.iter().zip(&acknowledged) {
            let lost = books.missing(id, acknowledged);
            assert!(lost.is_empty(), "kill {round}: {id}: acknowledged and not kept: {lost:?}");
        }
    }
    let hub = folder.run();
    sensors.iter().for_each(|sensor| sensor.progress(1));
    let accounts: Vec<_> =
        devices.iter().zip(sensors).map(|((id, _), sensor)| (Account::close(id, sensor), BTreeSet::new())).collect();
    assert_eq!(hub.stop().0, Some(0));
    outcome.disasters = format!("{rounds} kills");
    outcome.judge(&folder, &accounts);
}

#[test]
fn with_a_persistent_mosquitto() {
    let mut outcome = Outcome::begin("hub killed, mosquitto");
    let devices = devices(DEVICES);
    let folder = folder(&devices);
    let broker = Mosquitto::start(folder.path(), "persistence true\nautosave_interval 1\n");
    let witness = Witness::start(broker.port);
    let url = format!("mqtt://127.0.0.1:{}", witness.port);
    folder.add_config(&format!("[[mqtt.brokers]]\nname = \"town\"\nurl = \"{url}\"\n"));
    let token = folder.token("viewer");
    let hub = folder.run();
    // From here on the broker keeps the hub's session.
    hub.wait_for(&token, "/api/v1/hub", |hub| hub["details"]["brokers"][0]["connected"] == true);
    hub.kill();
    let mut dice = Dice::new("hub killed, mosquitto");
    let sensors: Vec<Sensor> =
        devices.iter().map(|(id, _)| Sensor::with(broker.port, &topic(id), habits(80))).collect();
    let rounds = rounds(8);
    for round in 0..rounds {
        kill(&folder, &mut dice, || witness.answers() as usize);
        // What the hub has told the broker it has, it has.
        let books = Books::read(&folder);
        for (id, _) in &devices {
            let lost = books.missing(id, &witness.seen(&topic(id)).answered);
            assert!(lost.is_empty(), "kill {round}: {id}: acknowledged to the broker and not kept: {lost:?}");
        }
        // The broker goes on taking.
        sensors.iter().for_each(|sensor| sensor.progress(10));
    }
    let hub = folder.run();
    let accounts: Vec<_> =
        devices.iter().zip(sensors).map(|((id, _), sensor)| (Account::close(id, sensor), BTreeSet::new())).collect();
    for (account, _) in &accounts {
        let last = account.sent.last().copied().map(f64::from);
        let path = format!("/api/v1/sources/{}", account.device);
        hub.wait_for(&token, &path, |source| source["readings"][0]["value"].as_f64() == last);
    }
    assert_eq!(hub.stop().0, Some(0));
    outcome.disasters = format!("{rounds} kills");
    outcome.judge(&folder, &accounts);
}
