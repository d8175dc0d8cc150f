//! An offset topic's state, shared between threads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cluster::topic_log::LogRecord;
use crate::distributed::offset_topic::{OffsetCodec, OffsetTopic};

/// What an offset topic says now. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct OffsetView(Arc<Mutex<OffsetTopic>>);

impl OffsetView {
    /// Takes in records of the topic; keys that name no source partition are passed over, with a warning.
    pub fn apply(&self, topic: &str, codec: &mut OffsetCodec, records: &[LogRecord]) {
        for record in records {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            let applied = self.lock().apply(codec, key, value);
            if let Err(problem) = applied {
                tracing::warn!(
                    topic,
                    partition = record.partition,
                    offset = record.offset,
                    "{problem}"
                );
            }
        }
    }

    /// Looks at it. The thread that writes it waits meanwhile.
    pub fn lock(&self) -> MutexGuard<'_, OffsetTopic> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
