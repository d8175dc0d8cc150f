//! A cluster's status topic, read on from where the last reading ended.

use crate::error::{Error, Result};
use crate::session::Session;
use crate::topics::Tail;

use super::statuses::{History, Status};

/// `status.storage.partitions`: Kafka's default.
pub(super) const PARTITIONS: i32 = 5;

/// Reads it.
#[derive(Debug)]
pub(super) struct StatusLog {
    topic: String,
    tails: Vec<Tail>,
    /// Records that were there at the last look, so that a small request shows whether there are more.
    end: u64,
    /// Everything so far.
    pub(super) history: History,
}

impl StatusLog {
    /// From the beginning of a topic that is there.
    ///
    /// # Errors
    /// A partition has no leader.
    pub(super) fn open(session: &Session, topic: &str) -> Result<Self> {
        let tails = (0..PARTITIONS).map(|partition| session.topics.0.tail(topic, partition));
        Ok(Self {
            topic: topic.to_owned(),
            tails: tails.collect::<Result<_>>()?,
            end: 0,
            history: History::default(),
        })
    }

    /// Reads what was written meanwhile; whether there was anything.
    ///
    /// # Errors
    /// The broker does not answer, or a record is no status.
    pub(super) fn advance(&mut self, session: &mut Session) -> Result<bool> {
        let end = session.wire.end_of(&self.topic)?;
        if end == self.end {
            return Ok(false);
        }
        self.end = end;
        let mut wrong = None;
        for tail in &mut self.tails {
            session.topics.0.advance(tail, |record| {
                let key = record.key.as_deref().unwrap_or_default();
                let millis = record.timestamp.timestamp_millis();
                match Status::parse(key, record.value.as_deref(), millis) {
                    Ok(Some(status)) => self.history.push(status),
                    Ok(None) => {}
                    Err(why) => wrong = Some(why),
                }
            })?;
        }
        match wrong {
            Some(why) => Err(Error::Run(format!("{}: {why}", self.topic))),
            None => Ok(true),
        }
    }
}
