//! Damaged slot files, header and slots with checksums that fit and that don't.

use proptest::prelude::*;

use super::*;
use crate::fuzz::{mutated, search, within};

fn files() -> Vec<Vec<u8>> {
    let file = |entries: usize, len: usize| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slots");
        let store = SlotStore::open(&path).unwrap();
        for entry in 0..entries {
            let value = format!("{entry}").repeat(len);
            store
                .put(format!("key {entry}").as_bytes(), Some(value.as_bytes()))
                .unwrap();
            store.flush_blocking().unwrap();
        }
        drop(store);
        std::fs::read(&path).unwrap()
    };
    vec![file(1, 3), file(3, 10), file(2, 900)]
}

#[test]
fn a_damaged_slot_file_gives_whole_entries_or_is_named() {
    search(
        300,
        || mutated(files()),
        |bytes| {
            let limit = (4 << 20) + 64 * bytes.len() as u64;
            match within(limit, || SlotStore::read_copy(&bytes))? {
                Ok(entries) => {
                    for (key, _) in entries {
                        // What a checksum covers is as it was written.
                        prop_assert!(key.starts_with(b"key "), "{}", key.escape_ascii());
                    }
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
            Ok(())
        },
    );
}
