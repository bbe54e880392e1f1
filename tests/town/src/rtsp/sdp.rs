//! Session descriptions (RFC 4566, RFC 6184 section 8.2.1).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::behaviour::SdpDefect;
use super::clip::Clip;

/// Describes the one video track of a stream; `defect` spoils it in one way.
pub fn describe(clip: &Clip, session_id: u64, address: &str, defect: Option<SdpDefect>) -> String {
    let origin = match defect {
        Some(SdpDefect::OriginWithoutAddress) => format!("o=- {session_id} 1"),
        Some(SdpDefect::DoubleIn) => format!("o=- {session_id} 1 IN IN IP4 {address}"),
        _ => format!("o=- {session_id} 1 IN IP4 {address}"),
    };
    let port = if defect == Some(SdpDefect::NegativePort) { "-1" } else { "0" };
    let profile: String = clip.sps[1..4].iter().map(|byte| format!("{byte:02X}")).collect();
    let sets = if defect == Some(SdpDefect::NoParameterSets) {
        String::new()
    } else {
        let encode = |nal: &[u8]| BASE64_STANDARD.encode(nal);
        format!(";sprop-parameter-sets={},{}", encode(&clip.sps), encode(&clip.pps))
    };
    let (width, height, fps) = (clip.width, clip.height, clip.fps);
    let kilobits = clip.bits_per_second().div_ceil(1000);
    [
        "v=0".to_owned(),
        origin,
        "s=Gridward town".to_owned(),
        "c=IN IP4 0.0.0.0".to_owned(),
        "t=0 0".to_owned(),
        "a=control:*".to_owned(),
        "a=range:npt=0-".to_owned(),
        format!("m=video {port} RTP/AVP 96"),
        format!("b=AS:{kilobits}"),
        "a=rtpmap:96 H264/90000".to_owned(),
        format!("a=fmtp:96 packetization-mode=1;profile-level-id={profile}{sets}"),
        format!("a=framesize:96 {width}-{height}"),
        format!("a=framerate:{fps}"),
        "a=control:trackID=1".to_owned(),
        String::new(),
    ]
    .join("\r\n")
}
