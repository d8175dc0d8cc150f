//! Whether one schema can read what another describes (Avro's schema resolution), for
//! `latest.compatibility.strict`.

use std::collections::HashSet;

use super::schema::{AvroSchema, Kind, NodeId};
use crate::api::ConnectError;
use crate::converters::registry::limits::DEPTH_MAX;

/// Checks that data of `writer` can be read with `reader`.
///
/// # Errors
/// The first thing that cannot be read.
pub(super) fn check(reader: &AvroSchema, writer: &AvroSchema) -> Result<(), ConnectError> {
    let mut check = Check {
        reader,
        writer,
        known: HashSet::new(),
        path: Vec::new(),
    };
    check.nodes(reader.root, writer.root).map_err(|reason| {
        let path = check.path.join(".");
        let place = if path.is_empty() {
            String::new()
        } else {
            format!("{path}: ")
        };
        ConnectError::data(format!("{place}{reason}"))
    })
}

struct Check<'a> {
    reader: &'a AvroSchema,
    writer: &'a AvroSchema,
    /// Pairs of named types that are being compared, or were and fit.
    known: HashSet<(NodeId, NodeId)>,
    path: Vec<String>,
}

impl Check<'_> {
    fn nodes(&mut self, reader: NodeId, writer: NodeId) -> Result<(), String> {
        if self.path.len() > DEPTH_MAX {
            return Err(format!("nested more than {DEPTH_MAX} deep"));
        }
        let (own, other) = (
            &self.reader.node(reader).kind,
            &self.writer.node(writer).kind,
        );
        match (own, other) {
            (_, Kind::Union(members)) => members
                .iter()
                .try_for_each(|member| self.nodes(reader, *member)),
            (Kind::Union(members), _) => {
                let depth = self.path.len();
                let fits = members.iter().any(|member| {
                    let fits = self.nodes(*member, writer).is_ok();
                    self.path.truncate(depth);
                    fits
                });
                if fits {
                    return Ok(());
                }
                Err(format!("no member of the union reads {}", other.name()))
            }
            (Kind::Array(own), Kind::Array(other)) | (Kind::Map(own), Kind::Map(other)) => {
                self.nodes(*own, *other)
            }
            (Kind::Fixed(own), Kind::Fixed(other))
                if own.name.simple == other.name.simple && own.size == other.size =>
            {
                Ok(())
            }
            (Kind::Enum(own), Kind::Enum(other)) if own.name.simple == other.name.simple => {
                let missing = other
                    .symbols
                    .iter()
                    .find(|symbol| !own.symbols.contains(symbol));
                match missing.filter(|_| own.default.is_none()) {
                    Some(symbol) => Err(format!("the enum lacks the symbol {symbol}")),
                    None => Ok(()),
                }
            }
            (Kind::Record(own), Kind::Record(_)) => {
                if !self.known.insert((reader, writer)) {
                    return Ok(());
                }
                let fields = own.fields.clone();
                self.records(reader, writer, &fields)
            }
            (own, other) if promotes(other, own) => Ok(()),
            (own, other) => Err(format!("{} cannot read {}", own.name(), other.name())),
        }
    }

    fn records(
        &mut self,
        reader: NodeId,
        writer: NodeId,
        fields: &[super::schema::Field],
    ) -> Result<(), String> {
        let (Kind::Record(own), Kind::Record(other)) = (
            &self.reader.node(reader).kind,
            &self.writer.node(writer).kind,
        ) else {
            return Ok(());
        };
        if own.name.simple != other.name.simple {
            let (own, other) = (own.name.full(), other.name.full());
            return Err(format!("the record {own} cannot read the record {other}"));
        }
        for field in fields {
            match other.fields.iter().find(|other| other.name == field.name) {
                Some(theirs) => {
                    self.path.push(field.name.clone());
                    self.nodes(field.schema, theirs.schema)?;
                    self.path.pop();
                }
                None if field.default.is_some() => {}
                None => {
                    return Err(format!(
                        "the field {} has no default and the record's schema has no such field",
                        field.name
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Whether data of `from` reads as `to` (Avro's promotions).
fn promotes(from: &Kind, to: &Kind) -> bool {
    std::mem::discriminant(from) == std::mem::discriminant(to)
        && !matches!(from, Kind::Enum(_) | Kind::Fixed(_) | Kind::Record(_))
        || matches!(
            (from, to),
            (Kind::Int, Kind::Long | Kind::Float | Kind::Double)
                | (Kind::Long, Kind::Float | Kind::Double)
                | (Kind::Float, Kind::Double)
                | (Kind::String, Kind::Bytes)
                | (Kind::Bytes, Kind::String)
        )
}
