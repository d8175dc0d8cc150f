//! Keys and values: most transformations come as two classes, `…$Key` and `…$Value`.

use crate::api::config_def::{ConfigDef, ParsedConfig};
use crate::api::{ConnectError, ConnectRecord, SchemaAndValue, Transformation};

/// The part of a record that a transformation works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Class suffix `$Key`.
    Key,
    /// Class suffix `$Value`.
    Value,
}

impl Part {
    /// This part of a record.
    #[inline]
    pub fn of(self, record: &ConnectRecord) -> &SchemaAndValue {
        match self {
            Self::Key => &record.key,
            Self::Value => &record.value,
        }
    }

    /// This part of a record, to be changed.
    #[inline]
    pub fn of_mut(self, record: &mut ConnectRecord) -> &mut SchemaAndValue {
        match self {
            Self::Key => &mut record.key,
            Self::Value => &mut record.value,
        }
    }

    /// This part of a record, which is left without it.
    #[inline]
    pub(super) fn take(self, record: &mut ConnectRecord) -> SchemaAndValue {
        std::mem::replace(self.of_mut(record), SchemaAndValue::NULL)
    }
}

/// The two classes of a transformation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Classes {
    pub(super) key: &'static str,
    pub(super) value: &'static str,
}

impl Classes {
    /// The class for a part.
    pub(super) fn of(self, part: Part) -> &'static str {
        match part {
            Part::Key => self.key,
            Part::Value => self.value,
        }
    }
}

/// Kafka's two classes of a transformation by its simple name.
macro_rules! kafka_classes {
    ($name:literal) => {
        $crate::transforms::part::Classes {
            key: concat!("org.apache.kafka.connect.transforms.", $name, "$Key"),
            value: concat!("org.apache.kafka.connect.transforms.", $name, "$Value"),
        }
    };
}
pub(super) use kafka_classes;

/// A transformation of keys or values.
pub(super) trait OfPart: Transformation + Sized + 'static {
    /// Its classes.
    const CLASSES: Classes;

    /// Its keys.
    fn config_def() -> ConfigDef;

    /// Made from its parsed configuration (Kafka: `configure`).
    ///
    /// # Errors
    /// What single keys cannot tell.
    fn new(part: Part, config: &ParsedConfig) -> Result<Self, ConnectError>;
}
