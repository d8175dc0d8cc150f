//! Why a command of `ringmain ctl` failed: what the worker said, and what to do about it.

use serde_json::{Value, json};
use thiserror::Error;

use crate::cli::Exit;

/// A failure, with the address that it concerns.
#[derive(Debug, Error)]
pub(super) enum CtlError {
    /// Arguments or files can't be used; nothing was asked.
    #[error("{0}")]
    Usage(String),
    /// The worker refused (contract 1.1: `{"error_code", "message"}`).
    #[error("{url} answered {status}{}: {message}", code_text(.status, .code))]
    Refused {
        /// The address.
        url: String,
        /// HTTP status.
        status: u16,
        /// `error_code` of the answer, normally the status.
        code: i64,
        /// `message` of the answer.
        message: String,
    },
    /// Something answered, but not a Connect worker.
    #[error("{url} answered {status} with {shown}, which is no answer of a Connect worker")]
    Foreign {
        /// The address.
        url: String,
        /// HTTP status.
        status: u16,
        /// The beginning of the body.
        shown: String,
        /// `Location` of a redirection.
        location: Option<String>,
    },
    /// Nobody answered.
    #[error("{url} can't be reached: {reason}")]
    Unreachable {
        /// The address.
        url: String,
        /// Why.
        reason: String,
        /// What to do.
        hint: &'static str,
        /// Whether the request may have reached a worker.
        sent: bool,
    },
    /// Waiting took too long.
    #[error("{0}")]
    TimedOut(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

fn code_text(status: &u16, code: &i64) -> String {
    if i64::from(*status) == *code {
        String::new()
    } else {
        format!(" (error_code {code})")
    }
}

impl CtlError {
    /// How the command ends with it.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::TimedOut(_) => Exit::TimedOut,
            _ => Exit::Failure,
        }
    }

    /// HTTP status of a refusal.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } | Self::Foreign { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// A worker's 404: the thing that was asked for is not there, as opposed to the path.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. }) && !self.is_unknown_path()
    }

    /// A 404 for a path that the worker does not know.
    pub(super) fn is_unknown_path(&self) -> bool {
        match self {
            Self::Refused {
                status, message, ..
            } => *status == 404 && message.starts_with("HTTP 404"),
            Self::Foreign { status, .. } => *status == 404,
            _ => false,
        }
    }

    /// A conflict that passes: workers that rebalance (contract 1.2). An existing name stays.
    pub(super) fn is_rebalance(&self) -> bool {
        match self {
            Self::Refused {
                status, message, ..
            } => *status == 409 && !message.contains("already exists"),
            _ => false,
        }
    }

    /// Nobody answers: asking for the next thing is as vain.
    pub(super) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Foreign { .. })
    }

    /// What to do about it.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Refused {
                status, message, ..
            } => refusal_hint(*status, message).map(str::to_owned),
            Self::Foreign {
                location: Some(location),
                ..
            } => Some(format!(
                "it redirects to {location}; if that is the worker, give it to --url"
            )),
            Self::Foreign { .. } => Some(
                "check --url (RINGMAIN_URL): it should be the address and the path prefix, if any, of the worker's REST interface"
                    .to_owned(),
            ),
            Self::Unreachable { hint, .. } => Some((*hint).to_owned()),
            Self::Usage(_) | Self::TimedOut(_) | Self::Failed(_) => None,
        }
    }

    /// `{"kind", "message", "url", "status", "error_code", "hint"}`; null where there is none.
    pub(super) fn json(&self) -> Value {
        let (kind, url, status, code) = match self {
            Self::Usage(_) => ("usage", None, None, None),
            Self::Refused {
                url, status, code, ..
            } => ("refused", Some(url), Some(*status), Some(*code)),
            Self::Foreign { url, status, .. } => ("foreign", Some(url), Some(*status), None),
            Self::Unreachable { url, .. } => ("unreachable", Some(url), None, None),
            Self::TimedOut(_) => ("timed_out", None, None, None),
            Self::Failed(_) => ("failed", None, None, None),
        };
        let message = match self {
            Self::Refused { message, .. } => message.clone(),
            other => other.to_string(),
        };
        json!({
            "kind": kind,
            "message": message,
            "url": url,
            "status": status,
            "error_code": code,
            "hint": self.hint(),
        })
    }
}

