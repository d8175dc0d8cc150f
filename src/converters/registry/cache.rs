//! What look-ups found, bounded, least recently used out first; and for a moment what they did not find.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use super::failure::Failure;

/// How long a failure answers for its key, so that a flood of bad records does not flood the registry.
const FAILED: Duration = Duration::from_secs(10);
/// The same for a failure that may pass. Shorter than the first wait before a record is tried again
/// (300 ms), so that each retry asks the registry.
const FAILED_FOR_NOW: Duration = Duration::from_millis(250);

/// Values by key.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    entries: HashMap<K, Entry<V>>,
    size: usize,
    clock: u64,
}

#[derive(Debug)]
struct Entry<V> {
    found: Result<V, Failure>,
    until: Option<Instant>,
    used: u64,
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// A cache of at most `size` entries, and of one at least.
    pub(super) fn new(size: usize) -> Self {
        Self {
            entries: HashMap::new(),
            size: size.max(1),
            clock: 0,
        }
    }

    /// What is known of `key` at the time `now`.
    pub(super) fn get(&mut self, key: &K, now: Instant) -> Option<Result<V, Failure>> {
        self.clock += 1;
        let entry = self.entries.get_mut(key)?;
        if entry.until.is_some_and(|until| until <= now) {
            self.entries.remove(key);
            return None;
        }
        entry.used = self.clock;
        Some(entry.found.clone())
    }

    /// Keeps what a look-up gave; a value for `keep` if given, else for good.
    pub(super) fn insert(
        &mut self,
        key: K,
        found: Result<V, Failure>,
        now: Instant,
        keep: Option<Duration>,
    ) {
        if self.entries.len() >= self.size && !self.entries.contains_key(&key) {
            self.evict();
        }
        let keep = match &found {
            Ok(_) => keep,
            Err(failure) if failure.is_retriable() => Some(FAILED_FOR_NOW),
            Err(_) => Some(FAILED),
        };
        self.clock += 1;
        let entry = Entry {
            found,
            until: keep.and_then(|keep| now.checked_add(keep)),
            used: self.clock,
        };
        self.entries.insert(key, entry);
    }

    /// A look over all entries: it costs little beside the look-up that made it necessary.
    fn evict(&mut self) {
        let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.entries.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ConnectError;

    #[test]
    fn the_entry_that_was_not_used_for_longest_makes_room() {
        let now = Instant::now();
        let mut cache = Cache::new(2);
        cache.insert(1, Ok("one"), now, None);
        cache.insert(2, Ok("two"), now, None);
        assert!(cache.get(&1, now).is_some());
        cache.insert(3, Ok("three"), now, None);
        assert!(cache.get(&2, now).is_none());
        assert!(cache.get(&1, now).is_some() && cache.get(&3, now).is_some());
    }

    #[test]
    fn failures_and_values_with_an_end_are_forgotten() {
        let now = Instant::now();
        let mut cache: Cache<u8, u8> = Cache::new(9);
        let failure = |error: ConnectError| Err(Failure::of(&error));
        cache.insert(1, failure(ConnectError::data("x")), now, None);
        cache.insert(2, failure(ConnectError::retriable("x")), now, None);
        cache.insert(3, Ok(3), now, Some(Duration::from_secs(60)));
        cache.insert(4, Ok(4), now, None);
        let mut known = |after: Duration| -> Vec<u8> {
            let at = now + after;
            (1..=4).filter(|key| cache.get(key, at).is_some()).collect()
        };
        assert_eq!(known(Duration::from_millis(200)), [1, 2, 3, 4]);
        assert_eq!(known(Duration::from_millis(300)), [1, 3, 4]);
        assert_eq!(known(Duration::from_secs(30)), [3, 4]);
        assert_eq!(known(Duration::from_secs(90)), [4]);
    }
}
