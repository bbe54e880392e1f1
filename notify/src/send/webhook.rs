//! A program that gets CloudEvents. Each body is signed together with the second at which it was sent, so that nobody
//! can make one up, change one, or send an old one again later:
//! `Gridward-Signature: t=UNIX_SECONDS,v1=HEX(HMAC-SHA256(secret, "UNIX_SECONDS.BODY"))`.

use jiff::Timestamp;
use url::Url;

use super::{Failure, event, http, sign};
use crate::notice::Notice;
use crate::telling::Webhook;

pub(super) struct Hook {
    url: Url,
    secret: String,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hook").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

impl Hook {
    pub fn new(config: &Webhook) -> Result<Self, String> {
        Ok(Self { url: http::address(&config.url)?, secret: config.secret.read()? })
    }

    pub async fn send(&self, notice: &Notice, now: Timestamp) -> Result<(), Failure> {
        let body = event::of(notice).to_string();
        let second = now.as_second();
        let signature = sign::hex_mac(self.secret.as_bytes(), format!("{second}.{body}").as_bytes());
        let headers = [
            ("gridward-signature", format!("t={second},v1={signature}")),
            ("idempotency-key", sign::digest(&notice.key)),
        ];
        http::post(&self.url, "application/cloudevents+json; charset=utf-8", &headers, body).await.map(drop)
    }
}
