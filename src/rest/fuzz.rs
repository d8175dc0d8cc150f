//! Damaged bodies of requests. Heads have theirs in `front`.

use proptest::prelude::*;

use super::json_body;
use crate::fuzz::{bounded, mutated, samples, search};

const BODIES: &[&str] = &[
    r#"{"name":"c","config":{"connector.class":"FileStreamSink","tasks.max":1,"x":null,"y":1.50,"z":true},"initial_state":"PAUSED"}"#,
    r#"{"connector.class":"FileStreamSink","topics":"a\u0041\ud83d\ude00","file":"/tmp/\\x"}"#,
    r#"{"offsets":[{"partition":{"kafka_topic":"t","kafka_partition":"1"},"offset":{"kafka_offset":2}},{"partition":{"a":[1]},"offset":null}]}"#,
    r#"[{"task.class":"x.Y","n":1,"z":null},{}]"#,
    "null",
    r#"["a",{"b":[1,2e3]}]"#,
];

#[test]
fn a_damaged_body_is_a_request_or_an_error_that_says_where() {
    search(
        2000,
        || mutated(samples(BODIES)),
        |bytes| {
            let map = bounded(bytes.len(), || json_body::config_map(&bytes))?;
            let request = bounded(bytes.len(), || {
                json_body::create_request(&bytes).map(|_| ())
            })?;
            let offsets = bounded(bytes.len(), || {
                json_body::connector_offsets(&bytes).map(|_| ())
            })?;
            let tasks = bounded(bytes.len(), || json_body::task_configs(&bytes).map(|_| ()))?;
            for error in [map.err(), request.err(), offsets.err(), tasks.err()]
                .into_iter()
                .flatten()
            {
                prop_assert!(!error.is_empty() && error.len() < 4096 + 8 * bytes.len());
            }
            Ok(())
        },
    );
}
