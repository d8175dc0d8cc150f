//! Kafka's error codes: their names and what may be done about each (Kafka:
//! `org.apache.kafka.common.protocol.Errors`, 4.3.1; the kinds follow `RetriableException`,
//! `InvalidMetadataException` and `AuthorizationException`).

use crate::clients::ApiErrorKind::{
    self, Authorization, Fatal, Fenced, RefreshMetadata, Retriable,
};
use crate::clients::ClientError;

/// Codes that the clients act upon by name.
pub(super) mod code {
    #![allow(dead_code, reason = "one list for every file of the room")]
    pub(in crate::kafka) const OFFSET_OUT_OF_RANGE: i16 = 1;
    pub(in crate::kafka) const CORRUPT_MESSAGE: i16 = 2;
    pub(in crate::kafka) const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    pub(in crate::kafka) const LEADER_NOT_AVAILABLE: i16 = 5;
    pub(in crate::kafka) const NOT_LEADER_OR_FOLLOWER: i16 = 6;
    pub(in crate::kafka) const REQUEST_TIMED_OUT: i16 = 7;
    pub(in crate::kafka) const MESSAGE_TOO_LARGE: i16 = 10;
    pub(in crate::kafka) const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
    pub(in crate::kafka) const COORDINATOR_NOT_AVAILABLE: i16 = 15;
    pub(in crate::kafka) const NOT_ENOUGH_REPLICAS: i16 = 19;
    pub(in crate::kafka) const NOT_COORDINATOR: i16 = 16;
    pub(in crate::kafka) const INVALID_TOPIC_EXCEPTION: i16 = 17;
    pub(in crate::kafka) const RECORD_LIST_TOO_LARGE: i16 = 18;
    pub(in crate::kafka) const ILLEGAL_GENERATION: i16 = 22;
    pub(in crate::kafka) const INCONSISTENT_GROUP_PROTOCOL: i16 = 23;
    pub(in crate::kafka) const UNKNOWN_MEMBER_ID: i16 = 25;
    pub(in crate::kafka) const REBALANCE_IN_PROGRESS: i16 = 27;
    pub(in crate::kafka) const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
    pub(in crate::kafka) const GROUP_AUTHORIZATION_FAILED: i16 = 30;
    pub(in crate::kafka) const CLUSTER_AUTHORIZATION_FAILED: i16 = 31;
    pub(in crate::kafka) const INVALID_TIMESTAMP: i16 = 32;
    pub(in crate::kafka) const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
    pub(in crate::kafka) const ILLEGAL_SASL_STATE: i16 = 34;
    pub(in crate::kafka) const UNSUPPORTED_VERSION: i16 = 35;
    pub(in crate::kafka) const TOPIC_ALREADY_EXISTS: i16 = 36;
    pub(in crate::kafka) const INVALID_PARTITIONS: i16 = 37;
    pub(in crate::kafka) const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
    pub(in crate::kafka) const DUPLICATE_SEQUENCE_NUMBER: i16 = 46;
    pub(in crate::kafka) const INVALID_PRODUCER_EPOCH: i16 = 47;
    pub(in crate::kafka) const CONCURRENT_TRANSACTIONS: i16 = 51;
    pub(in crate::kafka) const UNKNOWN_PRODUCER_ID: i16 = 59;
    pub(in crate::kafka) const GROUP_ID_NOT_FOUND: i16 = 69;
    pub(in crate::kafka) const FENCED_LEADER_EPOCH: i16 = 74;
    pub(in crate::kafka) const UNKNOWN_LEADER_EPOCH: i16 = 75;
    pub(in crate::kafka) const OFFSET_NOT_AVAILABLE: i16 = 78;
    pub(in crate::kafka) const MEMBER_ID_REQUIRED: i16 = 79;
    pub(in crate::kafka) const FENCED_INSTANCE_ID: i16 = 82;
    pub(in crate::kafka) const INVALID_RECORD: i16 = 87;
    pub(in crate::kafka) const UNSTABLE_OFFSET_COMMIT: i16 = 88;
    pub(in crate::kafka) const PRODUCER_FENCED: i16 = 90;
    pub(in crate::kafka) const UNKNOWN_TOPIC_ID: i16 = 100;
    pub(in crate::kafka) const REBOOTSTRAP_REQUIRED: i16 = 129;
}

