//! Texts that came from providers, to be taken out of whatever is shown.

use std::fmt;

use crate::api::ConnectError;

/// Shorter values are left alone: taking every `1` out of a text hides nothing and makes it unreadable.
const SECRET_MIN: usize = 4;
const HIDDEN: &str = "[hidden]";

/// What must not be shown. Connectors know their configuration without references only, so what they say
/// about a failure may hold what a provider gave.
#[derive(Clone, Default)]
pub struct Mask(Vec<String>);

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values", self.0.len())
    }
}

impl Mask {
    /// Hides these values.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let long_enough = |secret: &String| secret.len() >= SECRET_MIN;
        let mut secrets: Vec<String> = secrets.into_iter().filter(long_enough).collect();
        // One that holds another goes first.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self(secrets)
    }

    /// `text` without the values.
    pub fn hide(&self, text: &str) -> String {
        let mut hidden = text.to_owned();
        for secret in &self.0 {
            if hidden.contains(secret.as_str()) {
                hidden = hidden.replace(secret.as_str(), HIDDEN);
            }
        }
        hidden
    }

    /// `error` without the values, in none of its causes.
    pub fn hide_in(&self, error: ConnectError) -> ConnectError {
        if self.0.is_empty() {
            return error;
        }
        let trace = error.trace();
        if self.0.iter().any(|secret| trace.contains(secret.as_str())) {
            return error.map_texts(&|text| self.hide(text));
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_out_of_errors_and_their_causes() {
        let mask = Mask::new([
            "hunter2".to_owned(),
            "hunter2-long".to_owned(),
            "1".to_owned(),
        ]);
        assert_eq!(
            mask.hide("a hunter2-long, hunter2 and 1"),
            "a [hidden], [hidden] and 1"
        );
        let cause = ConnectError::data("at hunter2").with_source("in hunter2-long");
        let error = ConnectError::connect("to hunter2").with_source(cause);
        let hidden = mask.hide_in(error.with_class("java.lang.IllegalStateException"));
        assert_eq!(
            hidden.trace(),
            "java.lang.IllegalStateException: to [hidden]\n\
             Caused by: org.apache.kafka.connect.errors.DataException: at [hidden]\n\
             Caused by: in [hidden]\n"
        );
        assert_eq!(format!("{mask:?}"), "2 values");
    }

    #[test]
    fn errors_without_values_stay_what_they_are() {
        let mask = Mask::new(["hunter2".to_owned()]);
        let error = ConnectError::retriable("no").with_source(std::io::Error::other("disk"));
        let same = mask.hide_in(error);
        assert!(same.is_retriable());
        let source = std::error::Error::source(&same).unwrap();
        assert!(source.downcast_ref::<std::io::Error>().is_some());
    }
}
