//! The offset store over its file, and the import of Java's.

use std::path::{Path, PathBuf};

use base64::Engine;
use proptest::prelude::*;

use super::java_map::{self, MapError};
use super::*;
use crate::api::SourceMap;
use crate::mapped::SlotError;
use crate::mapped::tests::SmallDisk;
use crate::shard::{RuntimeKind, probe_io_uring};

fn fixture(text: &str) -> Vec<u8> {
    let text: String = text.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap()
}

/// Files written by `ObjectOutputStream` of OpenJDK 17.
const ONE: &str = include_str!("fixtures/one.base64");
const MANY: &str = include_str!("fixtures/many.base64");
const LINKED: &str = include_str!("fixtures/linked.base64");
const EMPTY_MAP: &str = include_str!("fixtures/empty-map.base64");
const TREE_MAP: &str = include_str!("fixtures/treemap.base64");
const STRING: &str = include_str!("fixtures/string.base64");
const STRINGS_MAP: &str = include_str!("fixtures/strings-map.base64");

fn map(json: &str) -> SourceMap {
    serde_json::from_str(json).unwrap()
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("connect.offsets");
    (dir, path)
}

fn put(store: &OffsetStore, connector: &str, partition: &str, offset: &str) {
    store
        .put(connector, [(&map(partition), Some(&map(offset)))])
        .unwrap();
}

