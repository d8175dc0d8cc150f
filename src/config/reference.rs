//! The reference table of every key, made from the definitions.

use std::fmt::Write;

use super::clients::{self, ClientKind, Support};
use super::{connector, worker};
use crate::api::config_def::{ConfigDef, ConfigKey, KeyDefault};
use crate::api::{ConfigMap, ConnectorKind};

const HEAD: &str = "# Configuration reference

Made from the definitions in `src/config` and `src/transforms` by `config::reference()`; a test holds this file to
them.
Names and types are Kafka 4.3.1's; keys that Kafka does not have say *Ours*. Where a default differs from
what Kafka Connect gives its tasks, the description says so.

";

/// The keys of plugins that are nobody's of this room.
#[derive(Debug, Clone)]
pub struct PluginKeys {
    /// The classes that share them.
    pub title: String,
    /// The keys.
    pub keys: ConfigDef,
}

/// Markdown tables of all keys. `steps` are those of transformations and predicates.
pub fn reference(steps: &[PluginKeys]) -> String {
    let mut out = HEAD.to_owned();
    let standalone = worker::standalone_def();
    table(&mut out, "Standalone worker", "", standalone.keys());
    let distributed = worker::distributed_def();
    table(
        &mut out,
        "Distributed worker, besides",
        "Known to a standalone worker, which makes no use of them except for its admin clients.",
        distributed
            .keys()
            .filter(|key| !standalone.contains(&key.name)),
    );
    connectors(&mut out, steps);
    for (kind, title, note) in [
        (
            ClientKind::Producer,
            "Producers of source tasks",
            "`producer.` in the worker's file, `producer.override.` in a connector.",
        ),
        (
            ClientKind::Consumer,
            "Consumers of sink tasks",
            "`consumer.` in the worker's file, `consumer.override.` in a connector.",
        ),
        (
            ClientKind::Admin,
            "Admin clients",
            "The worker's own keys, `admin.` in its file, `admin.override.` in a connector.",
        ),
    ] {
        client(&mut out, kind, title, note);
    }
    let keys = clients::keys(ClientKind::Producer);
    let security: Vec<&ConfigKey> = keys
        .iter()
        .filter(|key| key.support == Support::Used && is_security(&key.key))
        .map(|key| &key.key)
        .collect();
    head(
        &mut out,
        "Security of clients",
        "The same for producers, consumers and admin clients, below the prefixes of each.",
    );
    for key in security {
        write_line(&mut out, &row(key));
    }
    let ignored: Vec<String> = keys
        .iter()
        .filter(|key| key.support == Support::Ignored && is_security(&key.key))
        .map(|key| format!("`{}`", key.key.name))
        .collect();
    let names = ignored.join(", ");
    write_line(
        &mut out,
        &format!("\nAccepted without effect, with a warning: {names}."),
    );
    out
}

/// Whether a key is one of many that say the same for every client.
fn is_security(key: &ConfigKey) -> bool {
    key.name.starts_with("ssl.") || key.name.starts_with("sasl.")
}

fn connectors(out: &mut String, steps: &[PluginKeys]) {
    let source = connector::connector_def(ConnectorKind::Source);
    let sink = connector::connector_def(ConnectorKind::Sink);
    let shared = source.keys().filter(|key| sink.contains(&key.name));
    table(out, "Connectors", "", shared);
    let listed = ConfigMap::from_iter([("errors.restart.policy".to_owned(), None)]);
    let restarts = connector::enriched_def(ConnectorKind::Sink, &listed, None);
    let restarts = restarts.keys().filter(|key| !sink.contains(&key.name));
    table(
        out,
        "Restarts of failed tasks",
        "Kafka has none of these; validation shows them when one of them is set.",
        restarts,
    );
    let own = source.keys().filter(|key| !sink.contains(&key.name));
    table(out, "Source connectors, besides", "", own);
    let own = sink.keys().filter(|key| !source.contains(&key.name));
    table(out, "Sink connectors, besides", "", own);

    let listed: ConfigMap = [
        ("transforms", "NAME"),
        ("predicates", "NAME"),
        ("topic.creation.groups", "NAME"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), Some(value.to_owned())))
    .collect();
    let enriched = connector::enriched_def(ConnectorKind::Source, &listed, None);
    let own: Vec<&ConfigKey> = enriched
        .keys()
        .filter(|key| !source.contains(&key.name))
        .collect();
    let of = |prefix: &'static str| {
        let own = own.clone();
        own.into_iter()
            .filter(move |key| key.name.starts_with(prefix))
    };
    table(
        out,
        "Transformations and predicates",
        "For each NAME in `transforms` and `predicates`; the class's own keys, which follow by class, stand \
         beside them as `transforms.NAME.KEY` and `predicates.NAME.KEY`.",
        of("transforms.").chain(of("predicates.")),
    );
    for PluginKeys { title, keys } in steps {
        if keys.keys().next().is_some() {
            table(out, title, "", keys.keys());
        }
    }
    table(
        out,
        "Topic creation",
        "For `default` and each NAME in `topic.creation.groups`. Further keys are topic settings for \
         Kafka. Once a connector has any key of these, the numbers of `default` must be set; other \
         groups fall back to them.",
        of("topic.creation."),
    );
}

