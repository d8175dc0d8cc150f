//! Damaged schemas and data of the formats that a registry knows. A format that is added gets its target
//! with [`schemas_and_data`] and samples of its own.

use proptest::prelude::*;

use super::avro::AvroFormat;
use super::format::{Format, RegistrySchema};
use super::json_schema::JsonSchemaFormat;
use super::{settings, wire};
use crate::api::ConfigMap;
use crate::api::data::text;
use crate::fuzz::{Outcome, bounded, mutated, mutated_text, samples, search, within};

const AVRO: &[&str] = &[
    concat!(
        r#"{"type":"record","name":"R","namespace":"n","fields":["#,
        r#"{"name":"a","type":{"type":"array","items":["null","long",{"type":"map","values":"bytes"}]}},"#,
        r#"{"name":"e","type":{"type":"enum","name":"E","symbols":["X","Y"]},"default":"X"},"#,
        r#"{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},"#,
        r#"{"name":"r","type":["null",{"type":"record","name":"In","fields":[{"name":"s","type":"string","default":"x"}]}]}]}"#,
    ),
    concat!(
        r#"{"type":"record","name":"S","connect.version":3,"connect.name":"x.S","fields":["#,
        r#"{"name":"i","type":{"type":"int","connect.type":"int8","connect.default":3},"default":3},"#,
        r#"{"name":"f","type":{"type":"fixed","name":"F","size":3}},"#,
        r#"{"name":"t","type":{"type":"int","logicalType":"time-millis"}},"#,
        r#"{"name":"b","type":"boolean"},{"name":"g","type":"float"},{"name":"h","type":"double"}]}"#,
    ),
    r#"{"type":"array","items":{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[{"name":"key","type":"int"},{"name":"value","type":"string"}]}}"#,
    r#""long""#,
];

/// Data of the schemas above, in their order.
const AVRO_DATA: &[&[u8]] = &[
    &[
        4, 2, 10, 4, 2, 2, b'k', 4, 1, 2, 0, 0, 2, 4, 1, 2, 2, 4, b'h', b'i',
    ],
    &[
        6, 1, 2, 3, 20, 1, 0, 0, 0x80, 0x3f, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f,
    ],
    &[2, 2, 2, b'a', 0],
    &[0x80, 1],
];

const JSON_SCHEMAS: &[&str] = &[
    r##"{"title":"P","type":"object","required":["name"],"properties":{"name":{"type":"string","connect.index":0},"kind":{"enum":["a",null]},"level":{"type":"integer","connect.type":"int8","default":7},"any":{"oneOf":[{"type":"integer"},{"$ref":"#/definitions/Point"}]},"maybe":{"type":["number","null"]},"all":{"allOf":[{"$ref":"#/definitions/Point"},{"properties":{"z":{"type":"boolean"}}}]}},"definitions":{"Point":{"type":"object","properties":{"x":{"type":"number"}}}}}"##,
    r#"{"type":"array","items":{"type":"object","connect.type":"map","additionalProperties":{"type":"number","title":"org.apache.kafka.connect.data.Decimal","connect.type":"bytes","connect.version":1,"connect.parameters":{"scale":"2"}}}}"#,
    r#"{"type":"integer","title":"org.apache.kafka.connect.data.Timestamp","connect.type":"int64","connect.version":1}"#,
];

const JSON_DATA: &[&str] = &[
    r#"{"name":"n","kind":"a","any":{"x":1.5},"maybe":null,"all":{"x":2,"z":true},"more":1}"#,
    r#"[{"a":1.25},{"b":"MDk="}]"#,
    "1700000000123",
];

fn format<F: Format>() -> F {
    let mut config = ConfigMap::new();
    config.insert(
        "schema.registry.url".to_owned(),
        Some("http://x".to_owned()),
    );
    let def = settings::config_def(F::keys());
    F::new(&settings::parse(&def, &config, false).unwrap()).unwrap()
}

