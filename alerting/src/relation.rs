//! How two sources are related: by what the registry says of both, or by their distance.
//!
//! Belongs here: what `same` and `near` mean. How related sources are found quickly is `engine/kin.rs`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use model::Source;

/// What makes two sources belong together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Relation {
    /// Being one and the same.
    Itself,
    /// Having the same of something.
    Same(Same),
    /// Standing at most so many metres apart; a source without a place is near itself only.
    Near(f64),
}

/// What they have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Same {
    /// The grid.
    Grid,
    /// The owner.
    Owner,
    /// The recorder: the tag, or else the host that a camera is pulled from.
    Recorder,
    /// The value of a tag. A source that the others' tags name belongs to them: a gateway to its sensors.
    Tag(Arc<str>),
}

impl Same {
    /// `grid`, `owner`, `recorder`, or the name of a tag.
    pub fn of(name: &str) -> Self {
        match name {
            "grid" => Same::Grid,
            "owner" => Same::Owner,
            "recorder" => Same::Recorder,
            tag => Same::Tag(tag.into()),
        }
    }

    /// What the source has of it: two sources are related when they share one of these. At most two, none equal.
    pub fn keys<'s>(&self, source: &'s Source) -> impl Iterator<Item = Cow<'s, str>> + use<'s> {
        let tag = |name: &str| source.tags.get(name).filter(|value| !value.is_empty());
        let (key, own) = match self {
            Same::Grid => (Some(source.grid.as_str().into()), None),
            Same::Owner => (Some(source.owner.as_str().into()), None),
            Same::Recorder => {
                let host = || source.host().map(Cow::Owned);
                (tag("recorder").map(|value| value.as_str().into()).or_else(host), Some(source.id.as_str().into()))
            }
            Same::Tag(name) => (tag(name).map(|value| value.as_str().into()), Some(source.id.as_str().into())),
        };
        let own = own.filter(|own: &Cow<'s, str>| key.as_ref() != Some(own));
        [key, own].into_iter().flatten()
    }
}

/// As it stands in a rule; part of what the rule means.
impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Relation::Itself => f.write_str("itself"),
            Relation::Same(same) => write!(f, "same {same}"),
            Relation::Near(metres) => write!(f, "near {metres}m"),
        }
    }
}

impl fmt::Display for Same {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Same::Grid => "grid",
            Same::Owner => "owner",
            Same::Recorder => "recorder",
            Same::Tag(name) => name,
        })
    }
}
