//! The tape road beside the struct road: the same text, topic and time for each record, the same records
//! dropped, the same errors.

use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt;
use proptest::prelude::*;
use proptest::sample::select;

use super::compile::{Entry, Plugin, compile};
use crate::api::{ConfigMap, SinkForm, SliceColumn, TopicPartition};
use crate::clients::FetchedRecords;
use crate::converters::{JsonConverter, SimpleHeaderConverter, StringConverter};
use crate::fuzz::{Blob, cases};
use crate::metrics::TaskMetrics;
use crate::record::{
    BatchBuilder, Batches, CompressionConfig, DecodeOptions, ProducerFields, RecordHeader, decode,
};
use crate::task::control::{Wish, control};
use crate::task::conversion::{Converters, SinkConversion};
use crate::task::errors::{ErrorHandler, ErrorPolicy, Tolerance};
use crate::task::plan::Transforms;
use crate::task::transformation_chain::{Condition, TransformationChain, TransformationStep};
use crate::transforms::{PREDICATES, TRANSFORMS};

/// Class without package, and configuration.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    class: String,
    config: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone)]
pub(super) struct StepSpec {
    pub(super) transformation: Spec,
    pub(super) condition: Option<(Spec, bool)>,
}

#[derive(Debug, Clone)]
pub(super) struct Input {
    pub(super) value: Option<Blob>,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    pub(super) timestamp: i64,
}

