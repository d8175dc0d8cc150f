//! `ringmain ctl`: manages connectors at any Connect REST address, Apache's included.
//!
//! ```text
//! arguments → connection (addresses, credentials, TLS) → client (fail-over, retries, bounds)
//!           → api (Connect's calls and shapes) → a file per group of commands → output (tables, JSON)
//! ```
//!
//! A client and nothing else: it builds no plugin, starts no shard and writes no log, so that it is there
//! at once. One thread; every request is bounded. With `--json` standard output holds one JSON value whose
//! shape does not depend on the worker's version, and an error is `{"error":{…}}` on standard error.
//! Whatever a worker says is shown without characters that steer a terminal; secrets of configurations are
//! hidden (`secrets`).

mod api;
mod apply;
mod batch;
mod client;
mod confirm;
mod connection;
mod describe;
mod diff;
mod error;
mod files;
mod info;
mod lifecycle;
mod list;
mod loggers;
mod offsets;
pub(super) mod output;
mod plugins;
mod samples;
mod secrets;
mod snapshot;
pub(super) mod table;
mod top;
mod topics;
mod validate;
mod wait;

use std::time::Duration;

use clap::{Args, Subcommand};

use self::client::Client;
pub(super) use self::connection::ConnectionArgs;
use self::error::CtlError;
use self::lifecycle::Target;
use self::output::Output;
use self::secrets::PasswordKeys;
pub(super) use self::snapshot::{ConnectorSnapshot, snapshot};
use super::{Exit, print_error};

/// Longest time that completion may hold up a shell, per request.
const COMPLETION_LIMIT: Duration = Duration::from_secs(2);

/// Arguments of `ringmain ctl`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 arguments or files can't be used, 3 `diff` found differences, 4 `wait` waited in vain."
)]
pub(super) struct CtlArgs {
    /// Print one JSON value, and errors as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: CtlCommand,
}

#[derive(Debug, Subcommand)]
enum CtlCommand {
    /// List connectors with state, tasks and class.
    List(list::ListArgs),
    /// Show configuration, state, tasks, traces and topics of a connector.
    Describe(describe::DescribeArgs),
    /// Create the connectors of files, or change them to what the files say.
    Apply(apply::ApplyArgs),
    /// Show how files differ from what runs; exit code 3 if they do.
    Diff(apply::DiffArgs),
    /// Let the worker check files, and show problems by key.
    Validate(validate::ValidateArgs),
    /// Pause connectors: tasks stay and do nothing.
    Pause(lifecycle::NamesArgs),
    /// Resume paused or stopped connectors.
    Resume(lifecycle::NamesArgs),
    /// Stop connectors: tasks go, configurations and offsets stay.
    Stop(lifecycle::NamesArgs),
    /// Restart connectors or single tasks.
    Restart(lifecycle::RestartArgs),
    /// Delete connectors; their offsets stay.
    Delete(lifecycle::DeleteArgs),
    /// Wait until connectors are in a state.
    Wait(wait::WaitArgs),
    /// Show, set or forget a connector's offsets.
    Offsets(offsets::OffsetsArgs),
    /// Show or forget the topics that a connector has used.
    Topics(topics::TopicsArgs),
    /// List the worker's plugins, or the keys of one.
    Plugins(plugins::PluginsArgs),
    /// Log levels of the worker.
    Logs(loggers::LogsArgs),
    /// Watch states, rates and lag.
    Top(top::TopArgs),
    /// Show who answers: version, cluster, health.
    Info,
}

/// What every command has.
#[derive(Debug)]
struct Ctl {
    client: Client,
    out: Output,
    passwords: PasswordKeys,
}

/// Runs a command.
pub(super) fn run(args: &CtlArgs) -> Exit {
    let out = Output::new(args.json);
    let done = Ctl::new(&args.connection, out).and_then(|ctl| ctl.run(&args.command));
    done.unwrap_or_else(|error| {
        out.failure(&error);
        error.exit()
    })
}

