//! Reads that the page cache answers, which a shard may do itself: no thread hop, nothing that blocks.

use std::fs::File;
use std::io::{self, IoSliceMut};

use rustix::io::{Errno, ReadWriteFlags, preadv2};

/// What a read that must not wait gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CachedRead {
    /// So many bytes: 0 at the end of the file, fewer than asked for where the rest is not cached.
    Read(usize),
    /// Not even the first byte is cached: it has to be read where waiting is allowed ([`super::blocking`]).
    NotCached,
    /// The file system or the kernel knows no such reads.
    Unsupported,
}

/// Reads from `position` on what is in the page cache (`RWF_NOWAIT`). Asks for no read-ahead.
///
/// # Errors
/// The read failed.
pub fn read_cached(file: &File, buffer: &mut [u8], position: u64) -> io::Result<CachedRead> {
    let mut room = [IoSliceMut::new(buffer)];
    match preadv2(file, &mut room, position, ReadWriteFlags::NOWAIT) {
        Ok(count) => Ok(CachedRead::Read(count)),
        Err(Errno::AGAIN) => Ok(CachedRead::NotCached),
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(CachedRead::Unsupported),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_just_written_is_read_without_waiting() {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), b"0123456789").unwrap();
        let file = File::open(path.path()).unwrap();
        let mut buffer = [0; 4];
        let read = read_cached(&file, &mut buffer, 3).unwrap();
        // A file system without such reads says so, which is all that can be asked of it.
        assert!(matches!(
            read,
            CachedRead::Read(4) | CachedRead::Unsupported
        ));
        if read == CachedRead::Read(4) {
            assert_eq!(&buffer, b"3456");
            assert_eq!(
                read_cached(&file, &mut buffer, 10).unwrap(),
                CachedRead::Read(0)
            );
        }
    }

    #[test]
    fn a_read_that_fails_is_an_error() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let write_only = std::fs::OpenOptions::new().write(true).open(path.path());
        let read = read_cached(&write_only.unwrap(), &mut [0; 4], 0);
        let error = read.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::BADF.raw_os_error()));
    }
}
