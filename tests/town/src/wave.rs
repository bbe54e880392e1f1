//! Waves: many cameras misbehave at once, for a while and perhaps again, and are then what they were.
//!
//! A power cut, a firmware that fails everywhere, a switch that flaps. Pure: time is an argument, in seconds since the
//! town began; carrying it out is [`crate::stage`]'s business.

use model::Owner;
use serde::{Deserialize, Serialize};

use crate::rtsp::Behaviour;

/// The longest wave, and the longest way from one to the next: a day.
const SECONDS_MAX: f64 = 86_400.0;
/// The shortest wave; the stage looks five times a second.
const SECONDS_MIN: f64 = 0.2;
/// The most often.
const REPEAT_MAX: u32 = 100_000;

/// What is asked for. `cameras` or `share` says how many, `prefix` and `owner` of which; at least one of the four.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaveWish {
    /// What they do.
    pub behaviour: Behaviour,
    /// How many, spread evenly over those that fit.
    pub cameras: Option<usize>,
    /// Which part of those that fit, above 0 and at most 1.
    pub share: Option<f64>,
    /// Only cameras whose id begins so.
    pub prefix: Option<String>,
    /// Only cameras of this owner.
    pub owner: Option<Owner>,
    /// How long, in seconds.
    pub for_s: f64,
    /// From the beginning of one to that of the next, in seconds; longer than `for_s`. With `repeat`.
    pub every_s: Option<f64>,
    /// How often in all. With `every_s`.
    pub repeat: Option<u32>,
}

/// A camera that may be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub owner: Owner,
}

/// Why there is no wave.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WaveError {
    /// Nobody was named.
    #[error("which cameras: give one or more of cameras, share, prefix, owner")]
    Whom,
    /// Two numbers.
    #[error("how many cameras: give cameras or share, not both")]
    TwoNumbers,
    /// A share that is none.
    #[error("share is above 0 and at most 1, found {0}")]
    Share(f64),
    /// Nobody fits.
    #[error("no camera fits")]
    Nobody,
    /// Fewer fit.
    #[error("cameras is from 1 to {fit}, which is how many fit; found {found}")]
    Count {
        /// As many as fit.
        fit: usize,
        /// What was asked for.
        found: usize,
    },
    /// A time that is none.
    #[error("{name} is from {SECONDS_MIN} to {SECONDS_MAX} seconds, found {found}")]
    Seconds {
        /// The member.
        name: &'static str,
        /// What was asked for.
        found: f64,
    },
    /// One without the other.
    #[error("every_s and repeat go together")]
    Half,
    /// It would begin again before it ended.
    #[error("every_s is longer than for_s")]
    Overlap,
    /// Too often, or never.
    #[error("repeat is from 1 to {REPEAT_MAX}, found {0}")]
    Repeat(u32),
    /// One at a time.
    #[error("a wave runs, for {0:.1} s more; DELETE /wave ends it")]
    Runs(f64),
}

/// A wave under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Wave {
    behaviour: Behaviour,
    cameras: Vec<String>,
    began_s: f64,
    for_s: f64,
    every_s: f64,
    repeat: u32,
}

/// What a wave does at a moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WaveState {
    /// What its cameras do.
    pub behaviour: Behaviour,
    /// How many they are.
    pub cameras: usize,
    /// Which.
    pub ids: Vec<String>,
    /// Whether they do it now.
    pub on: bool,
    /// Which time this is, from 1, and of how many.
    pub round: u32,
    /// Times in all.
    pub repeat: u32,
    /// Seconds since the first began.
    pub elapsed_s: f64,
    /// Seconds until the last ends.
    pub left_s: f64,
}

impl Wave {
    /// Checks a wish and chooses its cameras.
    pub fn new(wish: WaveWish, all: &[Candidate], now_s: f64) -> Result<Wave, WaveError> {
        for (name, found) in [("for_s", Some(wish.for_s)), ("every_s", wish.every_s)] {
            if let Some(found) = found
                && !(SECONDS_MIN..=SECONDS_MAX).contains(&found)
            {
                return Err(WaveError::Seconds { name, found });
            }
        }
        let (every_s, repeat) = match (wish.every_s, wish.repeat) {
            (None, None) => (wish.for_s, 1),
            (Some(every_s), _) if every_s <= wish.for_s => return Err(WaveError::Overlap),
            (Some(_), Some(repeat)) if !(1..=REPEAT_MAX).contains(&repeat) => return Err(WaveError::Repeat(repeat)),
            (Some(every_s), Some(repeat)) => (every_s, repeat),
            _ => return Err(WaveError::Half),
        };
        let cameras = choose(&wish, all)?;
        Ok(Wave { behaviour: wish.behaviour, cameras, began_s: now_s, for_s: wish.for_s, every_s, repeat })
    }

    /// What its cameras do while it is on.
    pub fn behaviour(&self) -> &Behaviour {
        &self.behaviour
    }

    /// Its cameras' ids.
    pub fn cameras(&self) -> &[String] {
        &self.cameras
    }

    /// Whether its cameras misbehave at `now_s`.
    pub fn is_on(&self, now_s: f64) -> bool {
        !self.is_over(now_s) && (now_s - self.began_s).rem_euclid(self.every_s) < self.for_s
    }

    /// Whether it has ended for good.
    pub fn is_over(&self, now_s: f64) -> bool {
        self.left_s(now_s) <= 0.0
    }

    /// Seconds until it has.
    pub fn left_s(&self, now_s: f64) -> f64 {
        self.began_s + f64::from(self.repeat - 1) * self.every_s + self.for_s - now_s
    }

