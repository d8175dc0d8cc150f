//! Restarts of a failed task by its connector's policy (`errors.restart.*`).

use std::time::{Duration, Instant};

use super::entities::TaskRestarts;
use crate::config::connector::{RestartPolicy, RestartWhen};

/// Most reasons that are counted one by one.
const REASONS_MAX: usize = 16;
/// A shorter run than this is part of a row of failures, however short the waits are.
const LONG_RUN: Duration = Duration::from_secs(60);
/// Longest text that is shown.
const TEXT_MAX: usize = 300;

/// What is known of a task's restarts.
#[derive(Debug, Default)]
pub(in crate::herder) struct Restarts {
    /// Without a long enough run in between.
    in_row: u32,
    by_reason: Vec<(String, u64)>,
    last_reason: Option<String>,
    /// When the task, which has failed, is started again.
    due: Option<Instant>,
    running_since: Option<Instant>,
    is_transient: bool,
}

impl Restarts {
    /// The task runs.
    pub(in crate::herder) fn ran(&mut self, now: Instant) {
        self.running_since.get_or_insert(now);
    }

    /// The error that comes next may pass.
    pub(in crate::herder) fn is_transient(&mut self) {
        self.is_transient = true;
    }

    /// The task has failed.
    pub(in crate::herder) fn failed(&mut self, policy: RestartPolicy, trace: &str, now: Instant) {
        let transient = std::mem::take(&mut self.is_transient);
        let ran = self.running_since.take();
        let long = policy.backoff_max.max(LONG_RUN);
        if ran.is_some_and(|since| now.saturating_duration_since(since) > long) {
            self.in_row = 0;
        }
        let wanted = match policy.when {
            RestartWhen::Never => false,
            RestartWhen::Transient => transient,
            RestartWhen::Always => true,
        };
        let wait = policy.wait(self.in_row).filter(|_| wanted);
        self.due = wait.and_then(|wait| now.checked_add(wait));
        if self.due.is_some() {
            self.last_reason = Some(reason(trace).chars().take(TEXT_MAX).collect());
        }
    }

    /// When the task is started again.
    pub(in crate::herder) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// It is started, by the policy or by somebody who asked for it.
    pub(in crate::herder) fn cancel(&mut self) {
        self.due = None;
        self.running_since = None;
        self.is_transient = false;
    }

    /// It is started by the policy: counts that and gives the reason.
    pub(in crate::herder) fn begin(&mut self) -> String {
        self.cancel();
        self.in_row = self.in_row.saturating_add(1);
        let reason = self.last_reason.clone().unwrap_or_default();
        let class = class(&reason).to_owned();
        self.count(class);
        reason
    }

    fn count(&mut self, class: String) {
        let known = self.by_reason.iter().position(|(known, _)| *known == class);
        let at = match known {
            Some(at) => at,
            // So many different ones that the last stands for the rest.
            None if self.by_reason.len() >= REASONS_MAX => REASONS_MAX - 1,
            None => {
                self.by_reason.push((class, 0));
                self.by_reason.len() - 1
            }
        };
        self.by_reason[at].1 += 1;
    }

    /// How often, by the class of the error.
    pub(in crate::herder) fn by_reason(&self) -> Vec<(String, u64)> {
        self.by_reason.clone()
    }

    /// For the status; `None` when there was and will be none.
    pub(in crate::herder) fn shown(&self) -> Option<Box<TaskRestarts>> {
        let count = self.by_reason.iter().map(|(_, count)| count).sum();
        if count == 0 && self.due.is_none() {
            return None;
        }
        Some(Box::new(TaskRestarts {
            count,
            in_row: self.in_row,
            last_reason: self.last_reason.clone(),
            due: self.due,
        }))
    }
}

/// The line of a trace that tells most: its last cause that has a class, or its head.
fn reason(trace: &str) -> &str {
    let mut causes = trace
        .lines()
        .filter_map(|line| line.strip_prefix("Caused by: "));
    let with_class = |line: &&str| class(line) != UNKNOWN;
    let head = trace.lines().next().unwrap_or_default();
    causes.rfind(with_class).unwrap_or(head)
}

const UNKNOWN: &str = "unknown";

/// The class of "class: text".
fn class(line: &str) -> &str {
    let class = line.split(':').next().unwrap_or_default();
    let is_class = class.contains('.') && !class.contains(char::is_whitespace);
    if is_class { class } else { UNKNOWN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_innermost_cause_that_has_a_class() {
        let trace = "a.ConnectException: outer\nCaused by: b.RetriableException: inner\nCaused by: no space\n";
        assert_eq!(reason(trace), "b.RetriableException: inner");
        assert_eq!(class(reason(trace)), "b.RetriableException");
        assert_eq!(reason("a.B: text: more\n"), "a.B: text: more");
        assert_eq!(class("panicked at src: no"), UNKNOWN);
        assert_eq!(reason(""), "");
    }
}
