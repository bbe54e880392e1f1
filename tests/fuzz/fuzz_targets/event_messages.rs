//! What clients say on the event socket.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(problem) = dashboard::fuzzing::event_message(text) {
        assert!(!problem.is_empty() && problem.len() <= 1_024, "{} bytes of answer", problem.len());
    }
});