fn client(out: &mut String, kind: ClientKind, title: &str, note: &str) {
    let keys = clients::keys(kind);
    let used: ConfigDef = keys
        .iter()
        .filter(|key| key.support == Support::Used && !is_security(&key.key))
        .fold(ConfigDef::new(), |def, key| def.define(key.key.clone()));
    table(out, title, note, used.keys());
    let names = |wanted: fn(Support) -> bool| -> Vec<String> {
        keys.iter()
            .filter(|key| wanted(key.support))
            .map(|key| format!("`{}`", key.key.name))
            .collect()
    };
    out.push_str(
        "Accepted with one value only, since another would change what the client does:\n\n",
    );
    for key in &keys {
        let Support::Only(accepted, why) = key.support else {
            continue;
        };
        let value = match accepted.first() {
            None | Some(&"") => "must not be set".to_owned(),
            Some(value) => format!("`{value}`"),
        };
        write_line(out, &format!("* `{}`: {value}; {why}.", key.key.name));
    }
    let ignored = names(|support| support == Support::Ignored);
    let others: Vec<String> = ignored
        .into_iter()
        .filter(|name| !name.starts_with("`ssl.") && !name.starts_with("`sasl."))
        .collect();
    write_line(
        out,
        &format!(
            "\nAccepted without effect, with a warning: {}. `ssl.*` and `sasl.*` stand in \
             [security](#security-of-clients).\n",
            others.join(", ")
        ),
    );
}

fn head(out: &mut String, title: &str, note: &str) {
    write_line(out, &format!("## {title}\n"));
    if !note.is_empty() {
        write_line(out, &format!("{note}\n"));
    }
    out.push_str(
        "| Key | Type | Default | Valid | Importance | Meaning |\n|---|---|---|---|---|---|\n",
    );
}

fn table<'a>(out: &mut String, title: &str, note: &str, keys: impl Iterator<Item = &'a ConfigKey>) {
    head(out, title, note);
    // TLS keys are many and say nothing new.
    let (tls, keys): (Vec<_>, Vec<_>) = keys.partition(|key| is_security(key));
    for key in keys {
        write_line(out, &row(key));
    }
    if !tls.is_empty() {
        let names: Vec<String> = tls.iter().map(|key| format!("`{}`", key.name)).collect();
        write_line(
            out,
            &format!(
                "\nKafka's TLS and SASL keys are known too: {}.",
                names.join(", ")
            ),
        );
    }
    out.push('\n');
}

fn row(key: &ConfigKey) -> String {
    let default = match &key.default {
        KeyDefault::Required => "required".to_owned(),
        KeyDefault::Null => "null".to_owned(),
        KeyDefault::Text(text) if text.is_empty() => "empty".to_owned(),
        KeyDefault::Text(text) => format!("`{text}`"),
    };
    let valid = key
        .validator
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let cells = [
        format!("`{}`", key.name),
        key.kind.name().to_lowercase(),
        default,
        valid,
        key.importance.name().to_lowercase(),
        key.documentation.clone(),
    ];
    let escaped: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |", escaped.join(" | "))
}

fn write_line(out: &mut String, line: &str) {
    #[expect(clippy::unwrap_used, reason = "writing to a String cannot fail")]
    writeln!(out, "{line}").unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_as_many_cells_as_the_head() {
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let text = reference(&[]);
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert!(rows.len() > 150, "{} rows", rows.len());
        for row in rows {
            assert_eq!(cells(row), 7, "{row}");
        }
    }
}
