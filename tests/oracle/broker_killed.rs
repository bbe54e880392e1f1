//! The town's brokers are killed (-9) and started again.

use super::books::Outcome;
use super::{lanes, rounds};

#[test]
fn mosquitto_killed_and_restarted() {
    let mut outcome = Outcome::begin("broker killed");
    let rounds = rounds(6);
    let lanes = if rounds < 30 { 3 } else { 10 };
    outcome.disasters = format!("{} kills of {lanes} brokers", rounds.div_ceil(lanes) * lanes);
    lanes::suffer(outcome, (lanes, rounds.div_ceil(lanes)), 30, |lane| {
        lane.dice.sleep_ms(500);
        lane.broker.kill();
        lane.dice.sleep_ms(300);
        lane.broker.restart();
    });
}
