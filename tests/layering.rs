//! Holds the rooms to their table: who may use whom points down only (see `src/lib.rs`, DESIGN.md).
//!
//! Reads every `crate::room` in `src/` outside of comments, test files included.

#![allow(clippy::unwrap_used, reason = "helpers of a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms from the top down; those of one line may not use each other.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["rest"],
    &["herder"],
    &["cluster"],
    &["distributed"],
    &["worker"],
    &["task", "plugins"],
    &["storage"],
    &["connectors", "converters", "transforms"],
    &["config", "kafka", "embedded"],
    &["clients"],
    &["record", "mapped", "tls"],
    &["shard", "metrics", "logging"],
    &["api"],
    // What the fuzz targets share; in test builds alone.
    &["fuzz"],
];

/// Crates that one room alone may name.
const WALLS: &[(&str, &str)] = &[
    ("glommio", "shard"),
    ("tokio", "shard"),
    ("tokio_util", "shard"),
    ("kafka_protocol", "kafka"),
    ("tiny_http", "rest"),
    ("memmap2", "mapped"),
];

/// Folders where `unsafe` may be expected.
const UNSAFE_ROOMS: &[&str] = &["shard", "mapped", "converters"];

fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// `(room, file, code without comments)` of every file in a room.
fn rooms() -> Vec<(String, PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut found = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&src).unwrap().to_owned();
        let first = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap();
        let room = first.trim_end_matches(".rs").to_owned();
        if room == "lib" || room == "main" {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let code: Vec<&str> = text
            .lines()
            .map(|line| line.split("//").next().unwrap())
            .collect();
        found.push((room, inside, code.join("\n")));
    }
    found
}

/// Rooms that `code` names as `crate::room`, also in `use crate::{a, b}`.
fn used(code: &str) -> BTreeSet<String> {
    let name = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        text[..end.unwrap_or(text.len())].to_owned()
    };
    let mut rooms = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = &list[..list.find("};").unwrap_or(list.len())];
                rooms.extend(list.split(',').map(|item| name(item.trim())));
            }
            None => {
                rooms.insert(name(rest));
            }
        }
    }
    rooms.retain(|room| layer(room).is_some());
    rooms
}

#[test]
fn every_room_is_in_the_table() {
    let unknown: BTreeSet<_> = rooms()
        .into_iter()
        .map(|(room, ..)| room)
        .filter(|room| layer(room).is_none())
        .collect();
    assert!(unknown.is_empty(), "rooms without a layer: {unknown:?}");
}

#[test]
fn rooms_use_only_rooms_below_them() {
    let mut wrong = Vec::new();
    for (room, file, code) in rooms() {
        for other in used(&code) {
            if other != room && layer(&other) <= layer(&room) {
                wrong.push(format!("{} uses {other}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "against the table:\n{}", wrong.join("\n"));
}

#[test]
fn walled_crates_are_named_behind_their_wall_alone() {
    let mut wrong = Vec::new();
    for (room, file, code) in rooms() {
        for (krate, home) in WALLS {
            if room != *home && code.contains(&format!("{krate}::")) {
                wrong.push(format!(
                    "{} names {krate}, which belongs to {home}",
                    file.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_stays_in_its_rooms() {
    let mut wrong = Vec::new();
    for (room, file, code) in rooms() {
        if !UNSAFE_ROOMS.contains(&room.as_str()) && code.contains("unsafe {") {
            wrong.push(file.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "unsafe outside of its rooms: {wrong:?}");
}

#[test]
fn the_reader_of_uses_sees_both_forms() {
    let code = "use crate::kafka::A; use crate::{api::B, shard::C}; let x = crate::task::d();";
    let expected: BTreeSet<String> = ["api", "kafka", "shard", "task"]
        .map(str::to_owned)
        .into_iter()
        .collect();
    assert_eq!(used(code), expected);
}
