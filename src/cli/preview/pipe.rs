//! Lines in, lines out, off the shard: both can wait for others as long as they like.
//!
//! Each exchange hands over what was made so far and brings what is there now, so that lines come out
//! as they come in, whether from a file or from somebody who types. Memory is bounded by the longest
//! line.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use crate::shard::{BlockingError, blocking};

/// Longest line in bytes: room for a record of tens of megabytes as base64.
pub(super) const LINE_MAX: usize = 64 << 20;
/// Bytes that are asked for at once.
const CHUNK: usize = 256 << 10;

/// Input and output, somewhere else for as long as an exchange lasts.
pub(super) struct Pipe {
    input: Box<dyn Read + Send>,
    output: Box<dyn Write + Send>,
    /// Read and not handed over yet: the beginning of a line.
    pending: Vec<u8>,
    ended: bool,
}

/// What an exchange brought.
pub(super) enum Brought {
    /// Whole lines, the last one perhaps without its end.
    Lines(Vec<u8>),
    /// A line that is longer than [`LINE_MAX`].
    TooLong,
    /// Nothing more.
    End,
}

/// An exchange failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PipeError {
    /// Nobody takes the output any more.
    #[error("the reader of the output has gone away")]
    ReaderGone,
    /// The output.
    #[error("writing the output: {0}")]
    Write(io::Error),
    /// The input.
    #[error("reading the input: {0}")]
    Read(io::Error),
    /// The pool of threads.
    #[error(transparent)]
    Blocking(#[from] BlockingError),
}

impl Pipe {
    /// From the file, or from standard input for `-`, to standard output.
    ///
    /// # Errors
    /// The file can't be opened.
    pub(super) fn open(input: &Path) -> io::Result<Self> {
        let input: Box<dyn Read + Send> = match input.to_str() {
            Some("-") => Box::new(io::stdin()),
            _ => Box::new(File::open(input)?),
        };
        Ok(Self::new(input, Box::new(io::stdout())))
    }

    fn new(input: Box<dyn Read + Send>, output: Box<dyn Write + Send>) -> Self {
        Self {
            input,
            output,
            pending: Vec::new(),
            ended: false,
        }
    }

    /// Writes `out`.
    ///
    /// # Errors
    /// The output fails.
    pub(super) async fn give(mut self, out: Vec<u8>) -> Result<(), PipeError> {
        blocking(move || self.write(&out)).await?
    }

    /// Writes `out`, then waits for the next whole lines.
    ///
    /// # Errors
    /// Input or output fail.
    pub(super) async fn exchange(mut self, out: Vec<u8>) -> Result<(Self, Brought), PipeError> {
        blocking(move || {
            self.write(&out)?;
            drop(out);
            let brought = self.read()?;
            Ok((self, brought))
        })
        .await?
    }

    fn write(&mut self, out: &[u8]) -> Result<(), PipeError> {
        let written = self
            .output
            .write_all(out)
            .and_then(|()| self.output.flush());
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => PipeError::ReaderGone,
            _ => PipeError::Write(error),
        })
    }

    fn read(&mut self) -> Result<Brought, PipeError> {
        while !self.ended {
            let before = self.pending.len();
            self.pending.resize(before + CHUNK, 0);
            let count = loop {
                match self.input.read(&mut self.pending[before..]) {
                    Ok(count) => break count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(PipeError::Read(error)),
                }
            };
            self.pending.truncate(before + count);
            self.ended = count == 0;
            // What was pending before has no line end.
            if let Some(last) = memchr::memrchr(b'\n', &self.pending[before..]) {
                let rest = self.pending.split_off(before + last + 1);
                return Ok(Brought::Lines(std::mem::replace(&mut self.pending, rest)));
            }
            if self.pending.len() > LINE_MAX {
                return Ok(Brought::TooLong);
            }
        }
        match self.pending.is_empty() {
            true => Ok(Brought::End),
            false => Ok(Brought::Lines(std::mem::take(&mut self.pending))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Gives its pieces one by one.
    struct Pieces(VecDeque<Vec<u8>>);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let piece = self.0.pop_front().unwrap_or_default();
            buffer[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    fn pipe(pieces: &[&[u8]]) -> Pipe {
        let pieces = pieces.iter().map(|piece| piece.to_vec()).collect();
        Pipe::new(Box::new(Pieces(pieces)), Box::new(io::sink()))
    }

    fn lines(pipe: &mut Pipe) -> Option<Vec<u8>> {
        match pipe.read().unwrap() {
            Brought::Lines(lines) => Some(lines),
            Brought::End => None,
            Brought::TooLong => panic!("too long"),
        }
    }

    #[test]
    fn lines_come_whole_whatever_the_pieces_and_the_last_needs_no_end() {
        let mut pipe = pipe(&[b"a\nb", b"c", b"\nd\n", b"e"]);
        let mut found = Vec::new();
        while let Some(more) = lines(&mut pipe) {
            found.push(String::from_utf8(more).unwrap());
        }
        assert_eq!(found, ["a\n", "bc\nd\n", "e"]);
    }

    #[test]
    fn a_line_without_end_is_given_up_at_the_limit() {
        let piece = vec![b'x'; CHUNK];
        let pieces: Vec<&[u8]> = vec![&piece; LINE_MAX / CHUNK + 2];
        assert!(matches!(pipe(&pieces).read(), Ok(Brought::TooLong)));
    }

    #[test]
    fn a_reader_that_has_gone_away_is_told_from_a_full_disk() {
        struct Broken(io::ErrorKind);
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let write = |kind| Pipe::new(Box::new(io::empty()), Box::new(Broken(kind))).write(b"x");
        let gone = write(io::ErrorKind::BrokenPipe);
        assert!(matches!(gone, Err(PipeError::ReaderGone)));
        let full = write(io::ErrorKind::StorageFull);
        assert!(matches!(full, Err(PipeError::Write(_))));
    }
}
