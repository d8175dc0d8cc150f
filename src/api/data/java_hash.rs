//! The order in which Java's `HashMap` iterates (contract 6.5), for outputs that can be compared with
//! Java's byte by byte.
//!
//! An entry's bucket is `h ^ (h >>> 16)` masked to the table size; iteration goes by bucket and within
//! one by insertion. Tables of more than eight entries in one bucket become trees in Java; that order
//! is not imitated.

use std::collections::HashMap;

use bigdecimal::num_bigint::{BigInt, Sign};

use super::Value;

/// Table size of `new HashMap()` once it holds anything, as for what JsonConverter reads.
pub const DEFAULT_CAPACITY: usize = 16;

/// Table size of `new HashMap(capacity)`.
pub fn capacity_at_least(capacity: usize) -> usize {
    capacity.max(1).next_power_of_two()
}

/// Table size of `new HashMap(map)` for a map of `entries`.
pub fn capacity_for_copy(entries: usize) -> usize {
    if entries == 0 {
        return DEFAULT_CAPACITY;
    }
    // Java computes `s / 0.75F + 1.0F` and truncates.
    capacity_at_least(entries * 4 / 3 + 1)
}

/// Table size after `entries` were put into a table of `capacity` (a power of two): it doubles when
/// the count passes three quarters.
pub fn grown(capacity: usize, entries: usize) -> usize {
    let mut size = capacity;
    while entries > size * 3 / 4 {
        size *= 2;
    }
    size
}

/// Bucket of a key with `hash` in a table of `size`.
#[inline]
pub fn bucket(hash: i32, size: usize) -> usize {
    let hash = hash.cast_unsigned();
    (hash ^ (hash >> 16)) as usize & (size - 1)
}

/// Brings entries, given in the order they were put, into the order in which a `HashMap` with initial
/// table size `capacity` iterates. Keys must be unique.
pub fn sort_entries(entries: &mut [(Value, Value)], capacity: usize) {
    let size = grown(capacity, entries.len());
    entries.sort_by_cached_key(|(key, _)| bucket(hash(key), size));
}

/// Collects the entries of a map: a key put again keeps its place and gets the new value, as in Java.
/// Byte arrays and structs are never equal, since Java compares the former by identity.
#[derive(Debug, Default)]
pub struct UniqueEntries {
    entries: Vec<(Value, Value)>,
    places: HashMap<Vec<u8>, usize>,
}

impl UniqueEntries {
    /// Puts a value under a key.
    pub fn put(&mut self, key: Value, value: Value) {
        let mut identity = Vec::new();
        if identify(&key, &mut identity) {
            let place = *self.places.entry(identity).or_insert(self.entries.len());
            if let Some(known) = self.entries.get_mut(place) {
                known.1 = value;
                return;
            }
        }
        self.entries.push((key, value));
    }

    /// The entries in the order in which their keys were first put.
    pub fn into_entries(self) -> Vec<(Value, Value)> {
        self.entries
    }
}

/// Appends bytes that are the same for keys that are equal in Java; false if the key equals no other.
fn identify(key: &Value, out: &mut Vec<u8>) -> bool {
    let (tag, bits) = match key {
        Value::Null => (0, 0),
        Value::Boolean(flag) => (1, u64::from(*flag)),
        Value::Int8(number) => (2, i64::from(*number).cast_unsigned()),
        Value::Int16(number) => (3, i64::from(*number).cast_unsigned()),
        Value::Int32(number) => (4, i64::from(*number).cast_unsigned()),
        Value::Int64(number) => (5, number.cast_unsigned()),
        Value::Float32(number) if number.is_nan() => (6, u64::MAX),
        Value::Float32(number) => (6, u64::from(number.to_bits())),
        Value::Float64(number) if number.is_nan() => (7, u64::MAX),
        Value::Float64(number) => (7, number.to_bits()),
        Value::String(text) => (8, text.len() as u64),
        Value::Array(items) => (9, items.len() as u64),
        Value::Map(entries) => (10, entries.len() as u64),
        Value::Decimal(number) => (11, number.as_bigint_and_scale().1.cast_unsigned()),
        Value::Date(millis) | Value::Time(millis) | Value::Timestamp(millis) => {
            (12, millis.cast_unsigned())
        }
        Value::Bytes(_) | Value::Struct(_) => return false,
    };
    out.push(tag);
    out.extend(bits.to_be_bytes());
    match key {
        Value::String(text) => out.extend(text.as_bytes()),
        Value::Decimal(number) => out.extend(number.as_bigint_and_scale().0.to_signed_bytes_be()),
        Value::Array(items) => return items.iter().all(|item| identify(item, out)),
        Value::Map(entries) => {
            return entries
                .iter()
                .all(|(key, value)| identify(key, out) && identify(value, out));
        }
        _ => {}
    }
    true
}

