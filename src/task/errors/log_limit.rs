//! Bounds log lines per second, so that a million bad records don't fill a disk.

use std::time::{Duration, Instant};

/// Admits so many lines a second and counts the rest.
#[derive(Debug)]
pub struct LogLimit {
    per_second: u32,
    second: Instant,
    admitted: u32,
    suppressed: u64,
}

impl LogLimit {
    /// At most `per_second` lines.
    pub fn new(per_second: u32) -> Self {
        Self {
            per_second,
            second: Instant::now(),
            admitted: 0,
            suppressed: 0,
        }
    }

    /// Whether a line may be written now; with it, how many were not since the last one.
    pub fn admit(&mut self) -> Option<u64> {
        if self.second.elapsed() >= Duration::from_secs(1) {
            self.second = Instant::now();
            self.admitted = 0;
        }
        if self.admitted >= self.per_second {
            self.suppressed += 1;
            return None;
        }
        self.admitted += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_limit_are_counted_instead() {
        let mut limit = LogLimit::new(2);
        assert_eq!(
            [limit.admit(), limit.admit(), limit.admit(), limit.admit()],
            [Some(0), Some(0), None, None]
        );
        limit.second = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
        assert_eq!(limit.admit(), Some(2));
    }
}
