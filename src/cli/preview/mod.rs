//! `ringmain preview`: what would this connector do? Over given records (`--input`) without brokers, or
//! live, without writing anything.

#[cfg(test)]
mod fuzz;
mod head;
mod input;
mod live;
mod offline;
mod output;
mod pipe;
mod render;
mod setup;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use self::live::Options;
use self::setup::Setup;
use super::{Exit, print_error};
use crate::plugins::Plugins;
use crate::shard::{self, RuntimeKind};
use crate::worker::preview::Start;

/// Arguments of `ringmain preview`.
#[derive(Debug, Args)]
pub(super) struct PreviewArgs {
    /// Connector configuration (.properties or .json).
    connector: PathBuf,
    /// Worker configuration (.properties), for its converters, config providers and brokers. With
    /// --input it may be left out: converters that the connector does not name itself are then those
    /// of Apache's stock worker, JsonConverter with schemas.
    #[arg(long, value_name = "WORKER.properties")]
    worker: Option<PathBuf>,
    /// Run the converters and transforms of a sink over these records and print what comes out, a JSON
    /// line each; `-` is standard input. Nothing is read from or written to Kafka.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Records to show, without --input.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "input")]
    limit: u32,
    /// Seconds to wait for records, without --input.
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "input")]
    timeout: u32,
    /// Where to begin in a sink's topics, without --input.
    #[arg(long, value_enum, default_value_t = Begin::Last, conflicts_with = "input")]
    from: Begin,
    /// Print a JSON object a line, without --input: first the connector with its roads and warnings,
    /// then the records.
    #[arg(long, conflicts_with = "input")]
    json: bool,
}

/// `--from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Begin {
    /// The last records of each partition.
    Last,
    /// The first records that are left.
    Earliest,
    /// Records that come from now on.
    Latest,
    /// Where the connector's consumer group would go on.
    Committed,
}

impl Begin {
    fn start(self, limit: u32) -> Start {
        match self {
            Self::Last => Start::Last(limit),
            Self::Earliest => Start::Earliest,
            Self::Latest => Start::Latest,
            Self::Committed => Start::Committed,
        }
    }
}

/// Runs the preview.
pub(super) fn run(plugins: Plugins, args: PreviewArgs) -> Exit {
    let worker = args.worker.as_deref();
    match (&args.input, worker) {
        (Some(input), _) => match Setup::offline(plugins, &args.connector, worker) {
            Ok(setup) => offline::run(setup, input.clone()),
            Err(exit) => exit,
        },
        (None, Some(worker)) => {
            let options = Options {
                limit: args.limit,
                timeout: Duration::from_secs(u64::from(args.timeout)),
                from: args.from.start(args.limit),
                json: args.json,
            };
            match Setup::live(plugins, &args.connector, worker) {
                Ok(setup) => live::run(setup, options),
                Err(exit) => exit,
            }
        }
        (None, None) => {
            print_error(
                "name the worker's file with --worker to look at the connector live, or records to run through it with --input FILE (- is standard input)",
            );
            Exit::Usage
        }
    }
}

/// Runs `main` on an executor of its own, on this thread.
fn on_shard(main: impl Future<Output = Exit> + 'static) -> Exit {
    shard::run(RuntimeKind::Epoll, None, main).unwrap_or_else(|error| {
        print_error(&error.to_string());
        Exit::Failure
    })
}
