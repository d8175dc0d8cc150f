//! .proto texts compiled with protox: the schema, what it refers to, and the files that Confluent's and
//! Google's libraries bring along. In place of a text there may be a descriptor in base64, which is what
//! clients without a compiler register.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::FileDescriptorProto;
use prost_reflect::{Cardinality, DescriptorPool, FileDescriptor, Kind, MessageDescriptor};
use protox::file::{File, FileResolver, GoogleFileResolver};
use protox::{Compiler, Error};

use super::known::KNOWN;
use crate::api::ConnectError;
use crate::converters::config::serialization_error;
use crate::converters::registry::format::RegistrySchema;
use crate::converters::registry::limits::{DEPTH_MAX, NODES_MAX};

/// What the schema itself is called.
const ROOT: &str = "registered_schema.proto";

/// Where Confluent's options are declared.
const META_FILE: &str = "confluent/meta.proto";
/// How the names of its options begin.
const OPTIONS: [&str; 2] = ["(confluent.", "(.confluent."];

/// A message with its index and those of the messages that it stands in, the outermost first.
pub(super) type Indexed = (Vec<i32>, MessageDescriptor);

/// Finds files by the names that imports have.
struct Resolver(RegistrySchema);

impl FileResolver for Resolver {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        path.to_str().map(str::to_owned)
    }

    fn open_file(&self, name: &str) -> Result<File, Error> {
        if name == ROOT {
            return file_of(name, &self.0.text);
        }
        let mut others = self.0.resolved.iter();
        if let Some((_, text)) = others.find(|(known, _)| known == name) {
            return file_of(name, text);
        }
        match KNOWN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => File::from_source(name, text),
            None => GoogleFileResolver::new().open_file(name),
        }
    }
}

fn file_of(name: &str, text: &str) -> Result<File, Error> {
    let Some(mut bytes) = descriptor(text) else {
        return File::from_source(name, &with_meta(text));
    };
    // A field that comes again counts: the file is called as the import says.
    let renamed = FileDescriptorProto {
        name: Some(name.to_owned()),
        ..FileDescriptorProto::default()
    };
    bytes.extend(renamed.encode_to_vec());
    File::decode_file_descriptor_proto(bytes.as_slice()).map_err(Error::new)
}

/// A text with an import of the file whose options it has. Confluent's converter leaves that import out: its own
/// parser takes options as they stand.
fn with_meta(text: &str) -> Cow<'_, str> {
    let has_options = OPTIONS.iter().any(|start| text.contains(start));
    match has_options && !text.contains(META_FILE) {
        // Behind the rest, so that errors name the lines of the text.
        true => Cow::Owned(format!("{text}\nimport \"{META_FILE}\";\n")),
        false => Cow::Borrowed(text),
    }
}

/// The bytes of a descriptor in base64; `None` when the text is none.
fn descriptor(text: &str) -> Option<Vec<u8>> {
    let bytes = BASE64.decode(text.trim()).ok()?;
    (!bytes.is_empty() && FileDescriptorProto::decode(bytes.as_slice()).is_ok()).then_some(bytes)
}

fn invalid(reason: impl std::fmt::Display) -> ConnectError {
    serialization_error(format!("not a Protobuf schema: {reason}"))
}

/// A compiled schema.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) file: FileDescriptor,
    /// The text; `None` for a descriptor.
    text: Option<String>,
}

/// Compiles a schema.
///
/// # Errors
/// A text is no .proto text, or an import is missing.
pub(super) fn compile(schema: &RegistrySchema) -> Result<Source, ConnectError> {
    let others = schema.resolved.iter().map(|(_, text)| text);
    for text in others.chain([&schema.text]) {
        check_depth(text)?;
    }
    // A descriptor, unlike a text, may have what the compiler does not expect.
    let compiled = catch_unwind(AssertUnwindSafe(|| {
        let mut compiler = Compiler::with_file_resolver(Resolver(schema.clone()));
        compiler.include_imports(true);
        compiler.open_file(ROOT).map_err(invalid)?;
        Ok(compiler.descriptor_pool())
    }));
    let pool = compiled.unwrap_or_else(|_| Err(invalid("the compiler gave up on it")))?;
    check_maps(&pool)?;
    let file = pool.get_file_by_name(ROOT);
    Ok(Source {
        file: file.ok_or_else(|| invalid("it was not compiled"))?,
        text: descriptor(&schema.text)
            .is_none()
            .then(|| schema.text.clone()),
    })
}

