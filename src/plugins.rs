//! The one list of plugins: class name and aliases → kind, configuration definition, constructor.
//!
//! A list can be read; nothing registers itself. Embedders add their own with [`Plugins::with`]. Entries
//! are plain function pointers, so the list is shared by all threads.

use std::collections::HashMap;

use crate::api::config_def::{ConfigDef, ConfigProblem};
use crate::api::{
    ConfigMap, ConnectError, Connector, ConnectorKind, Converter, HeaderConverter, Predicate,
    SinkTask, SourceMap, SourceTask, Transformation,
};
use crate::config::PluginKeys;
use crate::config::connector::StepKind;
use crate::connectors::{
    NumberedTasks, datagen, file_stream, mirror, mock, null_sink, schema_source, verifiable,
};
use crate::converters::{self, ConverterPlugin};
use crate::transforms::{self, PredicatePlugin, TransformPlugin};

/// Version that built-in plugins show: tools switch on it.
pub const PLUGIN_VERSION: &str = "4.3.1";

/// Makes a connector's tasks.
#[derive(Debug, Clone, Copy)]
pub enum TaskFactory {
    /// A source connector's.
    Source(fn() -> Box<dyn SourceTask>),
    /// A sink connector's.
    Sink(fn() -> Box<dyn SinkTask>),
}

/// One connector class.
#[derive(Debug, Clone, Copy)]
pub struct ConnectorPlugin {
    /// Fully qualified class name (Kafka's, where Kafka has the connector).
    pub class: &'static str,
    /// Names it goes by beside those made from the class.
    pub aliases: &'static [&'static str],
    /// Fully qualified class name of the task, as `task.class` shows it.
    pub task_class: &'static str,
    /// Version shown.
    pub version: &'static str,
    /// The connector's own keys.
    pub config_def: fn() -> ConfigDef,
    /// A connector instance.
    pub connector: fn() -> Box<dyn Connector>,
    /// Task instances.
    pub tasks: TaskFactory,
    /// Checks source offsets that a user stores through the REST API, and changes them where the
    /// connector keeps them; without it any are taken, and the answer says that nobody confirmed them.
    pub alter_offsets: Option<AlterOffsets>,
    /// The same for the offsets of a sink.
    pub alter_sink_offsets: Option<AlterSinkOffsets>,
    /// Whether a source gives exactly-once delivery with a configuration; without it nobody knows.
    pub exactly_once: Option<ExactlyOnce>,
    /// Finds what the definitions of single keys cannot tell.
    pub problems: Option<FindProblems>,
    /// Keys that it knows besides its own, and that no form shows: those of clients, say.
    pub further_keys: Option<fn() -> ConfigDef>,
}

/// Finds problems of a configuration, each under its key (Kafka: `Connector.validate`).
pub type FindProblems = fn(&ConfigMap) -> Vec<ConfigProblem>;

/// Whether a source gives exactly-once delivery with a configuration (Kafka:
/// `SourceConnector.exactlyOnceSupport`).
pub type ExactlyOnce = fn(&ConfigMap) -> Result<bool, ConnectError>;

/// Checks pairs of source partition and offset against a configuration; an offset of `None` removes it
/// (Kafka: `SourceConnector.alterOffsets`). May block. An error of Java's class
/// `java.lang.UnsupportedOperationException` says that the connector's offsets cannot be changed.
pub type AlterOffsets =
    fn(&ConfigMap, &[(Option<SourceMap>, Option<SourceMap>)]) -> Result<(), ConnectError>;

/// What shall become of a partition's committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkOffset {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Next offset to read; `None` removes it.
    pub offset: Option<i64>,
}

/// As [`AlterOffsets`], for a sink (Kafka: `SinkConnector.alterOffsets`).
pub type AlterSinkOffsets = fn(&ConfigMap, &[SinkOffset]) -> Result<(), ConnectError>;

impl ConnectorPlugin {
    /// A plugin of version [`PLUGIN_VERSION`] without aliases and hooks.
    pub const fn new(
        class: &'static str,
        task_class: &'static str,
        config_def: fn() -> ConfigDef,
        connector: fn() -> Box<dyn Connector>,
        tasks: TaskFactory,
    ) -> Self {
        Self {
            class,
            aliases: &[],
            task_class,
            version: PLUGIN_VERSION,
            config_def,
            connector,
            tasks,
            alter_offsets: None,
            alter_sink_offsets: None,
            exactly_once: None,
            problems: None,
            further_keys: None,
        }
    }

