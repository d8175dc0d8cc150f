//! Makes a record's topic from its old topic and its timestamp (Kafka: `TimestampRouter`).

use super::config::parse;
use super::record_text;
use crate::api::config_def::{ConfigDef, ConfigKey, Importance};
use crate::api::data::simple_date_format::{IllegalPattern, SimpleDateFormat};
use crate::api::{ConfigMap, ConnectError, ConnectRecord, RecordOrigin, Transformation};

const TOPIC_FORMAT: &str = "topic.format";
const TIMESTAMP_FORMAT: &str = "timestamp.format";

/// The transformation.
#[derive(Debug)]
pub struct TimestampRouter {
    topic_format: String,
    /// Java makes the format when the first record comes, and so a bad one fails each record.
    timestamp_format: Result<SimpleDateFormat, IllegalPattern>,
}

impl TimestampRouter {
    /// Kafka's class.
    pub const CLASS: &'static str = "org.apache.kafka.connect.transforms.TimestampRouter";

    /// Its keys.
    pub fn config_def() -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::string(TOPIC_FORMAT)
                    .default("${topic}-${timestamp}")
                    .importance(Importance::High)
                    .doc("The new topic; <code>${topic}</code> stands for the old one and <code>${timestamp}</code> for the record's timestamp."),
            )
            .define(
                ConfigKey::string(TIMESTAMP_FORMAT)
                    .default("yyyyMMdd")
                    .importance(Importance::High)
                    .doc("Pattern of the timestamp, as <code>java.text.SimpleDateFormat</code> has them; UTC."),
            )
    }

    /// From the texts of its configuration.
    ///
    /// # Errors
    /// A key that cannot be parsed.
    pub fn new(config: &ConfigMap) -> Result<Self, ConnectError> {
        let config = parse(&Self::config_def(), config)?;
        let now = jiff::Timestamp::now().as_millisecond();
        Ok(Self {
            topic_format: config.str(TOPIC_FORMAT)?.to_owned(),
            timestamp_format: SimpleDateFormat::new(config.str(TIMESTAMP_FORMAT)?, now),
        })
    }
}

impl Transformation for TimestampRouter {
    fn class_name(&self) -> &'static str {
        Self::CLASS
    }

    fn apply(
        &mut self,
        mut record: ConnectRecord,
        origin: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        let Some(timestamp) = record.timestamp else {
            return Err(ConnectError::data(format!(
                "Timestamp missing on record: {}",
                record_text::to_text(&record, origin)
            )));
        };
        let format = self.timestamp_format.as_ref().map_err(|illegal| {
            ConnectError::connect(illegal.to_string())
                .with_class("java.lang.IllegalArgumentException")
        })?;
        // A timestamp's place in the old topic counts as well, as in Java.
        let topic = self.topic_format.replace("${topic}", &record.topic);
        record.topic = topic
            .replace("${timestamp}", &format.format(timestamp))
            .into();
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_records::{SINK, config, named, record};
    use super::*;

    #[test]
    fn the_topic_gets_the_day_of_the_record() {
        let mut router = TimestampRouter::new(&config(&[])).unwrap();
        let routed = router.apply(record("t"), SINK).unwrap().unwrap();
        assert_eq!(&*routed.topic, "t-19700101");
    }

    #[test]
    fn a_record_without_timestamp_and_a_bad_pattern_fail_record_by_record() {
        let mut router = TimestampRouter::new(&config(&[(TIMESTAMP_FORMAT, "b")])).unwrap();
        let error = router.apply(record("t"), SINK).unwrap_err();
        assert_eq!(
            named(&error),
            "IllegalArgumentException: Illegal pattern character 'b'"
        );
        let mut timeless = record("t");
        timeless.timestamp = None;
        let error = router.apply(timeless, SINK).unwrap_err();
        assert_eq!(
            named(&error),
            "DataException: Timestamp missing on record: SinkRecord{kafkaOffset=42, timestampType=CreateTime, originalTopic=t, originalKafkaPartition=3, originalKafkaOffset=42} ConnectRecord{topic='t', kafkaPartition=3, key=null, keySchema=null, value=null, valueSchema=null, timestamp=null, headers=ConnectHeaders(headers=)}"
        );
    }
}
