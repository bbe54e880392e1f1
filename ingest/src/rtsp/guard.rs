//! Panics of the RTSP library, each made a failure of the one session it belongs to.
//!
//! The library asserts what a camera can break (`ingest/tests/rtsp/library_defects.rs`). Caught where the library is called, such
//! a failure knows its phase and counts as one that the other back-end may take. Whatever panicked is to be dropped and
//! not asked again. Panics of our own are not caught here: `fleet` finds them when the task has ended.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::failure::{Failure, Phase, Reason};

/// What `work` in the library gives, or its panic as a failure in `phase`.
pub(crate) fn guarded<T>(phase: Phase, work: impl FnOnce() -> T) -> Result<T, Failure> {
    // The state left behind is dropped with the session that this failure ends.
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        // Told to nobody else: an assertion may quote what the camera sent.
        tracing::error!(phase = phase.as_str(), said = said(&*panic), "the RTSP library has a defect");
        Failure::new(phase, Reason::Internal, "a defect of the RTSP library; the log has it")
    })
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a word")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure_in_its_phase_and_all_else_passes() {
        assert_eq!(guarded(Phase::Setup, || 7).unwrap(), 7);
        let number = 7;
        let failure = guarded(Phase::Describe, || assert!(number == 8, "data already pending")).unwrap_err();
        assert_eq!((failure.phase, failure.reason), (Phase::Describe, Reason::Internal));
        assert!(!failure.detail.contains("pending"), "what the camera sent is the log's");
    }
}
