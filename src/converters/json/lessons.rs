//! When it is worth it to learn how a record looks.

/// Records that look like none before for each one that is learnt from, so that where no record is like
/// the others next to no time goes into what is not met again.
const LESSON: u32 = 64;
/// The most that are saved up, and what there is at first.
const MOST_CREDIT: u32 = 64 * LESSON;

/// Counts records that look like none before.
#[derive(Debug)]
pub(crate) struct Lessons {
    credit: u32,
}

impl Lessons {
    /// The first 64 records are learnt from.
    pub(crate) fn new() -> Self {
        Self {
            credit: MOST_CREDIT,
        }
    }

    /// Whether to learn from a record that looks like none before.
    pub(crate) fn is_due(&mut self) -> bool {
        self.credit = MOST_CREDIT.min(self.credit + 1);
        let is_due = self.credit >= LESSON;
        if is_due {
            self.credit -= LESSON;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_records_are_learnt_from_and_then_one_in_64() {
        let mut lessons = Lessons::new();
        let due = (0..64 * 100).filter(|_| lessons.is_due()).count();
        assert!((160..=168).contains(&due), "{due}");
        assert_eq!((0..64).filter(|_| lessons.is_due()).count(), 1);
    }
}
