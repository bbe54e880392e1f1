//! What is done before the files are opened: torn tails are told, unreadable day files are set aside.
//!
//! SQLite itself ignores what follows the last complete commit of a write-ahead log; this module measures it, so that
//! a loss is told and not passed over. Only the hub does so, under a lock: another process's log is still growing.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions, Connection};

use crate::Error;

/// What a start found and mended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Bytes after the last complete commit, over all files; nothing acknowledged was in them.
    pub cut_bytes: u64,
    /// Files that could not be read, under their new names.
    pub set_aside: Vec<PathBuf>,
}

/// Held by the hub while it runs, so that no second one uses the folder.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

/// Makes the folders; for the hub also takes the lock and looks after what a crash has left.
pub(crate) fn make_folders(dir: &Path) -> Result<(), Error> {
    let history = dir.join("history");
    fs::create_dir_all(&history).map_err(|source| Error::File { path: history, source })
}

/// Takes the folder for this process.
pub(crate) fn lock(dir: &Path) -> Result<FolderLock, Error> {
    let path = dir.join("hub.lock");
    let file = File::create(&path).map_err(|source| Error::File { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(FolderLock { _file: file }),
        Err(fs::TryLockError::WouldBlock) => Err(Error::InUse(dir.to_owned())),
        Err(fs::TryLockError::Error(source)) => Err(Error::File { path, source }),
    }
}

/// Looks at every file and tells what a crash has left. Call it under the lock only.
pub(crate) async fn inspect(dir: &Path) -> Result<RecoveryReport, Error> {
    let mut report = RecoveryReport::default();
    let mut short = Vec::new();
    for folder in [dir.to_owned(), dir.join("history")] {
        let entries = fs::read_dir(&folder).map_err(|source| Error::File { path: folder.clone(), source })?;
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            if name.ends_with(".db-wal") {
                report.cut_bytes += fs::read(&path).map(|bytes| torn_bytes(&bytes)).unwrap_or(0);
            } else if name.ends_with(".db") && folder != dir {
                match look_of(&path) {
                    Look::Whole => {}
                    Look::Short => short.push(path),
                    Look::Foreign => report.set_aside.push(set_aside(&path)?),
                }
            }
        }
    }
    // Only now that all logs are measured: opening a file takes its log in.
    for path in short {
        if !is_whole_with_its_log(&path).await {
            report.set_aside.push(set_aside(&path)?);
        }
    }
    if report.cut_bytes > 0 {
        tracing::warn!(bytes = report.cut_bytes, "a torn tail was cut; nothing acknowledged was in it");
    }
    for path in &report.set_aside {
        tracing::error!(path = %path.display(), "a day's observations cannot be read and were set aside");
    }
    metrics::counter!("gridward_storage_cut_bytes_total").increment(report.cut_bytes);
    metrics::counter!("gridward_storage_set_aside_total").increment(report.set_aside.len() as u64);
    Ok(report)
}

/// Renames a day file and its companions out of the way.
pub(crate) fn set_aside(path: &Path) -> Result<PathBuf, Error> {
    let mut stamp = model::Timestamp::now().as_second();
    while with_suffix(path, &format!(".corrupt-{stamp}")).exists() {
        stamp += 1;
    }
    for companion in ["-wal", "-shm"] {
        let from = with_suffix(path, companion);
        if from.exists() {
            let _ = fs::rename(&from, with_suffix(path, &format!("{companion}.corrupt-{stamp}")));
        }
    }
    let to = with_suffix(path, &format!(".corrupt-{stamp}"));
    fs::rename(path, &to).map_err(|source| Error::File { path: path.to_owned(), source })?;
    Ok(to)
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// What a database file looks like from outside.
#[derive(Debug, PartialEq)]
enum Look {
    /// Its header, and all the pages the header speaks of.
    Whole,
    /// Fewer pages than its header speaks of: cut short, or the hub was killed while a checkpoint brought pages over
    /// from the log, which then still has them.
    Short,
    /// No header.
    Foreign,
}

fn look_of(path: &Path) -> Look {
    let mut header = [0u8; 100];
    let Ok(mut file) = File::open(path) else { return Look::Foreign };
    let len = file.metadata().map(|m| m.len()).unwrap_or(0);
    if len == 0 {
        return Look::Whole; // Made and never written: SQLite takes it as new.
    }
    if file.read_exact(&mut header).is_err() || &header[..16] != b"SQLite format 3\0" {
        return Look::Foreign;
    }
    let page = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        size => u64::from(size),
    };
    let pages = u64::from(u32::from_be_bytes([header[28], header[29], header[30], header[31]]));
    let count_is_current = header[24..28] == header[92..96];
    if !count_is_current || len >= page * pages { Look::Whole } else { Look::Short }
}

/// Lets SQLite take the log in and look at every page.
async fn is_whole_with_its_log(path: &Path) -> bool {
    let Ok(mut connection) = crate::db::options(path).create_if_missing(false).connect().await else { return false };
    let checked: Result<String, _> = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut connection).await;
    // Closed before the file may be renamed: a connection that ends later would delete the log of its successor.
    let _ = connection.close().await;
    checked.is_ok_and(|answer| answer == "ok")
}

