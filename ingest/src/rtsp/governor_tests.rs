use std::collections::{BTreeMap, HashSet};

use model::{Profile, SourceId};

use super::*;

pub(super) fn limits() -> Limits {
    Limits {
        connects_per_s: 100.0,
        burst: 20.0,
        connecting_max: 64,
        connecting_per_host_max: 8,
        retry_min: Duration::from_secs(1),
        retry_max: Duration::from_secs(60),
        stable: Duration::from_secs(30),
        auth_retry: Duration::from_secs(1_800),
    }
}

pub(super) fn key(n: usize) -> StreamKey {
    (SourceId::new(format!("cam-{n}")), Profile::Sub)
}

fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn the_rate_budget_holds_from_the_first_moment() {
    let mut g = Governor::new(Limits { connecting_max: 10_000, ..limits() }, 1);
    for n in 0..1_000 {
        g.add(key(n), format!("host-{n}").into(), Priority::Always, Duration::ZERO);
    }
    assert_eq!(g.poll(s(0.0)).len(), 20, "the burst");
    assert_eq!(g.poll(s(0.05)).len(), 5);
    assert_eq!(g.next_deadline().map(|d| d.as_millis()), Some(60));
    assert_eq!(g.poll(s(60.0)).len(), 20, "a long pause saves up no more than the burst");
}

#[test]
fn slots_are_held_until_play_is_answered() {
    let mut g = Governor::new(Limits { connecting_max: 3, burst: 100.0, ..limits() }, 1);
    for n in 0..5 {
        g.add(key(n), format!("host-{n}").into(), Priority::Always, Duration::ZERO);
    }
    let first = g.poll(s(0.0));
    assert_eq!(first.len(), 3);
    assert_eq!(g.next_deadline(), None, "only progress frees a slot");
    g.playing(&first[0]);
    g.playing(&first[0]);
    assert_eq!(g.poll(s(0.1)).len(), 1);
    g.ended(&first[1], Ended::Failed, s(0.2));
    assert_eq!(g.poll(s(0.2)).len(), 1);
}

#[test]
fn a_slow_server_does_not_hold_up_the_others() {
    let mut g = Governor::new(Limits { burst: 100.0, ..limits() }, 1);
    for n in 0..50 {
        g.add(key(n), "slow".into(), Priority::Always, Duration::ZERO);
    }
    g.add(key(99), "other".into(), Priority::Always, Duration::ZERO);
    let permitted = g.poll(s(0.0));
    assert_eq!(permitted.len(), 9, "8 of the slow server and the other one");
    assert!(permitted.contains(&key(99)));
}

#[test]
fn viewers_go_first_and_shorten_a_wait_but_not_that_of_refused_credentials() {
    let mut g = Governor::new(Limits { burst: 1.0, ..limits() }, 1);
    for n in 0..3 {
        g.add(key(n), "host".into(), Priority::Always, Duration::ZERO);
    }
    g.set_priority(&key(2), Priority::Viewer, s(0.0));
    assert_eq!(g.poll(s(0.0)), [key(2)]);
    let mut wait = Duration::ZERO;
    let mut now = s(0.0);
    while wait < s(20.0) {
        wait = g.ended(&key(2), Ended::Failed, now);
        now += wait;
    }
    g.set_priority(&key(2), Priority::Always, now - wait);
    g.set_priority(&key(2), Priority::Viewer, now - wait);
    assert!(g.timers.iter().any(|(due, _, k)| *k == key(2) && *due == now - wait + s(1.0)));
    g.ended(&key(1), Ended::AuthFailed, now);
    g.set_priority(&key(1), Priority::Viewer, now);
    assert!(g.timers.iter().any(|(due, _, k)| *k == key(1) && *due >= now + s(1_800.0)));
}

#[test]
fn the_ladder_grows_to_its_end_and_is_reset_only_by_a_stable_session() {
    let mut g = Governor::new(limits(), 7);
    g.add(key(1), "host".into(), Priority::Always, Duration::ZERO);
    let mut now = Duration::ZERO;
    let mut waits = Vec::new();
    for _ in 0..200 {
        let wait = g.ended(&key(1), Ended::Failed, now);
        waits.push(wait);
        now += wait;
        assert_eq!(g.poll(now), [key(1)]);
        // Live for a moment each time: a flapping camera keeps its ladder.
        g.live(&key(1), now);
        now += s(5.0);
    }
    assert!(waits.iter().all(|w| (s(1.0)..=s(60.0)).contains(w)), "{waits:?}");
    assert!(waits[100..].iter().sum::<Duration>() / 100 > s(10.0), "the waits have grown: {waits:?}");
    g.live(&key(1), now);
    assert!(g.ended(&key(1), Ended::Failed, now + s(30.0)) <= s(1.0));
    assert!(g.ended(&key(1), Ended::Failed, now + s(31.0)) <= s(1.0), "and begins at the bottom");
}

