//! The levels by name.

use std::collections::BTreeMap;

use super::LoggersError;
use super::level::Level;
use super::names::{JAVA_NAMES, Shown, is_beneath, owners};

const ROOT: &str = "root";
/// Most loggers that are made by setting the level of an unknown name.
const MADE_MAX: usize = 1000;

/// A logger's level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggerLevel {
    /// The level.
    pub level: Level,
    /// When it was last changed, in ms since the epoch; `None` since the start.
    pub last_modified: Option<i64>,
}

/// All loggers.
#[derive(Debug)]
pub(super) struct Tree {
    loggers: BTreeMap<String, Logger>,
    made: usize,
}

#[derive(Debug)]
struct Logger {
    level: LoggerLevel,
    /// What it stands for: the target of events.
    target: String,
    shown: bool,
}

impl Logger {
    /// Whether a change of `name` reaches the logger called `own`.
    fn is_covered(&self, own: &str, name: &str) -> bool {
        name == ROOT
            || is_beneath(own, name)
            || is_beneath(&self.target, name)
            || owners(&self.target).any(|java| is_beneath(java, name))
    }
}

impl Tree {
    /// The known loggers with the levels of a filter: that of the root, and those of targets.
    pub(super) fn new(root: Level, explicit: &[(String, Level)]) -> Self {
        let level_of = |target: &str| {
            let covering = explicit
                .iter()
                .filter(|(parent, _)| is_beneath(target, parent))
                .max_by_key(|(parent, _)| parent.len());
            covering.map_or(root, |(_, level)| *level)
        };
        let logger = |target: &str, shown| Logger {
            level: LoggerLevel {
                level: level_of(target),
                last_modified: None,
            },
            target: target.to_owned(),
            shown,
        };
        let mut loggers = BTreeMap::new();
        for (java, module, shown) in JAVA_NAMES {
            loggers.insert((*java).to_owned(), logger(module, *shown == Shown::Yes));
            loggers.insert((*module).to_owned(), logger(module, true));
        }
        for (target, _) in explicit {
            loggers
                .entry(target.clone())
                .or_insert_with(|| logger(target, true));
        }
        let mut parent = logger("", true);
        parent.level.level = root;
        loggers.insert(ROOT.to_owned(), parent);
        Self { loggers, made: 0 }
    }

    pub(super) fn all(&self) -> Vec<(String, LoggerLevel)> {
        let shown = self.loggers.iter().filter(|(_, logger)| logger.shown);
        shown
            .filter(|(_, logger)| logger.level.level != Level::Off)
            .map(|(name, logger)| (name.clone(), logger.level))
            .collect()
    }

    pub(super) fn level(&self, name: &str) -> Option<LoggerLevel> {
        let found = self.loggers.get(canonical(name))?;
        found.shown.then_some(found.level)
    }

    /// Sets a level; gives the names whose level is another one than before, sorted.
    pub(super) fn set(
        &mut self,
        name: &str,
        level: Level,
        now: i64,
    ) -> Result<Vec<String>, LoggersError> {
        let name = canonical(name);
        let is_new = !self.loggers.get(name).is_some_and(|logger| logger.shown);
        self.show(name)?;
        let mut changed = Vec::new();
        for (own, logger) in &mut self.loggers {
            if !logger.is_covered(own, name) {
                continue;
            }
            // Log4j's loggers that are off are as good as unknown, so they change also to off.
            let before = logger.level.level;
            let is_other = before != level || before == Level::Off || (is_new && own == name);
            logger.level.level = level;
            if is_other && logger.shown {
                logger.level.last_modified = Some(now);
                changed.push(own.clone());
            }
        }
        Ok(changed)
    }

    /// Makes the logger of a name, or shows one that was there for its package.
    fn show(&mut self, name: &str) -> Result<(), LoggersError> {
        if let Some(logger) = self.loggers.get_mut(name) {
            logger.shown = true;
            return Ok(());
        }
        if self.made == MADE_MAX {
            return Err(LoggersError::TooMany(MADE_MAX));
        }
        self.made += 1;
        let logger = Logger {
            level: LoggerLevel {
                level: Level::Off,
                last_modified: None,
            },
            target: name.to_owned(),
            shown: true,
        };
        let reached = self
            .loggers
            .iter()
            .any(|(own, logger)| !logger.target.is_empty() && logger.is_covered(own, name));
        if !reached && !is_target(name) {
            tracing::warn!(
                logger = name,
                "no code of this worker logs under this name; GET /admin/loggers shows the names that do"
            );
        }
        self.loggers.insert(name.to_owned(), logger);
        Ok(())
    }

    /// The levels as directives of a filter.
    pub(super) fn directives(&self) -> Vec<String> {
        let mut levels: BTreeMap<&str, Level> = BTreeMap::new();
        for logger in self.loggers.values() {
            if logger.target.is_empty() || is_target(&logger.target) {
                levels.insert(&logger.target, logger.level.level);
            }
        }
        let directive = |(target, level): (&str, Level)| match target {
            "" => level.directive().to_owned(),
            target => format!("{target}={}", level.directive()),
        };
        levels.into_iter().map(directive).collect()
    }
}

fn canonical(name: &str) -> &str {
    if name.eq_ignore_ascii_case(ROOT) {
        ROOT
    } else {
        name
    }
}

/// Whether events may have this target: the path of a Rust module.
fn is_target(name: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':');
    !name.is_empty() && name.chars().all(is_part)
}
