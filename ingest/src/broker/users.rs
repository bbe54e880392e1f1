//! Who may connect.

use std::collections::HashMap;
use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::Error;

/// How the hub's own link logs in: with a secret made at start, known to nobody else.
#[derive(Clone)]
pub struct HubLogin {
    /// The user's name.
    pub username: String,
    password: String,
    subscribed: CancellationToken,
}

impl PartialEq for HubLogin {
    fn eq(&self, other: &Self) -> bool {
        self.username == other.username && self.password == other.password
    }
}

impl HubLogin {
    pub(super) fn new() -> Self {
        let password = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        Self { username: "gridward-hub".to_owned(), password, subscribed: CancellationToken::new() }
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// The hub's link has all its subscriptions: publishers need not wait for it any more.
    pub(crate) fn tell_subscribed(&self) {
        self.subscribed.cancel();
    }
}

impl std::fmt::Debug for HubLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubLogin").field("username", &self.username).finish_non_exhaustive()
    }
}

/// The users of the broker.
#[derive(Debug)]
pub(super) struct Users {
    hub: HubLogin,
    passwords: HashMap<String, String>,
    allow_anonymous: bool,
}

/// Who a client has turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Hub,
    Guest,
}

impl Users {
    /// Reads `name:password` lines; `#` begins a comment. Without a file everybody may connect.
    pub fn read(file: Option<&Path>, allow_anonymous: bool, hub: HubLogin) -> Result<Self, Error> {
        let Some(file) = file else {
            return Ok(Self { hub, passwords: HashMap::new(), allow_anonymous: true });
        };
        let text = std::fs::read_to_string(file).map_err(|source| Error::Users { file: file.to_owned(), source })?;
        let mut passwords = HashMap::new();
        for (i, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match line.split_once(':') {
                Some((name, password)) if !name.is_empty() && !password.is_empty() => {
                    passwords.insert(name.to_owned(), password.to_owned());
                }
                _ => return Err(Error::UsersLine { file: file.to_owned(), line: i + 1 }),
            }
        }
        Ok(Self { hub, passwords, allow_anonymous })
    }

    pub fn hub_subscribed(&self) -> CancellationToken {
        self.hub.subscribed.clone()
    }

    /// Whether a client may connect, and as whom.
    pub fn check(&self, username: Option<&str>, password: Option<&[u8]>) -> Option<Caller> {
        let password = password.unwrap_or_default();
        match username {
            Some(name) if name == self.hub.username => {
                same(self.hub.password.as_bytes(), password).then_some(Caller::Hub)
            }
            Some(name) if !self.passwords.is_empty() => {
                let known = self.passwords.get(name)?;
                same(known.as_bytes(), password).then_some(Caller::Guest)
            }
            _ => self.allow_anonymous.then_some(Caller::Guest),
        }
    }
}

/// Compares without telling by the time it takes where the first difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_the_hub_log_in() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("users");
        std::fs::write(&file, "# gauges\ngauge:s3:cret\n\n").unwrap();
        let hub = HubLogin::new();
        let users = Users::read(Some(&file), false, hub.clone()).unwrap();
        assert_eq!(users.check(Some("gauge"), Some(b"s3:cret")), Some(Caller::Guest));
        assert_eq!(users.check(Some("gauge"), Some(b"wrong")), None);
        assert_eq!(users.check(Some("nobody"), None), None);
        assert_eq!(users.check(None, None), None);
        assert_eq!(users.check(Some("gridward-hub"), Some(hub.password().as_bytes())), Some(Caller::Hub));
        assert_eq!(users.check(Some("gridward-hub"), Some(b"")), None);
        assert!(!format!("{hub:?}").contains(hub.password()));
        std::fs::write(&file, "gauge\n").unwrap();
        assert!(matches!(Users::read(Some(&file), false, hub), Err(Error::UsersLine { line: 1, .. })));
    }

    #[test]
    fn without_a_file_everybody_may_but_not_as_the_hub() {
        let users = Users::read(None, false, HubLogin::new()).unwrap();
        assert_eq!(users.check(Some("x"), None), Some(Caller::Guest));
        assert_eq!(users.check(None, None), Some(Caller::Guest));
        assert_eq!(users.check(Some("gridward-hub"), Some(b"guess")), None);
    }
}
