//! From parsed JSON to the data model (Kafka: `JsonConverter.convertToConnect`).
//!
//! Recursion is bounded by the depth that the parser allows.

use std::collections::HashMap;

use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::BigInt;
use bytes::Bytes;

use super::base64;
use super::parser::{Kind, View};
use crate::api::data::{Field, SchemaRef, java_hash, logical, logical_type};
use crate::api::{ConnectError, Schema, SchemaType, Struct, Value};

/// Objects with more members than this are searched by a hash table.
const FEW_MEMBERS: usize = 24;
/// Room in a struct beyond its fields, so that a transformation that appends one or two need not move it.
const SPARE_FIELDS: usize = 2;

/// Reads values of one document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) view: View<'a>,
    pub(super) replace_null_with_default: bool,
}

/// Where a value is, or that it is missing.
pub(super) type At = Option<usize>;

impl<'a> Reader<'a> {
    /// The value at `at` without a schema.
    pub(super) fn schemaless(self, at: usize) -> Value {
        match self.view.kind(at) {
            Kind::Null => Value::Null,
            Kind::False => Value::Boolean(false),
            Kind::True => Value::Boolean(true),
            Kind::Integer => Value::Int64(self.long(at)),
            Kind::Fraction => Value::Float64(self.double(at)),
            Kind::Text => Value::String(self.view.text(at).to_owned()),
            Kind::Array => self.schemaless_array(at),
            Kind::Object => self.schemaless_object(at),
        }
    }

    fn schemaless_array(self, at: usize) -> Value {
        let mut items = Vec::with_capacity(self.view.len(at));
        for element in self.view.elements(at) {
            items.push(self.schemaless(element));
        }
        Value::Array(items)
    }

    fn schemaless_object(self, at: usize) -> Value {
        let members = unique_members(self.view, at);
        let mut entries = Vec::with_capacity(members.len());
        for (name, value) in members {
            let name = Value::String(self.view.text(name).to_owned());
            entries.push((name, self.schemaless(value)));
        }
        java_hash::sort_entries(&mut entries, java_hash::DEFAULT_CAPACITY);
        Value::Map(entries)
    }

    /// The value at `at` as `schema` wants it. A blank document counts as a value of the wrong type,
    /// a member that is missing as null.
    pub(super) fn with_schema(
        self,
        schema: &SchemaRef,
        at: At,
        blank: bool,
    ) -> Result<Value, ConnectError> {
        let is_null = match at {
            Some(at) => self.view.kind(at) == Kind::Null,
            None => !blank,
        };
        if is_null {
            return self.null(schema);
        }
        if let Some(value) = self.logical(schema, at) {
            return value;
        }
        self.plain(schema, at)
    }

    fn null(self, schema: &Schema) -> Result<Value, ConnectError> {
        match schema.default() {
            Some(default) if self.replace_null_with_default => Ok(default.clone()),
            _ if schema.is_optional() => Ok(Value::Null),
            _ => Err(ConnectError::data(format!(
                "Invalid null value for required {} field",
                schema.kind().name()
            ))),
        }
    }

    fn plain(self, schema: &SchemaRef, at: At) -> Result<Value, ConnectError> {
        Ok(match schema.kind() {
            SchemaType::Boolean => Value::Boolean(self.kind(at) == Some(Kind::True)),
            SchemaType::Int8 => Value::Int8(wrap_i8(self.number(at))),
            SchemaType::Int16 => Value::Int16(wrap_i16(self.number(at))),
            SchemaType::Int32 => Value::Int32(wrap_i32(self.number(at))),
            SchemaType::Int64 => Value::Int64(self.number(at)),
            SchemaType::Float32 => Value::Float32(at.map_or(0.0, |at| self.float(at))),
            SchemaType::Float64 => Value::Float64(at.map_or(0.0, |at| self.double(at))),
            SchemaType::String => match self.text(at) {
                Some(text) => Value::String(text.to_owned()),
                None => Value::Null,
            },
            SchemaType::Bytes => match self.text(at) {
                Some(text) => {
                    let bytes = base64::decode(text).map_err(|reason| {
                        ConnectError::data("Invalid bytes field").with_source(reason)
                    })?;
                    Value::Bytes(Bytes::from(bytes))
                }
                None => Value::Null,
            },
            SchemaType::Array => self.array(schema, at)?,
            SchemaType::Map => self.map(schema, at)?,
            SchemaType::Struct => self.structure(schema, at)?,
        })
    }

