//! Values for both sides, and forms in which they are compared.

use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::BigInt;
use ringmain::api::Value;
use serde_json::{Map, Value as Json, json};

use crate::differential::encode;
use crate::differential::generate::Generator;

/// Floats that are easy to get wrong.
const FLOATS: [f64; 10] = [
    0.0,
    -0.0,
    0.1,
    -1.5,
    1e7,
    1e22,
    4.9e-324,
    f64::MIN_POSITIVE,
    f64::MAX,
    f64::MIN,
];

/// What Java writes, and what that is in Connect, by the names of fields.
#[derive(Debug, Default)]
pub(super) struct Both {
    pub(super) json: Map<String, Json>,
    pub(super) connect: Map<String, Json>,
}

impl Both {
    pub(super) fn put(&mut self, name: &str, (json, connect): (Json, Json)) {
        self.json.insert(name.to_owned(), json);
        self.connect.insert(name.to_owned(), connect);
    }

    /// A field that is left out now and then, and is `absent` in Connect then.
    pub(super) fn put_some(
        &mut self,
        name: &str,
        generator: &mut Generator,
        both: (Json, Json),
        absent: Json,
    ) {
        if generator.one_in(5) {
            self.connect.insert(name.to_owned(), absent);
        } else {
            self.put(name, both);
        }
    }

    pub(super) fn into_pair(self) -> (Json, Json) {
        (self.json.into(), self.connect.into())
    }
}

/// A value with its types. Structs have their fields by name; a map's entries are in no order.
pub(super) fn exact(value: &Value) -> Json {
    match value {
        Value::Struct(inner) => {
            let fields = inner.schema.fields().iter().zip(&inner.values);
            let field = |(field, value): (&ringmain::api::data::Field, &Value)| {
                (field.name.clone(), exact(value))
            };
            Json::Object(fields.map(field).collect())
        }
        Value::Array(items) => items.iter().map(exact).collect(),
        Value::Map(entries) => map(entries
            .iter()
            .map(|(key, value)| (exact(key), exact(value)))),
        other => encode::value(other, None, false),
    }
}

/// The form of a map that [`exact`] gives.
pub(super) fn map(entries: impl Iterator<Item = (Json, Json)>) -> Json {
    let mut entries: Vec<(Json, Json)> = entries.collect();
    entries.sort_by_key(|(key, _)| key.to_string());
    json!({ "map": entries })
}

/// Any float that is a number.
pub(super) fn finite(generator: &mut Generator) -> f64 {
    if generator.one_in(2) {
        return generator.pick(&FLOATS);
    }
    loop {
        let float = f64::from_bits(generator.random.u64(..));
        if float.is_finite() {
            return float;
        }
    }
}

/// Bytes of a few lengths.
pub(super) fn bytes(generator: &mut Generator) -> Vec<u8> {
    let length = generator.random.usize(..9);
    (0..length).map(|_| generator.random.u8(..)).collect()
}

/// A decimal of up to 38 digits.
pub(super) fn decimal(generator: &mut Generator, scale: i64) -> (BigInt, BigDecimal) {
    let mut unscaled = BigInt::from(generator.long());
    if generator.one_in(4) {
        unscaled *= BigInt::from(generator.long());
    }
    (unscaled.clone(), BigDecimal::new(unscaled, scale))
}
