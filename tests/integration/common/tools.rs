//! Kafka's own command line tools. Each call starts a JVM, about a second: use them where they
//! are the point, and [`super::Client`] elsewhere.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Kafka, PATIENCE, Process, scratch_dir};

/// One line of `kafka-consumer-groups --describe`; `None` where the tool prints `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupRow {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) current_offset: Option<i64>,
    pub(crate) log_end_offset: Option<i64>,
    pub(crate) lag: Option<i64>,
    pub(crate) consumer_id: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) client_id: Option<String>,
}

impl Kafka {
    /// `kafka-console-producer` with `input` as its standard input; `settings` are producer keys
    /// such as `linger.ms=0`, `options` more of the tool's arguments (`--compression-codec` is one:
    /// the tool overwrites the setting).
    pub(crate) fn console_produce(
        &self,
        bootstrap: &str,
        topic: &str,
        input: &[u8],
        settings: &[&str],
        options: &[&str],
    ) {
        let mut tool = self.tool("org.apache.kafka.tools.ConsoleProducer");
        tool.args(["--bootstrap-server", bootstrap, "--topic", topic])
            .args(options);
        for setting in settings {
            tool.args(["--command-property", setting]);
        }
        self.run_tool("console-producer", tool, input);
    }

    /// `kafka-console-consumer` from the beginning, exactly `count` records of all partitions.
    pub(crate) fn console_consume(
        &self,
        bootstrap: &str,
        topic: &str,
        count: usize,
        options: &[&str],
    ) -> String {
        let mut tool = self.tool("org.apache.kafka.tools.consumer.ConsoleConsumer");
        tool.args([
            "--bootstrap-server",
            bootstrap,
            "--topic",
            topic,
            "--from-beginning",
        ])
        .args([
            "--max-messages",
            &count.to_string(),
            "--timeout-ms",
            "30000",
        ])
        .args(options);
        self.run_tool("console-consumer", tool, b"")
    }

    /// As [`Kafka::console_consume`], a line `Partition Offset Headers Key Value` by tabs each.
    pub(crate) fn console_consume_everything(
        &self,
        bootstrap: &str,
        topic: &str,
        count: usize,
    ) -> String {
        let options: Vec<String> = ["partition", "offset", "headers", "key"]
            .iter()
            .flat_map(|what| {
                [
                    "--formatter-property".to_owned(),
                    format!("print.{what}=true"),
                ]
            })
            .collect();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        self.console_consume(bootstrap, topic, count, &options)
    }

    /// `kafka-topics --create` with topic settings such as `max.message.bytes=100`.
    pub(crate) fn create_topic(
        &self,
        bootstrap: &str,
        topic: &str,
        partitions: i32,
        replicas: i32,
        settings: &[&str],
    ) {
        let mut tool = self.tool("org.apache.kafka.tools.TopicCommand");
        tool.args([
            "--bootstrap-server",
            bootstrap,
            "--create",
            "--topic",
            topic,
        ])
        .args(["--partitions", &partitions.to_string()])
        .args(["--replication-factor", &replicas.to_string()]);
        for setting in settings {
            tool.args(["--config", setting]);
        }
        self.run_tool("topics", tool, b"");
    }