    /// Elements of an array, member values of an object, nothing of anything else.
    fn array(self, schema: &SchemaRef, at: At) -> Result<Value, ConnectError> {
        let elements: Vec<usize> = match (self.kind(at), at) {
            (Some(Kind::Array), Some(at)) => self.view.elements(at).collect(),
            (Some(Kind::Object), Some(at)) => unique_members(self.view, at)
                .into_iter()
                .map(|(_, value)| value)
                .collect(),
            _ => Vec::new(),
        };
        let mut items = Vec::with_capacity(elements.len());
        for element in elements {
            items.push(self.part(schema.value_schema(), element)?);
        }
        Ok(Value::Array(items))
    }

    fn part(self, schema: Option<&SchemaRef>, at: usize) -> Result<Value, ConnectError> {
        match schema {
            Some(schema) => self.with_schema(schema, Some(at), false),
            None => Ok(self.schemaless(at)),
        }
    }

    fn map(self, schema: &SchemaRef, at: At) -> Result<Value, ConnectError> {
        let string_keys = schema
            .key_schema()
            .is_some_and(|keys| keys.kind() == SchemaType::String);
        let mut entries = Vec::new();
        if string_keys {
            let at = at
                .filter(|at| self.view.kind(*at) == Kind::Object)
                .ok_or_else(|| {
                    self.mismatch(
                        "Maps with string fields should be encoded as JSON objects, but found",
                        at,
                    )
                })?;
            for (name, value) in unique_members(self.view, at) {
                let name = Value::String(self.view.text(name).to_owned());
                entries.push((name, self.part(schema.value_schema(), value)?));
            }
        } else {
            let at = at.filter(|at| self.view.kind(*at) == Kind::Array).ok_or_else(|| {
                self.mismatch(
                    "Maps with non-string fields should be encoded as JSON array of tuples, but found",
                    at,
                )
            })?;
            entries = self.tuples(schema, at)?;
        }
        java_hash::sort_entries(&mut entries, java_hash::DEFAULT_CAPACITY);
        Ok(Value::Map(entries))
    }

    fn tuples(self, schema: &SchemaRef, at: usize) -> Result<Vec<(Value, Value)>, ConnectError> {
        let mut entries = java_hash::UniqueEntries::default();
        for tuple in self.view.elements(at) {
            if self.view.kind(tuple) != Kind::Array {
                return Err(self.mismatch(
                    "Found invalid map entry instead of array tuple:",
                    Some(tuple),
                ));
            }
            if self.view.len(tuple) != 2 {
                return Err(ConnectError::data(format!(
                    "Found invalid map entry, expected length 2 but found :{}",
                    self.view.len(tuple)
                )));
            }
            let key = self.part(schema.key_schema(), tuple + 1)?;
            let value = self.part(schema.value_schema(), self.view.next(tuple + 1))?;
            entries.put(key, value);
        }
        Ok(entries.into_entries())
    }

    fn structure(self, schema: &SchemaRef, at: At) -> Result<Value, ConnectError> {
        let at = at
            .filter(|at| self.view.kind(*at) == Kind::Object)
            .ok_or_else(|| {
                self.mismatch("Structs should be encoded as JSON objects, but found", at)
            })?;
        let fields = schema.fields();
        let mut values = Vec::with_capacity(fields.len() + SPARE_FIELDS);
        if self.is_in_order(fields, at) {
            for (field, (_, member)) in fields.iter().zip(self.view.entries(at)) {
                values.push(self.field(field, Some(member))?);
            }
        } else {
            let by_name = (self.view.len(at) > FEW_MEMBERS).then(|| {
                let members = self.view.entries(at);
                members
                    .map(|(name, value)| (self.view.text(name), value))
                    .collect::<HashMap<_, _>>()
            });
            for field in fields {
                let member = match &by_name {
                    Some(by_name) => by_name.get(field.name.as_str()).copied(),
                    None => self.view.get(at, &field.name),
                };
                values.push(self.field(field, member)?);
            }
        }
        Ok(Value::Struct(Box::new(Struct {
            schema: SchemaRef::clone(schema),
            values,
        })))
    }

    /// Whether the members of the object at `at` are exactly `fields`, one after the other: then no name
    /// has to be searched for. It is what a converter writes.
    fn is_in_order(self, fields: &[Field], at: usize) -> bool {
        self.view.len(at) == fields.len()
            && fields
                .iter()
                .zip(self.view.entries(at))
                .all(|(field, (name, _))| self.view.text(name) == field.name)
    }

