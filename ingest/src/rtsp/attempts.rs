//! How the next session of a stream is made: by which back-end, and how its packets travel. Pure.
//!
//! A camera's tags say what is wished for; failures say what works. Here is decided only *how*, never *when* (`governor`).

use std::time::Duration;

use model::BackendChoice;
use model::status::{Backend, Hint, Transport};

use super::failure::{Failure, Phase, Reason};
use super::frames::Way;

/// Tries of FFmpeg in a row that brought no picture, after which the usual session has its turn again: the camera may have
/// been mended or replaced.
const FFMPEG_TRIES: u32 = 3;

/// How one session is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub backend: Backend,
    /// Whether the usual session may stand in when all places of FFmpeg are taken.
    pub may_stand_in: bool,
    pub transport: Transport,
    /// UDP is wished for, and TCP is taken because of what UDP brought.
    pub udp_given_up: bool,
}

impl Attempt {
    /// How a session came about that was made by this attempt and is read by `backend`.
    pub(crate) fn way(&self, backend: Backend) -> Way {
        let needed = self.may_stand_in && backend == Backend::Ffmpeg;
        let hints = [(needed, Hint::FfmpegNeeded), (self.udp_given_up, Hint::UdpToTcp)];
        let hints = hints.into_iter().filter(|(holds, _)| *holds).map(|(_, hint)| hint).collect();
        Way { backend, transport: self.transport, hints }
    }
}

/// What the settings say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    /// Failures of the usual session in a row before FFmpeg; 0 for never.
    pub ffmpeg_after: u32,
    /// How long TCP stays after UDP failed.
    pub udp_retry: Duration,
    /// A session that was live for so long did not fail at once.
    pub stable: Duration,
}

/// What became of a stream's sessions, as far as the next one depends on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempts {
    /// Failures in a row that FFmpeg might have taken.
    failures: u32,
    /// Tries of FFmpeg in a row without a picture; none while the usual session has its turn.
    ffmpeg: Option<u32>,
    /// TCP instead of UDP until then.
    tcp_until: Option<Duration>,
}

impl Attempts {
    pub(crate) fn next(&self, backend: BackendChoice, transport: Transport, now: Duration) -> Attempt {
        let (chosen, may_stand_in) = match backend.only() {
            Some(only) => (only, false),
            None if self.ffmpeg.is_some() => (Backend::Ffmpeg, true),
            None => (Backend::Retina, false),
        };
        let given_up = transport == Transport::Udp && self.tcp_until.is_some_and(|until| now < until);
        let transport = if given_up { Transport::Tcp } else { transport };
        Attempt { backend: chosen, may_stand_in, transport, udp_given_up: given_up }
    }

    /// A session ended by itself, `lived` after its first key frame (none: there was none).
    pub(crate) fn ended(
        &mut self,
        attempt: Attempt,
        failure: &Failure,
        lived: Option<Duration>,
        now: Duration,
        policy: &Policy,
    ) {
        if attempt.transport == Transport::Udp && is_udps_fault(failure) {
            self.tcp_until = Some(now + policy.udp_retry);
            metrics::counter!("gridward_rtsp_udp_given_up_total", "reason" => failure.reason.as_str()).increment(1);
            return;
        }
        match (attempt.backend, &mut self.ffmpeg) {
            (Backend::Ffmpeg, Some(tries)) => {
                // Nobody tried FFmpeg when it was full, and refused credentials are refused by both.
                if matches!(failure.reason, Reason::BackendFull | Reason::AuthFailed) {
                    return;
                }
                *tries = if lived.is_some() { 0 } else { *tries + 1 };
                if *tries >= FFMPEG_TRIES {
                    (self.ffmpeg, self.failures) = (None, 0);
                }
            }
            (Backend::Retina, None) if ffmpeg_may_take(failure) => {
                let stable = lived.is_some_and(|lived| lived >= policy.stable);
                self.failures = if stable { 1 } else { self.failures + 1 };
                if policy.ffmpeg_after > 0 && self.failures >= policy.ffmpeg_after && video::Pulls::built() {
                    self.ffmpeg = Some(0);
                }
            }
            _ => {}
        }
    }
}

/// Whether FFmpeg, more lenient with what cameras say, might take it.
pub(crate) fn ffmpeg_may_take(failure: &Failure) -> bool {
    match failure.reason {
        Reason::BadDescription | Reason::ProtocolError | Reason::StreamErrors => true,
        // The library's own defects, met over what the camera sends; before that it is the hub's.
        Reason::Internal => failure.phase != Phase::Connect,
        // A camera that dislikes how it was asked; others are asked differently.
        Reason::Refused => failure.phase != Phase::Stream,
        _ => false,
    }
}

