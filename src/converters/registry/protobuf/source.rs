//! .proto texts compiled with protox: the schema, what it refers to, and the files that Confluent's and
//! Google's libraries bring along.

use std::path::Path;

use prost_reflect::{FileDescriptor, MessageDescriptor};
use protox::file::{File, FileResolver, GoogleFileResolver};
use protox::{Compiler, Error};

use super::known::KNOWN;
use crate::api::ConnectError;
use crate::converters::config::serialization_error;
use crate::converters::registry::format::RegistrySchema;
use crate::converters::registry::limits::{DEPTH_MAX, NODES_MAX};

/// What the schema itself is called.
const ROOT: &str = "registered_schema.proto";

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
            return File::from_source(name, &self.0.text);
        }
        let mut others = self.0.resolved.iter();
        if let Some((_, text)) = others.find(|(known, _)| known == name) {
            return File::from_source(name, text);
        }
        match KNOWN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => File::from_source(name, text),
            None => GoogleFileResolver::new().open_file(name),
        }
    }
}

fn invalid(reason: impl std::fmt::Display) -> ConnectError {
    serialization_error(format!("not a Protobuf schema: {reason}"))
}

/// The file of a schema.
///
/// # Errors
/// A text is no .proto text, or an import is missing.
pub(super) fn compile(schema: &RegistrySchema) -> Result<FileDescriptor, ConnectError> {
    let others = schema.resolved.iter().map(|(_, text)| text);
    for text in others.chain([&schema.text]) {
        check_depth(text)?;
    }
    let mut compiler = Compiler::with_file_resolver(Resolver(schema.clone()));
    compiler.include_imports(true);
    compiler.open_file(ROOT).map_err(invalid)?;
    let pool = compiler.descriptor_pool();
    pool.get_file_by_name(ROOT)
        .ok_or_else(|| invalid("it was not compiled"))
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

/// The messages of a file with their indexes. Entries of maps are no messages of the text.
///
/// # Errors
/// There are too many.
pub(super) fn messages(file: &FileDescriptor) -> Result<Vec<Indexed>, ConnectError> {
    let mut found = Vec::new();
    let mut waiting: Vec<Indexed> = numbered(file.messages(), &[]).collect();
    while let Some((path, message)) = waiting.pop() {
        if found.len() >= NODES_MAX {
            return Err(invalid(format!("it has more than {NODES_MAX} messages")));
        }
        waiting.extend(numbered(message.child_messages(), &path));
        found.push((path, message));
    }
    Ok(found)
}

/// The message with a full name. As in Java, parts of the name that no message has are passed over, so that
/// a name without its package is found, too.
///
/// # Errors
/// The file has too many messages.
pub(super) fn message_called(
    file: &FileDescriptor,
    name: &str,
) -> Result<Option<Indexed>, ConnectError> {
    let mut found: Option<Indexed> = None;
    for part in name.split('.') {
        let next = match &found {
            None => numbered(file.messages(), &[]).find(|(_, message)| message.name() == part),
            Some((path, message)) => {
                numbered(message.child_messages(), path).find(|(_, inner)| inner.name() == part)
            }
        };
        found = next.or(found);
    }
    let last = name.rsplit('.').next();
    Ok(found.filter(|(_, message)| Some(message.name()) == last))
}

fn numbered<'a>(
    messages: impl Iterator<Item = MessageDescriptor> + 'a,
    outer: &'a [i32],
) -> impl Iterator<Item = Indexed> + 'a {
    let messages = messages.filter(|message| !message.is_map_entry());
    messages.enumerate().map(move |(index, message)| {
        let index = i32::try_from(index).unwrap_or(i32::MAX);
        let path = outer.iter().copied().chain([index]).collect();
        (path, message)
    })
}
