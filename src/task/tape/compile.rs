//! From a chain's configuration to a tape: of the whole chain or of none.
//!
//! What is only asked once, at the start or per topic, is asked of the transformations themselves
//! ([`Plugin::asked`]), so that expressions, replacements and date patterns have one implementation.

use std::rc::Rc;

use super::maps::Name;
use super::ops::{
    Cast, Convert, ExtractField, Flatten, HeaderFrom, InsertField, MaskField, NameSet, Op,
    ReplaceField, Replacement, Router, Target, TimestampConverter,
};
use super::predicate::{Predicate, TopicMatch};
use super::value::{Text, narrow};
use super::{Condition, Odd, Step, Tape};
use crate::api::config_def::ParsedConfig;
use crate::api::data::java_hash;
use crate::api::{ConfigMap, ConnectRecord, RecordOrigin, SchemaAndValue, Transformation, Value};
use crate::transforms::{PREDICATES, TRANSFORMS};

/// Package of Kafka's transformations.
const PACKAGE: &str = "org.apache.kafka.connect.transforms.";

/// A plugin of a chain: class and configuration.
#[derive(Debug, Clone, Copy)]
pub struct Plugin<'a> {
    /// Fully qualified Java class name.
    pub class: &'a str,
    /// The texts below its prefix.
    pub config: &'a ConfigMap,
}

/// An entry of `transforms`.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The transformation.
    pub transformation: Plugin<'a>,
    /// Its predicate, and `negate`.
    pub condition: Option<(Plugin<'a>, bool)>,
}

/// The tape of a chain; `None` when it is empty or has a transformation, a predicate or a setting that
/// only the struct road knows.
pub fn compile(entries: &[Entry<'_>]) -> Option<Tape> {
    if entries.is_empty() {
        return None;
    }
    let mut compiler = Compiler::default();
    let mut steps = Vec::with_capacity(entries.len());
    for entry in entries {
        let condition = match entry.condition {
            Some((predicate, negate)) => Some(Condition {
                predicate: compile_predicate(predicate)?,
                negate,
            }),
            None => None,
        };
        let op = compiler.op(entry.transformation, condition.is_some())?;
        steps.push(Step { op, condition });
    }
    Some(Tape::new(steps, compiler.constants))
}

fn compile_predicate(plugin: Plugin<'_>) -> Option<Predicate> {
    let known = PREDICATES
        .iter()
        .find(|known| known.class == plugin.class)?;
    let config = (known.config_def)().parse(plugin.config).ok()?;
    let name = plugin.class.strip_prefix(PACKAGE)?;
    Some(match name.strip_prefix("predicates.")? {
        "HasHeaderKey" => {
            let name = config.str("name").ok()?;
            // Names that are no UTF-8 are compared as they are, and such a name would fit one.
            Predicate::HasHeaderKey(Some(name).filter(|name| !name.contains('\u{fffd}'))?.into())
        }
        "RecordIsTombstone" => Predicate::RecordIsTombstone,
        "TopicNameMatches" => {
            let mut asked = (known.new)(plugin.config).ok()?;
            let test = move |topic: &str| asked.test(&record(topic, Value::Null), ORIGIN);
            Predicate::TopicNameMatches(TopicMatch::new(Box::new(test)))
        }
        _ => return None,
    })
}

/// Nothing that is asked through it depends on it.
const ORIGIN: RecordOrigin<'static> = RecordOrigin::Source {
    partition: None,
    offset: None,
};

fn record(topic: &str, value: Value) -> ConnectRecord {
    ConnectRecord {
        topic: topic.into(),
        kafka_partition: None,
        key: SchemaAndValue::NULL,
        value: SchemaAndValue::schemaless(value),
        timestamp: None,
        headers: Vec::new(),
    }
}

/// What is known of a record's key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Key {
    /// The converter's, of which nothing is known.
    #[default]
    Original,
    /// A map without schema.
    Map,
}

#[derive(Debug, Default)]
struct Compiler {
    constants: Vec<u8>,
    key: Key,
}

