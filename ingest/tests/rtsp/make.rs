//! A camera of some make: an RTSP server whose answers are written out, with real pictures behind them.

use std::process::Command;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Mutex;
use tokio::time::interval;

/// The pictures' size.
pub const SIZE: (u32, u32) = (128, 96);
/// The SSRC of the video.
const SSRC: u32 = 0x0BAD_CAFE;

/// Which picture of each second has no mark at its end, where marks are lost: soon, so that a session of it never counts as
/// one that was well.
const UNMARKED: usize = 4;

/// What a camera answers. In all texts `{host}` stands for its address and port, `{fmtp}` for the usual parameters of the
/// video, `{sets}` for its parameter sets, `{channels}` for the interleaved channels asked for.
#[derive(Clone, Copy)]
pub struct Make {
    /// Whose oddity it is.
    pub name: &'static str,
    /// Header lines of the answer to DESCRIBE, but for CSeq and Content-Length.
    pub describe: &'static str,
    pub sdp: &'static str,
    /// Header lines of the answers to SETUP and PLAY.
    pub setup: &'static str,
    pub play: &'static str,
    /// Header lines of a 401 to requests without credentials; none when everybody may look.
    pub challenge: &'static str,
    pub sends: Sends,
}

/// What comes beside good pictures.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sends {
    Well,
    /// Sound on channels 2 and 3, which nobody asked for.
    SoundUnasked,
    /// Sound on the unasked channel even before PLAY is answered.
    SoundEarly,
    /// The video's packets with another SSRC than SETUP tells.
    WrongSsrc,
    /// Packets with header extensions and padding, as some add them.
    Extended,
    /// Each second a picture whose last packet has no mark, and the next begins with an empty packet.
    EmptyPackets,
    /// UDP is agreed to and no packet comes by it; TCP is well.
    NothingByUdp,
    /// One packet in ten is lost on UDP; TCP is well.
    LossByUdp,
}

impl Make {
    /// A camera without oddities.
    pub const PLAIN: Make = Make {
        name: "plain",
        describe: "Content-Type: application/sdp\r\nContent-Base: rtsp://{host}/live/\r\n",
        sdp: "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n\
            a=rtpmap:96 H264/90000\r\na=fmtp:96 {fmtp}\r\na=control:track1\r\n",
        setup: "Transport: RTP/AVP/TCP;unicast;interleaved={channels}\r\nSession: 4711;timeout=60\r\n",
        play: "Session: 4711\r\n",
        challenge: "",
        sends: Sends::Well,
    };
}

/// One coded picture: its NAL units, parameter sets among them.
type Picture = Vec<Vec<u8>>;

fn pictures() -> &'static [Picture] {
    static PICTURES: OnceLock<Vec<Picture>> = OnceLock::new();
    PICTURES.get_or_init(|| {
        let out = Command::new("ffmpeg")
            .args([
                "-v",
                "error",
                "-f",
                "lavfi",
                "-i",
                "testsrc=s=128x96:r=25",
                "-frames:v",
                "25",
                "-pix_fmt",
                "yuv420p",
            ])
            .args(["-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-x264-params"])
            .args(["slices=1:threads=1:keyint=25:aud=1", "-f", "h264", "-"])
            .output()
            .expect("ffmpeg is installed");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let mut pictures: Vec<Picture> = Vec::new();
        for unit in units(&out.stdout) {
            match unit[0] & 0x1F {
                9 => pictures.push(Vec::new()),
                6 => {}
                _ => pictures.last_mut().unwrap().push(unit.to_vec()),
            }
        }
        pictures
    })
}

fn units(stream: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = (0..stream.len() - 2).filter(|i| stream[*i..*i + 3] == [0, 0, 1]).collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let unit = |(start, end): (&usize, usize)| {
        let unit = &stream[start + 3..end];
        unit.strip_suffix(&[0]).unwrap_or(unit)
    };
    starts.iter().zip(ends).map(unit).collect()
}

/// Serves until the test ends; returns the port.
pub async fn serve(make: Make) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(converse(socket, make, port));
        }
    });
    port
}

