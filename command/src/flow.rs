//! The case flow: which change an order makes to an incident, or why it makes none.

use model::{Actor, Incident, IncidentChange, Right, Step, Verdict};

use crate::order::{Command, Order, Refusal, RefusalCode};

/// The longest note or reason, in characters.
const MAX_TEXT_CHARS: usize = 4_000;

/// The changes that `order` makes to `incident`, in order.
pub(crate) fn changes(incident: &Incident, order: &Order) -> Result<Vec<IncidentChange>, Refusal> {
    may(incident, order)?;
    reason_given(order)?;
    let open = incident.is_open();
    if !open && !matches!(order.command, Command::Reopen | Command::Note { .. }) {
        return Err(refuse(RefusalCode::WrongStep, "the incident has ended; reopen it first"));
    }
    if incident.suspended && is_flow_step(&order.command) {
        return Err(refuse(RefusalCode::WrongStep, "the incident is on hold; resume it first"));
    }
    let step = incident.step;
    let change = match &order.command {
        Command::Report { .. } => return Err(refuse(RefusalCode::BadField, "a report begins a new incident")),
        Command::Acknowledge => {
            if let Some(by) = &incident.acknowledged_by {
                return Err(refuse(RefusalCode::AlreadyDone, format!("already acknowledged by {by}")));
            }
            IncidentChange::Acknowledged
        }
        Command::Take => {
            let Actor::User(owner) = &order.actor else {
                return Err(refuse(RefusalCode::NotAllowed, "only a user can own an incident"));
            };
            if incident.owner.as_ref() == Some(owner) {
                return Err(refuse(RefusalCode::AlreadyDone, "it is yours already"));
            }
            IncidentChange::Taken { owner: owner.clone() }
        }
        Command::Note { text } => IncidentChange::Noted { text: text_of(text, "text")? },
        Command::Accept => advance(step, Step::Report, Step::Accept)?,
        Command::File { level } => {
            let mut changes = Vec::new();
            if let Some(to) = level.filter(|to| *to != incident.level) {
                changes.push(IncidentChange::LevelChanged { from: incident.level, to });
            }
            changes.push(advance(step, Step::Accept, Step::File)?);
            return Ok(changes);
        }
        Command::Dispatch { responder } => {
            if !matches!(step, Step::File | Step::Dispatch) {
                return Err(wrong(step, Step::Dispatch, Step::File));
            }
            if step == Step::Dispatch && incident.responder.as_ref() == Some(responder) {
                return Err(refuse(RefusalCode::AlreadyDone, format!("already dispatched to {responder}")));
            }
            IncidentChange::Dispatched { from: step, responder: responder.clone() }
        }
        Command::Handle => advance(step, Step::Dispatch, Step::Handle)?,
        Command::Verify => advance(step, Step::Handle, Step::Verify)?,
        Command::Close { verdict } => close(step, *verdict)?,
        Command::Return => {
            if !matches!(step, Step::Dispatch | Step::Handle) {
                return Err(refuse(RefusalCode::WrongStep, "only what is dispatched or handled can be returned"));
            }
            IncidentChange::Returned { from: step }
        }
        Command::Reject => IncidentChange::Rejected,
        Command::Merge { into } => {
            if *into == incident.id {
                return Err(refuse(RefusalCode::BadField, "an incident cannot be merged into itself"));
            }
            IncidentChange::Merged { into: into.clone() }
        }
        Command::Suspend if incident.suspended => {
            return Err(refuse(RefusalCode::AlreadyDone, "it is on hold already"));
        }
        Command::Suspend => IncidentChange::Suspended,
        Command::Resume if !incident.suspended => {
            return Err(refuse(RefusalCode::WrongStep, "it is not on hold"));
        }
        Command::Resume => IncidentChange::Resumed,
        Command::Cancel => IncidentChange::Cancelled,
        Command::Reopen if open => return Err(refuse(RefusalCode::WrongStep, "it has not ended")),
        Command::Reopen => IncidentChange::Reopened,
    };
    Ok(vec![change])
}

/// A text with content and of bearable length.
pub(crate) fn text_of(text: &str, field: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Err(refuse(RefusalCode::BadField, format!("{field} is empty")));
    }
    if text.chars().count() > MAX_TEXT_CHARS {
        return Err(refuse(RefusalCode::BadField, format!("{field} has more than {MAX_TEXT_CHARS} characters")));
    }
    Ok(text.to_owned())
}

fn refuse(code: RefusalCode, message: impl Into<String>) -> Refusal {
    Refusal::new(code, message)
}

fn wrong(stands_at: Step, wanted: Step, needs: Step) -> Refusal {
    refuse(
        RefusalCode::WrongStep,
        format!("{} follows {}; the incident stands at {}", wanted.as_str(), needs.as_str(), stands_at.as_str()),
    )
}

fn advance(stands_at: Step, needs: Step, to: Step) -> Result<IncidentChange, Refusal> {
    if stands_at == needs {
        Ok(IncidentChange::Advanced { from: stands_at, to })
    } else if stands_at >= to {
        Err(refuse(RefusalCode::AlreadyDone, format!("{} is done already", to.as_str())))
    } else {
        Err(wrong(stands_at, to, needs))
    }
}

/// What was real is closed after it was verified; what was not, as soon as a desk has taken it in.
fn close(step: Step, verdict: Verdict) -> Result<IncidentChange, Refusal> {
    let needs = if verdict == Verdict::True { Step::Verify } else { Step::Accept };
    if step < needs { Err(wrong(step, Step::Close, needs)) } else { Ok(IncidentChange::Closed { from: step, verdict }) }
}

fn is_flow_step(command: &Command) -> bool {
    matches!(
        command,
        Command::Accept
            | Command::File { .. }
            | Command::Dispatch { .. }
            | Command::Handle
            | Command::Verify
            | Command::Close { .. }
            | Command::Return
    )
}

fn may(incident: &Incident, order: &Order) -> Result<(), Refusal> {
    let is_responder = matches!((&order.actor, &incident.responder), (Actor::User(a), Some(r)) if a == r);
    let allowed = match &order.command {
        Command::Note { .. } | Command::Report { .. } => order.role.has(Right::Report),
        Command::Handle | Command::Return => order.role.has(Right::Operate) || is_responder,
        Command::Verify => {
            if is_responder {
                return Err(refuse(RefusalCode::NotAllowed, "whoever handled it cannot verify it"));
            }
            order.role.has(Right::Operate)
        }
        Command::Suspend | Command::Resume | Command::Reopen => order.role.has(Right::Lead),
        _ => order.role.has(Right::Operate),
    };
    if allowed {
        Ok(())
    } else {
        Err(refuse(RefusalCode::NotAllowed, format!("a {} cannot do this", order.role.as_str())))
    }
}

fn reason_given(order: &Order) -> Result<(), Refusal> {
    let needed = matches!(
        order.command,
        Command::Return
            | Command::Reject
            | Command::Merge { .. }
            | Command::Suspend
            | Command::Cancel
            | Command::Reopen
            | Command::Close { verdict: Verdict::False | Verdict::Nuisance }
    );
    match order.reason.as_deref() {
        Some(reason) if !reason.trim().is_empty() => text_of(reason, "reason").map(drop),
        _ if needed => Err(refuse(RefusalCode::ReasonRequired, "this needs a reason")),
        _ => Ok(()),
    }
}
