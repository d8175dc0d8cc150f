//! Kafka: `Cast`.

use super::super::maps::{Maps, Name, Odd};
use super::super::plan::Planner;
use super::super::record::TapeRecord;
use super::super::value::{Text, Val};
use crate::api::data::text;
use crate::converters::json::View;

/// What to cast to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::task::tape) enum Target {
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Boolean,
    String,
}

/// Casts members, or the value as a whole.
#[derive(Debug)]
pub(in crate::task::tape) enum Cast {
    /// Members and their types, in the order of Java's map of the specification.
    Fields(Vec<(Name, Target)>),
    /// The value.
    Whole(Target),
}

impl Cast {
    #[inline]
    pub(super) fn apply(&self, record: &mut TapeRecord<'_>) -> Result<(), Odd> {
        let (view, maps) = (record.view, &mut *record.value);
        if maps.is_null(view) {
            return Ok(());
        }
        match self {
            Self::Whole(target) => {
                let value = maps.whole().ok_or(Odd)?;
                let value = cast_value(value, *target, view, maps)?;
                maps.set(value);
            }
            Self::Fields(fields) => {
                let cast = |value, target, maps: &mut Maps| cast_value(value, target, view, maps);
                cast_fields(fields, view, maps, cast)?;
            }
        }
        Ok(())
    }

    /// What it does to all objects of a shape.
    pub(super) fn plan(
        &self,
        planner: &mut Planner,
        maps: &mut Maps,
        view: View<'_>,
    ) -> Result<(), Odd> {
        match self {
            Self::Whole(_) => Err(Odd),
            Self::Fields(fields) => cast_fields(fields, view, maps, |value, target, _| {
                planner.cast(value, target)
            }),
        }
    }
}

#[inline]
fn cast_fields(
    fields: &[(Name, Target)],
    view: View<'_>,
    maps: &mut Maps,
    mut cast: impl FnMut(Val, Target, &mut Maps) -> Result<Val, Odd>,
) -> Result<(), Odd> {
    maps.open(view)?;
    maps.copy();
    for (name, target) in fields {
        maps.change(view, *name, |value, maps| cast(value, *target, maps))?;
    }
    Ok(())
}

/// A value of a type that can be cast; null stays null.
#[derive(Clone, Copy)]
enum Scalar {
    Integer(i64),
    Float32(f32),
    Float64(f64),
    Boolean(bool),
    Text(Text),
}

impl Scalar {
    /// `None` is null.
    fn of(value: Val, view: View<'_>) -> Result<Option<Self>, Odd> {
        Ok(Some(match value.read(view) {
            Val::Null => return Ok(None),
            Val::Boolean(flag) => Self::Boolean(flag),
            Val::Int8(number) => Self::Integer(number.into()),
            Val::Int16(number) => Self::Integer(number.into()),
            Val::Int32(number) => Self::Integer(number.into()),
            Val::Int64(number) => Self::Integer(number),
            Val::Float32(number) => Self::Float32(number),
            Val::Float64(number) => Self::Float64(number),
            Val::Text(text) => Self::Text(text),
            // Not supported, or a date: only the struct road knows its text.
            Val::Node(_) | Val::Date(_) | Val::NoItems | Val::Map(_) => return Err(Odd),
        }))
    }
}

/// The value as one of another type.
#[inline]
pub(in crate::task::tape) fn cast_value(
    value: Val,
    target: Target,
    view: View<'_>,
    maps: &mut Maps,
) -> Result<Val, Odd> {
    let Some(scalar) = Scalar::of(value, view)? else {
        return Ok(Val::Null);
    };
    if let Scalar::Text(text) = scalar {
        return cast_text(text, target, view, maps);
    }
    Ok(match target {
        Target::Int8 => Val::Int8(narrow_i8(int(scalar))),
        Target::Int16 => Val::Int16(narrow_i16(int(scalar))),
        Target::Int32 => Val::Int32(int(scalar)),
        Target::Int64 => Val::Int64(long(scalar)),
        Target::Float32 => Val::Float32(float(scalar)),
        Target::Float64 => Val::Float64(double(scalar)),
        Target::Boolean => Val::Boolean(long(scalar) != 0),
        Target::String => Val::Text(print(scalar, maps)),
    })
}

