//! A connector that is looked at while it runs: what it reads, what the transforms do, what would be
//! written.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::{Duration, Instant};

use super::head::{Head, Roads, warning_text};
use super::setup::Setup;
use super::{on_shard, render};
use crate::api::ErrorKind;
use crate::cli::style::Style;
use crate::cli::{Exit, print_error};
use crate::config::Warning;
use crate::shard::{self, TaskEnd};
use crate::task::preview::{Fate, Trace};
use crate::worker::preview::{Live, LiveError, Start, live, record_json, warning_json};

/// How long a topic may be asked after, so that a preview does not wait for brokers that are away.
const TOPIC_LIMIT: Duration = Duration::from_secs(5);

/// What to show, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    /// Records.
    pub(super) limit: u32,
    /// Longest wait for them.
    pub(super) timeout: Duration,
    /// Where to begin in topics.
    pub(super) from: Start,
    /// JSON objects rather than text.
    pub(super) json: bool,
}

/// Runs until there is enough to see.
pub(super) fn run(setup: Setup, options: Options) -> Exit {
    on_shard(async move {
        // Connector code may panic, which is its own end and not that of the command.
        let looking = shard::spawn(Box::pin(look(setup, options)));
        match looking.join().await {
            TaskEnd::Done(exit) => exit,
            TaskEnd::Panicked(panicked) => {
                print_error(&format!("connector code panicked: {panicked}"));
                Exit::Failure
            }
            TaskEnd::Cancelled => Exit::Failure,
        }
    })
}

async fn look(setup: Setup, options: Options) -> Exit {
    let config = setup.connector.config.clone();
    let deadline = Instant::now() + options.timeout;
    let opened = shard::timeout(options.timeout, live(&setup.shared, config, options.from));
    let live = match opened.await {
        Ok(Ok(live)) => live,
        Ok(Err(error)) => return failed(&setup, &error),
        Err(_) => {
            print_error(&format!(
                "{}: nothing was ready within {:?}; do the brokers run? `ringmain doctor` checks them, --timeout gives more time",
                setup.connector.name, options.timeout
            ));
            return Exit::Failure;
        }
    };
    let mut view = View {
        setup: &setup,
        options,
        style: Style::of_stdout(),
        live,
        shown: 0,
        topics: BTreeSet::new(),
        fates: Fates::default(),
    };
    let exit = view.show(deadline).await;
    view.live.stop().await;
    exit
}

fn failed(setup: &Setup, error: &LiveError) -> Exit {
    setup.refuse(error);
    match error {
        LiveError::Connect(error) if error.kind() == ErrorKind::Config => Exit::Usage,
        _ => Exit::Failure,
    }
}

/// How many records came to which end.
#[derive(Debug, Default)]
struct Fates {
    through: u64,
    filtered: u64,
    failed: u64,
}

struct View<'a> {
    setup: &'a Setup,
    options: Options,
    style: Style,
    live: Live,
    shown: u64,
    /// Topics that were looked for.
    topics: BTreeSet<String>,
    fates: Fates,
}

impl View<'_> {
    async fn show(&mut self, deadline: Instant) -> Exit {
        // A source shows its roads with its first batch.
        let first = match self.live.next(deadline).await {
            Ok(first) => first,
            Err(error) => return failed(self.setup, &error),
        };
        let head = self.head();
        let text = match self.options.json {
            true => format!("{}\n", head.json()),
            false => head.text(self.style),
        };
        print(text).await;
        let mut next = first;
        while let Some(trace) = next.take() {
            self.show_record(&trace).await;
            if self.shown >= u64::from(self.options.limit) {
                break;
            }
            next = match self.live.next(deadline).await {
                Ok(next) => next,
                Err(error) => return failed(self.setup, &error),
            };
        }
        self.show_end().await;
        Exit::Clean
    }

    fn head(&mut self) -> Head {
        let mut warnings = self.setup.warnings.clone();
        warnings.extend(self.live.take_warnings());
        let transforms = self.live.traced().transforms().iter();
        let roads = self.live.roads();
        Head {
            connector: self.setup.connector.name.clone(),
            class: self.setup.class.to_owned(),
            kind: self.setup.kind.name(),
            converters: self.setup.converters(),
            transforms: transforms
                .map(|(alias, class)| (alias.to_string(), *class))
                .collect(),
            roads: roads.map(|(plan, form)| Roads {
                key: plan.key.to_string(),
                value: plan.value.to_string(),
                form,
            }),
            warnings,
        }
    }

    async fn show_record(&mut self, trace: &Trace) {
        match &trace.fate {
            Fate::Written(produced) => {
                let topic = produced.topic.to_string();
                self.look_for(topic).await;
                self.fates.through += 1;
            }
            Fate::Delivered { .. } => self.fates.through += 1,
            Fate::Filtered { .. } => self.fates.filtered += 1,
            Fate::Failed { .. } => self.fates.failed += 1,
        }
        self.shown += 1;
        let text = match self.options.json {
            true => format!("{}\n", record_json(trace, self.shown)),
            false => render::text(trace, self.shown, self.setup.tolerates, self.style),
        };
        print(text).await;
    }

    /// Warns of a topic that records would go to and that is not there.
    async fn look_for(&mut self, topic: String) {
        if self.setup.shared.config.log_is_embedded() || !self.topics.insert(topic.clone()) {
            return;
        }
        let found = shard::timeout(TOPIC_LIMIT, self.live.topic_exists(&topic)).await;
        let warning = match found {
            Ok(Ok(true)) => return,
            Ok(Ok(false)) => self.setup.missing_topic(&topic),
            Ok(Err(error)) => Warning::new("bootstrap.servers", error.to_string())
                .with_fix("see whether the brokers run: ringmain doctor"),
            Err(_) => Warning::new("bootstrap.servers", "the brokers don't answer")
                .with_fix("see whether they run: ringmain doctor"),
        };
        let text = match self.options.json {
            true => format!(
                "{}\n",
                serde_json::json!({"warning": warning_json(&warning)})
            ),
            false => format!("\n{}", warning_text(&warning, self.style)),
        };
        print(text).await;
    }

    async fn show_end(&self) {
        if self.options.json {
            return;
        }
        let Fates {
            through,
            filtered,
            failed,
        } = self.fates;
        let text = match self.shown {
            0 => format!("\nno records came within {:?}\n", self.options.timeout),
            shown => format!(
                "\n{shown} records: {through} through, {filtered} filtered, {failed} failed; nothing was written or committed\n"
            ),
        };
        print(text).await;
    }
}

/// Prints, off the shard: whoever reads may be slow. One that has gone away is no failure.
async fn print(text: String) {
    let printed = shard::blocking(move || {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    });
    if let Ok(Err(error)) = printed.await {
        tracing::debug!(%error, "standard output takes no text");
    }
}
