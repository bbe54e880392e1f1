//! The hub's books, read from its files by a program of somebody else's, and what is wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::process::Command;
use std::time::Instant;

use super::numbered::Account;
use crate::hub::Folder;

/// Lines of `kept DEVICE NUMBER` in the order of the history, `judged DEVICE NUMBER` in that of the event log.
const READER: &str = r#"
import glob, json, sqlite3, sys
data = sys.argv[1] + '/data/'
for file in sorted(glob.glob(data + 'history/*.db')):
    rows = sqlite3.connect(file).execute(
        'SELECT s.text, o.number FROM observation o JOIN name s ON s.id = o.source ORDER BY o.seq')
    for device, number in rows:
        print('kept', device, int(number))
hub = sqlite3.connect(data + 'gridward.db')
for (body,) in hub.execute("SELECT body FROM log WHERE kind = 'alarm' ORDER BY seq"):
    row = json.loads(body)
    if row['change']['type'] in ('raised', 'level_changed'):
        print('judged', row['source'], int(row['change']['evidence']['value']))
print('letters', '-', hub.execute('SELECT COUNT(*) FROM dead_letter').fetchone()[0])
"#;

/// What the hub has on disk.
#[derive(Default)]
pub struct Books {
    kept: BTreeMap<String, Vec<u32>>,
    judged: BTreeMap<String, BTreeSet<u32>>,
    /// Dead letters on file.
    pub letters: u32,
}

impl Books {
    pub fn read(folder: &Folder) -> Self {
        let out = Command::new("python3").args(["-c", READER]).arg(folder.path()).output().unwrap();
        assert!(out.status.success(), "{out:?}");
        let mut books = Self::default();
        for line in String::from_utf8(out.stdout).unwrap().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let (device, number) = (words[1].to_owned(), words[2].parse().unwrap());
            match words[0] {
                "kept" => books.kept.entry(device).or_default().push(number),
                "judged" => drop(books.judged.entry(device).or_default().insert(number)),
                _ => books.letters = number,
            }
        }
        books
    }

    /// The numbers kept of a device.
    pub fn kept(&self, device: &str) -> BTreeSet<u32> {
        self.kept.get(device).into_iter().flatten().copied().collect()
    }

    /// How many observations of it are kept, however often one came.
    pub fn count(&self, device: &str) -> usize {
        self.kept.get(device).map_or(0, Vec::len)
    }

    /// Those of `wanted` that are not kept.
    pub fn missing(&self, device: &str, wanted: &BTreeSet<u32>) -> BTreeSet<u32> {
        wanted.difference(&self.kept(device)).copied().collect()
    }

    /// Everything that must hold of a device at the end of a run; `excused` need not be kept.
    fn faults(&self, account: &Account, excused: &BTreeSet<u32>) -> Vec<String> {
        let kept = self.kept(&account.device);
        let mut faults = Vec::new();
        let mut note = |what: &str, numbers: BTreeSet<u32>| {
            if !numbers.is_empty() {
                let some: Vec<&u32> = numbers.iter().take(8).collect();
                faults.push(format!("{}: {} {what}, as {some:?}", account.device, numbers.len()));
            }
        };
        let lost = account.acknowledged.difference(&kept).filter(|number| !excused.contains(number));
        note("acknowledged and lost", lost.copied().collect());
        note("invented", kept.difference(&account.sent).copied().collect());
        let judged = self.judged.get(&account.device).cloned().unwrap_or_default();
        note(
            "kept and never looked at by the rule",
            self.moving(&account.device).difference(&judged).copied().collect(),
        );
        note("judged and not kept", judged.difference(&kept).copied().collect());
        note("out of order", self.late(&account.device));
        faults
    }

    /// Numbers that must have moved the alarm: those that came after one of the other parity. All, unless a broker has
    /// forgotten the one between two.
    fn moving(&self, device: &str) -> BTreeSet<u32> {
        let rows = self.kept.get(device).map_or(&[][..], Vec::as_slice);
        let moved = rows.windows(2).filter(|pair| pair[0] % 2 != pair[1] % 2).map(|pair| pair[1]);
        rows.first().copied().into_iter().chain(moved).collect()
    }

    /// Numbers that first appear after a greater one.
    fn late(&self, device: &str) -> BTreeSet<u32> {
        let (mut seen, mut greatest, mut late) = (BTreeSet::new(), None, BTreeSet::new());
        for number in self.kept.get(device).into_iter().flatten().copied() {
            if seen.insert(number) && greatest > Some(number) {
                late.insert(number);
            }
            greatest = greatest.max(Some(number));
        }
        late
    }

    /// How many rows there are of a device, repeated numbers too.
    pub fn rows(&self, device: &str) -> usize {
        self.kept.get(device).map_or(0, Vec::len)
    }
}

/// What a run came to: a line for docs/durability.md.
pub struct Outcome {
    what: &'static str,
    began: Instant,
    /// Disasters, as `100 kills`.
    pub disasters: String,
    pub sent: usize,
    pub acknowledged: usize,
    pub kept: usize,
    pub rows: usize,
    /// What else is to be told.
    pub notes: Vec<String>,
}

impl Outcome {
    pub fn begin(what: &'static str) -> Self {
        Self {
            what,
            began: Instant::now(),
            disasters: String::new(),
            sent: 0,
            acknowledged: 0,
            kept: 0,
            rows: 0,
            notes: Vec::new(),
        }
    }

    /// Judges all devices, with what of each is excused; tells, and fails when anything is wrong.
    pub fn judge(mut self, folder: &Folder, accounts: &[(Account, BTreeSet<u32>)]) {
        let books = Books::read(folder);
        let mut faults = Vec::new();
        for (account, excused) in accounts {
            faults.extend(books.faults(account, excused));
            self.sent += account.sent.len();
            self.acknowledged += account.acknowledged.len();
            self.kept += books.kept(&account.device).len();
            self.rows += books.rows(&account.device);
        }
        println!("{self}");
        assert!(faults.is_empty(), "{}:\n{}", self.what, faults.join("\n"));
        assert!(self.sent > 0 && self.acknowledged > 0, "nothing was tried");
        let verified = folder.command(&["log", "verify"]);
        assert!(verified.status.success(), "{verified:?}");
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ORACLE | {} | {} | {} | {} | {} | {} | {} | {} s |",
            self.what,
            self.disasters,
            self.sent,
            self.acknowledged,
            self.kept,
            self.rows - self.kept,
            self.notes.join("; "),
            self.began.elapsed().as_secs()
        )
    }
}
