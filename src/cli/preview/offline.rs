//! Given records through a sink's converters and transforms, one line of output for each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::pipe::{Brought, LINE_MAX, Pipe, PipeError};
use super::setup::Setup;
use super::{input, on_shard, output};
use crate::cli::{Exit, print_error};
use crate::task::preview::RoundTrip;
use crate::worker::preview;

/// Runs to the end of the input.
pub(super) fn run(setup: Setup, file: PathBuf) -> Exit {
    on_shard(async move {
        let config = setup.connector.config.clone();
        let trip = match preview::round_trip(&Arc::clone(&setup.shared), config).await {
            Ok(trip) => trip,
            Err(error) => {
                setup.refuse(&error);
                return Exit::Usage;
            }
        };
        let pipe = match Pipe::open(&file) {
            Ok(pipe) => pipe,
            Err(error) => {
                print_error(&format!("--input {}: {error}", file.display()));
                return Exit::Usage;
            }
        };
        convert(trip, pipe, &file).await
    })
}

async fn convert(mut trip: RoundTrip, mut pipe: Pipe, file: &Path) -> Exit {
    let mut out = Vec::new();
    let mut number = 0;
    loop {
        let brought;
        (pipe, brought) = match pipe.exchange(std::mem::take(&mut out)).await {
            Ok(done) => done,
            Err(error) => return ended(&error),
        };
        let done = match brought {
            Brought::End => return Exit::Clean,
            Brought::TooLong => {
                number += 1;
                Err(format!("longer than {LINE_MAX} bytes"))
            }
            Brought::Lines(lines) => convert_lines(&mut trip, &lines, &mut number, &mut out).await,
        };
        if let Err(reason) = done {
            // What came before stays.
            if let Err(error) = pipe.give(out).await {
                return ended(&error);
            }
            let place = match file.to_str() {
                Some("-") => "standard input".to_owned(),
                _ => file.display().to_string(),
            };
            print_error(&format!("{place}, line {number}: {reason}"));
            return Exit::Failure;
        }
    }
}

/// Converts whole lines; empty ones give nothing. Counts them in `number`.
///
/// # Errors
/// What is wrong with line `number`.
async fn convert_lines(
    trip: &mut RoundTrip,
    lines: &[u8],
    number: &mut u64,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        *number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let fetched = input::parse(line, *number)?;
        for record in &fetched.records {
            match trip.run(&fetched, record).await {
                Ok(Some(written)) => output::record(&written, out),
                Ok(None) => output::filtered(out),
                Err(failed) => output::error(&failed, out),
            }
        }
    }
    Ok(())
}

fn ended(error: &PipeError) -> Exit {
    match error {
        // As with any command whose output is cut short by `head`.
        PipeError::ReaderGone => Exit::Clean,
        _ => {
            print_error(&error.to_string());
            Exit::Failure
        }
    }
}
