//! What one concentrator has to send, has sent, and has had acknowledged. Pure: time is an argument, bytes go into a
//! buffer that [`super::link`] writes.
//!
//! Each sensor counts its messages, and its count is what it reports: whoever listens can tell what is missing, twice
//! or out of order. A count is used up only by a message that goes out.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use bytes::BytesMut;
use rumqttc::QoS;
use rumqttc::mqttbytes::v4::Publish;

/// Messages of QoS 1 that may wait for their acknowledgement; half a minute of a town's burst.
const UNACKNOWLEDGED_MAX: usize = 16_384;
/// Bytes that may wait for the socket; a message that finds more is not sent.
const WAITING_BYTES_MAX: usize = 4 << 20;

/// A sensor of a concentrator.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where it publishes.
    pub topic: String,
    /// QoS 1 instead of 0.
    pub acknowledged: bool,
    /// Milliseconds between its readings.
    pub every_ms: u64,
}

/// What a sensor has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The count of the last message that went out.
    pub sent: u64,
    /// Messages that the broker has acknowledged, all up to this count (QoS 1).
    pub acknowledged: u64,
}

/// What a concentrator has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages of QoS 0 that went out.
    pub qos0: u64,
    /// Messages of QoS 1 that went out, each once.
    pub qos1: u64,
    /// Messages of QoS 1 that the broker has acknowledged.
    pub acknowledged: u64,
    /// Messages of QoS 1 that went out again on a new connection.
    pub repeated: u64,
    /// Readings that were due and found no connection, or too much waiting.
    pub not_sent: u64,
    /// Readings of the burst under way that are still to come.
    pub burst_left: u64,
}

#[derive(Debug)]
struct Sensor {
    /// Kept ready, so that a message costs no allocation but its digits.
    publish: Publish,
    every_ms: u64,
    tally: Tally,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    packet_id: u16,
    sensor: u32,
    count: u64,
}

#[derive(Debug)]
struct Burst {
    began_ms: u64,
    lasts_ms: u64,
    total: u64,
    issued: u64,
    /// Whose turn it is.
    turn: usize,
}

/// The book of one concentrator.
#[derive(Debug)]
pub struct Book {
    sensors: Vec<Sensor>,
    due: BinaryHeap<Reverse<(u64, u32)>>,
    burst: Option<Burst>,
    /// Nothing is due, as if all sensors slept.
    silent: bool,
    unacknowledged: VecDeque<Waiting>,
    packet_id: u16,
    totals: Totals,
    /// To be written to the socket.
    pub out: BytesMut,
}

impl Book {
    /// Sensors whose first readings are spread over their intervals after `now_ms`.
    pub fn new(plans: Vec<Plan>, now_ms: u64) -> Book {
        let count = plans.len().max(1) as u64;
        let first = |(number, plan): (usize, &Plan)| {
            // Neighbours are far from each other.
            let share = (number as u64 * 7_919) % count;
            Reverse((now_ms + plan.every_ms * share / count, number as u32))
        };
        let due = plans.iter().enumerate().map(first).collect();
        let sensor = |plan: Plan| Sensor {
            publish: Publish::new(
                plan.topic,
                if plan.acknowledged { QoS::AtLeastOnce } else { QoS::AtMostOnce },
                Vec::new(),
            ),
            every_ms: plan.every_ms.max(1),
            tally: Tally::default(),
        };
        Book {
            sensors: plans.into_iter().map(sensor).collect(),
            due,
            burst: None,
            silent: false,
            unacknowledged: VecDeque::new(),
            packet_id: 0,
            totals: Totals::default(),
            out: BytesMut::new(),
        }
    }

    /// Adds `total` readings, spread evenly over `lasts_ms` and over the sensors.
    pub fn burst(&mut self, total: u64, lasts_ms: u64, now_ms: u64) {
        self.burst = Some(Burst { began_ms: now_ms, lasts_ms: lasts_ms.max(1), total, issued: 0, turn: 0 });
    }

    /// Lets all sensors sleep (a burst under way ends), or wakes them.
    pub fn set_silent(&mut self, silent: bool) {
        self.silent = silent;
        if silent {
            self.burst = None;
        }
    }