fn names(path: &Path) -> Vec<String> {
    let dir = std::fs::read_dir(path.parent().unwrap()).unwrap();
    let names = dir.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn an_offset_is_found_by_the_meaning_of_its_partition() {
    let store = OffsetStore::in_memory();
    put(
        &store,
        "c",
        r#"{"topic":"t","partition":3}"#,
        r#"{"offset":5,"note":"ü"}"#,
    );
    let found = store.get("c", &map(r#"{"partition":3,"topic":"t"}"#));
    assert_eq!(found, Some(map(r#"{"offset":5,"note":"ü"}"#)));
    assert_eq!(
        store.get("other", &map(r#"{"topic":"t","partition":3}"#)),
        None
    );
    assert_eq!(
        store.get("c", &map(r#"{"topic":"t","partition":3.0}"#)),
        None
    );
    assert_eq!(
        store.get("c", &map(r#"{"topic":"t","partition":"3"}"#)),
        None
    );
}

#[test]
fn a_removed_offset_is_gone_from_reads_and_lists() {
    let (_dir, path) = file();
    let store = OffsetStore::open_file(&path).unwrap();
    put(&store, "c", r#"{"f":"a"}"#, r#"{"position":1}"#);
    put(&store, "c", r#"{"f":"b"}"#, r#"{"position":2}"#);
    put(&store, "d", r#"{"f":"a"}"#, r#"{"position":3}"#);
    store.flush_blocking().unwrap();
    store.put("c", [(&map(r#"{"f":"a"}"#), None)]).unwrap();
    assert_eq!(store.get("c", &map(r#"{"f":"a"}"#)), None);
    store.flush_blocking().unwrap();
    drop(store);
    let store = OffsetStore::open_file(&path).unwrap();
    let left = vec![(map(r#"{"f":"b"}"#), map(r#"{"position":2}"#))];
    assert_eq!(store.partitions("c"), left);
    assert_eq!(store.partitions("d").len(), 1);
    assert_eq!(store.partitions("e"), vec![]);
}

#[test]
fn a_missing_or_empty_file_is_created_without_offsets() {
    let (_dir, path) = file();
    drop(OffsetStore::open_file(&path).unwrap());
    std::fs::write(&path, b"").unwrap();
    let store = OffsetStore::open_file(&path).unwrap();
    assert_eq!(store.partitions("c"), vec![]);
    assert_eq!(names(&path), ["connect.offsets"]);
}

#[test]
fn nested_values_are_refused_in_apaches_words() {
    let store = OffsetStore::in_memory();
    let good = map(r#"{"a":1}"#);
    for (json, found) in [(r#"{"f":[1]}"#, "ARRAY"), (r#"{"f":{"x":1}}"#, "MAP")] {
        let nested = map(json);
        for (partition, offset) in [(&nested, &good), (&good, &nested)] {
            let error = store.put("c", [(partition, Some(offset))]).unwrap_err();
            let expected = format!(
                "Offsets may only contain primitive types as values, but field f contains {found}"
            );
            assert_eq!(error.to_string(), expected);
        }
    }
    assert_eq!(store.partitions("c"), vec![]);
}

#[test]
fn an_entry_too_large_for_the_file_is_refused_and_the_rest_goes_on() {
    let (_dir, path) = file();
    let store = OffsetStore::open_file(&path).unwrap();
    let mut large = SourceMap::new();
    large.insert("f".to_owned(), "x".repeat(2 << 20).into());
    let error = store
        .put("c", [(&large, Some(&map(r#"{"p":1}"#)))])
        .unwrap_err();
    assert!(
        matches!(error, StorageError::File(SlotError::TooLarge { .. })),
        "{error}"
    );
    put(&store, "c", r#"{"f":"b"}"#, r#"{"position":2}"#);
    store.flush_blocking().unwrap();
}

#[test]
fn apaches_file_is_imported_and_kept_beside() {
    let (_dir, path) = file();
    let java = fixture(MANY);
    std::fs::write(&path, &java).unwrap();
    let check = |store: &OffsetStore| {
        let get = |connector: &str, json: &str| store.get(connector, &map(json));
        let shared = Some(map(r#"{"position":77}"#));
        assert_eq!(get("a", r#"{"filename":"x"}"#), shared);
        assert_eq!(get("b", r#"{"filename":"y"}"#), shared);
        assert_eq!(
            get("c", r#"{"topic":"t","partition":0,"cluster":"p"}"#),
            None
        );
        let long = format!(r#"{{"filename":"/{}"}}"#, "n".repeat(3000));
        assert_eq!(get("big", &long), Some(map(r#"{"position":9,"π":"ü"}"#)));
        assert_eq!(store.partitions("many").len(), 40);
        assert_eq!(get("many", r#"{"p":39}"#), Some(map(r#"{"o":39000}"#)));
    };
    let store = OffsetStore::open_file(&path).unwrap();
    check(&store);
    drop(store);
    assert_eq!(
        names(&path),
        ["connect.offsets", "connect.offsets.java.bak"]
    );
    assert_eq!(
        std::fs::read(path.with_extension("offsets.java.bak")).unwrap(),
        java
    );
    check(&OffsetStore::open_file(&path).unwrap());
    // A second import keeps the first backup.
    std::fs::write(&path, fixture(ONE)).unwrap();
    let store = OffsetStore::open_file(&path).unwrap();
    let found = store.get("local-file-source", &map(r#"{"filename":"/data/in.txt"}"#));
    assert_eq!(found, Some(map(r#"{"position":1234}"#)));
    assert_eq!(store.partitions("many"), vec![]);
    let expected = [
        "connect.offsets",
        "connect.offsets.java.bak",
        "connect.offsets.java.bak.1",
    ];
    assert_eq!(names(&path), expected);
}

#[test]
fn an_import_locks_the_file_that_takes_the_place() {
    let (_dir, path) = file();
    std::fs::write(&path, fixture(ONE)).unwrap();
    let _store = OffsetStore::open_file(&path).unwrap();
    let error = OffsetStore::open_file(&path).unwrap_err();
    assert!(
        matches!(error, StorageError::File(SlotError::InUse { .. })),
        "{error}"
    );
}

#[test]
fn a_linked_hash_map_is_a_hash_map() {
    let read = java_map::read(&fixture(LINKED)).unwrap();
    assert_eq!(read.len(), java_map::read(&fixture(MANY)).unwrap().len());
}

#[test]
fn an_empty_map_has_no_offsets() {
    assert_eq!(java_map::read(&fixture(EMPTY_MAP)), Ok(Vec::new()));
}

#[test]
fn a_java_file_cut_short_anywhere_has_no_offsets_as_in_apache() {
    for text in [ONE, MANY, LINKED] {
        let whole = fixture(text);
        let last = whole.len() - if text == LINKED { 2 } else { 1 };
        for len in 1..last {
            assert_eq!(
                java_map::read(&whole[..len]),
                Err(MapError::EndOfFile),
                "{len}"
            );
        }
    }
    let (_dir, path) = file();
    for len in [1, 3, 4, 5, 100] {
        std::fs::write(&path, &fixture(ONE)[..len]).unwrap();
        let store = OffsetStore::open_file(&path).unwrap();
        assert_eq!(store.partitions("local-file-source"), vec![]);
    }
}

#[test]
fn other_java_objects_are_refused_in_apaches_words_and_left_alone() {
    let (_dir, path) = file();
    for (text, class) in [
        (TREE_MAP, "java.util.TreeMap"),
        (STRING, "java.lang.String"),
    ] {
        std::fs::write(&path, fixture(text)).unwrap();
        let error = OffsetStore::open_file(&path).unwrap_err().to_string();
        assert!(
            error.contains(&format!("Expected HashMap but found class {class}")),
            "{error}"
        );
        assert_eq!(std::fs::read(&path).unwrap(), fixture(text));
        assert_eq!(names(&path), ["connect.offsets"]);
    }
    std::fs::write(&path, fixture(STRINGS_MAP)).unwrap();
    let error = OffsetStore::open_file(&path).unwrap_err();
    assert!(
        matches!(error, StorageError::UnreadableMap { .. }),
        "{error}"
    );
}

#[test]
fn a_file_that_is_neither_is_refused_and_left_alone() {
    let (_dir, path) = file();
    std::fs::write(&path, b"position=5\n").unwrap();
    let error = OffsetStore::open_file(&path).unwrap_err();
    assert!(
        matches!(error, StorageError::File(SlotError::NotASlotFile { .. })),
        "{error}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"position=5\n");
}

#[test]
fn flush_makes_offsets_durable_on_both_runtimes() {
    let mut kinds = vec![RuntimeKind::Epoll];
    if probe_io_uring().io_uring_problem.is_none() {
        kinds.push(RuntimeKind::IoUring);
    }
    for kind in kinds {
        let (_dir, path) = file();
        let store = OffsetStore::open_file(&path).unwrap();
        let on_shard = store.clone();
        crate::shard::run(kind, None, async move {
            for n in 0..30 {
                put(
                    &on_shard,
                    "c",
                    r#"{"f":"a"}"#,
                    &format!(r#"{{"position":{n}}}"#),
                );
                on_shard.flush().await.unwrap();
            }
        })
        .unwrap();
        drop(store);
        let store = OffsetStore::open_file(&path).unwrap();
        assert_eq!(
            store.get("c", &map(r#"{"f":"a"}"#)),
            Some(map(r#"{"position":29}"#))
        );
    }
}

#[test]
fn an_import_onto_a_full_disk_leaves_apaches_file_in_place() {
    let Some(disk) = SmallDisk::new("32k") else {
        return;
    };
    let path = disk.path().join("connect.offsets");
    std::fs::write(&path, fixture(MANY)).unwrap();
    let error = OffsetStore::open_file(&path).unwrap_err();
    assert!(
        matches!(error, StorageError::File(SlotError::DiskFull { .. })),
        "{error}"
    );
    assert_eq!(names(&path), ["connect.offsets"]);
    assert_eq!(std::fs::read(&path).unwrap(), fixture(MANY));
}

proptest! {
    #[test]
    fn a_damaged_java_file_never_panics(at in 0_usize..5000, byte: u8) {
        for text in [ONE, MANY, LINKED, TREE_MAP, STRINGS_MAP] {
            let mut bytes = fixture(text);
            let len = bytes.len();
            bytes[at % len] = byte;
            drop(java_map::read(&bytes));
        }
    }
}

#[test]
fn a_file_can_be_read_beside_its_worker_and_stays_as_it_was() {
    let (_dir, path) = file();
    assert!(
        OffsetStore::read_file(&path)
            .unwrap()
            .partitions("c")
            .is_empty()
    );
    assert!(names(&path).is_empty());

    // Held by a worker.
    let store = OffsetStore::open_file(&path).unwrap();
    for n in 0..100 {
        put(
            &store,
            "c",
            &format!(r#"{{"p":{n}}}"#),
            &format!(r#"{{"o":{n}}}"#),
        );
    }
    store.flush_blocking().unwrap();
    let before = std::fs::read(&path).unwrap();
    let read = OffsetStore::read_file(&path).unwrap();
    assert_eq!(read.get("c", &map(r#"{"p":42}"#)), Some(map(r#"{"o":42}"#)));
    assert_eq!(read.partitions("c").len(), 100);
    put(&read, "c", r#"{"p":1}"#, r#"{"o":-1}"#);
    read.flush_blocking().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(names(&path), ["connect.offsets"]);
}

#[test]
fn apaches_file_can_be_read_without_an_import() {
    let (_dir, path) = file();
    std::fs::write(&path, fixture(MANY)).unwrap();
    let read = OffsetStore::read_file(&path).unwrap();
    assert_eq!(read.partitions("many").len(), 40);
    assert_eq!(names(&path), ["connect.offsets"]);
    assert_eq!(std::fs::read(&path).unwrap(), fixture(MANY));

    std::fs::write(&path, b"neither").unwrap();
    assert!(OffsetStore::read_file(&path).is_err());
    std::fs::write(&path, fixture(STRING)).unwrap();
    assert!(OffsetStore::read_file(&path).is_err());
}
