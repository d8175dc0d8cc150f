//! Input for measurements: `cargo run --release -p perf -- lines COUNT` prints COUNT lines of JSON, 93
//! bytes each with the line end, the same ones on every run.
//!
//! A package of its own, so that what measuring needs never reaches a user's build.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

const USAGE: &str = "usage: perf lines COUNT";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let count = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["lines", count] => count.parse::<u64>().ok(),
        _ => None,
    };
    let Some(count) = count else {
        return fail(USAGE);
    };
    match print_lines(
        count,
        BufWriter::with_capacity(1 << 20, io::stdout().lock()),
    ) {
        Ok(()) => ExitCode::SUCCESS,
        // A reader like `head` has had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&format!("perf: {error}")),
    }
}

fn fail(text: &str) -> ExitCode {
    // Nothing is left to do when standard error is gone.
    writeln!(io::stderr(), "{text}").unwrap_or(());
    ExitCode::from(2)
}

fn print_lines(count: u64, mut out: impl Write) -> io::Result<()> {
    for number in 0..count {
        // Fixed widths, and no leading zeros: those would be no JSON.
        let (id, user, cents) = (
            1_000_000_000 + number,
            number % 999_999,
            1_000_000 + number % 9_000_000,
        );
        writeln!(
            out,
            "{{\"id\":{id},\"name\":\"user-{user:06}\",\"amount\":{}.{:02},\"active\":true,\"note\":\"abcdefghijkl\"}}",
            cents / 100,
            cents % 100
        )?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_json_of_93_bytes() {
        let mut out = Vec::new();
        print_lines(100_001, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 100_001);
        assert!(
            text.lines().all(|line| line.len() + 1 == 93),
            "{}",
            text.lines().next().unwrap()
        );
    }
}
