//! Cameras against real servers: the town's camera farm, GStreamer's RTSP server, and answers written by hand.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test")]

#[path = "rtsp/clock.rs"]
mod clock;
#[path = "rtsp/emergency.rs"]
mod emergency;
#[path = "rtsp/fleet.rs"]
mod fleet;
#[path = "rtsp/gstreamer.rs"]
mod gstreamer;
#[path = "rtsp/library_defects.rs"]
mod library_defects;
#[path = "rtsp/make.rs"]
mod make;
#[path = "rtsp/makes.rs"]
mod makes;
#[path = "rtsp/misbehaviour.rs"]
mod misbehaviour;
#[path = "rtsp/scripted.rs"]
mod scripted;
#[path = "rtsp/support.rs"]
mod support;