    /// Source or sink.
    pub fn kind(&self) -> ConnectorKind {
        match self.tasks {
            TaskFactory::Source(_) => ConnectorKind::Source,
            TaskFactory::Sink(_) => ConnectorKind::Sink,
        }
    }
}

/// The built-in connectors; each folder of `connectors/` has its entries here.
const BUILTIN_CONNECTORS: &[ConnectorPlugin] = &[
    ConnectorPlugin {
        alter_offsets: Some(file_stream::alter_offsets),
        exactly_once: Some(file_stream::supports_exactly_once),
        ..ConnectorPlugin::new(
            file_stream::SOURCE_CLASS,
            file_stream::SOURCE_TASK_CLASS,
            file_stream::source_config,
            || Box::<file_stream::FileStreamSource>::default(),
            TaskFactory::Source(|| Box::<file_stream::FileStreamSourceTask>::default()),
        )
    },
    ConnectorPlugin {
        alter_sink_offsets: Some(|_, _| Ok(())),
        ..ConnectorPlugin::new(
            file_stream::SINK_CLASS,
            file_stream::SINK_TASK_CLASS,
            file_stream::sink_config,
            || Box::<file_stream::FileStreamSink>::default(),
            TaskFactory::Sink(|| Box::<file_stream::FileStreamSinkTask>::default()),
        )
    },
    ConnectorPlugin {
        alter_offsets: Some(mirror::alter_offsets),
        problems: Some(mirror::problems),
        further_keys: Some(mirror::further_keys),
        ..ConnectorPlugin::new(
            mirror::CLASS,
            mirror::TASK_CLASS,
            mirror::config_def,
            || Box::<mirror::MirrorSource>::default(),
            TaskFactory::Source(|| Box::<mirror::MirrorSourceTask>::default()),
        )
    },
    ConnectorPlugin {
        aliases: datagen::ALIASES,
        ..ConnectorPlugin::new(
            datagen::CLASS,
            datagen::TASK_CLASS,
            datagen::config_def,
            || Box::<datagen::Datagen>::default(),
            TaskFactory::Source(|| Box::<datagen::DatagenTask>::default()),
        )
    },
    ConnectorPlugin {
        alter_sink_offsets: Some(|_, _| Ok(())),
        ..ConnectorPlugin::new(
            null_sink::CLASS,
            null_sink::TASK_CLASS,
            null_sink::config_def,
            || Box::<null_sink::NullSink>::default(),
            TaskFactory::Sink(|| Box::<null_sink::NullSinkTask>::default()),
        )
    },
    ConnectorPlugin::new(
        verifiable::SOURCE_CLASS,
        verifiable::SOURCE_TASK_CLASS,
        ConfigDef::new,
        || Box::<NumberedTasks>::default(),
        TaskFactory::Source(|| Box::<verifiable::VerifiableSourceTask>::default()),
    ),
    ConnectorPlugin::new(
        verifiable::SINK_CLASS,
        verifiable::SINK_TASK_CLASS,
        ConfigDef::new,
        || Box::<NumberedTasks>::default(),
        TaskFactory::Sink(|| Box::<verifiable::VerifiableSinkTask>::default()),
    ),
    ConnectorPlugin::new(
        mock::SOURCE_CLASS,
        mock::SOURCE_TASK_CLASS,
        ConfigDef::new,
        || Box::<mock::MockConnector>::default(),
        TaskFactory::Source(|| Box::<mock::MockSourceTask>::default()),
    ),
    ConnectorPlugin::new(
        mock::SINK_CLASS,
        mock::SINK_TASK_CLASS,
        ConfigDef::new,
        || Box::<mock::MockConnector>::default(),
        TaskFactory::Sink(|| Box::<mock::MockSinkTask>::default()),
    ),
    ConnectorPlugin::new(
        schema_source::CLASS,
        schema_source::TASK_CLASS,
        ConfigDef::new,
        || Box::<NumberedTasks>::default(),
        TaskFactory::Source(|| Box::<schema_source::SchemaSourceTask>::default()),
    ),
];

/// The plugins of a process.
#[derive(Debug, Clone)]
pub struct Plugins {
    connectors: Vec<ConnectorPlugin>,
    converters: Vec<ConverterPlugin>,
    transformations: Vec<TransformPlugin>,
    predicates: Vec<PredicatePlugin>,
}

