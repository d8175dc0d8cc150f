//! The codecs of a batch's records.
//!
//! Contexts and work space are kept per thread and per codec once it is used: a gzip or zstd context
//! costs more to make than a small batch to compress, and a fresh buffer of 128 KiB or more goes
//! through mmap each time (lz4 fell from 3,570 to 342 MB/s on 1 MB that way).

mod gzip;
mod lz4;
mod snappy;
mod zstandard;

use std::cell::RefCell;
use std::fmt;

use super::RecordError;
use super::error::DecompressFault;

/// Work space that a thread keeps between batches; larger ones are given back.
const MAX_KEPT_WORKSPACE_BYTES: usize = 4 << 20;
/// Least room that a decoder of unknown output size starts with.
const MIN_ROOM_BYTES: usize = 16 << 10;

/// A codec for the records of a batch (Kafka: `CompressionType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// As they are.
    #[default]
    None,
    /// gzip, RFC 1952.
    Gzip,
    /// Snappy in the framing of xerial's Java library; raw blocks are read too.
    Snappy,
    /// LZ4's frame format with independent blocks of 64 KiB.
    Lz4,
    /// Zstandard (KIP-110).
    Zstd,
}

impl Compression {
    /// Every codec, by id.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec that a value of `compression.type` names.
    ///
    /// # Errors
    /// [`RecordError::UnknownCompressionName`].
    pub fn from_config(name: &str) -> Result<Self, RecordError> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name() == name)
            .ok_or_else(|| RecordError::UnknownCompressionName {
                name: name.to_owned(),
            })
    }

    /// The codec of an id in the attributes.
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.get(usize::from(id)).copied()
    }

    /// The lowest three bits of a batch's attributes.
    pub fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// Its name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A codec and how hard it tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CompressionConfig {
    /// `compression.type`.
    pub codec: Compression,
    /// `compression.gzip.level` (−1 or 1 to 9), `compression.lz4.level` (1 to 17, taken and not
    /// used: there is one LZ4 level here, the fast one that is Kafka's default) or
    /// `compression.zstd.level` (−131072 to 22). `None` is the codec's default: −1, 9 and 3.
    pub level: Option<i32>,
}

impl CompressionConfig {
    /// No compression.
    pub const NONE: Self = Self {
        codec: Compression::None,
        level: None,
    };

    /// A codec at a level that was checked.
    ///
    /// # Errors
    /// [`RecordError::BadLevel`] for a level outside of the codec's range.
    pub fn new(codec: Compression, level: Option<i32>) -> Result<Self, RecordError> {
        let config = Self { codec, level };
        config.check()?;
        Ok(config)
    }

    /// Whether the level is one of the codec's.
    ///
    /// # Errors
    /// [`RecordError::BadLevel`].
    pub fn check(&self) -> Result<(), RecordError> {
        let Some(level) = self.level else {
            return Ok(());
        };
        let (fits, allowed) = match self.codec {
            Compression::None | Compression::Snappy => (true, "it has no levels"),
            Compression::Gzip => (
                level == -1 || (1..=9).contains(&level),
                "use -1 (default) or 1 to 9",
            ),
            Compression::Lz4 => ((1..=17).contains(&level), "use 1 to 17"),
            Compression::Zstd => ((-131_072..=22).contains(&level), "use -131072 to 22"),
        };
        if fits {
            return Ok(());
        }
        Err(RecordError::BadLevel {
            codec: self.codec,
            level,
            allowed,
        })
    }
}

impl From<Compression> for CompressionConfig {
    fn from(codec: Compression) -> Self {
        Self { codec, level: None }
    }
}

/// Why nothing came out of a decoder.
#[derive(Debug)]
pub(super) enum Failure {
    /// More than the cap.
    TooLarge,
    Bad(DecompressFault),
}

impl Failure {
    fn codec(error: impl fmt::Display) -> Self {
        Self::Bad(DecompressFault::Codec(error.to_string()))
    }
}

