//! Warning levels and hazards.

use serde::{Deserialize, Serialize};

/// The four statutory warning levels, rising. In CAP 1.2: Minor, Moderate, Severe, Extreme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// IV, minor 一般.
    Blue,
    /// III, moderate 较重.
    Yellow,
    /// II, severe 严重.
    Orange,
    /// I, extreme 特别严重.
    Red,
}

impl Level {
    /// All levels, rising.
    pub const ALL: [Level; 4] = [Level::Blue, Level::Yellow, Level::Orange, Level::Red];

    /// The name in rules, the API and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Blue => "blue",
            Level::Yellow => "yellow",
            Level::Orange => "orange",
            Level::Red => "red",
        }
    }
}

/// What kind of harm an alarm or incident is about. Alarms of one place and one hazard join one incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Hazard {
    /// Rivers, rain, flooded roads.
    Flood,
    /// Smoke, heat, flame.
    Fire,
    /// Gas and other dangerous substances.
    Gas,
    /// Slopes and ground that move.
    Geology,
    /// Doors, fences, premises.
    Security,
    /// Roads, bridges, vehicles.
    Traffic,
    /// Too many people in one place; counts only.
    Crowd,
    /// Mains, UPS, street lights, pumps, lifts.
    Utility,
    /// Bins, air, noise, water quality.
    Environment,
    /// The hub's own cameras, sensors and links.
    Equipment,
    /// A dispute or request that a person reported.
    Request,
    /// Anything else.
    Other,
}

impl Hazard {
    /// All hazards.
    pub const ALL: [Hazard; 12] = [
        Hazard::Flood,
        Hazard::Fire,
        Hazard::Gas,
        Hazard::Geology,
        Hazard::Security,
        Hazard::Traffic,
        Hazard::Crowd,
        Hazard::Utility,
        Hazard::Environment,
        Hazard::Equipment,
        Hazard::Request,
        Hazard::Other,
    ];

    /// The name in rules, the API and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Hazard::Flood => "flood",
            Hazard::Fire => "fire",
            Hazard::Gas => "gas",
            Hazard::Geology => "geology",
            Hazard::Security => "security",
            Hazard::Traffic => "traffic",
            Hazard::Crowd => "crowd",
            Hazard::Utility => "utility",
            Hazard::Environment => "environment",
            Hazard::Equipment => "equipment",
            Hazard::Request => "request",
            Hazard::Other => "other",
        }
    }
}
