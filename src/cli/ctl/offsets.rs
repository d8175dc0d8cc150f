//! `offsets show|alter|reset` (contract 1.9). Offsets travel as the JSON text that they are, so that no
//! number loses a digit.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use ureq::http::Method;

use super::Ctl;
use super::api::path_of;
use super::client::{Answer, Call};
use super::confirm::confirm;
use super::error::CtlError;
use super::files::read_input;
use super::table::{Table, number, text};
use crate::cli::completions::connector_names;
use crate::cli::{Exit, print_line};
use crate::config::MAX_FILE_BYTES;

/// `offsets`.
#[derive(Debug, Args)]
pub(super) struct OffsetsArgs {
    #[command(subcommand)]
    command: OffsetsCommand,
}

#[derive(Debug, Subcommand)]
enum OffsetsCommand {
    /// Show where a connector is in its source, or its consumer group in its topics. With --json the
    /// output is what `alter` takes.
    Show {
        /// Connector.
        #[arg(add = connector_names())]
        name: String,
    },
    /// Set offsets of a stopped connector: partitions that the file has, others stay. `"offset": null`
    /// forgets a partition.
    Alter {
        /// Connector.
        #[arg(add = connector_names())]
        name: String,
        /// File with {"offsets":[{"partition":{…},"offset":{…}},…]}; - is standard input.
        file: PathBuf,
    },
    /// Forget all offsets of a stopped connector.
    Reset {
        /// Connector.
        #[arg(add = connector_names())]
        name: String,
        /// Don't ask.
        #[arg(long, short)]
        yes: bool,
    },
}

/// A body of offsets, each as it is written.
#[derive(Deserialize)]
struct Offsets<'a> {
    #[serde(borrow)]
    offsets: Vec<&'a RawValue>,
}

/// Shows or changes offsets.
///
/// # Errors
/// The file can't be used, the user declines, or the worker refuses.
pub(super) fn run(ctl: &Ctl, args: &OffsetsArgs) -> Result<Exit, CtlError> {
    match &args.command {
        OffsetsCommand::Show { name } => show(ctl, name),
        OffsetsCommand::Alter { name, file } => {
            let body = body_of(file)?;
            let call = Call::new(Method::PATCH, path_of(name, "/offsets"));
            let answer = ctl.client.call(&call.with(&body))?;
            done(ctl, name, "alter", &answer)
        }
        OffsetsCommand::Reset { name, yes } => {
            let shown = ctl.out.printable(name);
            confirm(&format!("forget all offsets of {shown}"), *yes)?;
            let call = Call::new(Method::DELETE, path_of(name, "/offsets"));
            let answer = ctl.client.call(&call)?;
            done(ctl, name, "reset", &answer)
        }
    }
}

fn show(ctl: &Ctl, name: &str) -> Result<Exit, CtlError> {
    let answer = ctl.client.call(&Call::get(path_of(name, "/offsets")))?;
    // Read in any case: what is no answer of a worker must not pass for offsets.
    let all: Entries = answer.json()?;
    if ctl.out.json {
        print_line(answer.text().trim());
        return Ok(Exit::Clean);
    }
    let topics: Option<Vec<_>> = all.offsets.iter().map(of_topic).collect();
    let table = match topics {
        Some(topics) => sink_table(topics),
        None => source_table(&all.offsets),
    };
    let nothing = "nothing has been committed yet";
    ctl.out.table(&table, all.offsets.is_empty(), nothing);
    Ok(Exit::Clean)
}

#[derive(Deserialize)]
struct Entries {
    offsets: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    partition: Value,
    offset: Value,
}

/// An entry of a sink with its topic.
fn of_topic(entry: &Entry) -> Option<(String, &Entry)> {
    let topic = entry.partition.get("kafka_topic")?.as_str()?;
    Some((topic.to_owned(), entry))
}

fn sink_table(mut topics: Vec<(String, &Entry)>) -> Table {
    let partition = |entry: &Entry| entry.partition["kafka_partition"].as_i64();
    topics.sort_by_key(|(topic, entry)| (topic.clone(), partition(entry)));
    let mut table = Table::new([text("TOPIC"), number("PARTITION"), number("OFFSET")]);
    for (topic, entry) in topics {
        table.row([
            topic.into(),
            entry.partition["kafka_partition"].to_string().into(),
            entry.offset["kafka_offset"].to_string().into(),
        ]);
    }
    table
}

