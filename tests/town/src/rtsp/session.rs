//! One viewer of one stream: sequence numbers, sender reports, and what happens when it is slow.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;

use super::behaviour::Behaviour;
use super::camera::Stream;
use super::clip::{AccessUnit, PREFIX_BYTES, Stamp, stamp};
use super::out::Out;

/// Time between sender reports.
const REPORT_INTERVAL_US: u64 = 5_000_000;
/// Seconds from 1900 (NTP) to 1970 (Unix).
const NTP_OFFSET_S: u64 = 2_208_988_800;
/// A UDP session whose client says nothing for this long beyond the announced timeout is ended.
const GRACE_US: u64 = 15_000_000;
/// How far [`Behaviour::SeqJumpBack`] steps back.
const SEQ_JUMP: u16 = 5_000;

/// How media reaches the viewer.
#[derive(Debug)]
pub enum Transport {
    /// Inside the RTSP connection; RTCP goes on the next channel.
    Interleaved {
        /// Channel of RTP.
        channel: u8,
    },
    /// Datagrams from the farm's pair of ports.
    Udp {
        /// The farm's RTP socket.
        rtp: Arc<UdpSocket>,
        /// The farm's RTCP socket.
        rtcp: Arc<UdpSocket>,
        /// The client's RTP port.
        to: SocketAddr,
        /// The client's RTCP port.
        to_rtcp: SocketAddr,
    },
}

/// What became of one picture for one viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Handed to the socket or its bounded buffer; bytes.
    Sent(usize),
    /// Left out because the viewer is slow.
    Dropped,
    /// Not playing, or told not to send.
    Held,
}

/// A session from SETUP to TEARDOWN.
#[derive(Debug)]
pub struct Session {
    id: String,
    out: Arc<Out>,
    transport: Transport,
    ssrc: u32,
    queue_bytes: usize,
    timeout_us: u64,
    last_heard_us: AtomicU64,
    play: Mutex<Play>,
}

#[derive(Debug)]
struct Play {
    /// The first frame to send; `None` before PLAY and after PAUSE.
    from: Option<u64>,
    /// After a drop nothing is sent until the next key frame.
    wait_for_key: bool,
    seq: u16,
    packets: u32,
    octets: u32,
    next_report_us: u64,
    keys: u32,
    trickle: Vec<u8>,
    trickled_us: u64,
}

impl Session {
    /// A session that does not play yet.
    pub fn new(
        id: String,
        out: Arc<Out>,
        transport: Transport,
        queue_bytes: usize,
        timeout_s: u32,
        now_us: u64,
    ) -> Session {
        Session {
            id,
            out,
            transport,
            ssrc: rand::random(),
            queue_bytes,
            timeout_us: u64::from(timeout_s) * 1_000_000,
            last_heard_us: AtomicU64::new(now_us),
            play: Mutex::new(Play {
                from: None,
                wait_for_key: false,
                seq: rand::random(),
                packets: 0,
                octets: 0,
                next_report_us: 0,
                keys: 0,
                trickle: Vec::new(),
                trickled_us: 0,
            }),
        }
    }

    /// Session id of the RTSP header.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The announced SSRC.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The RTSP connection it belongs to.
    pub fn out(&self) -> &Out {
        &self.out
    }

    /// Begins to play with frame `from`; returns the sequence number of its first packet.
    pub fn play(&self, from: u64) -> u16 {
        let mut play = self.play.lock().expect("no holder panics");
        play.from = Some(from);
        play.next_report_us = 0;
        play.seq
    }

    /// Stops sending.
    pub fn pause(&self) {
        self.play.lock().expect("no holder panics").from = None;
    }

    /// The client gave a sign of life.
    pub fn heard(&self, now_us: u64) {
        self.last_heard_us.store(now_us, Ordering::Relaxed);
    }

    /// Whether the connection ended or a UDP client fell silent; ends the connection in the second case.
    pub fn is_over(&self, now_us: u64) -> bool {
        let silent_us = now_us.saturating_sub(self.last_heard_us.load(Ordering::Relaxed));
        if matches!(self.transport, Transport::Udp { .. }) && silent_us > self.timeout_us + GRACE_US {
            self.out.close();
        }
        self.out.is_closed()
    }

