//! Sources files: every row is either good or has a problem with its line, and what was taken is the same after it has
//! been exported and taken in again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use storage::csv::{export, parse};

fuzz_target!(|data: &[u8]| {
    let parsed = parse(data);
    let lines = data.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() as u64 + 1;
    for problem in &parsed.problems {
        assert!(problem.line <= lines, "line {} of {lines}", problem.line);
        assert!(!problem.message.is_empty());
        problem.to_string();
    }
    let Ok(text) = export(&parsed.rows) else { panic!("rows that were taken cannot be exported") };
    let again = parse(&text);
    assert!(again.problems.is_empty(), "{:?} in {:?}", again.problems, String::from_utf8_lossy(&text));
    let sources = |rows: &[storage::SourceRow]| rows.iter().map(|row| row.source.clone()).collect::<Vec<_>>();
    assert_eq!(sources(&again.rows), sources(&parsed.rows));
});
