//! Long tellings in pieces: after a long stop or a burst there may be a hundred thousand rows for the log. In one append
//! they would all be lost, and begun again, whenever the hub is killed before its end.

use model::{Actor, LogBody};

/// Rows in one append, about.
const PIECE: usize = 1_024;

/// What goes to the log.
pub type Row = (Actor, LogBody);

/// Rows in pieces that are appended whole: the incident rows that follow from an alarm's row stay with it.
pub fn pieces(rows: Vec<Row>) -> Vec<Vec<Row>> {
    let mut pieces = vec![Vec::new()];
    for row in rows {
        let full = pieces.last().is_some_and(|piece: &Vec<Row>| piece.len() >= PIECE);
        if full && matches!(row.1, LogBody::Alarm(_) | LogBody::Shadow(_)) {
            pieces.push(Vec::new());
        }
        pieces.last_mut().expect("there is one").push(row);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use model::{
        AlarmChange, AlarmId, AlarmTransition, IncidentChange, IncidentId, IncidentTransition, Step, Timestamp,
    };

    use super::*;

    fn alarm(number: usize) -> Row {
        let transition = AlarmTransition {
            alarm: AlarmId::new(number.to_string()),
            rule: "rule".into(),
            source: "gauge-1".into(),
            seq: 1,
            at: Timestamp::UNIX_EPOCH,
            change: AlarmChange::Stale,
        };
        (Actor::Hub, LogBody::Alarm(transition))
    }

    fn incident(number: usize) -> Row {
        let transition = IncidentTransition {
            incident: IncidentId::new(number.to_string()),
            seq: 1,
            at: Timestamp::UNIX_EPOCH,
            actor: Actor::Hub,
            reason: None,
            change: IncidentChange::DeadlineBreached { due: Step::Accept },
        };
        (Actor::Hub, LogBody::Incident(transition))
    }

    #[test]
    fn a_long_telling_is_cut_where_an_alarm_begins() {
        // Each third alarm opens an incident of three rows.
        let rows: Vec<Row> = (0..5_000)
            .flat_map(|n| std::iter::once(alarm(n)).chain((0..if n % 3 == 0 { 3 } else { 0 }).map(incident)))
            .collect();
        let pieces = pieces(rows.clone());
        assert!(pieces.len() > 8, "{}", pieces.len());
        assert!(pieces.iter().all(|piece| piece.len() < PIECE + 4 && matches!(piece[0].1, LogBody::Alarm(_))));
        assert_eq!(pieces.concat(), rows);
    }
}
