//! Files that the kernel tells of: what wakes their tasks, and what is left of the watches.

use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::poll;
use rustix::fs::inotify;

use super::*;
use crate::connectors::file_stream::end_of_file::EndOfFile;
use crate::connectors::file_stream::watch::{Watcher, is_told_of};

/// A directory whose files can be watched.
fn told_directory() -> Option<tempfile::TempDir> {
    let places = [std::env::temp_dir(), "/dev/shm".into()];
    let mut directories = places.iter().filter_map(|p| tempfile::tempdir_in(p).ok());
    let found = directories.find(|d| std::fs::File::open(d.path()).is_ok_and(|d| is_told_of(&d)));
    if found.is_none() {
        eprintln!("skipped: no file system here is told of");
    }
    found
}

fn watcher() -> Arc<Watcher> {
    let inotify = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    Watcher::start(inotify).unwrap()
}

/// A watcher that can watch nothing: `/dev/null` is no inotify instance.
fn broken_watcher() -> Arc<Watcher> {
    let null = std::fs::File::open("/dev/null").unwrap();
    Watcher::start(OwnedFd::from(null)).unwrap()
}

/// A task that hears of its file through `watcher` and in no other way.
async fn told_by(watcher: &Arc<Watcher>, file: &Path, position: u64) -> FileStreamSourceTask {
    let mut task = start_at(config(file, &[]), Some(position.into())).await;
    *task.end() = EndOfFile::only_told_by(watcher);
    task
}

/// Polls until the task waits for word of its file.
async fn until_watched(task: &mut FileStreamSourceTask) {
    let watched = async {
        while !task.end().is_watched() {
            assert!(poll!(pin!(task.poll())).is_pending());
            crate::shard::sleep(Duration::from_millis(1)).await;
        }
        // Past the look after the watch has begun.
        assert!(poll!(pin!(task.poll())).is_pending());
    };
    timeout(PATIENCE, watched).await.unwrap();
}

/// Runs `test` with a file that holds `one\n` and a watcher, on each runtime.
fn with_told_file<Fut: Future<Output = ()> + 'static>(
    test: impl Fn(Arc<Watcher>, std::path::PathBuf) -> Fut + Copy + 'static,
) {
    on_each_runtime(move || async move {
        if let Some(directory) = told_directory() {
            let file = directory.path().join("in");
            std::fs::write(&file, "one\n").unwrap();
            test(watcher(), file).await;
        }
    });
}

#[test]
fn a_line_appended_to_a_watched_file_wakes_its_task() {
    with_told_file(|watcher, file| async move {
        let mut task = told_by(&watcher, &file, 4).await;
        until_watched(&mut task).await;
        {
            let mut polled = pin!(next(&mut task));
            assert!(poll!(polled.as_mut()).is_pending());
            append(&file, b"two\n");
            assert_eq!(polled.await, [line("two", 8)]);
        }
        assert!(!task.end().is_watched());
        assert_eq!((watcher.watches(), watcher.interests()), (0, 0));
    });
}

#[test]
fn a_change_while_no_poll_runs_is_found_by_the_next_one() {
    with_told_file(|watcher, file| async move {
        let mut task = told_by(&watcher, &file, 4).await;
        until_watched(&mut task).await;
        append(&file, b"two\n");
        assert_eq!(next(&mut task).await, [line("two", 8)]);
    });
}

#[test]
fn a_renamed_and_a_deleted_file_is_watched_on() {
    with_told_file(|watcher, file| async move {
        let mut task = told_by(&watcher, &file, 4).await;
        let mut open = std::fs::File::options().append(true).open(&file).unwrap();
        until_watched(&mut task).await;
        std::fs::rename(&file, file.with_extension("old")).unwrap();
        std::fs::write(&file, "another\nfile\n").unwrap();
        std::fs::remove_file(file.with_extension("old")).unwrap();
        assert!(poll!(pin!(task.poll())).is_pending());
        assert!(task.end().is_watched());
        open.write_all(b"two\n").unwrap();
        assert_eq!(next(&mut task).await, [line("two", 8)]);
    });
}

#[test]
fn tasks_that_share_a_file_all_wake() {
    with_told_file(|watcher, file| async move {
        let mut first = told_by(&watcher, &file, 4).await;
        let mut second = told_by(&watcher, &file, 4).await;
        until_watched(&mut first).await;
        until_watched(&mut second).await;
        assert_eq!((watcher.watches(), watcher.interests()), (1, 2));
        let both = futures_util::future::join(next(&mut first), next(&mut second));
        let mut both = pin!(both);
        assert!(poll!(both.as_mut()).is_pending());
        append(&file, b"two\n");
        assert_eq!(both.await, (vec![line("two", 8)], vec![line("two", 8)]));
    });
}

