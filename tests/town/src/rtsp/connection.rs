//! One client's RTSP connection: reads requests, answers them, opens and closes its session.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::Shared;
use super::auth;
use super::behaviour::{Behaviour, SdpDefect};
use super::camera::{Camera, Profile, Stream};
use super::out::Out;
use super::pacer::now_us;
use super::request::{Incoming, Request, take};
use super::sdp;
use super::session::{Session, Transport};

/// A client that opens a connection and says nothing is cut off after this.
const IDLE_LIMIT: Duration = Duration::from_secs(30);
const METHODS: &str = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN";
/// [`Behaviour::EndlessHeader`] ends after so many bytes, so that a forgotten client cannot eat a core for ever.
const ENDLESS_BYTES: usize = 1 << 30;

/// Serves a connection until either side ends it.
pub async fn serve(shared: Arc<Shared>, socket: TcpStream, number: u64) {
    let _ = socket.set_nodelay(true);
    let mut connection = Connection {
        out: Arc::new(Out::new(socket)),
        nonce: format!("{:032x}", rand::random::<u128>()),
        nonce_since: Instant::now(),
        session: None,
        number,
        asked: false,
        shared,
    };
    connection.run().await;
    connection.end_session();
}

struct Connection {
    shared: Arc<Shared>,
    out: Arc<Out>,
    nonce: String,
    nonce_since: Instant,
    session: Option<(Arc<Stream>, Arc<Session>)>,
    /// In the farm's record.
    number: u64,
    /// The record knows its camera.
    asked: bool,
}

struct Answer {
    status: u16,
    headers: String,
    body: String,
}

impl Answer {
    fn status(status: u16) -> Answer {
        Answer { status, headers: String::new(), body: String::new() }
    }

    fn ok() -> Answer {
        Answer::status(200)
    }

    fn with(mut self, name: &str, value: impl std::fmt::Display) -> Answer {
        // Writing to a String cannot fail.
        let _ = write!(self.headers, "{name}: {value}\r\n");
        self
    }
}

/// What follows an answer.
#[derive(PartialEq, Eq)]
enum Then {
    Go,
    Stop,
}

impl Connection {
    async fn run(&mut self) {
        let mut buffer = Vec::with_capacity(2048);
        loop {
            loop {
                match take(&mut buffer) {
                    Incoming::Incomplete => break,
                    Incoming::Interleaved => self.heard(),
                    Incoming::Garbage => return,
                    Incoming::Request(request) => {
                        self.heard();
                        if self.answer(&request).await == Then::Stop {
                            return;
                        }
                    }
                }
            }
            if !self.read(&mut buffer).await {
                return;
            }
        }
    }

    fn heard(&self) {
        if let Some((_, session)) = &self.session {
            session.heard(now_us());
        }
    }

