//! The subject under which a schema is registered (Confluent: `SubjectNameStrategy`).

use crate::api::ConnectError;
use crate::converters::config::serialization_error;

const PACKAGE: &str = "io.confluent.kafka.serializers.subject.";

/// `key.subject.name.strategy`, `value.subject.name.strategy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SubjectNameStrategy {
    /// `<topic>-key`, `<topic>-value`.
    Topic,
    /// The full name of the record.
    Record,
    /// `<topic>-<full name of the record>`.
    TopicRecord,
}

impl SubjectNameStrategy {
    /// The class that is the default.
    pub(super) const DEFAULT: &'static str =
        "io.confluent.kafka.serializers.subject.TopicNameStrategy";

    /// The strategy of a class name, with or without its package.
    pub(super) fn of_class(class: &str) -> Option<Self> {
        Some(match class.strip_prefix(PACKAGE).unwrap_or(class) {
            "TopicNameStrategy" => Self::Topic,
            "RecordNameStrategy" => Self::Record,
            "TopicRecordNameStrategy" => Self::TopicRecord,
            _ => return None,
        })
    }

    /// Key of the strategy for keys or values.
    pub(super) fn key(is_key: bool) -> &'static str {
        if is_key {
            "key.subject.name.strategy"
        } else {
            "value.subject.name.strategy"
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Topic => "TopicNameStrategy",
            Self::Record => "RecordNameStrategy",
            Self::TopicRecord => "TopicRecordNameStrategy",
        }
    }

    /// The subject without a look at the schema; `None` when its name is needed.
    pub(super) fn of_topic(self, topic: &str, is_key: bool) -> Option<String> {
        (self == Self::Topic).then(|| format!("{topic}-{}", part(is_key)))
    }

    /// The subject of a schema whose record is called `record` (`None`: it is no record).
    ///
    /// # Errors
    /// The strategy needs a record.
    pub(super) fn of_record(
        self,
        topic: &str,
        is_key: bool,
        record: Option<&str>,
    ) -> Result<String, ConnectError> {
        let named = || {
            record.ok_or_else(|| {
                serialization_error(format!(
                    "In configuration {} = {PACKAGE}{}, the message {} must only be a record schema",
                    Self::key(is_key),
                    self.class(),
                    part(is_key)
                ))
            })
        };
        Ok(match self {
            Self::Topic => format!("{topic}-{}", part(is_key)),
            Self::Record => named()?.to_owned(),
            Self::TopicRecord => format!("{topic}-{}", named()?),
        })
    }
}

/// `key` or `value`.
pub(super) fn part(is_key: bool) -> &'static str {
    if is_key { "key" } else { "value" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_strategy_names_its_subjects() {
        let subject = |class: &str, is_key, record| {
            let strategy = SubjectNameStrategy::of_class(class).unwrap();
            strategy
                .of_record("orders", is_key, record)
                .map_err(|error| error.message().to_owned())
        };
        let full = |short: &str| format!("{PACKAGE}{short}");
        let topic = full("TopicNameStrategy");
        assert_eq!(subject(&topic, true, None).unwrap(), "orders-key");
        assert_eq!(subject(&topic, false, Some("a.B")).unwrap(), "orders-value");
        let record = full("RecordNameStrategy");
        assert_eq!(subject(&record, false, Some("a.B")).unwrap(), "a.B");
        let both = subject("TopicRecordNameStrategy", true, Some("a.B"));
        assert_eq!(both.unwrap(), "orders-a.B");
        assert_eq!(
            subject(&record, true, None).unwrap_err(),
            "In configuration key.subject.name.strategy = io.confluent.kafka.serializers.subject.\
             RecordNameStrategy, the message key must only be a record schema"
        );
        assert_eq!(
            SubjectNameStrategy::of_class("AssociatedNameStrategy"),
            None
        );
    }
}
