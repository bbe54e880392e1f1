//! A relay between two MQTT 3.1.1 sides that writes down what passes, and cuts or stalls the line when told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Way {
    /// From the side that connected.
    Up,
    /// To it.
    Down,
}

/// What passed of one topic, whole packets only.
#[derive(Default, Clone)]
pub struct Seen {
    /// The numbers whose PUBACK was carried back.
    pub answered: BTreeSet<u32>,
}

#[derive(Default)]
struct State {
    /// Set: the line is cut when so many more bytes have gone that way.
    cut: Mutex<Option<(Way, usize)>>,
    stalled_until: Mutex<Option<Instant>>,
    seen: Mutex<BTreeMap<String, Seen>>,
    messages: AtomicU64,
    answers: AtomicU64,
    cuts: AtomicU64,
    mid_packet: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
    stop: AtomicBool,
}

/// The running relay.
pub struct Witness {
    /// Where it listens, on loopback.
    pub port: u16,
    state: Arc<State>,
    task: Option<JoinHandle<()>>,
}

impl Witness {
    /// Relays to a port on loopback, whether somebody listens there or not.
    pub fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let task = std::thread::spawn({
            let state = Arc::clone(&state);
            move || {
                for near in listener.incoming() {
                    if state.stop.load(Ordering::Relaxed) {
                        return;
                    }
                    // Nobody there: the caller sees its connection end.
                    if let (Ok(near), Ok(far)) = (near, TcpStream::connect(("127.0.0.1", to))) {
                        relay(&state, near, far);
                    }
                }
            }
        });
        Self { port, state, task: Some(task) }
    }

    /// Cuts the line when so many more bytes have gone this way; the first of them go through.
    pub fn cut_after(&self, way: Way, bytes: usize) {
        *self.state.cut.lock().unwrap() = Some((way, bytes));
    }

    /// Whether the last cut has been made.
    pub fn has_cut(&self) -> bool {
        self.state.cut.lock().unwrap().is_none()
    }

    /// Carries nothing either way for a time.
    pub fn stall(&self, time: Duration) {
        *self.state.stalled_until.lock().unwrap() = Some(Instant::now() + time);
    }

    /// What passed of a topic so far.
    pub fn seen(&self, topic: &str) -> Seen {
        self.state.seen.lock().unwrap().get(topic).cloned().unwrap_or_default()
    }

    /// PUBLISH packets so far, repeated ones too.
    pub fn messages(&self) -> u64 {
        self.state.messages.load(Ordering::Relaxed)
    }

    /// PUBACK packets so far.
    pub fn answers(&self) -> u64 {
        self.state.answers.load(Ordering::Relaxed)
    }

    /// Cuts so far, and how many of them fell into the middle of a packet.
    pub fn cuts(&self) -> (u64, u64) {
        (self.state.cuts.load(Ordering::Relaxed), self.state.mid_packet.load(Ordering::Relaxed))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        for stream in self.state.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let _ = self.task.take().map(JoinHandle::join);
    }
}

/// Carries one connection, on two threads that end with it.
fn relay(state: &Arc<State>, near: TcpStream, far: TcpStream) {
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let copy = |stream: &TcpStream| stream.try_clone().unwrap();
    let mut open = state.open.lock().unwrap();
    open.retain(|stream| stream.peer_addr().is_ok());
    open.extend([copy(&near), copy(&far)]);
    drop(open);
    let waiting = Arc::<Waiting>::default();
    for (way, from, to) in [(Way::Up, copy(&near), copy(&far)), (Way::Down, far, near)] {
        let line = Line { state: Arc::clone(state), way, waiting: Arc::clone(&waiting), rest: Vec::new() };
        std::thread::spawn(move || line.carry(from, to));
    }
}

/// Topic and number of messages that wait for their PUBACK, by the way they went and their packet id.
type Waiting = Mutex<HashMap<(Way, u16), (String, u32)>>;

/// One way of one connection.
struct Line {
    state: Arc<State>,
    way: Way,
    waiting: Arc<Waiting>,
    /// Of a packet that has not passed whole.
    rest: Vec<u8>,
}

impl Line {
    fn carry(mut self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 4_096];
        while let Ok(count) = from.read(&mut buffer) {
            if count == 0 {
                break;
            }
            while self.state.stalled_until.lock().unwrap().is_some_and(|until| Instant::now() < until) {
                std::thread::sleep(Duration::from_millis(5));
            }
            let cut_at = self.cut_within(count);
            let bytes = &buffer[..cut_at.unwrap_or(count)];
            // Before they arrive: what the other side does with them comes after.
            self.note(bytes);
            if to.write_all(bytes).is_err() {
                break;
            }
            if cut_at.is_some() {
                self.state.cuts.fetch_add(1, Ordering::Relaxed);
                self.state.mid_packet.fetch_add(u64::from(!self.rest.is_empty()), Ordering::Relaxed);
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }

    /// Where in the next `count` bytes the line is to be cut.
    fn cut_within(&self, count: usize) -> Option<usize> {
        let mut cut = self.state.cut.lock().unwrap();
        let (way, left) = cut.as_mut()?;
        if *way != self.way {
            return None;
        }
        if *left < count {
            return cut.take().map(|(_, left)| left);
        }
        *left -= count;
        None
    }

    fn note(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        while let Some((head, length)) = frame(&self.rest) {
            let packet: Vec<u8> = self.rest.drain(..head + length).collect();
            let body = &packet[head..];
            match packet[0] >> 4 {
                3 => self.publish(packet[0], body),
                4 => self.puback(u16::from_be_bytes([body[0], body[1]])),
                _ => {}
            }
        }
    }

    fn publish(&self, flags: u8, body: &[u8]) {
        self.state.messages.fetch_add(1, Ordering::Relaxed);
        let (length, rest) = body.split_at(2);
        let (topic, rest) = rest.split_at(usize::from(u16::from_be_bytes([length[0], length[1]])));
        if flags & 0x06 == 0 {
            return;
        }
        let (id, payload) = rest.split_at(2);
        let topic = String::from_utf8_lossy(topic).into_owned();
        let Some(number) = std::str::from_utf8(payload).ok().and_then(|text| text.parse().ok()) else { return };
        self.waiting.lock().unwrap().insert((self.way, u16::from_be_bytes([id[0], id[1]])), (topic, number));
    }

    fn puback(&self, id: u16) {
        self.state.answers.fetch_add(1, Ordering::Relaxed);
        let came = if self.way == Way::Up { Way::Down } else { Way::Up };
        let Some((topic, number)) = self.waiting.lock().unwrap().remove(&(came, id)) else { return };
        self.state.seen.lock().unwrap().entry(topic).or_default().answered.insert(number);
    }
}

/// The lengths of head and body of the first packet, if it is there whole.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (mut length, mut head) = (0, 1);
    for shift in [0, 7, 14, 21] {
        let byte = *bytes.get(head)?;
        head += 1;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return (bytes.len() >= head + length).then_some((head, length));
        }
    }
    panic!("a packet length of five bytes: {:?}", &bytes[..5]);
}