/// Whether it failed because packets do not come by UDP.
fn is_udps_fault(failure: &Failure) -> bool {
    matches!(failure.reason, Reason::UdpSilent | Reason::UdpLoss | Reason::TransportRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy =
        Policy { ffmpeg_after: 2, udp_retry: Duration::from_secs(600), stable: Duration::from_secs(30) };
    const AUTO: BackendChoice = BackendChoice::Auto;

    fn at(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn failed(attempts: &mut Attempts, reason: Reason, lived: Option<u64>) {
        let attempt = attempts.next(AUTO, Transport::Tcp, at(0));
        let failure = Failure::new(Phase::Describe, reason, "");
        attempts.ended(attempt, &failure, lived.map(at), at(0), &POLICY);
    }

    fn backend(attempts: &Attempts) -> Backend {
        attempts.next(AUTO, Transport::Tcp, at(0)).backend
    }

    #[test]
    fn ffmpeg_comes_after_failures_of_its_kind_and_no_others() {
        let mut attempts = Attempts::default();
        for reason in [Reason::ConnectRefused, Reason::DescribeTimeout, Reason::AuthFailed, Reason::NoFrames] {
            for _ in 0..5 {
                failed(&mut attempts, reason, None);
            }
        }
        assert_eq!(backend(&attempts), Backend::Retina);
        failed(&mut attempts, Reason::BadDescription, None);
        assert_eq!(backend(&attempts), Backend::Retina, "once is not enough");
        failed(&mut attempts, Reason::BadDescription, None);
        // Only a hub with FFmpeg has it to offer.
        let expected = if video::Pulls::built() { Backend::Ffmpeg } else { Backend::Retina };
        assert_eq!(backend(&attempts), expected);
    }

    #[test]
    fn a_camera_that_was_stable_begins_its_count_anew() {
        let mut attempts = Attempts::default();
        for _ in 0..9 {
            failed(&mut attempts, Reason::StreamErrors, Some(31));
        }
        assert_eq!(backend(&attempts), Backend::Retina);
        failed(&mut attempts, Reason::StreamErrors, Some(2));
        assert!(attempts.ffmpeg.is_some() == video::Pulls::built());
    }

    #[test]
    fn ffmpeg_that_brings_nothing_gives_the_turn_back() {
        let mut attempts = Attempts { ffmpeg: Some(0), ..Attempts::default() };
        for _ in 0..9 {
            failed(&mut attempts, Reason::BackendFull, None);
        }
        failed(&mut attempts, Reason::ConnectRefused, None);
        failed(&mut attempts, Reason::ConnectRefused, None);
        failed(&mut attempts, Reason::ConnectionLost, Some(5));
        failed(&mut attempts, Reason::ConnectRefused, None);
        failed(&mut attempts, Reason::ConnectRefused, None);
        assert_eq!(backend(&attempts), Backend::Ffmpeg);
        failed(&mut attempts, Reason::ConnectRefused, None);
        assert_eq!(backend(&attempts), Backend::Retina);
    }

    #[test]
    fn a_wish_is_kept_whatever_happens() {
        let mut attempts = Attempts::default();
        let wish = BackendChoice::Retina;
        for _ in 0..5 {
            let attempt = attempts.next(wish, Transport::Tcp, at(0));
            let failure = Failure::new(Phase::Describe, Reason::BadDescription, "");
            attempts.ended(attempt, &failure, None, at(0), &POLICY);
        }
        assert_eq!(attempts.next(wish, Transport::Tcp, at(0)).backend, Backend::Retina);
        let wish = BackendChoice::Ffmpeg;
        let attempt = attempts.next(wish, Transport::Tcp, at(0));
        assert!(attempt.backend == Backend::Ffmpeg && !attempt.may_stand_in);
    }

    #[test]
    fn udp_that_fails_is_tcp_for_a_while() {
        let mut attempts = Attempts::default();
        for reason in [Reason::UdpSilent, Reason::UdpLoss, Reason::TransportRefused] {
            let now = at(1_000);
            let attempt = attempts.next(AUTO, Transport::Udp, now + at(601));
            assert_eq!((attempt.transport, attempt.udp_given_up), (Transport::Udp, false));
            attempts.ended(attempt, &Failure::new(Phase::Stream, reason, ""), None, now, &POLICY);
            let attempt = attempts.next(AUTO, Transport::Udp, now + at(599));
            assert_eq!((attempt.transport, attempt.udp_given_up), (Transport::Tcp, true));
            // What happens over TCP is no matter of UDP.
            attempts.ended(attempt, &Failure::new(Phase::Stream, Reason::NoFrames, ""), None, now, &POLICY);
        }
        assert!(!attempts.next(AUTO, Transport::Tcp, at(1_000)).udp_given_up, "nobody wished for UDP");
    }
}
