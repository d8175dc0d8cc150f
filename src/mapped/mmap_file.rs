//! A locked file and its mapping: the only place with `unsafe`.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use memmap2::MmapMut;
use rustix::fs::{FallocateFlags, FlockOperation};
use rustix::io::Errno;

use super::SlotError;

const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// Looks at the kernel's list of locks.
const HOLDER_LOOKS: usize = 5;
/// Bytes of that list that are asked for at a time.
const LOCKS_PIECE: usize = 64 << 10;

/// A file with an exclusive `flock`, which ends when this is dropped.
#[derive(Debug)]
pub struct LockedFile {
    file: File,
    path: PathBuf,
}

impl LockedFile {
    /// Opens and locks `path`, creating an empty file when there is none.
    ///
    /// # Errors
    /// Another worker holds it; it can't be opened.
    pub fn open(path: &Path) -> Result<Self, SlotError> {
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
                .map_err(|error| SlotError::io(path, "can't open it", error))?;
            lock(&file, path)?;
            // An import may have put another file in this place between the open and the lock.
            if same_file(&file, path) {
                return Ok(Self {
                    file,
                    path: path.to_owned(),
                });
            }
        }
    }

    /// Replaces what is at `path` by an empty file and locks it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn create(path: &Path) -> Result<Self, SlotError> {
        let locked = Self::open(path)?;
        locked
            .file
            .set_len(0)
            .map_err(|error| SlotError::io(path, "can't empty it", error))?;
        Ok(locked)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length in bytes.
    ///
    /// # Errors
    /// The system's.
    pub fn len(&self) -> Result<u64, SlotError> {
        let metadata = self.file.metadata();
        metadata
            .map(|metadata| metadata.len())
            .map_err(|error| SlotError::io(&self.path, "can't get its length", error))
    }

    /// Whether it has no bytes.
    ///
    /// # Errors
    /// The system's.
    pub fn is_empty(&self) -> Result<bool, SlotError> {
        Ok(self.len()? == 0)
    }

    /// The first bytes, up to `limit`.
    ///
    /// # Errors
    /// The system's.
    pub fn read_head(&self, limit: usize) -> Result<Vec<u8>, SlotError> {
        let len = usize::try_from(self.len()?)
            .unwrap_or(usize::MAX)
            .min(limit);
        let mut bytes = vec![0; len];
        self.file
            .read_exact_at(&mut bytes, 0)
            .map_err(|error| SlotError::io(&self.path, "can't read it", error))?;
        Ok(bytes)
    }

    /// Moves the file to `path`, replacing what is there, and makes the move durable.
    ///
    /// # Errors
    /// The system's; the file is where it was then.
    pub fn rename(&mut self, path: &Path) -> Result<(), SlotError> {
        std::fs::rename(&self.path, path)
            .map_err(|error| SlotError::io(path, "can't put the new file in its place", error))?;
        path.clone_into(&mut self.path);
        sync_parent(path)
    }

    /// Makes the file at least `len` bytes long with blocks behind every byte, durably.
    pub(super) fn allocate(&self, len: u64) -> Result<(), SlotError> {
        let old = self.len()?;
        let filled = self.fill(old, len);
        let grown = filled.and_then(|()| {
            if old < len {
                self.file.sync_all()
            } else {
                Ok(())
            }
        });
        grown.map_err(|error| {
            // What was added has no content yet; without it the file is as it was.
            if let Err(error) = self.file.set_len(old) {
                tracing::debug!(path = %self.path.display(), %error, "can't give back space");
            }
            match error.raw_os_error() {
                Some(libc::ENOSPC | libc::EDQUOT) => SlotError::DiskFull {
                    path: self.path.clone(),
                    bytes: len.saturating_sub(old),
                },
                _ => SlotError::io(&self.path, "can't grow it", error),
            }
        })
    }

    fn fill(&self, old: u64, len: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, len) {
            Ok(()) => Ok(()),
            // No fallocate here (some network file systems): write zeros instead.
            Err(Errno::OPNOTSUPP) => {
                let zeros = vec![0; 64 << 10];
                let mut at = old;
                while at < len {
                    let piece = (len - at).min(zeros.len() as u64);
                    let piece = usize::try_from(piece).unwrap_or(zeros.len());
                    self.file.write_all_at(&zeros[..piece], at)?;
                    at += piece as u64;
                }
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Maps the first `len` bytes, which [`Self::allocate`] has put blocks behind.
    #[expect(unsafe_code, reason = "a mapping of a file")]
    pub(super) fn map(&self, len: u64) -> Result<MmapMut, SlotError> {
        let found = self.len()?;
        if found < len {
            return Err(SlotError::Truncated {
                path: self.path.clone(),
                found,
                expected: len,
            });
        }
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        // SAFETY: the file is under our exclusive flock for as long as the mapping lives (the owner
        // keeps `self`), so that no other worker truncates or writes it, and nobody in this process
        // writes it but through this mapping.
        let map = unsafe { memmap2::MmapOptions::new().len(len).map_mut(&self.file) };
        map.map_err(|error| SlotError::io(&self.path, "can't map it", error))
    }
}

/// Locks, trying again for a moment: a child that this process is just starting holds copies of its
/// descriptors until it runs its own program, and a worker that is ending needs a moment, too.
fn lock(file: &File, path: &Path) -> Result<(), SlotError> {
    let mut tries = 0;
    loop {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK) if tries < LOCK_TRIES => {
                tries += 1;
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(Errno::WOULDBLOCK) => {
                return Err(SlotError::InUse {
                    path: path.to_owned(),
                    pid: lock_holder(file),
                });
            }
            Err(error) => return Err(SlotError::io(path, "can't lock it", error.into())),
        }
    }
}

/// The process that holds the `flock` on `file`, as `/proc/locks` tells.
pub fn lock_holder(file: &File) -> Option<i32> {
    let inode = file.metadata().ok()?.ino().to_string();
    (0..HOLDER_LOOKS).find_map(|_| listed_holder(&inode))
}

/// The kernel hands its list out in pieces, and passes over an entry when others go between two of them. So
/// the pieces are large (with the 32 bytes that a `read_to_string` begins with one look in twelve missed an
/// entry), and a list of several is looked at again.
fn listed_holder(inode: &str) -> Option<i32> {
    let mut locks = String::with_capacity(LOCKS_PIECE);
    let mut list = File::open("/proc/locks").ok()?;
    list.read_to_string(&mut locks).ok()?;
    // 1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        if words.next()? != "FLOCK" {
            return None;
        }
        let pid = words.nth(2)?;
        let (_, locked) = words.next()?.rsplit_once(':')?;
        (locked == inode).then(|| pid.parse().ok())?
    })
}

fn same_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Makes a creation or rename in the folder of `path` durable.
///
/// # Errors
/// The system's.
pub fn sync_parent(path: &Path) -> Result<(), SlotError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| SlotError::io(parent, "can't sync the folder", error))
}
