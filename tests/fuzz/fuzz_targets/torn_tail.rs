//! Write-ahead logs as a crash may leave them: what is said to be lost is never more than there is.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    assert!(storage::torn_bytes(data) <= data.len() as u64);
});