impl Plugin<'_> {
    /// The transformation itself.
    fn asked(self) -> Option<Box<dyn Transformation>> {
        let known = TRANSFORMS.iter().find(|known| known.class == self.class)?;
        (known.new)(self.config).ok()
    }

    fn parsed(self) -> Option<ParsedConfig> {
        let known = TRANSFORMS.iter().find(|known| known.class == self.class)?;
        (known.config_def)().parse(self.config).ok()
    }
}

impl Compiler {
    fn op(&mut self, plugin: Plugin<'_>, conditional: bool) -> Option<Op> {
        let config = &plugin.parsed()?;
        let name = plugin.class.strip_prefix(PACKAGE)?;
        if let Some(name) = name.strip_suffix("$Key") {
            return self.key_op(name, config, conditional);
        }
        Some(match name {
            "Cast$Value" => Op::Cast(self.cast(config.list("spec").ok()?)?),
            "DropHeaders" => Op::DropHeaders(boxed(config.list("headers").ok()?)),
            "ExtractField$Value" => Op::ExtractField(self.extract_field(config)?),
            "Filter" => Op::Filter,
            "Flatten$Value" => Op::Flatten(Flatten {
                delimiter: self.text(config.str("delimiter").ok()?),
            }),
            "HeaderFrom$Value" => Op::HeaderFrom(self.header_from(config)?),
            "HoistField$Value" => Op::HoistField(self.name(config.str("field").ok()?)),
            "InsertField$Value" => Op::InsertField(self.insert_field(config)?),
            "InsertHeader" => Op::InsertHeader(config.str("header").ok()?.into()),
            "MaskField$Value" => Op::MaskField(self.mask_field(plugin, config)?),
            "RegexRouter" => Op::Router(router(plugin, None)?),
            "ReplaceField$Value" => Op::ReplaceField(self.replace_field(config)?),
            "TimestampConverter$Value" => {
                Op::TimestampConverter(self.timestamp_converter(plugin, config)?)
            }
            "TimestampRouter" => {
                let stretch = stretch(config.str("timestamp.format").ok()?);
                Op::Router(router(plugin, Some(stretch))?)
            }
            "ValueToKey" => {
                if !conditional {
                    self.key = Key::Map;
                }
                Op::ValueToKey
            }
            _ => return None,
        })
    }

    /// Whoever gets text gets no key. What cannot fail for a key need not be done.
    fn key_op(&mut self, name: &str, config: &ParsedConfig, conditional: bool) -> Option<Op> {
        let is_map = self.key == Key::Map;
        match name {
            "HoistField" => {}
            "InsertField" | "ReplaceField" if is_map => {}
            "ExtractField" if is_map => {
                self.extract_field(config).filter(|op| op.path.len() == 1)?;
                self.key = Key::Original;
                return Some(Op::KeyUnseen);
            }
            _ => return None,
        }
        if !conditional {
            // Keys may have a schema; those from ValueToKey have none.
            self.key = if is_map { Key::Map } else { Key::Original };
        }
        Some(Op::KeyUnseen)
    }

    fn text(&mut self, text: &str) -> Text {
        let start = narrow(self.constants.len());
        self.constants.extend_from_slice(text.as_bytes());
        Text::Made {
            start,
            len: narrow(text.len()),
        }
    }

    fn name(&mut self, name: &str) -> Name {
        Name {
            hash: java_hash::string_hash(name),
            text: self.text(name),
        }
    }

    fn names(&mut self, names: &[String]) -> Vec<Name> {
        names.iter().map(|name| self.name(name)).collect()
    }

    fn cast(&mut self, spec: &[String]) -> Option<Cast> {
        let mut fields: Vec<(String, Target)> = Vec::new();
        for entry in spec {
            let Some((field, target)) = pair(entry) else {
                return match spec {
                    [_] => Some(Cast::Whole(target_type(entry)?)),
                    _ => None,
                };
            };
            let (field, target) = (field.trim().to_owned(), target_type(target)?);
            match fields.iter_mut().find(|(known, _)| *known == field) {
                Some(known) => known.1 = target,
                None => fields.push((field, target)),
            }
        }
        sort_like_java(&mut fields, java_hash::DEFAULT_CAPACITY, |(field, _)| field);
        let fields = fields.into_iter();
        Some(Cast::Fields(
            fields
                .map(|(field, target)| (self.name(&field), target))
                .collect(),
        ))
    }

