//! Lanes: a device, a broker of its own, a witness on the hub's link to it. The hub waits longer before each next try
//! of a link that breaks often (up to a minute), so that many lanes suffer side by side.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::books::{Books, Outcome};
use super::numbered::{Account, folder, topic};
use super::witness::Witness;
use crate::dice::Dice;
use crate::hub::Folder;
use crate::mosquitto::Mosquitto;
use crate::sensor::{Habits, Sensor};

/// One of them.
pub struct Lane {
    pub broker: Mosquitto,
    pub witness: Witness,
    pub sensor: Sensor,
    pub dice: Dice,
}

impl Lane {
    /// Waits until so many more messages have come to the hub.
    pub fn carries(&self, more: u64) {
        let (began, wanted) = (Instant::now(), self.witness.messages() + more);
        while self.witness.messages() < wanted {
            assert!(began.elapsed() < BACK, "the hub's link never came back");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn device(lane: usize) -> String {
    format!("lane-{lane}")
}

/// Persistent from each change on, as far as mosquitto can: it writes its file a moment after it has acknowledged.
const PERSISTENT: &str = "persistence true\nautosave_on_changes true\nautosave_interval 1\n";

/// How long a link may take to come back: its longest wait is a minute.
const BACK: Duration = Duration::from_secs(150);

/// Lets each lane suffer `rounds` times in its own thread, then judges all. The hub's links have this keep-alive.
pub fn suffer(
    mut outcome: Outcome,
    (lanes, rounds): (usize, usize),
    keep_alive_s: u32,
    strike: impl Fn(&mut Lane) + Sync,
) {
    let devices: Vec<_> = (0..lanes).map(|lane| (device(lane), format!("broker=b{lane}"))).collect();
    let folder: Folder = folder(&devices);
    let dice = Dice::new("lanes");
    let (mut all, mut brokers) = (Vec::new(), Vec::new());
    for lane in 0..lanes {
        let place = folder.path().join(format!("b{lane}"));
        std::fs::create_dir(&place).unwrap();
        let broker = Mosquitto::start(&place, PERSISTENT);
        let witness = Witness::start(broker.port);
        folder.add_config(&format!(
            "[[mqtt.brokers]]\nname = \"b{lane}\"\nurl = \"mqtt://127.0.0.1:{}\"\nkeep_alive_s = {keep_alive_s}\n",
            witness.port
        ));
        brokers.push((broker, witness));
    }
    let token = folder.token("viewer");
    let hub = folder.run();
    let all_connected = |hub: &serde_json::Value| {
        let links = hub["details"]["brokers"].as_array().cloned().unwrap_or_default();
        links.len() == lanes && links.iter().all(|link| link["connected"] == true)
    };
    hub.wait_for(&token, "/api/v1/hub", all_connected);
    for (lane, (broker, witness)) in brokers.into_iter().enumerate() {
        let habits = Habits { per_s: 40, ..Habits::default() };
        let sensor = Sensor::with(broker.port, &topic(&device(lane)), habits);
        all.push(Lane { broker, witness, sensor, dice: dice.branch(lane as u64) });
    }
    std::thread::scope(|scope| {
        for lane in &mut all {
            let strike = &strike;
            scope.spawn(move || {
                for _ in 0..rounds {
                    lane.carries(20);
                    strike(lane);
                }
                lane.carries(20);
            });
        }
    });
    let (mut accounts, mut carried, mut cuts) = (Vec::new(), 0, (0, 0));
    for (lane, Lane { broker, witness, sensor, .. }) in all.into_iter().enumerate() {
        let account = Account::close(&device(lane), sensor);
        let last = account.sent.last().copied().map(f64::from);
        let path = format!("/api/v1/sources/{}", account.device);
        hub.wait_long_for(BACK, &token, &path, |source| source["readings"][0]["value"].as_f64() == last);
        let seen = witness.seen(&topic(&account.device));
        // A broker that is killed forgets what it acknowledged a moment ago. Known from outside, and no fault of the hub
        // while the hub has not acknowledged it in its turn: it may not even have come.
        let excused: BTreeSet<u32> = account.acknowledged.difference(&seen.answered).copied().collect();
        carried += witness.messages() as usize;
        cuts = (cuts.0 + witness.cuts().0, cuts.1 + witness.cuts().1);
        accounts.push((account, excused));
        drop(broker);
    }
    let disconnects = hub.metric("gridward_mqtt_disconnects_total");
    assert!(disconnects >= (lanes * rounds) as f64, "{disconnects} broken links for {lanes} x {rounds}");
    assert_eq!(hub.stop().0, Some(0));
    let books = Books::read(&folder);
    let rows: usize = accounts.iter().map(|(account, _)| books.rows(&account.device)).sum();
    assert!(rows <= carried, "{rows} rows of {carried} messages");
    let gone = |(account, excused): &(Account, BTreeSet<u32>)| books.missing(&account.device, excused).len();
    let forgotten: usize = accounts.iter().map(gone).sum();
    assert!(forgotten <= 2 * lanes * rounds, "the brokers forgot {forgotten}");
    if cuts.0 > 0 {
        outcome.notes.push(format!("{} of {} cuts in mid-packet", cuts.1, cuts.0));
    }
    outcome.notes.push(format!("{carried} deliveries by mosquitto, {forgotten} forgotten by it"));
    outcome.judge(&folder, &accounts);
}
