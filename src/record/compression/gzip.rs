//! gzip by flate2 on zlib-rs.

use std::io;

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};

use super::{Failure, MIN_ROOM_BYTES, make_room};
use crate::record::error::DecompressFault;

/// log2 of deflate's window, the largest one, as Java has it.
const WINDOW_BITS: u8 = 15;
/// zlib's default, which −1 stands for.
const DEFAULT_LEVEL: u32 = 6;

pub(super) struct Compressor {
    level: u32,
    context: Compress,
}

impl Compressor {
    /// The kept compressor when it has this level, a new one otherwise.
    pub(super) fn at_level(kept: &mut Option<Self>, level: Option<i32>) -> &mut Self {
        let level = level
            .and_then(|level| u32::try_from(level).ok())
            .map_or(DEFAULT_LEVEL, |level| level.clamp(1, 9));
        if kept.as_ref().is_some_and(|kept| kept.level != level) {
            *kept = None;
        }
        kept.get_or_insert_with(|| Self {
            level,
            context: Compress::new_gzip(flate2::Compression::new(level), WINDOW_BITS),
        })
    }

    pub(super) fn compress(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<usize> {
        self.context.reset();
        make_room(out, input.len() / 2 + MIN_ROOM_BYTES);
        let mut read = 0;
        let mut written = 0;
        loop {
            let (read_before, written_before) = (self.context.total_in(), self.context.total_out());
            let status = self
                .context
                .compress(&input[read..], &mut out[written..], FlushCompress::Finish)
                .map_err(io::Error::other)?;
            read += count(self.context.total_in() - read_before);
            written += count(self.context.total_out() - written_before);
            if status == Status::StreamEnd {
                return Ok(written);
            }
            make_room(out, written + input.len() - read + MIN_ROOM_BYTES);
        }
    }
}

/// Bytes of a slice, counted by zlib.
fn count(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Reads one or more members.
pub(super) fn decompress(mut input: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    let start = out.len();
    let mut context = Decompress::new_gzip(WINDOW_BITS);
    loop {
        grow(out, start, input.len(), cap);
        let (read_before, len_before) = (context.total_in(), out.len());
        let status = context
            .decompress_vec(input, out, FlushDecompress::None)
            .map_err(Failure::codec)?;
        let read = count(context.total_in() - read_before);
        input = &input[read.min(input.len())..];
        if out.len() - start > cap {
            return Err(Failure::TooLarge);
        }
        if status == Status::StreamEnd {
            if input.is_empty() {
                return Ok(());
            }
            context = Decompress::new_gzip(WINDOW_BITS);
        } else if read == 0 && out.len() == len_before {
            return Err(DecompressFault::Truncated.into());
        }
    }
}

/// Makes sure of spare room: doubled each time, and never more than one byte over the cap, which tells
/// a batch over it from one that fills it.
fn grow(out: &mut Vec<u8>, start: usize, input_len: usize, cap: usize) {
    if out.len() < out.capacity() {
        return;
    }
    let produced = out.len() - start;
    let wanted = produced
        .max(input_len.saturating_mul(4))
        .max(MIN_ROOM_BYTES);
    let allowed = cap.saturating_add(1).saturating_sub(produced);
    out.reserve_exact(wanted.min(allowed).max(1));
}
