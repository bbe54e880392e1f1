//! Judges one camera's pictures, one after the other: pure, the time is an argument.
//!
//! *Covered* is a loss: a picture in which there was something to see and suddenly is nothing. Night is no loss: it comes
//! slowly, and what is left of a night scene, a lamp or a lit window, is something. A camera that has shown nothing since
//! the hub knows it, and is dark, is not judged at all: nobody can tell a cover from the night then.

use model::Timestamp;

use super::measure::Measure;
use crate::decode::Luma;

/// Brighter than this, 1 pixel in 100, and a picture is not black: a camera without a signal codes 0 to 2.
const BLACK: u8 = 8;
/// There is nothing to see when fewer cells than this hold something.
const NOTHING: f32 = 0.02;
/// A covered camera is free again when more cells than this hold something.
const FREE: f32 = 0.04;
/// What must have been there before it can be lost, in the same measure.
const LOSABLE: f32 = 0.08;
/// The share of the usual difference between cells below which it is lost.
const LOST: f32 = 0.4;
/// A picture this bright shows a cover and no night, also without a memory.
const DAYLIGHT: f32 = 60.0;
/// Looks at nothing in daylight after which it is called covered without a memory.
const DAYLIGHT_LOOKS: u32 = 12;
/// Seconds in which the memory of what is usual follows: faster than dusk, slower than a hand.
const MEMORY_S: f64 = 90.0;
/// Looks in a row that must agree before the class changes.
const AGREE: u32 = 2;
/// Two pictures are the same when no cell differs by more levels: sensor noise alone moves some cell by a quarter.
const SAME: f32 = 0.125;
/// Seconds of the same picture, and looks in them, after which it is frozen.
const FROZEN_S: i64 = 120;
const FROZEN_LOOKS: u32 = 8;

/// What a camera's picture is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PictureClass {
    /// Something can be seen.
    Normal,
    /// What could be seen is suddenly gone.
    Covered,
    /// No light at all, not even noise.
    Black,
    /// The very same picture for minutes, though key frames arrive.
    Frozen,
}

impl PictureClass {
    /// All classes.
    pub const ALL: [PictureClass; 4] =
        [PictureClass::Normal, PictureClass::Covered, PictureClass::Black, PictureClass::Frozen];

    /// The value of the reading `picture`.
    pub fn as_str(self) -> &'static str {
        match self {
            PictureClass::Normal => "normal",
            PictureClass::Covered => "covered",
            PictureClass::Black => "black",
            PictureClass::Frozen => "frozen",
        }
    }

    /// Reads [`PictureClass::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text)
    }
}

/// What a camera usually shows.
#[derive(Debug, Clone, Copy)]
struct Usual {
    structure: f32,
    edge: f32,
    looks: u32,
    at: Timestamp,
}

/// The picture that has not changed since.
#[derive(Debug, Clone)]
struct Same {
    cells: Vec<u16>,
    since: Timestamp,
    looks: u32,
}

/// Remembers one camera.
#[derive(Debug, Clone, Default)]
pub(crate) struct Classifier {
    class: Option<PictureClass>,
    /// Another class, and how many looks in a row have seen it.
    candidate: Option<(PictureClass, u32)>,
    usual: Option<Usual>,
    same: Option<Same>,
    daylight_looks: u32,
}

impl Classifier {
    /// One that knows what the class was before the hub's restart.
    pub(crate) fn knowing(class: PictureClass) -> Self {
        // What was normal hours ago may be night now; what was covered stays so until it is seen to be free.
        Self { class: (class != PictureClass::Normal).then_some(class), ..Self::default() }
    }

    /// The class after this picture; none while it cannot be told. `at` is the time of the picture.
    pub(crate) fn look(&mut self, luma: &Luma, at: Timestamp) -> Option<PictureClass> {
        let Some(measure) = Measure::of(luma) else { return self.class };
        let unchanged = self.unchanged(&measure, at);
        let seen = self.judge(&measure, unchanged);
        if matches!(seen, Some(PictureClass::Normal | PictureClass::Frozen)) {
            self.remember(&measure, at);
        }
        match seen {
            None => self.candidate = None,
            Some(class) if self.class == Some(class) => self.candidate = None,
            Some(class) => {
                let looks = self.candidate.filter(|(other, _)| *other == class).map_or(1, |(_, looks)| looks + 1);
                // The first good picture of a camera needs no second opinion.
                let enough = looks >= AGREE || (self.class.is_none() && class == PictureClass::Normal);
                self.candidate = (!enough).then_some((class, looks));
                if enough {
                    self.class = Some(class);
                }
            }
        }
        self.class
    }

    /// What this picture alone says, in the light of what is usual.
    fn judge(&mut self, measure: &Measure, unchanged: bool) -> Option<PictureClass> {
        let covered = self.class == Some(PictureClass::Covered);
        let nothing = measure.structure < if covered { FREE } else { NOTHING };
        self.daylight_looks = if nothing && measure.mean >= DAYLIGHT { self.daylight_looks + 1 } else { 0 };
        if measure.bright <= BLACK {
            return Some(PictureClass::Black);
        }
        if !nothing {
            return Some(if unchanged { PictureClass::Frozen } else { PictureClass::Normal });
        }
        match &self.usual {
            _ if covered => Some(PictureClass::Covered),
            Some(usual) if usual.structure >= LOSABLE && measure.edge < LOST * usual.edge => {
                Some(PictureClass::Covered)
            }
            _ if self.daylight_looks >= DAYLIGHT_LOOKS => Some(PictureClass::Covered),
            // It went slowly, or there never was much: night, fog, a white wall.
            Some(_) => Some(PictureClass::Normal),
            None => None,
        }
    }

    fn remember(&mut self, measure: &Measure, at: Timestamp) {
        let Some(usual) = &mut self.usual else {
            self.usual = Some(Usual { structure: measure.structure, edge: measure.edge, looks: 1, at });
            return;
        };
        usual.looks = usual.looks.saturating_add(1);
        let passed_s = at.duration_since(usual.at).as_secs_f64().max(0.0);
        // At first the plain mean, so that one odd picture is not the whole memory.
        let weight = (1.0 - (-passed_s / MEMORY_S).exp()).max(1.0 / f64::from(usual.looks.min(4))) as f32;
        usual.structure += (measure.structure - usual.structure) * weight;
        usual.edge += (measure.edge - usual.edge) * weight;
        usual.at = at;
    }

    /// Whether the picture has been the same for long.
    fn unchanged(&mut self, measure: &Measure, at: Timestamp) -> bool {
        match &mut self.same {
            Some(same) if measure.difference(&same.cells) <= SAME => {
                same.looks += 1;
                same.looks >= FROZEN_LOOKS && at.duration_since(same.since).as_secs() >= FROZEN_S
            }
            _ => {
                self.same = Some(Same { cells: measure.cells.clone(), since: at, looks: 1 });
                false
            }
        }
    }
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
