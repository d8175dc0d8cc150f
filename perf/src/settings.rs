//! What can be set for a scenario, by its file and by options.

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;

use crate::error::{Error, Result};
use crate::input::{Data, Form, Generator};
use crate::template::Template;

/// How values are written in the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Converter {
    /// StringConverter.
    String,
    /// ByteArrayConverter.
    Bytes,
    /// JsonConverter without schemas; values are JSON strings, as a file source makes them.
    Json,
    /// JsonConverter with schemas, strings likewise.
    JsonSchemas,
    /// JsonConverter without schemas; values are JSON objects.
    JsonObjects,
    /// JsonConverter with schemas; values are structs.
    JsonSchemasObjects,
    /// AvroConverter with a schema registry; values are structs.
    Avro,
}

/// What happens to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    /// Its only worker starts, with connectors in its topics.
    Join,
    /// SIGKILL for the worker that leads.
    KillLeader,
    /// SIGKILL for a worker that does not lead.
    KillFollower,
    /// One more worker starts.
    Grow,
    /// All connectors are created at once.
    Burst,
    /// A worker that does not lead stops and starts again.
    Restart,
}

/// What can be set, by a scenario and by options.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Settings {
    /// How many.
    pub(crate) records: u64,
    /// Bytes of each, as a line without its end.
    pub(crate) record_size: usize,
    /// Partitions of each topic.
    pub(crate) partitions: i32,
    /// `tasks.max`.
    pub(crate) tasks: u32,
    /// `compression.type` of what is produced, and of the topic that is read.
    pub(crate) compression: String,
    /// `batch.size` of the producer; the system's default without.
    pub(crate) batch_size: Option<u32>,
    /// What records look like.
    pub(crate) data: Data,
    /// How they stand in the topic.
    pub(crate) converter: Converter,
    /// The sink's lines where transforms change records, see [`Template`]; without, what the converter's
    /// values print.
    pub(crate) expected: Option<String>,
    /// Of so many records one arrives: the others have a header `drop`.
    pub(crate) one_of: u64,
    /// Longest time in seconds from the first record on; what has arrived then counts.
    pub(crate) budget: f64,
    /// Part of the records that warm up.
    pub(crate) warm_up: f64,
    /// Latency: records per second.
    pub(crate) rate: u64,
    /// Latency: seconds before counting. Enough for a JVM to compile what is hot, and to work off what it left
    /// lying meanwhile: on two CPUs 15 s at 50,000 records/s.
    pub(crate) warm_up_seconds: f64,
    /// Latency: seconds counted. Idle: seconds watched.
    pub(crate) duration: f64,
    /// Idle and clusters: how many connectors.
    pub(crate) connectors: u32,
    /// Clusters: how many workers before the event.
    pub(crate) workers: u32,
    /// Clusters: a change is over when no status was written for so many seconds. Members hear of the next
    /// one with a heartbeat, every 3 s.
    pub(crate) quiet: f64,
    /// Clusters: what happens.
    pub(crate) event: Option<Event>,
    /// Ringmain's `shard.count`; its default without.
    pub(crate) shards: Option<u32>,
    /// CPUs of the worker, as `taskset -c` takes them; all without.
    pub(crate) cores: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            records: 5_000_000,
            record_size: 100,
            partitions: 1,
            tasks: 1,
            compression: "none".to_owned(),
            batch_size: None,
            data: Data::Text,
            converter: Converter::String,
            expected: None,
            one_of: 1,
            budget: 20.0,
            warm_up: crate::steady::WARM_UP,
            rate: 10_000,
            warm_up_seconds: 30.0,
            duration: 15.0,
            connectors: 1,
            workers: 1,
            quiet: 4.0,
            event: None,
            shards: None,
            cores: None,
        }
    }
}