/// A class name names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "Failed to find any class that implements {interface} and which name matches {name}, available {kind} are: {available}"
)]
pub struct UnknownPlugin {
    /// Kafka's interface name, such as `Connector` or `Converter`.
    interface: &'static str,
    /// The name looked for.
    name: String,
    /// Plural of what was looked for.
    kind: &'static str,
    /// The classes there are.
    available: String,
}

impl Plugins {
    /// Everything that is built in.
    pub fn builtin() -> Self {
        Self {
            connectors: BUILTIN_CONNECTORS.to_vec(),
            converters: converters::ALL.to_vec(),
            transformations: transforms::TRANSFORMS.to_vec(),
            predicates: transforms::PREDICATES.to_vec(),
        }
    }

    /// The same list with one more connector.
    #[must_use]
    pub fn with(mut self, connector: ConnectorPlugin) -> Self {
        self.connectors.push(connector);
        self
    }

    /// The same list with one more transformation.
    #[must_use]
    pub fn with_transformation(mut self, transformation: TransformPlugin) -> Self {
        self.transformations.push(transformation);
        self
    }

    /// The same list with one more predicate.
    #[must_use]
    pub fn with_predicate(mut self, predicate: PredicatePlugin) -> Self {
        self.predicates.push(predicate);
        self
    }

    /// Connectors, sinks first, by class name.
    pub fn connectors(&self) -> Vec<&ConnectorPlugin> {
        let mut all: Vec<_> = self.connectors.iter().collect();
        all.sort_by_key(|plugin| (plugin.kind() == ConnectorKind::Source, plugin.class));
        all
    }

    /// Converters, by class name.
    pub fn converters(&self) -> &[ConverterPlugin] {
        &self.converters
    }

    /// Transformations, by class name.
    pub fn transformations(&self) -> &[TransformPlugin] {
        &self.transformations
    }

    /// Predicates, by class name.
    pub fn predicates(&self) -> &[PredicatePlugin] {
        &self.predicates
    }

    /// The transformation of a full class name or of what follows its package
    /// (`InsertField$Value`).
    pub fn transformation_plugin(&self, name: &str) -> Option<&TransformPlugin> {
        by_class(&self.transformations, name, |plugin| plugin.class)
    }

    /// The predicate of a full class name or a simple name.
    pub fn predicate_plugin(&self, name: &str) -> Option<&PredicatePlugin> {
        by_class(&self.predicates, name, |plugin| plugin.class)
    }

    /// The own keys of a transformation's or predicate's class, `None` when there is no such class.
    pub fn step_keys(&self, kind: StepKind, name: &str) -> Option<ConfigDef> {
        let config_def = match kind {
            StepKind::Transformation => self.transformation_plugin(name)?.config_def,
            StepKind::Predicate => self.predicate_plugin(name)?.config_def,
        };
        Some(config_def())
    }

    /// The keys of all transformations and predicates by class, for [`crate::config::reference`]. The
    /// classes for keys and for values share theirs.
    pub fn step_keys_by_class(&self) -> Vec<PluginKeys> {
        let transformations = self.transformations.iter();
        let predicates = self.predicates.iter();
        let all = transformations
            .map(|plugin| (plugin.class, plugin.config_def))
            .chain(predicates.map(|plugin| (plugin.class, plugin.config_def)));
        let mut sections: Vec<PluginKeys> = Vec::new();
        for (class, config_def) in all {
            let name = class.rsplit('.').next().unwrap_or(class);
            let (base, part) = name.split_once('$').unwrap_or((name, ""));
            match sections.last_mut() {
                Some(last) if last.title == format!("{base}$Key") && part == "Value" => {
                    last.title.push_str(&format!(", {name}"));
                }
                _ => sections.push(PluginKeys {
                    title: name.to_owned(),
                    keys: config_def(),
                }),
            }
        }
        sections
    }

    /// A transformation made from the texts below `transforms.<alias>.`.
    ///
    /// # Errors
    /// Unknown class or a bad configuration.
    pub fn transformation(
        &self,
        name: &str,
        config: &ConfigMap,
    ) -> Result<Box<dyn Transformation>, ConnectError> {
        let plugin = self.transformation_plugin(name).ok_or_else(|| {
            let all = self.transformations.iter().map(|plugin| plugin.class);
            unknown("Transformation", name, "transformations", all)
        })?;
        (plugin.new)(config)
    }

