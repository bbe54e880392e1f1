//! Who is pulled when not everybody can be: the order of claims, and who is shed.
//!
//! Pure. The fleet tells what each stream is wanted for; the limit on sessions and an emergency's area decide.

use video::StreamKey;

/// What a stream is wanted for, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Claim {
    /// It stands in the area of an emergency.
    Area,
    /// Somebody watches it.
    Viewer,
    /// The hub keeps it for itself, and the place matters most.
    KeySite,
    /// The hub keeps it for itself.
    Usual,
}

/// A stream that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    pub key: StreamKey,
    pub claim: Claim,
    /// Whether it has a session now.
    pub is_open: bool,
}

/// The streams that have no place among `sessions_max`. The weakest claims go first; among equals those without a session,
/// so that nothing is closed for the sake of its like, then by name.
pub(crate) fn shed(mut wishes: Vec<Wish>, sessions_max: usize) -> Vec<Wish> {
    if wishes.len() <= sessions_max {
        return Vec::new();
    }
    let order = |a: &Wish, b: &Wish| (a.claim, !a.is_open, &a.key).cmp(&(b.claim, !b.is_open, &b.key));
    // Where the line runs is enough: the order of thousands that stay is nobody's question.
    wishes.select_nth_unstable_by(sessions_max, order);
    let mut gone = wishes.split_off(sessions_max);
    gone.sort_unstable_by(order);
    gone
}

#[cfg(test)]
mod tests {
    use model::Profile;
    use proptest::prelude::*;

    use super::*;

    fn wish(id: &str, claim: Claim, is_open: bool) -> Wish {
        Wish { key: (id.into(), Profile::Sub), claim, is_open }
    }

    fn names(shed: &[Wish]) -> Vec<&str> {
        shed.iter().map(|wish| wish.key.0.as_str()).collect()
    }

    #[test]
    fn within_the_limit_nobody_is_shed() {
        assert_eq!(shed(vec![wish("a", Claim::Usual, false), wish("b", Claim::Area, true)], 2), []);
    }

    #[test]
    fn the_weakest_claims_go_first_and_what_runs_stays_among_equals() {
        let wishes = vec![
            wish("usual-open", Claim::Usual, true),
            wish("usual-closed", Claim::Usual, false),
            wish("key", Claim::KeySite, false),
            wish("viewer", Claim::Viewer, false),
            wish("area", Claim::Area, false),
        ];
        assert_eq!(names(&shed(wishes.clone(), 4)), ["usual-closed"]);
        assert_eq!(names(&shed(wishes.clone(), 3)), ["usual-open", "usual-closed"]);
        assert_eq!(names(&shed(wishes, 1)), ["viewer", "key", "usual-open", "usual-closed"]);
    }

    proptest! {
        #[test]
        fn no_shed_stream_has_a_stronger_claim_than_one_that_stays(
            claims in proptest::collection::vec((0..4u8, any::<bool>()), 0..60), max in 0..60usize,
        ) {
            let claim = |n| [Claim::Area, Claim::Viewer, Claim::KeySite, Claim::Usual][usize::from(n)];
            let wishes: Vec<Wish> =
                claims.iter().enumerate().map(|(n, (c, open))| wish(&n.to_string(), claim(*c), *open)).collect();
            let gone = shed(wishes.clone(), max);
            prop_assert_eq!(wishes.len() - gone.len(), wishes.len().min(max));
            let strongest_gone = gone.iter().map(|w| w.claim).min();
            let weakest_kept = wishes.iter().filter(|w| !gone.contains(w)).map(|w| w.claim).max();
            prop_assert!(strongest_gone.is_none() || weakest_kept.is_none() || weakest_kept <= strongest_gone);
        }
    }
}