impl Settings {
    /// Sets one by its name in scenario files, e.g. `record-size`.
    ///
    /// # Errors
    /// Names the setting and what is wrong with it.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<()> {
        fn parsed<T: std::str::FromStr>(key: &str, value: &str) -> Result<T> {
            let plain = value.replace('_', "");
            let wrong = |_| Error::Usage(format!("{key}: {value:?} is no value for it"));
            plain.parse().map_err(wrong)
        }
        match key {
            "records" => self.records = parsed(key, value)?,
            "record-size" => self.record_size = parsed(key, value)?,
            "partitions" => self.partitions = parsed(key, value)?,
            "tasks" => self.tasks = parsed(key, value)?,
            "compression" => value.clone_into(&mut self.compression),
            "batch-size" if value == "default" => self.batch_size = None,
            "batch-size" => self.batch_size = Some(parsed(key, value)?),
            "budget" => self.budget = parsed(key, value)?,
            "rate" => self.rate = parsed(key, value)?,
            "warm-up-seconds" => self.warm_up_seconds = parsed(key, value)?,
            "duration" => self.duration = parsed(key, value)?,
            "connectors" => self.connectors = parsed(key, value)?,
            "workers" => self.workers = parsed(key, value)?,
            "event" => {
                let text: StrDeserializer<'_, serde::de::value::Error> = value.into_deserializer();
                let known = Event::deserialize(text);
                self.event = Some(known.map_err(|e| Error::Usage(format!("event: {e}")))?);
            }
            "shards" => self.set_shards(parsed(key, value)?),
            "cores" => self.cores = Some(value.to_owned()),
            _ => return Err(Error::Usage(format!("{key} is nothing that varies"))),
        }
        Ok(())
    }

    /// So many shards, on as many CPUs unless `cores` says otherwise: reads on the threads for blocking
    /// calls would give one shard a second CPU.
    fn set_shards(&mut self, shards: u32) {
        self.shards = Some(shards);
        let cpus: Vec<String> = (0..shards).map(|cpu| cpu.to_string()).collect();
        self.cores.get_or_insert(cpus.join(","));
    }

    /// Form of a record in the topic.
    pub(crate) fn form_in_topic(&self) -> Form {
        match self.converter {
            Converter::String | Converter::Bytes | Converter::JsonObjects => Form::Plain,
            Converter::Json => Form::JsonString,
            Converter::JsonSchemas => Form::JsonEnvelope,
            Converter::JsonSchemasObjects => Form::StructEnvelope,
            Converter::Avro => Form::Avro,
        }
    }

    /// Form of a record in a file that a sink wrote.
    pub(crate) fn form_in_file(&self) -> Form {
        match self.converter {
            _ if self.expected.is_some() => Form::Expected,
            Converter::JsonObjects => Form::JavaMap,
            Converter::JsonSchemasObjects | Converter::Avro => Form::Struct,
            _ => Form::Plain,
        }
    }

    /// Makes the records.
    ///
    /// # Errors
    /// `expected` names what records do not have.
    pub(crate) fn generator(&self) -> Result<Generator, String> {
        let parse = |text| Template::parse(text, self.data.members());
        let expected = self.expected.as_deref().map(parse).transpose()?;
        Ok(Generator::new(self.data, self.record_size).expecting(expected))
    }

    /// Whether the records can be made as they stand in the topic, and known again in the file.
    fn check_form(&self) -> Result<(), String> {
        let structs = [Converter::JsonSchemasObjects, Converter::Avro];
        if structs.contains(&self.converter) && self.data != Data::Json {
            return Err("structs are made of data = \"json\"".to_owned());
        }
        if self.converter == Converter::JsonObjects && self.data == Data::Text {
            return Err("a text is no object".to_owned());
        }
        let generator = self.generator().map_err(|why| format!("expected: {why}"))?;
        let in_order = self.partitions == 1 && self.one_of == 1;
        if !generator.is_numbered(self.form_in_file()) && !in_order {
            return Err(
                "lines without a record's number are known by their order, for which there is one \
                 partition from which all records arrive"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// # Errors
    /// Names the setting that is out of its bounds.
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        let wrong = |what: String| Err(Error::Usage(format!("scenario {name}: {what}")));
        let least = Generator::least(self.data);
        if self.record_size < least {
            return wrong(format!("record-size is at least {least} for these data"));
        }
        let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
        if !codecs.contains(&self.compression.as_str()) {
            return wrong(format!("compression is one of {}", codecs.join(", ")));
        }
        if self.one_of == 0 || !self.records.is_multiple_of(self.one_of) {
            return wrong("records are a multiple of one-of, which is at least 1".to_owned());
        }
        self.check_form().or_else(wrong)?;
        if self.records == 0 || self.partitions < 1 || self.tasks == 0 {
            return wrong("records, partitions and tasks are at least 1".to_owned());
        }
        let positive = [self.budget, self.duration, self.warm_up, self.quiet]
            .iter()
            .all(|&x| x > 0.0);
        if !positive || self.warm_up > 0.9 || self.rate == 0 || self.connectors == 0 {
            return wrong(
                "budget, duration, quiet, rate, connectors are above 0, warm-up below 0.9".into(),
            );
        }
        self.check_event().or_else(|why| wrong(why.to_owned()))
    }

    /// Whether there are workers enough for what happens.
    fn check_event(&self) -> Result<(), &'static str> {
        match self.event {
            _ if self.workers == 0 => Err("workers are at least 1"),
            Some(Event::Join) if self.workers > 1 => {
                Err("the event join is about a cluster's only worker")
            }
            Some(Event::KillLeader | Event::KillFollower | Event::Restart) if self.workers < 2 => {
                Err("somebody must be left to take tasks over: workers are at least 2")
            }
            Some(Event::KillLeader | Event::KillFollower | Event::Restart | Event::Grow)
                if self.connectors < self.workers =>
            {
                Err("each worker must have a task: connectors are as many as workers at least")
            }
            _ => Ok(()),
        }
    }
}

/// For people.
pub(crate) fn converter_in_words(converter: Converter) -> &'static str {
    match converter {
        Converter::String => "String",
        Converter::Bytes => "ByteArray",
        Converter::Json => "Json without schemas (strings)",
        Converter::JsonSchemas => "Json with schemas (strings)",
        Converter::JsonObjects => "Json without schemas (objects)",
        Converter::JsonSchemasObjects => "Json with schemas (structs)",
        Converter::Avro => "Avro with a schema registry (structs)",
    }
}
