//! E-mail, a connection for each message: a hub sends some dozens a day.

use std::time::Duration;

use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::{Failure, sign};
use crate::telling::{Mail, Person, Security};
use crate::text::Words;

pub(super) struct Server {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Server {
    pub fn new(config: &Mail, limit: Duration) -> Result<Self, String> {
        let from: Mailbox = config.from.parse().map_err(|error| format!("a sender that is no address ({error})"))?;
        let parameters = || TlsParameters::new(config.host.clone()).map_err(|error| error.to_string());
        let (tls, port) = match config.security {
            Security::Tls => (Tls::Wrapper(parameters()?), 465),
            Security::Starttls => (Tls::Required(parameters()?), 587),
            Security::None => (Tls::None, 25),
        };
        // Which way is taken, and whether in clear, is said in the settings.
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port.unwrap_or(port))
            .tls(tls)
            .timeout(Some(limit));
        if let (Some(name), Some(password)) = (&config.username, &config.password) {
            builder = builder.credentials(Credentials::new(name.clone(), password.read()?));
        }
        Ok(Self { from, transport: builder.build() })
    }

    pub async fn send(&self, words: &Words, persons: &[&Person], key: &str) -> Result<(), Failure> {
        let mut message = Message::builder().from(self.from.clone());
        let mut reached = 0;
        for person in persons {
            let Some(address) = &person.email else { continue };
            let address = address.parse().map_err(|error| Failure::new(format!("no e-mail address: {error}")))?;
            message = message.to(Mailbox::new(Some(person.name.clone()), address));
            reached += 1;
        }
        if reached == 0 {
            return Err(Failure::new("nobody with an e-mail address stands behind it"));
        }
        let message = message
            .subject(&words.subject)
            // The same message has the same id: a mail program shows what comes twice once.
            .message_id(Some(format!("<{}@gridward>", sign::digest(key))))
            .header(ContentType::TEXT_PLAIN)
            .body(words.body.clone())
            .map_err(|error| Failure::new(format!("no mail can be made of it: {error}")))?;
        // The error's causes say which step failed and what the server said; none holds the password.
        self.transport.send(message).await.map(drop).map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            Failure::new(format!("{error}{cause}"))
        })
    }
}
