//! The way of one record, for a person.

use super::output::without_package;
use crate::api::ConnectRecord;
use crate::cli::style::Style;
use crate::task::preview::{Fate, Origin, Produced, Trace};
use crate::worker::preview::{Change, Field, changed, excerpt, fields, hint, short};

/// Column in which the text of a line begins.
const INDENT: &str = "            ";

/// Appends `name` and what belongs to it, further lines below the first.
fn section(out: &mut String, name: &str, style: Style, lines: &[String]) {
    let name = format!("  {name:<9} ");
    for (index, line) in lines.iter().enumerate() {
        match index {
            0 => out.push_str(&style.faint(&name)),
            _ => out.push_str(INDENT),
        }
        out.push_str(line);
        out.push('\n');
    }
}

/// The record `number` for a person; `tolerated` is what `errors.tolerance` makes of a failure.
pub(super) fn text(trace: &Trace, number: u64, tolerated: bool, style: Style) -> String {
    let mut out = format!(
        "\n{} {}\n",
        style.bold(&format!("record {number}")),
        place(&trace.origin)
    );
    if let Origin::Consumed(read) = &trace.origin {
        let lines = bytes_lines(read.key.as_deref(), read.value.as_deref(), &read.headers);
        section(&mut out, "read", style, &lines);
    }
    if let Some(entered) = &trace.entered {
        let lines: Vec<_> = fields(entered)
            .iter()
            .map(|field| line(field, style))
            .collect();
        let name = match trace.origin {
            Origin::Consumed(_) => "converted",
            Origin::Polled { .. } => "polled",
        };
        section(&mut out, name, style, &lines);
    }
    let mut before = trace.entered.as_ref();
    for step in &trace.steps {
        let changed = changed(before, &step.record);
        let mut lines: Vec<_> = changed
            .iter()
            .map(|change| change_line(change, style))
            .collect();
        if lines.is_empty() {
            lines.push(style.faint("no change"));
        }
        let title = format!("{} ({})", style.bold(&step.alias), short(step.class));
        lines.insert(0, title);
        section(&mut out, "after", style, &lines);
        before = Some(&step.record);
    }
    fate(&mut out, trace, tolerated, style);
    out
}

fn place(origin: &Origin) -> String {
    match origin {
        Origin::Consumed(read) => format!("{} offset {}", read.at, read.offset),
        Origin::Polled { partition, offset } => {
            let json = |map: &Option<std::rc::Rc<crate::api::SourceMap>>| match map {
                Some(map) => serde_json::to_string(&**map).unwrap_or_default(),
                None => "none".to_owned(),
            };
            format!(
                "source partition {}, offset {}",
                json(partition),
                json(offset)
            )
        }
    }
}

fn line(field: &Field, style: Style) -> String {
    format!("{} = {}", style.cyan(&field.path), field.text)
}

fn change_line(change: &Change, style: Style) -> String {
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => {
            let text = format!("~ {} = {before} → {after}", change.path);
            style.yellow(&text)
        }
        (Some(before), None) => style.red(&format!("- {} = {before}", change.path)),
        (None, after) => {
            let after = after.as_deref().unwrap_or_default();
            style.green(&format!("+ {} = {after}", change.path))
        }
    }
}