fn source_table(entries: &[Entry]) -> Table {
    let mut table = Table::new([text("PARTITION"), text("OFFSET")]);
    for entry in entries {
        table.row([
            entry.partition.to_string().into(),
            entry.offset.to_string().into(),
        ]);
    }
    table
}

/// The worker's sentence about it.
fn done(ctl: &Ctl, name: &str, action: &str, answer: &Answer) -> Result<Exit, CtlError> {
    let said: Value = answer.json()?;
    let message = said.get("message").and_then(Value::as_str);
    let message = message.unwrap_or_default();
    if ctl.out.json {
        ctl.out
            .value(&json!({"name": name, "action": action, "message": message}));
    } else {
        print_line(&ctl.out.printable(message));
    }
    Ok(Exit::Clean)
}

/// The body of a file, checked as far as it can be without knowing the connector.
fn body_of(file: &Path) -> Result<String, CtlError> {
    let shown = file.display();
    let bytes = if file == Path::new("-") {
        read_input()?
    } else {
        let wrong = |error: std::io::Error| CtlError::Usage(format!("'{shown}': {error}"));
        let size = std::fs::metadata(file).map_err(wrong)?.len();
        if size > MAX_FILE_BYTES {
            let text = format!("'{shown}' is larger than {MAX_FILE_BYTES} bytes");
            return Err(CtlError::Usage(text));
        }
        std::fs::read(file).map_err(wrong)?
    };
    let text =
        String::from_utf8(bytes).map_err(|_| CtlError::Usage(format!("'{shown}' is not UTF-8")))?;
    body_of_text(text.trim_start_matches('\u{feff}'))
        .map_err(|reason| CtlError::Usage(format!("'{shown}': {reason}")))
}

/// Members besides `offsets` are left out, since workers refuse them.
fn body_of_text(text: &str) -> Result<String, String> {
    let offsets: Offsets<'_> = serde_json::from_str(text).map_err(|error| {
        format!(
            "{error}; it should be {{\"offsets\":[{{\"partition\":{{…}},\"offset\":{{…}}}},…]}}"
        )
    })?;
    let entries: Vec<&str> = offsets.offsets.iter().map(|raw| raw.get()).collect();
    if let Some(at) = entries.iter().position(|entry| !entry.starts_with('{')) {
        return Err(format!("entry {at} of \"offsets\" is no object"));
    }
    Ok(format!("{{\"offsets\":[{}]}}", entries.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::Style;

    #[test]
    fn numbers_keep_every_digit_and_other_members_stay_behind() {
        let text = r#"{ "name": "a", "offsets": [ {"partition": {"f": 1.10},
            "offset": {"p": 123456789012345678901234567890}} ] }"#;
        let body = body_of_text(text).unwrap();
        assert!(body.contains("123456789012345678901234567890") && body.contains("1.10"));
        assert!(!body.contains("name"), "{body}");
        assert!(serde_json::from_str::<Value>(&body).is_ok());
    }

    #[test]
    fn what_is_no_list_of_offsets_is_refused_before_anything_is_asked() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"offsets":{}}"#,
            r#"{"offsets":[1]}"#,
            "<html>",
        ] {
            assert!(body_of_text(text).is_err(), "{text}");
        }
        let missing = body_of(Path::new("/nowhere/o.json")).unwrap_err();
        assert!(missing.to_string().contains("/nowhere/o.json"), "{missing}");
    }

    #[test]
    fn a_sinks_partitions_are_sorted_by_number() {
        let entries: Entries = serde_json::from_str(
            r#"{"offsets":[
            {"partition":{"kafka_topic":"t","kafka_partition":10},"offset":{"kafka_offset":5}},
            {"partition":{"kafka_topic":"t","kafka_partition":9},"offset":{"kafka_offset":70}}]}"#,
        )
        .unwrap();
        let topics = entries
            .offsets
            .iter()
            .map(|e| ("t".to_owned(), e))
            .collect();
        assert_eq!(
            sink_table(topics).lines(Style::PLAIN, None),
            [
                "TOPIC  PARTITION  OFFSET",
                "t              9      70",
                "t             10       5",
            ]
        );
        let lines = source_table(&entries.offsets).lines(Style::PLAIN, None);
        assert!(lines[1].contains(r#"{"kafka_offset":5}"#), "{lines:#?}");
    }
}
