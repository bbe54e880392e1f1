//! The threads that cameras are read on: apart from all else, and in no hurry.
//!
//! Thousands of streams bring tens of thousands of packets a second. A thread that is woken for each of them spends its
//! time on waking up. One that rests a moment before it looks again finds many at once, as a network card gathers
//! interrupts. Nothing else runs here: answers to people and sensors would be late by the rest.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// What a picture may be late by this: far below the time of one frame (40 ms at 25 a second). At 2,000 cameras it saves
/// a sixth of the cost, five times as long hardly more.
const REST: Duration = Duration::from_millis(2);

/// The threads of one fleet. They end when this is dropped, wherever that is, and nobody waits for them.
#[derive(Debug)]
pub struct Threads(Option<Runtime>);

impl Threads {
    /// As many threads as there are cores.
    pub fn start() -> io::Result<Self> {
        let rest = || std::thread::sleep(REST);
        let runtime = Builder::new_multi_thread().thread_name("cameras").enable_all().on_thread_park(rest).build()?;
        Ok(Self(Some(runtime)))
    }

    /// What is spawned within `work` runs on these threads.
    pub fn on<T>(&self, work: impl FnOnce() -> T) -> T {
        let _entered = self.0.as_ref().map(Runtime::enter);
        work()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // A runtime that is simply dropped waits for its tasks, which is an error in asynchronous code.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_spawned_runs_apart_and_ends_with_its_threads() {
        let threads = Threads::start().unwrap();
        let task = threads.on(|| tokio::spawn(async { std::thread::current().name().map(str::to_owned) }));
        assert_eq!(task.await.unwrap().as_deref(), Some("cameras"));
        let endless = threads.on(|| tokio::spawn(std::future::pending::<()>()));
        drop(threads);
        assert!(endless.await.unwrap_err().is_cancelled());
    }
}