/// Messages that say they are entries of maps have to be such: nothing else in the way checks it.
fn check_maps(pool: &DescriptorPool) -> Result<(), ConnectError> {
    for entry in pool.all_messages().filter(MessageDescriptor::is_map_entry) {
        let (key, value) = (entry.get_field(1), entry.get_field(2));
        let is_single = |cardinality| cardinality != Cardinality::Repeated;
        let is_key = key.is_some_and(|key| {
            let kind = key.kind();
            let other = matches!(
                kind,
                Kind::Double | Kind::Float | Kind::Bytes | Kind::Message(_) | Kind::Enum(_)
            );
            !other && is_single(key.cardinality())
        });
        if !is_key || value.is_none_or(|value| !is_single(value.cardinality())) {
            let name = entry.full_name();
            return Err(invalid(format!("{name} is no entry of a map, but says so")));
        }
    }
    Ok(())
}

/// The parser goes down into each bracket of an option's value; a text of brackets alone must not exhaust
/// its stack.
fn check_depth(text: &str) -> Result<(), ConnectError> {
    let mut depth = 0_usize;
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'/' if after.starts_with(b"/") => after_text(after, b"\n"),
            b'/' if after.starts_with(b"*") => {
                after_text(after.get(1..).unwrap_or_default(), b"*/")
            }
            b'"' | b'\'' => after_string(after, *byte),
            _ => after,
        };
        match byte {
            b'{' | b'[' | b'<' | b'(' => depth += 1,
            b'}' | b']' | b'>' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(invalid(format!(
                "brackets are nested more than {DEPTH_MAX} deep"
            )));
        }
    }
    Ok(())
}

fn after_text<'a>(bytes: &'a [u8], end: &[u8]) -> &'a [u8] {
    let found = memchr::memmem::find(bytes, end);
    let after = found.and_then(|at| bytes.get(at + end.len()..));
    after.unwrap_or_default()
}

fn after_string(mut rest: &[u8], quote: u8) -> &[u8] {
    while let Some((byte, after)) = rest.split_first() {
        match *byte {
            b'\\' => rest = after.get(1..).unwrap_or_default(),
            // A string ends with its line; one that does not is an error of the parser's.
            b'\n' => return after,
            other if other == quote => return after,
            _ => rest = after,
        }
    }
    rest
}

impl Source {
    /// The messages with their indexes.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn messages(&self) -> Result<Vec<Indexed>, ConnectError> {
        let mut found = Vec::new();
        let mut waiting: Vec<Indexed> = self.numbered(self.file.messages(), &[]).collect();
        while let Some((path, message)) = waiting.pop() {
            if found.len() >= NODES_MAX {
                return Err(invalid(format!("it has more than {NODES_MAX} messages")));
            }
            waiting.extend(self.numbered(message.child_messages(), &path));
            found.push((path, message));
        }
        Ok(found)
    }

    /// The message with a full name. As in Java, parts of the name that no message has are passed over, so
    /// that a name without its package is found, too.
    pub(super) fn message_called(&self, name: &str) -> Option<Indexed> {
        let mut found: Option<Indexed> = None;
        for part in name.split('.') {
            let is_it = |(_, message): &Indexed| message.name() == part;
            let next = match &found {
                None => self.numbered(self.file.messages(), &[]).find(is_it),
                Some((path, message)) => self.numbered(message.child_messages(), path).find(is_it),
            };
            found = next.or(found);
        }
        let last = name.rsplit('.').next();
        found.filter(|(_, message)| Some(message.name()) == last)
    }

    fn numbered<'a>(
        &'a self,
        messages: impl Iterator<Item = MessageDescriptor> + 'a,
        outer: &'a [i32],
    ) -> impl Iterator<Item = Indexed> + 'a {
        let messages = messages.filter(|message| self.counts(message));
        messages.enumerate().map(move |(index, message)| {
            let index = i32::try_from(index).unwrap_or(i32::MAX);
            let path = outer.iter().copied().chain([index]).collect();
            (path, message)
        })
    }

    /// Whether a message has an index. The entries of maps are messages of a descriptor, and of a text that
    /// was made of one; not of a text that says `map<…>`.
    fn counts(&self, message: &MessageDescriptor) -> bool {
        let text = self.text.as_ref().filter(|_| message.is_map_entry());
        text.is_none_or(|text| declares(text, message.name()))
    }
}

/// Whether a text has a message with a name.
fn declares(text: &str, name: &str) -> bool {
    let starts = |after: &str| {
        let rest = after.trim_start().strip_prefix(name);
        rest.is_some_and(|rest| rest.trim_start().starts_with('{'))
    };
    text.split("message").skip(1).any(starts)
}
