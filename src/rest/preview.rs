//! `PUT /connector-plugins/NAME/preview`: what a connector would do with its next records, which are
//! written nowhere. Of Ringmain alone.
//!
//! The body is a configuration, as for `…/config/validate`. The answer has the roads and warnings and, for
//! each record, what was read, what each transform changed and what would be written, in the form of
//! `ringmain preview --json`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, bounded};
use serde_json::{Value, json};

use super::connectors::{no_config, validate};
use super::json_body;
use super::plugins::checked_class;
use super::response::{Failure, Response};
use super::router::{Query, Router};
use crate::api::ConfigMap;
use crate::shard::{self, TaskEnd};
use crate::worker::WorkerShared;
use crate::worker::preview::{LiveError, Start, live, record_json, roads_json, warning_json};

/// Records, unless `limit` says otherwise, and the most of them.
const LIMIT: u32 = 10;
const LIMIT_MAX: u32 = 100;
/// Bytes of records after which no more are looked at.
const BYTES_MAX: usize = 4 << 20;
/// Seconds to wait for records, unless `timeout` says otherwise, and the most of them.
const SECONDS: u32 = 5;
const SECONDS_MAX: u32 = 30;
/// What connectors and clients may take to end, beyond the wait for records.
const ENDING: Duration = Duration::from_secs(15);

/// What is asked for.
#[derive(Debug, Clone, Copy)]
struct Options {
    limit: u32,
    timeout: Duration,
    from: Start,
}

impl Options {
    fn of(query: &Query) -> Result<Self, Failure> {
        let limit = number(query, "limit", LIMIT, LIMIT_MAX)?;
        let seconds = number(query, "timeout", SECONDS, SECONDS_MAX)?;
        let from = match query.all("from").next() {
            None | Some("last") => Start::Last(limit),
            Some("earliest") => Start::Earliest,
            Some("latest") => Start::Latest,
            Some("committed") => Start::Committed,
            Some(other) => {
                let text = format!("from={other}: it is last, earliest, latest or committed");
                return Err(Failure::new(400, text));
            }
        };
        Ok(Self {
            limit,
            timeout: Duration::from_secs(u64::from(seconds)),
            from,
        })
    }
}

fn number(query: &Query, name: &str, usual: u32, most: u32) -> Result<u32, Failure> {
    let Some(text) = query.all(name).next() else {
        return Ok(usual);
    };
    let number = text.parse().ok();
    number
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| {
            Failure::new(
                400,
                format!("{name}={text}: it is a number from 1 to {most}"),
            )
        })
}

/// One at a time in a worker: each holds a consumer or a source task.
#[derive(Debug)]
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    fn take(taken: &'a AtomicBool) -> Option<Self> {
        (!taken.swap(true, Ordering::AcqRel)).then_some(Self(taken))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

pub(super) fn preview(
    router: &Router,
    name: &str,
    query: &Query,
    body: &[u8],
) -> Result<Response, Failure> {
    let options = Options::of(query)?;
    let config = json_body::config_map(body).map_err(|text| Failure::new(500, text))?;
    let config = config.ok_or_else(no_config)?;
    checked_class(&config, name)?;
    validate(router, &config)?;
    let _turn = Turn::take(&router.previewing).ok_or_else(|| {
        Failure::new(
            409,
            "Another preview is running on this worker. Try again in some seconds.",
        )
    })?;
    let (sender, receiver) = bounded(1);
    let shared = Arc::clone(&router.context.shared);
    let started = router
        .context
        .shard
        .start(move || run(shared, config, options, sender));
    started.map_err(|_| Failure::new(503, "the first shard takes no work"))?;
    let outcome = receiver
        .recv_timeout(options.timeout + ENDING)
        .map_err(|_| {
            Failure::new(
                500,
                "Request timed out. The connector or its clients did not end in time.",
            )
        })?;
    outcome.map(|answer| Response::json(200, &answer))
}

/// Looks, on the shard, and sends what came of it. Connector code may panic; that is its own end.
async fn run(
    shared: Arc<WorkerShared>,
    config: ConfigMap,
    options: Options,
    sender: Sender<Result<Value, Failure>>,
) {
    let looking = shard::spawn(Box::pin(
        async move { look(&shared, config, options).await },
    ));
    let outcome = match looking.join().await {
        TaskEnd::Done(outcome) => outcome,
        TaskEnd::Panicked(text) => Err(Failure::new(
            500,
            format!("connector code panicked: {text}"),
        )),
        TaskEnd::Cancelled => Err(Failure::new(503, "the worker is shutting down")),
    };
    // Whoever asked may have gone.
    drop(sender.try_send(outcome));
}

fn failed(error: &LiveError) -> Failure {
    let status = match error {
        LiveError::Connect(error) if error.kind() == crate::api::ErrorKind::Config => 400,
        _ => 500,
    };
    Failure::new(status, error.to_string())
}

async fn look(
    shared: &Arc<WorkerShared>,
    config: ConfigMap,
    options: Options,
) -> Result<Value, Failure> {
    let deadline = Instant::now() + options.timeout;
    let opened = shard::timeout(options.timeout, live(shared, config, options.from)).await;
    let mut live = opened
        .map_err(|_| Failure::new(500, "nothing was ready in time: do the brokers run?"))?
        .map_err(|error| failed(&error))?;
    let (mut records, mut bytes, mut failure) = (Vec::new(), 0, None);
    while records.len() < options.limit as usize && bytes < BYTES_MAX {
        match live.next(deadline).await {
            Ok(Some(trace)) => {
                let record = record_json(&trace, records.len() as u64 + 1);
                bytes += record.to_string().len();
                records.push(record);
            }
            Ok(None) => break,
            Err(error) => {
                failure = Some(failed(&error));
                break;
            }
        }
    }
    let warnings: Vec<Value> = live.take_warnings().iter().map(warning_json).collect();
    let roads = live.roads().as_ref().map(roads_json);
    live.stop().await;
    match failure {
        Some(failure) => Err(failure),
        None => Ok(json!({"roads": roads, "warnings": warnings, "records": records})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(query: &str) -> Result<Options, Failure> {
        Options::of(&Query::parse(query))
    }

    #[test]
    fn numbers_have_bounds_and_places_have_names() {
        let usual = options("").unwrap();
        assert_eq!((usual.limit, usual.from), (10, Start::Last(10)));
        let own = options("limit=3&from=earliest&timeout=30").unwrap();
        assert_eq!((own.limit, own.from), (3, Start::Earliest));
        assert_eq!(own.timeout, Duration::from_secs(30));
        for wrong in ["limit=0", "limit=101", "limit=x", "timeout=31", "from=here"] {
            assert_eq!(options(wrong).unwrap_err().status, 400, "{wrong}");
        }
    }

    #[test]
    fn one_preview_runs_at_a_time() {
        let taken = AtomicBool::new(false);
        let turn = Turn::take(&taken);
        assert!(turn.is_some() && Turn::take(&taken).is_none());
        drop(turn);
        assert!(Turn::take(&taken).is_some());
    }
}
