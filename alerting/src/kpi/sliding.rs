//! How many alarms were announced in the last so many seconds.

use std::collections::VecDeque;

/// A count over a window that slides second by second. At most one entry a second of its length.
#[derive(Debug, Clone)]
pub(crate) struct Sliding {
    length_s: i64,
    /// Seconds in which something was announced, rising, with how much.
    seconds: VecDeque<(i64, u32)>,
    sum: u32,
}

impl Sliding {
    /// Nothing counted yet.
    pub fn new(length_s: i64) -> Self {
        Self { length_s, seconds: VecDeque::new(), sum: 0 }
    }

    /// Counts one at a second that is not before the last.
    pub fn add(&mut self, second: i64) {
        self.expire(second);
        match self.seconds.back_mut() {
            Some((last, count)) if *last == second => *count += 1,
            _ => self.seconds.push_back((second, 1)),
        }
        self.sum += 1;
    }

    /// Forgets what is as old as the window is long.
    pub fn expire(&mut self, now: i64) {
        while let Some((second, count)) = self.seconds.front().copied().filter(|(at, _)| *at + self.length_s <= now) {
            self.seconds.pop_front();
            self.sum -= count;
            debug_assert!(second < now);
        }
    }

    /// How many are counted.
    pub fn sum(&self) -> u32 {
        self.sum
    }

    /// The second at which fewer than `count` are left when nothing more comes.
    pub fn falls_below(&self, count: u32) -> Option<i64> {
        let mut left = self.sum;
        self.seconds.iter().find_map(|(second, here)| {
            left -= here;
            (left < count).then_some(second + self.length_s)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_as_old_as_the_window_is_gone() {
        let mut window = Sliding::new(600);
        [0, 0, 1, 599].into_iter().for_each(|second| window.add(second));
        assert_eq!(window.sum(), 4);
        window.expire(600);
        assert_eq!(window.sum(), 2);
        window.add(601);
        assert_eq!(window.sum(), 2, "the one of second 1 is gone, the new one is there");
    }

    #[test]
    fn it_says_when_it_falls_below() {
        let mut window = Sliding::new(600);
        [10, 20, 20, 30].into_iter().for_each(|second| window.add(second));
        assert_eq!(window.falls_below(4), Some(610));
        assert_eq!(window.falls_below(3), Some(620));
        assert_eq!(window.falls_below(1), Some(630));
        assert_eq!(Sliding::new(600).falls_below(1), None);
    }
}
