//! Cases of transforms: chains of one to three steps, with predicates, over a few records.

use std::sync::LazyLock;

use ringmain::api::data::SchemaRef;
use ringmain::api::{
    ConnectError, ConnectRecord, Header, Predicate, RecordOrigin, SchemaAndValue, Transformation,
};
use ringmain::plugins::Plugins;
use serde_json::{Value as Json, json};

use super::generate::Generator;
use super::steps::{self, Plugin, Step};
use super::{Case, encode};

static PLUGINS: LazyLock<Plugins> = LazyLock::new(Plugins::builtin);

/// A record and what kind it is.
struct Sample {
    record: ConnectRecord,
    offset: Option<i64>,
}

/// A random chain and random records.
pub(crate) fn case(generator: &mut Generator) -> Case {
    let length = if generator.one_in(3) { 2 } else { 1 };
    let known = |class: &str| PLUGINS.transformation_plugin(class).is_some();
    let chain: Vec<Step> = (0..length).map(|_| steps::step(generator, known)).collect();
    let count = generator.random.usize(1..4);
    // Records of one case share schemas, so that what was made for one serves the next.
    let shapes = [generator.record_data(), generator.record_data()];
    let samples: Vec<Sample> = (0..count).map(|_| sample(generator, &shapes)).collect();
    let ours = match built(&chain) {
        Err(error) => encode::error(&error),
        Ok(mut built) => samples
            .iter()
            .map(|sample| run(&mut built, sample))
            .collect(),
    };
    let records: Json = samples.iter().map(asked).collect();
    Case {
        question: json!({
            "do": "transform",
            "chain": chain.iter().map(Step::question).collect::<Json>(),
            "records": records,
        }),
        ours,
        records: count,
    }
}

fn sample(generator: &mut Generator, shapes: &[SchemaAndValue; 2]) -> Sample {
    let part = |generator: &mut Generator| {
        if generator.one_in(12) {
            return SchemaAndValue::NULL;
        }
        let shape = &shapes[generator.random.usize(..2)];
        match &shape.schema {
            Some(schema) if !shape.value.is_null() => {
                SchemaAndValue::new(SchemaRef::clone(schema), generator.value(schema))
            }
            _ => generator.record_data(),
        }
    };
    let sink = generator.random.bool();
    let partition = (sink || generator.random.bool()).then(|| generator.random.i32(..8));
    Sample {
        record: ConnectRecord {
            topic: generator
                .pick(&["topic", "orders", "a.b-1", "logs_2024"])
                .into(),
            kafka_partition: partition,
            key: part(generator),
            value: part(generator),
            timestamp: (!generator.one_in(6)).then(|| generator.instant()),
            headers: headers(generator),
        },
        offset: sink.then(|| generator.random.i64(..1000)),
    }
}

fn headers(generator: &mut Generator) -> Vec<Header> {
    let count = generator.random.usize(..4);
    let header = |generator: &mut Generator| {
        let key = generator.name().to_owned();
        let schema = generator.schema(1);
        let value = generator.value_of_part(&schema);
        let value = SchemaAndValue::new(schema, value);
        Header { key, value }
    };
    (0..count).map(|_| header(generator)).collect()
}

fn asked(sample: &Sample) -> Json {
    let record = &sample.record;
    let header = |header: &Header| {
        let data = encode::asked(&header.value);
        json!([header.key, data[0], data[1]])
    };
    json!({
        "topic": &*record.topic,
        "partition": record.kafka_partition,
        "key": encode::asked(&record.key),
        "value": encode::asked(&record.value),
        "timestamp": record.timestamp,
        "offset": sample.offset,
        "headers": record.headers.iter().map(header).collect::<Json>(),
    })
}

fn answered(record: &ConnectRecord) -> Json {
    let header = |header: &Header| {
        let data = encode::answered(&header.value);
        json!([header.key, data[0], data[1]])
    };
    json!({
        "topic": &*record.topic,
        "partition": record.kafka_partition,
        "key": encode::answered(&record.key),
        "value": encode::answered(&record.value),
        "timestamp": record.timestamp,
        "headers": record.headers.iter().map(header).collect::<Json>(),
    })
}

/// A step, made: what changes records, and which ones.
struct Built {
    transformation: Box<dyn Transformation>,
    condition: Option<(Box<dyn Predicate>, bool)>,
}

fn built(chain: &[Step]) -> Result<Vec<Built>, ConnectError> {
    let one = |step: &Step| {
        let Plugin { class, config } = &step.transformation;
        let transformation = PLUGINS.transformation(class, config)?;
        let condition = match &step.predicate {
            None => None,
            Some(Plugin { class, config }) => {
                Some((PLUGINS.predicate(class, config)?, step.negate))
            }
        };
        Ok(Built {
            transformation,
            condition,
        })
    };
    chain.iter().map(one).collect()
}

fn run(chain: &mut [Built], sample: &Sample) -> Json {
    let origin = match sample.offset {
        None => RecordOrigin::Source {
            partition: None,
            offset: None,
        },
        Some(offset) => RecordOrigin::Sink {
            topic: &sample.record.topic,
            partition: sample.record.kafka_partition.unwrap_or(0),
            offset,
            log_append_time: false,
        },
    };
    match through(chain, sample.record.clone(), origin) {
        Ok(Some(record)) => answered(&record),
        Ok(None) => json!("filtered"),
        Err(error) => encode::error(&error),
    }
}

fn through(
    chain: &mut [Built],
    mut record: ConnectRecord,
    origin: RecordOrigin<'_>,
) -> Result<Option<ConnectRecord>, ConnectError> {
    for step in chain {
        if let Some((predicate, negate)) = &mut step.condition
            && predicate.test(&record, origin)? == *negate
        {
            continue;
        }
        match step.transformation.apply(record, origin)? {
            Some(next) => record = next,
            None => return Ok(None),
        }
    }
    Ok(Some(record))
}
