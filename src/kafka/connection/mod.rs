//! One TCP connection to a broker: pipelined requests, answers in the order of the requests.
//!
//! Two background futures own the halves of the socket: the writer takes framed requests from a queue,
//! so that a dropped call never leaves half a request on the wire; the reader hands each answer to the
//! call that waits for it, or drops it when that call is gone. The first problem (disconnect, wrong
//! correlation id, an answer over [`ANSWER_MAX`], a time-out) ends the connection: every waiting call
//! fails with `Disconnected`, and the owner opens a new one; where TLS or SASL did not work out, calls fail
//! with `Authentication`. The queue is bounded by its callers, each of which has a fixed number of requests
//! in flight.
//!
//! The futures are made for what the bytes go through, TCP or TLS over it, so that plain text pays nothing
//! for TLS. A SASL session of bounded length is proven anew before it ends (KIP-368): requests that come
//! meanwhile are held until that is done, those on the way before are answered before.

mod opening;
mod session;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::StrBytes;

use self::session::Held;
use super::errors::{api_error, code};
use super::protocol::{Frame, Request, Response, decode};
use super::security::{Security, refusal};
use crate::clients::ClientError;
use crate::metrics::{RequestTimes, request_times};
use crate::shard::{self, JoinHandle, Notify, take_filled};

/// Longest answer that is read. A longer one is no Kafka answer (a TLS or HTTP listener, say).
const ANSWER_MAX: usize = 128 << 20;
/// Answers up to here come through one buffered read; longer ones go straight into their own buffer.
const STAGING: usize = 2 << 10;
/// A request up to this size is copied together: each write wakes the broker, which costs more.
const GATHER_MAX: usize = 72 << 10;
/// So much of a larger batch is copied to what comes before and after it.
const EDGE: usize = 4 << 10;

/// Version ranges of a broker, by API key.
#[derive(Debug, Clone, Default)]
pub(super) struct ApiRanges(Vec<(i16, i16, i16)>);

impl ApiRanges {
    fn of(response: &ApiVersionsResponse) -> Self {
        let keys = response.api_keys.iter();
        Self(
            keys.map(|api| (api.api_key, api.min_version, api.max_version))
                .collect(),
        )
    }

    /// Lowest and highest version of an API, `None` when the broker does not know it.
    pub(super) fn range(&self, key: i16) -> Option<(i16, i16)> {
        self.0
            .iter()
            .find(|(known, _, _)| *known == key)
            .map(|(_, min, max)| (*min, *max))
    }
}

/// Why a connection ended.
#[derive(Debug)]
struct Failure {
    reason: String,
    /// The peers did not accept each other: another try comes to the same.
    refused: bool,
}

impl Failure {
    fn broken(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            refused: false,
        }
    }

    fn refused(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            refused: true,
        }
    }
}

type Outcome = Result<Bytes, Rc<Failure>>;

/// Where the reader puts an answer.
#[derive(Debug, Default)]
struct Slot {
    outcome: RefCell<Option<Outcome>>,
    waker: RefCell<Option<Waker>>,
}

impl Slot {
    fn fill(&self, outcome: Outcome) {
        *self.outcome.borrow_mut() = Some(outcome);
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// An answer to come. Dropping it drops the answer, the connection goes on.
#[derive(Debug)]
pub(super) struct Reply {
    slot: Rc<Slot>,
    shared: Rc<Shared>,
    api: &'static str,
}

impl Reply {
    /// The answer, from its correlation id on. Empty for a request that has none.
    ///
    /// # Errors
    /// `Disconnected`; `Timeout`, which ends the connection since later answers queue behind.
    pub(super) async fn within(self, limit: Duration) -> Result<Bytes, ClientError> {
        let answer = std::future::poll_fn(|cx| {
            if let Some(outcome) = self.slot.outcome.borrow_mut().take() {
                return Poll::Ready(outcome);
            }
            *self.slot.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        });
        match shard::timeout(limit, answer).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(failure)) => Err(self.shared.error(self.api, &failure)),
            Err(_) => {
                let reason = format!("no answer to {} in {} ms", self.api, limit.as_millis());
                self.shared.fail(&reason);
                Err(ClientError::Timeout {
                    context: format!("{} request to broker {}", self.api, self.shared.peer.broker),
                    after: limit,
                    hint: String::new(),
                })
            }
        }
    }
}

