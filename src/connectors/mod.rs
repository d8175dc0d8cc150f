//! Built-in connectors, a folder each.
//!
//! | Folder | What |
//! |---|---|
//! | `file_stream` | lines of a file or standard input into a topic, and back |
//! | `mirror` | topics of another Kafka cluster |
//! | `datagen`, `null_sink` | load for measurements, and a place where records end |
//! | `verifiable`, `mock`, `schema_source` | what Apache's own system tests drive Connect with |
//!
//! But for `mirror`, which reads another cluster through `kafka`, the room uses `api` and `shard` alone,
//! so everything here can be written by an outside author as well. Connectors and tasks run on one shard; files, standard input and standard output are touched
//! on other threads ([`offload`]) or by reads that the kernel promises not to block.

pub mod datagen;
pub mod file_stream;
pub mod mirror;
pub mod mock;
pub mod null_sink;
mod numbered;
mod offload;
pub mod schema_source;
mod stdout;
mod throttle;
pub mod verifiable;

pub use numbered::NumberedTasks;

use crate::api::{ConfigDef, ConfigMap, ConnectError, ParsedConfig};

/// Parses `config`, all problems in one error.
fn parse(def: &ConfigDef, config: &ConfigMap) -> Result<ParsedConfig, ConnectError> {
    def.parse(config).map_err(|problems| {
        let texts: Vec<String> = problems.into_iter().map(|p| p.message).collect();
        ConnectError::config(texts.join("; "))
    })
}

/// Milliseconds since the epoch.
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Runs a test on every runtime that this machine has.
#[cfg(test)]
fn on_each_runtime<Fut: Future<Output = ()> + 'static>(test: impl Fn() -> Fut) {
    use crate::shard::{RuntimeKind, probe_io_uring, run};
    run(RuntimeKind::Epoll, None, test()).unwrap();
    match probe_io_uring().io_uring_problem {
        None => run(RuntimeKind::IoUring, None, test()).unwrap(),
        Some(problem) => eprintln!("skipped: io_uring ({problem})"),
    }
}

/// A context whose offset reader knows `seqno`, or nothing.
#[cfg(test)]
fn stored_seqno(seqno: Option<i64>) -> crate::api::SourceTaskContext {
    use crate::api::{LocalFuture, SourceMap};
    struct Stored(Option<i64>);
    impl crate::api::connector::OffsetReader for Stored {
        fn offset<'a>(
            &'a self,
            _partition: &'a SourceMap,
        ) -> LocalFuture<'a, Result<Option<SourceMap>, ConnectError>> {
            let map = |seqno: i64| SourceMap::from_iter([("seqno".to_owned(), seqno.into())]);
            Box::pin(async move { Ok(self.0.map(map)) })
        }
    }
    crate::api::SourceTaskContext {
        connector: "c".into(),
        task: 0,
        offsets: std::rc::Rc::new(Stored(seqno)),
        preview: false,
    }
}
