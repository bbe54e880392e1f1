//! What the system grants a process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files a town may need: a socket a camera and a sensor's connection, and some for people and disks.
const WANTED: u64 = 65_536;

/// Raises the number of open files as far as the system lets it; 1,024, the usual beginning, are a small village.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let now = limit.current.unwrap_or(u64::MAX);
    let wanted = WANTED.max(now).min(most);
    if wanted > now
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum })
    {
        tracing::warn!(%error, now, "the number of open files could not be raised");
    } else if wanted < WANTED {
        tracing::warn!(files = wanted, "few files may be open: raise the limit (ulimit -n) for a large town");
    }
}