    /// Sends one picture, or decides not to. Never waits.
    pub fn deliver(
        &self,
        stream: &Stream,
        unit: &AccessUnit,
        number: u64,
        now_us: u64,
        behaviour: &Behaviour,
        scratch: &mut Vec<u8>,
    ) -> Outcome {
        let mut play = self.play.lock().expect("no holder panics");
        let silent = matches!(behaviour, Behaviour::SilentStall | Behaviour::HalfOpen);
        if silent || play.from.is_none_or(|from| number < from) {
            return Outcome::Held;
        }
        if *behaviour == Behaviour::NoKeyFrames && unit.is_key {
            return Outcome::Held;
        }
        if unit.is_key {
            play.keys += 1;
            play.wait_for_key = false;
            if *behaviour == Behaviour::SeqJumpBack && play.keys == 3 {
                play.seq = play.seq.wrapping_sub(SEQ_JUMP);
            }
        }
        let interleaved = matches!(self.transport, Transport::Interleaved { .. });
        if interleaved && (play.wait_for_key || self.out.backlog() > self.queue_bytes) {
            play.wait_for_key = true;
            return Outcome::Dropped;
        }
        if now_us >= play.next_report_us && *behaviour != Behaviour::NoSenderReports {
            play.next_report_us = now_us + REPORT_INTERVAL_US;
            let ahead_s = if let Behaviour::ClockOffset { seconds } = behaviour { *seconds } else { 0 };
            self.send_report(stream, &play, now_us, ahead_s);
        }
        self.copy_stamped(stream, unit, number, behaviour, &play, scratch);
        match behaviour {
            Behaviour::RstMidFrame if unit.is_key && play.keys >= 2 => {
                self.out.send(&scratch[..scratch.len() / 2]);
                self.out.reset();
                return Outcome::Sent(scratch.len() / 2);
            }
            Behaviour::OneBytePerSecond => return self.trickle(&mut play, scratch, now_us),
            _ => {}
        }
        play.seq = play.seq.wrapping_add(unit.packets.len() as u16);
        play.packets = play.packets.wrapping_add(unit.packets.len() as u32);
        play.octets = play.octets.wrapping_add(unit.payload_bytes() as u32);
        drop(play);
        match &self.transport {
            Transport::Interleaved { .. } => {
                self.out.send(scratch);
            }
            Transport::Udp { rtp, to, .. } => send_datagrams(rtp, *to, scratch, &unit.packets),
        }
        Outcome::Sent(scratch.len())
    }

    fn copy_stamped(
        &self,
        stream: &Stream,
        unit: &AccessUnit,
        number: u64,
        behaviour: &Behaviour,
        play: &Play,
        scratch: &mut Vec<u8>,
    ) {
        let channel = match self.transport {
            Transport::Interleaved { channel } => channel,
            Transport::Udp { .. } => 0,
        };
        let ssrc = if *behaviour == Behaviour::WrongSsrc { !self.ssrc } else { self.ssrc };
        let drop_marker = *behaviour == Behaviour::LostMarker;
        scratch.clear();
        scratch.extend_from_slice(&unit.wire);
        let own = Stamp { channel, timestamp: stream.timestamp(number), ssrc, drop_marker };
        stamp(scratch, &unit.packets, play.seq, own);
    }

    fn trickle(&self, play: &mut Play, scratch: &[u8], now_us: u64) -> Outcome {
        if play.trickle.is_empty() {
            play.trickle = scratch.iter().rev().copied().collect();
        }
        if now_us < play.trickled_us + 1_000_000 {
            return Outcome::Held;
        }
        play.trickled_us = now_us;
        let byte = play.trickle.pop();
        self.out.send(byte.as_slice());
        Outcome::Sent(1)
    }

    /// RTCP sender report with an SDES CNAME (RFC 3550 6.4.1, 6.5).
    fn send_report(&self, stream: &Stream, play: &Play, now_us: u64, ahead_s: i32) {
        let mut packet = vec![0x80, 200, 0, 6];
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
        let seconds = ((now_us / 1_000_000 + NTP_OFFSET_S) as u32).wrapping_add_signed(ahead_s);
        let fraction = (((now_us % 1_000_000) << 32) / 1_000_000) as u32;
        for word in [seconds, fraction, stream.timestamp_at(now_us), play.packets, play.octets] {
            packet.extend_from_slice(&word.to_be_bytes());
        }
        // One chunk: SSRC, CNAME "town", end and padding to a word.
        packet.extend_from_slice(&[0x81, 202, 0, 3]);
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
        packet.extend_from_slice(&[1, 4, b't', b'o', b'w', b'n', 0, 0]);
        match &self.transport {
            Transport::Interleaved { channel } => {
                let mut framed = vec![b'$', channel + 1, 0, packet.len() as u8];
                framed.append(&mut packet);
                self.out.send(&framed);
            }
            // A datagram that is lost here could be lost on the way as well.
            Transport::Udp { rtcp, to_rtcp, .. } => drop(rtcp.try_send_to(&packet, *to_rtcp)),
        }
    }
}

fn send_datagrams(socket: &UdpSocket, to: SocketAddr, wire: &[u8], packets: &[u32]) {
    for (index, &start) in packets.iter().enumerate() {
        let end = packets.get(index + 1).map_or(wire.len(), |&next| next as usize);
        let start = start as usize + PREFIX_BYTES - 12;
        // UDP promises nothing: a full socket buffer is packet loss, as in a real network.
        let _ = socket.try_send_to(&wire[start..end], to);
    }
}
