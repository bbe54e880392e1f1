//! What a session holds, and when it says that it is full.

use bytes::Bytes;

use super::*;

const MESSAGE: usize = 1_000;

fn delivery(qos: u8) -> Delivery {
    let payload = Bytes::from(vec![0; MESSAGE - 65]);
    let message = Message { topic: "t".into(), payload, qos, retain: false, properties: None, expires_at: None };
    assert_eq!(message.size(), MESSAGE);
    Delivery { message: Arc::new(message), qos, retain: false, ack: None }
}

/// A session with room for ten messages, out of twenty for all.
fn session(is_hub: bool, budget: &Arc<Budget>) -> Arc<Session> {
    Session::new("a".into(), is_hub, Arc::clone(budget), 10 * MESSAGE)
}

fn budget() -> Arc<Budget> {
    Arc::new(Budget::new(20 * MESSAGE))
}

fn attach(session: &Session) -> Arc<Wire> {
    let wire = Wire::new(&CancellationToken::new());
    session.attach(&wire, usize::from(u16::MAX), Some(Duration::from_secs(600)));
    wire
}

/// Offers until it is no longer taken; how many were.
fn fill(session: &Session, qos: u8) -> usize {
    (0..1_000).take_while(|_| matches!(session.offer(delivery(qos)), Offer::Taken)).count()
}

fn take(session: &Session, wire: &Arc<Wire>) -> Vec<u16> {
    let mut out = Vec::new();
    session.take(wire, usize::MAX, Instant::now(), &mut out);
    out.iter().filter_map(|item| item.packet_id).collect()
}

#[test]
fn what_is_on_its_way_counts_until_it_is_acknowledged() {
    let budget = budget();
    let session = session(false, &budget);
    let wire = attach(&session);
    assert_eq!(fill(&session, 1), 10);
    let ids = take(&session, &wire);
    assert_eq!(ids.len(), 10);
    assert!(matches!(session.offer(delivery(1)), Offer::Full(_)), "a client that never acknowledges gets no more");
    assert_eq!(budget.used(), 10 * MESSAGE);
    for id in ids {
        session.acknowledged(id);
    }
    assert_eq!(budget.used(), 0);
    assert_eq!(fill(&session, 1), 10);
    drop(session);
    assert_eq!(budget.used(), 0);
}

#[test]
fn messages_of_qos_0_leave_a_quarter_and_are_gone_when_written() {
    let budget = budget();
    let session = session(false, &budget);
    let wire = attach(&session);
    assert_eq!(fill(&session, 0), 7);
    assert!(matches!(session.offer(delivery(1)), Offer::Taken));
    take(&session, &wire);
    assert_eq!(budget.used(), MESSAGE, "the one of QoS 1 is on its way");
}

#[test]
fn those_who_are_away_leave_half_and_the_hub_needs_none() {
    let budget = budget();
    let away: Vec<_> = (0..3).map(|_| session(false, &budget)).collect();
    let taken: usize = away.iter().map(|session| fill(session, 1)).sum();
    assert_eq!(taken, 11, "over half by one message at most");
    let there = session(false, &budget);
    attach(&there);
    assert_eq!(fill(&there, 1), 10);
    assert!(budget.is_exceeded());
    let late = session(false, &budget);
    attach(&late);
    assert_eq!(fill(&late, 1), 0);
    let hub = session(true, &budget);
    assert_eq!(fill(&hub, 1), 10);
    assert_eq!(away.iter().map(|session| session.shed()).sum::<usize>(), 11);
    assert_eq!((there.shed(), hub.shed()), (0, 0), "only what lies for those who are away");
    assert_eq!(budget.used(), 20 * MESSAGE);
}

#[test]
fn kept_messages_do_not_pile_up_for_one_who_subscribes_again_and_again() {
    let budget = budget();
    let session = session(false, &budget);
    attach(&session);
    let taken = (0..1_000).take_while(|_| session.push_retained(delivery(1))).count();
    assert_eq!(taken, 11);
}

#[test]
fn a_message_of_qos_2_is_ours_when_its_answer_was_written() {
    let session = session(false, &budget());
    attach(&session);
    assert!(session.receive_once(7) && !session.receive_once(7));
    assert!(session.receive_once(8));
    session.answered_once(8);
    attach(&session);
    assert!(session.receive_once(7), "lost with its connection: it comes again");
    assert!(!session.receive_once(8), "answered: a repetition");
    assert!(session.release(8) && !session.release(9));
}
