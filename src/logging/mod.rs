//! Log levels that can be changed while the process runs, by logger names (Kafka: `Loggers`, KIP-495,
//! KIP-976).
//!
//! Whoever runs Kafka Connect has scripts that set levels of Java's loggers. So each Java class whose part
//! is played by a module of ours is a logger that stands for the module ([`names`]), and each such module is
//! a logger of its own, `ringmain::kafka::producer` say. All that stand for one module share its level. A
//! change covers a name and everything beneath it in either way of naming. A name that nobody knows becomes
//! a logger when its level is set, as in Log4j; an event counts by the longest logger name that its target
//! begins with.
//!
//! [`Loggers`] knows the levels and makes the filter; `cli` installs it and `rest` changes it. Used from any
//! thread; a change takes a lock and has all callsites ask anew, an event takes none.

mod level;
mod names;
mod tree;

use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Targets;

pub use level::Level;
pub use tree::LoggerLevel;

use self::tree::Tree;

/// Puts a filter in place of the one before.
type Apply = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

/// The loggers of a process.
pub struct Loggers {
    /// `None`: somebody else's subscriber is installed, and nothing can be said or changed.
    state: Option<Mutex<State>>,
}

struct State {
    tree: Tree,
    /// Directives about spans, which name no logger and stay as they are.
    spans: Vec<String>,
    apply: Option<Apply>,
}

/// A level can't be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoggersError {
    /// Each name that is new stays for the life of the process.
    #[error("{0} loggers were made by name; no more are taken until the worker restarts")]
    TooMany(usize),
    /// The subscriber takes no other filter.
    #[error("the log filter can't be changed: {0}")]
    Filter(String),
}

impl Loggers {
    /// The loggers as a filter such as `info,ringmain::kafka=debug` has them.
    ///
    /// # Errors
    /// It is no filter.
    pub fn parse(filter: &str) -> Result<Self, String> {
        let (spans, levels): (Vec<_>, Vec<_>) = directives(filter)
            .into_iter()
            .partition(|directive| directive.contains('['));
        let targets: Targets = levels
            .join(",")
            .parse()
            .map_err(|error: tracing_subscriber::filter::ParseError| error.to_string())?;
        let root = targets.default_level().map_or(Level::Off, Level::from);
        let explicit = targets
            .iter()
            .filter(|(target, _)| !target.is_empty())
            .map(|(target, level)| (target.to_owned(), Level::from(level)));
        let state = State {
            tree: Tree::new(root, &explicit.collect::<Vec<_>>()),
            spans,
            apply: None,
        };
        state.filter()?;
        Ok(Self {
            state: Some(Mutex::new(state)),
        })
    }

    /// No loggers: for a process whose subscriber is not ours.
    pub fn none() -> Self {
        Self { state: None }
    }

    /// The filter of the levels as they are.
    ///
    /// # Errors
    /// A directive about spans is malformed.
    pub fn filter(&self) -> Result<EnvFilter, String> {
        match self.state() {
            Some(state) => state.filter(),
            None => Ok(EnvFilter::default()),
        }
    }

    /// Calls `apply` with each filter that a change makes.
    pub fn attach(&self, apply: impl Fn(EnvFilter) -> Result<(), String> + Send + Sync + 'static) {
        if let Some(mut state) = self.state() {
            state.apply = Some(Box::new(apply));
        }
    }

    /// All loggers that are known and not off, by name.
    pub fn all(&self) -> Vec<(String, LoggerLevel)> {
        self.state()
            .map(|state| state.tree.all())
            .unwrap_or_default()
    }

    /// A logger's level; `None` when there is no such logger. `root`, in any case, is the parent of all.
    pub fn level(&self, name: &str) -> Option<LoggerLevel> {
        match self.state() {
            Some(state) => state.tree.level(name),
            None => Some(LoggerLevel {
                level: Level::Off,
                last_modified: Some(0),
            }),
        }
    }

    /// Sets the level of a logger and of everything beneath it, at `now` in ms since the epoch. Gives the
    /// names whose level is another one now, sorted.
    ///
    /// # Errors
    /// Too many names were made up, or the subscriber is gone.
    pub fn set(&self, name: &str, level: Level, now: i64) -> Result<Vec<String>, LoggersError> {
        let Some(mut state) = self.state() else {
            return Ok(Vec::new());
        };
        let changed = state.tree.set(name, level, now)?;
        let filter = state.filter().map_err(LoggersError::Filter)?;
        if let Some(apply) = &state.apply {
            apply(filter).map_err(LoggersError::Filter)?;
        }
        drop(state);
        tracing::info!("Setting level of namespace {name} and children to {level}");
        Ok(changed)
    }

    fn state(&self) -> Option<MutexGuard<'_, State>> {
        let state = self.state.as_ref()?;
        Some(state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for Loggers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loggers").finish_non_exhaustive()
    }
}

impl State {
    fn filter(&self) -> Result<EnvFilter, String> {
        let mut filter = EnvFilter::default();
        let levels = self.tree.directives();
        for directive in self.spans.iter().chain(&levels) {
            let parsed = directive
                .parse()
                .map_err(|error: tracing_subscriber::filter::ParseError| error.to_string())?;
            filter = filter.add_directive(parsed);
        }
        Ok(filter)
    }
}

/// The directives of a filter; fields of spans may hold commas.
fn directives(filter: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    for letter in filter.chars() {
        match letter {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

#[cfg(test)]
mod tests;
