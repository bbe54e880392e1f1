//! Bytes of MQTT clients at the embedded broker, in pieces of the size that the first byte says: the CONNECT, then
//! whatever follows, and what the broker would answer.
#![no_main]

use ingest::broker::fuzzing::read_client;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some((piece, bytes)) = data.split_first() {
        read_client(bytes, usize::from(*piece).max(1));
    }
});