    /// Puts what is due into [`Book::out`]; without a connection it is only counted.
    pub fn send_due(&mut self, now_ms: u64, connected: bool) {
        while let Some(&Reverse((at_ms, number))) = self.due.peek()
            && at_ms <= now_ms
        {
            self.due.pop();
            let every_ms = self.sensors[number as usize].every_ms;
            // Whole intervals that this machine slept through are not made up for, but told.
            let missed = (now_ms - at_ms) / every_ms;
            self.due.push(Reverse((at_ms + (missed + 1) * every_ms, number)));
            if !self.silent {
                self.totals.not_sent += missed;
                self.send(number, connected);
            }
        }
        while let Some(number) = self.next_of_burst(now_ms) {
            self.send(number, connected);
        }
    }

    fn next_of_burst(&mut self, now_ms: u64) -> Option<u32> {
        let burst = self.burst.as_mut()?;
        let elapsed_ms = now_ms.saturating_sub(burst.began_ms).min(burst.lasts_ms);
        let wanted = u128::from(burst.total) * u128::from(elapsed_ms) / u128::from(burst.lasts_ms);
        if u128::from(burst.issued) >= wanted || self.sensors.is_empty() {
            if burst.issued == burst.total {
                self.burst = None;
            }
            return None;
        }
        burst.issued += 1;
        burst.turn = (burst.turn + 1) % self.sensors.len();
        Some(burst.turn as u32)
    }

    fn send(&mut self, number: u32, connected: bool) {
        let sensor = &mut self.sensors[number as usize];
        let acknowledged = sensor.publish.qos == QoS::AtLeastOnce;
        let full =
            self.out.len() > WAITING_BYTES_MAX || (acknowledged && self.unacknowledged.len() >= UNACKNOWLEDGED_MAX);
        if !connected || full {
            self.totals.not_sent += 1;
            return;
        }
        sensor.tally.sent += 1;
        let count = sensor.tally.sent;
        if acknowledged {
            self.totals.qos1 += 1;
            // 16,384 wait at most, so that the number that comes round is free.
            self.packet_id = if self.packet_id == u16::MAX { 1 } else { self.packet_id + 1 };
            let waiting = Waiting { packet_id: self.packet_id, sensor: number, count };
            self.unacknowledged.push_back(waiting);
            self.write(waiting, false);
        } else {
            self.totals.qos0 += 1;
            self.write(Waiting { packet_id: 0, sensor: number, count }, false);
        }
    }

    fn write(&mut self, message: Waiting, again: bool) {
        let publish = &mut self.sensors[message.sensor as usize].publish;
        publish.pkid = message.packet_id;
        publish.dup = again;
        publish.payload = message.count.to_string().into();
        publish.write(&mut self.out).expect("a topic of some letters and a number fit into a packet");
    }

    /// The broker has acknowledged a message.
    pub fn acknowledge(&mut self, packet_id: u16) {
        // In order (MQTT 3.1.1 section 4.6), so almost always the first.
        let Some(at) = self.unacknowledged.iter().position(|waiting| waiting.packet_id == packet_id) else { return };
        let Some(waiting) = self.unacknowledged.remove(at) else { return };
        self.totals.acknowledged += 1;
        let tally = &mut self.sensors[waiting.sensor as usize].tally;
        tally.acknowledged = tally.acknowledged.max(waiting.count);
    }

    /// A new connection: what was not acknowledged goes out again, in its order, before anything else.
    pub fn reconnected(&mut self) {
        self.out.clear();
        for waiting in self.unacknowledged.clone() {
            self.totals.repeated += 1;
            self.write(waiting, true);
        }
    }

    /// When the next reading is due.
    pub fn next_due_ms(&self) -> Option<u64> {
        let burst = self.burst.as_ref().map(|burst| {
            let after_ms = (burst.issued + 1) as u128 * u128::from(burst.lasts_ms) / u128::from(burst.total.max(1));
            burst.began_ms + after_ms.min(u128::from(burst.lasts_ms)) as u64
        });
        let usual = self.due.peek().map(|Reverse((at_ms, _))| *at_ms);
        burst.into_iter().chain(usual).min()
    }

    /// Messages that wait for their acknowledgement.
    pub fn unacknowledged(&self) -> usize {
        self.unacknowledged.len()
    }

    /// What was sent.
    pub fn totals(&self) -> Totals {
        let burst_left = self.burst.as_ref().map_or(0, |burst| burst.total - burst.issued);
        Totals { burst_left, ..self.totals }
    }

    /// What each sensor has sent, in the order of the plans.
    pub fn tallies(&self) -> impl Iterator<Item = Tally> {
        self.sensors.iter().map(|sensor| sensor.tally)
    }
}

#[cfg(test)]
mod tests {
    use rumqttc::mqttbytes::v4::Packet;

    use super::*;

