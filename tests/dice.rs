//! Chance that can be repeated.

use std::time::Duration;

/// Numbers below `most`, other ones at each run; told, so that a failure can be repeated.
pub struct Dice(u64);

impl Dice {
    /// With the seed that `GRIDWARD_SEED` names, else another one each time.
    pub fn new(what: &str) -> Self {
        let asked = std::env::var("GRIDWARD_SEED").ok().map(|seed| seed.parse().expect("GRIDWARD_SEED is a number"));
        let seed = asked.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64);
        println!("{what}: seed {seed} (GRIDWARD_SEED repeats it)");
        Self(seed | 1)
    }

    /// Other dice, which differ by `number`.
    pub fn branch(&self, number: u64) -> Self {
        let mut other = Self(self.0 ^ (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        other.below(1);
        other
    }

    pub fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    pub fn sleep_ms(&mut self, most: u64) {
        std::thread::sleep(Duration::from_millis(self.below(most)));
    }
}