async fn converse(socket: TcpStream, make: Make, port: u16) {
    let (mut reader, writer) = socket.into_split();
    let writer = Arc::new(Mutex::new(writer));
    let mut bytes = Vec::new();
    let mut video = 0;
    let mut udp: Option<UdpPath> = None;
    let mut sending = None;
    loop {
        while let Some(request) = take_request(&mut bytes) {
            let method = request.split(' ').next().unwrap().to_owned();
            if let Some((_, channels)) = request.split_once("interleaved=") {
                video = channels.split(['-', ';', '\r']).next().unwrap().parse().unwrap();
            }
            let answer = match request.split_once("client_port=") {
                Some((_, ports)) => {
                    let path = udp.insert(UdpPath::open(ports).await);
                    let cseq = request.lines().find_map(|l| l.strip_prefix("CSeq: ")).unwrap();
                    format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n{}Session: 4711;timeout=60\r\n\r\n", path.transport)
                }
                None => answer(&make, &request, &method, port, video),
            };
            if method == "PLAY" && make.sends == Sends::SoundEarly {
                let packet = packet(2, 0, 9, 1, false, &[0x55; 160], false);
                let _ = writer.lock().await.write_all(&packet).await;
            }
            if writer.lock().await.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
            if method == "PLAY" && sending.is_none() {
                sending = Some(match udp.take() {
                    Some(path) => tokio::spawn(path.send(make)),
                    None => tokio::spawn(send(Arc::clone(&writer), make, video)),
                });
            }
        }
        let mut buffer = [0; 4096];
        match reader.read(&mut buffer).await {
            Ok(read @ 1..) => bytes.extend_from_slice(&buffer[..read]),
            _ => break,
        }
    }
    if let Some(sending) = sending {
        sending.abort();
    }
}

/// The next request's head; receiver reports between requests are skipped.
fn take_request(bytes: &mut Vec<u8>) -> Option<String> {
    while bytes.first() == Some(&b'$') {
        let length = 4 + usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
        if bytes.len() < length {
            return None;
        }
        bytes.drain(..length);
    }
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    Some(String::from_utf8(bytes.drain(..end).collect()).unwrap())
}

fn answer(make: &Make, request: &str, method: &str, port: u16, channel: u8) -> String {
    let cseq = request.lines().find_map(|l| l.strip_prefix("CSeq: ")).unwrap();
    if !make.challenge.is_empty() && method != "OPTIONS" && !request.contains("Authorization: ") {
        return format!("RTSP/1.0 401 Unauthorized\r\nCSeq: {cseq}\r\n{}\r\n", make.challenge);
    }
    let sets = &pictures()[0];
    let profile: String = sets[0][1..4].iter().map(|byte| format!("{byte:02X}")).collect();
    let coded = format!("{},{}", BASE64_STANDARD.encode(&sets[0]), BASE64_STANDARD.encode(&sets[1]));
    let fmtp = format!("packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={coded}");
    let fill = |text: &str| {
        text.replace("{host}", &format!("127.0.0.1:{port}"))
            .replace("{fmtp}", &fmtp)
            .replace("{sets}", &coded)
            .replace("{channels}", &format!("{channel}-{}", channel + 1))
    };
    let (headers, body) = match method {
        "DESCRIBE" => (fill(make.describe), fill(make.sdp)),
        "SETUP" => (fill(make.setup), String::new()),
        "PLAY" => (fill(make.play), String::new()),
        "OPTIONS" => ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n".into(), String::new()),
        _ => (String::new(), String::new()),
    };
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n{headers}{length}\r\n{body}")
}

/// Where a viewer asked for packets, from two ports of ours.
struct UdpPath {
    rtp: UdpSocket,
    _rtcp: UdpSocket,
    to: u16,
    transport: String,
}

