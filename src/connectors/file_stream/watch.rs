//! Word from the kernel that a file has changed (inotify): one instance and one thread for the process.
//!
//! ```text
//! task ─watch(file)→ Watcher: descriptor → interests
//! kernel ─event─→ thread (blocked in read) ─wakes→ every interest of that descriptor
//! ```
//! The kernel has one watch per inode, however many ask for it, so that tasks that read the same file
//! share a descriptor. A watch fires once: whatever comes for a descriptor, be it a change or that the
//! watch is gone, wakes all who wait for it and forgets them; who wants to hear more watches again.

use std::collections::HashMap;
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::task::Poll;

use futures_util::task::AtomicWaker;
use rustix::fs::inotify::{self, ReadFlags, WatchFlags};
use rustix::io::Errno;

use crate::shard::unpin_current_thread;

/// Bytes of events per read: 256 events without a name.
const BUFFER: usize = 4 << 10;
/// Stack of the thread.
const STACK: usize = 128 << 10;

/// File systems whose files only this kernel changes, and which tell of each write: `f_type` of
/// `statfs(2)`. Network file systems change behind its back; an overlay has a file in two layers.
const TOLD: [libc::c_long; 5] = [
    libc::EXT4_SUPER_MAGIC, // ext2 and ext3 as well
    libc::XFS_SUPER_MAGIC,
    libc::BTRFS_SUPER_MAGIC,
    libc::F2FS_SUPER_MAGIC,
    libc::TMPFS_MAGIC,
];

/// Whether the kernel tells of all that is written to `file`, a regular one. May block.
pub(super) fn is_told_of(file: &File) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|found| TOLD.contains(&found.f_type))
}

/// An inotify instance and the thread that reads it, which keeps it for the life of the process.
pub(super) struct Watcher {
    inotify: OwnedFd,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Who waits, by watch descriptor. The kernel doesn't use a descriptor again before it has been
    /// through all of them.
    waiting: HashMap<i32, Vec<Arc<Interest>>>,
    /// Why the thread has ended; nobody would be woken.
    ended: Option<Errno>,
}

#[derive(Default)]
struct Interest {
    changed: AtomicBool,
    waker: AtomicWaker,
}

/// One file that is watched for one task. Dropping it ends the interest, and the watch with the last one.
pub(super) struct Watch {
    watcher: Arc<Watcher>,
    descriptor: i32,
    interest: Arc<Interest>,
}

impl Watcher {
    /// The process's watcher, started when first asked for; `None` where there can be none, which is
    /// logged once.
    pub(super) fn of_process() -> Option<Arc<Self>> {
        static WATCHER: OnceLock<Option<Arc<Watcher>>> = OnceLock::new();
        let watcher = WATCHER.get_or_init(|| {
            let started = inotify::init(inotify::CreateFlags::CLOEXEC)
                .map_err(std::io::Error::from)
                .and_then(Self::start);
            started.inspect_err(warn_once).ok()
        });
        watcher.clone()
    }

    /// Starts the thread over an inotify instance.
    ///
    /// # Errors
    /// No thread can be made.
    pub(super) fn start(inotify: OwnedFd) -> std::io::Result<Arc<Self>> {
        let watcher = Arc::new(Self {
            inotify,
            state: Mutex::default(),
        });
        let theirs = Arc::clone(&watcher);
        std::thread::Builder::new()
            .name("file-watch".to_owned())
            .stack_size(STACK)
            .spawn(move || theirs.read())?;
        Ok(watcher)
    }

    /// Watches an open file, under whatever name it goes by now. What was written before is not told:
    /// look at the file once more before waiting. `None` where that can't be, which is logged once.
    pub(super) fn watch(self: &Arc<Self>, file: &File) -> Option<Watch> {
        self.try_watch(file).inspect_err(warn_once).ok()
    }

    fn try_watch(self: &Arc<Self>, file: &File) -> std::io::Result<Watch> {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let interest = Arc::new(Interest::default());
        // Held over the call, so that an event of this watch meets its interest.
        let mut state = self.lock();
        if let Some(error) = state.ended {
            return Err(error.into());
        }
        let flags = WatchFlags::MODIFY | WatchFlags::ONESHOT;
        let descriptor = inotify::add_watch(&self.inotify, path, flags)?;
        let waiting = state.waiting.entry(descriptor).or_default();
        waiting.push(Arc::clone(&interest));
        drop(state);
        Ok(Watch {
            watcher: Arc::clone(self),
            descriptor,
            interest,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) {
        unpin_current_thread();
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => {
                    self.wake_all(None);
                }
                Ok(event) => self.wake(event.wd()),
                Err(Errno::INTR) => {}
                Err(error) => return self.wake_all(Some(error)),
            }
        }
    }

    /// Also for `IN_IGNORED`: a watch that has fired is still there for a moment, and whoever asks for it
    /// then gets one that will never fire.
    fn wake(&self, descriptor: i32) {
        let woken = self.lock().waiting.remove(&descriptor);
        for interest in woken.into_iter().flatten() {
            interest.wake();
        }
    }

    /// Some events were lost, or all that would come.
    fn wake_all(&self, ended: Option<Errno>) {
        let mut state = self.lock();
        state.ended = ended;
        let woken = std::mem::take(&mut state.waiting);
        for descriptor in woken.keys() {
            self.remove(*descriptor);
        }
        drop(state);
        for interest in woken.into_values().flatten() {
            interest.wake();
        }
    }

    fn remove(&self, descriptor: i32) {
        // It may have fired, and be gone.
        inotify::remove_watch(&self.inotify, descriptor).ok();
    }
}

impl Interest {
    fn wake(&self) {
        self.changed.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl Watch {
    /// Completes when the file has changed since it is watched, and then at once for ever. Cancel-safe.
    pub(super) async fn changed(&self) {
        std::future::poll_fn(|cx| {
            self.interest.waker.register(cx.waker());
            match self.interest.changed.load(Ordering::Acquire) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.watcher.lock();
        let Some(waiting) = state.waiting.get_mut(&self.descriptor) else {
            return;
        };
        waiting.retain(|other| !Arc::ptr_eq(other, &self.interest));
        if waiting.is_empty() {
            state.waiting.remove(&self.descriptor);
            self.watcher.remove(self.descriptor);
        }
    }
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher")
            .field("watches", &self.lock().waiting.len())
            .finish()
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("descriptor", &self.descriptor)
            .finish()
    }
}

fn warn_once(error: &std::io::Error) {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            %error,
            "the kernel's file notifications (inotify) can't be used; the files concerned are looked at \
             every second instead, which costs a little CPU. Raise fs.inotify.max_user_instances or \
             fs.inotify.max_user_watches if that is the limit, and restart the tasks"
        );
    });
}

#[cfg(test)]
impl Watcher {
    /// Watches that the kernel has in this instance.
    pub(super) fn watches(&self) -> usize {
        let info = format!("/proc/self/fdinfo/{}", self.inotify.as_raw_fd());
        let info = std::fs::read_to_string(info).unwrap();
        let watches = info.lines().filter(|line| line.starts_with("inotify wd:"));
        watches.count()
    }

    /// Interests that wait.
    pub(super) fn interests(&self) -> usize {
        self.lock().waiting.values().map(Vec::len).sum()
    }

    /// As if the kernel had lost events.
    pub(super) fn overflow(&self) {
        self.wake_all(None);
    }
}
