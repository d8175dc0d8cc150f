//! Requests and answers: which API key, version and header a message has, and framing.
//!
//! kafka-protocol's own `Request` trait needs its `broker` feature, so the pairs are declared here, with
//! the highest version that this client speaks: versions that name topics by id instead of by name are
//! left out (Produce 13, Fetch 13, OffsetCommit 10, OffsetFetch 10).

use bytes::{Buf, Bytes};
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, CreatePartitionsRequest, CreatePartitionsResponse,
    CreateTopicsRequest, CreateTopicsResponse, DeleteGroupsRequest, DeleteGroupsResponse,
    DeleteRecordsRequest, DeleteRecordsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
    DescribeConfigsRequest, DescribeConfigsResponse, FetchRequest, FetchResponse,
    FindCoordinatorRequest, FindCoordinatorResponse, HeartbeatRequest, HeartbeatResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, InitProducerIdRequest,
    InitProducerIdResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, ListOffsetsRequest, ListOffsetsResponse, MetadataRequest, MetadataResponse,
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse,
    OffsetFetchRequest, OffsetFetchResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse, ProduceRequest, ProduceResponse, RequestHeader, ResponseHeader,
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
    SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, StrBytes};

use super::counts;
use crate::shard::{PooledVec, take_vec};

/// A request that this client sends.
pub(super) trait Request: Message + Encodable + HeaderVersion {
    /// Kafka's API key.
    const KEY: i16;
    /// Name for errors.
    const NAME: &'static str;
    /// Highest version sent, though the crate or the broker may know higher ones.
    const VERSION_MAX: i16;
    /// Whether it belongs to an authentication, during which no other request may go out.
    const AUTHENTICATES: bool = false;
    /// What a broker answers.
    type Response: Response;
}

/// The answer to a [`Request`].
pub(super) trait Response: Decodable + HeaderVersion {
    /// How long the broker asks this client to be silent (KIP-219).
    fn throttle_time_ms(&self) -> i32;
}

macro_rules! requests {
    ($($request:ident => $response:ident: $key:literal, $name:literal, up to $max:literal;)*) => {$(
        impl Request for $request {
            const KEY: i16 = $key;
            const NAME: &'static str = $name;
            const VERSION_MAX: i16 = $max;
            type Response = $response;
        }

        impl Response for $response {
            fn throttle_time_ms(&self) -> i32 {
                self.throttle_time_ms
            }
        }
    )*};
}

requests! {
    ProduceRequest => ProduceResponse: 0, "Produce", up to 12;
    FetchRequest => FetchResponse: 1, "Fetch", up to 12;
    ListOffsetsRequest => ListOffsetsResponse: 2, "ListOffsets", up to 9;
    MetadataRequest => MetadataResponse: 3, "Metadata", up to 12;
    OffsetCommitRequest => OffsetCommitResponse: 8, "OffsetCommit", up to 9;
    OffsetFetchRequest => OffsetFetchResponse: 9, "OffsetFetch", up to 9;
    FindCoordinatorRequest => FindCoordinatorResponse: 10, "FindCoordinator", up to 4;
    JoinGroupRequest => JoinGroupResponse: 11, "JoinGroup", up to 9;
    HeartbeatRequest => HeartbeatResponse: 12, "Heartbeat", up to 4;
    LeaveGroupRequest => LeaveGroupResponse: 13, "LeaveGroup", up to 5;
    SyncGroupRequest => SyncGroupResponse: 14, "SyncGroup", up to 5;
    ApiVersionsRequest => ApiVersionsResponse: 18, "ApiVersions", up to 3;
    CreateTopicsRequest => CreateTopicsResponse: 19, "CreateTopics", up to 7;
    DeleteTopicsRequest => DeleteTopicsResponse: 20, "DeleteTopics", up to 5;
    DeleteRecordsRequest => DeleteRecordsResponse: 21, "DeleteRecords", up to 2;
    InitProducerIdRequest => InitProducerIdResponse: 22, "InitProducerId", up to 4;
    OffsetForLeaderEpochRequest => OffsetForLeaderEpochResponse: 23, "OffsetForLeaderEpoch", up to 4;
    DescribeConfigsRequest => DescribeConfigsResponse: 32, "DescribeConfigs", up to 4;
    CreatePartitionsRequest => CreatePartitionsResponse: 37, "CreatePartitions", up to 3;
    DeleteGroupsRequest => DeleteGroupsResponse: 42, "DeleteGroups", up to 2;
    IncrementalAlterConfigsRequest => IncrementalAlterConfigsResponse: 44, "IncrementalAlterConfigs", up to 1;
    OffsetDeleteRequest => OffsetDeleteResponse: 47, "OffsetDelete", up to 0;
}

