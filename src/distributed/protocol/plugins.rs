//! Which plugins a worker can run, behind the metadata that Apache's workers read.
//!
//! Java's `deserializeMetadata` stops after the allocation and looks at nothing behind it, so an Apache
//! worker, leader or not, never notices:
//!
//! ```text
//! magic    4 bytes, "RMPC"
//! version  INT16, 1
//! length   INT32 of what follows; later versions may append
//! count    INT32
//! classes  sorted; of each, INT8: how many bytes it shares with the one before; STRING: the rest
//! ```
//!
//! Class names share their packages, so each takes some 20 bytes in place of 50. That counts: the broker
//! keeps the metadata of all members in one record, which has 1 MiB by default.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::wire::{ProtocolError, Reader, Writer};

const MAGIC: &[u8] = b"RMPC";
const VERSION: i16 = 1;

/// Most bytes of one name: so many can be shared.
const NAME_BYTES_MAX: usize = u8::MAX as usize;
/// Most names.
const NAMES_MAX: usize = 4096;
/// Most bytes of all names, in full.
const BYTES_MAX: usize = 256 << 10;

/// Names under which a worker finds plugins, class names and aliases, as they may stand in a connector's
/// configuration. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginClasses(Arc<BTreeSet<String>>);

impl PluginClasses {
    /// A worker's plugins.
    ///
    /// # Errors
    /// [`ProtocolError::TooLong`] for more than 4,096 names, a name of more than 255 bytes, or more than
    /// 256 KiB together.
    pub fn new<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Result<Self, ProtocolError> {
        let names: BTreeSet<String> = names.into_iter().map(Into::into).collect();
        let within = |what, len, most| match len <= most {
            true => Ok(()),
            false => Err(ProtocolError::TooLong { what, len, most }),
        };
        within("the list of plugins", names.len(), NAMES_MAX)?;
        let bytes = names.iter().map(String::len).sum();
        within("the names of plugins", bytes, BYTES_MAX)?;
        let longest = names.iter().map(String::len).max().unwrap_or(0);
        within("the name of a plugin", longest, NAME_BYTES_MAX)?;
        Ok(Self(Arc::new(names)))
    }

    /// Whether the worker knows a plugin under this name.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(super) fn write(&self, out: &mut Writer) -> Result<(), ProtocolError> {
        let mut body = Writer::default();
        body.count("plugins", self.0.len())?;
        let mut before = "";
        for name in self.names() {
            let shared = shared_bytes(before, name);
            body.raw(&[shared]);
            body.text("plugin", &name[usize::from(shared)..])?;
            before = name;
        }
        let body = body.into_bytes();
        out.raw(MAGIC);
        out.i16(VERSION);
        out.count("plugins", body.len())?;
        out.raw(&body);
        Ok(())
    }

    /// `None` where there are none, or where they can't be read: then the worker counts as one that
    /// doesn't say.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes.strip_prefix(MAGIC)?);
        let version = reader.version().ok()?;
        if version < VERSION {
            return None;
        }
        let body = reader.nullable_bytes("plugins").ok()??;
        Self::read_names(&mut Reader::new(body)).ok()
    }

    fn read_names(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let count = reader.count("plugins", 3)?;
        if count > NAMES_MAX {
            return Err(ProtocolError::TooLong {
                what: "the list of plugins",
                len: count,
                most: NAMES_MAX,
            });
        }
        let mut names = Vec::with_capacity(count);
        let mut before = String::new();
        for _ in 0..count {
            let shared = usize::from(reader.u8("shared bytes")?);
            let rest = reader.text("plugin")?;
            let start = before.get(..shared).ok_or(ProtocolError::Invalid {
                what: "the shared bytes of a plugin",
                value: i64::try_from(shared).unwrap_or(i64::MAX),
            })?;
            let name = format!("{start}{rest}");
            if name.len() > NAME_BYTES_MAX {
                return Err(ProtocolError::TooLong {
                    what: "the name of a plugin",
                    len: name.len(),
                    most: NAME_BYTES_MAX,
                });
            }
            before.clone_from(&name);
            names.push(name);
        }
        Self::new(names)
    }
}

/// How many bytes two names begin with in common; the end of a character in both.
fn shared_bytes(one: &str, other: &str) -> u8 {
    let pairs = one.chars().zip(other.chars());
    let same = pairs.take_while(|(one, other)| one == other);
    let bytes: usize = same.map(|(one, _)| one.len_utf8()).sum();
    u8::try_from(bytes).unwrap_or(0)
}
