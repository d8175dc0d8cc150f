//! Damaged offset files: Java's serialised map, our own, and what stands in their keys and values.

use std::path::PathBuf;

use base64::Engine;
use proptest::prelude::*;

use super::*;
use super::{java_map, offset_key};
use crate::fuzz::{bounded, mutated, samples, search, within};

const JAVA: [&str; 4] = [
    include_str!("fixtures/one.base64"),
    include_str!("fixtures/many.base64"),
    include_str!("fixtures/linked.base64"),
    include_str!("fixtures/empty-map.base64"),
];

fn java_files() -> Vec<Vec<u8>> {
    let decode = |text: &str| {
        let text: String = text.split_whitespace().collect();
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .unwrap()
    };
    JAVA.map(decode).to_vec()
}

#[test]
fn a_damaged_file_of_javas_is_a_map_or_named() {
    search(
        2000,
        || mutated(java_files()),
        |bytes| {
            drop(bounded(bytes.len(), || java_map::read(&bytes))?);
            Ok(())
        },
    );
}

const KEYS: &[&str] = &[
    r#"["connector",{"filename":"/tmp/x","n":1}]"#,
    r#"["c",{"a":null,"b":[1],"c":{"d":1e400}}]"#,
];

#[test]
fn a_damaged_key_of_an_offset_is_read_or_passed_over() {
    search(
        500,
        || mutated(samples(KEYS)),
        |bytes| {
            drop(bounded(bytes.len(), || offset_key::parse(&bytes))?);
            Ok(())
        },
    );
}

/// A worker's file with offsets of two connectors.
fn own_file() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("offsets");
    let store = OffsetStore::open_file(&path).unwrap();
    let map = |json: &str| serde_json::from_str(json).unwrap();
    for connector in ["a", "b"] {
        let (partition, offset) = (map(r#"{"filename":"/x"}"#), map(r#"{"position":17}"#));
        store.put(connector, [(&partition, Some(&offset))]).unwrap();
        store.flush_blocking().unwrap();
    }
    drop(store);
    std::fs::read(&path).unwrap()
}

#[test]
fn a_worker_starts_with_a_damaged_offset_file_or_names_it() {
    let files = || {
        let mut files = java_files();
        // Most of a file of ours is empty room.
        files.extend(vec![own_file(); 4]);
        mutated(files)
    };
    search(60, files, |bytes| {
        let dir = tempfile::tempdir().unwrap();
        let path: PathBuf = dir.path().join("offsets");
        std::fs::write(&path, &*bytes).unwrap();
        let limit = (4 << 20) + 64 * bytes.len() as u64;
        match within(limit, || OffsetStore::open_file(&path))? {
            Ok(store) => drop(within(limit, || store.partitions("a"))?),
            Err(error) => {
                let text = error.to_string();
                prop_assert!(text.contains(path.to_str().unwrap()), "{text}");
            }
        }
        Ok(())
    });
}