    fn extract_field(&mut self, config: &ParsedConfig) -> Option<ExtractField> {
        let field = config.str("field").ok()?;
        let path = match config.str("field.syntax.version").ok()? {
            "V1" => self.names(&[field.to_owned()]),
            // Backticks and empty steps have rules of their own.
            "V2" if !field.contains('`') && !field.split('.').any(str::is_empty) => {
                field.split('.').map(|step| self.name(step)).collect()
            }
            _ => return None,
        };
        Some(ExtractField { path })
    }

    fn header_from(&mut self, config: &ParsedConfig) -> Option<HeaderFrom> {
        let fields = config.list("fields").ok()?;
        let headers = config.list("headers").ok()?;
        let pairs = fields.iter().zip(headers.iter());
        Some(HeaderFrom {
            pairs: pairs
                .map(|(field, header)| (self.name(field), Rc::from(header.as_str())))
                .collect(),
            moves: config.str("operation").ok()? == "move",
        })
    }

    fn insert_field(&mut self, config: &ParsedConfig) -> Option<InsertField> {
        let mut field = |key| {
            let spec = config.opt_str(key).ok()??;
            let name = spec.strip_suffix(['!', '?']).unwrap_or(spec);
            Some(self.name(name))
        };
        let insert = InsertField {
            topic: field("topic.field"),
            partition: field("partition.field"),
            offset: field("offset.field"),
            timestamp: field("timestamp.field"),
            fixed: None,
        };
        let fixed = field("static.field");
        let text = config.opt_str("static.value").ok()?;
        let fixed = fixed.zip(text.map(|text| self.text(text)));
        Some(InsertField { fixed, ..insert })
    }

    fn mask_field(&mut self, plugin: Plugin<'_>, config: &ParsedConfig) -> Option<MaskField> {
        let mut fields: Vec<String> = config.list("fields").ok()?.to_vec();
        let capacity = java_hash::capacity_for_copy(fields.len()).max(java_hash::DEFAULT_CAPACITY);
        let field = fields.first()?.clone();
        let mut seen = std::collections::HashSet::new();
        fields.retain(|field| seen.insert(field.clone()));
        sort_like_java(&mut fields, capacity, |field| field);
        let replacement = match config.opt_str("replacement").ok()? {
            Some(_) => Some(Rc::new(self.replacement(plugin, &field)?)),
            None => None,
        };
        Some(MaskField {
            fields: self.names(&fields),
            replacement,
        })
    }

    /// Asks the transformation what it puts in the place of a value of each class.
    fn replacement(&mut self, plugin: Plugin<'_>, field: &str) -> Option<Replacement> {
        let mut asked = plugin.asked()?;
        let mut masked = |value: Value| {
            let map = Value::Map(vec![(Value::String(field.to_owned()), value)]);
            let done = asked.apply(record("t", map), ORIGIN).ok()??;
            let Value::Map(entries) = done.value.value else {
                return None;
            };
            let of_field = |(key, _): &(Value, Value)| *key == Value::String(field.to_owned());
            let found = entries.into_iter().find(of_field);
            found.map(|(_, value)| value)
        };
        let mut replacement = Replacement::default();
        let values = [
            Value::Int8(1),
            Value::Int16(1),
            Value::Int32(1),
            Value::Int64(1),
            Value::Float32(1.0),
            Value::Float64(1.0),
            Value::String("x".to_owned()),
        ];
        for value in values {
            match masked(value) {
                Some(Value::Int8(number)) => replacement.int8 = Some(number),
                Some(Value::Int16(number)) => replacement.int16 = Some(number),
                Some(Value::Int32(number)) => replacement.int32 = Some(number),
                Some(Value::Int64(number)) => replacement.int64 = Some(number),
                Some(Value::Float32(number)) => replacement.float32 = Some(number),
                Some(Value::Float64(number)) => replacement.float64 = Some(number),
                Some(Value::String(text)) => replacement.text = Some(self.text(&text)),
                _ => {}
            }
        }
        Some(replacement)
    }

