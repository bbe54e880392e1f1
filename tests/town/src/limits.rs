//! What the system grants the town's process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the number of open files as far as the system lets it: a load camera that is watched takes one.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::warn!(%error, now = limit.current, "the number of open files could not be raised");
    }
}