    /// The value of a field as `Struct.put` lets it pass. What was read by a schema fits it, but that it
    /// may be null, or hold nulls.
    #[inline]
    fn field(self, field: &Field, member: At) -> Result<Value, ConnectError> {
        let value = self.with_schema(&field.schema, member, false)?;
        if matches!(value, Value::Null | Value::Array(_) | Value::Map(_)) {
            field.validate(&value)?;
        }
        Ok(value)
    }

    /// The value of a logical type; `None` when the schema is of none.
    fn logical(self, schema: &Schema, at: At) -> Option<Result<Value, ConnectError>> {
        Some(match schema.name()? {
            logical::DECIMAL => self.decimal_field(schema, at).map(Value::Decimal),
            logical::DATE => self
                .small_integer(at)
                .ok_or_else(|| self.wrong_logical("Date", "integer", at))
                .and_then(|days| logical_type::date_from_days(schema, days))
                .map(Value::Date),
            logical::TIME => self
                .small_integer(at)
                .ok_or_else(|| self.wrong_logical("Time", "integer", at))
                .and_then(|millis| logical_type::time_from_millis(schema, millis))
                .map(Value::Time),
            logical::TIMESTAMP => match self.kind(at) {
                Some(Kind::Integer) => logical_type::timestamp_millis(schema, self.number(at)),
                _ => Err(self.wrong_logical("Timestamp", "integral", at)),
            }
            .map(Value::Timestamp),
            _ => return None,
        })
    }

    fn wrong_logical(self, noun: &str, expected: &str, at: At) -> ConnectError {
        self.mismatch(
            &format!(
                "Invalid type for {noun}, underlying representation should be {expected} but was"
            ),
            at,
        )
    }

    fn decimal_field(self, schema: &Schema, at: At) -> Result<BigDecimal, ConnectError> {
        match (self.kind(at), at) {
            (Some(Kind::Integer | Kind::Fraction), Some(at)) => Ok(self.decimal(at)),
            (Some(Kind::Text), Some(at)) => base64::decode(self.view.text(at))
                .and_then(|bytes| logical_type::decimal_from_bytes(schema, &bytes))
                .map_err(|reason| {
                    ConnectError::data("Invalid bytes for Decimal field").with_source(reason)
                }),
            _ => Err(self.wrong_logical("Decimal", "numeric or bytes", at)),
        }
    }

    fn mismatch(self, text: &str, at: At) -> ConnectError {
        let found = at.map_or("MISSING", |at| self.view.type_name(at));
        ConnectError::data(format!("{text} {found}"))
    }

    fn kind(self, at: At) -> Option<Kind> {
        at.map(|at| self.view.kind(at))
    }

    fn text(self, at: At) -> Option<&'a str> {
        at.filter(|at| self.view.kind(*at) == Kind::Text)
            .map(|at| self.view.text(at))
    }

    /// The low 64 bits of a number's whole part; 0 for anything else.
    fn number(self, at: At) -> i64 {
        at.map_or(0, |at| self.long(at))
    }

    fn long(self, at: usize) -> i64 {
        long(self.view, at)
    }

    /// `intValue` of a number.
    pub(super) fn int(self, at: usize) -> i32 {
        wrap_i32(self.long(at))
    }

    /// An integer of at most 32 bits.
    fn small_integer(self, at: At) -> Option<i32> {
        let at = at.filter(|at| self.view.kind(*at) == Kind::Integer)?;
        let (digits, negative) = self.view.integer(at);
        let number: i64 = digits.parse().ok()?;
        i32::try_from(if negative { -number } else { number }).ok()
    }

    fn double(self, at: usize) -> f64 {
        double(self.view, at)
    }

    fn float(self, at: usize) -> f32 {
        let (text, negative) = match self.view.kind(at) {
            Kind::Integer => self.view.integer(at),
            Kind::Fraction => {
                let text = self.view.fraction(at);
                (
                    text.strip_prefix('-').unwrap_or(text),
                    text.starts_with('-'),
                )
            }
            _ => return 0.0,
        };
        let number = text.parse().unwrap_or(0.0);
        if negative && !is_zero(text) {
            -number
        } else {
            number
        }
    }

    fn decimal(self, at: usize) -> BigDecimal {
        match self.view.kind(at) {
            Kind::Integer => {
                let (digits, negative) = self.view.integer(at);
                BigDecimal::new(integer(digits.as_bytes(), negative), 0)
            }
            _ => {
                let parts = FractionParts::of(self.view.fraction(at));
                let digits = [parts.whole.as_bytes(), parts.fraction.as_bytes()].concat();
                let scale = i64::try_from(parts.fraction.len()).unwrap_or(0) - parts.exponent;
                BigDecimal::new(integer(&digits, parts.negative), scale)
            }
        }
    }
}

