//! The error that connectors, converters and transformations return, carrying what the handler needs:
//! whose fault it is and whether a retry can help.

use std::error::Error;
use std::fmt;

/// What a handler may do about a [`ConnectError`]. Each kind is one of Kafka Connect's exception
/// classes, whose name shows in traces and dead letter headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// `ConnectException`: the operation failed for good.
    Connect,
    /// `RetriableException`: the same call may succeed later.
    Retriable,
    /// `DataException`: the record is at fault.
    Data,
    /// `SchemaBuilderException`: a schema cannot be built.
    SchemaBuilder,
    /// `ConfigException`: the configuration is at fault.
    Config,
    /// No failure yet: a converter has to look something up first, see
    /// [`Converter::resolve`](crate::api::Converter::resolve). Whoever converts resolves and calls again;
    /// where it shows all the same, it reads as `RetriableException`.
    Pending,
}

/// An error with its Kafka Connect class and an optional cause.
#[derive(Debug)]
pub struct ConnectError {
    kind: ErrorKind,
    class: Option<&'static str>,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ConnectError {
    /// An error of `kind` with Kafka's message text.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            class: None,
            message: message.into(),
            source: None,
        }
    }

    /// A permanent failure (`ConnectException`).
    pub fn connect(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Connect, message)
    }

    /// A failure that a later try may not meet (`RetriableException`).
    pub fn retriable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Retriable, message)
    }

    /// A converter that has to look something up first, see [`ErrorKind::Pending`].
    pub fn pending(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Pending, message)
    }

    /// A record at fault (`DataException`).
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, message)
    }

    /// A configuration at fault (`ConfigException`).
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error under another Java class name, for failures that Kafka reports as plain Java
    /// exceptions (`java.lang.NullPointerException` …).
    #[must_use]
    pub fn with_class(mut self, class: &'static str) -> Self {
        self.class = Some(class);
        self
    }

    /// The same error with every text of it and its causes changed. Causes that are no Connect errors keep
    /// their texts only.
    #[must_use]
    pub fn map_texts(self, change: &dyn Fn(&str) -> String) -> Self {
        let source = self.source.map(|source| match source.downcast::<Self>() {
            Ok(error) => Box::new(error.map_texts(change)) as Box<dyn Error + Send + Sync>,
            Err(other) => Box::new(CauseText::of(&*other, change)),
        });
        Self {
            message: change(&self.message),
            source,
            ..self
        }
    }

    /// What the handler may do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the same call may succeed later (Kafka: `RetriableException`).
    pub fn is_retriable(&self) -> bool {
        self.kind == ErrorKind::Retriable
    }

    /// Whether the converter that gave this has to look something up first, see [`ErrorKind::Pending`].
    pub fn is_pending(&self) -> bool {
        self.kind == ErrorKind::Pending
    }

    /// The message without its causes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Fully qualified name of Kafka's exception class for this error.
    pub fn java_class(&self) -> &'static str {
        self.class.unwrap_or(match self.kind {
            ErrorKind::Connect => "org.apache.kafka.connect.errors.ConnectException",
            ErrorKind::Retriable | ErrorKind::Pending => {
                "org.apache.kafka.connect.errors.RetriableException"
            }
            ErrorKind::Data => "org.apache.kafka.connect.errors.DataException",
            ErrorKind::SchemaBuilder => "org.apache.kafka.connect.errors.SchemaBuilderException",
            ErrorKind::Config => "org.apache.kafka.common.config.ConfigException",
        })
    }

    /// Text in the manner of a Java stack trace: class and message, then each cause on a line
    /// "Caused by: …". Kafka's `trace` status field shows it.
    pub fn trace(&self) -> String {
        let mut text = format!("{}: {}", self.java_class(), self.message);
        let mut cause = self.source();
        // What the error before it said, if it is none of Java's: such texts often end with their cause.
        let mut said = String::new();
        while let Some(error) = cause {
            cause = error.source();
            let own = error.to_string();
            match error.downcast_ref::<Self>() {
                Some(inner) => {
                    text.push_str(&format!("\nCaused by: {}: {own}", inner.java_class()));
                    said.clear();
                }
                None if said.ends_with(&own) => {}
                None => {
                    text.push_str(&format!("\nCaused by: {own}"));
                    said = own;
                }
            }
        }
        text.push('\n');
        text
    }
}

/// What is left of a cause when its texts were changed.
#[derive(Debug)]
struct CauseText {
    text: String,
    source: Option<Box<CauseText>>,
}

impl CauseText {
    fn of(error: &(dyn Error + 'static), change: &dyn Fn(&str) -> String) -> Self {
        let class = error.downcast_ref::<ConnectError>();
        let class = class.map_or(String::new(), |error| format!("{}: ", error.java_class()));
        let source = error.source();
        Self {
            text: class + &change(&error.to_string()),
            source: source.map(|source| Box::new(Self::of(source, change))),
        }
    }
}

impl fmt::Display for CauseText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for CauseText {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the file: {source}")]
    struct Unreadable {
        source: std::io::Error,
    }

    #[test]
    fn a_cause_that_its_error_has_named_already_is_not_named_again() {
        let unreadable = || Unreadable {
            source: std::io::Error::other("no space"),
        };
        let trace = ConnectError::connect("failed")
            .with_source(unreadable())
            .trace();
        let class = "org.apache.kafka.connect.errors.ConnectException";
        assert_eq!(
            trace,
            format!("{class}: failed\nCaused by: cannot read the file: no space\n")
        );
        // Java's exceptions are all named, even where one repeats what another said.
        let inner = ConnectError::data("no space").with_source("no space");
        let trace = ConnectError::connect("no space").with_source(inner).trace();
        assert_eq!(trace.matches("no space").count(), 3, "{trace}");
    }
}
