//! RTSP/1.0 requests (RFC 2326 section 6) and interleaved frames as they come in from a client.

/// The header of one request may be this long; a client that sends more is cut off.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// What stands at the front of the receive buffer.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// More bytes are needed.
    Incomplete,
    /// `$`: RTCP from the client.
    Interleaved,
    /// A whole request, body skipped.
    Request(Request),
    /// Not RTSP.
    Garbage,
}

/// A request's first line and headers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Method in capitals.
    pub method: String,
    /// Request URI as sent.
    pub uri: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// A header's value; names are compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The session id without its parameters.
    pub fn session(&self) -> Option<&str> {
        self.header("Session").map(|value| value.split(';').next().unwrap_or(value).trim())
    }

    /// Path segments of the URI without scheme, authority and query.
    pub fn path(&self) -> impl Iterator<Item = &str> {
        let rest = self
            .uri
            .split_once("://")
            .map_or(self.uri.as_str(), |(_, rest)| rest.find('/').map_or("", |slash| &rest[slash..]));
        rest.split('?').next().unwrap_or("").split('/').filter(|part| !part.is_empty())
    }
}

/// Takes one message off the front of `buffer`.
pub fn take(buffer: &mut Vec<u8>) -> Incoming {
    let stray = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    buffer.drain(..stray);
    if buffer.first() == Some(&b'$') {
        if buffer.len() < 4 {
            return Incoming::Incomplete;
        }
        let length = 4 + usize::from(u16::from_be_bytes([buffer[2], buffer[3]]));
        if buffer.len() < length {
            return Incoming::Incomplete;
        }
        buffer.drain(..length);
        return Incoming::Interleaved;
    }
    let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if buffer.len() > MAX_HEADER_BYTES { Incoming::Garbage } else { Incoming::Incomplete };
    };
    let Some(request) = parse(&buffer[..end]) else { return Incoming::Garbage };
    let body: usize = request.header("Content-Length").and_then(|value| value.trim().parse().ok()).unwrap_or(0);
    if body > MAX_HEADER_BYTES {
        return Incoming::Garbage;
    }
    if buffer.len() < end + 4 + body {
        return Incoming::Incomplete;
    }
    buffer.drain(..end + 4 + body);
    Incoming::Request(request)
}

fn parse(head: &[u8]) -> Option<Request> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, uri, version) = (first.next()?, first.next()?, first.next()?);
    if !version.starts_with("RTSP/1.") {
        return None;
    }
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    Some(Request { method: method.to_ascii_uppercase(), uri: uri.to_owned(), headers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_interleaved_frames_are_taken_one_by_one() {
        let mut buffer = b"$\x01\x00\x02ab\r\nOPTIONS rtsp://h:8554/cam-1/sub/trackID=1?x=1 RTSP/1.0\r\ncseq: 3\r\n\
            Session: 77;timeout=60\r\nContent-Length: 2\r\n\r\nhiPLAY"
            .to_vec();
        assert_eq!(take(&mut buffer), Incoming::Interleaved);
        let Incoming::Request(request) = take(&mut buffer) else { panic!("a request") };
        assert_eq!(request.header("CSeq"), Some("3"));
        assert_eq!(request.session(), Some("77"));
        assert_eq!(request.path().collect::<Vec<_>>(), ["cam-1", "sub", "trackID=1"]);
        assert_eq!(take(&mut buffer), Incoming::Incomplete);
        assert_eq!(buffer, b"PLAY");
    }

    #[test]
    fn other_protocols_are_garbage() {
        assert_eq!(take(&mut b"GET / HTTP/1.1\r\n\r\n".to_vec()), Incoming::Garbage);
        assert_eq!(take(&mut vec![b'x'; MAX_HEADER_BYTES + 1]), Incoming::Garbage);
    }
}
