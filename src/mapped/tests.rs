//! What a slot file survives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::*;
use crate::shard::{RuntimeKind, probe_io_uring};

const SLOT: u64 = 512;

fn path() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("offsets");
    (dir, path)
}

fn contents(store: &SlotStore) -> BTreeMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let entries = store.entries().into_iter();
    entries
        .map(|(key, value)| (text(&key), text(&value)))
        .collect()
}

fn set(store: &SlotStore, key: &str, value: &str) {
    store.put(key.as_bytes(), Some(value.as_bytes())).unwrap();
}

fn write(path: &Path, entries: &[(&str, &str)]) {
    let store = SlotStore::open(path).unwrap();
    for (key, value) in entries {
        set(&store, key, value);
    }
    store.flush_blocking().unwrap();
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn entries_are_there_after_reopening() {
    let (_dir, path) = path();
    let mut expected = BTreeMap::new();
    for round in 0..5 {
        let store = SlotStore::open(&path).unwrap();
        assert_eq!(contents(&store), expected);
        for key in 0..200 {
            let key = format!("key {key}");
            if (round + key.len()) % 3 == 0 {
                store.put(key.as_bytes(), None).unwrap();
                expected.remove(&key);
            } else {
                let value = format!("{round}").repeat(round * 300 + 1);
                set(&store, &key, &value);
                expected.insert(key, value);
            }
        }
        store.flush_blocking().unwrap();
    }
    assert_eq!(contents(&SlotStore::open(&path).unwrap()), expected);
}

#[test]
fn updates_and_removals_reuse_their_space() {
    let (_dir, path) = path();
    write(&path, &[("a", "1")]);
    let first = std::fs::metadata(&path).unwrap().len();
    for round in 0..50 {
        let store = SlotStore::open(&path).unwrap();
        set(&store, "a", &round.to_string());
        set(&store, &format!("only in round {round}"), "x");
        store.flush_blocking().unwrap();
        store
            .put(format!("only in round {round}").as_bytes(), None)
            .unwrap();
        store.flush_blocking().unwrap();
    }
    assert_eq!(std::fs::metadata(&path).unwrap().len(), first);
}

#[test]
fn a_value_of_each_size_class_is_kept_and_may_grow_and_shrink() {
    let (_dir, path) = path();
    let sizes = [0, 1, 487, 488, 489, 5000, 70_000, 600_000, PAYLOAD_MAX - 1];
    for size in sizes.iter().chain(sizes.iter().rev()) {
        let value = "v".repeat(*size);
        write(&path, &[("k", &value), ("other", "o")]);
        let store = SlotStore::open(&path).unwrap();
        assert_eq!(store.get(b"k").unwrap().len(), *size);
        assert_eq!(store.get(b"other").unwrap().as_ref(), b"o");
    }
    let store = SlotStore::open(&path).unwrap();
    let error = store.put(b"k", Some(&vec![0; PAYLOAD_MAX])).unwrap_err();
    assert!(matches!(error, SlotError::TooLarge { .. }), "{error}");
}

#[test]
fn a_second_worker_is_told_who_holds_the_file() {
    let (_dir, path) = path();
    let store = SlotStore::open(&path).unwrap();
    let error = SlotStore::open(&path).unwrap_err();
    let pid = i32::try_from(std::process::id()).unwrap();
    assert!(
        matches!(error, SlotError::InUse { pid: Some(found), .. } if found == pid),
        "{error}"
    );
    assert!(
        error.to_string().contains("in use by another worker"),
        "{error}"
    );
    drop(store);
    SlotStore::open(&path).unwrap();
}

#[test]
fn the_holder_of_a_file_is_found_while_other_files_are_locked_and_unlocked() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let (dir, path) = path();
    let _held = LockedFile::open(&path).unwrap();
    let file = std::fs::File::open(&path).unwrap();
    let pid = i32::try_from(std::process::id()).unwrap();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let others = (0..8).map(|other| dir.path().join(format!("{thread}-{other}")));
            let others: Vec<PathBuf> = others.collect();
            let ended = &ended;
            scope.spawn(move || {
                while !ended.load(Ordering::Acquire) {
                    let locked = others.iter().map(|path| LockedFile::open(path).unwrap());
                    drop(locked.collect::<Vec<_>>());
                }
            });
        }
        let found: Vec<Option<i32>> = (0..300).map(|_| lock_holder(&file)).collect();
        ended.store(true, Ordering::Release);
        assert!(found.iter().all(|found| *found == Some(pid)), "{found:?}");
    });
}

