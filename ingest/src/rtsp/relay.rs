//! RTSPS: a relay inside the process, since neither back-end speaks TLS in the way we want it.
//!
//! The TLS connection to the camera stands before the session begins, so that what is wrong with it is told in words. The
//! session then speaks RTSP to a port of this machine's loopback that exists for it alone, and bytes are carried as they
//! are. Requests name that port instead of the camera; cameras look at the path only, and a digest is made over what is
//! sent. Media goes along in the same connection, never beside it by UDP.

use std::sync::OnceLock;
use std::time::Duration;

use model::TlsPolicy;
use native_tls::TlsConnector;
use sha2::{Digest, Sha256};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_native_tls::TlsStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use super::failure::{Failure, Phase, Reason};
use super::plan::Target;

/// A session and its late goodbyes make one connection after the other.
const CONNECTIONS_MAX: usize = 4;
/// How long the goodbye of a session that is over may take.
const GOODBYE: Duration = Duration::from_secs(6);

/// One connector for each kind: making one reads the machine's certificates.
fn connector(policy: &TlsPolicy) -> Result<&'static TlsConnector, native_tls::Error> {
    static VERIFY: OnceLock<TlsConnector> = OnceLock::new();
    static ANY: OnceLock<TlsConnector> = OnceLock::new();
    let (made, any) = match policy {
        TlsPolicy::Verify => (&VERIFY, false),
        TlsPolicy::Pin(_) | TlsPolicy::Insecure => (&ANY, true),
    };
    if let Some(connector) = made.get() {
        return Ok(connector);
    }
    let built =
        TlsConnector::builder().danger_accept_invalid_certs(any).danger_accept_invalid_hostnames(any).build()?;
    Ok(made.get_or_init(|| built))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The way to one camera, for one session. After it is dropped the session's goodbye still has its time.
#[derive(Debug)]
pub(crate) struct Relay {
    /// What stands for the camera.
    pub target: Target,
    _running: DropGuard,
}

impl Relay {
    /// Connects to the camera and stands ready for the session.
    pub(crate) async fn open(target: &Target, policy: &TlsPolicy, limit: Duration) -> Result<Relay, Failure> {
        let late =
            || Failure::new(Phase::Connect, Reason::ConnectTimeout, format!("no TLS with the camera in {limit:?}"));
        let first = timeout(limit, connect(target, policy)).await.unwrap_or_else(|_| Err(late()))?;
        let local = async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let port = listener.local_addr()?.port();
            Ok::<_, std::io::Error>((listener, port))
        };
        let (listener, port) =
            local.await.map_err(|e| Failure::new(Phase::Connect, Reason::Internal, e.to_string()))?;
        let running = CancellationToken::new();
        let carry = Carry { target: target.clone(), policy: policy.clone(), limit };
        tokio::spawn(carry.run(listener, first, running.clone()));
        let target = Target { url: local_url(&target.url, port), ..target.clone() };
        Ok(Relay { target, _running: running.drop_guard() })
    }
}

fn local_url(url: &Url, port: u16) -> Url {
    let mut local = url.clone();
    let set = local.set_scheme("rtsp").is_ok()
        && local.set_host(Some("127.0.0.1")).is_ok()
        && local.set_port(Some(port)).is_ok();
    debug_assert!(set, "a target has a host");
    local
}

/// Carries bytes until the session is over.
struct Carry {
    target: Target,
    policy: TlsPolicy,
    limit: Duration,
}

impl Carry {
    async fn run(self, listener: TcpListener, first: TlsStream<TcpStream>, running: CancellationToken) {
        let mut ready = Some(first);
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => accepted,
                Some(_) = connections.join_next() => continue,
                () = running.cancelled() => break,
            };
            let Ok((mut session, _)) = accepted else { break };
            let camera = ready.take();
            let (target, policy, limit) = (self.target.clone(), self.policy.clone(), self.limit);
            connections.spawn(async move {
                let camera = match camera {
                    Some(camera) => Some(camera),
                    None => timeout(limit, connect(&target, &policy)).await.ok().and_then(Result::ok),
                };
                if let Some(mut camera) = camera {
                    let _ = copy_bidirectional(&mut session, &mut camera).await;
                }
            });
        }
        drop(listener);
        let _ = timeout(GOODBYE, async { while connections.join_next().await.is_some() {} }).await;
    }
}

async fn connect(target: &Target, policy: &TlsPolicy) -> Result<TlsStream<TcpStream>, Failure> {
    let tls = |detail: String| Failure::new(Phase::Connect, Reason::TlsFailed, detail);
    let name = target.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let socket = TcpStream::connect(target.host.as_ref()).await;
    let socket = socket.map_err(|error| Failure::from_io(Phase::Connect, &error))?;
    let _ = socket.set_nodelay(true);
    let connector = connector(policy).map_err(|error| tls(error.to_string()))?;
    let connected = tokio_native_tls::TlsConnector::from(connector.clone()).connect(name, socket).await;
    let stream = connected.map_err(|error| match policy {
        TlsPolicy::Verify => {
            tls(format!("{error}; a certificate of the camera's own can be trusted by the tag tls=pin:SHA-256"))
        }
        _ => tls(error.to_string()),
    })?;
    if let TlsPolicy::Pin(wanted) = policy {
        let shown =
            stream.get_ref().peer_certificate().ok().flatten().and_then(|certificate| certificate.to_der().ok());
        let found: Option<[u8; 32]> = shown.map(|der| Sha256::digest(der).into());
        if found != Some(*wanted) {
            let found = found.map_or_else(|| "none".to_owned(), |found| hex(&found));
            return Err(tls(format!("the certificate is another one than the tag tls pins: {found}")));
        }
    }
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_is_another_one() {
        let url = Url::parse("rtsps://cam.town:8322/Ch/101?a=1&b=%20").unwrap();
        assert_eq!(local_url(&url, 5_000).as_str(), "rtsp://127.0.0.1:5000/Ch/101?a=1&b=%20");
        let url = Url::parse("rtsps://[::1]/x").unwrap();
        assert_eq!(local_url(&url, 5_000).as_str(), "rtsp://127.0.0.1:5000/x");
    }
}
