//! Roles, rights and scopes: who may do what, where.

use serde::{Deserialize, Serialize};

use crate::{GridId, Owner};

/// A role; each includes what is listed for it in [`Role::has`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees the town, changes nothing.
    Viewer,
    /// Gets dispatched incidents, reports back.
    Responder,
    /// Handles the queue at a desk.
    Operator,
    /// Leads a shift: approves, verifies, reads the audit.
    Lead,
    /// Manages sources, users and rules.
    Admin,
}

/// One thing a caller may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// List sources, observations, alarms, incidents of the scope.
    See,
    /// Watch live video and stills of the scope (always leaves an audit row).
    Watch,
    /// Report an incident; add a note; tick off what was dispatched to oneself.
    Report,
    /// Acknowledge, take, accept, file, dispatch, shelve.
    Operate,
    /// Approve suspension, verify, reopen, read the audit.
    Lead,
    /// Manage sources, users, tokens, rules; browse dead letters.
    Administer,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 5] = [Role::Viewer, Role::Responder, Role::Operator, Role::Lead, Role::Admin];

    /// Whether the role has the right.
    pub fn has(self, right: Right) -> bool {
        match right {
            Right::See | Right::Watch => true,
            Right::Report => self != Role::Viewer,
            Right::Operate => matches!(self, Role::Operator | Role::Lead | Role::Admin),
            Right::Lead => matches!(self, Role::Lead | Role::Admin),
            Right::Administer => self == Role::Admin,
        }
    }

    /// The name on the command line, in the API and in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Responder => "responder",
            Role::Operator => "operator",
            Role::Lead => "lead",
            Role::Admin => "admin",
        }
    }
}

/// Which part of the town a caller may see. An empty list means no limit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Scope {
    /// Grids, each with all grids inside it.
    #[serde(default)]
    pub grids: Vec<GridId>,
    /// Owners of sources.
    #[serde(default)]
    pub owners: Vec<Owner>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_grow_with_the_role_from_operator_up() {
        assert!(!Role::Viewer.has(Right::Report));
        assert!(Role::Responder.has(Right::Report) && !Role::Responder.has(Right::Operate));
        assert!(Role::Operator.has(Right::Operate) && !Role::Operator.has(Right::Lead));
        assert!(Role::Lead.has(Right::Lead) && !Role::Lead.has(Right::Administer));
        assert!(Role::Admin.has(Right::Administer));
    }
}