impl UdpPath {
    async fn open(ports: &str) -> UdpPath {
        let to = ports.split(['-', ';', '\r']).next().unwrap().parse().unwrap();
        loop {
            let rtp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let port = rtp.local_addr().unwrap().port();
            let Some(next) = port.checked_add(1).filter(|_| port.is_multiple_of(2)) else { continue };
            let Ok(rtcp) = UdpSocket::bind(("127.0.0.1", next)).await else { continue };
            let (a, b) = (to, to + 1);
            let transport = format!("Transport: RTP/AVP/UDP;unicast;client_port={a}-{b};server_port={port}-{next}\r\n");
            return UdpPath { rtp, _rtcp: rtcp, to, transport };
        }
    }

    async fn send(self, make: Make) {
        let mut ticks = interval(Duration::from_millis(40));
        let mut seq = 0u16;
        for number in 0u32.. {
            ticks.tick().await;
            let picture = &pictures()[number as usize % pictures().len()];
            for (at, unit) in picture.iter().enumerate() {
                let lost = make.sends == Sends::NothingByUdp || (seq % 10 == 9 && make.sends == Sends::LossByUdp);
                let packet = packet(0, 96, seq, number * 3_600, at + 1 == picture.len(), unit, false);
                seq = seq.wrapping_add(1);
                if !lost {
                    // Without the interleaving's four bytes.
                    let _ = self.rtp.send_to(&packet[4..], ("127.0.0.1", self.to)).await;
                }
            }
        }
    }
}

async fn send(writer: Arc<Mutex<OwnedWriteHalf>>, make: Make, channel: u8) {
    let ssrc = if make.sends == Sends::WrongSsrc { !SSRC } else { SSRC };
    // As the description says.
    let (_, types) = make.sdp.split_once("m=video ").unwrap();
    let payload_type: u8 = types.lines().next().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    let extended = make.sends == Sends::Extended;
    let mut ticks = interval(Duration::from_millis(40));
    let (mut seq, mut sound) = (13_210u16, 77u16);
    for number in 0u32.. {
        ticks.tick().await;
        let mut batch = Vec::new();
        if matches!(make.sends, Sends::SoundUnasked | Sends::SoundEarly) {
            batch.extend(packet(2, 0, sound, number.wrapping_mul(320), false, &[0x55; 320], false));
            sound = sound.wrapping_add(1);
        }
        let at_picture = number as usize % pictures().len();
        let picture = &pictures()[at_picture];
        let empty: &[Vec<u8>] =
            if make.sends == Sends::EmptyPackets && at_picture == UNMARKED + 1 { &[Vec::new()] } else { &[] };
        let unmarked = make.sends == Sends::EmptyPackets && at_picture == UNMARKED;
        for (at, unit) in empty.iter().chain(picture).enumerate() {
            let last = at + 1 == empty.len() + picture.len() && !unmarked;
            let mut bytes = packet(channel, payload_type, seq, number.wrapping_mul(3_600), last, unit, extended);
            bytes[12..16].copy_from_slice(&ssrc.to_be_bytes());
            batch.extend(bytes);
            seq = seq.wrapping_add(1);
        }
        if writer.lock().await.write_all(&batch).await.is_err() {
            return;
        }
    }
}

/// An interleaved RTP packet (RFC 2326, 10.12; RFC 3550, 5.1).
fn packet(channel: u8, payload_type: u8, seq: u16, time: u32, marker: bool, payload: &[u8], extended: bool) -> Vec<u8> {
    let (extension, padding): (&[u8], &[u8]) =
        if extended { (&[0xBE, 0xDE, 0, 1, 0x10, 0xFF, 0, 0], &[0, 0, 0, 4]) } else { (&[], &[]) };
    let length = 12 + extension.len() + payload.len() + padding.len();
    let mut out = vec![b'$', channel];
    out.extend((u16::try_from(length).unwrap()).to_be_bytes());
    out.push(if extended { 0x80 | 0x20 | 0x10 } else { 0x80 });
    out.push(payload_type | u8::from(marker) << 7);
    out.extend(seq.to_be_bytes());
    out.extend(time.to_be_bytes());
    out.extend(SSRC.to_be_bytes());
    out.extend_from_slice(extension);
    out.extend_from_slice(payload);
    out.extend_from_slice(padding);
    out
}
