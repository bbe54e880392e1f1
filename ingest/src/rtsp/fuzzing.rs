//! The way in for `tests/fuzz`: what is made of a camera's words and times, without a camera.

use std::sync::Arc;
use std::time::Duration;

use model::{Kind, Owner, Source};

use super::CameraSpec;
use super::failure::{self, Phase};
use super::health::Health;
use super::plan::plans;

/// Plans the sessions of a camera with this URL and this tag `sub`.
///
/// # Panics
/// When a session would go elsewhere than the URL says, or a refusal repeats a password.
pub fn plan(url: &str, sub: &str) {
    let source = Source {
        class: "street".into(),
        url: url.to_owned(),
        tags: [("sub".to_owned(), sub.to_owned())].into(),
        ..Source::new("cam-1", Kind::Camera, Owner::Governance, "g")
    };
    let planned = plans(&CameraSpec { source: Arc::new(source), credentials: None }, &[]);
    assert!((1..=2).contains(&planned.len()));
    let login = url::Url::parse(url).ok().and_then(|url| Some(format!("{}:{}", url.username(), url.password()?)));
    for plan in planned {
        match plan.target {
            Ok(target) => {
                assert!(target.url.scheme() == "rtsp" && target.url.username().is_empty());
                assert!(target.url.password().is_none() && target.host.contains(':'), "{target:?}");
            }
            Err(told) => assert!(!told.is_empty() && login.as_ref().is_none_or(|l| !told.contains(l)), "{told}"),
        }
    }
}

/// Finds the reason in the text of an error.
pub fn error_text(text: &str) {
    for phase in [Phase::Describe, Phase::Setup, Phase::Stream] {
        let failure = failure::from_text(phase, None, text);
        assert!(failure.detail.chars().count() <= 200 && !failure.detail.contains('\n'), "{failure:?}");
    }
}

/// Shows frames to the watch over a session, nine bytes each: what it says stays within reason.
///
/// # Panics
/// When a rate is no number.
pub fn watch(bytes: &[u8]) {
    let (mut health, mut now) = (Health::new(Duration::ZERO), Duration::ZERO);
    for step in bytes.chunks_exact(9) {
        let mut pts = [0; 8];
        pts.copy_from_slice(&step[1..]);
        now += Duration::from_millis(u64::from(step[0]) * 10);
        match step[0] % 4 {
            0 => health.error(now),
            flags => health.frame(now, flags == 1, usize::from(step[1]) << 16, i64::from_le_bytes(pts), flags == 2),
        }
        let _ = health.judge(now);
        let fps = health.measured(now).fps;
        assert!(fps.is_finite() && fps >= 0.0);
        assert!(health.frame_age(now) <= now && health.key_age(now) <= now);
    }
}