#[test]
fn refused_credentials_wait_half_an_hour_until_they_change() {
    let mut g = Governor::new(limits(), 1);
    g.add(key(1), "host".into(), Priority::Always, Duration::ZERO);
    g.poll(s(0.0));
    let wait = g.ended(&key(1), Ended::AuthFailed, s(1.0));
    assert!((s(1_800.0)..s(1_981.0)).contains(&wait));
    assert!(g.poll(s(1_800.0)).is_empty());
    g.add(key(1), "host".into(), Priority::Always, Duration::ZERO);
    assert_eq!(g.poll(s(1_800.0)), [key(1)], "new credentials are tried at once");
}

#[test]
fn removed_streams_leave_nothing_behind() {
    let mut g = Governor::new(limits(), 1);
    for n in 0..30 {
        g.add(key(n), format!("host-{}", n % 3).into(), Priority::Always, Duration::ZERO);
    }
    let connecting = g.poll(s(0.0));
    g.ended(&connecting[0], Ended::Failed, s(0.0));
    g.live(&connecting[1], s(0.0));
    for n in 0..30 {
        g.remove(&key(n));
    }
    assert_eq!(g.counts(), (0, 0));
    assert!(g.entries.is_empty() && g.hosts.is_empty() && g.open.is_empty() && g.timers.is_empty());
}

/// A part of the town stays dark: its cameras take no connection, each try holds a slot for 4 s. A camera that was well
/// and breaks off must not queue behind hundreds of tries at dead ones.
#[test]
fn cameras_that_were_well_go_before_those_whose_last_try_failed() {
    let mut g = Governor::new(limits(), 3);
    for n in 0..2_000 {
        g.add(key(n), format!("dark-{n}").into(), Priority::Always, Duration::ZERO);
    }
    g.add(key(9_999), "well".into(), Priority::Always, Duration::ZERO);
    let mut now = Duration::ZERO;
    let mut dark: BTreeMap<(Duration, usize), ()> = BTreeMap::new();
    let mut broke_at = None;
    let mut back = None;
    while now < s(600.0) && back.is_none() {
        for k in g.poll(now) {
            if k == key(9_999) {
                back = broke_at.map(|at| now - at);
                g.live(&k, now);
            } else {
                let n: usize = k.0.as_str()[4..].parse().unwrap();
                dark.insert((now + s(4.0), n), ());
            }
        }
        let next = [dark.keys().next().map(|(at, _)| *at), g.next_deadline()];
        now = next.into_iter().flatten().min().unwrap().max(now);
        while let Some((&(_, n), ())) = dark.first_key_value().filter(|((at, _), ())| *at <= now) {
            dark.pop_first();
            g.ended(&key(n), Ended::Failed, now);
        }
        if broke_at.is_none() && now > s(300.0) {
            broke_at = Some(now);
            g.ended(&key(9_999), Ended::Failed, now);
        }
    }
    let back = back.expect("the well camera is tried again");
    assert!(back < s(6.0), "its own second, and a slot: {back:?}");
}

#[test]
fn waits_are_spread_so_that_no_wave_of_retries_forms() {
    let mut g = Governor::new(limits(), 11);
    for n in 0..1_000 {
        g.add(key(n), format!("host-{n}").into(), Priority::Always, Duration::ZERO);
    }
    // All fail at the same moment, three times in a row.
    let mut waits = Vec::new();
    for round in 0..3 {
        let at = s(f64::from(round) * 100.0);
        waits = (0..1_000).map(|n| g.ended(&key(n), Ended::Failed, at)).collect::<Vec<_>>();
    }
    let fullest = (0..60).map(|t| waits.iter().filter(|w| w.as_secs() == t).count()).max().unwrap();
    assert!(fullest < 400, "{fullest} of 1000 in one second");
    assert!(waits.iter().collect::<HashSet<_>>().len() > 990, "hardly two wait the same");
}

#[derive(Debug, Clone)]
enum Step {
    Add(usize),
    Remove(usize),
    Priority(usize, bool),
    /// The n-th stream that connects or plays gets on, by the outcome.
    Goes(usize, u8),
    Pass(u16),
}

