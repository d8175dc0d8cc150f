//! Snappy: written in the framing of xerial's `SnappyOutputStream`, as Kafka does, and read with or
//! without it, since other clients write raw blocks.

use std::io;

use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::{Failure, make_room, split, split_array};
use crate::record::error::DecompressFault;

/// What a framed stream starts with.
const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// Magic, version 1, readable from version 1 on.
const FRAME_HEADER: [u8; 16] = [
    0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1,
];
/// xerial's default block.
const BLOCK_BYTES: usize = 32 << 10;

pub(super) struct Compressor {
    encoder: Encoder,
}

impl Compressor {
    pub(super) fn new() -> Self {
        Self {
            encoder: Encoder::new(),
        }
    }

    pub(super) fn compress(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<usize> {
        let blocks = input.len().div_ceil(BLOCK_BYTES);
        make_room(
            out,
            FRAME_HEADER.len() + blocks * (4 + max_compress_len(BLOCK_BYTES)),
        );
        out[..FRAME_HEADER.len()].copy_from_slice(&FRAME_HEADER);
        let mut written = FRAME_HEADER.len();
        for block in input.chunks(BLOCK_BYTES) {
            let size = self
                .encoder
                .compress(block, &mut out[written + 4..])
                .map_err(io::Error::other)?;
            let prefix = u32::try_from(size).map_err(io::Error::other)?;
            out[written..written + 4].copy_from_slice(&prefix.to_be_bytes());
            written += 4 + size;
        }
        Ok(written)
    }
}

pub(super) fn decompress(mut input: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    let end = out.len().saturating_add(cap);
    if !input.starts_with(&MAGIC) {
        return block(input, end, out);
    }
    while !input.is_empty() {
        // A stream may be several streams one after another, each with its header.
        if input.starts_with(&MAGIC) {
            split(&mut input, FRAME_HEADER.len())?;
            continue;
        }
        let size = u32::from_be_bytes(split_array(&mut input)?);
        let size = usize::try_from(size).map_err(|_| DecompressFault::Truncated)?;
        block(split(&mut input, size)?, end, out)?;
    }
    Ok(())
}

fn block(input: &[u8], end: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    let size = decompress_len(input).map_err(Failure::codec)?;
    let start = out.len();
    if size > end - start {
        return Err(Failure::TooLarge);
    }
    out.resize(start + size, 0);
    Decoder::new()
        .decompress(input, &mut out[start..])
        .map_err(Failure::codec)?;
    Ok(())
}
