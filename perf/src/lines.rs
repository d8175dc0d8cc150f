//! `perf lines COUNT`: lines of JSON for measurements by hand, 93 bytes each with the line end, the same
//! ones on every run.

use std::io::{self, Write};

/// Prints them.
pub(crate) fn print_lines(count: u64, mut out: impl Write) -> io::Result<()> {
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