    /// A predicate made from the texts below `predicates.<alias>.`.
    ///
    /// # Errors
    /// Unknown class or a bad configuration.
    pub fn predicate(
        &self,
        name: &str,
        config: &ConfigMap,
    ) -> Result<Box<dyn Predicate>, ConnectError> {
        let plugin = self.predicate_plugin(name).ok_or_else(|| {
            let all = self.predicates.iter().map(|plugin| plugin.class);
            unknown("Predicate", name, "predicates", all)
        })?;
        (plugin.new)(config)
    }

    /// The connector of a full class name, simple name, or simple name without `Connector`. A short name
    /// that fits two classes fits none.
    ///
    /// # Errors
    /// Lists the classes there are.
    pub fn connector(&self, name: &str) -> Result<&ConnectorPlugin, UnknownPlugin> {
        let by_alias = || {
            let named = |plugin: &&ConnectorPlugin| plugin.aliases.contains(&name);
            self.connectors.iter().find(named)
        };
        let found = find(&self.connectors, name, |plugin| plugin.class).or_else(by_alias);
        found.ok_or_else(|| {
            let all = self.connectors();
            UnknownPlugin {
                interface: "Connector",
                name: name.to_owned(),
                kind: "connectors",
                available: all.iter().map(|p| p.class).collect::<Vec<_>>().join(", "),
            }
        })
    }

    fn converter_plugin(&self, name: &str) -> Result<&ConverterPlugin, UnknownPlugin> {
        let by_alias =
            |plugin: &&ConverterPlugin| plugin.class == name || plugin.aliases.contains(&name);
        self.converters
            .iter()
            .find(by_alias)
            .ok_or_else(|| UnknownPlugin {
                interface: "Converter",
                name: name.to_owned(),
                kind: "converters",
                available: self
                    .converters
                    .iter()
                    .map(|p| p.class)
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }

    /// A converter for keys or values.
    ///
    /// # Errors
    /// Unknown class, a class for headers only, or a bad configuration.
    pub fn converter(
        &self,
        name: &str,
        config: &ConfigMap,
        is_key: bool,
    ) -> Result<Box<dyn Converter>, ConnectError> {
        let plugin = self.converter_plugin(name).map_err(config_error)?;
        let Some(new) = plugin.converter else {
            return Err(ConnectError::config(format!(
                "{name} converts headers only"
            )));
        };
        new(config, is_key)
    }

    /// A converter for headers.
    ///
    /// # Errors
    /// Unknown class or a bad configuration.
    pub fn header_converter(
        &self,
        name: &str,
        config: &ConfigMap,
    ) -> Result<Box<dyn HeaderConverter>, ConnectError> {
        let plugin = self.converter_plugin(name).map_err(config_error)?;
        (plugin.header_converter)(config)
    }
}

fn config_error(unknown: UnknownPlugin) -> ConnectError {
    ConnectError::config(unknown.to_string())
}

fn unknown(
    interface: &'static str,
    name: &str,
    kind: &'static str,
    available: impl Iterator<Item = &'static str>,
) -> ConnectError {
    config_error(UnknownPlugin {
        interface,
        name: name.to_owned(),
        kind,
        available: available.collect::<Vec<_>>().join(", "),
    })
}

/// The plugin whose class is `name`, or the only one whose class without its package is.
fn by_class<'a, T>(
    all: &'a [T],
    name: &str,
    class_of: impl Fn(&T) -> &'static str,
) -> Option<&'a T> {
    if let Some(exact) = all.iter().find(|plugin| class_of(plugin) == name) {
        return Some(exact);
    }
    let mut fitting = all
        .iter()
        .filter(|plugin| class_of(plugin).rsplit('.').next() == Some(name));
    fitting.next().filter(|_| fitting.next().is_none())
}

/// The last part of a class name.
fn simple_name(class: &str) -> &str {
    class.rsplit(['.', '$']).next().unwrap_or(class)
}

