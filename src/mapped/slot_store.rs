//! A slot file as a shared store: reads and writes in memory from any thread, durable by `flush`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::SlotError;
use super::flusher::{self, Flush};
use super::mmap_file::LockedFile;
use super::slot_file::{Entry, PAYLOAD_MAX, SlotFile};

/// A key-value store in a mapped slot file. Clones share it; the file is unlocked when the last one is
/// dropped. The memory lock is held for map operations only, never for a system call.
#[derive(Clone)]
pub struct SlotStore(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// Held by the flusher while it commits; nobody else takes it but [`SlotStore::rename`].
    file: Mutex<SlotFile>,
    path: Mutex<std::path::PathBuf>,
}

#[derive(Default)]
struct State {
    values: HashMap<Arc<[u8]>, Arc<[u8]>>,
    /// Changed since the last commit began; `None` = removed.
    dirty: HashMap<Arc<[u8]>, Option<Arc<[u8]>>>,
    waiters: Vec<Arc<Waiter>>,
    queued: bool,
    committing: bool,
}

#[derive(Default)]
struct Waiter(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    result: Option<Result<(), SlotError>>,
    waker: Option<Waker>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SlotStore {
    /// Opens, recovers or creates the file. Blocks.
    ///
    /// # Errors
    /// In use, corrupt, truncated, newer, no slot file, disk full, the system's.
    pub fn open(path: &Path) -> Result<Self, SlotError> {
        Self::from_locked(LockedFile::open(path)?).map(|(store, _)| store)
    }

    /// As [`Self::open`] for a file locked already; also gives the entries in the order they were
    /// written.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_locked(file: LockedFile) -> Result<(Self, Vec<Entry>), SlotError> {
        let path = file.path().to_owned();
        let (file, entries) = SlotFile::open(file)?;
        let state = State {
            values: entries.iter().cloned().collect(),
            ..State::default()
        };
        let store = Self(Arc::new(Inner {
            state: Mutex::new(state),
            file: Mutex::new(file),
            path: Mutex::new(path),
        }));
        Ok((store, entries))
    }

    /// The entries in the bytes of a slot file, in the order they were written: recovered as in
    /// [`Self::open`], in a copy that only this call sees. Blocks.
    ///
    /// # Errors
    /// As [`Self::open`]; the path in them is that of the copy.
    pub fn read_copy(bytes: &[u8]) -> Result<Vec<Entry>, SlotError> {
        let failed = |error: io::Error| SlotError::io(Path::new("memory"), "can't copy it", error);
        let copy = rustix::fs::memfd_create("slots", rustix::fs::MemfdFlags::CLOEXEC);
        let mut copy = File::from(copy.map_err(|error| failed(error.into()))?);
        copy.write_all(bytes).map_err(failed)?;
        let path = format!("/proc/self/fd/{}", copy.as_raw_fd());
        let locked = LockedFile::open(Path::new(&path))?;
        SlotFile::open(locked).map(|(_, entries)| entries)
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<Arc<[u8]>> {
        locked(&self.0.state).values.get(key).map(Arc::clone)
    }

    /// All entries, in no particular order.
    pub fn entries(&self) -> Vec<Entry> {
        let state = locked(&self.0.state);
        let entries = state.values.iter();
        entries
            .map(|(key, value)| (Arc::clone(key), Arc::clone(value)))
            .collect()
    }

    /// Sets (`Some`) or removes (`None`) a key, in memory; [`Self::flush`] makes it durable.
    ///
    /// # Errors
    /// Key and value are larger than [`PAYLOAD_MAX`].
    pub fn put(&self, key: &[u8], value: Option<&[u8]>) -> Result<(), SlotError> {
        self.check_size(key.len() + value.map_or(0, <[u8]>::len))?;
        let (key, value): (Arc<[u8]>, Option<Arc<[u8]>>) = (Arc::from(key), value.map(Arc::from));
        let mut state = locked(&self.0.state);
        match &value {
            Some(value) => state.values.insert(Arc::clone(&key), Arc::clone(value)),
            None => state.values.remove(&key),
        };
        state.dirty.insert(key, value);
        Ok(())
    }

    /// Refuses what no slot can hold.
    ///
    /// # Errors
    /// `size`, of key and value together, is above [`PAYLOAD_MAX`].
    pub fn check_size(&self, size: usize) -> Result<(), SlotError> {
        if size <= PAYLOAD_MAX {
            return Ok(());
        }
        Err(SlotError::TooLarge {
            path: locked(&self.0.path).clone(),
            size,
            max: PAYLOAD_MAX,
        })
    }

    /// Completes when everything put so far is on disk. Works on any executor; dropping it does not stop
    /// the flush.
    ///
    /// # Errors
    /// Disk full, the system's. The changes stay in memory and the next flush tries them again.
    pub async fn flush(&self) -> Result<(), SlotError> {
        let Some(waiter) = self.start_flush()? else {
            return Ok(());
        };
        std::future::poll_fn(|cx| {
            let mut waiter = locked(&waiter.0);
            if let Some(result) = waiter.result.take() {
                return Poll::Ready(result);
            }
            waiter.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// As [`Self::flush`], blocking the calling thread, on which the commit runs.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn flush_blocking(&self) -> Result<(), SlotError> {
        self.0.commit_dirty()
    }

    fn start_flush(&self) -> Result<Option<Arc<Waiter>>, SlotError> {
        let waiter = Arc::new(Waiter::default());
        let mut state = locked(&self.0.state);
        if state.dirty.is_empty() && !state.committing {
            return Ok(None);
        }
        state.waiters.push(Arc::clone(&waiter));
        let queue = !std::mem::replace(&mut state.queued, true);
        drop(state);
        if queue {
            let store: Arc<dyn Flush> = Arc::<Inner>::clone(&self.0);
            if let Err(error) = flusher::submit(store) {
                let mut state = locked(&self.0.state);
                state.queued = false;
                let waiters = std::mem::take(&mut state.waiters);
                drop(state);
                let error = SlotError::NoFlusher {
                    path: locked(&self.0.path).clone(),
                    reason: error.to_string(),
                };
                tell(waiters, &Err(error));
            }
        }
        Ok(Some(waiter))
    }

    /// Moves the file.
    ///
    /// # Errors
    /// The system's; the file is where it was then.
    pub fn rename(&self, path: &Path) -> Result<(), SlotError> {
        locked(&self.0.file).rename(path)?;
        path.clone_into(&mut locked(&self.0.path));
        Ok(())
    }
}

impl Inner {
    fn commit_dirty(&self) -> Result<(), SlotError> {
        let mut file = locked(&self.file);
        let mut state = locked(&self.state);
        let dirty: Vec<_> = std::mem::take(&mut state.dirty).into_iter().collect();
        state.committing = true;
        drop(state);
        let result = file.commit(&dirty);
        let mut state = locked(&self.state);
        state.committing = false;
        if result.is_err() {
            for (key, value) in dirty {
                state.dirty.entry(key).or_insert(value);
            }
        }
        drop(state);
        result
    }
}

impl Flush for Inner {
    fn flush_now(self: Arc<Self>) {
        let mut state = locked(&self.state);
        state.queued = false;
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        let result = self.commit_dirty();
        // Whoever drops the last handle after the flush finds the file unlocked.
        drop(self);
        tell(waiters, &result);
    }
}

fn tell(waiters: Vec<Arc<Waiter>>, result: &Result<(), SlotError>) {
    for waiter in waiters {
        let mut slot = locked(&waiter.0);
        slot.result = Some(result.clone());
        let waker = slot.waker.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl std::fmt::Debug for SlotStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SlotStore")
            .field("path", &locked(&self.0.path))
            .finish_non_exhaustive()
    }
}
