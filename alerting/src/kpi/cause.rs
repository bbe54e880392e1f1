//! Why an alarm that was raised is not announced.

use model::AlarmChange;

/// What keeps a raised alarm from people. Everything kept from them is counted under one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Another alarm explains it, as a gateway its silent sensors.
    Inhibited,
    /// A person put it aside.
    Shelved,
    /// A silence covers it.
    Silenced,
    /// Its source is out of service.
    OutOfService,
    /// It comes too often.
    Chatter,
    /// Its rule is on trial.
    Shadow,
}

impl Cause {
    /// All of them, in the order of reports.
    pub const ALL: [Cause; 6] =
        [Cause::Inhibited, Cause::Shelved, Cause::Silenced, Cause::OutOfService, Cause::Chatter, Cause::Shadow];

    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Inhibited => "inhibited",
            Cause::Shelved => "shelved",
            Cause::Silenced => "silenced",
            Cause::OutOfService => "out_of_service",
            Cause::Chatter => "chatter",
            Cause::Shadow => "shadow",
        }
    }

    /// What keeps an alarm from people at its raise, as the transition itself says; none when it is announced.
    pub fn at_raise(change: &AlarmChange) -> Option<Self> {
        match change {
            AlarmChange::Raised { shadow: true, .. } => Some(Cause::Shadow),
            AlarmChange::Raised { suppressed_by: Some(_), .. } => Some(Cause::Inhibited),
            AlarmChange::Raised { shelved_until: Some(_), .. } => Some(Cause::Shelved),
            _ => None,
        }
    }

    /// Whether a transition takes away what kept an alarm from people: it is announced now.
    pub fn ends_with(self, change: &AlarmChange) -> bool {
        match self {
            Cause::Shelved => matches!(change, AlarmChange::Unshelved { .. }),
            Cause::Inhibited => matches!(change, AlarmChange::Unsuppressed),
            _ => false,
        }
    }
}