fn refusal_hint(status: u16, message: &str) -> Option<&'static str> {
    let says = |part: &str| message.contains(part);
    Some(match status {
        401 => "say who you are with --user and --password-file, or with --token-file",
        403 if says("opic tracking") => {
            "topic.tracking.enable and topic.tracking.allow.reset of the worker decide about this"
        }
        403 => "this user may not do that",
        404 if message.starts_with("HTTP 404") => {
            "this worker has no such endpoint: it may be older, have it on another listener (admin.listeners), or --url may have a wrong path"
        }
        404 if says("does not offer") => "this version of the worker lacks it",
        404 if says("log level") => "levels are TRACE, DEBUG, INFO, WARN, ERROR, FATAL and OFF",
        404 if says("Logger") => "`ringmain ctl logs level` lists the loggers",
        404 if says("plugin") => "`ringmain ctl plugins --all` lists what the worker has",
        404 => "`ringmain ctl list` shows the connectors there are",
        409 if says("already exists") => "`ringmain ctl apply` changes it",
        409 => {
            "the workers were rebalancing all the while; try again, or for longer with --retry SECONDS"
        }
        400 if says("STOPPED state") => {
            "stop it with `ringmain ctl stop NAME`, change the offsets, and resume it with `ringmain ctl resume NAME`"
        }
        400 if says("Connector configuration is invalid") => {
            "`ringmain ctl validate FILE` shows the problems by key"
        }
        500 if says("Request timed out") => {
            "the worker may still do it: look with `ringmain ctl describe NAME`; connector code that hangs is a usual cause"
        }
        500 if says("Failed to find any class") => {
            "`ringmain ctl plugins` lists the classes that the worker has"
        }
        503 => "the worker is starting up or a proxy does not reach it; try again soon",
        502 | 504 => "a proxy in between does not reach the worker",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, message: &str) -> CtlError {
        CtlError::Refused {
            url: "http://w:8083".to_owned(),
            status,
            code: i64::from(status),
            message: message.to_owned(),
        }
    }

    #[test]
    fn a_refusal_shows_address_status_and_the_workers_words() {
        let error = refused(404, "Connector x not found");
        assert_eq!(
            error.to_string(),
            "http://w:8083 answered 404: Connector x not found"
        );
        assert!(error.hint().unwrap().contains("ctl list"));
        let forwarded = CtlError::Refused {
            url: "u".to_owned(),
            status: 500,
            code: 409,
            message: "m".to_owned(),
        };
        assert_eq!(forwarded.to_string(), "u answered 500 (error_code 409): m");
    }

    #[test]
    fn an_existing_name_is_no_rebalance() {
        assert!(!refused(409, "Connector a already exists").is_rebalance());
        assert!(refused(409, "Cannot complete request momentarily").is_rebalance());
        assert!(!refused(500, "x").is_rebalance());
    }

    #[test]
    fn a_missing_connector_is_told_from_a_missing_path() {
        assert!(refused(404, "Connector x not found").is_not_found());
        let path = refused(404, "HTTP 404 Not Found");
        assert!(path.is_unknown_path() && !path.is_not_found());
        assert!(path.hint().unwrap().contains("no such endpoint"));
    }

    #[test]
    fn json_has_every_member_whatever_the_kind() {
        for error in [
            refused(404, "m"),
            CtlError::Usage("u".to_owned()),
            CtlError::TimedOut("t".to_owned()),
            CtlError::Failed("f".to_owned()),
        ] {
            let json = error.json();
            let members: Vec<&String> = json.as_object().unwrap().keys().collect();
            assert_eq!(
                members,
                ["kind", "message", "url", "status", "error_code", "hint"]
            );
        }
        assert_eq!(refused(404, "m").json()["message"], "m");
    }

    #[test]
    fn the_kind_of_error_decides_about_the_exit_code() {
        assert_eq!(CtlError::Usage(String::new()).exit(), Exit::Usage);
        assert_eq!(CtlError::TimedOut(String::new()).exit(), Exit::TimedOut);
        assert_eq!(refused(404, "x").exit(), Exit::Failure);
    }
}
