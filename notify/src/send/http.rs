//! One POST over one connection of HTTP/1.1. Redirects are not followed, answers are read up to a bound; addresses come
//! from the configuration only and may hold tokens, so no error names more than the host.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use url::Url;

use super::Failure;

/// The most of an answer that is read.
const MOST_BYTES: usize = 64 * 1024;
/// The longest that another side may ask to be left alone.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// How much of an answer is told when it is no good.
const TOLD_CHARS: usize = 120;

/// What came back.
pub(super) struct Answer {
    pub body: Bytes,
}

/// An address that can be used: http or https, with a host, without a log-in.
pub(super) fn address(text: &str) -> Result<Url, String> {
    // The address may hold a token and is not repeated.
    let url = Url::parse(text).map_err(|error| format!("an address that cannot be read ({error})"))?;
    let good = matches!(url.scheme(), "http" | "https") && url.host_str().is_some() && url.username().is_empty();
    if good { Ok(url) } else { Err("an address that is not http(s)://HOST".to_owned()) }
}

/// Posts a body; an answer other than 2xx is a failure.
pub(super) async fn post(
    url: &Url,
    content_type: &str,
    headers: &[(&str, String)],
    body: String,
) -> Result<Answer, Failure> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(80);
    let bare = host.trim_matches(['[', ']']);
    let stream = TcpStream::connect((bare, port)).await.map_err(|error| Failure::new(format!("{host}: {error}")))?;
    let _ = stream.set_nodelay(true);
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let named = url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(HOST, named)
        .header(USER_AGENT, concat!("gridward/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, content_type);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(Bytes::from(body)));
    let request = request.map_err(|_| Failure::new(format!("{host}: no request can be made of the settings")))?;
    if url.scheme() == "https" {
        let connector = native_tls::TlsConnector::new().map_err(|error| Failure::new(format!("TLS: {error}")))?;
        let connected = tokio_native_tls::TlsConnector::from(connector).connect(bare, stream).await;
        exchange(host, connected.map_err(|error| Failure::new(format!("{host}: {error}")))?, request).await
    } else {
        exchange(host, stream, request).await
    }
}

async fn exchange<S>(host: &str, stream: S, request: Request<Full<Bytes>>) -> Result<Answer, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| Failure::new(format!("{host}: {error}"));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let asked = async {
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status();
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let retry_after = retry_after.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        if !status.is_success() {
            // What it says may be a page; its beginning is enough.
            let said = body.map(|body| told(&body.to_bytes())).unwrap_or_default();
            let said = if said.is_empty() { said } else { format!(": {said}") };
            return Err(Failure { detail: format!("{host}: answered {}{said}", status.as_u16()), retry_after });
        }
        match body {
            Ok(body) => Ok(Answer { body: body.to_bytes() }),
            Err(_) => {
                Err(Failure::new(format!("{host}: an answer that ends early or has more than {MOST_BYTES} bytes")))
            }
        }
    };
    // The connection lives as long as the question. It may end with the answer in hand, before the question has seen it.
    tokio::pin!(asked);
    tokio::select! {
        biased;
        answer = &mut asked => answer,
        _ = connection => asked.await,
    }
}

/// The beginning of an answer, in one line.
pub(super) fn told(body: &[u8]) -> String {
    String::from_utf8_lossy(body).split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TOLD_CHARS).collect()
}
