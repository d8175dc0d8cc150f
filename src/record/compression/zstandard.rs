//! Zstandard, one call per batch: that needs no window beside the output.

use std::io::{self, Cursor};

use zstd::bulk;
use zstd::zstd_safe::compress_bound;

use super::{Failure, MIN_ROOM_BYTES, make_room};

/// Kafka's default level, and zstd's.
const DEFAULT_LEVEL: i32 = 3;
/// How zstd says that there is more output than room (`ZSTD_error_dstSize_tooSmall`). The crate gives
/// its errors as text alone; `a_batch_that_expands_beyond_the_first_guess_is_read` holds it to that.
const TOO_SMALL: &str = "Destination buffer is too small";

pub(super) struct Compressor {
    level: i32,
    context: bulk::Compressor<'static>,
}

impl Compressor {
    /// The kept compressor, set to this level.
    pub(super) fn at_level(kept: &mut Option<Self>, level: Option<i32>) -> io::Result<&mut Self> {
        let level = level.unwrap_or(DEFAULT_LEVEL);
        if kept.as_ref().is_some_and(|kept| kept.level != level) {
            *kept = None;
        }
        let compressor = match kept.take() {
            Some(compressor) => compressor,
            None => Self {
                level,
                context: bulk::Compressor::new(level)?,
            },
        };
        Ok(kept.insert(compressor))
    }

    pub(super) fn compress(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<usize> {
        make_room(out, compress_bound(input.len()));
        self.context.compress_to_buffer(input, &mut out[..])
    }
}

pub(super) struct Decompressor {
    context: bulk::Decompressor<'static>,
}

impl Decompressor {
    /// The kept decompressor, made at first use.
    pub(super) fn of(kept: &mut Option<Self>) -> Result<&mut Self, Failure> {
        let decompressor = match kept.take() {
            Some(decompressor) => decompressor,
            None => Self {
                context: bulk::Decompressor::new().map_err(Failure::codec)?,
            },
        };
        Ok(kept.insert(decompressor))
    }

    /// Frames written by a stream, as Java's, do not say how large they are: a guess is doubled until
    /// it does or the cap is reached. A pooled `out` makes the first guess good.
    pub(super) fn decompress(
        &mut self,
        input: &[u8],
        cap: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let start = out.len();
        let mut room = input.len().saturating_mul(4).max(MIN_ROOM_BYTES).min(cap);
        loop {
            out.reserve_exact(room);
            room = out.capacity() - start;
            let outcome = self.append(input, out);
            let error = match outcome {
                Ok(written) if written > cap => return Err(Failure::TooLarge),
                Ok(_) => return Ok(()),
                Err(error) => error.to_string(),
            };
            if !error.contains(TOO_SMALL) {
                return Err(Failure::codec(error));
            }
            if room >= cap {
                return Err(Failure::TooLarge);
            }
            room = room.saturating_mul(2).min(cap);
        }
    }

    fn append(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<usize> {
        let start = out.len() as u64;
        let mut cursor = Cursor::new(std::mem::take(out));
        cursor.set_position(start);
        let outcome = self.context.decompress_to_buffer(input, &mut cursor);
        *out = cursor.into_inner();
        outcome
    }
}
