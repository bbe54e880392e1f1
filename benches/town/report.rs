//! The table, and whether the town was served.

use std::process::ExitCode;
use std::time::Duration;

use super::actors::Span;
use super::oracle::Checked;
use super::probe::Screen;

/// All that was measured.
pub struct Report {
    pub cameras: usize,
    pub sensors: usize,
    /// Pictures a second of each camera.
    pub fps: u32,
    pub ready_s: f64,
    /// From the hub's start; none when some never were.
    pub all_live_s: Option<f64>,
    pub most_live: usize,
    pub steady: Span,
    pub burst: Span,
    pub burst_readings: u64,
    pub burst_asked_s: u64,
    pub burst_took_s: f64,
    pub budget_bytes: u64,
    pub screen: Screen,
    pub checked: Checked,
    pub probes: Checked,
    pub stop_s: f64,
    /// Readings of QoS 0 that the hub says it has dropped.
    pub dropped_qos0: u64,
}

const MIB: f64 = 1024.0 * 1024.0;

impl Report {
    pub fn print(&self) {
        let (steady, burst) = (&self.steady, &self.burst);
        let row = |what: &str, figure: String| println!("| {what} | {figure} |");
        println!("\n| {} cameras at {} pictures/s, {} sensors | |\n|---|---|", self.cameras, self.fps, self.sensors);
        row("hub serves after", format!("{:.1} s", self.ready_s));
        let live = match self.all_live_s {
            Some(seconds) => format!("{seconds:.1} s"),
            None => format!("never; {} at most", self.most_live),
        };
        row("all cameras live after (from the hub's start)", live);
        row(&format!("fewest live in {:.0} s of steady state", steady.seconds()), steady.least_live.to_string());
        row("cores, steady: hub", format!("{:.2}", steady.cores(|f| f.hub_cpu_s)));
        row("cores, steady: town", format!("{:.2}", steady.cores(|f| f.town_cpu_s)));
        let (taken, sent) = (steady.grown(|f| f.frames_taken), steady.grown(|f| f.frames_sent));
        let share = taken as f64 * 100.0 / sent.max(1) as f64;
        row("frames: hub took / town sent", format!("{taken} / {sent} ({share:.2} %)"));
        let left_out = format!(
            "{} / {} / {}",
            steady.grown(|f| f.frames_dropped),
            steady.grown(|f| f.frames_late),
            steady.grown(|f| f.lost_packets)
        );
        row("frames dropped for a slow hub / too late in the town / packets lost", left_out);
        let rates = format!("{:.0} frames/s, {:.0} readings/s", sent as f64 / steady.seconds(), self.readings(steady));
        row("town's rates", rates);
        row("hub's memory (RSS)", format!("{:.0} MiB", steady.last.hub_kib as f64 / 1024.0));
        row("town's memory (RSS)", format!("{:.0} MiB", steady.last.town_kib as f64 / 1024.0));
        let (rings, budget) = (self.ring_bytes() as f64 / MIB, self.budget_bytes as f64 / MIB);
        row("ring bytes of the budget", format!("{rings:.0} of {budget:.0} MiB"));
        let asked = format!("{} in {} s", self.burst_readings, self.burst_asked_s);
        row("burst: readings asked beside the usual ones", asked);
        let published = burst.grown(|f| f.published_qos0) + burst.grown(|f| f.published_qos1);
        row("burst: published / not sent", format!("{published} / {}", burst.grown(|f| f.not_sent)));
        row("burst: all acknowledged after", format!("{:.1} s", self.burst_took_s));
        row("burst: fewest cameras live", burst.least_live.to_string());
        row("burst: cores, hub", format!("{:.2}", burst.cores(|f| f.hub_cpu_s)));
        row("burst: cores, town", format!("{:.2}", burst.cores(|f| f.town_cpu_s)));
        let (taken, sent) = (burst.grown(|f| f.frames_taken), burst.grown(|f| f.frames_sent));
        row("burst: frames, hub took / town sent", format!("{taken} / {sent}"));
        row("burst: acknowledged, p50 / p95 / p99 / max ms", times(&self.screen.acknowledged));
        row("burst: on the screen, p50 / p95 / p99 / max ms", times(&self.screen.shown));
        let screen = &self.screen;
        let passed = format!("{} / {} / {}", screen.published, screen.shown.len(), screen.passed_over);
        row("burst: probes published / shown / a later one in their place", passed);
        let kept = &self.checked;
        row("QoS 1: published / acknowledged / kept", {
            format!("{} / {} / {}", kept.sent_qos1, kept.acknowledged, kept.kept_qos1)
        });
        let dropped = self.dropped_qos0;
        row("QoS 0: published / kept / dropped and counted by the hub", {
            format!("{} / {} / {dropped}", kept.sent_qos0, kept.kept_qos0)
        });
        row("acknowledged and lost / out of order / invented / kept twice", {
            format!("{} / {} / {} / {}", kept.lost, kept.disordered, kept.invented, kept.twice)
        });
        row("hub ends within", format!("{:.1} s", self.stop_s));
    }

    fn ring_bytes(&self) -> u64 {
        self.steady.last.ring_bytes.max(self.burst.last.ring_bytes)
    }

    fn readings(&self, span: &Span) -> f64 {
        (span.grown(|f| f.published_qos0) + span.grown(|f| f.published_qos1)) as f64 / span.seconds()
    }

    /// An error when something acknowledged was lost or the budget broken; `strict` also when the town was not served
    /// whole, which on a busy machine may only be slow.
    pub fn verdict(&self, strict: bool) -> ExitCode {
        let mut wrong = Vec::new();
        if !self.checked.is_sound() || !self.probes.is_sound() {
            wrong.push(format!("readings: {:?}, probes: {:?}", self.checked, self.probes));
        }
        if self.ring_bytes() > self.budget_bytes {
            wrong.push(format!("{} bytes in rings, the budget is {}", self.ring_bytes(), self.budget_bytes));
        }
        if strict {
            let kept = &self.checked;
            if self.all_live_s.is_none() {
                wrong.push(format!("{} of {} cameras became live", self.most_live, self.cameras));
            }
            if self.steady.grown(|f| f.frames_taken) == 0 || kept.acknowledged == 0 || self.screen.shown.is_empty() {
                wrong.push("nothing was measured".to_owned());
            }
            if kept.sent_qos0 + kept.sent_qos1 < self.burst_readings {
                wrong.push(format!("of {} readings of the burst {kept:?}", self.burst_readings));
            }
            let missing = kept.sent_qos0.saturating_sub(kept.kept_qos0);
            if missing > self.dropped_qos0 {
                wrong.push(format!("{missing} readings of QoS 0 are missing and not counted"));
            }
        }
        wrong.iter().for_each(|line| eprintln!("town: {line}"));
        if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn times(took: &[Duration]) -> String {
    let mut took = took.to_vec();
    took.sort();
    let Some(last) = took.len().checked_sub(1) else { return "nothing came".to_owned() };
    let at = |q: f64| took[(last as f64 * q) as usize].as_secs_f64() * 1_000.0;
    format!("{:.0} / {:.0} / {:.0} / {:.0} (of {})", at(0.5), at(0.95), at(0.99), at(1.0), took.len())
}