#[derive(Debug)]
struct Pending {
    correlation: i32,
    slot: Rc<Slot>,
    times: Arc<RequestTimes>,
    queued_at: Instant,
}

#[derive(Debug)]
struct Outgoing {
    frame: Frame,
    /// Filled once written, for a request without answer.
    written: Option<Rc<Slot>>,
}

/// Whom a connection leads to, and for whom.
#[derive(Debug)]
struct Peer {
    broker: Rc<str>,
    host: String,
    client_id: StrBytes,
    security: Rc<Security>,
    /// How long each answer of an authentication may take.
    limit: Duration,
}

#[derive(Debug)]
struct Shared {
    peer: Peer,
    ranges: OnceCell<ApiRanges>,
    correlation: Cell<i32>,
    queue: RefCell<VecDeque<Outgoing>>,
    queued: Notify,
    pending: RefCell<VecDeque<Pending>>,
    closed: RefCell<Option<Rc<Failure>>>,
    ended: Notify,
    muted_until: Cell<Option<Instant>>,
    last_used: Cell<Instant>,
    /// Where the times of answers go, by kind of request.
    times: RefCell<Vec<(&'static str, Arc<RequestTimes>)>>,
    /// When the session is to be proven anew; `None`: it has no end.
    prove_at: Cell<Option<Instant>>,
    /// The session is being proven anew.
    proving: Cell<bool>,
    held: RefCell<VecDeque<Held>>,
}

impl Shared {
    fn times_of(&self, api: &'static str) -> Arc<RequestTimes> {
        let mut all = self.times.borrow_mut();
        if let Some((_, times)) = all.iter().find(|(known, _)| *known == api) {
            return Arc::clone(times);
        }
        let times = request_times(&self.peer.broker, api);
        all.push((api, Arc::clone(&times)));
        times
    }

    fn error(&self, api: &str, failure: &Failure) -> ClientError {
        let broker = self.peer.broker.to_string();
        let reason = failure.reason.clone();
        match failure.refused {
            true => ClientError::Authentication { broker, reason },
            false => ClientError::Disconnected {
                context: format!("{api} request"),
                broker,
                reason,
            },
        }
    }

    /// What a failed read or write means. Before the first answer it is the handshake of TLS 1.3 that goes
    /// on: a broker refuses a client's certificate only then.
    fn failure(&self, doing: &str, error: &io::Error) -> Failure {
        let greeting = self.ranges.get().is_none();
        if let Some(tls) = &self.peer.security.config().tls
            && let Some(reason) = refusal(error, tls, &self.peer.host)
        {
            let reason = format!("{doing}TLS: {reason}");
            return Failure {
                reason,
                refused: greeting,
            };
        }
        let speaks_tls = error.get_ref().and_then(|told| told.downcast_ref()) == Some(&SpeaksTls);
        // rustls has a lecture for connections that end without a farewell, as brokers' do.
        let reason = match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("{doing}{}", closed_by_broker()),
            _ => format!("{doing}{error}"),
        };
        Failure {
            reason,
            refused: speaks_tls,
        }
    }

    fn fail(&self, reason: &str) {
        self.end(Failure::broken(reason));
    }

    /// Ends the connection; every waiting call gets `failure`.
    fn end(&self, failure: Failure) {
        if self.closed.borrow().is_some() {
            return;
        }
        let failure = Rc::new(failure);
        *self.closed.borrow_mut() = Some(Rc::clone(&failure));
        let pending = self.pending.take();
        let queue = self.queue.take();
        for outgoing in &queue {
            if let Some(slot) = &outgoing.written {
                slot.fill(Err(Rc::clone(&failure)));
            }
        }
        // Frames go first: a waiting producer wants to change the batches that they share.
        drop(queue);
        for call in pending {
            call.slot.fill(Err(Rc::clone(&failure)));
        }
        for Held { frame, slot, .. } in self.held.take() {
            drop(frame);
            slot.fill(Err(Rc::clone(&failure)));
        }
        self.queued.notify();
        self.ended.notify();
    }

