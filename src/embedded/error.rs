//! Making [`ClientError`]s.

use std::io;
use std::path::Path;

use crate::clients::{ApiErrorKind, ClientError};
use crate::mapped::SlotError;
use crate::shard::BlockingError;

/// A failed system call. A full disk may have room again later.
pub(super) fn storage(path: &Path, doing: &str, error: &io::Error) -> ClientError {
    let full = matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT));
    let hint = if full { "; free some space" } else { "" };
    ClientError::Storage {
        path: path.to_owned(),
        reason: format!("{doing}: {error}{hint}"),
        retriable: full,
    }
}

pub(super) fn refused(path: &Path, reason: impl Into<String>) -> ClientError {
    ClientError::Storage {
        path: path.to_owned(),
        reason: reason.into(),
        retriable: false,
    }
}

pub(super) fn slots(path: &Path, error: &SlotError) -> ClientError {
    ClientError::Storage {
        path: path.to_owned(),
        reason: error.to_string(),
        retriable: error.is_retriable(),
    }
}

pub(super) fn blocking(path: &Path, error: &BlockingError) -> ClientError {
    ClientError::Storage {
        path: path.to_owned(),
        reason: error.to_string(),
        retriable: matches!(error, BlockingError::Exhausted(_)),
    }
}

fn api(code: i16, name: &'static str, kind: ApiErrorKind, context: String) -> ClientError {
    ClientError::Api {
        context,
        code,
        name,
        kind,
        message: None,
    }
}

pub(super) fn unknown_topic(context: String) -> ClientError {
    let kind = ApiErrorKind::RefreshMetadata;
    api(3, "UNKNOWN_TOPIC_OR_PARTITION", kind, context)
}

pub(super) fn invalid_topic(topic: &str) -> ClientError {
    let context = format!(
        "topic '{topic}': a name has 1 to 249 letters, digits, '.', '_' and '-' and is not '.' or '..'"
    );
    api(17, "INVALID_TOPIC_EXCEPTION", ApiErrorKind::Fatal, context)
}

pub(super) fn invalid_partitions(topic: &str, partitions: i32) -> ClientError {
    let context = format!("topic {topic} with {partitions} partitions");
    api(37, "INVALID_PARTITIONS", ApiErrorKind::Fatal, context)
}

pub(super) fn illegal_generation(context: String) -> ClientError {
    api(22, "ILLEGAL_GENERATION", ApiErrorKind::Fatal, context)
}

pub(super) fn unknown_member(context: String) -> ClientError {
    api(25, "UNKNOWN_MEMBER_ID", ApiErrorKind::Fatal, context)
}

pub(super) fn non_empty_group(context: String) -> ClientError {
    api(68, "NON_EMPTY_GROUP", ApiErrorKind::Fatal, context)
}

pub(super) fn group_not_found(context: String) -> ClientError {
    api(69, "GROUP_ID_NOT_FOUND", ApiErrorKind::Fatal, context)
}

pub(super) fn group_subscribed(context: String) -> ClientError {
    let kind = ApiErrorKind::Fatal;
    api(86, "GROUP_SUBSCRIBED_TO_TOPIC", kind, context)
}

pub(super) fn offset_out_of_range(context: String) -> ClientError {
    api(1, "OFFSET_OUT_OF_RANGE", ApiErrorKind::Fatal, context)
}