const WAL_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// Bytes of a write-ahead log after its last complete commit that belong to the present generation of the log:
/// frames without a commit, with a wrong checksum, or cut short. Format: sqlite.org/fileformat2.html section 4.
pub fn torn_bytes(wal: &[u8]) -> u64 {
    if wal.is_empty() {
        return 0;
    }
    let word = |at: usize| u32::from_be_bytes([wal[at], wal[at + 1], wal[at + 2], wal[at + 3]]);
    if wal.len() < WAL_HEADER || word(0) & !1 != 0x377f_0682 {
        return wal.len() as u64;
    }
    let big_endian = word(0) & 1 == 1;
    let page = word(8) as usize;
    if !(512..=65_536).contains(&page) {
        return wal.len() as u64;
    }
    let salts = &wal[16..24];
    let frame = FRAME_HEADER + page;
    let mut sum = checksum((0, 0), &wal[..24], big_endian);
    if sum != (word(24), word(28)) {
        return wal.len() as u64;
    }
    let (mut at, mut committed) = (WAL_HEADER, WAL_HEADER);
    while at + frame <= wal.len() && &wal[at + 8..at + 16] == salts {
        sum = checksum(sum, &wal[at..at + 8], big_endian);
        sum = checksum(sum, &wal[at + FRAME_HEADER..at + frame], big_endian);
        if sum != (word(at + 16), word(at + 20)) {
            break;
        }
        at += frame;
        if word(at - frame + 4) != 0 {
            committed = at;
        }
    }
    // Frames of an earlier generation may follow, left over from before the last checkpoint; they are no loss. Each
    // generation's first salt is one more than that of the one before.
    let generation = word(16);
    let is_earlier = |at: usize| (1..=MAX_GENERATIONS).contains(&generation.wrapping_sub(word(at + 8)));
    let mut torn_to = committed;
    while torn_to + 16 <= wal.len() && &wal[torn_to + 8..torn_to + 16] == salts {
        torn_to += frame;
    }
    let torn_to = torn_to.min(wal.len());
    let mut at = torn_to;
    while at + 16 <= wal.len() && is_earlier(at) {
        at += frame;
    }
    // What is of no generation was never a frame.
    (torn_to - committed + wal.len().saturating_sub(at)) as u64
}

/// More generations than a log goes through between two clean ends, at one a second for a month.
const MAX_GENERATIONS: u32 = 2_592_000;

fn checksum((mut s0, mut s1): (u32, u32), bytes: &[u8], big_endian: bool) -> (u32, u32) {
    let read = |b: &[u8]| {
        let word = [b[0], b[1], b[2], b[3]];
        if big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    };
    for pair in bytes.chunks_exact(8) {
        s0 = s0.wrapping_add(read(&pair[..4])).wrapping_add(s1);
        s1 = s1.wrapping_add(read(&pair[4..])).wrapping_add(s0);
    }
    (s0, s1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 512;

    /// A write-ahead log of `commits` commits of two frames each.
    fn wal(commits: u32) -> Vec<u8> {
        let mut wal = Vec::new();
        for word in [0x377f_0682u32, 3_007_000, PAGE as u32, 0, 0x1111_1111, 0x2222_2222] {
            wal.extend(word.to_be_bytes());
        }
        let mut sum = checksum((0, 0), &wal, false);
        wal.extend(sum.0.to_be_bytes());
        wal.extend(sum.1.to_be_bytes());
        for frame in 0..commits * 2 {
            let committed_pages = if frame % 2 == 1 { frame + 1 } else { 0 };
            let mut head = Vec::new();
            head.extend((frame + 1).to_be_bytes());
            head.extend(u32::to_be_bytes(committed_pages));
            let page = vec![frame as u8; PAGE];
            sum = checksum(checksum(sum, &head, false), &page, false);
            head.extend([0x11; 4]);
            head.extend([0x22; 4]);
            head.extend(sum.0.to_be_bytes());
            head.extend(sum.1.to_be_bytes());
            wal.extend(head);
            wal.extend(page);
        }
        wal
    }

    #[test]
    fn a_log_cut_at_any_byte_loses_what_follows_its_last_commit() {
        let whole = wal(3);
        let commit = 2 * (FRAME_HEADER + PAGE);
        assert_eq!(torn_bytes(&whole), 0);
        for cut in WAL_HEADER..whole.len() {
            let torn = (cut - WAL_HEADER) % commit;
            assert_eq!(torn_bytes(&whole[..cut]), torn as u64, "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_ends_the_log_and_old_frames_are_no_loss() {
        let whole = wal(3);
        let commit = 2 * (FRAME_HEADER + PAGE);
        let mut flipped = whole.clone();
        flipped[WAL_HEADER + commit + FRAME_HEADER + 7] ^= 1;
        assert_eq!(torn_bytes(&flipped), 2 * commit as u64);
        // Frames of the generation before are left over from before the last checkpoint.
        let mut reused = wal(1);
        let mut old = whole[WAL_HEADER + commit..].to_vec();
        old.chunks_mut(FRAME_HEADER + PAGE).for_each(|frame| frame[11] -= 1);
        reused.extend(old);
        assert_eq!(torn_bytes(&reused), 0);
        reused.truncate(reused.len() - 100);
        assert_eq!(torn_bytes(&reused), 0);
    }

    #[test]
    fn bytes_that_were_never_a_frame_are_told() {
        for length in [1, 20, 600, 5_000] {
            let mut wal = wal(2);
            wal.extend(vec![0x5a; length]);
            assert_eq!(torn_bytes(&wal), length as u64);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..2_000)) {
            let mut behind_a_header = wal(1);
            behind_a_header.truncate(WAL_HEADER + FRAME_HEADER);
            behind_a_header.extend(&bytes);
            proptest::prop_assert!(torn_bytes(&behind_a_header) <= behind_a_header.len() as u64);
            proptest::prop_assert!(torn_bytes(&bytes) <= bytes.len() as u64);
        }
    }
}