impl From<DecompressFault> for Failure {
    fn from(fault: DecompressFault) -> Self {
        Self::Bad(fault)
    }
}

/// What one thread keeps for compressing.
#[derive(Default)]
struct Compressors {
    /// Initialised work space that the codecs write to.
    workspace: Vec<u8>,
    gzip: Option<gzip::Compressor>,
    snappy: Option<snappy::Compressor>,
    lz4: Option<lz4::Compressor>,
    zstd: Option<zstandard::Compressor>,
}

thread_local! {
    static COMPRESSORS: RefCell<Compressors> = RefCell::default();
}

/// Replaces the bytes of `buffer` from `from` on by their compressed form.
pub(super) fn compress_tail(
    config: &CompressionConfig,
    buffer: &mut Vec<u8>,
    from: usize,
) -> Result<(), RecordError> {
    if config.codec == Compression::None {
        return Ok(());
    }
    COMPRESSORS.with_borrow_mut(|compressors| {
        let written = compressors
            .compress(config, &buffer[from..])
            .map_err(|source| RecordError::Compress {
                codec: config.codec,
                source,
            })?;
        buffer.truncate(from);
        buffer.extend_from_slice(&compressors.workspace[..written]);
        if compressors.workspace.len() > MAX_KEPT_WORKSPACE_BYTES {
            compressors.workspace = Vec::new();
        }
        Ok(())
    })
}

impl Compressors {
    /// Compresses into the work space and returns how many bytes of it are used.
    fn compress(&mut self, config: &CompressionConfig, input: &[u8]) -> std::io::Result<usize> {
        let out = &mut self.workspace;
        match config.codec {
            Compression::None => {
                make_room(out, input.len());
                out[..input.len()].copy_from_slice(input);
                Ok(input.len())
            }
            Compression::Gzip => {
                gzip::Compressor::at_level(&mut self.gzip, config.level).compress(input, out)
            }
            Compression::Snappy => self
                .snappy
                .get_or_insert_with(snappy::Compressor::new)
                .compress(input, out),
            Compression::Lz4 => self
                .lz4
                .get_or_insert_with(lz4::Compressor::new)
                .compress(input, out),
            Compression::Zstd => {
                zstandard::Compressor::at_level(&mut self.zstd, config.level)?.compress(input, out)
            }
        }
    }
}

/// Makes an initialised buffer at least `len` long.
fn make_room(buffer: &mut Vec<u8>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
}

/// What one thread keeps for decompressing.
#[derive(Default)]
struct Decompressors {
    zstd: Option<zstandard::Decompressor>,
}

thread_local! {
    static DECOMPRESSORS: RefCell<Decompressors> = RefCell::default();
}

/// Appends at most `cap` decompressed bytes to `out`. After a failure `out` may hold a part of them.
pub(super) fn decompress(
    codec: Compression,
    input: &[u8],
    cap: usize,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    DECOMPRESSORS.with_borrow_mut(|decompressors| match codec {
        Compression::None => copy(input, cap, out),
        Compression::Gzip => gzip::decompress(input, cap, out),
        Compression::Snappy => snappy::decompress(input, cap, out),
        Compression::Lz4 => lz4::decompress(input, cap, out),
        Compression::Zstd => {
            zstandard::Decompressor::of(&mut decompressors.zstd)?.decompress(input, cap, out)
        }
    })
}

fn copy(input: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    if input.len() > cap {
        return Err(Failure::TooLarge);
    }
    out.extend_from_slice(input);
    Ok(())
}

/// Splits `count` bytes off the front.
fn split<'a>(input: &mut &'a [u8], count: usize) -> Result<&'a [u8], DecompressFault> {
    let (front, rest) = input
        .split_at_checked(count)
        .ok_or(DecompressFault::Truncated)?;
    *input = rest;
    Ok(front)
}

/// As [`split`], with the count known.
fn split_array<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], DecompressFault> {
    let (front, rest) = input
        .split_first_chunk::<N>()
        .ok_or(DecompressFault::Truncated)?;
    *input = rest;
    Ok(*front)
}
