//! The governor before 13,000 cameras that misbehave together, on a virtual clock: the budgets hold at every moment,
//! nobody starves, and the town is back in about the time that the budget itself allows.

use std::collections::{BTreeMap, HashMap};

use super::tests::{key, limits};
use super::*;

const CAMERAS: usize = 13_000;
/// From the permit to the answered PLAY of a camera that is well.
const OPENING: Duration = Duration::from_millis(200);

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What happens to a camera that is tried, or that has become live.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Live,
    Fails,
    Breaks,
}

/// The town: the governor, and what each camera does.
struct Simulation {
    governor: Governor,
    now: Duration,
    agenda: BTreeMap<(Duration, u64), (usize, Fate)>,
    order: u64,
    /// Since when each camera has been live.
    live: HashMap<usize, Duration>,
    /// When each camera that is away was lost, or wanted first.
    away: HashMap<usize, Duration>,
    opening: HashMap<usize, usize>,
    begun: Vec<(Duration, usize)>,
    /// The longest time each camera was away.
    longest: HashMap<usize, Duration>,
}

impl Simulation {
    fn new(host: impl Fn(usize) -> String, key_site: impl Fn(usize) -> bool) -> Self {
        let mut governor = Governor::new(limits(), 42);
        for n in 0..CAMERAS {
            let priority = if key_site(n) { Priority::KeySite } else { Priority::Always };
            governor.add(key(n), host(n).into(), priority, Duration::ZERO);
        }
        Self {
            governor,
            now: Duration::ZERO,
            agenda: BTreeMap::new(),
            order: 0,
            live: HashMap::new(),
            away: (0..CAMERAS).map(|n| (n, Duration::ZERO)).collect(),
            opening: HashMap::new(),
            begun: Vec::new(),
            longest: HashMap::new(),
        }
    }

    fn plan(&mut self, after: Duration, n: usize, fate: Fate) {
        self.order += 1;
        self.agenda.insert((self.now + after, self.order), (n, fate));
    }

    /// Goes on until `end`. `tried` says what a camera does that is tried at that moment, `lasts` how long its session
    /// stands once it is live.
    fn run(
        &mut self,
        end: Duration,
        host: impl Fn(usize) -> usize,
        tried: impl Fn(usize, Duration) -> (Duration, Fate),
        lasts: impl Fn(usize, Duration) -> Option<Duration>,
    ) {
        let limits = limits();
        while self.now < end {
            for (source, _) in self.governor.poll(self.now) {
                let n: usize = source.as_str()[4..].parse().unwrap();
                self.begun.push((self.now, n));
                *self.opening.entry(host(n)).or_default() += 1;
                let open: usize = self.opening.values().sum();
                assert!(open <= limits.connecting_max, "{open} being opened at {:?}", self.now);
                assert!(
                    self.opening[&host(n)] <= limits.connecting_per_host_max,
                    "server {} at {:?}",
                    host(n),
                    self.now
                );
                let (after, fate) = tried(n, self.now);
                self.plan(after, n, fate);
            }
            let next = [self.agenda.keys().next().map(|(at, _)| *at), self.governor.next_deadline(), Some(end)];
            self.now = next.into_iter().flatten().min().unwrap().max(self.now);
            while let Some((&(at, order), &(n, fate))) =
                self.agenda.first_key_value().filter(|((at, _), _)| *at <= self.now)
            {
                self.agenda.remove(&(at, order));
                match fate {
                    Fate::Breaks => self.lose(n),
                    Fate::Live | Fate::Fails => {
                        match self.opening.get_mut(&host(n)) {
                            Some(1) => drop(self.opening.remove(&host(n))),
                            slots => *slots.unwrap() -= 1,
                        }
                        if matches!(fate, Fate::Fails) {
                            self.governor.ended(&key(n), Ended::Failed, self.now);
                            continue;
                        }
                        self.governor.live(&key(n), self.now);
                        self.live.insert(n, self.now);
                        let away = self.now - self.away.remove(&n).unwrap();
                        let longest = self.longest.entry(n).or_default();
                        *longest = away.max(*longest);
                        if let Some(after) = lasts(n, self.now) {
                            self.plan(after, n, Fate::Breaks);
                        }
                    }
                }
            }
        }
    }

    fn lose(&mut self, n: usize) {
        self.live.remove(&n);
        self.away.insert(n, self.now);
        self.governor.ended(&key(n), Ended::Failed, self.now);
    }

    fn lose_all(&mut self) {
        for n in 0..CAMERAS {
            self.lose(n);
        }
    }

    /// In no second did more connections begin than the budget has; beside the rate a second holds at most one burst.
    fn assert_rate(&self) {
        let most = (limits().connects_per_s + limits().burst) as usize + 1;
        let mut first = 0;
        for (last, (at, _)) in self.begun.iter().enumerate() {
            while self.begun[first].0 + s(1) <= *at {
                first += 1;
            }
            assert!(last - first < most, "{} connects in the second before {at:?}", last - first + 1);
        }
    }

    /// When the last camera of those has become live, after `since`.
    fn all_live_after(&self, since: Duration, which: impl Fn(usize) -> bool) -> Duration {
        let at = |n: usize| *self.live.get(&n).unwrap_or_else(|| panic!("camera {n} is not live"));
        (0..CAMERAS).filter(|n| which(*n)).map(at).max().unwrap() - since
    }
}

/// What the budget itself needs for the whole town.
fn budget() -> Duration {
    Duration::from_secs_f64(CAMERAS as f64 / limits().connects_per_s)
}