#[test]
fn a_task_that_stops_leaves_the_watch_to_the_others_and_the_last_one_takes_it_away() {
    with_told_file(|watcher, file| async move {
        let mut stopped = told_by(&watcher, &file, 4).await;
        let mut dropped = told_by(&watcher, &file, 4).await;
        let mut stays = told_by(&watcher, &file, 4).await;
        for task in [&mut stopped, &mut dropped, &mut stays] {
            until_watched(task).await;
        }
        stopped.stop().await;
        drop(dropped);
        assert_eq!((watcher.watches(), watcher.interests()), (1, 1));
        append(&file, b"two\n");
        assert_eq!(next(&mut stays).await, [line("two", 8)]);
        let mut last = told_by(&watcher, &file, 8).await;
        until_watched(&mut last).await;
        assert_eq!((watcher.watches(), watcher.interests()), (1, 1));
        last.stop().await;
        assert_eq!((watcher.watches(), watcher.interests()), (0, 0));
    });
}

#[test]
fn a_write_around_the_beginning_of_a_watch_is_not_lost() {
    with_told_file(|watcher, file| async move {
        let mut random = fastrand::Rng::with_seed(3);
        for round in 1..=300_u64 {
            let mut task = told_by(&watcher, &file, 4 * round).await;
            let (path, spins) = (file.clone(), random.u32(..20_000));
            let writer = std::thread::spawn(move || {
                for _ in 0..spins {
                    std::hint::spin_loop();
                }
                append(&path, b"new\n");
            });
            let end = i64::try_from(4 * round).unwrap() + 4;
            assert_eq!(next(&mut task).await, [line("new", end)]);
            writer.join().unwrap();
        }
    });
}

#[test]
fn a_watch_that_has_begun_asks_for_another_look() {
    with_told_file(|watcher, file| async move {
        let mut end = EndOfFile::only_told_by(&watcher);
        let open = std::fs::File::open(&file).unwrap();
        assert!(poll!(pin!(end.wait(Some(&open)))).is_ready());
        assert!(end.is_watched());
        assert!(poll!(pin!(end.wait(Some(&open)))).is_pending());
    });
}

#[test]
fn a_change_that_brings_nothing_is_followed_by_a_nap_and_then_a_watch() {
    with_told_file(|watcher, file| async move {
        let mut end = EndOfFile::only_told_by(&watcher);
        let open = std::fs::File::open(&file).unwrap();
        end.wait(Some(&open)).await;
        append(&file, b"in front of the position, perhaps\n");
        end.wait(Some(&open)).await;
        let napping = poll!(pin!(end.wait(Some(&open))));
        assert_eq!((end.is_watched(), watcher.watches()), (false, 0));
        if napping.is_pending() {
            end.wait(Some(&open)).await;
        }
        end.wait(Some(&open)).await;
        assert_eq!((end.is_watched(), watcher.watches()), (true, 1));
    });
}

#[test]
fn a_file_is_watched_once_it_has_been_quiet_for_a_while() {
    with_told_file(|watcher, file| async move {
        let mut end = EndOfFile::only_told_by(&watcher);
        let open = std::fs::File::open(&file).unwrap();
        let now = std::time::Instant::now();
        // In an hour: quiet for no time, however slow the machine.
        end.grew_at(now + Duration::from_secs(3600));
        end.wait(Some(&open)).await;
        assert_eq!((end.is_watched(), watcher.watches()), (false, 0));
        end.grew_at(now.checked_sub(Duration::from_secs(2)).unwrap());
        end.wait(Some(&open)).await;
        assert_eq!((end.is_watched(), watcher.watches()), (true, 1));
        end.grew();
        assert_eq!((end.is_watched(), watcher.watches()), (false, 0));
    });
}

#[test]
fn lost_events_wake_every_task() {
    with_told_file(|watcher, file| async move {
        let open = std::fs::File::open(&file).unwrap();
        let watches = [watcher.watch(&open).unwrap(), watcher.watch(&open).unwrap()];
        for watch in &watches {
            assert!(poll!(pin!(watch.changed())).is_pending());
        }
        watcher.overflow();
        for watch in &watches {
            assert_eq!(poll!(pin!(watch.changed())), Poll::Ready(()));
        }
        assert_eq!((watcher.watches(), watcher.interests()), (0, 0));
    });
}

#[test]
fn a_file_that_cannot_be_watched_is_polled() {
    on_each_runtime(|| async {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("in");
        std::fs::write(&file, "one\n").unwrap();
        let watcher = broken_watcher();
        let open = std::fs::File::open(&file).unwrap();
        let mut end = EndOfFile::only_told_by(&watcher);
        end.wait(Some(&open)).await;
        assert!(end.is_refused());
        let mut task = told_by(&watcher, &file, 4).await;
        *task.end() = end;
        append(&file, b"two\n");
        assert_eq!(next(&mut task).await, [line("two", 8)]);
        task.end().grew();
        assert!(task.end().is_refused());
    });
}

#[test]
fn files_that_others_may_change_are_not_trusted_to_be_told_of() {
    let process = std::fs::File::open("/proc/self/stat").unwrap();
    assert!(!is_told_of(&process));
}
