//! The line breaks after any byte, and stands still: on the hub's links to brokers, and between devices and the hub's
//! own broker.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::books::Outcome;
use super::numbered::{Account, devices, embed, folder, topic};
use super::witness::{Way, Witness};
use super::{is_long, lanes, rounds};
use crate::dice::Dice;
use crate::hub::free_port;
use crate::sensor::{Habits, Sensor};

/// Which way, and after how many bytes: publications are many bytes, answers few.
fn place(dice: &mut Dice, publications: Way) -> (Way, usize) {
    if dice.below(3) > 0 {
        return (publications, dice.below(1_500) as usize);
    }
    let answers = if publications == Way::Up { Way::Down } else { Way::Up };
    (answers, dice.below(60) as usize)
}

fn wait_for_cut(witness: &Witness) {
    let began = Instant::now();
    while !witness.has_cut() {
        assert!(began.elapsed() < Duration::from_secs(60), "not enough was carried to cut");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn of_the_hubs_links_to_brokers() {
    let mut outcome = Outcome::begin("line to the brokers cut");
    let rounds = rounds(6);
    let lanes = if rounds < 30 { 3 } else { 10 };
    outcome.disasters = format!("{} breaks of {lanes} links", rounds.div_ceil(lanes) * lanes);
    lanes::suffer(outcome, (lanes, rounds.div_ceil(lanes)), 5, |lane| {
        // The links' keep-alive is 5 s: after 12 s both sides have given the connection up.
        if is_long() && lane.dice.below(5) == 0 {
            lane.witness.stall(Duration::from_secs(12));
            std::thread::sleep(Duration::from_secs(12));
            return;
        }
        lane.witness.stall(Duration::from_millis(lane.dice.below(300)));
        let (way, bytes) = place(&mut lane.dice, Way::Down);
        lane.witness.cut_after(way, bytes);
        wait_for_cut(&lane.witness);
    });
}

#[test]
fn between_devices_and_the_hubs_own_broker() {
    let mut outcome = Outcome::begin("line to the hub's own broker cut");
    let (devices, port) = (devices(4), free_port());
    let folder = folder(&devices);
    embed(&folder, port);
    let hub = folder.run();
    let dice = Dice::new("line to the hub's own broker cut");
    let each = rounds(12).div_ceil(devices.len());
    let (mut accounts, mut cuts, mut mid_packet) = (Vec::new(), 0, 0);
    let suffer = |number: usize, id: &str| {
        let mut dice = dice.branch(number as u64);
        let witness = Witness::start(port);
        let sensor = Sensor::with(witness.port, &topic(id), Habits { per_s: 200, ..Habits::default() });
        for _ in 0..each {
            sensor.progress(20);
            witness.stall(Duration::from_millis(dice.below(if is_long() { 1_500 } else { 300 })));
            let (way, bytes) = place(&mut dice, Way::Up);
            witness.cut_after(way, bytes);
            wait_for_cut(&witness);
        }
        sensor.progress(20);
        let account = Account::close(id, sensor);
        assert_eq!(account.acknowledged.len(), account.sent.len(), "{id}");
        (account, witness.cuts())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = devices
            .iter()
            .enumerate()
            .map(|(number, (id, _))| {
                let suffer = &suffer;
                scope.spawn(move || suffer(number, id))
            })
            .collect();
        for thread in threads {
            let (account, (all, mid)) = thread.join().unwrap();
            (cuts, mid_packet) = (cuts + all, mid_packet + mid);
            accounts.push((account, BTreeSet::new()));
        }
    });
    assert_eq!(hub.stop().0, Some(0));
    assert!(cuts as usize == each * devices.len() && mid_packet > 0, "{cuts} {mid_packet}");
    outcome.disasters = format!("{cuts} cuts");
    outcome.notes.push(format!("{mid_packet} of them in mid-packet"));
    outcome.judge(&folder, &accounts);
}