#[test]
fn one_flipped_byte_never_costs_more_than_the_last_write() {
    let (_dir, path) = path();
    write(&path, &[("a", "old"), ("b", "old")]);
    write(&path, &[("a", "new"), ("b", "new")]);
    let good = std::fs::read(&path).unwrap();
    let used = |at: &usize| good[*at] != 0 || at % 4096 < 64;
    for at in (0..good.len()).filter(used) {
        flip(&path, at);
        let found = contents(&SlotStore::open(&path).unwrap());
        assert_eq!(found.len(), 2, "byte {at}");
        assert!(
            found.values().all(|value| value == "old" || value == "new"),
            "byte {at}"
        );
        std::fs::write(&path, &good).unwrap();
    }
}

#[test]
fn two_damaged_copies_are_an_error_that_names_file_and_position() {
    let (_dir, path) = path();
    write(&path, &[("a", "value")]);
    let start = 2 * 4096;
    flip(&path, start + 26);
    flip(&path, start + 4096 + 26);
    let error = SlotStore::open(&path).unwrap_err();
    let expected = start as u64;
    assert!(
        matches!(error, SlotError::Corrupt { position, .. } if position == expected),
        "{error}"
    );
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
    flip(&path, 20);
    flip(&path, 4096 + 20);
    let error = SlotStore::open(&path).unwrap_err();
    assert!(
        matches!(error, SlotError::Corrupt { position: 0, .. }),
        "{error}"
    );
}

#[test]
fn a_truncated_file_is_an_error_at_every_length() {
    let (_dir, path) = path();
    write(&path, &[("a", "value")]);
    let good = std::fs::read(&path).unwrap();
    for len in (1..good.len())
        .step_by(97)
        .chain([7, 8, 4095, 4096, 8191, 8192, good.len() - 1])
    {
        std::fs::write(&path, &good[..len]).unwrap();
        let error = SlotStore::open(&path).unwrap_err();
        let truncated = matches!(error, SlotError::Truncated { .. });
        assert!(truncated || len < 8, "{len}: {error}");
    }
}

#[test]
fn a_file_that_shrinks_under_us_is_an_error_and_no_crash() {
    let (_dir, path) = path();
    let store = SlotStore::open(&path).unwrap();
    set(&store, "a", "1");
    store.flush_blocking().unwrap();
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(100)
        .unwrap();
    set(&store, "a", "2");
    let error = store.flush_blocking().unwrap_err();
    assert!(
        matches!(error, SlotError::Truncated { found: 100, .. }),
        "{error}"
    );
}