    fn is_closed(&self) -> bool {
        self.closed.borrow().is_some()
    }

    /// Numbers a request and queues it.
    fn admit(
        &self,
        api: &'static str,
        mut frame: Frame,
        slot: Rc<Slot>,
        answered: bool,
    ) -> Result<(), String> {
        let correlation = self.correlation.get();
        self.correlation.set(correlation.wrapping_add(1) & i32::MAX);
        frame.seal(correlation)?;
        let mut written = None;
        let now = Instant::now();
        if answered {
            self.pending.borrow_mut().push_back(Pending {
                correlation,
                slot,
                times: self.times_of(api),
                queued_at: now,
            });
        } else {
            written = Some(slot);
        }
        self.queue
            .borrow_mut()
            .push_back(Outgoing { frame, written });
        self.last_used.set(now);
        self.queued.notify();
        Ok(())
    }
}

/// A connection. Dropping the last handle closes the socket.
#[derive(Debug)]
pub(super) struct Connection {
    me: Weak<Connection>,
    shared: Rc<Shared>,
    reader: JoinHandle<()>,
    writer: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.fail("closed by the client");
        self.reader.abort();
        self.writer.abort();
    }
}

impl Connection {
    /// `flushes`: what is written waits for a flush.
    fn over<S>(stream: S, peer: Peer, flushes: bool) -> Rc<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let (read, write) = stream.split();
        let shared = Rc::new(Shared {
            peer,
            ranges: OnceCell::new(),
            correlation: Cell::new(0),
            queue: RefCell::default(),
            queued: Notify::new(),
            pending: RefCell::default(),
            closed: RefCell::default(),
            ended: Notify::new(),
            muted_until: Cell::new(None),
            last_used: Cell::new(Instant::now()),
            times: RefCell::default(),
            prove_at: Cell::new(None),
            proving: Cell::new(false),
            held: RefCell::default(),
        });
        let reader = shard::spawn(run_reader(Rc::clone(&shared), read));
        let writer = shard::spawn(run_writer(Rc::clone(&shared), write, flushes));
        Rc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            shared,
            reader,
            writer,
        })
    }

    async fn negotiate(&self, limit: Duration) -> Result<(), ClientError> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("ringmain"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        // A broker that does not know version 3 answers in version 0 with code 35 (KIP-511).
        for version in [3, 0] {
            let frame = self.frame(&request, version)?;
            let answer = self
                .send::<ApiVersionsRequest>(frame)?
                .within(limit)
                .await?;
            let unsupported = answer
                .get(4..6)
                .is_some_and(|bytes| bytes == code::UNSUPPORTED_VERSION.to_be_bytes());
            if version == 3 && unsupported {
                continue;
            }
            let response: ApiVersionsResponse = self.decode(answer, version)?;
            if response.error_code != 0 {
                let context = format!("ApiVersions request to broker {}", self.broker());
                return Err(api_error(response.error_code, context, None));
            }
            self.throttle(response.throttle_time_ms);
            self.shared.ranges.get_or_init(|| ApiRanges::of(&response));
            return Ok(());
        }
        Err(self.malformed("ApiVersions", "no common version"))
    }

    /// `host:port`.
    pub(super) fn broker(&self) -> &str {
        &self.shared.peer.broker
    }

    /// Whether the connection has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Completes when the connection has ended. Cancel-safe.
    pub(super) async fn ended(&self) {
        while !self.is_closed() {
            let mark = self.shared.ended.mark();
            self.shared.ended.changed_since(mark).await;
        }
    }

    /// Ends it; waiting calls fail with `reason`.
    pub(super) fn close(&self, reason: &str) {
        self.shared.fail(reason);
        self.reader.abort();
        self.writer.abort();
    }

    /// Ends it because the peers do not accept each other; waiting calls fail with `Authentication`.
    pub(super) fn refuse(&self, reason: &str) -> ClientError {
        let failure = Failure::refused(reason);
        let error = self.shared.error("", &failure);
        self.shared.end(failure);
        self.reader.abort();
        self.writer.abort();
        error
    }

    /// Requests that wait for their answers.
    pub(super) fn waiting(&self) -> usize {
        self.shared.pending.borrow().len() + self.shared.held.borrow().len()
    }

    /// When a request was sent or an answer came last.
    pub(super) fn last_used(&self) -> Instant {
        self.shared.last_used.get()
    }

    /// What the broker said it can do.
    pub(super) fn ranges(&self) -> Option<&ApiRanges> {
        self.shared.ranges.get()
    }

    /// The version to speak for `R`: the highest that broker, crate and this client share.
    ///
    /// # Errors
    /// `UnsupportedVersion`.
    pub(super) fn version_for<R: Request>(&self) -> Result<i16, ClientError> {
        let range = self.ranges().and_then(|ranges| ranges.range(R::KEY));
        let (broker_min, broker_max) = range.unwrap_or((-1, -1));
        let max = broker_max.min(R::VERSIONS.max).min(R::VERSION_MAX);
        if range.is_none() || max < broker_min.max(R::VERSIONS.min) {
            return Err(ClientError::UnsupportedVersion {
                broker: self.broker().to_owned(),
                api: R::NAME,
                broker_min,
                broker_max,
                needed: format!(
                    "{} to {}",
                    R::VERSIONS.min,
                    R::VERSIONS.max.min(R::VERSION_MAX)
                ),
            });
        }
        Ok(max)
    }

    /// Honours a broker's wish for silence: [`Connection::unmuted`] waits, and so does every
    /// [`Connection::call`].
    pub(super) fn throttle(&self, throttle_time_ms: i32) {
        if let Ok(millis @ 1..) = u64::try_from(throttle_time_ms) {
            let until = Instant::now() + Duration::from_millis(millis);
            let known = self.shared.muted_until.get();
            self.shared
                .muted_until
                .set(Some(known.map_or(until, |known| known.max(until))));
        }
    }

    /// How long the connection is still muted.
    pub(super) fn muted_for(&self) -> Option<Duration> {
        let left = self
            .shared
            .muted_until
            .get()?
            .saturating_duration_since(Instant::now());
        if left.is_zero() {
            self.shared.muted_until.set(None);
            return None;
        }
        Some(left)
    }

    /// Completes when the connection is not muted. Cancel-safe.
    pub(super) async fn unmuted(&self) {
        while let Some(left) = self.muted_for() {
            shard::sleep(left).await;
        }
    }

    /// Sends a request in the best common version and reads its answer.
    ///
    /// # Errors
    /// `Disconnected`, `Timeout` (which ends the connection), `UnsupportedVersion`, `Malformed`. An error
    /// code inside the answer is the caller's to look at.
    pub(super) async fn call<R: Request>(
        &self,
        request: R,
        limit: Duration,
    ) -> Result<R::Response, ClientError> {
        let version = self.version_for::<R>()?;
        self.call_version(request, version, limit).await
    }

    /// [`Connection::call`] in a given version.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub(super) async fn call_version<R: Request>(
        &self,
        request: R,
        version: i16,
        limit: Duration,
    ) -> Result<R::Response, ClientError> {
        self.unmuted().await;
        let frame = self.frame(&request, version)?;
        let answer = self.send::<R>(frame)?.within(limit).await?;
        let response: R::Response = self.decode(answer, version)?;
        self.throttle(response.throttle_time_ms());
        Ok(response)
    }

    fn frame<R: Request>(&self, request: &R, version: i16) -> Result<Frame, ClientError> {
        Frame::of(request, version, &self.shared.peer.client_id)
            .map_err(|reason| self.unencodable(R::NAME, &reason))
    }

    /// Starts a frame whose body the caller appends (Produce).
    ///
    /// # Errors
    /// The header can't be encoded.
    pub(super) fn start_frame<R: Request>(
        &self,
        version: i16,
        capacity: usize,
    ) -> Result<Frame, ClientError> {
        Frame::start::<R>(version, &self.shared.peer.client_id, capacity)
            .map_err(|reason| self.unencodable(R::NAME, &reason))
    }

    fn unencodable(&self, api: &str, reason: &str) -> ClientError {
        ClientError::Malformed {
            context: format!("encoding a {api} request"),
            broker: self.broker().to_owned(),
            reason: reason.to_owned(),
        }
    }

    /// The error of an answer that can't be read. Ends the connection.
    pub(super) fn malformed(&self, api: &str, reason: &str) -> ClientError {
        self.close(&format!("malformed answer to {api}: {reason}"));
        ClientError::Malformed {
            context: format!("{api} request"),
            broker: self.broker().to_owned(),
            reason: reason.to_owned(),
        }
    }

    /// Decodes an answer that [`Reply::within`] gave.
    ///
    /// # Errors
    /// `Malformed`; ends the connection.
    pub(super) fn decode<R: Response>(
        &self,
        answer: Bytes,
        version: i16,
    ) -> Result<R, ClientError> {
        decode(answer, version).map_err(|reason| self.malformed(api_name::<R>(), &reason))
    }

    /// Queues a framed request; requests go out in the order of these calls.
    ///
    /// # Errors
    /// `Disconnected` when the connection has ended.
    pub(super) fn send<R: Request>(&self, frame: Frame) -> Result<Reply, ClientError> {
        self.enqueue::<R>(frame, true)
    }

    /// Queues a request that no answer follows (`acks=0`); the reply completes once it is written.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub(super) fn send_without_answer<R: Request>(
        &self,
        frame: Frame,
    ) -> Result<Reply, ClientError> {
        self.enqueue::<R>(frame, false)
    }

    fn enqueue<R: Request>(&self, mut frame: Frame, answered: bool) -> Result<Reply, ClientError> {
        let shared = &self.shared;
        if let Some(failure) = shared.closed.borrow().as_deref() {
            return Err(shared.error(R::NAME, failure));
        }
        let slot = Rc::new(Slot::default());
        let theirs = Rc::clone(&slot);
        let admitted = if !R::AUTHENTICATES && self.holds_back() {
            // A request that can't be framed fails now rather than later.
            frame.seal(0).map(|()| {
                shared.held.borrow_mut().push_back(Held {
                    api: R::NAME,
                    frame,
                    slot: theirs,
                    answered,
                });
            })
        } else {
            shared.admit(R::NAME, frame, theirs, answered)
        };
        admitted.map_err(|reason| self.unencodable(R::NAME, &reason))?;
        Ok(Reply {
            slot,
            shared: Rc::clone(shared),
            api: R::NAME,
        })
    }
}

