//! A sensor as a good one is: it sends numbered readings at QoS 1 and sends again what was not acknowledged, whatever
//! happens to the other side. MQTT 3.1.1, bytes by hand, so that nothing is acknowledged that was not.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Readings on their way at a time.
const WINDOW: u32 = 40;

/// One connection to a broker.
pub struct Link {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Link {
    /// Connects; none when the broker is not there or does not want us.
    pub fn open(port: u16, id: &str) -> Option<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(10))).ok()?;
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, id.len() as u8];
        body.extend(id.as_bytes());
        stream.write_all(&[0x10, body.len() as u8]).ok()?;
        stream.write_all(&body).ok()?;
        let mut link = Self { stream, read: Vec::new() };
        let began = Instant::now();
        while link.read.len() < 4 {
            if began.elapsed() > Duration::from_secs(10) || !link.fill() {
                return None;
            }
        }
        let answer: Vec<u8> = link.read.drain(..4).collect();
        (answer == [0x20, 2, 0, 0]).then_some(link)
    }

    /// Publishes at QoS 1; false when the connection is gone.
    pub fn publish(&mut self, topic: &str, packet_id: u16, payload: &str) -> bool {
        self.publish_bytes(topic, Some(packet_id), payload.as_bytes())
    }

    /// Publishes any bytes, at QoS 1 with a packet id, else at QoS 0; false when the connection is gone.
    pub fn publish_bytes(&mut self, topic: &str, packet_id: Option<u16>, payload: &[u8]) -> bool {
        let mut packet = vec![if packet_id.is_some() { 0x32 } else { 0x30 }];
        let mut rest = 2 + topic.len() + packet_id.map_or(0, |_| 2) + payload.len();
        // The length in groups of seven bits, the lowest first (MQTT 3.1.1, 2.2.3).
        while rest >= 128 {
            packet.push((rest % 128) as u8 | 0x80);
            rest /= 128;
        }
        packet.push(rest as u8);
        packet.extend((topic.len() as u16).to_be_bytes());
        packet.extend(topic.as_bytes());
        packet.extend(packet_id.iter().flat_map(|id| id.to_be_bytes()));
        packet.extend(payload);
        self.stream.write_all(&packet).is_ok()
    }

    /// The packet ids acknowledged within ten milliseconds; none when the connection is gone.
    pub fn acknowledged(&mut self) -> Option<Vec<u16>> {
        let alive = self.fill();
        let mut ids = Vec::new();
        while self.read.len() >= 4 {
            let packet: Vec<u8> = self.read.drain(..4).collect();
            assert_eq!(packet[..2], [0x40, 2], "only PUBACKs are asked for");
            ids.push(u16::from_be_bytes([packet[2], packet[3]]));
        }
        (alive || !ids.is_empty()).then_some(ids)
    }

    fn fill(&mut self) -> bool {
        let mut bytes = [0; 4_096];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(count) => {
                self.read.extend(&bytes[..count]);
                true
            }
            Err(error) => matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
        }
    }
}

/// What a sensor sends, and how fast.
#[derive(Clone)]
pub struct Habits {
    /// New readings a second at most.
    pub per_s: u32,
    /// The payload of a number.
    pub payload: Arc<dyn Fn(u32) -> Vec<u8> + Send + Sync>,
}

impl Default for Habits {
    /// The number as text, as fast as it is acknowledged.
    fn default() -> Self {
        Self { per_s: 1_000_000, payload: Arc::new(|number| number.to_string().into_bytes()) }
    }
}

/// A sensor that sends until it is told to stop.
pub struct Sensor {
    acknowledged: Arc<Mutex<BTreeSet<u32>>>,
    stop: Arc<AtomicBool>,
    task: Option<JoinHandle<u32>>,
}

impl Sensor {
    /// Begins to send 0, 1, 2 ... on the topic.
    pub fn start(port: u16, topic: &str) -> Self {
        Self::with(port, topic, Habits::default())
    }

    /// The same in its own way.
    pub fn with(port: u16, topic: &str, habits: Habits) -> Self {
        let (acknowledged, stop) = (Arc::<Mutex<BTreeSet<u32>>>::default(), Arc::<AtomicBool>::default());
        let (acks, ends, topic) = (Arc::clone(&acknowledged), Arc::clone(&stop), topic.to_owned());
        let task = Some(std::thread::spawn(move || send(port, &topic, &habits, &acks, &ends)));
        Self { acknowledged, stop, task }
    }

    /// How many readings were acknowledged.
    pub fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Which.
    pub fn acknowledged(&self) -> BTreeSet<u32> {
        self.acknowledged.lock().unwrap().clone()
    }

    /// Waits until so many more were acknowledged.
    pub fn progress(&self, more: usize) {
        let (began, wanted) = (Instant::now(), self.count() + more);
        while self.count() < wanted {
            assert!(began.elapsed() < Duration::from_secs(60), "{} of {wanted} acknowledged", self.count());
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Ends when all that was sent is acknowledged; answers how many readings that were, and which.
    pub fn finish(mut self) -> (u32, BTreeSet<u32>) {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.task.take().unwrap().join().unwrap();
        (sent, std::mem::take(&mut *self.acknowledged.lock().unwrap()))
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn send(port: u16, topic: &str, habits: &Habits, acknowledged: &Mutex<BTreeSet<u32>>, stop: &AtomicBool) -> u32 {
    let (mut next, mut open) = (0u32, BTreeSet::new());
    let mut pace = Pace::new(habits.per_s);
    let mut stopped_at = None;
    loop {
        let Some(mut link) = Link::open(port, &format!("numbered-{topic}")) else {
            if give_up(&mut stopped_at, stop) {
                return next;
            }
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        // What an earlier connection left unanswered goes first, in order. Packet ids are the numbers, from 1.
        let id = |number: u32| (number % 60_000) as u16 + 1;
        let publish =
            |link: &mut Link, number: u32| link.publish_bytes(topic, Some(id(number)), &(habits.payload)(number));
        let mut alive = open.iter().all(|number: &u32| publish(&mut link, *number));
        while alive {
            if stop.load(Ordering::Relaxed) {
                if open.is_empty() || give_up(&mut stopped_at, stop) {
                    return next;
                }
            } else {
                while alive && open.len() < WINDOW as usize && pace.allows() {
                    open.insert(next);
                    alive = publish(&mut link, next);
                    next += 1;
                }
            }
            let Some(ids) = link.acknowledged() else { break };
            let mut acknowledged = acknowledged.lock().unwrap();
            for packet_id in ids {
                // The window is far smaller than the range of ids.
                if let Some(number) = open.iter().copied().find(|number| id(*number) == packet_id) {
                    open.remove(&number);
                    acknowledged.insert(number);
                }
            }
        }
    }
}

/// So many a second; what could not be sent in time is not made up for.
struct Pace {
    per_s: u32,
    due: Instant,
}

impl Pace {
    fn new(per_s: u32) -> Self {
        Self { per_s, due: Instant::now() }
    }

    fn allows(&mut self) -> bool {
        let now = Instant::now();
        if now < self.due {
            return false;
        }
        // A little may follow at once: between two looks the sensor waits for answers.
        self.due = self.due.max(now - Duration::from_millis(100)) + Duration::from_secs(1) / self.per_s;
        true
    }
}

/// A test that failed must end; one that succeeds has its hub back long before.
fn give_up(stopped_at: &mut Option<Instant>, stop: &AtomicBool) -> bool {
    stop.load(Ordering::Relaxed) && stopped_at.get_or_insert_with(Instant::now).elapsed() > Duration::from_secs(60)
}
