//! What there is to say about a connector or a worker, and what follows from it.

use serde::Serialize;

/// How much it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Weight {
    /// Nothing changes.
    Note,
    /// It runs, and something is otherwise, or can't be told from here.
    Differs,
    /// It does not run.
    Unsupported,
}

/// One thing to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) weight: Weight,
    /// The key that it is about, where it is about one.
    pub(super) key: Option<String>,
    /// What there is to know.
    pub(super) what: String,
    /// What would be needed, where that is known.
    pub(super) needed: Option<String>,
}

impl Finding {
    /// Something about `key`; an empty one is none.
    pub(super) fn new(weight: Weight, key: &str, what: impl Into<String>) -> Self {
        Self {
            weight,
            key: (!key.is_empty()).then(|| key.to_owned()),
            what: what.into(),
            needed: None,
        }
    }

    pub(super) fn note(key: &str, what: impl Into<String>) -> Self {
        Self::new(Weight::Note, key, what)
    }

    pub(super) fn differs(key: &str, what: impl Into<String>) -> Self {
        Self::new(Weight::Differs, key, what)
    }

    pub(super) fn unsupported(key: &str, what: impl Into<String>) -> Self {
        Self::new(Weight::Unsupported, key, what)
    }

    /// With what would be needed.
    pub(super) fn needs(mut self, needed: impl Into<String>) -> Self {
        self.needed = Some(needed.into());
        self
    }
}

/// What follows for a connector or a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// It runs, and nothing is otherwise.
    Native,
    /// It runs with differences.
    Differs,
    /// It does not run.
    Unsupported,
}

impl Verdict {
    /// The worst of all findings decides.
    pub(super) fn of(findings: &[Finding]) -> Self {
        match findings.iter().map(|finding| finding.weight).max() {
            None | Some(Weight::Note) => Self::Native,
            Some(Weight::Differs) => Self::Differs,
            Some(Weight::Unsupported) => Self::Unsupported,
        }
    }

    /// For people.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Differs => "differs",
            Self::Unsupported => "unsupported",
        }
    }
}
