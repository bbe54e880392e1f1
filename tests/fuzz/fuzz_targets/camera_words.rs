//! What a camera's row and a camera's errors say: the URL, the tag of its sub stream, the text of an error; then frames
//! as the watch over a session sees them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.splitn(4, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (url, sub, error) = (line(), line(), line());
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    ingest::rtsp::fuzzing::plan(&text(url), &text(sub));
    ingest::rtsp::fuzzing::error_text(&text(error));
    ingest::rtsp::fuzzing::watch(line());
});
