//! The progress line of bulk work: per connector records, bytes, rates and lag, redrawn on the terminal.
//! Logs are written above it.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{HumanBytes, HumanCount, MultiProgress, ProgressBar, ProgressStyle};

use crate::worker::MetricsRegistry;

/// `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// When standard error is a terminal.
    Auto,
    /// Never.
    Never,
}

/// How often the line is redrawn.
const INTERVAL: Duration = Duration::from_millis(500);

fn display() -> &'static OnceLock<MultiProgress> {
    static DISPLAY: OnceLock<MultiProgress> = OnceLock::new();
    &DISPLAY
}

/// Writes logs to standard error, above the progress line where there is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogWriter;

impl tracing_subscriber::fmt::MakeWriter<'_> for LogWriter {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match display().get() {
            Some(display) => display.suspend(|| io::stderr().write(bytes)),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The running display; dropping it ends it.
#[derive(Debug)]
pub(super) struct Progress {
    done: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Progress {
    /// Starts redrawing, where wanted and possible.
    pub(super) fn start(when: When, metrics: MetricsRegistry) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let mut progress = Self {
            done: Arc::clone(&done),
            thread: None,
        };
        if when == When::Never || !io::stderr().is_terminal() {
            return progress;
        }
        let draw = move || Lines::new(metrics).draw_until(&done);
        let thread = thread::Builder::new()
            .name("progress".to_owned())
            .stack_size(256 << 10);
        progress.thread = thread.spawn(draw).ok();
        progress
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic of the display has been printed and concerns nothing else.
            thread.join().unwrap_or(());
        }
    }
}

/// Sums over a connector's tasks.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    records: u64,
    bytes: u64,
    lag: Option<u64>,
}

struct Lines {
    metrics: MetricsRegistry,
    bars: BTreeMap<String, (ProgressBar, Sum)>,
    last: Instant,
}

impl Lines {
    fn new(metrics: MetricsRegistry) -> Self {
        Self {
            metrics,
            bars: BTreeMap::new(),
            last: Instant::now(),
        }
    }

    fn draw_until(mut self, done: &AtomicBool) {
        let display = display().get_or_init(MultiProgress::new);
        while !done.load(Ordering::Relaxed) {
            thread::park_timeout(INTERVAL);
            self.draw(display);
        }
        for (bar, _) in self.bars.values() {
            bar.abandon();
        }
    }

    fn draw(&mut self, display: &MultiProgress) {
        let seconds = self.last.elapsed().as_secs_f64().max(0.001);
        self.last = Instant::now();
        for (connector, now) in sums(&self.metrics) {
            let (bar, before) = self.bars.entry(connector.clone()).or_insert_with(|| {
                let bar = display.add(ProgressBar::no_length());
                let style = ProgressStyle::with_template("{prefix} {msg}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
                bar.set_prefix(connector);
                (bar, Sum::default())
            });
            bar.set_message(line(now, *before, seconds));
            *before = now;
        }
    }
}

fn sums(metrics: &MetricsRegistry) -> BTreeMap<String, Sum> {
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for (id, _, reading) in metrics.read() {
        let sum = sums.entry(id.connector).or_default();
        sum.records += reading.written;
        sum.bytes += reading.bytes;
        sum.lag = match (sum.lag, reading.lag) {
            (Some(sum), Some(lag)) => Some(sum + lag),
            (one, other) => one.or(other),
        };
    }
    sums
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "rates for people"
)]
fn line(now: Sum, before: Sum, seconds: f64) -> String {
    let rate = |now: u64, before: u64| (now.saturating_sub(before) as f64 / seconds) as u64;
    let lag = now
        .lag
        .map(|lag| format!("  lag {}", HumanCount(lag)))
        .unwrap_or_default();
    format!(
        "{} records  {}  {}/s  {}/s{lag}",
        HumanCount(now.records),
        HumanBytes(now.bytes),
        HumanCount(rate(now.records, before.records)),
        HumanBytes(rate(now.bytes, before.bytes)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_totals_rates_and_lag() {
        let before = Sum {
            records: 1_000,
            bytes: 1_024,
            lag: None,
        };
        let now = Sum {
            records: 3_000,
            bytes: 3_072,
            lag: Some(12_345),
        };
        let line = line(now, before, 2.0);
        for part in [
            "3,000 records",
            "3.00 KiB",
            "1,000/s",
            "1.00 KiB/s",
            "lag 12,345",
        ] {
            assert!(line.contains(part), "{line}");
        }
    }
}
