//! The `gridward` binary: arguments, configuration, exit codes.

mod accounts;
mod cameras;
mod check;
mod emergency;
mod init;
mod intake;
mod limits;
mod log;
mod own;
mod pipeline;
mod registry;
mod rulebook;
mod rules;
mod settings;
mod sources;
mod telemetry;
mod telling;
mod warning;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use model::Role;

/// The command hub of a town: cameras, sensors, early warnings, incidents.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes a commented hub.toml and the folders a hub needs.
    Init {
        /// Where; made when missing.
        dir: PathBuf,
    },
    /// Runs the hub until SIGTERM or SIGINT; a second signal ends it at once.
    Run(Config),
    /// Checks the configuration; exits 0, or 64 with every problem listed.
    Check(Config),
    /// Rules: checked, tested, tried over the past.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Cameras and sensors.
    #[command(subcommand)]
    Sources(SourcesCommand),
    /// People who log in.
    #[command(subcommand)]
    User(UserCommand),
    /// Tokens for programs.
    #[command(subcommand)]
    Token(TokenCommand),
    /// The event log.
    #[command(subcommand)]
    Log(LogCommand),
    /// Prints the API's OpenAPI document.
    Openapi,
}

#[derive(clap::Args)]
struct Config {
    /// The configuration file.
    #[arg(long, default_value = "hub.toml")]
    config: PathBuf,
}

#[derive(Subcommand)]
enum RulesCommand {
    /// Tells what is wrong with rules and what somebody should look at; exits 0, or 64 when there are errors.
    Check {
        /// Rule files and folders of them; without, those of the settings.
        paths: Vec<PathBuf>,
        /// Exits 64 for warnings too.
        #[arg(long)]
        strict: bool,
        /// The configuration file; its hub's registry is looked at too. hub.toml when there is one.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Tries a rule over the stored past, beside a running hub; the same engine over the same readings.
    Backtest {
        /// The rule's id.
        rule: String,
        /// A date, or a time with its zone.
        #[arg(long, value_parser = rules::moment)]
        from: jiff::Timestamp,
        /// The same; now without.
        #[arg(long, value_parser = rules::moment)]
        to: Option<jiff::Timestamp>,
        /// A rule file to be tried in place of the hub's.
        #[arg(long)]
        file: Option<PathBuf>,
        /// The whole report as JSON.
        #[arg(long)]
        json: bool,
        /// Alarms a day of one source beyond which limits are sought that calm it.
        #[arg(long, default_value_t = 1.0)]
        calm_per_day: f64,
        #[command(flatten)]
        config: Config,
    },
    /// Runs test files (docs/trying-rules.md); exits 0, 1 when a test fails, 64 when a file cannot be read.
    Test {
        /// Test files, and folders of them (`*_test.yaml`, or all of a folder called tests).
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
}

#[derive(Subcommand)]
enum SourcesCommand {
    /// Takes sources in from a CSV file; the header is that of `sources export`.
    Import {
        /// The file.
        file: PathBuf,
        /// Only says what would happen.
        #[arg(long)]
        dry_run: bool,
        /// Takes the good rows of a file that has bad ones.
        #[arg(long)]
        partial: bool,
        /// A JSON array of grids (id, name, parent, outline) taken in first.
        #[arg(long)]
        grids: Option<PathBuf>,
        #[command(flatten)]
        config: Config,
    },
    /// Prints all sources as CSV, without passwords.
    Export(Config),
}

#[derive(Subcommand)]
enum UserCommand {
    /// Adds a person; the password is read from the first line of standard input, or made up and printed.
    Add {
        /// The name to log in with.
        name: String,
        /// viewer, responder, operator, lead or admin.
        #[arg(long, value_parser = role)]
        role: Role,
        /// Limits the person to this grid and all inside it; may be given several times.
        #[arg(long)]
        grid: Vec<String>,
        /// Limits the person to sources of this owner; may be given several times.
        #[arg(long)]
        owner: Vec<String>,
        /// Reads the password from standard input.
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        config: Config,
    },
    /// Gives a person another password and ends their sessions; made up and printed, as with `add`.
    Password {
        /// Who.
        name: String,
        /// Reads the password from standard input.
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        config: Config,
    },
}

#[derive(Subcommand)]
enum TokenCommand {
    /// Makes a token and prints its secret, which cannot be shown again.
    Create {
        /// viewer, responder, operator, lead or admin.
        #[arg(long, value_parser = role)]
        role: Role,
        /// The token's name in the log; made up without.
        #[arg(long)]
        name: Option<String>,
        /// Limits the token to this grid and all inside it; may be given several times.
        #[arg(long)]
        grid: Vec<String>,
        #[command(flatten)]
        config: Config,
    },
}

#[derive(Subcommand)]
enum LogCommand {
    /// Walks the hash chain of the event log; exits 0, or 1 at the first row that does not fit.
    Verify(Config),
}

/// `EX_USAGE` of sysexits.h: the configuration has problems.
const BAD_CONFIG: u8 = 64;

fn role(text: &str) -> Result<Role, String> {
    let names: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
    let found = Role::ALL.into_iter().find(|role| role.as_str() == text);
    found.ok_or_else(|| format!("expected one of {}", names.join(", ")))
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Init { dir } => init::write(&dir),
        Command::Run(config) => pipeline::run(&config.config).await,
        Command::Check(config) => check::run(&config.config),
        Command::Rules(RulesCommand::Check { paths, strict, config }) => {
            let here = || std::path::Path::new("hub.toml").exists().then(|| PathBuf::from("hub.toml"));
            rules::check(&paths, config.or_else(here).as_deref(), strict).await
        }
        Command::Rules(RulesCommand::Backtest { rule, from, to, file, json, calm_per_day, config }) => {
            let to = to.unwrap_or_else(jiff::Timestamp::now);
            rules::backtest(&config.config, rules::Asked { rule, from, to, file, json, calm_per_day }).await
        }
        Command::Rules(RulesCommand::Test { paths }) => rules::test(&paths),
        Command::Sources(SourcesCommand::Import { file, dry_run, partial, grids, config }) => {
            let how = sources::Import { dry_run, partial };
            sources::import(&config.config, &file, grids.as_deref(), how).await
        }
        Command::Sources(SourcesCommand::Export(config)) => sources::export(&config.config).await,
        Command::User(UserCommand::Add { name, role, grid, owner, password_stdin, config }) => {
            accounts::add_user(&config.config, &name, role, accounts::scope(grid, owner), password_stdin).await
        }
        Command::User(UserCommand::Password { name, password_stdin, config }) => {
            accounts::set_password(&config.config, &name, password_stdin).await
        }
        Command::Token(TokenCommand::Create { role, name, grid, config }) => {
            accounts::create_token(&config.config, name, role, accounts::scope(grid, Vec::new())).await
        }
        Command::Log(LogCommand::Verify(config)) => log::verify(&config.config).await,
        Command::Openapi => print_openapi(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // `gridward sources export | head` has got what it asked for.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gridward: {error:#}");
            let bad_files =
                error.is::<settings::BadConfig>() || error.is::<rules::Found>() || error.is::<rules::BadTests>();
            if bad_files { ExitCode::from(BAD_CONFIG) } else { ExitCode::FAILURE }
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn print_openapi() -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(&dashboard::openapi())?;
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}
