//! `errors.restart.*`: whether a failed task is started again by itself. Kafka Connect has no such thing.

use std::time::Duration;

use super::keys;
use crate::api::config_def::{ConfigDef, ConfigKey, Validator, Width};
use crate::api::{ConfigMap, ConnectError};

/// Which failed tasks are started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RestartWhen {
    /// None, as in Kafka.
    #[default]
    Never,
    /// Those whose error may pass: retriable errors, and brokers or hosts that are not reached.
    Transient,
    /// All.
    Always,
}

/// The policy of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// `errors.restart.policy`.
    pub when: RestartWhen,
    /// `errors.restart.backoff.ms`: wait before the first restart in a row; each further wait is twice as long.
    pub backoff: Duration,
    /// `errors.restart.backoff.max.ms`: longest wait; a task that ran for longer, and for a minute, starts a new row.
    pub backoff_max: Duration,
    /// `errors.restart.max.attempts`: most restarts in a row; `None` is no bound.
    pub attempts_max: Option<u32>,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            when: RestartWhen::Never,
            backoff: Duration::from_secs(1),
            backoff_max: Duration::from_secs(300),
            attempts_max: Some(10),
        }
    }
}

impl RestartPolicy {
    /// Reads a connector's texts. They are not looked up in config providers: what is no plain value counts as
    /// [`RestartWhen::Never`].
    pub fn of(config: &ConfigMap) -> Self {
        if !is_used(config) {
            return Self::default();
        }
        match Self::parse(config) {
            Ok(policy) => policy,
            Err(error) => {
                tracing::warn!(%error, "errors.restart.* can't be read: failed tasks stay failed");
                Self::default()
            }
        }
    }

    fn parse(config: &ConfigMap) -> Result<Self, ConnectError> {
        let parsed = def().parse(config).map_err(|problems| {
            let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
            ConnectError::config(texts.join("; "))
        })?;
        let ms = |key: &str| {
            let ms = parsed.long(key)?;
            Ok::<_, ConnectError>(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
        };
        Ok(Self {
            when: match parsed.str("errors.restart.policy")? {
                "transient" => RestartWhen::Transient,
                "always" => RestartWhen::Always,
                _ => RestartWhen::Never,
            },
            backoff: ms("errors.restart.backoff.ms")?,
            backoff_max: ms("errors.restart.backoff.max.ms")?,
            attempts_max: u32::try_from(parsed.int("errors.restart.max.attempts")?).ok(),
        })
    }

    /// The wait before restart number `attempt` (from 0) in a row; `None` when there is none.
    pub fn wait(&self, attempt: u32) -> Option<Duration> {
        if self.attempts_max.is_some_and(|most| attempt >= most) {
            return None;
        }
        let doubled = self.backoff.saturating_mul(1 << attempt.min(20));
        Some(doubled.min(self.backoff_max))
    }
}

/// Whether a configuration says anything of restarts. The keys are shown only then: Kafka has none of them.
pub(super) fn is_used(config: &ConfigMap) -> bool {
    config.keys().any(|key| key.starts_with("errors.restart."))
}

pub(super) fn def() -> ConfigDef {
    let key = |key: ConfigKey, order: i32, title: &str, doc: &str| {
        key.width(Width::Short)
            .group(keys::ERRORS, order)
            .display(title)
            .doc(doc)
    };
    [
        key(
            ConfigKey::string("errors.restart.policy")
                .default("none")
                .validator(Validator::one_of(["none", "transient", "always"])),
            9,
            "Restart Policy of Failed Tasks",
            "*Ours.* which failed tasks are started again: those whose error may pass (transient), all (always), or none. No references to config providers here.",
        ),
        key(
            ConfigKey::long("errors.restart.backoff.ms")
                .default(1000)
                .validator(Validator::at_least(1)),
            10,
            "Wait Before a Restart",
            "*Ours.* wait before the first restart in a row; it doubles with each further one.",
        ),
        key(
            ConfigKey::long("errors.restart.backoff.max.ms")
                .default(300_000)
                .validator(Validator::at_least(1)),
            11,
            "Longest Wait Before a Restart",
            "*Ours.* longest such wait; a task that ran for longer than this, and than a minute, starts a new row.",
        ),
        key(
            ConfigKey::int("errors.restart.max.attempts").default(10),
            12,
            "Restarts in a Row",
            "*Ours.* most restarts in a row, then the task stays failed; −1 is no bound.",
        ),
    ]
    .into_iter()
    .fold(ConfigDef::new(), ConfigDef::define)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(texts: &[(&str, &str)]) -> RestartPolicy {
        let texts = texts.iter();
        RestartPolicy::of(
            &texts
                .map(|(key, text)| ((*key).to_owned(), Some((*text).to_owned())))
                .collect(),
        )
    }

    #[test]
    fn without_a_policy_no_task_is_started_again() {
        assert_eq!(
            policy(&[("errors.tolerance", "all")]),
            RestartPolicy::default()
        );
        let bad = [("errors.restart.policy", "${file:a:b}")];
        assert_eq!(policy(&bad).when, RestartWhen::Never);
    }

    #[test]
    fn waits_double_up_to_the_longest_and_end_with_the_last_attempt() {
        let policy = policy(&[
            ("errors.restart.policy", "always"),
            ("errors.restart.backoff.ms", "100"),
            ("errors.restart.backoff.max.ms", "350"),
            ("errors.restart.max.attempts", "4"),
        ]);
        let waits = (0..5).map(|attempt| policy.wait(attempt).map(|wait| wait.as_millis()));
        let waits: Vec<_> = waits.collect();
        assert_eq!(waits, [Some(100), Some(200), Some(350), Some(350), None]);
        let unbounded = RestartPolicy {
            attempts_max: None,
            ..policy
        };
        assert_eq!(unbounded.wait(u32::MAX), Some(Duration::from_millis(350)));
    }
}
