//! Input files and what must come out of them.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A numbered line of 93 bytes without its end, JSON as logs have it.
pub(crate) fn line(number: u64) -> String {
    let mut text = format!(
        "{{\"n\":{number:010},\"user\":\"u{:05}\",\"ok\":{},\"text\":\"",
        number % 99_991,
        if number.is_multiple_of(3) {
            "true "
        } else {
            "false"
        },
    );
    while text.len() < 91 {
        write!(
            text,
            "{}",
            char::from(b'a' + u8::try_from((number + 7) % 26).unwrap())
        )
        .unwrap();
    }
    text.push_str("\"}");
    text
}

/// The number of a line made by [`line`], wherever it stands in `text`.
pub(crate) fn number_of(text: &[u8]) -> Option<u64> {
    let at = text.windows(5).position(|w| w == b"{\"n\":")? + 5;
    std::str::from_utf8(text.get(at..at + 10)?)
        .ok()?
        .parse()
        .ok()
}

/// Appends numbered lines to a file.
pub(crate) fn append_lines(path: &Path, numbers: Range<u64>) {
    let file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    let mut file = BufWriter::with_capacity(1 << 20, file);
    for number in numbers {
        writeln!(file, "{}", line(number)).unwrap();
    }
    file.flush().unwrap();
}

/// How numbered records came out.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    seen: HashSet<u64>,
    pub(crate) records: u64,
    pub(crate) damaged: u64,
    /// The number of records that are smaller than the one before.
    pub(crate) steps_back: u64,
    last: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, value: &[u8]) {
        self.records += 1;
        let Some(number) = number_of(value).filter(|n| line(*n).as_bytes() == value) else {
            self.damaged += 1;
            return;
        };
        self.seen.insert(number);
        self.steps_back += u64::from(number < self.last);
        self.last = number;
    }

    pub(crate) fn add_file(&mut self, path: &Path) {
        for value in fs::read(path).unwrap().split_inclusive(|b| *b == b'\n') {
            self.add(value.strip_suffix(b"\n").unwrap_or(value));
        }
    }

    pub(crate) fn duplicates(&self) -> u64 {
        self.records - self.damaged - self.distinct()
    }

    pub(crate) fn has(&self, number: u64) -> bool {
        self.seen.contains(&number)
    }

    /// Different whole lines seen.
    pub(crate) fn distinct(&self) -> u64 {
        u64::try_from(self.seen.len()).unwrap()
    }

    pub(crate) fn missing(&self, count: u64) -> Vec<u64> {
        (0..count).filter(|n| !self.seen.contains(n)).collect()
    }

    /// Panics unless every line of `0..count` came out whole at least once, and nothing else.
    pub(crate) fn assert_nothing_lost(&self, count: u64) {
        let missing = self.missing(count);
        assert!(
            missing.is_empty(),
            "{} of {count} lines are lost, the first is {}, the last {}",
            missing.len(),
            missing[0],
            missing[missing.len() - 1]
        );
        assert_eq!(self.damaged, 0, "damaged records");
        assert_eq!(
            u64::try_from(self.seen.len()).unwrap(),
            count,
            "records nobody wrote"
        );
    }

    /// As [`Tally::assert_nothing_lost`], and each exactly once and in order.
    pub(crate) fn assert_exactly(&self, count: u64) {
        self.assert_nothing_lost(count);
        assert_eq!(self.duplicates(), 0, "duplicates");
        assert_eq!(self.steps_back, 0, "out of order");
    }
}

/// Appends numbered lines at a steady pace from a thread of its own, as an application would.
#[derive(Debug)]
pub(crate) struct Feeder {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Feeder {
    /// Begins with number `first`, `per_second` lines a second.
    pub(crate) fn start(path: &Path, first: u64, per_second: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let path = path.to_owned();
        let thread = std::thread::spawn(move || {
            let mut next = first;
            while !stopped.load(Ordering::Relaxed) {
                append_lines(&path, next..next + per_second / 50);
                next += per_second / 50;
                std::thread::sleep(Duration::from_millis(20));
            }
            next
        });
        Self { stop, thread }
    }

    /// Stops and gives the number of the line that would come next.
    pub(crate) fn finish(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