fn steps() -> impl proptest::strategy::Strategy<Value = Vec<Step>> {
    use proptest::prelude::*;
    let step = prop_oneof![
        3 => (0..24usize).prop_map(Step::Add),
        1 => (0..24usize).prop_map(Step::Remove),
        2 => (0..24usize, any::<bool>()).prop_map(|(n, v)| Step::Priority(n, v)),
        6 => (any::<usize>(), 0..4u8).prop_map(|(n, how)| Step::Goes(n, how)),
        4 => (0..5_000u16).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..400)
}

proptest::proptest! {
    /// Whatever happens: rate, slots and slots per server hold, nobody is permitted twice, and everybody who is wanted
    /// is permitted in the end.
    #[test]
    fn budgets_hold_and_nobody_is_forgotten(steps in steps(), seed in proptest::prelude::any::<u64>()) {
        let limits = Limits {
            connects_per_s: 5.0, burst: 3.0, connecting_max: 6, connecting_per_host_max: 2, ..limits()
        };
        let mut g = Governor::new(limits.clone(), seed);
        let host = |n: usize| n % 5;
        let mut now = Duration::ZERO;
        let mut wanted: HashSet<usize> = HashSet::new();
        let mut connecting: Vec<usize> = Vec::new();
        let mut playing: Vec<usize> = Vec::new();
        let mut begun: Vec<Duration> = Vec::new();
        let number = |k: &StreamKey| -> usize { k.0.as_str()[4..].parse().unwrap() };
        let end = [Step::Pass(0)];
        for step in steps.iter().chain(&end) {
            match *step {
                Step::Add(n) => {
                    let priority = if n.is_multiple_of(3) { Priority::KeySite } else { Priority::Always };
                    g.add(key(n), format!("host-{}", host(n)).into(), priority, now);
                    wanted.insert(n);
                    connecting.retain(|c| *c != n);
                    playing.retain(|c| *c != n);
                }
                Step::Remove(n) => {
                    g.remove(&key(n));
                    wanted.remove(&n);
                    connecting.retain(|c| *c != n);
                    playing.retain(|c| *c != n);
                }
                Step::Priority(n, viewer) => {
                    g.set_priority(&key(n), if viewer { Priority::Viewer } else { Priority::Always }, now);
                }
                Step::Goes(pick, how) if !connecting.is_empty() && how < 3 => {
                    let n = connecting.swap_remove(pick % connecting.len());
                    match how {
                        0 => { g.live(&key(n), now); playing.push(n); }
                        1 => { g.playing(&key(n)); playing.push(n); }
                        _ => { g.ended(&key(n), Ended::Failed, now); }
                    }
                }
                Step::Goes(pick, _) if !playing.is_empty() => {
                    let n = playing.swap_remove(pick % playing.len());
                    g.ended(&key(n), Ended::Failed, now);
                }
                Step::Goes(..) => {}
                Step::Pass(ms) => now += Duration::from_millis(u64::from(ms)),
            }
            for k in g.poll(now) {
                let n = number(&k);
                proptest::prop_assert!(wanted.contains(&n) && !connecting.contains(&n) && !playing.contains(&n));
                connecting.push(n);
                begun.push(now);
            }
            proptest::prop_assert!(connecting.len() <= limits.connecting_max);
            for h in 0..5 {
                let there = connecting.iter().filter(|n| host(**n) == h).count();
                proptest::prop_assert!(there <= limits.connecting_per_host_max);
            }
            let waiting = wanted.len() - connecting.len() - playing.len();
            proptest::prop_assert_eq!(g.counts(), (connecting.len(), waiting));
        }
        for (i, at) in begun.iter().enumerate() {
            let within = begun[i..].iter().take_while(|b| **b <= *at + Duration::from_secs(2)).count();
            proptest::prop_assert!(within <= 3 + 10 + 1, "{} in two seconds", within);
        }
        // From here all goes well: within the longest wait and the rate everybody plays.
        let patience = now + limits.retry_max + Duration::from_secs(30);
        while playing.len() < wanted.len() {
            for n in connecting.drain(..) {
                g.live(&key(n), now);
                playing.push(n);
            }
            connecting.extend(g.poll(now).iter().map(number));
            if connecting.is_empty() {
                let Some(next) = g.next_deadline() else { break };
                now = next.max(now);
            }
            proptest::prop_assert!(now < patience);
        }
        proptest::prop_assert_eq!(playing.len() + connecting.len(), wanted.len());
    }
}
