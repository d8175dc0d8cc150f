//! The lists of transformations and predicates.

use super::config::parse;
use super::confluent::ConditionFilter;
use super::debezium::{ByLogicalTableRouter, ExtractNewRecordState};
use super::part::{OfPart, Part};
use super::{
    Cast, DropHeaders, ExtractField, Filter, Flatten, HasHeaderKey, HeaderFrom, HoistField,
    InsertField, InsertHeader, MaskField, RecordIsTombstone, RegexRouter, ReplaceField,
    SetSchemaMetadata, TimestampConverter, TimestampRouter, TopicNameMatches, ValueToKey,
};
use crate::api::config_def::ConfigDef;
use crate::api::{ConfigMap, ConnectError, Predicate, Transformation};

/// One transformation class, as the list of plugins shows it.
#[derive(Debug, Clone, Copy)]
pub struct TransformPlugin {
    /// Fully qualified Java class name, `$Key` or `$Value` included.
    pub class: &'static str,
    /// Its configuration keys.
    pub config_def: fn() -> ConfigDef,
    /// Makes one from the texts below `transforms.<alias>.`.
    pub new: fn(&ConfigMap) -> Result<Box<dyn Transformation>, ConnectError>,
}

/// One predicate class, as the list of plugins shows it.
#[derive(Debug, Clone, Copy)]
pub struct PredicatePlugin {
    /// Fully qualified Java class name.
    pub class: &'static str,
    /// Its configuration keys.
    pub config_def: fn() -> ConfigDef,
    /// Makes one from the texts below `predicates.<alias>.`.
    pub new: fn(&ConfigMap) -> Result<Box<dyn Predicate>, ConnectError>,
}

/// The class of `T` for keys.
const fn of_keys<T: OfPart>() -> TransformPlugin {
    TransformPlugin {
        class: T::CLASSES.key,
        config_def: T::config_def,
        new: |config| made::<T>(Part::Key, config),
    }
}

/// The class of `T` for values.
const fn of_values<T: OfPart>() -> TransformPlugin {
    TransformPlugin {
        class: T::CLASSES.value,
        config_def: T::config_def,
        new: |config| made::<T>(Part::Value, config),
    }
}

fn made<T: OfPart>(
    part: Part,
    config: &ConfigMap,
) -> Result<Box<dyn Transformation>, ConnectError> {
    let config = parse(&T::config_def(), config)?;
    Ok(Box::new(T::new(part, &config)?))
}

/// Every transformation, by class name.
pub const TRANSFORMS: &[TransformPlugin] = &[
    of_keys::<ConditionFilter>(),
    of_values::<ConditionFilter>(),
    TransformPlugin {
        class: ByLogicalTableRouter::CLASS,
        config_def: ByLogicalTableRouter::config_def,
        new: |config| Ok(Box::new(ByLogicalTableRouter::new(config)?)),
    },
    TransformPlugin {
        class: ExtractNewRecordState::CLASS,
        config_def: ExtractNewRecordState::config_def,
        new: |config| Ok(Box::new(ExtractNewRecordState::new(config)?)),
    },
    of_keys::<Cast>(),
    of_values::<Cast>(),
    TransformPlugin {
        class: DropHeaders::CLASS,
        config_def: DropHeaders::config_def,
        new: |config| Ok(Box::new(DropHeaders::new(config)?)),
    },
    of_keys::<ExtractField>(),
    of_values::<ExtractField>(),
    TransformPlugin {
        class: Filter::CLASS,
        config_def: Filter::config_def,
        new: |_| Ok(Box::new(Filter)),
    },
    of_keys::<Flatten>(),
    of_values::<Flatten>(),
    of_keys::<HeaderFrom>(),
    of_values::<HeaderFrom>(),
    of_keys::<HoistField>(),
    of_values::<HoistField>(),
    of_keys::<InsertField>(),
    of_values::<InsertField>(),
    TransformPlugin {
        class: InsertHeader::CLASS,
        config_def: InsertHeader::config_def,
        new: |config| Ok(Box::new(InsertHeader::new(config)?)),
    },
    of_keys::<MaskField>(),
    of_values::<MaskField>(),
    TransformPlugin {
        class: RegexRouter::CLASS,
        config_def: RegexRouter::config_def,
        new: |config| Ok(Box::new(RegexRouter::new(config)?)),
    },
    of_keys::<ReplaceField>(),
    of_values::<ReplaceField>(),
    of_keys::<SetSchemaMetadata>(),
    of_values::<SetSchemaMetadata>(),
    of_keys::<TimestampConverter>(),
    of_values::<TimestampConverter>(),
    TransformPlugin {
        class: TimestampRouter::CLASS,
        config_def: TimestampRouter::config_def,
        new: |config| Ok(Box::new(TimestampRouter::new(config)?)),
    },
    TransformPlugin {
        class: ValueToKey::CLASS,
        config_def: ValueToKey::config_def,
        new: |config| Ok(Box::new(ValueToKey::new(config)?)),
    },
];

/// Every predicate, by class name.
pub const PREDICATES: &[PredicatePlugin] = &[
    PredicatePlugin {
        class: HasHeaderKey::CLASS,
        config_def: HasHeaderKey::config_def,
        new: |config| Ok(Box::new(HasHeaderKey::new(config)?)),
    },
    PredicatePlugin {
        class: RecordIsTombstone::CLASS,
        config_def: RecordIsTombstone::config_def,
        new: |_| Ok(Box::new(RecordIsTombstone)),
    },
    PredicatePlugin {
        class: TopicNameMatches::CLASS,
        config_def: TopicNameMatches::config_def,
        new: |config| Ok(Box::new(TopicNameMatches::new(config)?)),
    },
];

/// The transformation whose class ends so, with these texts.
#[cfg(test)]
pub(super) fn made_for_test(
    class: &str,
    entries: &[(&str, &str)],
) -> Result<Box<dyn Transformation>, ConnectError> {
    let class = format!("org.apache.kafka.connect.transforms.{class}");
    let mut all = TRANSFORMS.iter();
    let plugin = all.find(|plugin| plugin.class == class);
    let plugin = plugin.ok_or_else(|| ConnectError::config(class))?;
    (plugin.new)(&super::test_records::config(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_the_order_of_the_names() {
        assert!(TRANSFORMS.is_sorted_by_key(|plugin| plugin.class));
        assert!(PREDICATES.is_sorted_by_key(|plugin| plugin.class));
    }
}
