//! The rules a new hub begins with.

/// File name and text of each.
pub const READY: &[(&str, &str)] = &[
    ("river.yaml", include_str!("../../config/rules/river.yaml")),
    ("fire.yaml", include_str!("../../config/rules/fire.yaml")),
    ("premises.yaml", include_str!("../../config/rules/premises.yaml")),
    ("equipment.yaml", include_str!("../../config/rules/equipment.yaml")),
];
