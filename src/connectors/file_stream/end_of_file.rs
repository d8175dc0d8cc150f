//! The wait at the end of a file.
//!
//! ```text
//! polling: naps that grow ─a second without bytes→ watched: until the kernel tells of a change
//!     ↑                                               │
//!     └──── bytes, or one nap after a change without any
//! ```
//! A file that lines come to is looked at again and again, which gathers them. A quiet one is watched and
//! costs next to nothing. Where the kernel doesn't tell of changes, polling goes on.

use std::fs::File;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};

use super::watch::{Watch, Watcher};
use crate::shard::nap;

/// Shortest wait between two looks: lines that come faster are read together.
const IDLE_LEAST: Duration = Duration::from_millis(1);
/// Longest wait between two looks without a watch (Kafka: always 1000 ms); a tick of the shard, see [`nap`].
pub(super) const IDLE_MAX: Duration = Duration::from_millis(1024);
/// The wait is this part of the time without a line, so that a line waits for a tenth of its distance
/// from the last one at most.
const IDLE_PART: u32 = 10;
/// A file without new bytes for so long is watched: one that grows more often doesn't pay for watches.
const WATCH_AFTER: Duration = Duration::from_secs(1);
/// Longest wait between two looks with a watch, for changes that the kernel doesn't tell of: on older
/// kernels what `splice(2)` or io_uring write. A nap of this length ends with all others, every 8.2 s.
const UNTOLD: Duration = Duration::from_secs(10);

/// What a task knows of the file at whose end it is.
#[derive(Debug)]
pub(super) struct EndOfFile {
    /// When bytes came last; `None` before the first, and nothing is known of what is to be expected.
    grown: Option<Instant>,
    vigil: Vigil,
    /// The process's, once it was wanted.
    watcher: Option<Arc<Watcher>>,
    untold: Duration,
}

#[derive(Debug)]
enum Vigil {
    Polling,
    Watched(Watch),
    /// A change was told, and looked at after that.
    Told,
    /// As polling, for good: no watch could be had.
    Refused,
}

impl Default for EndOfFile {
    fn default() -> Self {
        Self {
            grown: None,
            vigil: Vigil::Polling,
            watcher: None,
            untold: UNTOLD,
        }
    }
}

impl EndOfFile {
    /// Bytes came.
    pub(super) fn grew(&mut self) {
        self.grown = Some(Instant::now());
        if !matches!(self.vigil, Vigil::Refused) {
            self.vigil = Vigil::Polling;
        }
    }

    /// Waits after a look that found nothing until the next one is due. `file` is what can be watched.
    /// Cancel-safe.
    pub(super) async fn wait(&mut self, file: Option<&File>) {
        let quiet = self.grown.map(|grown| grown.elapsed());
        if let Vigil::Watched(watch) = &self.vigil {
            if is_told(watch, self.untold).await {
                self.vigil = Vigil::Told;
            }
            return;
        }
        let polling = matches!(self.vigil, Vigil::Polling);
        if polling && quiet.is_none_or(|quiet| quiet >= WATCH_AFTER) {
            self.begin_watch(file);
            if matches!(self.vigil, Vigil::Watched(_)) {
                // The file may have grown before: another look is due.
                return;
            }
        }
        nap(idle_wait(quiet)).await;
        if matches!(self.vigil, Vigil::Told) {
            // Not before the nap: changes that bring nothing, as those in front of the position, cost no
            // more than polling.
            self.vigil = Vigil::Polling;
        }
    }

    fn begin_watch(&mut self, file: Option<&File>) {
        let Some(file) = file else {
            return;
        };
        if self.watcher.is_none() {
            self.watcher = Watcher::of_process();
        }
        let watcher = self.watcher.as_ref();
        let watch = watcher.and_then(|watcher| watcher.watch(file));
        self.vigil = watch.map_or(Vigil::Refused, Vigil::Watched);
    }
}

/// Waits for a change, for `untold` at most; whether one was told.
async fn is_told(watch: &Watch, untold: Duration) -> bool {
    let (changed, nap) = (pin!(watch.changed()), pin!(nap(untold)));
    matches!(select(changed, nap).await, Either::Left(_))
}

/// Wait between two looks at a file that has not grown for so long.
fn idle_wait(quiet: Option<Duration>) -> Duration {
    quiet.map_or(IDLE_MAX, |quiet| {
        (quiet / IDLE_PART).clamp(IDLE_LEAST, IDLE_MAX)
    })
}

#[cfg(test)]
impl EndOfFile {
    /// Watches through `watcher` alone: no look without word from it.
    pub(super) fn only_told_by(watcher: &Arc<Watcher>) -> Self {
        Self {
            watcher: Some(Arc::clone(watcher)),
            untold: Duration::from_secs(3600),
            ..Self::default()
        }
    }

    pub(super) fn grew_at(&mut self, grown: Instant) {
        self.grown = Some(grown);
    }

    pub(super) fn is_watched(&self) -> bool {
        matches!(self.vigil, Vigil::Watched(_))
    }

    pub(super) fn is_refused(&self) -> bool {
        matches!(self.vigil, Vigil::Refused)
    }
}