pub(super) fn spec(class: &str, config: &[(&'static str, &str)]) -> Spec {
    let owned = |(key, value): &(&'static str, &str)| (*key, (*value).to_owned());
    Spec {
        class: class.to_owned(),
        config: config.iter().map(owned).collect(),
    }
}

impl Spec {
    fn class(&self) -> String {
        format!("org.apache.kafka.connect.transforms.{}", self.class)
    }

    fn config(&self) -> ConfigMap {
        let entry =
            |(key, value): &(&'static str, String)| ((*key).to_owned(), Some(value.clone()));
        self.config.iter().map(entry).collect()
    }
}

fn steps(specs: &[StepSpec]) -> Vec<TransformationStep> {
    let step = |spec: &StepSpec| {
        let class = spec.transformation.class();
        let known = TRANSFORMS.iter().find(|known| known.class == class);
        let known = known.unwrap_or_else(|| panic!("no {class}"));
        TransformationStep {
            alias: "a".to_owned(),
            transformation: (known.new)(&spec.transformation.config()).unwrap(),
            condition: spec
                .condition
                .as_ref()
                .map(|(predicate, negate)| Condition {
                    predicate: {
                        let class = predicate.class();
                        let known = PREDICATES.iter().find(|known| known.class == class);
                        (known.unwrap().new)(&predicate.config()).unwrap()
                    },
                    negate: *negate,
                }),
        }
    };
    specs.iter().map(step).collect()
}

fn tape(specs: &[StepSpec]) -> Option<super::Tape> {
    let owned: Vec<_> = specs
        .iter()
        .map(|spec| {
            let of = |spec: &Spec| (spec.class(), spec.config());
            let condition = spec.condition.as_ref();
            (
                of(&spec.transformation),
                condition.map(|(predicate, negate)| (of(predicate), *negate)),
            )
        })
        .collect();
    let entries: Vec<_> = owned
        .iter()
        .map(|((class, config), condition)| Entry {
            transformation: Plugin { class, config },
            condition: condition
                .as_ref()
                .map(|((class, config), negate)| (Plugin { class, config }, *negate)),
        })
        .collect();
    compile(&entries)
}

/// What came out: offset, time, topic and text of each record, how many were dropped and failed.
#[derive(Debug, PartialEq)]
pub(super) struct Output {
    records: Vec<(i64, i64, String, String)>,
    pub(super) filtered: u64,
    pub(super) skipped: u64,
    failures: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Values {
    Json,
    Enveloped,
    String,
}

fn converters(values: Values) -> Converters {
    let none = ConfigMap::new();
    let json = |schemas: &str| {
        let mut config = ConfigMap::new();
        config.insert("schemas.enable".to_owned(), Some(schemas.to_owned()));
        Box::new(JsonConverter::new(&config, false).unwrap())
    };
    Converters {
        key: Box::new(StringConverter::new(&none, true).unwrap()),
        value: match values {
            Values::Json => json("false"),
            Values::Enveloped => json("true"),
            Values::String => Box::new(StringConverter::new(&none, false).unwrap()),
        },
        header: Box::new(SimpleHeaderConverter::new(&none).unwrap()),
    }
}

pub(super) fn fetch(inputs: &[Input]) -> FetchedRecords {
    let mut builder = BatchBuilder::new(Vec::new(), CompressionConfig::NONE);
    for input in inputs {
        let headers: Vec<_> = input
            .headers
            .iter()
            .map(|(key, value)| RecordHeader {
                key: key.as_bytes(),
                value: Some(value.as_bytes()),
            })
            .collect();
        let value = input.value.as_deref();
        builder.append(input.timestamp, Some(b"k"), value, &headers);
    }
    builder.finish(&ProducerFields::NONE, 0).unwrap();
    let bytes = builder.into_bytes();
    let mut records = Vec::new();
    for batch in Batches::new(&bytes) {
        let options = DecodeOptions::default();
        decode(&batch.unwrap(), &options, &mut Vec::new(), &mut records).unwrap();
    }
    FetchedRecords {
        source: TopicPartition::new("topic-1", 3),
        buffer: bytes.into(),
        next_offset: inputs.len() as i64,
        log_append_time: false,
        records,
    }
}

fn convert(conversion: &mut SinkConversion, fetched: FetchedRecords) -> Output {
    let policy = ErrorPolicy {
        tolerance: Tolerance::All,
        ..ErrorPolicy::default()
    };
    let mut errors = ErrorHandler::new("c-0".to_owned(), policy);
    let metrics = Arc::new(TaskMetrics::new());
    let (_handle, control) = control(Wish::Run);
    errors.attach(&metrics, &control);
    let done = conversion.convert(fetched, &mut errors, &metrics);
    let batch = done.now_or_never().unwrap().unwrap();
    let SliceColumn::Slices { buffer, spans, .. } = &batch.values else {
        panic!("a text sink gets slices");
    };
    let topic = |index: usize| match &batch.routed {
        Some(routed) => {
            assert_eq!(routed[index].1, Some(3));
            routed[index].0.to_string()
        }
        None => batch.source.topic.to_string(),
    };
    let text = |index: usize| {
        let bytes = spans[index].of(buffer).unwrap_or(b"null");
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    let record = |index| {
        (
            batch.offsets[index],
            batch.timestamps[index],
            topic(index),
            text(index),
        )
    };
    let read = metrics.read();
    Output {
        records: (0..batch.len()).map(record).collect(),
        filtered: read.filtered,
        skipped: read.skipped,
        failures: read.failures,
    }
}

/// Converts on both roads, twice, since buffers and answers are kept.
pub(super) fn both(values: Values, specs: &[StepSpec], inputs: &[Input]) -> (Output, Output) {
    both_of(values, specs, || fetch(inputs))
}

/// The same of records as `fetched` gives them.
pub(super) fn both_of(
    values: Values,
    specs: &[StepSpec],
    fetched: impl Fn() -> FetchedRecords,
) -> (Output, Output) {
    let tape = tape(specs).expect("a chain that a tape can do");
    let chain = TransformationChain::new(steps(specs)).with_tape(Some(tape));
    let mut by_tape = SinkConversion::new(converters(values), chain, SinkForm::Text);
    assert_ne!(by_tape.plan().transforms, Transforms::Struct);
    let chain = TransformationChain::new(steps(specs));
    let mut by_struct = SinkConversion::new(converters(values), chain, SinkForm::Text);
    assert_eq!(by_struct.plan().transforms, Transforms::Struct);
    convert(&mut by_tape, fetched());
    (
        convert(&mut by_tape, fetched()),
        convert(&mut by_struct, fetched()),
    )
}

/// Names of which some share a bucket of small tables, some are beyond ASCII, one is empty.
const NAMES: &[&str] = &[
    "a", "b", "c", "q", "id", "ts", "level", "host", "user_id", "a.b", "Aa", "BB", "ключ", "😀",
    "x", "",
];

fn name() -> impl Strategy<Value = &'static str> {
    select(NAMES)
}

/// Names that can stand in a list of a configuration.
fn listed() -> impl Strategy<Value = &'static str> {
    select(&NAMES[..NAMES.len() - 1])
}

fn scalar() -> impl Strategy<Value = String> {
    let numbers = [
        "0",
        "1",
        "-7",
        "300",
        "007",
        "-0",
        "123456789012",
        "9223372036854775808",
        "-12345678901234567890123",
        "1.5",
        "2.50",
        "-0.0",
        "1e3",
        "1E400",
        "0.0001",
        "123456789.25",
        "1700000000123",
        "3.4e38",
        "99999.99",
    ];
    let texts = [
        r#""""#,
        r#""x""#,
        r#""12""#,
        r#""-3""#,
        r#""+4""#,
        r#""1.5""#,
        r#""1e3""#,
        r#""true""#,
        r#""TRUE""#,
        r#"" 7""#,
        r#""1f""#,
        r#""a\"b\\c\u0041\n""#,
        r#""ключ 😀""#,
        r#""129""#,
        r#""99999999999""#,
        r#""2024-01-02""#,
        r#""NaN""#,
        r#""\ud83d""#,
    ];
    prop_oneof![
        3 => select(numbers.map(str::to_owned).to_vec()),
        3 => select(texts.map(str::to_owned).to_vec()),
        1 => select(["true", "false", "null"].map(str::to_owned).to_vec()),
        1 => "[a-z ]{0,40}".prop_map(|text| format!("\"{text}\"")),
    ]
}

fn object(value: impl Strategy<Value = String>, most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec((name(), value), 0..most).prop_map(|members| {
        let members: Vec<_> = members
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    })
}

/// Texts that are no object, or none that is plain.
pub(super) const ODD: &[&str] = &[
    "",
    " ",
    "{",
    "{\"a\":1}x",
    "[1,2]",
    "null",
    "{\"a\" 1}",
    "\u{feff}{\"a\":1}",
    "{\"a\":\u{1}}",
];

fn json() -> impl Strategy<Value = String> {
    let nested = scalar().prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            3 => object(inner.clone(), 5),
            1 => prop::collection::vec(inner, 0..4)
                .prop_map(|items| format!("[{}]", items.join(", "))),
        ]
    });
    let many = (0..60usize).prop_map(|count| {
        let member = |index: usize| format!("\"n{}\":{index}", index * 7 % 50);
        format!(
            "{{{}}}",
            (0..count).map(member).collect::<Vec<_>>().join(",")
        )
    });
    prop_oneof![
        12 => object(nested, 9),
        1 => many,
        1 => scalar(),
        1 => select(ODD).prop_map(str::to_owned),
    ]
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let header = select([("h", "1"), ("drop", "x"), ("other", "[1,2]"), ("new", "")].to_vec());
    let input = (
        prop::option::weighted(0.95, json().prop_map(|text| Blob(text.into_bytes()))),
        prop::collection::vec(header, 0..3),
        select([-1, 0, 1000, 1_700_000_000_123, 1_700_000_000_124].to_vec()),
    );
    let input = input.prop_map(|(value, headers, timestamp)| Input {
        value,
        headers,
        timestamp,
    });
    prop::collection::vec(input, 1..12)
}

/// Names, values that are the same in all objects, and blanks of an object.
#[derive(Debug, Clone)]
struct Shape {
    members: Vec<(&'static str, Option<String>)>,
    blank: &'static str,
    end: &'static str,
}

impl Shape {
    /// The object with these values, used in turn.
    fn object(&self, values: &[String]) -> String {
        let blank = self.blank;
        let values = values.iter().map(String::as_str).cycle();
        let member = |((name, same), value): (&(&str, Option<String>), &str)| {
            let value = same.as_deref().unwrap_or(value).to_owned();
            format!("\"{name}\":{blank}{value}")
        };
        let members: Vec<_> = self.members.iter().zip(values).map(member).collect();
        format!(
            "{{{blank}{}{blank}}}{}",
            members.join(&format!(",{blank}")),
            self.end
        )
    }
}

/// A name, at times one with an escape.
fn written_name() -> impl Strategy<Value = &'static str> {
    prop_oneof![9 => name(), 1 => select(vec!["\\u0061", "q\\n", "\\ud83d"])]
}

fn shape(nested: impl Strategy<Value = String>) -> impl Strategy<Value = Shape> {
    let member = (written_name(), prop::option::weighted(0.1, nested));
    (
        prop::collection::vec(member, 0..9),
        select(vec!["", "", " ", "\n  "]),
        select(vec!["", "", "", " ", "}", "x"]),
    )
        .prop_map(|(members, blank, end)| Shape {
            members,
            blank,
            end,
        })
}

/// Objects of a few shapes one after the other: some with the start of another's members, some with the
/// same values, some that are no objects among them.
pub(super) fn runs() -> impl Strategy<Value = Vec<Input>> {
    let value =
        || prop_oneof![8 => scalar(), 1 => object(scalar(), 4), 1 => Just("[1, {}]".to_owned())];
    let values = prop::collection::vec(value(), 1..6);
    let header = select([("h", "1"), ("drop", "x")].to_vec());
    let record = (
        (any::<prop::sample::Index>(), 0..12usize),
        values,
        prop::collection::vec(header, 0..2),
        select([-1, 1000].to_vec()),
    );
    let shapes = prop::collection::vec(shape(value()), 1..5);
    (shapes, prop::collection::vec(record, 1..24)).prop_map(|(shapes, records)| {
        let input = |((index, kind), values, headers, timestamp): (_, Vec<String>, _, _)| {
            let index: prop::sample::Index = index;
            let mut shape = index.get(&shapes).clone();
            let value = match kind {
                0 => ODD[values.len() % ODD.len()].to_owned(),
                1 => {
                    shape.members.truncate(values.len());
                    shape.object(&values)
                }
                _ => shape.object(&values),
            };
            Input {
                value: Some(Blob(value.into_bytes())),
                headers,
                timestamp,
            }
        };
        records.into_iter().map(input).collect()
    })
}

fn list(most: usize) -> impl Strategy<Value = String> {
    prop::collection::btree_set(listed(), 1..most)
        .prop_map(|names| names.into_iter().collect::<Vec<_>>().join(","))
}

fn insert_field() -> impl Strategy<Value = Spec> {
    let keys = [
        "topic.field",
        "partition.field",
        "offset.field",
        "timestamp.field",
        "static.field",
    ];
    prop::collection::vec((select(keys.to_vec()), listed()), 1..5).prop_map(|fields| {
        let mut config = vec![("static.value", "fixed text".to_owned())];
        for (key, name) in fields {
            config.retain(|(known, _)| *known != key);
            config.push((key, name.to_owned()));
        }
        Spec {
            class: "InsertField$Value".to_owned(),
            config,
        }
    })
}

fn replace_field() -> impl Strategy<Value = Spec> {
    let renames = prop::collection::vec((listed(), listed()), 0..3).prop_map(|renames| {
        let renames: Vec<_> = renames
            .iter()
            .map(|(old, new)| format!("{old}:{new}"))
            .collect();
        renames.join(",")
    });
    (
        prop::option::of(list(4)),
        prop::option::weighted(0.3, list(9)),
        renames,
    )
        .prop_map(|(exclude, include, renames)| {
            let mut config = Vec::new();
            config.extend(exclude.map(|list| ("exclude", list)));
            config.extend(include.map(|list| ("include", list)));
            if !renames.is_empty() {
                config.push(("renames", renames));
            }
            Spec {
                class: "ReplaceField$Value".to_owned(),
                config,
            }
        })
}

fn cast() -> impl Strategy<Value = Spec> {
    let target = select(
        [
            "int8", "int16", "int32", "INT64", "float32", "float64", "boolean", "string",
        ]
        .to_vec(),
    );
    let field = (listed(), target.clone()).prop_map(|(name, target)| format!("{name}:{target}"));
    prop_oneof![
        8 => prop::collection::vec(field, 1..4).prop_map(|fields| fields.join(",")),
        1 => target.prop_map(str::to_owned),
    ]
    .prop_map(|fields| spec("Cast$Value", &[("spec", &fields)]))
}

fn mask_field() -> impl Strategy<Value = Spec> {
    (
        list(4),
        prop::option::of(select(["12", "x", "1.9", "300"].to_vec())),
    )
        .prop_map(|(fields, replacement)| {
            let mut made = spec("MaskField$Value", &[("fields", &fields)]);
            made.config
                .extend(replacement.map(|text| ("replacement", text.to_owned())));
            made
        })
}

fn extract_field() -> impl Strategy<Value = Spec> {
    let path = (listed(), listed()).prop_map(|(first, second)| format!("{first}.{second}"));
    prop_oneof![
        listed().prop_map(|name| spec("ExtractField$Value", &[("field", name)])),
        path.prop_map(|path| {
            let version = ("field.syntax.version", "V2");
            spec("ExtractField$Value", &[("field", &path), version])
        }),
    ]
}

fn header_from() -> impl Strategy<Value = Spec> {
    let operation = select(["move", "copy"].to_vec());
    (listed(), listed(), operation).prop_map(|(first, second, operation)| {
        let fields = format!("{first},{second}");
        spec(
            "HeaderFrom$Value",
            &[
                ("fields", &fields),
                ("headers", "new,drop"),
                ("operation", operation),
            ],
        )
    })
}

fn timestamps() -> impl Strategy<Value = Spec> {
    let target = select(["string", "unix", "Date", "Time", "Timestamp"].to_vec());
    (prop::option::weighted(0.9, listed()), target).prop_map(|(field, target)| {
        spec(
            "TimestampConverter$Value",
            &[
                ("field", field.unwrap_or("")),
                ("target.type", target),
                ("format", "yyyy-MM-dd"),
            ],
        )
    })
}

fn flatten() -> impl Strategy<Value = Spec> {
    select([".", "_", ""].to_vec())
        .prop_map(|delimiter| spec("Flatten$Value", &[("delimiter", delimiter)]))
}

/// Transformations that leave values alone.
fn routing() -> impl Strategy<Value = Spec> {
    let all = [
        spec("DropHeaders", &[("headers", "h,drop")]),
        spec("Filter", &[]),
        spec("InsertHeader", &[("header", "new"), ("value.literal", "1")]),
        spec(
            "RegexRouter",
            &[("regex", "topic-(.*)"), ("replacement", "t$1x")],
        ),
        spec(
            "TimestampRouter",
            &[
                ("topic.format", "${topic}_${timestamp}"),
                ("timestamp.format", "yyyyMMddHH"),
            ],
        ),
        spec("HoistField$Key", &[("field", "k")]),
    ];
    select(all.to_vec())
}

pub(super) fn transformation() -> impl Strategy<Value = Spec> {
    let hoist = listed().prop_map(|name| spec("HoistField$Value", &[("field", name)]));
    let to_key = Just(spec("ValueToKey", &[("fields", "a,id")]));
    prop_oneof![
        3 => insert_field(),
        3 => replace_field(),
        3 => cast(),
        2 => mask_field(),
        1 => extract_field(),
        1 => header_from(),
        1 => timestamps(),
        1 => flatten(),
        1 => hoist,
        1 => to_key,
        2 => routing(),
    ]
}

/// Transformations that depend on names only, or on which members are objects.
fn planned() -> impl Strategy<Value = Spec> {
    let cast = cast().prop_filter("casts of members only", |spec| {
        spec.config.iter().all(|(_, fields)| fields.contains(':'))
    });
    prop_oneof![
        3 => insert_field(),
        3 => replace_field(),
        3 => cast,
        2 => mask_field(),
        1 => header_from(),
        1 => timestamps(),
        1 => flatten(),
        1 => routing(),
    ]
}

fn condition() -> impl Strategy<Value = (Spec, bool)> {
    let predicates = [
        spec("predicates.HasHeaderKey", &[("name", "drop")]),
        spec("predicates.HasHeaderKey", &[("name", "new")]),
        spec("predicates.RecordIsTombstone", &[]),
        spec("predicates.TopicNameMatches", &[("pattern", "topic-\\d")]),
        spec("predicates.TopicNameMatches", &[("pattern", "t1x.*")]),
    ];
    (select(predicates.to_vec()), any::<bool>())
}

pub(super) fn chain_of(
    transformation: impl Strategy<Value = Spec>,
) -> impl Strategy<Value = Vec<StepSpec>> {
    let step = (transformation, prop::option::weighted(0.4, condition()));
    let step = step.prop_map(|(transformation, condition)| StepSpec {
        transformation,
        condition,
    });
    prop::collection::vec(step, 1..6)
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_tape_gives_what_the_struct_road_gives(
        chain in chain_of(transformation()),
        inputs in inputs(),
    ) {
        let (by_tape, by_struct) = both(Values::Json, &chain, &inputs);
        prop_assert_eq!(by_tape, by_struct);
    }

    #[test]
    fn records_of_the_same_shapes_go_by_plan_as_they_go_without(
        chain in chain_of(transformation()),
        inputs in runs(),
    ) {
        let (by_tape, by_struct) = both(Values::Json, &chain, &inputs);
        prop_assert_eq!(by_tape, by_struct);
    }

    #[test]
    fn chains_that_are_planned_give_what_the_struct_road_gives(
        chain in chain_of(planned()),
        inputs in runs(),
    ) {
        let (by_tape, by_struct) = both(Values::Json, &chain, &inputs);
        prop_assert_eq!(by_tape, by_struct);
    }

    #[test]
    fn routing_beside_values_gives_what_the_struct_road_gives(
        chain in chain_of(routing()),
        inputs in inputs(),
        enveloped in any::<bool>(),
    ) {
        let tape = tape(&chain).unwrap();
        let values = if enveloped { Values::Enveloped } else { Values::String };
        let looks = if enveloped { tape.looks_at_value() } else { tape.looks_into_value() };
        prop_assume!(!looks);
        let inputs: Vec<_> = inputs
            .into_iter()
            .map(|input| Input {
                value: input.value.map(|value| match enveloped {
                    true => Blob([b"{\"schema\":null,\"payload\":", &value.0[..], b"}"].concat()),
                    false => value,
                }),
                ..input
            })
            .collect();
        let (by_tape, by_struct) = both(values, &chain, &inputs);
        prop_assert_eq!(by_tape, by_struct);
    }
}

fn step(transformation: Spec) -> StepSpec {
    StepSpec {
        transformation,
        condition: None,
    }
}

/// What a chain makes of a value, on the tape road.
fn text_of(specs: &[StepSpec], value: &str) -> String {
    let input = Input {
        value: Some(Blob(value.as_bytes().to_vec())),
        headers: Vec::new(),
        timestamp: 1000,
    };
    let (by_tape, by_struct) = both(Values::Json, specs, &[input]);
    assert_eq!(by_tape, by_struct);
    by_tape
        .records
        .first()
        .map_or_else(String::new, |record| record.3.clone())
}

#[test]
fn members_go_in_javas_order_and_numbers_are_javas() {
    let insert = spec(
        "InsertField$Value",
        &[("topic.field", "topic"), ("offset.field", "off")],
    );
    let value = r#"{"b":1,"a":2.50,"b":[1e2,{"z":null}],"big":9223372036854775808}"#;
    assert_eq!(
        text_of(&[step(insert)], value),
        "{a=2.5, big=-9223372036854775808, topic=topic-1, b=[100.0, {z=null}], off=0}"
    );
}

#[test]
fn a_renamed_member_goes_by_its_new_name_in_the_new_table() {
    let rename = spec("ReplaceField$Value", &[("renames", "Aa:host")]);
    let text = text_of(&[step(rename)], r#"{"Aa":0,"a.b":0}"#);
    assert_eq!(text, "{host=0, a.b=0}");
}

#[test]
fn a_date_in_a_map_fails_where_it_is_flattened() {
    let convert = spec(
        "TimestampConverter$Value",
        &[("field", "a"), ("target.type", "Date")],
    );
    let flatten = spec("Flatten$Value", &[]);
    assert_eq!(text_of(&[step(convert), step(flatten)], r#"{"a":1}"#), "");
}

#[test]
fn what_a_tape_cannot_do_is_left_to_the_struct_road() {
    for unknown in [
        spec(
            "InsertField$Key",
            &[("static.field", "a"), ("static.value", "b")],
        ),
        spec("predicates.HasHeaderKey", &[]),
    ] {
        assert!(tape(&[step(unknown)]).is_none());
    }
    assert!(tape(&[]).is_none());
}

#[test]
fn a_large_record_does_not_keep_its_buffers() {
    let insert = step(spec("InsertField$Value", &[("topic.field", "topic")]));
    let mut tape = tape(&[insert]).unwrap();
    let members: Vec<_> = (0..400_000)
        .map(|index| format!("\"n{index}\":1"))
        .collect();
    let large = format!("{{{}}}", members.join(","));
    let topic: Rc<str> = "t".into();
    let mut run = |value: &str| {
        let incoming = super::Incoming {
            topic: &topic,
            partition: 0,
            offset: 0,
            timestamp: None,
            headers: super::RawHeaders {
                buffer: b"",
                span: crate::api::Span::NULL,
                count: 0,
            },
        };
        let mut out = Vec::new();
        tape.run(Some(value.as_bytes()), incoming, Some(&mut out))
            .unwrap();
        (tape.value.kept_bytes(), out)
    };
    assert!(run(&large).0 > super::KEPT_BYTES);
    let (kept, text) = run("{}");
    assert!(kept < super::KEPT_BYTES);
    assert_eq!(text, b"{topic=t}");
}

fn incoming(topic: &Rc<str>) -> super::Incoming<'_> {
    super::Incoming {
        topic,
        partition: 0,
        offset: 7,
        timestamp: None,
        headers: super::RawHeaders {
            buffer: b"",
            span: crate::api::Span::NULL,
            count: 0,
        },
    }
}

fn run(tape: &mut super::Tape, value: &str) -> String {
    let topic: Rc<str> = "t".into();
    let mut out = Vec::new();
    tape.run(Some(value.as_bytes()), incoming(&topic), Some(&mut out))
        .unwrap();
    String::from_utf8(out).unwrap()
}

/// Whether there is a plan for objects like this one.
fn is_known(tape: &mut super::Tape, value: &str) -> bool {
    let topic: Rc<str> = "t".into();
    let incoming = incoming(&topic);
    let (outcomes, _) = tape.outcomes(&incoming).unwrap().unwrap();
    tape.follow(value.as_bytes(), &incoming, outcomes, None)
        .is_some()
}

#[test]
fn shapes_that_do_not_come_again_cost_little_and_do_not_keep_others_out() {
    let insert = step(spec("InsertField$Value", &[("offset.field", "off")]));
    let mut tape = tape(&[insert]).unwrap();
    let mut learned = 0;
    for index in 0..10_000 {
        let strange = format!("{{\"n{index}\":{index}}}");
        let text = run(&mut tape, &strange);
        assert!(text.contains(&format!("n{index}={index}")), "{text}");
        learned += usize::from(is_known(&mut tape, &strange));
    }
    assert!((1..300).contains(&learned), "{learned} shapes were learned");
    for index in 0..100 {
        let text = run(&mut tape, &format!("{{\"a\":{index},\"b\":\"x\"}}"));
        assert_eq!(text, format!("{{a={index}, b=x, off=7}}"));
    }
    assert!(is_known(&mut tape, r#"{"a":"other","b":null}"#));
}

#[test]
fn shapes_with_the_same_beginning_are_all_known() {
    let rename = step(spec("ReplaceField$Value", &[("renames", "a:z")]));
    let mut tape = tape(&[rename]).unwrap();
    let all = [
        (r#"{"a":1,"b":2,"c":3}"#, "{z=1, b=2, c=3}"),
        (r#"{"a":1,"c":3}"#, "{z=1, c=3}"),
        (r#"{"a":1,"b":2}"#, "{z=1, b=2}"),
        (r#"{"b":2}"#, "{b=2}"),
        (r#"{"b":2,"a":1,"b":[{"a":1}]}"#, "{z=1, b=[{a=1}]}"),
        ("{}", "{}"),
    ];
    for _ in 0..2 {
        for (value, text) in all {
            assert_eq!(run(&mut tape, value), text);
        }
    }
    for (value, _) in all {
        assert!(is_known(&mut tape, value), "{value} is not known");
    }
    for broken in [
        r#"{"a":1,"b":2"#,
        r#"{"a":1,"b":2,}"#,
        r#"{"a":01x,"b":2}"#,
        "[1]",
        "1",
    ] {
        assert!(!is_known(&mut tape, broken), "{broken} has a shape");
    }
}

#[test]
fn a_chain_that_needs_more_than_names_has_no_plans() {
    let insert = spec("InsertField$Value", &[("topic.field", "t")]);
    let router = spec("RegexRouter", &[("regex", "t"), ("replacement", "u")]);
    let extract = spec("ExtractField$Value", &[("field", "a")]);
    for chain in [
        vec![step(insert.clone()), step(router)],
        vec![step(extract.clone()), step(insert.clone())],
    ] {
        assert!(tape(&chain).unwrap().plans.is_none());
    }
    assert!(
        tape(&[step(insert), step(extract)])
            .unwrap()
            .plans
            .is_some()
    );
}

#[test]
fn objects_are_flattened_by_plan_only_while_no_member_is_one() {
    let mut tape = tape(&[step(spec("Flatten$Value", &[]))]).unwrap();
    assert_eq!(run(&mut tape, r#"{"a":1,"b":2}"#), "{a=1, b=2}");
    for _ in 0..2 {
        assert!(is_known(&mut tape, r#"{"a":"x","b":[{}]}"#));
        assert_eq!(run(&mut tape, r#"{"a":"x","b":[{}]}"#), "{a=x, b=[{}]}");
        assert!(!is_known(&mut tape, r#"{"a":{"c":1},"b":2}"#));
        assert_eq!(run(&mut tape, r#"{"a":{"c":1},"b":2}"#), "{a.c=1, b=2}");
    }
}

#[test]
fn timestamps_of_members_are_converted_by_plan() {
    let convert = |field| {
        let keys = [
            ("field", field),
            ("target.type", "string"),
            ("format", "yyyy-MM-dd HH:mm:ss"),
        ];
        tape(&[step(spec("TimestampConverter$Value", &keys))]).unwrap()
    };
    let mut tape = convert("a");
    for (value, text) in [
        (r#"{"b":true,"a":0}"#, "{a=1970-01-01 00:00:00, b=true}"),
        (r#"{"b":{},"a":86399000}"#, "{a=1970-01-01 23:59:59, b={}}"),
        (
            r#"{"b":1,"a":"2024-02-29 01:02:03.5"}"#,
            "{a=2024-02-29 01:02:03, b=1}",
        ),
        (r#"{"b":1,"a":null}"#, "{a=null, b=1}"),
    ] {
        assert_eq!(run(&mut tape, value), text);
        assert!(is_known(&mut tape, value), "{value}");
    }
    // Of a whole value there is no plan.
    assert!(convert("").plans.is_none());
}
