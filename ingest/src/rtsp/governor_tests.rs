use std::collections::BTreeMap;

use model::{Profile, SourceId};

use super::*;

fn limits() -> Limits {
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

fn key(n: usize) -> StreamKey {
    (SourceId::new(format!("cam-{n}")), Profile::Sub)
}

fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn the_rate_budget_holds_from_the_first_moment() {
    let mut g = Governor::new(Limits { connecting_max: 10_000, ..limits() }, 1);
    for n in 0..1_000 {
        g.add(key(n), format!("host-{n}").into(), Priority::Always);
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
        g.add(key(n), format!("host-{n}").into(), Priority::Always);
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
        g.add(key(n), "slow".into(), Priority::Always);
    }
    g.add(key(99), "other".into(), Priority::Always);
    let permitted = g.poll(s(0.0));
    assert_eq!(permitted.len(), 9, "8 of the slow server and the other one");
    assert!(permitted.contains(&key(99)));
}

#[test]
fn viewers_go_first_and_shorten_a_wait_but_not_that_of_refused_credentials() {
    let mut g = Governor::new(Limits { burst: 1.0, ..limits() }, 1);
    for n in 0..3 {
        g.add(key(n), "host".into(), Priority::Always);
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
    g.add(key(1), "host".into(), Priority::Always);
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
    g.add(key(1), "host".into(), Priority::Always);
    g.poll(s(0.0));
    let wait = g.ended(&key(1), Ended::AuthFailed, s(1.0));
    assert!((s(1_800.0)..s(1_981.0)).contains(&wait));
    assert!(g.poll(s(1_800.0)).is_empty());
    g.add(key(1), "host".into(), Priority::Always);
    assert_eq!(g.poll(s(1_800.0)), [key(1)], "new credentials are tried at once");
}

#[test]
fn removed_streams_leave_nothing_behind() {
    let mut g = Governor::new(limits(), 1);
    for n in 0..30 {
        g.add(key(n), format!("host-{}", n % 3).into(), Priority::Always);
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

/// 2,000 cameras on 250 recorders are live; all power is cut for 10 minutes and comes back at one moment. While it
/// is gone every connect is refused after 3 ms or times out after 10 s; afterwards it takes 200 ms to PLAY.
#[test]
fn an_outage_of_2000_cameras_stays_within_the_budgets_and_heals() {
    const CAMERAS: usize = 2_000;
    let (cut, back) = (s(100.0), s(700.0));
    let mut g = Governor::new(limits(), 42);
    // What the simulated cameras will do, by time.
    let mut agenda: BTreeMap<(Duration, usize), &str> = BTreeMap::new();
    let mut begun: Vec<Duration> = Vec::new();
    let mut per_host: HashMap<usize, i32> = HashMap::new();
    let mut open = 0i32;
    let mut live = std::collections::HashSet::new();
    let mut lost = false;
    let mut all_back = None;
    for n in 0..CAMERAS {
        g.add(key(n), format!("nvr-{}", n / 8).into(), Priority::Always);
    }
    let mut now = Duration::ZERO;
    while now < s(1_000.0) {
        for k in g.poll(now) {
            let n: usize = k.0.as_str()[4..].parse().unwrap();
            begun.push(now);
            open += 1;
            *per_host.entry(n / 8).or_default() += 1;
            assert!(open <= 64 && per_host[&(n / 8)] <= 8, "slots at {now:?}");
            let (after, what) = match now >= cut && now < back {
                true if n.is_multiple_of(2) => (s(0.003), "refused"),
                true => (s(10.0), "timeout"),
                false => (s(0.2), "play"),
            };
            agenda.insert((now + after, n), what);
        }
        let next = [agenda.keys().next().map(|(at, _)| *at), g.next_deadline(), (!lost).then_some(cut)];
        now = next.into_iter().flatten().min().unwrap_or(s(1_000.0)).max(now);
        if !lost && now >= cut {
            lost = true;
            assert_eq!(live.len(), CAMERAS, "all were live within {cut:?}");
            for n in live.drain() {
                g.ended(&key(n), Ended::Failed, now);
            }
        }
        while let Some((&(at, n), &what)) = agenda.first_key_value().filter(|((at, _), _)| *at <= now) {
            agenda.remove(&(at, n));
            open -= 1;
            *per_host.entry(n / 8).or_default() -= 1;
            if what == "play" {
                g.live(&key(n), now);
                live.insert(n);
            } else {
                g.ended(&key(n), Ended::Failed, now);
            }
        }
        if now >= back && live.len() == CAMERAS && all_back.is_none() {
            all_back = Some(now - back);
        }
    }
    for (i, at) in begun.iter().enumerate() {
        let within = begun[i..].iter().take_while(|b| **b < *at + s(1.0)).count();
        assert!(within <= 121, "{within} connects in the second after {at:?}");
    }
    let tries = begun.iter().filter(|t| **t >= cut && **t < back).count();
    assert!(tries > 2_000, "cameras are tried during the outage: {tries}");
    let all_back = all_back.expect("all cameras are live again");
    assert!(all_back < s(120.0), "{all_back:?}");
    println!("{tries} tries in the outage, all back after {all_back:?}");
}