/// Code, name and kind of every error that Kafka 4.3.1 knows.
const ERRORS: &[(i16, &str, ApiErrorKind)] = &[
    (-1, "UNKNOWN_SERVER_ERROR", Fatal),
    (1, "OFFSET_OUT_OF_RANGE", Fatal),
    (2, "CORRUPT_MESSAGE", Retriable),
    (3, "UNKNOWN_TOPIC_OR_PARTITION", RefreshMetadata),
    (4, "INVALID_FETCH_SIZE", Fatal),
    (5, "LEADER_NOT_AVAILABLE", RefreshMetadata),
    (6, "NOT_LEADER_OR_FOLLOWER", RefreshMetadata),
    (7, "REQUEST_TIMED_OUT", Retriable),
    (8, "BROKER_NOT_AVAILABLE", Fatal),
    (9, "REPLICA_NOT_AVAILABLE", RefreshMetadata),
    (10, "MESSAGE_TOO_LARGE", Fatal),
    (11, "STALE_CONTROLLER_EPOCH", Fatal),
    (12, "OFFSET_METADATA_TOO_LARGE", Fatal),
    (13, "NETWORK_EXCEPTION", RefreshMetadata),
    (14, "COORDINATOR_LOAD_IN_PROGRESS", Retriable),
    (15, "COORDINATOR_NOT_AVAILABLE", RefreshMetadata),
    (16, "NOT_COORDINATOR", RefreshMetadata),
    (17, "INVALID_TOPIC_EXCEPTION", Fatal),
    (18, "RECORD_LIST_TOO_LARGE", Fatal),
    (19, "NOT_ENOUGH_REPLICAS", Retriable),
    (20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", Retriable),
    (21, "INVALID_REQUIRED_ACKS", Fatal),
    (22, "ILLEGAL_GENERATION", Fatal),
    (23, "INCONSISTENT_GROUP_PROTOCOL", Fatal),
    (24, "INVALID_GROUP_ID", Fatal),
    (25, "UNKNOWN_MEMBER_ID", Fatal),
    (26, "INVALID_SESSION_TIMEOUT", Fatal),
    (27, "REBALANCE_IN_PROGRESS", Fatal),
    (28, "INVALID_COMMIT_OFFSET_SIZE", Fatal),
    (29, "TOPIC_AUTHORIZATION_FAILED", Authorization),
    (30, "GROUP_AUTHORIZATION_FAILED", Authorization),
    (31, "CLUSTER_AUTHORIZATION_FAILED", Authorization),
    (32, "INVALID_TIMESTAMP", Fatal),
    (33, "UNSUPPORTED_SASL_MECHANISM", Fatal),
    (34, "ILLEGAL_SASL_STATE", Fatal),
    (35, "UNSUPPORTED_VERSION", Fatal),
    (36, "TOPIC_ALREADY_EXISTS", Fatal),
    (37, "INVALID_PARTITIONS", Fatal),
    (38, "INVALID_REPLICATION_FACTOR", Fatal),
    (39, "INVALID_REPLICA_ASSIGNMENT", Fatal),
    (40, "INVALID_CONFIG", Fatal),
    (41, "NOT_CONTROLLER", RefreshMetadata),
    (42, "INVALID_REQUEST", Fatal),
    (43, "UNSUPPORTED_FOR_MESSAGE_FORMAT", Fatal),
    (44, "POLICY_VIOLATION", Fatal),
    (45, "OUT_OF_ORDER_SEQUENCE_NUMBER", Fatal),
    (46, "DUPLICATE_SEQUENCE_NUMBER", Fatal),
    (47, "INVALID_PRODUCER_EPOCH", Fenced),
    (48, "INVALID_TXN_STATE", Fatal),
    (49, "INVALID_PRODUCER_ID_MAPPING", Fatal),
    (50, "INVALID_TRANSACTION_TIMEOUT", Fatal),
    (51, "CONCURRENT_TRANSACTIONS", Retriable),
    (52, "TRANSACTION_COORDINATOR_FENCED", Fenced),
    (53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", Authorization),
    (54, "SECURITY_DISABLED", Fatal),
    (55, "OPERATION_NOT_ATTEMPTED", Fatal),
    (56, "KAFKA_STORAGE_ERROR", RefreshMetadata),
    (57, "LOG_DIR_NOT_FOUND", Fatal),
    (58, "SASL_AUTHENTICATION_FAILED", Authorization),
    (59, "UNKNOWN_PRODUCER_ID", Fatal),
    (60, "REASSIGNMENT_IN_PROGRESS", Fatal),
    (61, "DELEGATION_TOKEN_AUTH_DISABLED", Fatal),
    (62, "DELEGATION_TOKEN_NOT_FOUND", Fatal),
    (63, "DELEGATION_TOKEN_OWNER_MISMATCH", Fatal),
    (64, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", Fatal),
    (65, "DELEGATION_TOKEN_AUTHORIZATION_FAILED", Authorization),
    (66, "DELEGATION_TOKEN_EXPIRED", Fatal),
    (67, "INVALID_PRINCIPAL_TYPE", Fatal),
    (68, "NON_EMPTY_GROUP", Fatal),
    (69, "GROUP_ID_NOT_FOUND", Fatal),
    (70, "FETCH_SESSION_ID_NOT_FOUND", Retriable),
    (71, "INVALID_FETCH_SESSION_EPOCH", Retriable),
    (72, "LISTENER_NOT_FOUND", RefreshMetadata),
    (73, "TOPIC_DELETION_DISABLED", Fatal),
    (74, "FENCED_LEADER_EPOCH", RefreshMetadata),
    (75, "UNKNOWN_LEADER_EPOCH", RefreshMetadata),
    (76, "UNSUPPORTED_COMPRESSION_TYPE", Fatal),
    (77, "STALE_BROKER_EPOCH", Fatal),
    (78, "OFFSET_NOT_AVAILABLE", Retriable),
    (79, "MEMBER_ID_REQUIRED", Fatal),
    (80, "PREFERRED_LEADER_NOT_AVAILABLE", Retriable),
    (81, "GROUP_MAX_SIZE_REACHED", Fatal),
    (82, "FENCED_INSTANCE_ID", Fenced),
    (83, "ELIGIBLE_LEADERS_NOT_AVAILABLE", Retriable),
    (84, "ELECTION_NOT_NEEDED", Retriable),
    (85, "NO_REASSIGNMENT_IN_PROGRESS", Fatal),
    (86, "GROUP_SUBSCRIBED_TO_TOPIC", Fatal),
    (87, "INVALID_RECORD", Fatal),
    (88, "UNSTABLE_OFFSET_COMMIT", Retriable),
    (89, "THROTTLING_QUOTA_EXCEEDED", Retriable),
    (90, "PRODUCER_FENCED", Fenced),
    (91, "RESOURCE_NOT_FOUND", Fatal),
    (92, "DUPLICATE_RESOURCE", Fatal),
    (93, "UNACCEPTABLE_CREDENTIAL", Fatal),
    (94, "INCONSISTENT_VOTER_SET", Fatal),
    (95, "INVALID_UPDATE_VERSION", Fatal),
    (96, "FEATURE_UPDATE_FAILED", Fatal),
    (97, "PRINCIPAL_DESERIALIZATION_FAILURE", Fatal),
    (98, "SNAPSHOT_NOT_FOUND", Fatal),
    (99, "POSITION_OUT_OF_RANGE", Fatal),
    (100, "UNKNOWN_TOPIC_ID", RefreshMetadata),
    (101, "DUPLICATE_BROKER_REGISTRATION", Fatal),
    (102, "BROKER_ID_NOT_REGISTERED", Fatal),
    (103, "INCONSISTENT_TOPIC_ID", RefreshMetadata),
    (104, "INCONSISTENT_CLUSTER_ID", Fatal),
    (105, "TRANSACTIONAL_ID_NOT_FOUND", Fatal),
    (106, "FETCH_SESSION_TOPIC_ID_ERROR", Retriable),
    (107, "INELIGIBLE_REPLICA", Fatal),
    (108, "NEW_LEADER_ELECTED", Fatal),
    (109, "OFFSET_MOVED_TO_TIERED_STORAGE", Fatal),
    (110, "FENCED_MEMBER_EPOCH", Fenced),
    (111, "UNRELEASED_INSTANCE_ID", Fatal),
    (112, "UNSUPPORTED_ASSIGNOR", Fatal),
    (113, "STALE_MEMBER_EPOCH", Fatal),
    (114, "MISMATCHED_ENDPOINT_TYPE", Fatal),
    (115, "UNSUPPORTED_ENDPOINT_TYPE", Fatal),
    (116, "UNKNOWN_CONTROLLER_ID", Fatal),
    (117, "UNKNOWN_SUBSCRIPTION_ID", Fatal),
    (118, "TELEMETRY_TOO_LARGE", Fatal),
    (119, "INVALID_REGISTRATION", Fatal),
    (120, "TRANSACTION_ABORTABLE", Fatal),
    (121, "INVALID_RECORD_STATE", Fatal),
    (122, "SHARE_SESSION_NOT_FOUND", Retriable),
    (123, "INVALID_SHARE_SESSION_EPOCH", Retriable),
    (124, "FENCED_STATE_EPOCH", Fatal),
    (125, "INVALID_VOTER_KEY", Fatal),
    (126, "DUPLICATE_VOTER", Fatal),
    (127, "VOTER_NOT_FOUND", Fatal),
    (128, "INVALID_REGULAR_EXPRESSION", Fatal),
    (129, "REBOOTSTRAP_REQUIRED", Fatal),
    (130, "STREAMS_INVALID_TOPOLOGY", Fatal),
    (131, "STREAMS_INVALID_TOPOLOGY_EPOCH", Fatal),
    (132, "STREAMS_TOPOLOGY_FENCED", Fatal),
    (133, "SHARE_SESSION_LIMIT_REACHED", Retriable),
];

fn find(code: i16) -> Option<&'static (i16, &'static str, ApiErrorKind)> {
    ERRORS.iter().find(|(known, _, _)| *known == code)
}

/// Kafka's name of an error code.
pub(super) fn name(code: i16) -> &'static str {
    match code {
        0 => "NONE",
        _ => find(code).map_or("UNKNOWN_ERROR_CODE", |(_, name, _)| name),
    }
}

/// What may be done about an error code; a code of a later Kafka is fatal, as in Java.
pub(super) fn kind(code: i16) -> ApiErrorKind {
    find(code).map_or(Fatal, |(_, _, kind)| *kind)
}

/// The error of a call that was answered with `code` (not 0).
pub(super) fn api_error(
    code: i16,
    context: impl Into<String>,
    message: Option<&str>,
) -> ClientError {
    let mut message = message.map(str::to_owned);
    if let Some(advice) = advice(code) {
        message = Some(message.map_or_else(
            || advice.to_owned(),
            |message| format!("{message}; {advice}"),
        ));
    }
    ClientError::Api {
        context: context.into(),
        code,
        name: name(code),
        kind: kind(code),
        message,
    }
}

/// What to look at, for a code whose text does not say it.
fn advice(code: i16) -> Option<&'static str> {
    (code == code::INVALID_TIMESTAMP).then_some(
        "is the clock of this machine right? The topic's message.timestamp.before.max.ms and \
         message.timestamp.after.max.ms bound how far a record's time may be from the broker's",
    )
}

