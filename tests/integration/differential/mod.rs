//! Random records through our converters and transforms and through Apache's own classes: what Apache
//! answers, error class and text included, is what ours must answer.
//!
//! `tests/oracle/DifferentialOracle.java` runs Apache's classes; a line of JSON per case goes to it and
//! one comes back ([`encode`]). Cases are random and always the same ones, from a seed. This test uses
//! the library's plugins, not the binary.
//!
//! Not compared: the text of Java's own exceptions (null pointers, wrong casts, indexes), which names
//! variables of Apache's code, and where texts hold identities of Java's objects ([`TEXTS_CUT`]).

mod chains;
mod converters;
pub(crate) mod encode;
pub(crate) mod generate;
pub(crate) mod java;
mod steps;
mod texts;

use ringmain::plugins::Plugins;
use serde_json::{Value as Json, json};

use super::common::kafka;
use generate::Generator;

/// One question to both.
#[derive(Debug)]
pub(crate) struct Case {
    /// What Apache's classes are asked.
    pub(crate) question: Json,
    /// What ours say.
    pub(crate) ours: Json,
    /// How many records it is.
    pub(crate) records: usize,
}

/// Error texts are compared up to the end of these: a record's text shows byte arrays by identity, and
/// Apache's InsertField shows an object without text.
const TEXTS_CUT: [&str; 2] = ["ConnectRecord{", "No value specified for static field: "];

const CONVERTED: usize = 2500;
const TRANSFORMED: usize = 2500;

#[test]
fn converters_read_and_write_random_records_as_apache_s() {
    let Some(kafka) = kafka() else { return };
    let mut generator = Generator::new(4_301);
    let cases = with_deep_stack(move || {
        (0..CONVERTED)
            .map(|_| converters::case(&mut generator))
            .collect()
    });
    let plugins = Plugins::builtin();
    let classes = plugins.converters().iter().map(|plugin| plugin.class);
    assert_asked(&cases, classes);
    compare(kafka, cases, CONVERTED);
}

#[test]
fn transforms_change_random_records_as_apache_s() {
    let Some(kafka) = kafka() else { return };
    let mut generator = Generator::new(731);
    let cases = with_deep_stack(move || {
        (0..TRANSFORMED)
            .map(|_| chains::case(&mut generator))
            .collect()
    });
    let plugins = Plugins::builtin();
    let transforms = plugins.transformations().iter().map(|plugin| plugin.class);
    let predicates = plugins.predicates().iter().map(|plugin| plugin.class);
    assert_asked(&cases, transforms.chain(predicates));
    compare(kafka, cases, TRANSFORMED);
}

/// Each of Apache's classes that we have must occur.
fn assert_asked(cases: &[Case], classes: impl Iterator<Item = &'static str>) {
    let questions: String = cases.iter().map(|case| case.question.to_string()).collect();
    for class in classes.filter(|class| class.starts_with("org.apache.kafka.connect.")) {
        let named = format!("\"class\":\"{class}\"");
        assert!(questions.contains(&named), "nothing was asked of {class}");
    }
}

/// On a thread with room for nested values without optimisation.
fn with_deep_stack(make: impl FnOnce() -> Vec<Case> + Send + 'static) -> Vec<Case> {
    let room = std::thread::Builder::new().stack_size(256 << 20);
    room.spawn(make).unwrap().join().unwrap()
}

/// Asks Apache all at once; at least `least` records must have been compared, and most of them without
/// an error on both sides.
fn compare(kafka: &testbed::Kafka, cases: Vec<Case>, least: usize) {
    let questions: Vec<Json> = cases.iter().map(|case| case.question.clone()).collect();
    let answers = java::ask(kafka, "DifferentialOracle.java", &questions);
    assert_eq!(answers.len(), cases.len(), "an answer per question");
    let mut differing = Vec::new();
    let mut failed = 0;
    for (case, apache) in cases.iter().zip(&answers) {
        let (apache, ours) = (comparable(apache), comparable(&case.ours));
        failed += usize::from(is_failure(&apache));
        if apache != ours {
            let (apache, ours) = around_difference(&apache.to_string(), &ours.to_string());
            differing.push(format!(
                "apache {apache}\n  ours {ours}\n  asked {}\n",
                case.question
            ));
        }
    }
    let records: usize = cases.iter().map(|case| case.records).sum();
    assert!(records >= least, "{records} records are too few");
    assert!(
        failed * 2 < cases.len(),
        "{failed} of {} are errors",
        cases.len()
    );
    let shown: String = differing.iter().take(25).map(String::as_str).collect();
    assert!(
        differing.is_empty(),
        "{} of {} cases differ:\n{shown}",
        differing.len(),
        cases.len()
    );
    eprintln!(
        "{records} records in {} cases, {failed} refused by both",
        cases.len()
    );
}

/// Both answers from shortly before the first difference on: they can be long.
pub(crate) fn around_difference(apache: &str, ours: &str) -> (String, String) {
    let mut pairs = apache.chars().zip(ours.chars());
    let same = pairs.position(|(apache, ours)| apache != ours).unwrap_or(0);
    let part = |text: &str| {
        text.chars()
            .skip(same.saturating_sub(80))
            .take(400)
            .collect()
    };
    (part(apache), part(ours))
}

/// Whether it is an error, or one per record.
fn is_failure(answer: &Json) -> bool {
    match answer {
        Json::Array(records) => records.iter().all(|record| record.get("error").is_some()),
        other => other.get("error").is_some(),
    }
}

/// An answer without what is Java's own.
fn comparable(answer: &Json) -> Json {
    match answer {
        Json::Object(members) => {
            if let Some(error) = members.get("error") {
                return comparable_error(error);
            }
            let each = |(name, value): (&String, &Json)| (name.clone(), comparable(value));
            Json::Object(members.iter().map(each).collect())
        }
        Json::Array(items) => Json::Array(items.iter().map(comparable).collect()),
        other => other.clone(),
    }
}

fn comparable_error(error: &Json) -> Json {
    let class = error[0].as_str().unwrap_or_default();
    let text = error[1].as_str().unwrap_or_default();
    let own = [
        "java.lang.NullPointerException",
        "java.lang.ClassCastException",
        "java.lang.IndexOutOfBoundsException",
    ];
    if own.contains(&class) {
        return json!({ "error": [class] });
    }
    let cut = TEXTS_CUT
        .iter()
        .find_map(|end| Some(text.find(end)? + end.len()));
    let text = cut.map_or(text, |end| &text[..end]);
    json!({ "error": [class, text] })
}
