//! `ringmain migrate`: what of a Connect cluster runs here, what would be otherwise, and how to take it over.
//!
//! ```text
//! by_rest (address) ┐
//! by_topics (file)  ┴→ cluster ─→ connector (judge, with worker) ─→ report, steps
//! ```
//!
//! It reads and changes nothing: GET requests alone, and consumers without a group. A worker's file is read
//! as far as it goes ([`worker`]); what can't be used of it is part of the report. Topics are read to where
//! they ended when the reading began; what is kept of them is what workers keep.

mod by_rest;
mod by_topics;
mod cluster;
mod connector;
mod finding;
mod report;
mod steps;
#[cfg(test)]
mod tests;
mod topic_log;
mod worker;

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use self::cluster::Failure;
use self::connector::Judge;
use self::report::Report;
use self::worker::Worker;
use super::ctl::ConnectionArgs;
use super::ctl::output::{Output, printable_lines};
use super::{Exit, print_error};
use crate::plugins::Plugins;

/// Arguments of `ringmain migrate`.
#[derive(Debug, Args)]
#[command(
    mut_arg("url", |url| url.hide(true)),
    after_help = "Exit codes: 0 everything runs as it does, 1 failed, 2 arguments or files can't be used, 3 something runs otherwise or not at all."
)]
pub(super) struct MigrateArgs {
    /// The cluster: the address of a worker's REST interface, or the file of a distributed worker, whose
    /// three topics are read then.
    #[arg(long, value_name = "WORKER.properties|URL")]
    from: String,
    /// With an address: the file of the cluster's workers, for its converters, config providers and client
    /// settings.
    #[arg(long, value_name = "WORKER.properties")]
    worker: Option<PathBuf>,
    /// Look and report, and change nothing; there is no other way yet.
    #[arg(long, default_value_t = true)]
    dry_run: bool,
    /// Print one JSON value, and errors as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Reads the cluster and prints the report.
pub(super) fn run(plugins: &Plugins, args: &MigrateArgs) -> Exit {
    let out = Output::new(args.json);
    match examine(plugins, args, out) {
        Ok(exit) => exit,
        Err(failure) => {
            print_failure(args.json, &failure);
            failure.exit
        }
    }
}

fn examine(plugins: &Plugins, args: &MigrateArgs, out: Output) -> Result<Exit, Failure> {
    let (worker, cluster) = if is_address(&args.from) {
        let worker = match &args.worker {
            Some(path) => Worker::load(path, plugins)?,
            None => Worker::unknown()?,
        };
        (worker, by_rest::read(&args.connection, &args.from)?)
    } else {
        if args.worker.is_some() {
            let message = "--worker goes with an address: --from is a worker's file already";
            return Err(Failure::usage(message));
        }
        let path = Path::new(&args.from);
        let worker = Worker::load(path, plugins)?;
        let cluster = by_topics::read(path, &worker)?;
        (worker, cluster)
    };
    let judge = Judge {
        plugins,
        worker: &worker,
    };
    let report = Report::new(&cluster, &worker, |connector| judge.findings(connector));
    report.print(out);
    Ok(report.exit())
}

/// An address has a scheme; everything else is a file.
fn is_address(from: &str) -> bool {
    let scheme = from
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("http" | "https"))
}

fn print_failure(json: bool, failure: &Failure) {
    if json {
        let text = json!({"error": {"message": failure.message, "hint": failure.hint}}).to_string();
        return print_plain_error(&text);
    }
    print_error(&printable_lines(&failure.message));
    if let Some(hint) = &failure.hint {
        print_error(&format!("hint: {}", printable_lines(hint)));
    }
}

fn print_plain_error(text: &str) {
    use std::io::Write;
    // Nothing is left to do when standard error is gone.
    writeln!(std::io::stderr(), "{text}").unwrap_or(());
}
