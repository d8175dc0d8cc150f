//! Header values as plain text (Kafka: `org.apache.kafka.connect.storage.SimpleHeaderConverter`).

use bytes::Bytes;
use jiff::tz::TimeZone;

use crate::api::config_def::ConfigDef;
use crate::api::data::text::decode_utf8;
use crate::api::data::{SchemaRef, values};
use crate::api::{
    ConfigMap, ConnectError, HeaderConverter, Schema, SchemaAndValue, SchemaType, Value,
};

/// Writes the text of any value, reads the value that a text looks like.
#[derive(Debug)]
pub struct SimpleHeaderConverter {
    zone: TimeZone,
}

impl SimpleHeaderConverter {
    /// Fully qualified Java class name.
    pub const CLASS: &'static str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";

    /// It has no configuration keys.
    pub fn config_def() -> ConfigDef {
        ConfigDef::new()
    }

    /// A converter that, as Java does, reads and writes dates in the system's time zone.
    ///
    /// # Errors
    /// None: the signature is that of all converters.
    pub fn new(_config: &ConfigMap) -> Result<Self, ConnectError> {
        Ok(Self {
            zone: TimeZone::system(),
        })
    }

    #[cfg(test)]
    pub(super) fn in_zone(zone: TimeZone) -> Self {
        Self { zone }
    }
}

impl HeaderConverter for SimpleHeaderConverter {
    fn class_name(&self) -> &'static str {
        Self::CLASS
    }

    fn write_header(
        &mut self,
        _topic: &str,
        _header: &str,
        _schema: Option<&SchemaRef>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<bool, ConnectError> {
        if value.is_null() {
            return Ok(false);
        }
        values::append(value, &self.zone, out);
        Ok(true)
    }

    fn reads_anything(&self) -> bool {
        true
    }

    fn read_header(
        &mut self,
        _topic: &str,
        _header: &str,
        bytes: Option<&[u8]>,
    ) -> Result<SchemaAndValue, ConnectError> {
        let Some(bytes) = bytes else {
            return Ok(SchemaAndValue::NULL);
        };
        Ok(
            values::parse(&decode_utf8(bytes), &self.zone).unwrap_or_else(|_| {
                let schema = Schema::required(SchemaType::Bytes);
                SchemaAndValue::new(schema, Value::Bytes(Bytes::copy_from_slice(bytes)))
            }),
        )
    }
}
