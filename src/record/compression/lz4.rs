//! LZ4's frame format, on the block functions of lz4_flex: its frame types would make three buffers
//! per batch and copy once more. Checksums of frames are passed over, since the batch has its own.

use std::io;

use lz4_flex::block::{
    CompressTable, DecompressError, compress_into_with_table, decompress_into_with_dict,
    get_maximum_output_size,
};

use super::{Failure, make_room, split, split_array};
use crate::record::error::DecompressFault;

const MAGIC: u32 = 0x184d_2204;
/// Frames that carry something else; their lowest four bits are free.
const SKIPPABLE_MAGIC: u32 = 0x184d_2a50;
/// Magic, independent blocks, 64 KiB each, and the checksum of these two bytes: the header that
/// Kafka's `Lz4BlockOutputStream` writes.
const FRAME_HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
const BLOCK_BYTES: usize = 64 << 10;
/// Marks a block that is stored as it is.
const STORED: u32 = 1 << 31;
/// How far back a block may point.
const WINDOW_BYTES: usize = 64 << 10;

pub(super) struct Compressor {
    table: CompressTable,
}

impl Compressor {
    pub(super) fn new() -> Self {
        Self {
            table: CompressTable::large(),
        }
    }

    pub(super) fn compress(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<usize> {
        let blocks = input.len().div_ceil(BLOCK_BYTES);
        let block_bound = 4 + get_maximum_output_size(BLOCK_BYTES);
        make_room(out, FRAME_HEADER.len() + blocks * block_bound + 4);
        out[..FRAME_HEADER.len()].copy_from_slice(&FRAME_HEADER);
        let mut at = FRAME_HEADER.len();
        for block in input.chunks(BLOCK_BYTES) {
            let data = at + 4;
            let mut size = compress_into_with_table(block, &mut out[data..], &mut self.table)
                .map_err(io::Error::other)?;
            let mut flag = 0;
            if size >= block.len() {
                size = block.len();
                flag = STORED;
                out[data..data + size].copy_from_slice(block);
            }
            let prefix = u32::try_from(size).map_err(io::Error::other)? | flag;
            out[at..data].copy_from_slice(&prefix.to_le_bytes());
            at = data + size;
        }
        out[at..at + 4].fill(0);
        Ok(at + 4)
    }
}

/// What a frame's header says.
struct Frame {
    independent_blocks: bool,
    block_checksums: bool,
    content_checksum: bool,
    max_block_bytes: usize,
}

pub(super) fn decompress(mut input: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    let end = out.len().saturating_add(cap);
    loop {
        if let Some(frame) = next_frame(&mut input)? {
            read_frame(&frame, &mut input, end, out)?;
        }
        if input.is_empty() {
            return Ok(());
        }
    }
}

/// Reads a frame's header; `None` for a skippable frame, which is skipped.
fn next_frame(input: &mut &[u8]) -> Result<Option<Frame>, DecompressFault> {
    let magic = u32::from_le_bytes(split_array(input)?);
    if magic & !0xf == SKIPPABLE_MAGIC {
        let size = u32::from_le_bytes(split_array(input)?);
        split(input, size as usize)?;
        return Ok(None);
    }
    if magic != MAGIC {
        return Err(DecompressFault::BadFrame("not an LZ4 frame"));
    }
    let [flags, descriptor] = split_array(input)?;
    if flags >> 6 != 1 {
        return Err(DecompressFault::BadFrame("unknown LZ4 frame version"));
    }
    if flags & 1 != 0 {
        return Err(DecompressFault::BadFrame("LZ4 dictionaries are not known"));
    }
    let max_block_bytes = match (descriptor >> 4) & 7 {
        size @ 4..=7 => 1usize << (2 * size + 8),
        _ => return Err(DecompressFault::BadFrame("bad LZ4 block size")),
    };
    let has_content_size = flags & (1 << 3) != 0;
    // The content's size, then the header's checksum.
    split(input, if has_content_size { 8 + 1 } else { 1 })?;
    Ok(Some(Frame {
        independent_blocks: flags & (1 << 5) != 0,
        block_checksums: flags & (1 << 4) != 0,
        content_checksum: flags & (1 << 2) != 0,
        max_block_bytes,
    }))
}

fn read_frame(
    frame: &Frame,
    input: &mut &[u8],
    end: usize,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let frame_start = out.len();
    loop {
        let prefix = u32::from_le_bytes(split_array(input)?);
        if prefix == 0 {
            break;
        }
        let size = (prefix & !STORED) as usize;
        if size > frame.max_block_bytes {
            return Err(DecompressFault::BadFrame("LZ4 block over its frame's limit").into());
        }
        let block = split(input, size)?;
        if prefix & STORED != 0 {
            stored_block(block, end, out)?;
        } else {
            compressed_block(frame, frame_start, block, end, out)?;
        }
        if frame.block_checksums {
            split(input, 4)?;
        }
    }
    if frame.content_checksum {
        split(input, 4)?;
    }
    Ok(())
}

fn stored_block(block: &[u8], end: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    if block.len() > end - out.len() {
        return Err(Failure::TooLarge);
    }
    out.extend_from_slice(block);
    Ok(())
}

fn compressed_block(
    frame: &Frame,
    frame_start: usize,
    block: &[u8],
    end: usize,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let start = out.len();
    let room = frame.max_block_bytes.min(end - start);
    out.resize(start + room, 0);
    let (done, free) = out.split_at_mut(start);
    let window = if frame.independent_blocks {
        &[]
    } else {
        &done[frame_start.max(start.saturating_sub(WINDOW_BYTES))..]
    };
    match decompress_into_with_dict(block, free, window) {
        Ok(size) => {
            out.truncate(start + size);
            Ok(())
        }
        Err(DecompressError::OutputTooSmall { .. }) if room < frame.max_block_bytes => {
            Err(Failure::TooLarge)
        }
        Err(error) => Err(Failure::codec(error)),
    }
}