/// The short name of an answer's type, for errors.
fn api_name<R>() -> &'static str {
    let name = std::any::type_name::<R>();
    let name = name.rsplit("::").next().unwrap_or(name);
    name.strip_suffix("Response").unwrap_or(name)
}

/// The other side answered with a message of TLS.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it speaks TLS on this port; look at security.protocol (SSL, SASL_SSL), or the port")]
struct SpeaksTls;

async fn run_writer<S: AsyncWrite + Unpin>(
    shared: Rc<Shared>,
    mut socket: WriteHalf<S>,
    flushes: bool,
) {
    while !shared.is_closed() {
        let mark = shared.queued.mark();
        let next = shared.queue.borrow_mut().pop_front();
        let Some(outgoing) = next else {
            shared.queued.changed_since(mark).await;
            continue;
        };
        let mut wrote = write_frame(&mut socket, outgoing.frame).await;
        if flushes && wrote.is_ok() {
            wrote = socket.flush().await;
        }
        let slot = outgoing.written;
        if let Err(error) = wrote {
            let failure = shared.failure("writing: ", &error);
            if let Some(slot) = slot {
                slot.fill(Err(Rc::new(Failure::broken(failure.reason.as_str()))));
            }
            shared.end(failure);
        } else if let Some(slot) = slot {
            slot.fill(Ok(Bytes::new()));
        }
    }
    // The peer may be gone already; there is nobody to tell.
    socket.close().await.unwrap_or(());
}