fn find<'a, T>(all: &'a [T], name: &str, class_of: impl Fn(&T) -> &'static str) -> Option<&'a T> {
    if let Some(exact) = all.iter().find(|plugin| class_of(plugin) == name) {
        return Some(exact);
    }
    let mut by_name: HashMap<&str, Vec<&T>> = HashMap::new();
    for plugin in all {
        let simple = simple_name(class_of(plugin));
        let short = simple.strip_suffix("Connector").unwrap_or(simple);
        by_name.entry(simple).or_default().push(plugin);
        if short != simple {
            by_name.entry(short).or_default().push(plugin);
        }
    }
    match by_name.get(name).map(Vec::as_slice) {
        Some([one]) => Some(one),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_found_by_full_simple_and_short_name_and_an_ambiguous_short_name_is_not() {
        let all = [
            "org.a.FileStreamSinkConnector",
            "org.a.XConnector",
            "org.b.XConnector",
        ];
        let found = |name| find(&all, name, |class| class).copied();
        for name in [
            "org.a.FileStreamSinkConnector",
            "FileStreamSinkConnector",
            "FileStreamSink",
        ] {
            assert_eq!(found(name), Some("org.a.FileStreamSinkConnector"), "{name}");
        }
        assert_eq!(found("X"), None);
        assert_eq!(found("org.b.XConnector"), Some("org.b.XConnector"));
        assert_eq!(found("filestreamsink"), None);
    }

    #[test]
    fn apaches_connectors_are_found_by_the_names_that_configurations_use() {
        let plugins = Plugins::builtin();
        for (name, class) in [
            ("FileStreamSource", file_stream::SOURCE_CLASS),
            ("FileStreamSourceConnector", file_stream::SOURCE_CLASS),
            (file_stream::SINK_CLASS, file_stream::SINK_CLASS),
            ("FileStreamSink", file_stream::SINK_CLASS),
            ("VerifiableSource", verifiable::SOURCE_CLASS),
            ("MockSinkConnector", mock::SINK_CLASS),
            ("SchemaSource", schema_source::CLASS),
            ("MirrorSource", mirror::CLASS),
            ("MirrorSourceConnector", mirror::CLASS),
            ("Datagen", datagen::CLASS),
            ("DatagenSource", datagen::CLASS),
            ("NullSink", null_sink::CLASS),
        ] {
            assert_eq!(plugins.connector(name).unwrap().class, class, "{name}");
        }
        for plugin in plugins.connectors() {
            let sink = plugin.class.contains("Sink");
            assert_eq!(plugin.kind() == ConnectorKind::Sink, sink);
        }
        let error = plugins.connector("Nope").unwrap_err().to_string();
        let start = "Failed to find any class that implements Connector and which name matches Nope, available connectors are: ";
        assert!(error.starts_with(start), "{error}");
        assert!(error.contains(file_stream::SINK_CLASS), "{error}");
    }

    #[test]
    fn transformations_and_predicates_are_found_by_class_and_by_what_follows_the_package() {
        let plugins = Plugins::builtin();
        for (name, class) in [
            (
                "org.apache.kafka.connect.transforms.InsertField$Key",
                "org.apache.kafka.connect.transforms.InsertField$Key",
            ),
            (
                "InsertField$Value",
                "org.apache.kafka.connect.transforms.InsertField$Value",
            ),
            ("Filter", "org.apache.kafka.connect.transforms.Filter"),
        ] {
            assert_eq!(plugins.transformation_plugin(name).unwrap().class, class);
        }
        let predicate = plugins.predicate_plugin("RecordIsTombstone").unwrap();
        assert!(predicate.class.ends_with(".predicates.RecordIsTombstone"));
        // Both of its classes end so.
        assert!(plugins.transformation_plugin("Value").is_none());
        let error = plugins
            .transformation("Nope", &ConfigMap::new())
            .err()
            .unwrap();
        let start = "Failed to find any class that implements Transformation and which name matches Nope, available transformations are: ";
        assert!(error.message().starts_with(start), "{error}");
        for plugin in plugins.transformations() {
            // Those that need nothing aside, each names the first key that it misses.
            if let Ok(made) = (plugin.new)(&ConfigMap::new()) {
                assert_eq!(made.class_name(), plugin.class);
            }
        }
    }

    /// `RINGMAIN_WRITE_REFERENCE=1 cargo test reference` writes the file anew.
    #[test]
    fn the_committed_reference_is_up_to_date() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/REFERENCE.md");
        let made = crate::config::reference(&Plugins::builtin().step_keys_by_class());
        if std::env::var_os("RINGMAIN_WRITE_REFERENCE").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == made,
            "configs/REFERENCE.md is out of date: run RINGMAIN_WRITE_REFERENCE=1 cargo test reference"
        );
    }

    #[test]
    fn an_unknown_class_lists_what_there_is() {
        let error = Plugins::builtin()
            .converter("Nope", &ConfigMap::new(), false)
            .err()
            .unwrap();
        assert!(
            error
                .message()
                .contains("org.apache.kafka.connect.storage.StringConverter")
        );
    }
}