/// Reads data with a schema, each of which may be damaged; what was read fits, prints and is written again.
fn schemas_and_data<F: Format>(schema: &str, data: &[u8]) -> Outcome {
    let format = format::<F>();
    let registered = RegistrySchema::of_text(schema.to_owned());
    // A schema is compiled once, off the shard: a type costs more than a byte of a record.
    let limit = (4 << 20) + 4096 * schema.len() as u64;
    let reader = match within(limit, || format.reader(&registered, 1))? {
        Ok(reader) => reader,
        Err(error) => {
            prop_assert!(!error.message().is_empty());
            return Ok(());
        }
    };
    drop(within(limit, || format.record_name(&registered))?);
    drop(within(limit, || {
        format.check_reads(&registered, &registered)
    })?);
    let mut printed = Vec::new();
    let by_text = bounded(schema.len() + data.len(), || {
        format.print(&reader, data, &mut printed)
    })?;
    let read = match bounded(schema.len() + data.len(), || format.read(&reader, data))? {
        Ok(read) => read,
        Err(error) => {
            prop_assert!(!error.message().is_empty());
            let by_text = by_text.map_err(|error| error.to_string());
            prop_assert_eq!(by_text, Err(error.to_string()));
            return Ok(());
        }
    };
    let mut out = Vec::new();
    text::append(&read.value, &mut out);
    prop_assert!(by_text.is_ok(), "{by_text:?}");
    prop_assert_eq!(&printed, &out);
    // Confluent's JsonSchemaData lets a required field be missing.
    if let Some(connect) = read.schema.as_ref().filter(|_| F::NOUN == "Avro") {
        let fits = connect.validate(&read.value);
        prop_assert!(fits.is_ok(), "{fits:?}");
    }
    if let Ok(composed) = within(limit, || format.compose(read.schema.as_ref()))?
        && let Ok(writer) = format.writer(read.schema.as_ref(), &composed)
    {
        out.clear();
        drop(format.write(&writer, read.schema.as_ref(), &read.value, &mut out));
    }
    Ok(())
}

#[test]
fn damaged_avro_data_is_a_value_or_an_error() {
    for (schema, data) in AVRO.iter().zip(AVRO_DATA) {
        let format = format::<AvroFormat>();
        let reader = format.reader(&RegistrySchema::of_text((*schema).to_owned()), 1);
        format.read(&reader.unwrap(), data).unwrap();
    }
    let data = || {
        let data: Vec<_> = AVRO_DATA.iter().map(|data| data.to_vec()).collect();
        (prop::sample::select(AVRO), mutated(data)).boxed()
    };
    search(1000, data, |(schema, data)| {
        schemas_and_data::<AvroFormat>(schema, &data)
    });
}

#[test]
fn a_damaged_avro_schema_is_a_schema_or_an_error() {
    let both = || {
        let data = prop::sample::select(AVRO_DATA);
        (mutated_text(AVRO), data).boxed()
    };
    search(600, both, |(schema, data)| {
        schemas_and_data::<AvroFormat>(&schema, data)
    });
}

#[test]
fn damaged_data_of_a_json_schema_is_a_value_or_an_error() {
    let data = || {
        (
            prop::sample::select(JSON_SCHEMAS),
            mutated(samples(JSON_DATA)),
        )
            .boxed()
    };
    search(800, data, |(schema, data)| {
        schemas_and_data::<JsonSchemaFormat>(schema, &data)
    });
}

#[test]
fn a_damaged_json_schema_is_a_schema_or_an_error() {
    let both = || (mutated_text(JSON_SCHEMAS), prop::sample::select(JSON_DATA)).boxed();
    search(600, both, |(schema, data)| {
        schemas_and_data::<JsonSchemaFormat>(&schema, data.as_bytes())
    });
}

#[test]
fn a_damaged_head_is_an_id_or_named() {
    let heads = || mutated(vec![b"\0\0\0\0\x07data".to_vec()]);
    search(300, heads, |bytes| {
        match bounded(bytes.len(), || wire::split(&bytes).map(|(id, _)| id))? {
            Ok(_) => prop_assert_eq!(bytes[0], 0),
            Err(error) => prop_assert!(error.message().starts_with("Unknown magic byte!")),
        }
        Ok(())
    });
}
