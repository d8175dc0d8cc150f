//! From files to a checked configuration. Nothing is started and nothing is written.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::api::{ConfigDef, ConfigMap, ConnectorKind};
use crate::cli::{Exit, print_error};
use crate::clients::Lease;
use crate::config::connector::warnings as connector_warnings;
use crate::config::connector_file::{self, ConnectorFile};
use crate::config::worker::{self, Log, WorkerConfig, WorkerFile};
use crate::config::{PluginConfig, Warning};
use crate::herder::validation;
use crate::plugins::Plugins;
use crate::storage::{ActiveTopics, OffsetStore};
use crate::worker::{EmbeddedAccess, KafkaAccess, LogAccess, WorkerShared};

/// What the worker in Apache's `connect-standalone.properties` converts with.
const STOCK_CONVERTER: &str = "org.apache.kafka.connect.json.JsonConverter";

/// Keys that a worker has to have, but a run without brokers has no use for.
const BROKERS: (&str, &str) = ("bootstrap.servers", "localhost:9092");
/// A distributed worker has none; a preview stores no offsets.
const OFFSET_FILE: (&str, &str) = ("offset.storage.file.filename", "");

/// A connector that may be previewed.
pub(super) struct Setup {
    pub(super) connector: ConnectorFile,
    pub(super) shared: Arc<WorkerShared>,
    /// Full name of its class.
    pub(super) class: &'static str,
    pub(super) kind: ConnectorKind,
    /// `errors.tolerance=all`.
    pub(super) tolerates: bool,
    /// What its user should know.
    pub(super) warnings: Vec<Warning>,
    path: PathBuf,
}

impl Setup {
    /// Reads and checks the files for a run without brokers. Without a worker's file, converters that
    /// the connector does not name are those of Apache's stock worker.
    pub(super) fn offline(
        plugins: Plugins,
        path: &Path,
        worker_path: Option<&Path>,
    ) -> Result<Self, Exit> {
        let connector = read(path)?;
        let mut defaults = ConfigMap::from_iter([BROKERS, OFFSET_FILE].map(entry));
        if worker_path.is_none() {
            for key in ["key.converter", "value.converter"] {
                defaults.insert(key.to_owned(), Some(STOCK_CONVERTER.to_owned()));
                if !connector.config.contains_key(key) {
                    tracing::warn!(
                        "{key} is not set in {} and no --worker is given: taking {STOCK_CONVERTER}, as Apache's stock worker does",
                        path.display()
                    );
                }
            }
        }
        let worker = worker::load_with(worker_path, &defaults).map_err(usage)?;
        check(&plugins, &worker, path, &connector)?;
        let offsets = OffsetStore::in_memory();
        Self::of(
            plugins,
            path,
            connector,
            worker,
            offsets,
            Box::new(KafkaAccess),
        )
    }

    /// Reads and checks the files for a look at the running connector.
    pub(super) fn live(plugins: Plugins, path: &Path, worker_path: &Path) -> Result<Self, Exit> {
        let connector = read(path)?;
        let defaults = ConfigMap::from_iter([OFFSET_FILE].map(entry));
        let worker = worker::load_with(Some(worker_path), &defaults).map_err(usage)?;
        check(&plugins, &worker, path, &connector)?;
        let mut warnings = worker.warnings.clone();
        let offsets = stored_offsets(&worker.config, &mut warnings);
        let is_sink = plugins
            .connector(class_of(&connector))
            .is_ok_and(|plugin| plugin.kind() == ConnectorKind::Sink);
        let log = log(&worker.config, is_sink)?;
        let mut setup = Self::of(plugins, path, connector, worker, offsets, log)?;
        setup.find_warnings(warnings);
        Ok(setup)
    }

    fn of(
        plugins: Plugins,
        path: &Path,
        connector: ConnectorFile,
        worker: WorkerFile,
        offsets: OffsetStore,
        log: Box<dyn LogAccess>,
    ) -> Result<Self, Exit> {
        let plugin = plugins.connector(class_of(&connector)).map_err(usage)?;
        let (class, kind) = (plugin.class, plugin.kind());
        let tolerance = connector.config.get("errors.tolerance");
        let tolerates = tolerance.and_then(Option::as_deref).map(str::trim) == Some("all");
        Ok(Self {
            class,
            kind,
            tolerates,
            warnings: Vec::new(),
            path: path.to_owned(),
            shared: Arc::new(WorkerShared {
                config: worker.config,
                providers: worker.providers,
                plugins,
                offsets: offsets.into(),
                active_topics: ActiveTopics::default(),
                log,
                lease: Lease::unlimited(),
            }),
            connector,
        })
    }

