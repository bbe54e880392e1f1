//! A hub whose devices send numbers, and one rule that tells of each number that it was looked at.

use std::collections::BTreeSet;

use crate::hub::Folder;
use crate::sensor::Sensor;

/// Every number moves the one alarm of its device to another level, so that the event log has a row for each number
/// that the engine has seen after the one before it.
const RULE: &str = "version: 1\nrules:\n- id: numbered\n  title: {zh: 编号, en: Numbered}\n  hazard: equipment\n  \
                    about:\n    owner: tests\n    action: {zh: 无, en: None}\n  on: {class: numbered, reading: level}\n  \
                    max_gap: 1h\n  levels:\n    blue:   {raise: x >= 0, clear: x < 0}\n    \
                    yellow: {raise: x % 2 == 1, clear: x % 2 == 0}\n";

/// A device: its id is that of the source, its topic follows from it.
pub fn topic(device: &str) -> String {
    format!("town/{device}")
}

/// A device that no rule is about.
pub const FLOOD: &str = "flood";

/// A hub's folder with these devices, each with further tags, and no other rule.
pub fn folder(devices: &[(String, String)]) -> Folder {
    let folder = Folder::new();
    let rules = folder.path().join("rules");
    for file in std::fs::read_dir(&rules).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    std::fs::write(rules.join("numbered.yaml"), RULE).unwrap();
    let row = |(id, tags): &(String, String)| {
        let class = if id == FLOOD { FLOOD } else { "numbered" };
        format!("{id},sensor,{class},{id},governance,g1,,,,,,,{},raw:level,,10,{tags}\n", topic(id))
    };
    let taken = folder.import(&devices.iter().map(row).collect::<String>());
    assert!(taken.status.success(), "{taken:?}");
    folder
}

/// So many devices without tags.
pub fn devices(count: usize) -> Vec<(String, String)> {
    (0..count).map(|number| (format!("device-{number}"), String::new())).collect()
}

/// Lets the hub have a broker of its own at this port.
pub fn embed(folder: &Folder, port: u16) {
    let text = std::fs::read_to_string(folder.config()).unwrap();
    std::fs::write(folder.config(), text.replace("[mqtt]", &format!("[mqtt]\nembedded = \"127.0.0.1:{port}\"")))
        .unwrap();
}

/// What one device has done, by its own account.
pub struct Account {
    pub device: String,
    /// The numbers it made good readings of.
    pub sent: BTreeSet<u32>,
    /// Those of them that were acknowledged to it.
    pub acknowledged: BTreeSet<u32>,
}

impl Account {
    /// Ends a device that sent nothing but good readings.
    pub fn close(device: &str, sensor: Sensor) -> Self {
        let (sent, acknowledged) = sensor.finish();
        Self { device: device.to_owned(), sent: (0..sent).collect(), acknowledged }
    }
}
