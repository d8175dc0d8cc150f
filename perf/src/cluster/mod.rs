//! Workers that share connectors over Kafka, and what happens when one of them comes, goes or is killed.
//!
//! [`members`] starts and ends the workers of one system, [`group`] watches their group at the broker, the
//! status topic ([`status_log`], [`statuses`]) says who ran when, [`burst`] creates connectors, and
//! [`events`] puts them together to what the scenarios measure.
//!
//! Times come from the status topic's records and the group, which are the same for all systems, and not
//! from logs. Harness, broker and workers share one clock.

mod burst;
mod events;
mod group;
mod members;
mod status_log;
mod statuses;

use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};
use crate::results::{self, Run};
use crate::scenario::Scenario;
use crate::session::Session;
use crate::systems::System;

use members::Cluster;

/// One cluster, and what happens to it.
pub(crate) fn measure(
    session: &mut Session,
    scenario: &Scenario,
    system: System,
    run: &mut Run,
) -> Result<()> {
    let missing = || Error::Usage(format!("scenario {}: no event", scenario.name));
    let event = scenario.settings.event.ok_or_else(missing)?;
    let what = format!("{} {}", scenario.name, system.id());
    let total = u64::from(scenario.settings.connectors);
    session.progress.begin(&what, total);
    let broker = session.broker_command.clone();
    let mut cluster = Cluster::new(session, scenario, system)?;
    let outcome = events::happen(&mut cluster, event, run);
    run.commands.extend(broker);
    match outcome {
        Ok(seen) => {
            run.cluster = Some(seen);
            cluster.end()
        }
        Err(error) => {
            // What went wrong first says more than what the clean-up meets.
            cluster.abandon().unwrap_or(());
            Err(error)
        }
    }
}

/// Since 1970, as records have it.
#[expect(clippy::cast_precision_loss, reason = "thirteen digits and parts")]
fn now_millis() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_micros() as f64 / 1000.0
}

/// What was seen, in a line.
pub(crate) fn in_words(seen: &results::Cluster) -> String {
    let times = [
        (seen.start_to_running_seconds, "start to running"),
        (seen.create_to_running_seconds, "created and running"),
        (
            seen.leave_to_running_seconds,
            "SIGTERM to running elsewhere",
        ),
        (seen.join_to_running_seconds, "joined to running"),
        (seen.kill_to_running_seconds, "SIGKILL to running elsewhere"),
        (
            seen.given_up_to_running_seconds,
            "given up to running elsewhere",
        ),
    ];
    let times = times.into_iter();
    let mut words: Vec<String> = times
        .filter_map(|(seconds, what)| Some(format!("{what} {:.3} s", seconds?)))
        .collect();
    if let Some(generations) = seen.generations {
        words.push(format!("{generations} generations"));
    }
    if let Some(moved) = seen.moved_tasks {
        let longest = seen.pauses_ms.iter().copied().fold(0.0, f64::max);
        let disturbed = seen.disturbed_tasks.unwrap_or(0);
        words.push(format!(
            "{moved} tasks moved, {longest:.0} ms at most, {disturbed} others disturbed"
        ));
    }
    words.join(", ")
}