/// All power is cut for ten minutes: half of the cameras refuse, half do not answer for 3 s. One in ten is a key site.
#[test]
fn the_whole_town_goes_dark_and_comes_back() {
    let (host, key_site) = (|n: usize| n / 8, |n: usize| n.is_multiple_of(10));
    let mut town = Simulation::new(|n| format!("nvr-{}", n / 8), key_site);
    let well = |_, _| (OPENING, Fate::Live);
    town.run(s(200), host, well, |_, _| None);
    let cold = town.all_live_after(Duration::ZERO, |_| true);
    assert!(cold < budget() + s(5), "from cold: {cold:?}");
    let keys = town.all_live_after(Duration::ZERO, key_site);
    assert!(keys < budget() / 10 + s(5), "key sites from cold: {keys:?}");
    town.lose_all();
    let before = town.begun.len();
    town.run(
        s(800),
        host,
        |n, _| match n % 2 {
            0 => (Duration::from_millis(3), Fate::Fails),
            _ => (s(3), Fate::Fails),
        },
        |_, _| None,
    );
    let tries = town.begun[before..].iter().map(|(_, n)| *n).collect::<std::collections::HashSet<_>>().len();
    assert_eq!(tries, CAMERAS, "each camera is tried while all are away");
    town.run(s(1_200), host, well, |_, _| None);
    let back = town.all_live_after(s(800), |_| true);
    assert!(back < budget() + limits().retry_max, "all back after {back:?}");
    let keys_back = town.all_live_after(s(800), key_site);
    assert!(keys_back < limits().retry_max + s(20), "key sites back after {keys_back:?}");
    town.assert_rate();
    println!("cold {cold:?}, key sites {keys:?}; back {back:?}, key sites {keys_back:?}; budget {:?}", budget());
}

/// Half of the fleet comes and goes every 10 to 20 s. The other half, which breaks off once in ten minutes, must hardly feel it.
#[test]
fn half_of_the_fleet_flaps() {
    let host = |n: usize| n;
    let mut town = Simulation::new(|n| format!("cam-{n}"), |_| false);
    let flaps = |n: usize| n.is_multiple_of(2);
    town.run(
        s(1_800),
        host,
        |_, _| (OPENING, Fate::Live),
        |n, now| {
            let spread = Duration::from_millis((n as u64).wrapping_mul(7_919) % 10_000);
            Some(if flaps(n) { s(10) + spread } else { s(600) + spread * 12 }).filter(|_| now < s(1_700))
        },
    );
    town.assert_rate();
    // The first time counts from the beginning, when all came at once.
    let steady = (0..CAMERAS).filter(|n| !flaps(*n)).map(|n| town.longest[&n]).max().unwrap();
    assert!(steady < budget() + s(10), "a camera that is well waits {steady:?}");
    let tries = |n: usize| town.begun.iter().filter(|(at, m)| *m == n && *at > s(300)).count();
    for n in [0, 2_000, 12_998] {
        assert!(tries(n) > 5, "flapping camera {n} is tried again and again: {}", tries(n));
    }
}

/// A recorder with 64 channels takes connections and answers nothing. Nobody else feels it; its channels are tried on,
/// eight at a time.
#[test]
fn a_dead_recorder_of_64_channels_holds_up_nobody() {
    let host = |n: usize| if n < 64 { 0 } else { n };
    let mut town = Simulation::new(|n| format!("host-{}", if n < 64 { 0 } else { n }), |_| false);
    let dead = |n: usize| n < 64;
    let tried = |n, now| match dead(n) && now < s(600) {
        true => (s(10), Fate::Fails),
        false => (OPENING, Fate::Live),
    };
    town.run(s(900), host, tried, |_, _| None);
    let others = town.all_live_after(Duration::ZERO, |n| !dead(n));
    assert!(others < budget() + s(5), "the others are live after {others:?}");
    for n in 0..64 {
        let tries = town.begun.iter().filter(|(at, m)| *m == n && *at < s(600)).count();
        assert!((3..60).contains(&tries), "channel {n} was tried {tries} times in ten minutes");
    }
    let back = town.all_live_after(s(600), dead);
    // Eight may be in their last ten seconds of silence, then each waits at most its longest time.
    assert!(back < limits().retry_max + s(40), "the recorder is back after {back:?}");
    town.assert_rate();
}

/// A name of which 500 cameras hang vanishes from the DNS: each try fails at once. Their tries must not use up the
/// budget of the others, of which 1,000 break off meanwhile.
#[test]
fn a_name_that_vanishes_does_not_use_up_the_budget() {
    let host = |n: usize| if n < 500 { 0 } else { n };
    let mut town = Simulation::new(|n| format!("host-{}", if n < 500 { 0 } else { n }), |_| false);
    let vanished = |n: usize| n < 500;
    let gone = |now: Duration| now >= s(300) && now < s(900);
    let tried = |n, now| match vanished(n) && gone(now) {
        true => (Duration::from_millis(2), Fate::Fails),
        false => (OPENING, Fate::Live),
    };
    town.run(s(300), host, tried, |_, _| None);
    (0..500).for_each(|n| town.lose(n));
    town.run(s(600), host, tried, |_, _| None);
    let tries = town.begun.iter().filter(|(at, n)| vanished(*n) && *at >= s(480)).count();
    assert!(tries < 120 * 40, "{tries} tries of a vanished name in two minutes");
    (6_000..7_000).for_each(|n| town.lose(n));
    town.run(s(900), host, tried, |_, _| None);
    let others = town.all_live_after(s(600), |n| (6_000..7_000).contains(&n));
    assert!(others < s(10 + 2), "1000 cameras that broke off are back after {others:?}");
    town.run(s(1_000), host, tried, |_, _| None);
    let back = town.all_live_after(s(900), vanished);
    assert!(back < limits().retry_max + s(10), "the name's cameras are back after {back:?}");
    town.assert_rate();
}
