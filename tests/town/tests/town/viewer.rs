//! A viewer of one load camera, RTSP spoken by hand: what a library would hide is what these tests are about.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::LONG;

/// A session that plays.
pub struct Viewer {
    stream: BufReader<TcpStream>,
    /// The session description.
    pub sdp: String,
    cseq: u32,
}

/// One RTP packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    pub timestamp: u32,
    /// The picture's last.
    pub marker: bool,
    /// NAL unit type, of a fragment the fragmented unit's (RFC 6184 5.2, 5.8).
    pub nal_type: u8,
}

impl Viewer {
    /// DESCRIBE, SETUP, PLAY of a camera's small stream; an answer that is not 200 is an error of its status.
    pub async fn play(addr: SocketAddr, camera: &str) -> io::Result<Viewer> {
        let url = format!("rtsp://{addr}/{camera}/sub");
        let stream = BufReader::new(TcpStream::connect(addr).await?);
        let mut viewer = Viewer { stream, sdp: String::new(), cseq: 0 };
        viewer.sdp = viewer.ask("DESCRIBE", &url, "").await?;
        let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
        viewer.ask("SETUP", &format!("{url}/trackID=1"), transport).await?;
        viewer.ask("PLAY", &url, "").await?;
        Ok(viewer)
    }

    async fn ask(&mut self, method: &str, url: &str, headers: &str) -> io::Result<String> {
        self.cseq += 1;
        let request = format!("{method} {url} RTSP/1.0\r\nCSeq: {}\r\n{headers}\r\n", self.cseq);
        self.stream.write_all(request.as_bytes()).await?;
        timeout(LONG, self.answer()).await?
    }

    async fn answer(&mut self) -> io::Result<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let length = head.lines().find_map(|l| l.strip_prefix("Content-Length: ")).map_or(0, |n| n.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        if !head.starts_with("RTSP/1.0 200") {
            return Err(io::Error::other(head));
        }
        Ok(head + &String::from_utf8(body).unwrap())
    }

    /// The next RTP packet; sender reports are left out.
    pub async fn packet(&mut self) -> io::Result<Packet> {
        loop {
            let mut prefix = [0; 4];
            timeout(LONG, self.stream.read_exact(&mut prefix)).await??;
            assert_eq!(prefix[0], b'$');
            let mut data = vec![0; usize::from(u16::from_be_bytes([prefix[2], prefix[3]]))];
            timeout(LONG, self.stream.read_exact(&mut data)).await??;
            if prefix[1] == 0 {
                let timestamp = u32::from_be_bytes(data[4..8].try_into().unwrap());
                let nal_type = match data[12] & 0x1f {
                    28 => data[13] & 0x1f,
                    single => single,
                };
                return Ok(Packet { timestamp, marker: data[1] & 0x80 != 0, nal_type });
            }
        }
    }

    /// Reads on until the connection breaks; why it did.
    pub async fn end(&mut self) -> io::ErrorKind {
        loop {
            if let Err(error) = self.packet().await {
                return error.kind();
            }
        }
    }

    /// Whether nothing comes for so long.
    pub async fn is_silent_for(&mut self, while_: Duration) -> bool {
        timeout(while_, self.stream.fill_buf()).await.is_err()
    }
}
