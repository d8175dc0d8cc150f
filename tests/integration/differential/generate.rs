//! Random schemas and values of every type.

use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::BigInt;
use ringmain::api::data::{SchemaRef, java_hash, logical_type};
use ringmain::api::{Schema, SchemaAndValue, SchemaBuilder, SchemaType, Struct, Value};

/// Names of fields and map keys. Few, so that configurations hit them.
pub(crate) const NAMES: [&str; 12] = [
    "a",
    "b",
    "id",
    "name",
    "ts",
    "amount",
    "x.y",
    "with space",
    "日本",
    "Aa",
    "BB",
    "after",
];

const TEXTS: [&str; 34] = [
    "",
    "abc",
    "true",
    "TRUE",
    "false",
    "12",
    "-7",
    "+5",
    "300",
    "70000",
    "1.5",
    " 1.5f ",
    "1e3",
    "-0",
    "NaN",
    "Infinity",
    "0x1p3",
    "9223372036854775808",
    "2024-01-31",
    "2024-01-31T12:34:56.789Z",
    "12:34:56.789Z",
    "2024-01-31 12:34:56",
    "20240131",
    "\"quoted\"",
    "back\\slash",
    "😀",
    "é\u{2028}",
    "[1,2]",
    "{\"a\":1}",
    "null",
    "line\nbreak\t\u{1}",
    "٣٤",
    "1,2",
    " 7 ",
];

/// Floats whose texts are the same on all Javas.
const FLOATS: [f32; 16] = [
    0.0,
    -0.0,
    0.5,
    1.0,
    -1.5,
    2.75,
    100.0,
    1e7,
    1.5e9,
    0.001,
    -0.25,
    65536.0,
    3e9,
    f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
];

const LONGS: [i64; 18] = [
    0,
    1,
    -1,
    5,
    42,
    127,
    128,
    -129,
    300,
    32_768,
    70_000,
    2_147_483_647,
    -2_147_483_649,
    1_700_000_000_000,
    86_400_000,
    -62_135_596_800_000,
    i64::MAX,
    i64::MIN,
];