/// `Ok` for code 0, else the error.
///
/// # Errors
/// Every code but 0.
pub(super) fn check(code: i16, context: impl FnOnce() -> String) -> Result<(), ClientError> {
    match code {
        0 => Ok(()),
        _ => Err(api_error(code, context(), None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_protocol_crate_has_its_name_and_retriability() {
        for code in -1..=133_i16 {
            let Some(theirs) = kafka_protocol::ResponseError::try_from_code(code) else {
                continue;
            };
            let spelled: String = name(code).split('_').flat_map(str::chars).collect();
            assert_eq!(spelled.to_lowercase(), format!("{theirs:?}").to_lowercase());
            let retriable = matches!(kind(code), Retriable | RefreshMetadata);
            // CONCURRENT_TRANSACTIONS is a RetriableException in Java.
            assert_eq!(retriable, theirs.is_retriable() || code == 51, "{code}");
        }
        assert_eq!(name(9999), "UNKNOWN_ERROR_CODE");
        assert_eq!(kind(9999), Fatal);
    }

    #[test]
    fn a_refused_time_makes_one_look_at_the_clock() {
        let text = api_error(32, "writing", Some("too far")).to_string();
        assert!(
            text.contains("too far; is the clock of this machine right?"),
            "{text}"
        );
        let text = api_error(32, "writing", None).to_string();
        assert!(text.contains("message.timestamp.after.max.ms"), "{text}");
    }
}