    fn book(sensors: usize, every_ms: u64) -> Book {
        let plan = |number| Plan { topic: format!("t/{number}"), acknowledged: number % 2 == 1, every_ms };
        Book::new((0..sensors).map(plan).collect(), 1_000)
    }

    /// Takes what is to be written: topic, count, packet id, again.
    fn taken(book: &mut Book) -> Vec<(String, u64, u16, bool)> {
        let mut out = std::mem::take(&mut book.out);
        let mut found = Vec::new();
        while !out.is_empty() {
            let Packet::Publish(publish) = Packet::read(&mut out, 1 << 16).unwrap() else { panic!("no publish") };
            let count = std::str::from_utf8(&publish.payload).unwrap().parse().unwrap();
            found.push((publish.topic, count, publish.pkid, publish.dup));
        }
        found
    }

    #[test]
    fn readings_keep_their_interval_and_count_themselves() {
        let mut book = book(10, 2_000);
        for now_ms in (1_000..21_000).step_by(50) {
            book.send_due(now_ms, true);
        }
        let sent = taken(&mut book);
        assert_eq!(sent.len(), 100, "ten sensors, every two seconds for twenty");
        let of_one: Vec<u64> = sent.iter().filter(|(topic, ..)| topic == "t/3").map(|(_, count, ..)| *count).collect();
        assert_eq!(of_one, (1..=10).collect::<Vec<_>>());
        let totals = book.totals();
        assert_eq!((totals.qos0, totals.qos1, totals.acknowledged, totals.not_sent), (50, 50, 0, 0));
        for (_, _, packet_id, _) in sent.iter().filter(|(_, _, id, _)| *id > 0) {
            book.acknowledge(*packet_id);
            book.acknowledge(*packet_id);
        }
        assert_eq!((book.totals().acknowledged, book.unacknowledged()), (50, 0), "each counts once");
        assert_eq!(book.tallies().nth(3), Some(Tally { sent: 10, acknowledged: 10 }));
    }

    #[test]
    fn a_burst_is_exact_and_spread_over_time_and_sensors() {
        let mut book = book(7, 3_600_000);
        let first_due = 3_600_000 / 7;
        book.send_due(10_000, true);
        book.burst(700, 2_000, 10_000);
        let before = book.totals();
        book.send_due(11_000, true);
        let half = book.totals();
        assert_eq!(half.qos0 + half.qos1 - before.qos0 - before.qos1, 350);
        assert_eq!(half.burst_left, 350);
        book.send_due(20_000, true);
        let after = book.totals();
        assert_eq!((after.qos0 + after.qos1 - before.qos0 - before.qos1, after.burst_left), (700, 0));
        assert!(
            book.tallies().all(|tally| (100..=101).contains(&tally.sent)),
            "{:?}",
            book.tallies().collect::<Vec<_>>()
        );
        assert!(book.next_due_ms().unwrap() >= first_due, "the burst is over");
    }

    #[test]
    fn what_was_not_acknowledged_goes_out_again_in_order_before_anything_new() {
        let mut book = book(4, 100);
        book.send_due(1_200, true);
        let ids: Vec<u16> = taken(&mut book).iter().map(|m| m.2).filter(|id| *id > 0).collect();
        book.acknowledge(ids[0]);
        book.send_due(1_300, true);
        book.reconnected();
        let again = taken(&mut book);
        assert!(again.iter().all(|m| m.3 && m.2 > ids[0]), "{again:?}");
        assert!(again.windows(2).all(|pair| pair[0].2 < pair[1].2), "{again:?}");
        assert_eq!(again.len(), book.unacknowledged());
        assert_eq!(book.totals().repeated, again.len() as u64);
    }

    #[test]
    fn sleeping_sensors_send_nothing_and_miss_nothing() {
        let mut book = book(2, 1_000);
        book.burst(100, 1_000, 1_000);
        book.set_silent(true);
        book.send_due(5_000, true);
        assert_eq!(taken(&mut book), []);
        assert_eq!(book.totals(), Totals::default());
        book.set_silent(false);
        book.send_due(6_000, true);
        assert_eq!(taken(&mut book).len(), 2);
    }

    #[test]
    fn without_a_connection_no_count_is_used_up() {
        let mut book = book(1, 1_000);
        book.send_due(4_500, false);
        assert_eq!((book.totals().not_sent, book.tallies().next().unwrap().sent), (4, 0));
        book.send_due(5_000, true);
        assert_eq!(taken(&mut book), [("t/0".to_owned(), 1, 0, false)]);
    }
}
