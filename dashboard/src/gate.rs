//! How many wrong passwords may come from one address: against one who tries many names, as the lock of a name is
//! against one who tries many passwords.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Wrong passwords in a row from one address; a desk behind one router has ten people with ten typing errors.
const BURST: u32 = 30;
/// After this long there is room for one more.
const EACH: Duration = Duration::from_secs(10);
/// Addresses remembered; beyond it those forget first that have the least to remember.
const MAX_ADDRESSES: usize = 10_000;

/// Counts what addresses have tried.
#[derive(Default)]
pub struct Gate {
    /// When each address will have paid for all it tried; in the past for those that may be forgotten.
    paid_at: Mutex<HashMap<IpAddr, Instant>>,
}

impl Gate {
    /// Takes one try; or says how long to wait for it. Give it back with [`Gate::give_back`] when the password was right.
    pub fn take(&self, peer: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut paid_at = self.lock();
        let key = network(peer);
        if paid_at.len() >= MAX_ADDRESSES && !paid_at.contains_key(&key) {
            paid_at.retain(|_, paid| *paid > now);
            while paid_at.len() >= MAX_ADDRESSES {
                let Some(least) = paid_at.iter().min_by_key(|(_, paid)| **paid).map(|(address, _)| *address) else {
                    break;
                };
                paid_at.remove(&least);
            }
        }
        let paid = paid_at.entry(key).or_insert(now);
        let after = (*paid).max(now) + EACH;
        let allowed = now + EACH * BURST;
        if after > allowed {
            return Err(after - allowed);
        }
        *paid = after;
        Ok(())
    }

    /// The password was right.
    pub fn give_back(&self, peer: IpAddr) {
        if let Some(paid) = self.lock().get_mut(&network(peer))
            && let Some(earlier) = paid.checked_sub(EACH)
        {
            *paid = earlier;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Instant>> {
        self.paid_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who has an IPv6 address has 2^64 of them.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_waits_after_thirty_wrong_passwords_and_no_other_does() {
        let (gate, now) = (Gate::default(), Instant::now());
        let (one, other): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        for _ in 0..BURST {
            gate.take(one, now).unwrap();
        }
        assert_eq!(gate.take(one, now), Err(EACH));
        gate.take(other, now).unwrap();
        gate.take("::ffff:10.0.0.1".parse().unwrap(), now).unwrap_err();
        gate.take(one, now + EACH).unwrap();
        gate.take(one, now + EACH).unwrap_err();
    }

    #[test]
    fn right_passwords_cost_nothing() {
        let (gate, now) = (Gate::default(), Instant::now());
        let one: IpAddr = "10.0.0.1".parse().unwrap();
        for _ in 0..1_000 {
            gate.take(one, now).unwrap();
            gate.give_back(one);
        }
    }

    #[test]
    fn addresses_of_one_network_are_one_and_the_memory_is_bounded() {
        let (gate, now) = (Gate::default(), Instant::now());
        for host in 0..BURST {
            gate.take(format!("2001:db8::{host:x}").parse().unwrap(), now).unwrap();
        }
        let wait = gate.take("2001:db8::ffff".parse().unwrap(), now);
        assert!(wait.is_err());
        for n in 0..2 * MAX_ADDRESSES as u32 {
            gate.take(IpAddr::V4(n.into()), now).unwrap();
        }
        assert_eq!(gate.lock().len(), MAX_ADDRESSES);
        assert!(gate.take("2001:db8::ffff".parse().unwrap(), now).is_err(), "who tried most is remembered longest");
    }
}
