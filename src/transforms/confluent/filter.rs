//! Includes or excludes records by a condition on their key or value (Confluent:
//! `io.confluent.connect.transforms.Filter`).

use super::json_path::{JsonPath, Outcome};
use crate::api::config_def::{ConfigDef, ConfigKey, Importance, ParsedConfig, Validator};
use crate::api::{ConnectError, ConnectRecord, RecordOrigin, Transformation};
use crate::transforms::config::invalid;
use crate::transforms::part::{Classes, OfPart, Part};

const CONDITION: &str = "filter.condition";
const TYPE: &str = "filter.type";
const MISSING: &str = "missing.or.null.behavior";

/// What becomes of a record that lacks what the condition names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Fail,
    Include,
    Exclude,
}

const BEHAVIORS: [(&str, Missing); 3] = [
    ("fail", Missing::Fail),
    ("include", Missing::Include),
    ("exclude", Missing::Exclude),
];

/// The transformation.
#[derive(Debug)]
pub struct ConditionFilter {
    part: Part,
    text: String,
    condition: JsonPath,
    /// Whether records that match stay; the others stay where it is false.
    include: bool,
    missing: Missing,
}

impl OfPart for ConditionFilter {
    const CLASSES: Classes = Classes {
        key: "io.confluent.connect.transforms.Filter$Key",
        value: "io.confluent.connect.transforms.Filter$Value",
    };

    fn config_def() -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::string(CONDITION)
                    .importance(Importance::High)
                    .doc("JSONPath of what a record must have, such as $.a.b or $[?(@.price > 100 && @.country == 'DE')]. Names, indexes, wildcards and filters are known; '..', slices and functions are not."),
            )
            .define(
                ConfigKey::string(TYPE)
                    .validator(Validator::one_of(["include", "exclude"]))
                    .importance(Importance::High)
                    .doc("Whether records that meet the condition stay (include) or go (exclude)."),
            )
            .define(
                ConfigKey::string(MISSING)
                    .default("fail")
                    .validator(Validator::one_of(BEHAVIORS.map(|(word, _)| word)))
                    .doc("What becomes of a record that does not meet the condition and in which something that the condition names is missing or null: fail, include or exclude."),
            )
    }

    fn new(part: Part, config: &ParsedConfig) -> Result<Self, ConnectError> {
        let text = config.str(CONDITION)?;
        let condition = JsonPath::parse(text)
            .map_err(|reason| invalid(CONDITION, text, &reason.to_string()))?;
        let behavior = config.str(MISSING)?;
        let found = BEHAVIORS.iter().find(|(word, _)| *word == behavior);
        Ok(Self {
            part,
            text: text.to_owned(),
            condition,
            include: config.str(TYPE)? == "include",
            missing: found.map_or(Missing::Fail, |(_, missing)| *missing),
        })
    }
}

impl Transformation for ConditionFilter {
    fn class_name(&self) -> &'static str {
        Self::CLASSES.of(self.part)
    }

    fn apply(
        &mut self,
        record: ConnectRecord,
        _: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        let outcome = self.condition.evaluate(&self.part.of(&record).value);
        let stays = match (outcome, self.missing) {
            (Outcome::Found, _) => self.include,
            (Outcome::NotFound, _) => !self.include,
            (Outcome::Missing, Missing::Include) => true,
            (Outcome::Missing, Missing::Exclude) => false,
            (Outcome::Missing, Missing::Fail) => {
                return Err(ConnectError::data(format!(
                    "A record of topic {} lacks what {CONDITION} {} names, or has null there; {MISSING} says what to do with such records",
                    record.topic, self.text
                )));
            }
        };
        Ok(stays.then_some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{SchemaAndValue, Value};
    use crate::transforms::config::parse;
    use crate::transforms::test_records::{SINK, config, map, named, valued};

    fn filter(entries: &[(&str, &str)]) -> Result<ConditionFilter, ConnectError> {
        let parsed = parse(&ConditionFilter::config_def(), &config(entries))?;
        ConditionFilter::new(Part::Value, &parsed)
    }

    fn stays(kind: &str, missing: &str, entries: &[(&str, Value)]) -> Result<bool, ConnectError> {
        let mut filter = filter(&[
            (CONDITION, "$[?(@.n > 5)]"),
            (TYPE, kind),
            (MISSING, missing),
        ])?;
        let record = valued(SchemaAndValue::schemaless(map(entries)));
        Ok(filter.apply(record, SINK)?.is_some())
    }

    #[test]
    fn records_stay_by_condition_and_type() {
        let (large, small) = ([("n", Value::Int64(6))], [("n", Value::Int64(5))]);
        assert!(stays("include", "fail", &large).unwrap());
        assert!(!stays("include", "fail", &small).unwrap());
        assert!(!stays("exclude", "fail", &large).unwrap());
        assert!(stays("exclude", "fail", &small).unwrap());
    }

    #[test]
    fn a_record_without_the_field_goes_the_way_that_is_configured() {
        for entries in [&[][..], &[("n", Value::Null)]] {
            assert!(stays("exclude", "include", entries).unwrap());
            assert!(!stays("exclude", "exclude", entries).unwrap());
            let error = stays("include", "fail", entries).unwrap_err();
            assert!(error.message().contains("$[?(@.n > 5)]"), "{error}");
        }
    }

    #[test]
    fn a_condition_that_cannot_be_read_is_a_configuration_error() {
        let made = filter(&[(CONDITION, "$..n"), (TYPE, "include")]);
        assert_eq!(
            named(&made.unwrap_err()),
            "ConfigException: Invalid value $..n for configuration filter.condition: '..' is not supported at character 3 of JSONPath $..n"
        );
    }
}
