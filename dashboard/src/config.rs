//! Settings of the dashboard.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Where the hub serves, and for how long a log-in lasts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port of the console and the API.
    pub bind: SocketAddr,
    /// Hours without a request after which a log-in ends.
    pub session_hours: u32,
    /// Whether cookies are marked for HTTPS only; set it when a TLS proxy stands in front.
    pub secure_cookies: bool,
    /// Shown in the console's header.
    pub town_name: String,
}

impl Default for Config {
    fn default() -> Self {
        // Loopback until somebody decides otherwise; a shift lasts at most 12 hours.
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 8080)),
            session_hours: 12,
            secure_cookies: false,
            town_name: String::new(),
        }
    }
}
