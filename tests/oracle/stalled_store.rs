//! The store takes no writes for half a minute: another program holds the write locks of its files.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::books::{Books, Outcome};
use super::is_long;
use super::numbered::{Account, FLOOD, devices, embed, folder, topic};
use crate::hub::{Folder, free_port};
use crate::mosquitto::Mosquitto;
use crate::sensor::{Habits, Link, Sensor};

const HOLDER: &str = r#"
import glob, sqlite3, sys
data = sys.argv[1] + '/data/'
held = [sqlite3.connect(file, timeout=30, isolation_level=None)
        for file in [max(glob.glob(data + 'history/*.db')), data + 'gridward.db']]
for file in held:
    file.execute('BEGIN IMMEDIATE')
print('held', flush=True)
sys.stdin.read()
"#;

/// Holds the write locks of the history and of the event log while it lives.
struct Lock {
    child: Child,
}

impl Lock {
    fn take(folder: &Folder) -> Self {
        let mut holder = Command::new("python3");
        holder.args(["-c", HOLDER]).arg(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = holder.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said.trim(), "held");
        Self { child }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Publishes numbers at QoS 0 until told to end, padded so that queues fill; how many it sent.
fn flood(port: u16, stop: &AtomicBool) -> u32 {
    let mut link = Link::open(port, FLOOD).unwrap();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            // The last one asks for an answer: all of it is there before the connection ends.
            assert!(link.publish(&topic(FLOOD), 1, &number.to_string()));
            while link.acknowledged().expect("the connection stays").is_empty() {}
            return number + 1;
        }
        assert!(link.publish_bytes(&topic(FLOOD), None, format!("{number:>300}").as_bytes()));
        if number % 100 == 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    unreachable!("numbers do not end")
}

#[test]
fn loses_nothing_acknowledged_and_counts_the_rest() {
    let mut outcome = Outcome::begin("store stalled");
    let port = free_port();
    let mut all = devices(3);
    all.push(("device-3".to_owned(), "broker=town".to_owned()));
    all.push((FLOOD.to_owned(), String::new()));
    let folder = folder(&all);
    embed(&folder, port);
    let broker = Mosquitto::start(folder.path(), "");
    folder.add_config(&format!(
        "[mqtt.embedded_broker]\nqueue_bytes = 2000000\n[[mqtt.brokers]]\nname = \"town\"\nurl = \"mqtt://127.0.0.1:{}\"\n",
        broker.port
    ));
    let token = folder.token("viewer");
    let hub = folder.run();
    hub.wait_for(&token, "/api/v1/hub", |hub| hub["details"]["brokers"][1]["connected"] == true);
    let habits = Habits { per_s: 200, ..Habits::default() };
    let sensors: Vec<Sensor> = (0..4)
        .map(|n| Sensor::with(if n == 3 { broker.port } else { port }, &topic(&all[n].0), habits.clone()))
        .collect();
    sensors.iter().for_each(|sensor| sensor.progress(50));

    let (stalls, stall) = if is_long() { (3, Duration::from_secs(30)) } else { (1, Duration::from_secs(3)) };
    let dropped = || (hub.metric("gridward_mqtt_dropped_total") + hub.metric("gridward_broker_dropped_total")) as usize;
    let (ends, mut sent_0) = (AtomicBool::new(false), 0);
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| flood(port, &ends));
        for _ in 0..stalls {
            let lock = Lock::take(&folder);
            let (began, held) = (Instant::now(), sensors.iter().take(3).map(Sensor::count).sum::<usize>());
            std::thread::sleep(stall);
            while dropped() == 0 {
                assert!(began.elapsed() < stall + Duration::from_secs(30), "the flood is none");
                std::thread::sleep(Duration::from_millis(50));
            }
            let told = sensors.iter().take(3).map(Sensor::count).sum::<usize>();
            // What was committed a moment before the lock may be told after it.
            assert!(told - held <= 3 * 40, "{} acknowledged while nothing could be kept", told - held);
            assert_eq!(hub.get("", "/healthz").0, 200);
            ends.store(true, Ordering::Relaxed);
            drop(lock);
            println!("stalled for {:?}", began.elapsed());
            sensors.iter().for_each(|sensor| sensor.progress(100));
        }
        sent_0 = flood.join().unwrap() as usize;
    });
    let accounts: Vec<_> =
        sensors.into_iter().zip(&all).map(|(sensor, (id, _))| (Account::close(id, sensor), BTreeSet::new())).collect();
    let last = accounts[3].0.sent.last().copied().map(f64::from);
    hub.wait_for(&token, "/api/v1/sources/device-3", |source| source["readings"][0]["value"].as_f64() == last);
    // No line was cut, so that nothing came twice, and nothing was counted that is not on disk.
    let others: usize = accounts.iter().map(|(account, _)| account.sent.len()).sum();
    // What the hub says of itself is committed too.
    let own = || Books::read(&folder).count("hub");
    let committed = || hub.metric("gridward_history_committed_total") as usize - others - own();
    let began = Instant::now();
    while committed() + dropped() != sent_0 {
        let now = (committed(), dropped());
        assert!(began.elapsed() < Duration::from_secs(60), "QoS 0: {sent_0} sent, {now:?} kept and dropped");
        std::thread::sleep(Duration::from_millis(100));
    }
    let (kept, dropped) = (Books::read(&folder).kept(FLOOD).len(), dropped());
    assert!(kept + dropped == sent_0 && dropped > 0, "QoS 0: {sent_0} sent, {kept} kept, {dropped} dropped");
    outcome.notes.push(format!("QoS 0: {sent_0} sent = {kept} kept + {dropped} dropped and counted"));
    assert_eq!(hub.metric("gridward_storage_ok"), 1.0);
    let retries = hub.metric("gridward_history_retries_total");
    assert_eq!(hub.stop().0, Some(0));
    outcome.disasters = format!("{stalls} of {} s", stall.as_secs());
    outcome.notes.push(format!("{retries} commits tried again"));
    outcome.judge(&folder, &accounts);
}
