//! The way in for `tests/fuzz`: what sockets do with a client's words, without the sockets.

/// Reads a message of the event socket.
pub fn event_message(text: &str) -> Result<(), String> {
    crate::events::check_message(text)
}

/// Reads a message of the video socket.
pub fn live_message(text: &str) -> Result<(), String> {
    crate::live::check_message(text)
}