fn fate(out: &mut String, trace: &Trace, tolerated: bool, style: Style) {
    match &trace.fate {
        Fate::Written(produced) => {
            let mut lines = vec![target(produced)];
            lines.extend(bytes_lines(
                produced.key.as_deref(),
                produced.value.as_deref(),
                &produced.headers,
            ));
            section(out, "written", style, &lines);
        }
        Fate::Delivered { record, text } => {
            let line = match text {
                Some(text) => excerpt(text),
                None => delivered(record),
            };
            section(out, "to sink", style, &[line]);
        }
        Fate::Filtered { alias } => {
            let line = format!("dropped by {}", style.bold(alias));
            section(out, "filtered", style, &[line]);
        }
        Fate::Failed { failed, alias } => {
            let plugin = short(failed.plugin);
            let place = match alias {
                Some(alias) => format!("{} in {alias} ({plugin})", failed.stage.name()),
                None => format!("{} in {plugin}", failed.stage.name()),
            };
            let class = without_package(failed.error.java_class());
            let mut lines = vec![
                style.red(&place),
                style.red(&format!("{class}: {}", failed.error.message())),
                match tolerated {
                    true => "errors.tolerance=all: the record is skipped".to_owned(),
                    false => "errors.tolerance=none: the task fails here".to_owned(),
                },
            ];
            if let Some((key, fix)) = hint(failed, alias.as_deref()) {
                lines.push(format!("{}: {fix}", style.bold(&key)));
            }
            section(out, "fails", style, &lines);
        }
    }
}

fn delivered(record: &ConnectRecord) -> String {
    let partition = record
        .kafka_partition
        .map_or_else(|| "none".to_owned(), |number| number.to_string());
    format!("topic {}, partition {partition}", record.topic)
}

fn target(produced: &Produced) -> String {
    let partition = match produced.partition {
        Some(number) => number.to_string(),
        None => "of the partitioner".to_owned(),
    };
    let timestamp = match produced.timestamp {
        Some(timestamp) => timestamp.to_string(),
        None => "of the producer".to_owned(),
    };
    format!(
        "topic {}, partition {partition}, timestamp {timestamp}",
        produced.topic
    )
}

fn bytes_lines(
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[(String, Option<Vec<u8>>)],
) -> Vec<String> {
    let shown = |name: &str, bytes: Option<&[u8]>| match bytes {
        Some(bytes) => format!("{name} ({} bytes) {}", bytes.len(), excerpt(bytes)),
        None => format!("{name} null"),
    };
    let mut lines = vec![shown("key", key), shown("value", value)];
    lines.extend(
        headers
            .iter()
            .map(|(name, value)| shown(&format!("header {name}"), value.as_deref())),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ConnectError;
    use crate::task::errors::Stage;
    use crate::task::preview::Failed;
    use crate::task::preview::samples::{record, trace};

    #[test]
    fn a_person_sees_each_stage_and_of_transforms_what_changed() {
        let fate = Fate::Delivered {
            record: Box::new(record("u")),
            text: Some(b"1".to_vec()),
        };
        assert_eq!(
            text(&trace(fate), 1, false, Style::PLAIN),
            "\n\
             record 1 t-2 offset 41\n\
             \x20 read      key null\n\
             \x20           value (1 bytes) 1\n\
             \x20           header h (1 bytes) 0x00\n\
             \x20 converted topic = \"t\"\n\
             \x20           partition = 0\n\
             \x20           timestamp = 5\n\
             \x20           key = null\n\
             \x20           value = int64 1\n\
             \x20 after     r (RegexRouter)\n\
             \x20           ~ topic = \"t\" → \"u\"\n\
             \x20 to sink   1\n"
        );
    }

    #[test]
    fn a_failure_says_what_the_task_would_do_and_what_to_change() {
        let failed = || Failed {
            stage: Stage::ValueConverter,
            plugin: "org.apache.kafka.connect.json.JsonConverter",
            error: ConnectError::data("x due to serialization error: y"),
        };
        let fate = || Fate::Failed {
            failed: failed(),
            alias: None,
        };
        let shown = text(&trace(fate()), 1, false, Style::PLAIN);
        for part in [
            "VALUE_CONVERTER in JsonConverter",
            "DataException: x due",
            "the task fails here",
            "value.converter: ",
        ] {
            assert!(shown.contains(part), "{part} is not in {shown}");
        }
        let skipped = text(&trace(fate()), 1, true, Style::PLAIN);
        assert!(skipped.contains("the record is skipped"), "{skipped}");
    }
}
