//! How many observations a second are taken durably: `cargo bench -p storage --bench history -- [RATE] [SECONDS]`.
//!
//! Sends RATE observations a second (20,000) of 20,000 sensors for SECONDS (60) in messages of one observation, gathered
//! every 10 ms as the intake gathers them, and prints what was kept and how long a commit took.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::time::{Duration, Instant};

use model::{Observation, Quality, Timestamp, Value};
use storage::{Config, HistorySeq, Opener, Storage};

const GATHER: Duration = Duration::from_millis(10);
const SENSORS: u64 = 20_000;

#[tokio::main]
async fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let rate = numbers.first().copied().unwrap_or(20_000);
    let seconds = numbers.get(1).copied().unwrap_or(60);
    let dir = tempfile::tempdir_in(".").unwrap();
    let config = Config { data_dir: dir.path().to_owned(), ..Config::default() };
    let (storage, _) = Storage::open(&config, Opener::Hub).await.unwrap();
    let sources: Vec<model::SourceId> = (0..SENSORS).map(|n| format!("sensor-{n:05}").as_str().into()).collect();

    let began = Instant::now();
    let (mut sent, mut waits) = (0u64, Vec::new());
    while began.elapsed() < Duration::from_secs(seconds) {
        let due = (began.elapsed().as_secs_f64() * rate as f64) as u64;
        let now = Timestamp::now();
        let batch: Vec<Observation> = (sent..due)
            .map(|n| Observation {
                source: sources[usize::try_from(n % SENSORS).unwrap()].clone(),
                reading: "level".into(),
                value: Value::Number(n as f64),
                quality: Quality::Good,
                phenomenon_time: now,
                received_at: now,
                retained: false,
            })
            .collect();
        let asked = Instant::now();
        let count = batch.len();
        storage.history().append(batch).await.unwrap();
        waits.extend(std::iter::repeat_n(asked.elapsed(), count.min(1)));
        sent = due;
        tokio::time::sleep(GATHER.saturating_sub(asked.elapsed())).await;
    }
    let took = began.elapsed();
    let mut kept = 0u64;
    storage.history().replay(HistorySeq::default(), |_, _| kept += 1).await.unwrap();
    waits.sort();
    let quantile = |q: f64| waits[((waits.len() - 1) as f64 * q) as usize];
    let bytes: u64 = std::fs::read_dir(dir.path().join("history"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    println!("asked {rate}/s for {seconds} s: kept {kept} of {sent}, {:.0}/s", kept as f64 / took.as_secs_f64());
    println!(
        "commit p50 {:?}  p99 {:?}  max {:?}  over {} commits",
        quantile(0.5),
        quantile(0.99),
        waits[waits.len() - 1],
        waits.len()
    );
    println!("{:.0} bytes on disk an observation", bytes as f64 / kept as f64);
    assert_eq!(kept, sent, "an observation was lost");
}
