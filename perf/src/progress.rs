//! What the call is at, on standard error: bars with the time left on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Shows the whole and the run at hand.
#[derive(Debug)]
pub(crate) struct Progress {
    bars: Option<Bars>,
    /// Runs, all and done.
    runs: (u64, u64),
    started: Instant,
}

#[derive(Debug)]
struct Bars {
    all: MultiProgress,
    whole: ProgressBar,
    run: ProgressBar,
}

impl Progress {
    /// For so many runs.
    pub(crate) fn new(runs: u64) -> Self {
        let bars = std::io::stderr().is_terminal().then(|| {
            let all = MultiProgress::new();
            let whole = all.add(ProgressBar::new(runs));
            whole.set_style(style(
                "{bar:30} run {pos} of {len}, {elapsed} so far, {eta} to go",
            ));
            let run = all.add(ProgressBar::new(0));
            run.set_style(style("{bar:30} {msg} {pos}/{len} ({per_sec}), {eta} to go"));
            whole.enable_steady_tick(Duration::from_millis(250));
            Bars { all, whole, run }
        });
        Self {
            bars,
            runs: (runs, 0),
            started: Instant::now(),
        }
    }

    /// A line that stays.
    pub(crate) fn say(&self, text: &str) {
        match &self.bars {
            // When standard error is gone nobody is left to tell.
            Some(bars) => bars.all.println(text).unwrap_or(()),
            None => writeln!(std::io::stderr(), "{text}").unwrap_or(()),
        }
    }

    /// A run begins: `total` is what it counts up to.
    pub(crate) fn begin(&self, what: &str, total: u64) {
        if let Some(bars) = &self.bars {
            bars.run.reset();
            bars.run.set_length(total);
            bars.run.set_message(what.to_owned());
        }
    }

    /// So far.
    pub(crate) fn at(&self, count: u64) {
        if let Some(bars) = &self.bars {
            bars.run.set_position(count);
        }
    }

    /// A run ended.
    pub(crate) fn end(&mut self, what: &str) {
        self.runs.1 += 1;
        if let Some(bars) = &self.bars {
            bars.whole.inc(1);
            self.say(what);
            return;
        }
        let (all, done) = self.runs;
        let each = self.started.elapsed() / u32::try_from(done).unwrap_or(1).max(1);
        let left = each * u32::try_from(all.saturating_sub(done)).unwrap_or(0);
        self.say(&format!(
            "[{done}/{all}, {} s to go] {what}",
            left.as_secs()
        ));
    }

    /// Takes the bars away.
    pub(crate) fn finish(&self) {
        if let Some(bars) = &self.bars {
            bars.run.finish_and_clear();
            bars.whole.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
