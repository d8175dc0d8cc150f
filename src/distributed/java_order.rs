//! The orders that Java's collections give the names of workers, connectors and tasks: an assignment
//! depends on them.
//!
//! As in [`java_hash`](crate::api::data::java_hash), the order within a bucket of more than eight keys in
//! a table of 64 buckets or more, a tree in Java, is not imitated: the members of such a bucket stay in
//! the order in which they were put.

use std::cmp::Ordering;
use std::sync::Arc;

use super::work::ConnectorTaskId;
use crate::api::data::java_hash::{DEFAULT_CAPACITY, bucket, capacity_at_least, string_hash};

/// A bucket that gets one more than this makes a small table grow (Java: `TREEIFY_THRESHOLD`).
const CHAIN_MAX: usize = 8;
/// From this size on a table does not grow for a full bucket (Java: `MIN_TREEIFY_CAPACITY`).
const SMALL_TABLE: usize = 64;

/// What Java hashes and compares.
pub(super) trait JavaKey {
    /// `hashCode`.
    fn java_hash(&self) -> i32;

    /// `compareTo`.
    fn java_cmp(&self, other: &Self) -> Ordering;
}

impl JavaKey for Arc<str> {
    fn java_hash(&self) -> i32 {
        string_hash(self)
    }

    fn java_cmp(&self, other: &Self) -> Ordering {
        compare(self, other)
    }
}

impl JavaKey for ConnectorTaskId {
    /// Of a record with two members.
    fn java_hash(&self) -> i32 {
        string_hash(&self.connector)
            .wrapping_mul(31)
            .wrapping_add(self.task)
    }

    fn java_cmp(&self, other: &Self) -> Ordering {
        compare(&self.connector, &other.connector).then(self.task.cmp(&other.task))
    }
}

/// `String.compareTo`: by UTF-16 units, so that a character beyond the first plane comes before some
/// within it.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    left.encode_utf16().cmp(right.encode_utf16())
}

/// Brings unique keys, given in the order in which they are put, into the order in which a `HashMap` or
/// `HashSet` made without a capacity iterates.
pub(super) fn hash_order<T: JavaKey>(keys: &mut [T]) {
    order_in(keys, DEFAULT_CAPACITY);
}

/// As [`hash_order`], for `new HashSet<>(collection)` of so many elements, as Java up to 18 makes it;
/// later ones take half the size for 12, 24, 48… elements.
pub(super) fn hash_order_of_copy<T: JavaKey>(keys: &mut [T], elements: usize) {
    let capacity = (elements * 4 / 3 + 1).max(DEFAULT_CAPACITY);
    order_in(keys, capacity_at_least(capacity));
}

fn order_in<T: JavaKey>(keys: &mut [T], capacity: usize) {
    let hashes: Vec<i32> = keys.iter().map(JavaKey::java_hash).collect();
    let size = table_size(&hashes, capacity);
    keys.sort_by_cached_key(|key| bucket(key.java_hash(), size));
}

/// Size of a table of `size` buckets at first once keys with these hashes were put.
fn table_size(hashes: &[i32], mut size: usize) -> usize {
    let mut chains = chains(&[], size);
    for (index, hash) in hashes.iter().enumerate() {
        let put = &hashes[..=index];
        chains[bucket(*hash, size)] += 1;
        if chains[bucket(*hash, size)] > CHAIN_MAX && size < SMALL_TABLE {
            size *= 2;
            chains = self::chains(put, size);
        }
        if put.len() > size * 3 / 4 {
            size *= 2;
            chains = self::chains(put, size);
        }
    }
    size
}

/// How many keys are in each bucket.
fn chains(hashes: &[i32], size: usize) -> Vec<usize> {
    let mut chains = vec![0; size];
    for hash in hashes {
        chains[bucket(*hash, size)] += 1;
    }
    chains
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(names: &[&str], order: impl Fn(&mut [Arc<str>])) -> String {
        let mut keys: Vec<Arc<str>> = names.iter().map(|name| Arc::from(*name)).collect();
        order(&mut keys);
        keys.join(" ")
    }

    #[test]
    fn strings_compare_by_utf_16_units() {
        // U+1F600 begins with the unit D83D, U+FF21 is one unit.
        assert_eq!(compare("\u{1F600}", "\u{FF21}"), Ordering::Less);
        assert_eq!(compare("a", "ab"), Ordering::Less);
        assert_eq!(compare("b", "ab"), Ordering::Greater);
    }

    #[test]
    fn a_task_comes_by_connector_and_then_by_number() {
        let task = |name: &str, number| ConnectorTaskId::new(name, number);
        assert_eq!(task("a", 10).java_cmp(&task("a", 9)), Ordering::Greater);
        assert_eq!(task("a", 10).java_cmp(&task("b", 9)), Ordering::Less);
        // "a".hashCode() is 97.
        assert_eq!(task("a", 5).java_hash(), 97 * 31 + 5);
    }

    #[test]
    fn keys_of_one_bucket_stay_as_they_were_put() {
        // "Aa" and "BB" have one hash, 2112; "a" is 97: buckets 0 and 1 of 16.
        assert_eq!(ordered(&["a", "BB", "Aa"], hash_order), "BB Aa a");
    }

    /// "Aa" and "BB" in all orders of four: sixteen names, one hash, as many as a bucket of a small table
    /// does not hold.
    #[test]
    fn a_full_bucket_makes_a_small_table_grow() {
        let colliding: Vec<i32> = vec![16; 9];
        assert_eq!(table_size(&colliding[..8], 16), 16);
        assert_eq!(table_size(&colliding, 16), 32);
        assert_eq!(table_size(&[16; 10], 16), 64);
        // Thirteen keys are more than three quarters of sixteen.
        let apart: Vec<i32> = (0..13).collect();
        assert_eq!(table_size(&apart[..12], 16), 16);
        assert_eq!(table_size(&apart, 16), 32);
    }

    #[test]
    fn a_copy_has_a_table_for_all_of_its_elements() {
        // 17 and 1 share a bucket of 16 and not of 32, which twelve elements get.
        let names = ["\u{11}", "\u{1}"];
        let copy_of = |elements: usize| {
            ordered(&names, move |keys: &mut [Arc<str>]| {
                hash_order_of_copy(keys, elements)
            })
        };
        assert_eq!(copy_of(2), "\u{11} \u{1}");
        assert_eq!(copy_of(12), "\u{1} \u{11}");
    }
}