/// `hashCode` of a string.
pub fn string_hash(text: &str) -> i32 {
    let (quads, rest) = text.as_bytes().as_chunks::<4>();
    let mut hash = 0u32;
    let mut bits = 0u8;
    for [first, second, third, fourth] in quads {
        bits |= first | second | third | fourth;
        // Four steps at once: a multiplication is short, a chain of them is not.
        hash = hash
            .wrapping_mul(31 * 31 * 31 * 31)
            .wrapping_add(u32::from(*first) * (31 * 31 * 31))
            .wrapping_add(u32::from(*second) * (31 * 31))
            .wrapping_add(u32::from(*third) * 31)
            .wrapping_add(u32::from(*fourth));
    }
    for byte in rest {
        bits |= byte;
        hash = hash.wrapping_mul(31).wrapping_add(u32::from(*byte));
    }
    if !bits.is_ascii() {
        hash = text.encode_utf16().fold(0, |hash: u32, unit| {
            hash.wrapping_mul(31).wrapping_add(u32::from(unit))
        });
    }
    hash.cast_signed()
}

/// `hashCode` of a value. Zero for null (as `HashMap` has it) and for what hashes by identity in Java
/// (byte arrays, structs).
pub fn hash(value: &Value) -> i32 {
    match value {
        Value::Null | Value::Bytes(_) | Value::Struct(_) => 0,
        Value::Boolean(true) => 1231,
        Value::Boolean(false) => 1237,
        Value::Int8(number) => i32::from(*number),
        Value::Int16(number) => i32::from(*number),
        Value::Int32(number) => *number,
        Value::Int64(number)
        | Value::Date(number)
        | Value::Time(number)
        | Value::Timestamp(number) => fold(number.cast_unsigned()),
        Value::Float32(number) => {
            let canonical = if number.is_nan() { f32::NAN } else { *number };
            canonical.to_bits().cast_signed()
        }
        Value::Float64(number) => {
            let canonical = if number.is_nan() { f64::NAN } else { *number };
            fold(canonical.to_bits())
        }
        Value::String(text) => string_hash(text),
        Value::Decimal(number) => {
            let (unscaled, scale) = number.as_bigint_and_scale();
            let scale = low_word(scale.cast_unsigned());
            integer_hash(&unscaled).wrapping_mul(31).wrapping_add(scale)
        }
        Value::Array(items) => items.iter().fold(1, |sum: i32, item| {
            sum.wrapping_mul(31).wrapping_add(hash(item))
        }),
        Value::Map(entries) => entries.iter().fold(0, |sum: i32, (key, value)| {
            sum.wrapping_add(hash(key) ^ hash(value))
        }),
    }
}

/// `BigInteger.hashCode`.
fn integer_hash(number: &BigInt) -> i32 {
    let (sign, words) = number.to_u32_digits();
    let hash = words
        .iter()
        .rev()
        .fold(0u32, |sum, word| sum.wrapping_mul(31).wrapping_add(*word));
    match sign {
        Sign::Minus => hash.wrapping_neg().cast_signed(),
        Sign::NoSign => 0,
        Sign::Plus => hash.cast_signed(),
    }
}

/// High half ^ low half, as `Long.hashCode` does.
fn fold(bits: u64) -> i32 {
    low_word(bits ^ (bits >> 32))
}

fn low_word(bits: u64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "the low half is wanted")]
    let low = bits as u32;
    low.cast_signed()
}
