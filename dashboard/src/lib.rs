//! The HTTP API, the live sockets, sessions and roles, and the console.
//!
//! Belongs here: routes, what callers may see, how changes reach screens. Does not belong here: how pictures and
//! readings come in (`ingest`), what is an alarm (`alerting`), what is a step (`command`), SQL (`storage`).

pub mod access;
mod archive;
mod assets;
mod config;
pub mod emergency;
mod error;
mod events;
pub mod feed;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod live;
mod rates;
mod router;
mod routes;
pub mod rules;
mod serve;
mod server;
mod state;

pub use config::Config;
pub use error::{ApiError, ErrorBody, ErrorDetail};
pub use feed::Feed;
pub use router::openapi;
pub use server::{Deps, Server, start};
