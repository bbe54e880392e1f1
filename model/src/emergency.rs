//! What an emergency's area gets of the cameras, and what that costs the others.

use serde::{Deserialize, Serialize};

/// What an emergency's area has got, and at whose cost: against how it would be now without the emergency, whatever area
/// was in force before. Counted anew every ten seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Cost))]
pub struct AreaCost {
    /// Cameras in the area, without residents' own.
    pub cameras: usize,
    /// Streams of theirs that are pulled or being connected.
    pub streams: usize,
    /// Those among them that nobody would pull without it.
    pub opened: usize,
    /// Streams of the area that found no place: the limit on sessions is smaller than the area.
    pub refused: usize,
    /// Streams elsewhere that the hub keeps for itself and had to let go.
    pub shed_usual: usize,
    /// The same of key sites.
    pub shed_key_sites: usize,
    /// Streams elsewhere that somebody watches and that had to be closed.
    pub shed_watched: usize,
    /// Cameras on demand elsewhere are not asked how they are meanwhile.
    pub probes_paused: bool,
}
