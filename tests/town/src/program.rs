//! The `town` program: arguments, signals, exit codes.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::registry::Load;
use crate::scene::Size;
use crate::script::Script;
use crate::sensors::FleetConfig;
use crate::{Town, TownConfig};

/// A fictional town on the Yangtze: cameras over RTSP, sensors over MQTT, a script of events.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes sources.csv, grids.json and map.geojson.
    Write {
        #[command(flatten)]
        common: Common,
        /// Where the farm will listen.
        #[arg(long, default_value = "127.0.0.1:8554")]
        rtsp: SocketAddr,
    },
    /// Writes the files and plays the town until SIGTERM or SIGINT.
    Run {
        #[command(flatten)]
        common: Common,
        /// Where the cameras listen; port 0 takes a free one.
        #[arg(long)]
        rtsp: SocketAddr,
        /// The broker, HOST:PORT; it may come later.
        #[arg(long, value_parser = broker)]
        mqtt: FleetConfig,
        /// Where the control address listens; port 0 takes a free one.
        #[arg(long)]
        control: SocketAddr,
        /// Seconds after which the script repeats; events are squeezed below 240.
        #[arg(long, default_value_t = 240.0, value_parser = cycle)]
        cycle_s: f64,
        /// Nothing happens but what the control address is told.
        #[arg(long)]
        quiet_script: bool,
        /// Where encoded pictures are kept between starts [default: DIR/clips].
        #[arg(long)]
        clips: Option<PathBuf>,
    },
}

#[derive(clap::Args)]
struct Common {
    /// Where the files go; made when missing.
    #[arg(long)]
    dir: PathBuf,
    /// Decides the map and the noise of the sensors.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Cameras for load tests beside the town's own, all with the same pictures.
    #[arg(long, default_value_t = 0, value_parser = load)]
    load: usize,
    /// Sensors for load tests beside the town's own, which report the numbers of their messages.
    #[arg(long, default_value_t = 0, value_parser = load)]
    load_sensors: usize,
    /// Pictures a second of the load cameras' /sub, as cameras on slow lines are set: the more of them fit on a machine.
    #[arg(long, default_value_t = Size::LOAD_SUB.fps, value_parser = load_fps)]
    load_fps: u32,
    /// Leaves out the town's own cameras and sensors.
    #[arg(long)]
    only_load: bool,
}

impl Common {
    fn load(&self) -> Load {
        Load { cameras: self.load, sensors: self.load_sensors, alone: self.only_load, fps: self.load_fps }
    }
}

/// Their numbers have five digits in the ids.
fn load(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| *count <= 99_999);
    count.ok_or_else(|| "expected a number from 0 to 99999".to_owned())
}

fn load_fps(text: &str) -> Result<u32, String> {
    let fps = text.parse().ok().filter(|fps| Size::LOAD_RATES.contains(fps));
    fps.ok_or_else(|| format!("expected one of {:?}", Size::LOAD_RATES))
}

fn broker(text: &str) -> Result<FleetConfig, String> {
    let found = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    match found {
        Some((host, port)) if !host.is_empty() => Ok(FleetConfig { host: host.to_owned(), port }),
        _ => Err("expected HOST:PORT".to_owned()),
    }
}

fn cycle(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|s| (30.0..=86_400.0).contains(s));
    seconds.ok_or_else(|| "expected seconds from 30 to 86400".to_owned())
}

/// Runs the program with these arguments, the program's name first; returns when it has been told to end.
pub async fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn,town=info".into());
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
    crate::limits::raise_open_files();
    let done = match Arguments::parse_from(arguments).command {
        Command::Write { common, rtsp } => crate::write(&common.dir, common.seed, rtsp, common.load()).map(|_| ()),
        Command::Run { common, rtsp, mqtt, control, cycle_s, quiet_script, clips } => {
            let script = Script { cycle_s, quiet: quiet_script };
            let load = common.load();
            let Common { dir, seed, .. } = common;
            let clips = clips.unwrap_or_else(|| dir.join("clips"));
            run(TownConfig { dir, clips, seed, rtsp, mqtt, control, script, load }).await
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("town: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: TownConfig) -> anyhow::Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let town = tokio::select! {
        town = Town::start(config, |line| eprintln!("town: {line}")) => town?,
        _ = term.recv() => return Ok(()),
        _ = int.recv() => return Ok(()),
    };
    println!("ready rtsp={} control=http://{}", town.rtsp, town.control);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    town.shutdown().await;
    Ok(())
}
