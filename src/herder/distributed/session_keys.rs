//! The key that workers sign their requests to each other with: made by the leader, renewed in time (Kafka:
//! `DistributedHerder.checkForKeyRotation`; KIP-507).

use std::time::{Duration, Instant};

use super::config_writes::{Guard, Then};
use super::machine::{Ending, Machine};
use crate::distributed::config_topic::{ConfigRecord, SessionKey};
use crate::distributed::protocol::ConnectProtocol;

/// What the key is to be.
#[derive(Debug, Clone)]
pub struct KeySettings {
    /// `inter.worker.key.ttl.ms`; zero is for ever.
    pub ttl: Duration,
    /// `inter.worker.key.generation.algorithm`.
    pub algorithm: String,
    /// Its length in bytes, by `inter.worker.key.size` or the algorithm.
    pub bytes: usize,
}

impl Machine {
    /// How long the present key may still be used; `None` when it is to be replaced now.
    fn key_lasts(&self) -> Option<Duration> {
        let snapshot = self.config.snapshot();
        let keys = &self.settings.keys;
        let key = snapshot.session_key()?;
        if key.algorithm != keys.algorithm || key.key.len() != keys.bytes {
            return None;
        }
        if keys.ttl.is_zero() {
            return Some(Duration::MAX);
        }
        let ttl = i64::try_from(keys.ttl.as_millis()).unwrap_or(i64::MAX);
        let expires = key.creation_timestamp.saturating_add(ttl);
        let left = u64::try_from(expires.saturating_sub(self.now.wall_ms)).unwrap_or(0);
        // A key of a worker whose clock is ahead is not used longer than one that was made when it was read.
        let known = self.now.at.saturating_duration_since(self.key_read);
        let left = Duration::from_millis(left).min(keys.ttl.saturating_sub(known));
        (!left.is_zero()).then_some(left)
    }

    fn keeps_key(&self) -> bool {
        self.group.is_leader()
            && self.group.protocol == ConnectProtocol::Sessioned
            && self.ending == Ending::No
    }

    pub(super) fn key_deadline(&self) -> Option<Instant> {
        let lasts = self.key_lasts().filter(|_| self.keeps_key())?;
        self.now.at.checked_add(lasts)
    }

    /// Writes a key where there is none that may be used. Part of the end of each input.
    pub(super) fn rotate_key(&mut self) {
        if !self.keeps_key() || self.writes.writes_key() || self.key_lasts().is_some() {
            return;
        }
        let Some(key) = (self.settings.make_key)() else {
            return tracing::error!("no session key can be made: the system gives no random bytes");
        };
        tracing::debug!("distributing a new session key");
        let key = SessionKey {
            key,
            algorithm: self.settings.keys.algorithm.clone(),
            creation_timestamp: self.now.wall_ms,
        };
        let record = ConfigRecord::SessionKey(key).encode();
        let what = "writing a new session key to the config topic".to_owned();
        self.write_config(what, Guard::Nothing, vec![record], Then::Nobody);
    }

    /// Says once that requests between workers are not signed any more, or again.
    pub(super) fn warn_of_unsigned_requests(&self, chosen: ConnectProtocol) {
        let (before, after) = (self.group.protocol, chosen);
        let signed = |protocol| protocol == ConnectProtocol::Sessioned;
        if signed(before) && !signed(after) {
            tracing::warn!(
                "the group downgraded from '{before}' to '{after}', so requests between workers are not \
                 signed: a worker with another connect.protocol has joined; set it to sessioned everywhere"
            );
        } else if !signed(before) && signed(after) {
            tracing::info!("Internal request validation has been re-enabled");
        }
    }
}