#[test]
fn a_newer_format_and_a_foreign_file_are_refused() {
    let (_dir, path) = path();
    write(&path, &[("a", "value")]);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8] = 2;
    bytes[4096 + 8] = 2;
    std::fs::write(&path, &bytes).unwrap();
    let error = SlotStore::open(&path).unwrap_err();
    assert!(
        matches!(
            error,
            SlotError::NewerVersion {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
    std::fs::write(&path, b"something else entirely").unwrap();
    let error = SlotStore::open(&path).unwrap_err();
    assert!(matches!(error, SlotError::NotASlotFile { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"something else entirely");
    let error = SlotStore::open(path.parent().unwrap()).unwrap_err();
    assert!(matches!(error, SlotError::Io { .. }), "{error}");
}

#[test]
fn a_creation_cut_short_is_taken_up_again() {
    let (_dir, path) = path();
    drop(SlotStore::open(&path).unwrap());
    let whole = std::fs::read(&path).unwrap();
    for written in [0, 512, 1024, 4095, 4096] {
        let mut bytes = vec![0; whole.len()];
        bytes[..written].copy_from_slice(&whole[..written]);
        std::fs::write(&path, &bytes).unwrap();
        write(&path, &[("a", "1")]);
        assert_eq!(contents(&SlotStore::open(&path).unwrap()).len(), 1);
        std::fs::write(&path, &whole).unwrap();
    }
}

/// Power loss may keep any part of what was not synced. Copies of the first half of an extent are
/// synced before their second copies are written, so that prefixes are what can happen.
#[test]
fn a_commit_torn_anywhere_leaves_the_old_or_the_new_value() {
    let (_dir, path) = path();
    let long = "x".repeat(1500);
    write(&path, &[("a", "1"), ("b", &long)]);
    for (round, value) in ["2", "3", "4"].into_iter().enumerate() {
        let before = std::fs::read(&path).unwrap();
        let new_key = format!("new {round}");
        write(
            &path,
            &[
                ("a", value),
                ("b", &long.replace('x', value)),
                (&new_key, value),
            ],
        );
        let after = std::fs::read(&path).unwrap();
        if before.len() != after.len() {
            continue;
        }
        let differing: Vec<usize> = (0..after.len())
            .filter(|at| before[*at] != after[*at])
            .collect();
        for at in &differing {
            let torn: Vec<u8> = [&after[..*at], &before[*at..]].concat();
            std::fs::write(&path, torn).unwrap();
            let found = contents(&SlotStore::open(&path).unwrap());
            let old = (round + 1).to_string();
            assert!(
                [old.as_str(), value].contains(&found["a"].as_str()),
                "{at}: {found:?}"
            );
            assert_eq!(found["b"].len(), 1500, "{at}");
            assert!(found.get(&new_key).is_none_or(|found| found == value));
        }
        std::fs::write(&path, after).unwrap();
    }
}

#[test]
fn flush_completes_on_both_runtimes_and_groups_waiters() {
    let mut kinds = vec![RuntimeKind::Epoll];
    if probe_io_uring().io_uring_problem.is_none() {
        kinds.push(RuntimeKind::IoUring);
    }
    for kind in kinds {
        let (_dir, path) = path();
        let store = SlotStore::open(&path).unwrap();
        let shared = store.clone();
        crate::shard::run(kind, None, async move {
            let flushes = (0..20).map(|n| {
                let store = shared.clone();
                async move {
                    set(&store, &format!("k{n}"), "v");
                    store.flush().await
                }
            });
            for result in futures_util::future::join_all(flushes).await {
                result.unwrap();
            }
            shared.flush().await.unwrap();
        })
        .unwrap();
        drop(store);
        assert_eq!(
            contents(&SlotStore::open(&path).unwrap()).len(),
            20,
            "{kind:?}"
        );
    }
}

/// A folder on a small file system of its own; `None` where mounting is not permitted.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    pub(crate) fn new(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(dir));
        }
        eprintln!("SKIPPED: mounting a small tmpfs is not permitted here");
        None
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

#[test]
fn a_full_disk_is_an_error_and_the_file_is_unharmed() {
    let Some(disk) = SmallDisk::new("64k") else {
        return;
    };
    let path = disk.path().join("offsets");
    let store = SlotStore::open(&path).unwrap();
    set(&store, "a", "kept");
    store.flush_blocking().unwrap();
    set(&store, "big", &"x".repeat(200_000));
    set(&store, "a", "next");
    let error = store.flush_blocking().unwrap_err();
    assert!(matches!(error, SlotError::DiskFull { .. }), "{error}");
    assert!(error.is_retriable());
    // With the big one gone, the rest goes through.
    store.put(b"big", None).unwrap();
    store.flush_blocking().unwrap();
    drop(store);
    let found = contents(&SlotStore::open(&path).unwrap());
    assert_eq!(found, BTreeMap::from([("a".to_owned(), "next".to_owned())]));
    // No room for a new file either.
    std::fs::write(disk.path().join("filler"), vec![1; 60_000]).unwrap_or_default();
    let error = SlotStore::open(&disk.path().join("second")).unwrap_err();
    assert!(matches!(error, SlotError::DiskFull { .. }), "{error}");
}

/// The child's part of the next test.
#[test]
fn child_that_stores_until_killed() {
    let Some(path) = std::env::var_os("RINGMAIN_TEST_SLOT_CHILD") else {
        return;
    };
    let store = SlotStore::open(Path::new(&path)).unwrap();
    for n in 0_u64.. {
        set(&store, "counter", &n.to_string());
        set(
            &store,
            &format!("key {}", n % 300),
            &n.to_string().repeat(1 + (n % 7) as usize * 40),
        );
        store.flush_blocking().unwrap();
        println!("flushed {n}");
    }
}

#[test]
fn kill_9_at_any_moment_keeps_what_was_flushed() {
    use std::io::{BufRead, BufReader};
    let (_dir, path) = path();
    for round in 0..10 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "mapped::tests::child_that_stores_until_killed",
                "--exact",
                "--nocapture",
            ])
            .env("RINGMAIN_TEST_SLOT_CHILD", &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let enough = fastrand::usize(5..200);
        let mut flushed: Vec<u64> = Vec::new();
        let number = |line: &str| Some(line.strip_prefix("flushed ")?.parse::<u64>().unwrap());
        while flushed.len() < enough {
            let line = lines.next().unwrap().unwrap();
            flushed.extend(number(&line));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        flushed.extend(lines.map_while(Result::ok).filter_map(|line| number(&line)));
        let last = *flushed.last().unwrap();
        let found = contents(&SlotStore::open(&path).unwrap());
        let counter: u64 = found["counter"].parse().unwrap();
        assert!(
            counter == last || counter == last + 1,
            "round {round}: {counter}, {last}"
        );
        for n in last.saturating_sub(299)..=last {
            let value = &found[&format!("key {}", n % 300)];
            assert!(!value.is_empty(), "round {round}");
        }
    }
}

#[test]
fn the_header_promises_what_the_slots_need() {
    let (_dir, path) = path();
    write(&path, &[("a", "1")]);
    let len = std::fs::metadata(&path).unwrap().len();
    assert_eq!(len % 4096, 0);
    assert_eq!(
        len,
        4 * 4096,
        "two headers and one page of {SLOT}-byte slots per copy"
    );
}