    /// What it does at `now_s`.
    pub fn state(&self, now_s: f64) -> WaveState {
        let elapsed_s = (now_s - self.began_s).max(0.0);
        WaveState {
            behaviour: self.behaviour.clone(),
            cameras: self.cameras.len(),
            ids: self.cameras.clone(),
            on: self.is_on(now_s),
            round: ((elapsed_s / self.every_s) as u32 + 1).min(self.repeat),
            repeat: self.repeat,
            elapsed_s,
            left_s: self.left_s(now_s).max(0.0),
        }
    }
}

fn choose(wish: &WaveWish, all: &[Candidate]) -> Result<Vec<String>, WaveError> {
    if wish.cameras.is_none() && wish.share.is_none() && wish.prefix.is_none() && wish.owner.is_none() {
        return Err(WaveError::Whom);
    }
    let fits = |camera: &&Candidate| {
        wish.prefix.as_ref().is_none_or(|prefix| camera.id.starts_with(prefix.as_str()))
            && wish.owner.is_none_or(|owner| camera.owner == owner)
    };
    let mut fit: Vec<&str> = all.iter().filter(fits).map(|camera| camera.id.as_str()).collect();
    fit.sort_unstable();
    if fit.is_empty() {
        return Err(WaveError::Nobody);
    }
    let count = match (wish.cameras, wish.share) {
        (Some(_), Some(_)) => return Err(WaveError::TwoNumbers),
        (Some(found), None) if found == 0 || found > fit.len() => {
            return Err(WaveError::Count { fit: fit.len(), found });
        }
        (Some(count), None) => count,
        // A NaN is none either.
        (None, Some(share)) if !(share > 0.0 && share <= 1.0) => return Err(WaveError::Share(share)),
        (None, Some(share)) => ((fit.len() as f64 * share).round() as usize).max(1),
        (None, None) => fit.len(),
    };
    Ok((0..count).map(|at| fit[at * fit.len() / count].to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Candidate> {
        let owner = |number: usize| if number.is_multiple_of(2) { Owner::Police } else { Owner::Traffic };
        (0..10).map(|number| Candidate { id: format!("cam-{number}"), owner: owner(number) }).collect()
    }

    fn wave(json: &str) -> Result<Wave, WaveError> {
        let json = format!(r#"{{"behaviour":{{"kind":"offline"}},{json}}}"#);
        Wave::new(serde_json::from_str(&json).unwrap(), &all(), 100.0)
    }

    #[test]
    fn cameras_are_chosen_evenly_and_by_whose_they_are() {
        let chosen = |json: &str| wave(json).unwrap().cameras().join(" ");
        assert_eq!(chosen(r#""share":0.5,"for_s":1"#), "cam-0 cam-2 cam-4 cam-6 cam-8");
        assert_eq!(chosen(r#""cameras":3,"for_s":1"#), "cam-0 cam-3 cam-6");
        assert_eq!(chosen(r#""share":0.001,"for_s":1"#), "cam-0");
        assert_eq!(chosen(r#""prefix":"cam-7","for_s":1"#), "cam-7");
        assert_eq!(chosen(r#""owner":"traffic","share":0.4,"for_s":1"#), "cam-1 cam-5");
        assert_eq!(wave(r#""share":1,"for_s":1"#).unwrap().cameras().len(), 10);
    }

    #[test]
    fn a_wave_comes_again_and_ends_by_itself() {
        let wave = wave(r#""cameras":1,"for_s":2,"every_s":5,"repeat":3"#).unwrap();
        let on: Vec<bool> = (0..14).map(|second| wave.is_on(100.5 + f64::from(second))).collect();
        let at = |seconds: &[usize]| (0..14).map(|second| seconds.contains(&second)).collect::<Vec<_>>();
        assert_eq!(on, at(&[0, 1, 5, 6, 10, 11]));
        assert!(!wave.is_over(111.9) && wave.is_over(112.0));
        let state = wave.state(106.0);
        assert_eq!((state.on, state.round, state.repeat, state.elapsed_s, state.left_s), (true, 2, 3, 6.0, 6.0));
        assert_eq!((wave.state(113.0).round, wave.state(113.0).left_s), (3, 0.0));
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (json, says) in [
            (r#""for_s":1"#, "which cameras"),
            (r#""cameras":1,"share":0.5,"for_s":1"#, "not both"),
            (r#""share":0,"for_s":1"#, "found 0"),
            (r#""share":1.5,"for_s":1"#, "at most 1"),
            (r#""cameras":11,"for_s":1"#, "from 1 to 10"),
            (r#""cameras":0,"for_s":1"#, "found 0"),
            (r#""prefix":"nobody","for_s":1"#, "no camera fits"),
            (r#""share":1,"for_s":0"#, "for_s is from 0.2"),
            (r#""share":1,"for_s":-1"#, "for_s is from 0.2"),
            (r#""share":1,"for_s":1,"every_s":1e9,"repeat":2"#, "every_s is from"),
            (r#""share":1,"for_s":1,"repeat":2"#, "go together"),
            (r#""share":1,"for_s":1,"every_s":2"#, "go together"),
            (r#""share":1,"for_s":5,"every_s":5,"repeat":2"#, "longer than for_s"),
            (r#""share":1,"for_s":1,"every_s":2,"repeat":0"#, "repeat is from 1"),
        ] {
            let error = wave(json).unwrap_err().to_string();
            assert!(error.contains(says), "{json}: {error}");
        }
    }
}