/// Where random things come from.
#[derive(Debug)]
pub(crate) struct Generator {
    pub(crate) random: fastrand::Rng,
    /// Whether values may hold byte arrays in other values, whose text is an identity in Java.
    pub(crate) nested_bytes: bool,
    /// Whether there is NaN and infinity, which JSON has no number for.
    pub(crate) infinite: bool,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            nested_bytes: true,
            infinite: true,
        }
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: u32) -> bool {
        self.random.u32(..n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.random.usize(..choices.len())]
    }

    pub(crate) fn name(&mut self) -> &'static str {
        self.pick(&NAMES)
    }

    /// Several different names.
    pub(crate) fn names(&mut self, most: usize) -> Vec<&'static str> {
        let count = self.random.usize(1..=most);
        let mut names = NAMES.to_vec();
        self.random.shuffle(&mut names);
        names.truncate(count);
        names
    }

    pub(crate) fn text(&mut self) -> String {
        if self.one_in(4) {
            let length = self.random.usize(..12);
            return (0..length)
                .map(|_| self.random.char('\u{1}'..='\u{17f}'))
                .collect();
        }
        self.pick(&TEXTS).to_owned()
    }

    /// A value with a schema that it mostly fits, or without one.
    pub(crate) fn data(&mut self) -> SchemaAndValue {
        if self.one_in(20) {
            return SchemaAndValue::NULL;
        }
        if self.one_in(3) {
            return SchemaAndValue::schemaless(self.schemaless(3));
        }
        let schema = self.schema(3);
        let value = if self.one_in(20) {
            self.schemaless(2)
        } else {
            self.value(&schema)
        };
        SchemaAndValue::new(schema, value)
    }

    /// A struct or a schemaless map: what most transforms want.
    pub(crate) fn record_data(&mut self) -> SchemaAndValue {
        if self.one_in(8) {
            return self.data();
        }
        if self.one_in(3) {
            return SchemaAndValue::schemaless(self.map(2));
        }
        let schema = self.structure(2);
        let value = self.value(&schema);
        SchemaAndValue::new(schema, value)
    }

    pub(crate) fn schema(&mut self, depth: u32) -> SchemaRef {
        let compound = depth > 0 && self.one_in(2);
        if compound && self.one_in(2) {
            return self.structure(depth - 1);
        }
        let builder = match compound {
            true if self.one_in(2) => SchemaBuilder::array(self.schema(depth - 1)),
            true => SchemaBuilder::map(self.key_schema(depth - 1), self.schema(depth - 1)),
            false => self.simple(),
        };
        self.finish(builder)
    }

    /// Mostly text; keys that have no default and are not null.
    fn key_schema(&mut self, depth: u32) -> SchemaRef {
        if self.one_in(2) {
            return Schema::required(SchemaType::String);
        }
        let builder = match self.one_in(6) && depth > 0 {
            true => SchemaBuilder::array(Schema::required(SchemaType::Int32)),
            false => self.simple(),
        };
        // Java finds byte arrays by identity.
        if builder.peek().kind() == SchemaType::Bytes && builder.peek().name().is_none() {
            return Schema::required(SchemaType::String);
        }
        builder.build()
    }

    fn simple(&mut self) -> SchemaBuilder {
        match self.random.u32(..14) {
            0 => logical_type::decimal_schema(self.random.i32(-2..6)),
            1 => logical_type::date_schema(),
            2 => logical_type::time_schema(),
            3 => logical_type::timestamp_schema(),
            4 if !self.nested_bytes => SchemaBuilder::new(SchemaType::String),
            4 => SchemaBuilder::new(SchemaType::Bytes),
            _ => SchemaBuilder::new(self.pick(&[
                SchemaType::Int8,
                SchemaType::Int16,
                SchemaType::Int32,
                SchemaType::Int64,
                SchemaType::Float32,
                SchemaType::Float64,
                SchemaType::Boolean,
                SchemaType::String,
                SchemaType::String,
            ])),
        }
    }

    pub(crate) fn structure(&mut self, depth: u32) -> SchemaRef {
        let mut builder = SchemaBuilder::structure();
        for name in self.names(6) {
            builder = builder.field(name, self.schema(depth)).unwrap();
        }
        self.finish(builder)
    }

    /// Optionality, a default, and what documents a schema.
    fn finish(&mut self, mut builder: SchemaBuilder) -> SchemaRef {
        if self.one_in(3) {
            builder = builder.optional();
        }
        let logical = builder.peek().name().is_some();
        if !logical && self.one_in(6) {
            builder = builder.name("org.example.Name");
        }
        if !logical && self.one_in(8) {
            builder = builder.version(self.random.i32(1..4));
        }
        if self.one_in(8) {
            builder = builder.doc("a doc");
        }
        if self.one_in(10) {
            builder = builder.parameter("p", "1").parameter("q", "2");
        }
        if self.one_in(5) && builder.peek().kind() != SchemaType::Struct {
            let default = self.value(&builder.clone().required().build());
            builder = builder.default_value(default).unwrap();
        }
        builder.build()
    }

    /// A value that fits, null now and then where it may be, or where a default takes its place.
    pub(crate) fn value(&mut self, schema: &SchemaRef) -> Value {
        let may_be_null = schema.is_optional() || (schema.default().is_some() && self.one_in(2));
        if may_be_null && self.one_in(4) {
            return Value::Null;
        }
        self.present(schema)
    }

    fn present(&mut self, schema: &SchemaRef) -> Value {
        if schema
            .name()
            .is_some_and(|name| name.starts_with("org.apache"))
        {
            return self.logical(schema);
        }
        match schema.kind() {
            SchemaType::Array => {
                let items = self.some(4, |own| own.value_of_part(schema.value_schema().unwrap()));
                Value::Array(items)
            }
            SchemaType::Map => {
                let entries = self.some(6, |own| {
                    let key = own.present(schema.key_schema().unwrap());
                    (key, own.value_of_part(schema.value_schema().unwrap()))
                });
                hash_map(entries)
            }
            SchemaType::Struct => {
                let mut inner = Struct::new(SchemaRef::clone(schema)).unwrap();
                for (index, field) in schema.fields().iter().enumerate() {
                    let value = self.value(&field.schema);
                    if !value.is_null() {
                        inner.put_at(index, value).unwrap();
                    }
                }
                Value::Struct(Box::new(inner))
            }
            kind => self.primitive(kind),
        }
    }

    /// Elements are null only where their schema is optional.
    pub(crate) fn value_of_part(&mut self, schema: &SchemaRef) -> Value {
        if schema.is_optional() && self.one_in(4) {
            return Value::Null;
        }
        self.present(schema)
    }

    #[expect(clippy::cast_possible_truncation, reason = "any number will do")]
    fn primitive(&mut self, kind: SchemaType) -> Value {
        let long = self.long();
        match kind {
            SchemaType::Int8 => Value::Int8(long as i8),
            SchemaType::Int16 => Value::Int16(long as i16),
            SchemaType::Int32 => Value::Int32(long as i32),
            SchemaType::Int64 => Value::Int64(long),
            SchemaType::Float32 => Value::Float32(self.float()),
            SchemaType::Float64 => Value::Float64(f64::from(self.float())),
            SchemaType::Boolean => Value::Boolean(self.random.bool()),
            SchemaType::Bytes => self.bytes(),
            _ => Value::String(self.text()),
        }
    }

    fn float(&mut self) -> f32 {
        loop {
            let float = self.pick(&FLOATS);
            if self.infinite || float.is_finite() {
                return float;
            }
        }
    }

    pub(crate) fn long(&mut self) -> i64 {
        match self.random.u32(..4) {
            0 => self.random.i64(..),
            1 => self.random.i64(-1000..1000),
            _ => self.pick(&LONGS),
        }
    }

    fn bytes(&mut self) -> Value {
        let length = self.random.usize(..9);
        let bytes: Vec<u8> = (0..length).map(|_| self.random.u8(..)).collect();
        Value::Bytes(bytes.into())
    }

    fn logical(&mut self, schema: &SchemaRef) -> Value {
        match schema.name().and_then(|name| name.rsplit('.').next()) {
            Some("Decimal") => {
                let scale = schema
                    .parameters()
                    .and_then(|all| all.get("scale"))
                    .unwrap();
                Value::Decimal(self.decimal(scale.parse().unwrap()))
            }
            Some("Date") => Value::Date(self.random.i64(-1_000_000..100_000) * 86_400_000),
            Some("Time") => Value::Time(self.random.i64(0..86_400_000)),
            _ => Value::Timestamp(self.instant()),
        }
    }

    pub(crate) fn instant(&mut self) -> i64 {
        match self.random.u32(..4) {
            0 => self.random.i64(-100_000_000_000_000..100_000_000_000_000),
            1 => self.pick(&LONGS[..16]),
            _ => self.random.i64(..2_000_000_000_000),
        }
    }

    fn decimal(&mut self, scale: i64) -> BigDecimal {
        let mut unscaled = BigInt::from(self.long());
        if self.one_in(8) {
            unscaled *= BigInt::from(self.long());
        }
        BigDecimal::new(unscaled, scale)
    }

    /// Any value without a schema.
    pub(crate) fn schemaless(&mut self, depth: u32) -> Value {
        if depth > 0 && self.one_in(3) {
            return match self.random.u32(..5) {
                0 | 1 => Value::Array(self.some(4, |own| own.schemaless(depth - 1))),
                2 => {
                    let schema = self.structure(depth - 1);
                    self.present(&schema)
                }
                _ => self.map(depth - 1),
            };
        }
        match self.random.u32(..14) {
            0 => Value::Null,
            1 => Value::Date(self.instant()),
            2 => {
                let scale = self.random.i64(-3..8);
                Value::Decimal(self.decimal(scale))
            }
            3 if self.nested_bytes => self.bytes(),
            _ => {
                let kind = self.pick(&[
                    SchemaType::Int8,
                    SchemaType::Int16,
                    SchemaType::Int32,
                    SchemaType::Int64,
                    SchemaType::Int64,
                    SchemaType::Float32,
                    SchemaType::Float64,
                    SchemaType::Boolean,
                    SchemaType::String,
                    SchemaType::String,
                ]);
                self.primitive(kind)
            }
        }
    }

    /// A schemaless map, of text to anything most of the time.
    pub(crate) fn map(&mut self, depth: u32) -> Value {
        let entries = self.some(8, |own| {
            let key = if own.one_in(30) {
                own.primitive(SchemaType::Int32)
            } else if own.one_in(4) {
                Value::String(own.text())
            } else {
                Value::String(own.name().to_owned())
            };
            (key, own.schemaless(depth))
        });
        hash_map(entries)
    }

    fn some<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.random.usize(..=most);
        (0..count).map(|_| make(self)).collect()
    }
}

/// As a `HashMap` into which these are put.
fn hash_map(entries: Vec<(Value, Value)>) -> Value {
    let mut unique = java_hash::UniqueEntries::default();
    for (key, value) in entries {
        unique.put(key, value);
    }
    let mut entries = unique.into_entries();
    java_hash::sort_entries(&mut entries, java_hash::DEFAULT_CAPACITY);
    Value::Map(entries)
}