/// Writes a frame with few system calls and no tiny packets: what is small goes out as one, large
/// batches are written from where they are but for their edges, which travel with their neighbours.
async fn write_frame<S: AsyncWrite + Unpin>(
    socket: &mut WriteHalf<S>,
    frame: Frame,
) -> io::Result<()> {
    let mut out = frame.head;
    for piece in &frame.tail {
        let mut bytes = piece.as_ref();
        if out.len() + bytes.len() <= GATHER_MAX {
            out.extend_from_slice(bytes);
            continue;
        }
        let (first, rest) = bytes.split_at(EDGE.saturating_sub(out.len()).min(bytes.len()));
        out.extend_from_slice(first);
        socket.write_all(&out).await?;
        out.clear();
        bytes = rest;
        let (direct, last) = bytes.split_at(bytes.len().saturating_sub(EDGE));
        socket.write_all(direct).await?;
        out.extend_from_slice(last);
    }
    if !out.is_empty() {
        socket.write_all(&out).await?;
    }
    Ok(())
}

async fn run_reader<S: AsyncRead + Unpin>(shared: Rc<Shared>, mut socket: ReadHalf<S>) {
    let mut staging = Staging {
        buffer: vec![0; STAGING].into_boxed_slice(),
        start: 0,
        end: 0,
    };
    while !shared.is_closed() {
        let answer = match staging.next_answer(&mut socket).await {
            Ok(answer) => answer,
            Err(error) => return shared.end(shared.failure("", &error)),
        };
        shared.last_used.set(Instant::now());
        if let Err(reason) = deliver(&shared, answer) {
            return shared.fail(&reason);
        }
        shard::yield_if_needed().await;
    }
}

