//! Damaged worker and connector files.

use std::path::Path;

use proptest::prelude::*;

use super::{ConfigError, connector_file, properties, provider};
use crate::api::ConfigMap;
use crate::fuzz::{bounded, mutated, samples, search};

const FILES: &[&str] = &[
    "name=c\nconnector.class=FileStreamSource\n# note\n! note\nfile = /tmp/a\\ b\ntopic:t\\u0041\nlong=a\\\n   b\n=x\n",
    r#"{"name":"c","config":{"connector.class":"FileStreamSink","topics":"a,b","tasks.max":1,"x":null,"y":1.50}}"#,
    r#"{"name":"c","connector.class":"FileStreamSink","tasks.max":"1","flag":true}"#,
    "a=${file:/etc/secret:key}\nb=${env:HOME} ${x} ${a:b:c:d}\n",
];

#[test]
fn a_damaged_worker_file_is_a_configuration_or_named_with_its_line() {
    search(
        1500,
        || mutated(samples(FILES)),
        |bytes| {
            let parsed = bounded(bytes.len(), || {
                properties::parse_file(Path::new("w.properties"), &bytes)
            })?;
            if let Err(error) = parsed {
                let text = error.to_string();
                prop_assert!(text.starts_with("'w.properties', line "), "{text}");
            }
            Ok(())
        },
    );
}

#[test]
fn a_damaged_connector_file_is_a_connector_or_named() {
    search(
        1500,
        || mutated(samples(FILES)),
        |bytes| {
            let parsed = bounded(bytes.len(), || {
                connector_file::parse(Path::new("c.json"), &bytes)
            })?;
            match parsed {
                Err(ConfigError::Connector { message, .. }) => {
                    prop_assert!(message.contains("c.json"), "{message}");
                }
                Err(ConfigError::Malformed { .. }) | Ok(_) => {}
                Err(other) => return Err(TestCaseError::fail(other.to_string())),
            }
            Ok(())
        },
    );
}

#[test]
fn a_damaged_reference_is_replaced_or_left_alone() {
    let texts = || mutated(samples(FILES));
    search(500, texts, |bytes| {
        let mut worker = ConfigMap::new();
        let class = "org.apache.kafka.common.config.provider.EnvVarConfigProvider";
        for (key, value) in [
            ("config.providers", "env"),
            ("config.providers.env.class", class),
        ] {
            worker.insert(key.to_owned(), Some(value.to_owned()));
        }
        let providers = provider::Providers::from_worker(&worker).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut config = ConfigMap::new();
        config.insert("key".to_owned(), Some(text.clone()));
        // What the environment holds is not the input's.
        let len = text.len() + (1 << 12);
        match bounded(len, || providers.expand(&config))? {
            Ok(expanded) if !provider::has_reference(&text) => {
                prop_assert_eq!(expanded.config, config);
            }
            Ok(_) => {}
            Err(problems) => prop_assert!(problems.iter().all(|problem| problem.key == "key")),
        }
        Ok(())
    });
}
