//! A whole town on one machine: `cargo bench --bench town -- [CAMERAS] [SENSORS] [BURST/s] [SECONDS] [PICTURES/s]`.
//!
//! The real hub, with all its syncs and its own broker, against the simulated town as a process of its own: 13,000
//! cameras of 352x288 at 15 pictures a second (1 makes thin streams, of which two cores carry them all), 13,000 sensors of a reading every 1 to 60 s, then a burst of 20,000
//! readings a second for 60 s, as when power returns. Printed is what it cost and what arrived. At the end the history
//! is read and held against what the town says it has sent: it is an error when an acknowledged reading is missing, out
//! of order or invented.
//!
//! `cargo test` runs the same with 50 cameras, 50 sensors and 3 s of 500 readings/s; then cameras that do not come up
//! are an error too. Here belong the steps; who takes part is in [`actors`], the measured screen in [`probe`], the
//! check in [`oracle`].
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]
#![expect(dead_code, reason = "the tests' helpers, of which a part is used here")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

mod actors;
#[path = "../../tests/hub.rs"]
mod hub;
mod mqtt;
mod oracle;
mod probe;
mod report;
#[path = "../../tests/socket.rs"]
mod socket;

use actors::{Figures, Stage};
use probe::Probe;
use report::Report;

/// The role of the town, in which this program starts itself.
const TOWN: &str = "play-the-town";

/// How much, and for how long.
struct Size {
    cameras: usize,
    sensors: usize,
    burst_per_s: u64,
    burst_s: u64,
    /// Pictures a second of each camera.
    fps: u32,
    /// For the cameras to become live.
    patience: Duration,
    /// Until the rings are full (they keep 10 s).
    settle: Duration,
    steady: Duration,
}

/// Measures; prints a table; fails when something acknowledged was lost.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == TOWN) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(town::program::main(std::env::args_os().skip(1)));
    }
    let is_bench = arguments.iter().any(|argument| argument == "--bench");
    let words: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    if !is_bench
        && (arguments.iter().any(|a| a == "--list") || words.iter().any(|word| !"whole_town".contains(word.as_str())))
    {
        // cargo test with another test's name.
        return ExitCode::SUCCESS;
    }
    let mut size = if is_bench {
        Size {
            cameras: 13_000,
            sensors: 13_000,
            burst_per_s: 20_000,
            burst_s: 60,
            fps: 15,
            patience: Duration::from_secs(60),
            settle: Duration::from_secs(12),
            steady: Duration::from_secs(30),
        }
    } else {
        Size {
            cameras: 50,
            sensors: 50,
            burst_per_s: 500,
            burst_s: 3,
            fps: 15,
            patience: Duration::from_secs(60),
            settle: Duration::from_secs(1),
            steady: Duration::from_secs(3),
        }
    };
    if is_bench {
        let number = |at: usize| words.get(at).map(|word| word.parse::<u64>().expect("a number"));
        size.cameras = number(0).map_or(size.cameras, |count| count as usize);
        size.sensors = number(1).map_or(size.sensors, |count| count as usize);
        size.burst_per_s = number(2).unwrap_or(size.burst_per_s);
        size.burst_s = number(3).unwrap_or(size.burst_s);
        size.fps = number(4).map_or(size.fps, |fps| fps as u32);
    }
    oracle::prove();
    let report = measure(&size);
    report.print();
    report.verdict(!is_bench)
}

fn measure(size: &Size) -> Report {
    let stage = Stage::set(size.cameras, size.fps, size.sensors);
    let started = Instant::now();
    let (hub, token) = stage.start_hub();
    let ready_s = started.elapsed().as_secs_f64();
    let figures = || stage.figures(&hub);

    let mut live = 0;
    let mut all_live_s = None;
    while started.elapsed() < size.patience && all_live_s.is_none() {
        live = live.max(figures().live);
        all_live_s = (live >= size.cameras).then(|| started.elapsed().as_secs_f64());
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(size.settle);

    let watch = |until: &mut dyn FnMut(&Figures) -> bool| {
        let first = figures();
        let mut least_live = first.live;
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let now = figures();
            least_live = least_live.min(now.live);
            if until(&now) {
                return actors::Span { first, last: now, least_live };
            }
        }
    };
    let began = Instant::now();
    let steady = watch(&mut |_| began.elapsed() >= size.steady);

    let probe = Probe::start(&hub, &token, stage.mqtt_port);
    let before = figures();
    let readings = stage.burst(size.burst_per_s, size.burst_s);
    // As long again for what waits; then it counts as not acknowledged.
    let limit = Duration::from_secs(2 * size.burst_s + 10);
    let began = Instant::now();
    let mut wanted = None;
    let mut burst = watch(&mut |now| {
        if now.burst_left == 0 && wanted.is_none() {
            // All of the burst has gone out by now; the usual readings go on.
            wanted = Some(now.published_qos1);
        }
        wanted.is_some_and(|count| now.acknowledged >= count) || began.elapsed() > limit
    });
    burst.first = before;
    let burst_took_s = began.elapsed().as_secs_f64();
    let screen = probe.stop();

    let told = stage.hush();
    let dropped_qos0 = figures().dropped_qos0;
    let (_, stopped) = hub.stop();
    stage.end();
    let (kept, kept_probes) = stage.history();
    let checked = oracle::check(&told, &kept);
    let probes = oracle::check(&screen.sent(), &kept_probes);
    Report {
        cameras: size.cameras,
        sensors: size.sensors,
        fps: size.fps,
        ready_s,
        all_live_s,
        most_live: live.max(steady.last.live),
        steady,
        burst,
        burst_readings: readings,
        burst_asked_s: size.burst_s,
        burst_took_s,
        budget_bytes: stage.budget_bytes,
        screen,
        checked,
        probes,
        stop_s: stopped.as_secs_f64(),
        dropped_qos0,
    }
}