/// Hands an answer to its call.
fn deliver(shared: &Shared, answer: Bytes) -> Result<(), String> {
    let id = answer.first_chunk::<4>().copied().map(i32::from_be_bytes);
    let call = shared.pending.borrow_mut().pop_front();
    match (id, call) {
        (Some(id), Some(call)) if id == call.correlation => {
            let now = Instant::now();
            let took = now.saturating_duration_since(call.queued_at);
            call.times.answered(took, now);
            call.slot.fill(Ok(answer));
            Ok(())
        }
        (id, call) => {
            let expected = call.as_ref().map(|call| call.correlation);
            let reason = format!("answer {id:?} came where {expected:?} was expected");
            if let Some(call) = call {
                call.slot
                    .fill(Err(Rc::new(Failure::broken(reason.as_str()))));
            }
            Err(reason)
        }
    }
}

/// What has been read and not yet handed on.
struct Staging {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Staging {
    /// The next answer without its length, from a buffer of the pool.
    async fn next_answer<S: AsyncRead + Unpin>(
        &mut self,
        socket: &mut ReadHalf<S>,
    ) -> io::Result<Bytes> {
        while self.end - self.start < 4 {
            self.read_more(socket).await?;
        }
        let mut length = [0; 4];
        length.copy_from_slice(&self.buffer[self.start..self.start + 4]);
        self.start += 4;
        // An alert or handshake message of TLS: no Kafka answer is that long.
        if matches!(length, [0x15 | 0x16, 3, ..]) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, SpeaksTls));
        }
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if !(4..=ANSWER_MAX).contains(&length) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("no Kafka answer (length {length}); is this a Kafka listener?"),
            ));
        }
        let mut answer = take_filled(length);
        let staged = length.min(self.end - self.start);
        answer[..staged].copy_from_slice(&self.buffer[self.start..self.start + staged]);
        self.start += staged;
        let mut filled = staged;
        while filled < length {
            let more = socket.read(&mut answer[filled..]).await?;
            if more == 0 {
                return Err(closed_by_broker());
            }
            filled += more;
        }
        Ok(answer.into_bytes(0..length))
    }

    async fn read_more<S: AsyncRead + Unpin>(
        &mut self,
        socket: &mut ReadHalf<S>,
    ) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let more = socket.read(&mut self.buffer[self.end..]).await?;
        if more == 0 {
            return Err(closed_by_broker());
        }
        self.end += more;
        Ok(())
    }
}

fn closed_by_broker() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the broker closed the connection",
    )
}