impl Request for SaslHandshakeRequest {
    const KEY: i16 = 17;
    const NAME: &'static str = "SaslHandshake";
    const VERSION_MAX: i16 = 1;
    const AUTHENTICATES: bool = true;
    type Response = SaslHandshakeResponse;
}

impl Request for SaslAuthenticateRequest {
    const KEY: i16 = 36;
    const NAME: &'static str = "SaslAuthenticate";
    const VERSION_MAX: i16 = 2;
    const AUTHENTICATES: bool = true;
    type Response = SaslAuthenticateResponse;
}

impl Response for SaslHandshakeResponse {
    fn throttle_time_ms(&self) -> i32 {
        0
    }
}

impl Response for SaslAuthenticateResponse {
    fn throttle_time_ms(&self) -> i32 {
        0
    }
}

/// Position of the correlation id in a framed request.
const CORRELATION_AT: usize = 8;

/// A framed request: length, header and body, in pieces so that record batches are not copied.
#[derive(Debug)]
pub(super) struct Frame {
    /// Length, header, and the body or its start.
    pub(super) head: PooledVec,
    /// What follows, in order.
    pub(super) tail: Vec<Piece>,
}

/// A piece of a framed request.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// Bytes made for this request.
    Own(Bytes),
    /// A record batch that its owner keeps for retries.
    Batch(std::rc::Rc<PooledVec>),
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Batch(batch) => batch.as_slice(),
        }
    }
}

impl Frame {
    /// Starts a frame: an empty length and a request header. The body is appended to `head`.
    pub(super) fn start<R: Request>(
        version: i16,
        client_id: &StrBytes,
        capacity: usize,
    ) -> Result<Self, String> {
        let mut head = take_vec(capacity);
        head.extend_from_slice(&[0; 4]);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_client_id(Some(client_id.clone()));
        header
            .encode(&mut *head, R::header_version(version))
            .map_err(|error| error.to_string())?;
        Ok(Self {
            head,
            tail: Vec::new(),
        })
    }

    /// A whole request.
    pub(super) fn of<R: Request>(
        request: &R,
        version: i16,
        client_id: &StrBytes,
    ) -> Result<Self, String> {
        let mut frame = Self::start::<R>(version, client_id, 256)?;
        request
            .encode(&mut *frame.head, version)
            .map_err(|error| error.to_string())?;
        Ok(frame)
    }

    /// Bytes on the wire.
    pub(super) fn len(&self) -> usize {
        let tail: usize = self.tail.iter().map(|piece| piece.as_ref().len()).sum();
        self.head.len() + tail
    }

    /// Fills in length and correlation id.
    pub(super) fn seal(&mut self, correlation: i32) -> Result<(), String> {
        let len = self.len().saturating_sub(4);
        let len = i32::try_from(len).map_err(|_| format!("a request of {len} bytes"))?;
        self.head[..4].copy_from_slice(&len.to_be_bytes());
        self.head[CORRELATION_AT..CORRELATION_AT + 4].copy_from_slice(&correlation.to_be_bytes());
        Ok(())
    }
}

/// Reads an answer (from its correlation id on) of `version`; strings and records are slices of it.
pub(super) fn decode<R: Response>(mut answer: Bytes, version: i16) -> Result<R, String> {
    ResponseHeader::decode(&mut answer, R::header_version(version))
        .map_err(|error| format!("header: {error}"))?;
    let body = counts::decode::<R>(&mut answer, version)?;
    if answer.has_remaining() {
        tracing::trace!(bytes = answer.remaining(), "an answer has bytes left over");
    }
    Ok(body)
}

/// Text as the protocol crate wants it.
pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