/// The low 64 bits of a number's whole part; 0 for anything else.
pub(crate) fn long(view: View<'_>, at: usize) -> i64 {
    match view.kind(at) {
        Kind::Integer => {
            let (digits, negative) = view.integer(at);
            wrap_digits(digits.bytes(), negative)
        }
        Kind::Fraction => wrap_fraction(view.fraction(at)),
        _ => 0,
    }
}

/// A number as a double; 0 for anything else.
pub(crate) fn double(view: View<'_>, at: usize) -> f64 {
    match view.kind(at) {
        Kind::Integer => {
            let (digits, negative) = view.integer(at);
            let number = digits.parse().unwrap_or(0.0);
            if negative && number != 0.0 {
                -number
            } else {
                number
            }
        }
        Kind::Fraction => parse_double(view.fraction(at)),
        _ => 0.0,
    }
}

/// Names and values of an object: each name once, at its first place and with its last value.
pub(super) fn unique_members(view: View<'_>, at: usize) -> Vec<(usize, usize)> {
    let mut members: Vec<(usize, usize)> = Vec::with_capacity(view.len(at));
    if view.len(at) <= FEW_MEMBERS {
        for (name, value) in view.entries(at) {
            let text = view.text(name);
            match members
                .iter_mut()
                .find(|(other, _)| view.text(*other) == text)
            {
                Some(known) => known.1 = value,
                None => members.push((name, value)),
            }
        }
        return members;
    }
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(view.len(at));
    for (name, value) in view.entries(at) {
        let place = *places.entry(view.text(name)).or_insert(members.len());
        match members.get_mut(place) {
            Some(known) => known.1 = value,
            None => members.push((name, value)),
        }
    }
    members
}

/// `BigDecimal.doubleValue` of a number's text: zero has no sign.
pub(super) fn parse_double(text: &str) -> f64 {
    let number: f64 = text.parse().unwrap_or(0.0);
    if number == 0.0 && is_zero(text) {
        0.0
    } else {
        number
    }
}

fn is_zero(text: &str) -> bool {
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    mantissa
        .bytes()
        .all(|byte| matches!(byte, b'0' | b'.' | b'-'))
}

fn integer(digits: &[u8], negative: bool) -> BigInt {
    let magnitude = BigInt::parse_bytes(digits, 10).unwrap_or_default();
    if negative { -magnitude } else { magnitude }
}

/// The parts of a number with fraction or exponent.
struct FractionParts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

impl<'a> FractionParts<'a> {
    fn of(text: &'a str) -> Self {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let negative = mantissa.starts_with('-');
        let mantissa = mantissa.strip_prefix('-').unwrap_or(mantissa);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        Self {
            negative,
            whole,
            fraction,
            exponent: exponent.parse().unwrap_or(0),
        }
    }
}

/// `BigDecimal.longValue`: the whole part modulo 2^64.
fn wrap_fraction(text: &str) -> i64 {
    let parts = FractionParts::of(text);
    let digits = parts.whole.bytes().chain(parts.fraction.bytes());
    let whole_len = i64::try_from(parts.whole.len()).unwrap_or(0);
    let all_len = whole_len + i64::try_from(parts.fraction.len()).unwrap_or(0);
    let wanted = whole_len + parts.exponent;
    if wanted <= 0 {
        return 0;
    }
    // 64 zeros at the end leave nothing of the low 64 bits.
    let zeros = wanted - all_len;
    if zeros >= 64 {
        return 0;
    }
    let zeros = usize::try_from(zeros).unwrap_or(0);
    let wanted = usize::try_from(wanted).unwrap_or(0);
    let padded = digits.chain(std::iter::repeat_n(b'0', zeros)).take(wanted);
    wrap_digits(padded, parts.negative)
}

fn wrap_digits(digits: impl Iterator<Item = u8>, negative: bool) -> i64 {
    let magnitude = digits.fold(0u64, |sum, digit| {
        sum.wrapping_mul(10).wrapping_add(u64::from(digit & 0x0f))
    });
    let signed = if negative {
        magnitude.wrapping_neg()
    } else {
        magnitude
    };
    signed.cast_signed()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing casts wrap"
)]
fn wrap_i32(number: i64) -> i32 {
    number as i32
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing casts wrap"
)]
fn wrap_i16(number: i64) -> i16 {
    number as i16
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing casts wrap"
)]
fn wrap_i8(number: i64) -> i8 {
    number as i8
}