    fn timestamp_converter(
        &mut self,
        plugin: Plugin<'_>,
        config: &ParsedConfig,
    ) -> Option<TimestampConverter> {
        let field = config.str("field").ok()?;
        let mut whole = plugin.config.clone();
        whole.insert("field".to_owned(), Some(String::new()));
        let whole = Plugin {
            config: &whole,
            ..plugin
        };
        let mut asked = whole.asked()?;
        let topic: Rc<str> = "".into();
        let convert = move |value| {
            let record = ConnectRecord {
                topic: Rc::clone(&topic),
                kafka_partition: None,
                key: SchemaAndValue::NULL,
                value: SchemaAndValue::schemaless(value),
                timestamp: None,
                headers: Vec::new(),
            };
            match asked.apply(record, ORIGIN) {
                Ok(Some(converted)) => Ok(converted.value.value),
                Ok(None) | Err(_) => Err(Odd),
            }
        };
        let field = (!field.is_empty()).then(|| self.name(field));
        Some(TimestampConverter::new(field, Convert::new(convert)))
    }

    fn replace_field(&mut self, config: &ParsedConfig) -> Option<ReplaceField> {
        let exclude = self.names(config.list("exclude").ok()?);
        let include = self.names(config.list("include").ok()?);
        let mut pairs: Vec<(String, String)> = Vec::new();
        for rename in config.list("renames").ok()? {
            let (old, new) = pair(rename)?;
            match pairs.iter_mut().find(|(known, _)| known == old) {
                Some(known) => new.clone_into(&mut known.1),
                None => pairs.push((old.to_owned(), new.to_owned())),
            }
        }
        let renamed = pairs.iter().map(|(old, _)| self.name(old)).collect();
        let renames = pairs.iter().map(|(_, new)| self.name(new)).collect();
        Some(ReplaceField {
            exclude: NameSet::new(exclude),
            include: NameSet::new(include),
            renamed: NameSet::new(renamed),
            renames,
        })
    }
}

fn router(plugin: Plugin<'_>, stretch: Option<i64>) -> Option<Router> {
    let mut asked = plugin.asked()?;
    let route = move |topic: &Rc<str>, timestamp| {
        let routed = asked.apply(
            ConnectRecord {
                topic: Rc::clone(topic),
                timestamp,
                ..record("", Value::Null)
            },
            ORIGIN,
        );
        match routed {
            Ok(Some(routed)) => Ok(routed.topic),
            Ok(None) | Err(_) => Err(Odd),
        }
    };
    Some(Router::new(Box::new(route), stretch))
}

/// Milliseconds of UTC within which a date of this pattern is the same. Letters in quotes count as if
/// they were not, which only makes it shorter.
fn stretch(pattern: &str) -> i64 {
    let has = |letters: &[char]| pattern.contains(letters);
    if has(&['S', 'A', 'n', 'N']) {
        1
    } else if has(&['s']) {
        1_000
    } else if has(&['m']) {
        60_000
    } else if has(&['a', 'H', 'k', 'K', 'h']) {
        3_600_000
    } else {
        86_400_000
    }
}

/// Two texts with a colon between them. Java's `split` forgives colons at the end, which is left to the
/// struct road.
fn pair(text: &str) -> Option<(&str, &str)> {
    text.split_once(':')
        .filter(|(_, second)| !second.is_empty() && !second.contains(':'))
}

fn target_type(name: &str) -> Option<Target> {
    Some(match name.trim().to_ascii_uppercase().as_str() {
        "INT8" => Target::Int8,
        "INT16" => Target::Int16,
        "INT32" => Target::Int32,
        "INT64" => Target::Int64,
        "FLOAT32" => Target::Float32,
        "FLOAT64" => Target::Float64,
        "BOOLEAN" => Target::Boolean,
        "STRING" => Target::String,
        _ => return None,
    })
}

/// Brings what a `HashMap` or `HashSet` of a table of `capacity` holds into its order.
fn sort_like_java<T>(items: &mut [T], capacity: usize, name: impl Fn(&T) -> &str) {
    let size = java_hash::grown(capacity, items.len());
    items.sort_by_key(|item| java_hash::bucket(java_hash::string_hash(name(item)), size));
}

fn boxed(names: &[String]) -> Rc<[Box<str>]> {
    names.iter().map(|name| name.as_str().into()).collect()
}
