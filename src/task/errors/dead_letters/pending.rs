//! Dead letters that are on their way, and what waits for them.

use std::collections::VecDeque;

use crate::api::TopicPartition;
use crate::clients::RecordToken;

/// What waits for a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Waiting {
    /// Commits of a partition beyond the record's offset.
    Consumed {
        partition: TopicPartition,
        offset: i64,
        /// Whether the task reported the record itself: then the letter must not get lost.
        reported: bool,
    },
    /// The source offset of a submitted record.
    Submitted(RecordToken),
    /// Nothing.
    Nothing,
}

#[derive(Debug)]
struct Entry {
    waiting: Waiting,
    done: bool,
}

/// Letters in the order they were handed to the producer. As many as its `buffer.memory` has room for.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Number of the first entry.
    front: u64,
    entries: VecDeque<Entry>,
}

impl Pending {
    /// Adds a letter; gives the token for the producer.
    pub(super) fn push(&mut self, waiting: Waiting) -> RecordToken {
        let number = self.front + self.entries.len() as u64;
        self.entries.push_back(Entry {
            waiting,
            done: false,
        });
        RecordToken {
            batch: number >> 32,
            index: u32::try_from(number & u64::from(u32::MAX)).unwrap_or(u32::MAX),
        }
    }

    /// What waits for a letter.
    pub(super) fn waiting(&self, token: RecordToken) -> Option<&Waiting> {
        let index = self.index(token)?;
        self.entries.get(index).map(|entry| &entry.waiting)
    }

    /// A letter is settled: nothing waits for it any more.
    pub(super) fn finish(&mut self, token: RecordToken) {
        let index = self.index(token);
        if let Some(entry) = index.and_then(|index| self.entries.get_mut(index)) {
            entry.done = true;
        }
        while self.entries.pop_front_if(|entry| entry.done).is_some() {
            self.front += 1;
        }
    }

    fn index(&self, token: RecordToken) -> Option<usize> {
        let number = (token.batch << 32) | u64::from(token.index);
        usize::try_from(number.checked_sub(self.front)?).ok()
    }

    /// Whether every letter is settled.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The smallest offset of a partition whose letter is not settled.
    pub(super) fn first_of(&self, wanted: &TopicPartition) -> Option<i64> {
        let open = self.entries.iter().filter(|entry| !entry.done);
        let offsets = open.filter_map(|entry| match &entry.waiting {
            Waiting::Consumed {
                partition, offset, ..
            } if partition == wanted => Some(*offset),
            _ => None,
        });
        offsets.min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consumed(partition: i32, offset: i64) -> Waiting {
        Waiting::Consumed {
            partition: TopicPartition::new("t", partition),
            offset,
            reported: false,
        }
    }

    #[test]
    fn the_first_open_offset_of_a_partition_is_known_in_whatever_order_letters_settle() {
        let mut pending = Pending::default();
        let tokens: Vec<RecordToken> = [(0, 5), (1, 3), (0, 9), (0, 12)]
            .into_iter()
            .map(|(partition, offset)| pending.push(consumed(partition, offset)))
            .collect();
        let partition = TopicPartition::new("t", 0);
        pending.finish(tokens[2]);
        assert_eq!(pending.first_of(&partition), Some(5));
        pending.finish(tokens[0]);
        assert_eq!(pending.first_of(&partition), Some(12));
        assert_eq!(pending.waiting(tokens[3]), Some(&consumed(0, 12)));
        pending.finish(tokens[1]);
        pending.finish(tokens[3]);
        assert!(pending.is_empty());
        assert_eq!(pending.first_of(&partition), None);
        assert_eq!(pending.push(Waiting::Nothing).index, 4);
    }

    #[test]
    fn tokens_go_on_beyond_what_one_index_can_count() {
        let mut pending = Pending {
            front: u64::from(u32::MAX),
            entries: VecDeque::new(),
        };
        let (last, next) = (pending.push(consumed(0, 1)), pending.push(consumed(0, 2)));
        assert_eq!((last.batch, last.index), (0, u32::MAX));
        assert_eq!((next.batch, next.index), (1, 0));
        pending.finish(last);
        assert_eq!(pending.waiting(next), Some(&consumed(0, 2)));
    }
}
