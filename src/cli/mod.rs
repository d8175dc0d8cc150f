//! The command: arguments, logs, signals, exit codes, and putting the rooms together.
//!
//! Exit codes: 0 clean stop, 1 failure, 2 bad usage or configuration; of `ctl` also 3 and 4, of
//! `migrate` also 3.

mod at_rest;
mod boot;
mod completions;
mod ctl;
mod distributed;
mod doctor;
mod logging;
mod migrate;
mod plugins;
mod preview;
mod progress;
mod signals;
mod standalone;
mod style;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::plugins::Plugins;

/// Kafka Connect's version that this one stands in for; tools switch on it.
pub const KAFKA_VERSION: &str = "4.3.1";

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: a clean stop.
    Clean,
    /// 1: something failed; it was logged or printed.
    Failure,
    /// 2: arguments or configuration can't be used; the reason was printed.
    Usage,
    /// 3: `ctl diff` found differences, or `migrate` something that does not run as it does.
    Differs,
    /// 4: `ctl wait` waited in vain.
    TimedOut,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Clean => Self::SUCCESS,
            Exit::Failure => Self::from(1),
            Exit::Usage => Self::from(2),
            Exit::Differs => Self::from(3),
            Exit::TimedOut => Self::from(4),
        }
    }
}

/// Kafka Connect without the JVM.
#[derive(Debug, Parser)]
#[command(name = "ringmain", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct LogArgs {
    /// Log level, or a filter like `info,ringmain::kafka=debug` [default: info, of preview, ctl and migrate: warn].
    #[arg(long, global = true, env = "RINGMAIN_LOG")]
    log_level: Option<String>,
    /// Log format.
    #[arg(
        long,
        global = true,
        env = "RINGMAIN_LOG_FORMAT",
        default_value = "text"
    )]
    log_format: logging::Format,
    /// Show a progress line (records, bytes, rates, lag) on the terminal.
    #[arg(long, global = true, default_value = "auto")]
    progress: progress::When,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run connectors in this process, with the files of Kafka's connect-standalone.
    Standalone {
        /// Worker configuration (.properties).
        worker: PathBuf,
        /// Connector configurations (.properties or .json).
        connectors: Vec<PathBuf>,
    },
    /// Run as a member of a Connect cluster.
    Distributed {
        /// Worker configuration (.properties).
        worker: PathBuf,
    },
    /// Check this machine and the brokers, and say what to do about each finding.
    Doctor {
        /// Worker configuration to check, or nothing.
        worker: Option<PathBuf>,
        /// Brokers to reach, instead of those of the worker configuration.
        #[arg(long, value_name = "HOST:PORT,…")]
        bootstrap_servers: Option<String>,
    },
    /// Show what a connector would do, without writing anything anywhere.
    Preview(preview::PreviewArgs),
    /// Report what of a Connect cluster of Apache's runs here, and how to take it over.
    Migrate(Box<migrate::MigrateArgs>),
    /// List connectors and converters.
    Plugins,
    /// Manage connectors at any Connect REST address, Apache's included.
    Ctl(Box<ctl::CtlArgs>),
    /// Print what a shell needs to complete commands, options and names of connectors.
    Completions {
        /// Shell.
        shell: completions::Shell,
    },
}

impl Command {
    /// The log level unless the user says otherwise: what a person asked for should not drown in logs.
    fn log_level(&self) -> &'static str {
        match self {
            Self::Preview(_) | Self::Ctl(_) | Self::Migrate(_) => "warn",
            _ => "info",
        }
    }
}

/// Runs the command with these plugins: the whole binary, for embedders as well.
pub fn run(plugins: Plugins) -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if completions::answer(<Cli as clap::CommandFactory>::command, &args) {
        return Exit::Clean.into();
    }
    let args = arguments(args);
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let level = cli.log.log_level.as_deref();
    let level = level.unwrap_or(cli.command.log_level());
    let loggers = match logging::start(level, cli.log.log_format) {
        Ok(loggers) => loggers,
        Err(reason) => {
            print_error(&reason);
            return Exit::Usage.into();
        }
    };
    let exit = match cli.command {
        Command::Standalone { worker, connectors } => {
            standalone::run(plugins, &worker, &connectors, cli.log.progress, loggers)
        }
        Command::Distributed { worker } => {
            distributed::run(plugins, &worker, cli.log.progress, loggers)
        }
        Command::Doctor {
            worker,
            bootstrap_servers,
        } => doctor::run(worker.as_deref(), bootstrap_servers.as_deref()),
        Command::Preview(args) => preview::run(plugins, args),
        Command::Migrate(args) => migrate::run(&plugins, &args),
        Command::Plugins => plugins::print(&plugins),
        Command::Ctl(args) => ctl::run(&args),
        Command::Completions { shell } => completions::print(shell),
    };
    exit.into()
}

/// Under Kafka's script names the subcommand is in the name.
fn arguments(mut args: Vec<OsString>) -> Vec<OsString> {
    let name = args
        .first()
        .and_then(|arg| Path::new(arg).file_name()?.to_str().map(str::to_owned));
    let name = name.unwrap_or_default();
    let subcommand = match name.strip_suffix(".sh").unwrap_or(&name) {
        "connect-standalone" => "standalone",
        "connect-distributed" => "distributed",
        _ => return args,
    };
    let is_option =
        |arg: &OsString| matches!(arg.to_str(), Some("--help" | "-h" | "--version" | "-V"));
    if !args.get(1).is_some_and(is_option) {
        args.insert(1, subcommand.into());
    }
    args
}

fn usage(error: &clap::Error) -> ExitCode {
    let help = !error.use_stderr();
    // Nothing is left to do when the terminal is gone.
    error.print().unwrap_or(());
    if help {
        Exit::Clean.into()
    } else {
        Exit::Usage.into()
    }
}

/// Prints to standard error, for what must be seen at any log level.
#[expect(clippy::print_stderr, reason = "the command's own messages")]
pub(crate) fn print_error(text: &str) {
    eprintln!("ringmain: {text}");
}

/// Prints a line of a command's result.
pub(crate) fn print_line(text: &str) {
    use std::io::Write;
    // A reader that has gone away (`ringmain plugins | head`) is no failure.
    writeln!(std::io::stdout(), "{text}").unwrap_or(());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn the_service_starts_a_command_that_there_is() {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/ringmain-distributed.service");
        let unit = std::fs::read_to_string(path).unwrap();
        let line = unit
            .lines()
            .find_map(|line| line.strip_prefix("ExecStart="));
        let cli = Cli::try_parse_from(line.unwrap().split(' ')).unwrap();
        assert!(matches!(cli.command, Command::Distributed { .. }));
    }

    #[test]
    fn kafkas_script_names_choose_the_subcommand() {
        let args = |list: &[&str]| arguments(list.iter().map(OsString::from).collect());
        assert_eq!(args(&["/x/connect-standalone", "w"])[1], "standalone");
        assert_eq!(args(&["connect-standalone.sh", "w"])[1], "standalone");
        assert_eq!(args(&["ringmain", "plugins"])[1], "plugins");
        assert_eq!(args(&["connect-distributed", "--help"])[1], "--help");
    }
}