impl Ctl {
    fn new(args: &ConnectionArgs, out: Output) -> Result<Self, CtlError> {
        let connection = args.connection()?;
        for warning in &connection.warnings {
            print_error(&format!("warning: {warning}"));
        }
        Ok(Self {
            client: Client::new(connection),
            out,
            passwords: PasswordKeys::default(),
        })
    }

    fn run(&self, command: &CtlCommand) -> Result<Exit, CtlError> {
        match command {
            CtlCommand::List(args) => list::run(self, args),
            CtlCommand::Describe(args) => describe::run(self, args),
            CtlCommand::Apply(args) => apply::apply(self, args),
            CtlCommand::Diff(args) => apply::diff(self, args),
            CtlCommand::Validate(args) => validate::run(self, args),
            CtlCommand::Pause(args) => Ok(lifecycle::change(self, args, Target::Paused)),
            CtlCommand::Resume(args) => Ok(lifecycle::change(self, args, Target::Running)),
            CtlCommand::Stop(args) => Ok(lifecycle::change(self, args, Target::Stopped)),
            CtlCommand::Restart(args) => lifecycle::restart(self, args),
            CtlCommand::Delete(args) => lifecycle::delete(self, args),
            CtlCommand::Wait(args) => wait::run(self, args),
            CtlCommand::Offsets(args) => offsets::run(self, args),
            CtlCommand::Topics(args) => topics::run(self, args),
            CtlCommand::Plugins(args) => plugins::run(self, args),
            CtlCommand::Logs(args) => loggers::run(self, args),
            CtlCommand::Top(args) => top::run(self, args),
            CtlCommand::Info => info::run(self),
        }
    }
}

/// What completion offers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Offer {
    /// Names of connectors.
    Connectors,
    /// Classes of connector plugins.
    Plugins,
    /// Names of loggers.
    Loggers,
}

/// Asks the worker that `words`, the command line so far, name; nothing when it does not answer soon.
pub(super) fn offered(offer: Offer, words: &[String]) -> Vec<String> {
    let Ok(connection) = hasty(words).connection() else {
        return Vec::new();
    };
    let client = Client::new(connection);
    let found = match offer {
        Offer::Connectors => client.names(),
        Offer::Loggers => loggers::names(&client),
        Offer::Plugins => plugins::classes(&client),
    };
    let mut found = found.unwrap_or_default();
    found.sort();
    found
}

/// Connection options among words that need not be a whole command, and from the environment.
fn hasty(words: &[String]) -> ConnectionArgs {
    let mut args = ConnectionArgs::hasty(COMPLETION_LIMIT);
    for option in [
        "url",
        "user",
        "password-file",
        "token-file",
        "ca",
        "cert",
        "key",
    ] {
        let variable = format!("RINGMAIN_{}", option.to_uppercase().replace('-', "_"));
        if let Ok(value) = std::env::var(variable) {
            args.set(option, &value);
        }
    }
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some(option) = word.strip_prefix("--") else {
            continue;
        };
        match option.split_once('=') {
            Some((option, value)) => args.set(option, value),
            None => args.set(option, words.peek().map_or("", |next| next.as_str())),
        }
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completion_takes_the_address_from_the_words_so_far() {
        let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        for list in [
            &["ringmain", "ctl", "--url", "http://a:1", "pause", ""][..],
            &["ringmain", "ctl", "--url=http://a:1", "pause", ""],
            &["ringmain", "ctl", "pause", "--url", "http://a:1", ""],
        ] {
            let connection = hasty(&words(list)).connection().unwrap();
            assert_eq!(connection.urls, ["http://a:1"], "{list:?}");
            assert!(connection.timeout <= COMPLETION_LIMIT && connection.retry.is_zero());
        }
    }

    #[test]
    fn completion_offers_nothing_when_nobody_answers() {
        let words = ["--url".to_owned(), "http://127.0.0.1:1".to_owned()];
        assert!(offered(Offer::Connectors, &words).is_empty());
    }
}
