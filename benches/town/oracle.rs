//! Holds what was kept against what was sent: each sensor numbers its readings, so nothing can be missing, out of
//! order or invented unseen.

use std::collections::BTreeMap;

/// What a sensor has sent.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub qos: u64,
    /// The last number.
    pub sent: u64,
    /// The last number that was acknowledged (QoS 1).
    pub acknowledged: u64,
}

/// The numbers kept of each sensor, in the order of their keeping.
pub type Kept = BTreeMap<String, Vec<u64>>;

/// What the comparison came to, in readings.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub sent_qos0: u64,
    pub kept_qos0: u64,
    pub sent_qos1: u64,
    pub kept_qos1: u64,
    pub acknowledged: u64,
    /// Acknowledged and not kept.
    pub lost: u64,
    /// Kept more than once, which QoS 1 allows.
    pub twice: u64,
    /// Kept for the first time after a later one.
    pub disordered: u64,
    /// Kept and never sent.
    pub invented: u64,
}

impl Checked {
    pub fn is_sound(&self) -> bool {
        self.lost == 0 && self.disordered == 0 && self.invented == 0
    }
}

/// Compares them.
pub fn check(sent: &BTreeMap<String, Sent>, kept: &Kept) -> Checked {
    let mut checked = Checked::default();
    let none = Vec::new();
    for (id, sent) in sent {
        let numbers = kept.get(id).unwrap_or(&none);
        let mut seen = vec![false; sent.sent as usize + 1];
        let mut highest = 0;
        for &number in numbers {
            match seen.get_mut(number as usize) {
                Some(seen) if number > 0 => {
                    checked.twice += u64::from(*seen);
                    checked.disordered += u64::from(!*seen && number < highest);
                    *seen = true;
                }
                _ => checked.invented += 1,
            }
            highest = highest.max(number);
        }
        let different = seen.iter().filter(|seen| **seen).count() as u64;
        if sent.qos == 0 {
            checked.sent_qos0 += sent.sent;
            checked.kept_qos0 += different;
        } else {
            checked.sent_qos1 += sent.sent;
            checked.kept_qos1 += different;
            checked.acknowledged += sent.acknowledged;
            let acknowledged = seen.iter().skip(1).take(sent.acknowledged as usize);
            checked.lost += acknowledged.filter(|seen| !**seen).count() as u64;
        }
    }
    checked.invented += kept.iter().filter(|(id, _)| !sent.contains_key(*id)).map(|(_, n)| n.len() as u64).sum::<u64>();
    checked
}

/// That this check can fail: a kept list with one of each defect.
pub fn prove() {
    let sent = |qos, sent, acknowledged| Sent { qos, sent, acknowledged };
    let told = BTreeMap::from([("a".to_owned(), sent(1, 6, 5)), ("b".to_owned(), sent(0, 4, 0))]);
    let kept = Kept::from([
        ("a".to_owned(), vec![1, 3, 2, 2, 5, 9]),
        ("b".to_owned(), vec![1, 2, 4]),
        ("c".to_owned(), vec![1]),
    ]);
    let expected = Checked {
        sent_qos0: 4,
        kept_qos0: 3,
        sent_qos1: 6,
        kept_qos1: 4,
        acknowledged: 5,
        lost: 1,
        twice: 1,
        disordered: 1,
        invented: 2,
    };
    assert_eq!(check(&told, &kept), expected);
}