    /// `kafka-configs` for a user of both SCRAM mechanisms, one at a time: the broker wants it so.
    pub(crate) fn set_scram_password(&self, bootstrap: &str, user: &str, password: &str) {
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let mut tool = self.tool("kafka.admin.ConfigCommand");
            let setting = format!("{mechanism}=[password={password}]");
            tool.args(["--bootstrap-server", bootstrap, "--alter"])
                .args(["--add-config", &setting])
                .args(["--entity-type", "users", "--entity-name", user]);
            self.run_tool("configs", tool, b"");
        }
    }

    /// `kafka-topics --alter --partitions`.
    pub(crate) fn set_partitions(&self, bootstrap: &str, topic: &str, total: i32) {
        let mut tool = self.tool("org.apache.kafka.tools.TopicCommand");
        tool.args(["--bootstrap-server", bootstrap, "--alter", "--topic", topic])
            .args(["--partitions", &total.to_string()]);
        self.run_tool("topics", tool, b"");
    }

    /// `kafka-topics --describe`.
    pub(crate) fn describe_topic(&self, bootstrap: &str, topic: &str) -> String {
        let mut tool = self.tool("org.apache.kafka.tools.TopicCommand");
        tool.args([
            "--bootstrap-server",
            bootstrap,
            "--describe",
            "--topic",
            topic,
        ]);
        self.run_tool("topics", tool, b"")
    }

    /// `kafka-consumer-groups --describe`.
    pub(crate) fn describe_group(&self, bootstrap: &str, group: &str) -> Vec<GroupRow> {
        let mut tool = self.tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand");
        tool.args([
            "--bootstrap-server",
            bootstrap,
            "--describe",
            "--group",
            group,
        ]);
        let text = self.run_tool("consumer-groups", tool, b"");
        text.lines()
            .filter_map(|line| parse_group_row(group, line))
            .collect()
    }

    /// `kafka-get-offsets`: (topic, partition, end offset).
    pub(crate) fn end_offsets(&self, bootstrap: &str, topic: &str) -> Vec<(String, i32, i64)> {
        let mut tool = self.tool("org.apache.kafka.tools.GetOffsetShell");
        tool.args(["--bootstrap-server", bootstrap, "--topic", topic]);
        let text = self.run_tool("get-offsets", tool, b"");
        let parse = |line: &str| {
            let mut parts = line.split(':');
            let topic = parts.next()?.to_owned();
            Some((
                topic,
                parts.next()?.parse().ok()?,
                parts.next()?.parse().ok()?,
            ))
        };
        text.lines().filter_map(parse).collect()
    }

    /// `kafka-dump-log --print-data-log --deep-iteration` over segment files.
    pub(crate) fn dump_log(&self, segments: &[&Path]) -> String {
        let files: Vec<String> = segments.iter().map(|s| s.display().to_string()).collect();
        let mut tool = self.tool("org.apache.kafka.tools.DumpLogSegments");
        tool.args([
            "--deep-iteration",
            "--print-data-log",
            "--files",
            &files.join(","),
        ]);
        self.run_tool_for_all("dump-log", tool)
    }

    /// As [`Kafka::dump_log`], batch headers and index checks only: for large logs.
    pub(crate) fn dump_log_batches(&self, segments: &[&Path]) -> String {
        let files: Vec<String> = segments.iter().map(|s| s.display().to_string()).collect();
        let mut tool = self.tool("org.apache.kafka.tools.DumpLogSegments");
        tool.args(["--files", &files.join(",")]);
        self.run_tool_for_all("dump-log", tool)
    }

    fn tool(&self, class: &str) -> Command {
        let mut command = self.java(256, "WARN");
        command.arg(class);
        command
    }

    /// `kafka-topics --delete`.
    pub(crate) fn delete_topic(&self, bootstrap: &str, topic: &str) {
        let mut tool = self.tool("org.apache.kafka.tools.TopicCommand");
        tool.args([
            "--bootstrap-server",
            bootstrap,
            "--delete",
            "--topic",
            topic,
        ]);
        self.run_tool("topics", tool, b"");
    }

    /// Runs a tool to its end and gives its standard output.
    fn run_tool(&self, name: &str, tool: Command, input: &[u8]) -> String {
        Self::ended_tool(name, tool, input).0
    }

    /// Standard output, then standard error: where `DumpLogSegments` reports mismatches.
    fn run_tool_for_all(&self, name: &str, tool: Command) -> String {
        let (output, errors) = Self::ended_tool(name, tool, b"");
        output + &errors
    }

    fn ended_tool(name: &str, mut tool: Command, input: &[u8]) -> (String, String) {
        let dir = scratch_dir("tool");
        let file = dir.path().join("input");
        fs::write(&file, input).unwrap();
        tool.stdin(Stdio::from(File::open(&file).unwrap()));
        let process = Process::spawn_with_input(name, tool, dir.path());
        let status = process.wait(PATIENCE);
        assert!(
            status.success(),
            "{name} failed ({status}):\n{}",
            process.output()
        );
        (process.stdout(), process.stderr())
    }
}

fn parse_group_row(group: &str, line: &str) -> Option<GroupRow> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let &[
        name,
        topic,
        partition,
        current,
        end,
        lag,
        consumer,
        host,
        client,
        ..,
    ] = &fields[..]
    else {
        return None;
    };
    if name != group {
        return None;
    }
    let text = |field: &str| (field != "-").then(|| field.to_owned());
    Some(GroupRow {
        topic: topic.to_owned(),
        partition: partition.parse().ok()?,
        current_offset: current.parse().ok(),
        log_end_offset: end.parse().ok(),
        lag: lag.parse().ok(),
        consumer_id: text(consumer),
        host: text(host),
        client_id: text(client),
    })
}