    /// Reads more bytes; false when the connection is over.
    async fn read(&self, buffer: &mut Vec<u8>) -> bool {
        let out = self.out.clone();
        let readable = async {
            if self.session.is_some() {
                // The pacer watches sessions; no timer here.
                return out.socket().readable().await.is_ok();
            }
            matches!(tokio::time::timeout(IDLE_LIMIT, out.socket().readable()).await, Ok(Ok(())))
        };
        tokio::select! {
            ready = readable => if !ready { return false },
            () = out.closed() => return false,
            () = self.shared.token.cancelled() => return false,
        }
        match out.socket().try_read_buf(buffer) {
            Ok(0) => false,
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }

    async fn answer(&mut self, request: &Request) -> Then {
        let Some((camera, profile)) = self.find(request) else {
            let answer = match request.method.as_str() {
                "OPTIONS" => Answer::ok().with("Public", METHODS),
                // Clients may tear down on a new connection what an old one left behind.
                "TEARDOWN" | "GET_PARAMETER" | "SET_PARAMETER" | "PLAY" | "PAUSE" => Answer::status(454),
                _ => Answer::status(404),
            };
            self.send(request, answer);
            return Then::Go;
        };
        if !std::mem::replace(&mut self.asked, true) {
            self.shared.record.asked(self.number, &camera, &request.method);
        }
        let behaviour = camera.orders().behaviour;
        match behaviour {
            Behaviour::Offline => {
                self.out.reset();
                return Then::Stop;
            }
            Behaviour::HalfOpen => return Then::Go,
            _ => {}
        }
        if request.method != "OPTIONS"
            && let Some(refusal) = self.check_access(request, &camera, &behaviour)
        {
            camera.count_refused(request.header("Authorization").is_some());
            self.send(request, refusal);
            let cut_off = matches!(behaviour, Behaviour::NonceExpiry { .. }) && self.session.is_some();
            return if cut_off { Then::Stop } else { Then::Go };
        }
        let stream = camera.stream(profile).clone();
        let keepalive = matches!(request.method.as_str(), "GET_PARAMETER" | "SET_PARAMETER")
            || (request.method == "OPTIONS" && request.session().is_some());
        let answer = match request.method.as_str() {
            _ if keepalive && behaviour == Behaviour::KeepaliveRefused => Answer::status(405),
            "OPTIONS" => Answer::ok().with("Public", METHODS),
            "DESCRIBE" => return self.describe(request, &stream, &behaviour).await,
            "SETUP" => self.setup(request, stream, &behaviour),
            "PLAY" => self.play(request, &camera),
            "PAUSE" => self.in_session(request, |_, session| {
                session.pause();
                Answer::ok()
            }),
            "GET_PARAMETER" | "SET_PARAMETER" => self.in_session(request, |_, _| Answer::ok()),
            "TEARDOWN" => {
                let answer = self.in_session(request, |_, _| Answer::ok());
                if answer.status == 200 {
                    self.end_session();
                }
                answer
            }
            _ => Answer::status(405).with("Allow", METHODS),
        };
        self.send(request, answer);
        Then::Go
    }

    fn find(&self, request: &Request) -> Option<(Arc<Camera>, Profile)> {
        let mut path = request.path();
        let camera = self.shared.cameras.get(path.next()?)?.clone();
        let profile = match path.next()? {
            "main" => Profile::Main,
            "sub" => Profile::Sub,
            _ => return None,
        };
        Some((camera, profile))
    }

    /// The 401 to send, if any.
    fn check_access(&mut self, request: &Request, camera: &Camera, behaviour: &Behaviour) -> Option<Answer> {
        let (auth, account) = (camera.spec.auth, &self.shared.account);
        let refuse = |nonce: &str, stale| {
            Answer::status(401).with("WWW-Authenticate", auth::challenge(auth, account, nonce, stale))
        };
        if *behaviour == Behaviour::AuthReject {
            return Some(refuse(&self.nonce, false));
        }
        if let Behaviour::NonceExpiry { s } = behaviour
            && self.nonce_since.elapsed() > Duration::from_secs(*s)
        {
            self.nonce = format!("{:032x}", rand::random::<u128>());
            self.nonce_since = Instant::now();
            return Some(refuse(&self.nonce, true));
        }
        let allowed = auth::allows(auth, account, &self.nonce, &request.method, request.header("Authorization"));
        (!allowed).then(|| refuse(&self.nonce, false))
    }

    async fn describe(&mut self, request: &Request, stream: &Arc<Stream>, behaviour: &Behaviour) -> Then {
        if let Behaviour::SlowDescribe { ms } = behaviour {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(*ms)) => {}
                () = self.out.closed() => return Then::Stop,
                () = self.shared.token.cancelled() => return Then::Stop,
            }
        }
        let described = tokio::select! {
            described = stream.describe(&self.shared.library, now_us()) => described,
            () = self.shared.token.cancelled() => return Then::Stop,
        };
        let clip = match described {
            Ok(clip) => clip,
            Err(error) => {
                tracing::warn!(uri = request.uri, error = format!("{error:#}"), "no clip to describe");
                self.send(request, Answer::status(503));
                return Then::Go;
            }
        };
        match behaviour {
            Behaviour::HugeContentLength => {
                let cseq = request.header("CSeq").unwrap_or("0");
                let head = format!(
                    "RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nContent-Type: application/sdp\r\nContent-Length: 4294967295\r\n\r\nv=0\r\n"
                );
                self.out.send(head.as_bytes());
                return Then::Go;
            }
            Behaviour::EndlessHeader => {
                self.endless_header(request).await;
                return Then::Stop;
            }
            _ => {}
        }
        let defect = match behaviour {
            Behaviour::BadSdp { defect } => Some(*defect),
            _ => None,
        };
        let address = self.out.socket().local_addr().map_or_else(|_| "0.0.0.0".into(), |addr| addr.ip().to_string());
        let base = format!("{}/", request.uri.trim_end_matches('/'));
        let mut answer = Answer::ok().with("Content-Base", base);
        if defect != Some(SdpDefect::MissingContentType) {
            answer = answer.with("Content-Type", "application/sdp");
        }
        answer.body = sdp::describe(&clip, now_us() / 1_000_000, &address, defect);
        self.send(request, answer);
        Then::Go
    }

    async fn endless_header(&self, request: &Request) {
        let cseq = request.header("CSeq").unwrap_or("0");
        self.out.send(format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nX-Padding: ").as_bytes());
        let padding = [b'a'; 4096];
        let mut sent = 0;
        while sent < ENDLESS_BYTES && !self.out.is_closed() {
            if self.out.send(&padding) > 64 * 1024 {
                tokio::select! {
                    ready = self.out.socket().writable() => if ready.is_err() { return },
                    () = self.shared.token.cancelled() => return,
                }
            }
            sent += padding.len();
            tokio::task::yield_now().await;
        }
    }

    fn setup(&mut self, request: &Request, stream: Arc<Stream>, behaviour: &Behaviour) -> Answer {
        if self.session.is_some() {
            return Answer::status(459);
        }
        let Some(wanted) = request.header("Transport") else { return Answer::status(400) };
        let Some((transport, echo)) = wanted.split(',').find_map(|spec| self.transport(spec)) else {
            return Answer::status(461);
        };
        let session = Arc::new(Session::new(
            format!("{:016X}", rand::random::<u64>()),
            self.out.clone(),
            transport,
            self.shared.queue_bytes,
            self.shared.session_timeout_s,
            now_us(),
        ));
        let (limit, refusal) = match behaviour {
            Behaviour::SessionLimit { max, status } => (Some(*max), *status),
            _ => (None, 453),
        };
        if !stream.add(session.clone(), limit) {
            return Answer::status(refusal);
        }
        let answer = Answer::ok()
            .with("Transport", format_args!("{echo};ssrc={:08X};mode=\"PLAY\"", session.ssrc()))
            .with("Session", format_args!("{};timeout={}", session.id(), self.shared.session_timeout_s));
        self.session = Some((stream, session));
        answer
    }

    /// Reads one transport specification; `None` if the farm does not speak it.
    fn transport(&self, spec: &str) -> Option<(Transport, String)> {
        let mut parts = spec.trim().split(';');
        let protocol = parts.next()?.trim().to_ascii_uppercase();
        let parameters: Vec<&str> = parts.map(str::trim).collect();
        if parameters.contains(&"multicast") {
            return None;
        }
        let range = |name: &str| {
            let value = parameters.iter().find_map(|part| part.strip_prefix(name)?.strip_prefix('='))?;
            let (low, high) = value.split_once('-').unwrap_or((value, ""));
            let low: u16 = low.parse().ok()?;
            Some((low, high.parse().unwrap_or(low.saturating_add(1))))
        };
        match protocol.as_str() {
            "RTP/AVP/TCP" => {
                let (low, high) = range("interleaved").unwrap_or((0, 1));
                let channel = u8::try_from(low).ok().filter(|channel| *channel < 255)?;
                Some((Transport::Interleaved { channel }, format!("RTP/AVP/TCP;unicast;interleaved={low}-{high}")))
            }
            "RTP/AVP" | "RTP/AVP/UDP" => {
                let (low, high) = range("client_port")?;
                let ip = self.out.socket().peer_addr().ok()?.ip();
                let udp = &self.shared.udp;
                let echo =
                    format!("RTP/AVP;unicast;client_port={low}-{high};server_port={}-{}", udp.rtp_port, udp.rtcp_port);
                let transport = Transport::Udp {
                    rtp: udp.rtp.clone(),
                    rtcp: udp.rtcp.clone(),
                    to: SocketAddr::new(ip, low),
                    to_rtcp: SocketAddr::new(ip, high),
                };
                Some((transport, echo))
            }
            _ => None,
        }
    }

    fn play(&self, request: &Request, camera: &Camera) -> Answer {
        let gop_s = camera.spec.gop_s;
        let url = request.uri.trim_end_matches('/').trim_end_matches("/trackID=1").to_owned();
        let answer = self.in_session(request, |stream, session| {
            let first = stream.next_key(gop_s, stream.frame_at(now_us()));
            let seq = session.play(first);
            let rtptime = stream.timestamp(first);
            Answer::ok()
                .with("Range", "npt=0.000-")
                .with("RTP-Info", format_args!("url={url}/trackID=1;seq={seq};rtptime={rtptime}"))
        });
        if let Some((stream, _)) = &self.session
            && answer.status == 200
        {
            self.shared.record.playing(self.number, now_us());
            self.shared.pacer.schedule(stream);
        }
        answer
    }

    /// Runs `act` when the request names this connection's session.
    fn in_session(&self, request: &Request, act: impl FnOnce(&Stream, &Session) -> Answer) -> Answer {
        match &self.session {
            Some((stream, session)) if request.session().is_none_or(|id| id == session.id()) => act(stream, session)
                .with("Session", format_args!("{};timeout={}", session.id(), self.shared.session_timeout_s)),
            _ if request.method.ends_with("_PARAMETER") && request.session().is_none() => Answer::ok(),
            _ => Answer::status(454),
        }
    }

    fn end_session(&mut self) {
        if let Some((stream, session)) = self.session.take() {
            session.pause();
            stream.remove(&session);
        }
    }

    fn send(&self, request: &Request, answer: Answer) {
        let reason = match answer.status {
            200 => "OK",
            400 => "Bad Request",
            401 => "Unauthorized",
            404 => "Not Found",
            405 => "Method Not Allowed",
            453 => "Not Enough Bandwidth",
            454 => "Session Not Found",
            459 => "Aggregate Operation Not Allowed",
            461 => "Unsupported Transport",
            503 => "Service Unavailable",
            _ => "Refused",
        };
        let mut text = format!("RTSP/1.0 {} {reason}\r\n", answer.status);
        if let Some(cseq) = request.header("CSeq") {
            text += &format!("CSeq: {cseq}\r\n");
        }
        text += "Server: gridward-town\r\n";
        text += &answer.headers;
        if !answer.body.is_empty() {
            text += &format!("Content-Length: {}\r\n", answer.body.len());
        }
        text += "\r\n";
        text += &answer.body;
        self.out.send(text.as_bytes());
    }
}