fn print(scalar: Scalar, maps: &mut Maps) -> Text {
    let start = maps.bytes().len();
    let out = maps.bytes();
    match scalar {
        Scalar::Integer(number) => text::append_integer(number, out),
        Scalar::Float32(number) => text::append_float(number, out),
        Scalar::Float64(number) => text::append_double(number, out),
        Scalar::Boolean(true) => out.extend_from_slice(b"true"),
        Scalar::Boolean(false) => out.extend_from_slice(b"false"),
        Scalar::Text(text) => return text,
    }
    maps.made_since(start)
}

fn cast_text(text: Text, target: Target, view: View<'_>, maps: &Maps) -> Result<Val, Odd> {
    let bytes = maps.text(view, text);
    let whole = |smallest: i64, largest: i64| {
        parse_whole(bytes).filter(|number| (smallest..=largest).contains(number))
    };
    let parsed = match target {
        Target::String => Some(Val::Text(text)),
        Target::Boolean => Some(Val::Boolean(bytes.eq_ignore_ascii_case(b"true"))),
        Target::Int8 => whole(i8::MIN.into(), i8::MAX.into())
            .map(|number| Val::Int8(narrow_i8(low_word(number)))),
        Target::Int16 => whole(i16::MIN.into(), i16::MAX.into())
            .map(|number| Val::Int16(narrow_i16(low_word(number)))),
        Target::Int32 => {
            whole(i32::MIN.into(), i32::MAX.into()).map(|number| Val::Int32(low_word(number)))
        }
        Target::Int64 => parse_whole(bytes).map(Val::Int64),
        Target::Float32 => plain_decimal(bytes)
            .and_then(|number| number.parse().ok())
            .map(Val::Float32),
        Target::Float64 => plain_decimal(bytes)
            .and_then(|number| number.parse().ok())
            .map(Val::Float64),
    };
    parsed.ok_or(Odd)
}

/// A whole number of ASCII digits that fits for sure; digits of other scripts, which Java takes too,
/// are left to the struct road with everything that fails.
fn parse_whole(bytes: &[u8]) -> Option<i64> {
    let digits = bytes.strip_prefix(b"-").or(bytes.strip_prefix(b"+"));
    let digits = digits.unwrap_or(bytes);
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits
        .iter()
        .fold(0i64, |sum, digit| sum * 10 + i64::from(digit & 0x0f));
    Some(if bytes.starts_with(b"-") {
        -number
    } else {
        number
    })
}

/// Digits, perhaps with a sign, a point and an exponent: what Java and Rust read the same way.
fn plain_decimal(bytes: &[u8]) -> Option<&str> {
    let mantissa = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let starts = mantissa.first().is_some_and(u8::is_ascii_digit);
    let ends = bytes.last().is_some_and(u8::is_ascii_digit);
    let known =
        |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'-' | b'+');
    if !starts || !ends || !bytes.iter().all(known) {
        return None;
    }
    std::str::from_utf8(bytes).ok()
}

/// `Number.longValue`, a boolean as 1 or 0.
#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's casts saturate as Rust's do"
)]
fn long(scalar: Scalar) -> i64 {
    match scalar {
        Scalar::Integer(number) => number,
        Scalar::Float32(number) => number as i64,
        Scalar::Float64(number) => number as i64,
        Scalar::Boolean(flag) => i64::from(flag),
        Scalar::Text(_) => 0,
    }
}

/// `Number.intValue`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's casts saturate as Rust's do"
)]
fn int(scalar: Scalar) -> i32 {
    match scalar {
        Scalar::Float32(number) => number as i32,
        Scalar::Float64(number) => number as i32,
        _ => low_word(long(scalar)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as in Java")]
fn float(scalar: Scalar) -> f32 {
    match scalar {
        Scalar::Float32(number) => number,
        #[expect(clippy::cast_possible_truncation, reason = "rounds as in Java")]
        Scalar::Float64(number) => number as f32,
        _ => long(scalar) as f32,
    }
}

#[expect(clippy::cast_precision_loss, reason = "as in Java")]
fn double(scalar: Scalar) -> f64 {
    match scalar {
        Scalar::Float32(number) => number.into(),
        Scalar::Float64(number) => number,
        _ => long(scalar) as f64,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing casts wrap"
)]
fn low_word(number: i64) -> i32 {
    number as i32
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing casts wrap"
)]
fn narrow_i16(number: i32) -> i16 {
    number as i16
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing casts wrap"
)]
fn narrow_i8(number: i32) -> i8 {
    number as i8
}
