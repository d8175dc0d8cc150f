//! What the worker is doing for a request, for the texts of time-outs (Kafka: `Stage`, KIP-1017).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// A step of the work for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// What is done, as in "The worker is currently …".
    pub description: String,
    /// When it began.
    pub began: SystemTime,
    /// When it ended; `None` while it goes on.
    pub completed: Option<SystemTime>,
}

impl Stage {
    /// Kafka's sentence about it, without the full stop.
    pub fn summary(&self) -> String {
        let (what, began) = (&self.description, instant(self.began));
        match self.completed {
            None => format!("The worker is currently {what}, which began at {began}"),
            Some(completed) => format!(
                "The last operation the worker completed was {what}, which began at {began} and completed at {}",
                instant(completed)
            ),
        }
    }
}

/// The stage of one request; clones share it.
#[derive(Debug, Clone, Default)]
pub struct StageCell(Arc<Mutex<Option<Stage>>>);

impl StageCell {
    /// Something begins.
    pub fn begin(&self, description: &str) {
        *self.stage() = Some(Stage {
            description: description.to_owned(),
            began: SystemTime::now(),
            completed: None,
        });
    }

    /// What began last has ended.
    pub fn complete(&self) {
        if let Some(stage) = self.stage().as_mut() {
            stage.completed = Some(SystemTime::now());
        }
    }

    /// Does something under a description.
    pub fn during<T>(&self, description: &str, work: impl FnOnce() -> T) -> T {
        self.begin(description);
        let done = work();
        self.complete();
        done
    }

    /// What is being done, or was done last.
    pub fn current(&self) -> Option<Stage> {
        self.stage().clone()
    }

    fn stage(&self) -> MutexGuard<'_, Option<Stage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A point in time as Java's `Instant` prints it, in milliseconds.
pub fn instant(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    let Ok(at) = jiff::Timestamp::from_millisecond(millis) else {
        return millis.to_string();
    };
    let format = match millis % 1000 {
        0 => "%Y-%m-%dT%H:%M:%SZ",
        _ => "%Y-%m-%dT%H:%M:%S.%3fZ",
    };
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn stages_read_as_in_kafka() {
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let mut stage = Stage {
            description: "starting the connector".to_owned(),
            began: at(1_700_000_000_120),
            completed: None,
        };
        assert_eq!(
            stage.summary(),
            "The worker is currently starting the connector, which began at 2023-11-14T22:13:20.120Z"
        );
        stage.completed = Some(at(1_700_000_001_000));
        assert_eq!(
            stage.summary(),
            "The last operation the worker completed was starting the connector, which began at \
             2023-11-14T22:13:20.120Z and completed at 2023-11-14T22:13:21Z"
        );
    }

    #[test]
    fn a_cell_knows_what_is_done_and_what_was_done_last() {
        let cell = StageCell::default();
        assert_eq!(cell.current(), None);
        let seen = cell.during("looking", || cell.current().unwrap());
        assert_eq!(
            (seen.description.as_str(), seen.completed),
            ("looking", None)
        );
        assert!(cell.current().unwrap().completed.is_some());
    }
}
