//! Basic and Digest (RFC 2069 and RFC 2617 without entity hashing, MD5) as cameras ask for them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};

/// How a camera asks who is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// Anybody may look.
    None,
    /// User and password in base64.
    Basic,
    /// MD5 digest with a nonce for each connection.
    #[default]
    Digest,
}

/// Who may look.
#[derive(Clone, Debug)]
pub struct Account {
    /// Protection space named in challenges.
    pub realm: String,
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

/// Whether an `Authorization` header opens the door.
pub fn allows(auth: Auth, account: &Account, nonce: &str, method: &str, header: Option<&str>) -> bool {
    let Some((scheme, rest)) = header.and_then(|value| value.split_once(' ')) else { return auth == Auth::None };
    match auth {
        Auth::None => true,
        Auth::Basic => {
            let expected = BASE64_STANDARD.encode(format!("{}:{}", account.username, account.password));
            scheme.eq_ignore_ascii_case("basic") && rest.trim() == expected
        }
        Auth::Digest => scheme.eq_ignore_ascii_case("digest") && digest_matches(account, nonce, method, rest),
    }
}

fn digest_matches(account: &Account, nonce: &str, method: &str, parameters: &str) -> bool {
    let get = |name: &str| parameter(parameters, name);
    if get("username") != Some(&account.username) || get("nonce") != Some(nonce) {
        return false;
    }
    let Some((uri, response)) = get("uri").zip(get("response")) else { return false };
    let secret = md5_hex(&format!("{}:{}:{}", account.username, account.realm, account.password));
    let subject = md5_hex(&format!("{method}:{uri}"));
    let expected = match (get("qop"), get("nc"), get("cnonce")) {
        (Some(qop), Some(nc), Some(cnonce)) => md5_hex(&format!("{secret}:{nonce}:{nc}:{cnonce}:{qop}:{subject}")),
        _ => md5_hex(&format!("{secret}:{nonce}:{subject}")),
    };
    response.eq_ignore_ascii_case(&expected)
}

/// One `name="value"` or `name=value` of a comma-separated list. Values of this server hold no quotes.
fn parameter<'a>(list: &'a str, wanted: &str) -> Option<&'a str> {
    let mut rest = list.trim_start();
    while let Some((name, tail)) = rest.split_once('=') {
        let (value, after) = match tail.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => tail.split_once(',').unwrap_or((tail, "")),
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value.trim());
        }
        rest = after.trim_start_matches([',', ' ']);
    }
    None
}

/// The `WWW-Authenticate` value.
pub fn challenge(auth: Auth, account: &Account, nonce: &str, stale: bool) -> String {
    match auth {
        Auth::Basic => format!("Basic realm=\"{}\"", account.realm),
        Auth::None | Auth::Digest => {
            let stale = if stale { ", stale=\"TRUE\"" } else { "" };
            format!("Digest realm=\"{}\", nonce=\"{nonce}\"{stale}", account.realm)
        }
    }
}

/// Lower-case hexadecimal MD5.
pub fn md5_hex(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_2617_opens_and_a_changed_one_does_not() {
        let account = Account {
            realm: "testrealm@host.com".into(),
            username: "Mufasa".into(),
            password: "Circle Of Life".into(),
        };
        let nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
        let header = format!(
            "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", nonce=\"{nonce}\", uri=\"/dir/index.html\", \
             qop=auth, nc=00000001, cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\""
        );
        assert!(allows(Auth::Digest, &account, nonce, "GET", Some(&header)));
        assert!(!allows(Auth::Digest, &account, nonce, "PLAY", Some(&header)));
        assert!(!allows(Auth::Digest, &account, "other", "GET", Some(&header)));
        assert!(!allows(Auth::Digest, &account, nonce, "GET", None));
    }

    #[test]
    fn basic_compares_user_and_password() {
        let account = Account { realm: "r".into(), username: "viewer".into(), password: "town-demo".into() };
        assert!(allows(Auth::Basic, &account, "", "PLAY", Some("Basic dmlld2VyOnRvd24tZGVtbw==")));
        assert!(!allows(Auth::Basic, &account, "", "PLAY", Some("Basic dmlld2VyOnRvd24=")));
        assert!(allows(Auth::None, &account, "", "PLAY", None));
    }
}