    fn find_warnings(&mut self, mut warnings: Vec<Warning>) {
        let config = &self.connector.config;
        if let Ok(plugin) = self.shared.plugins.connector(self.class) {
            let further = plugin
                .further_keys
                .map_or_else(ConfigDef::new, |keys| keys());
            let known = [&(plugin.config_def)(), &further];
            let steps = |kind, class: &str| self.shared.plugins.step_keys(kind, class);
            warnings.extend(connector_warnings(self.kind, config, &known, Some(&steps)));
        }
        if self.tolerates && !reports_failures(config) {
            let message = "records that fail would be dropped without a trace";
            let fix = "set errors.log.enable=true, or errors.deadletterqueue.topic.name";
            warnings.push(Warning::new("errors.tolerance", message).with_fix(fix));
        }
        self.warnings = warnings;
    }

    /// The classes of the converters for keys, values and headers, as they were written.
    pub(super) fn converters(&self) -> [String; 3] {
        let worker = &self.shared.config;
        let of = |key: &str, workers: &PluginConfig| {
            let own = self.connector.config.get(key).and_then(Option::as_deref);
            own.map_or_else(|| workers.class.clone(), |class| class.trim().to_owned())
        };
        [
            of("key.converter", &worker.key_converter),
            of("value.converter", &worker.value_converter),
            of("header.converter", &worker.header_converter),
        ]
    }

    /// What to say about a topic that records would go to and that is not there.
    pub(super) fn missing_topic(&self, topic: &str) -> Warning {
        let key = "topic.creation.default.partitions";
        let creates =
            self.shared.config.topic_creation_enable && self.connector.config.contains_key(key);
        if creates {
            let message =
                format!("topic '{topic}' is not there yet; the connector would create it");
            return Warning::new(key, message);
        }
        let message =
            format!("topic '{topic}' is not there, and this connector does not create it");
        Warning::new(key, message).with_fix(
            "create it, or set topic.creation.default.partitions and topic.creation.default.replication.factor; brokers may also be set to create topics by use",
        )
    }

    /// Prints why the configuration can't be used.
    pub(super) fn refuse(&self, error: &impl Display) {
        print_error(&format!("{}: {error}", self.path.display()));
    }
}

/// Refuses what Kafka's validation would refuse.
fn check(
    plugins: &Plugins,
    worker: &WorkerFile,
    path: &Path,
    connector: &ConnectorFile,
) -> Result<(), Exit> {
    validation::problems(plugins, worker, &connector.config)
        .map_err(|problems| usage(format!("{}: {problems}", path.display())))
}

fn reports_failures(config: &ConfigMap) -> bool {
    let text = |key: &str| {
        let value = config.get(key).and_then(Option::as_deref);
        value.unwrap_or_default().trim()
    };
    text("errors.log.enable").eq_ignore_ascii_case("true")
        || !text("errors.deadletterqueue.topic.name").is_empty()
}

/// What the worker has stored, read beside it; none for a worker without an offset file.
fn stored_offsets(config: &WorkerConfig, warnings: &mut Vec<Warning>) -> OffsetStore {
    let key = OFFSET_FILE.0;
    let file = config.offset_file().unwrap_or(Path::new(""));
    if file.as_os_str().is_empty() {
        let message = "not set: a source is shown from its beginning";
        warnings.push(Warning::new(key, message).with_fix("name the worker's offset file"));
        return OffsetStore::in_memory();
    }
    OffsetStore::read_file(file).unwrap_or_else(|error| {
        let message = format!("{error}: a source is shown from its beginning");
        warnings.push(Warning::new(key, message));
        OffsetStore::in_memory()
    })
}

/// The worker's log. The embedded one is opened for a sink alone, whose topics are in it: one process at
/// a time holds it.
fn log(config: &WorkerConfig, is_sink: bool) -> Result<Box<dyn LogAccess>, Exit> {
    let Log::Embedded(dir) = &config.log else {
        return Ok(Box::new(KafkaAccess));
    };
    if !is_sink {
        return Ok(Box::new(KafkaAccess));
    }
    if !dir.is_dir() {
        let reason = format!(
            "bootstrap.servers: there is no embedded log in {}",
            dir.display()
        );
        return Err(usage(reason));
    }
    let opened = EmbeddedAccess::open(dir, &config.embedded);
    let opened = opened.map_err(|error| {
        print_error(&error.to_string());
        Exit::Failure
    })?;
    Ok(Box::new(opened))
}

fn read(path: &Path) -> Result<ConnectorFile, Exit> {
    connector_file::load(path).map_err(usage)
}

fn class_of(connector: &ConnectorFile) -> &str {
    let class = connector.config.get("connector.class");
    class.and_then(Option::as_deref).unwrap_or_default().trim()
}

fn entry((key, text): (&str, &str)) -> (String, Option<String>) {
    (key.to_owned(), Some(text.to_owned()))
}

fn usage(reason: impl Display) -> Exit {
    print_error(&reason.to_string());
    Exit::Usage
}
