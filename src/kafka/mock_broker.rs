//! A cluster of pretended brokers for tests: real sockets on loopback, one thread per connection,
//! programmable per API.
//!
//! Without a handler, requests get sensible answers: `Metadata`, `FindCoordinator`, `InitProducerId`,
//! `ListOffsets`, `Produce` (which checks sequences as a broker does and keeps the batches) and `Fetch`
//! (which serves what was produced or [`MockCluster::append`]ed). A handler sees each request first and
//! may answer, delay, stay silent, cut the answer short, disconnect, or leave it to the default.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{
    Decodable, Encodable, HeaderVersion, StrBytes, decode_request_header_from_buffer,
};

use crate::record::{Batches, set_base_offset};

/// A request as a broker sees it.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Broker that got it.
    pub(super) broker: i32,
    /// Number of the connection it came on, over all brokers, from 0.
    pub(super) connection: usize,
    /// API key.
    pub(super) api_key: i16,
    /// Version.
    pub(super) version: i16,
    /// Client id.
    pub(super) client_id: String,
    correlation: i32,
    body: Bytes,
}

impl Call {
    /// The request.
    pub(super) fn request<R: Decodable>(&self) -> R {
        R::decode(&mut self.body.clone(), self.version).expect("a request that can be read")
    }
}

/// What a broker does about a request.
#[derive(Debug)]
pub(super) enum Reply {
    /// Answers with these bytes (see [`answer`]).
    Answer(Vec<u8>),
    /// Answers as if there was no handler.
    Default,
    /// Waits, then goes on. Later requests of the connection wait, too, as with a real broker.
    Delayed(Duration, Box<Reply>),
    /// Never answers, and goes on with the next request.
    Silent,
    /// Does what the default does (a produce is written), then closes the connection unanswered.
    DefaultThenDisconnect,
    /// Closes the connection.
    Disconnect,
    /// Sends the first bytes of the answer (length and header included), then closes the connection.
    Truncated(Vec<u8>, usize),
    /// Sends these bytes as they are.
    Raw(Vec<u8>),
}

/// Encodes the answer to `call`.
pub(super) fn answer<R: Encodable + HeaderVersion>(call: &Call, response: &R) -> Reply {
    let mut out = vec![0; 4];
    ResponseHeader::default()
        .with_correlation_id(call.correlation)
        .encode(&mut out, R::header_version(call.version))
        .expect("an answer's header");
    response
        .encode(&mut out, call.version)
        .expect("an answer that can be written");
    let len = i32::try_from(out.len() - 4).unwrap();
    out[..4].copy_from_slice(&len.to_be_bytes());
    Reply::Answer(out)
}

/// A partition's log and leader.
#[derive(Debug, Clone)]
pub(super) struct MockPartition {
    /// Broker id; −1 = none.
    pub(super) leader: i32,
    /// Leader epoch.
    pub(super) leader_epoch: i32,
    /// Batches with their real offsets.
    pub(super) batches: Vec<Vec<u8>>,
    /// First offset left.
    pub(super) start: i64,
    /// Offset after the last.
    pub(super) end: i64,
    /// Idempotent producers by id.
    pub(super) producers: HashMap<i64, ProducerState>,
    /// Takes nothing but sequence 0 of a producer that it does not know, as old brokers.
    pub(super) refuses_unknown_producers: bool,
}

/// What a partition knows of an idempotent producer.
#[derive(Debug, Clone, Default)]
pub(super) struct ProducerState {
    /// Its epoch.
    pub(super) epoch: i16,
    /// Sequence that comes next.
    pub(super) next_sequence: i32,
    /// First sequence and base offset of the last five batches.
    pub(super) last: Vec<(i32, i64)>,
}

/// What the brokers share. Handlers may change it.
#[derive(Debug, Default)]
pub(super) struct World {
    /// Brokers that metadata lists.
    pub(super) brokers: BTreeMap<i32, SocketAddr>,
    /// Topics.
    pub(super) topics: BTreeMap<String, Vec<MockPartition>>,
    /// Error codes that metadata gives for topics.
    pub(super) topic_errors: HashMap<String, i16>,
    /// Highest version told per API, where lower than the crate's.
    pub(super) version_max: HashMap<i16, i16>,
    /// Broker that coordinates everything.
    pub(super) coordinator: i32,
    /// Next producer id.
    pub(super) next_producer_id: i64,
    /// Partitions of a topic created by metadata; 0 = none is created.
    pub(super) auto_create: usize,
    /// Every request, in order: broker, API key, version.
    pub(super) log: Vec<(i32, i16, i16)>,
}

type Handler = Box<dyn FnMut(&Call, &mut World) -> Reply + Send>;

#[derive(Default)]
struct Shared {
    world: Mutex<World>,
    handlers: Mutex<HashMap<i16, Handler>>,
    sockets: Mutex<Vec<(i32, TcpStream)>>,
    stopped: Mutex<Vec<i32>>,
    connections: Mutex<usize>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Brokers 1, 2, … on loopback. Dropping it ends them.
pub(super) struct MockCluster {
    shared: Arc<Shared>,
    acceptors: Vec<(i32, SocketAddr, JoinHandle<()>)>,
}

impl MockCluster {
    /// Starts `brokers` brokers without topics.
    pub(super) fn start(brokers: i32) -> Self {
        let shared = Arc::new(Shared::default());
        lock(&shared.world).coordinator = 1;
        lock(&shared.world).next_producer_id = 1000;
        let mut cluster = Self {
            shared,
            acceptors: Vec::new(),
        };
        for id in 1..=brokers {
            cluster.start_broker(id, "127.0.0.1:0".parse().unwrap());
        }
        cluster
    }

    fn start_broker(&mut self, id: i32, at: SocketAddr) {
        let listener = TcpListener::bind(at).unwrap();
        let address = listener.local_addr().unwrap();
        lock(&self.shared.world).brokers.insert(id, address);
        let shared = Arc::clone(&self.shared);
        let acceptor = std::thread::spawn(move || accept(&shared, id, &listener));
        self.acceptors.push((id, address, acceptor));
    }

    /// `host:port` of every broker.
    pub(super) fn bootstrap(&self) -> Vec<String> {
        let world = self.world();
        world.brokers.values().map(ToString::to_string).collect()
    }

    /// The shared state.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.shared.world)
    }

    /// Makes a topic whose partitions have the brokers as leaders in turn.
    pub(super) fn topic(&self, name: &str, partitions: usize) {
        let mut world = self.world();
        let made = world.new_partitions(partitions);
        world.topics.insert(name.to_owned(), made);
    }

    /// Has `handler` see every request of an API first.
    pub(super) fn on(
        &self,
        api: ApiKey,
        handler: impl FnMut(&Call, &mut World) -> Reply + Send + 'static,
    ) {
        lock(&self.shared.handlers).insert(api as i16, Box::new(handler));
    }

    /// Appends a finished batch to a partition, as is but for its base offset.
    pub(super) fn append(&self, topic: &str, partition: usize, batch: Vec<u8>) {
        let mut world = self.world();
        world.topics.get_mut(topic).unwrap()[partition].append(batch);
    }

    /// Moves a partition to another leader.
    pub(super) fn move_leader(&self, topic: &str, partition: usize, leader: i32) {
        let mut world = self.world();
        let partition = &mut world.topics.get_mut(topic).unwrap()[partition];
        partition.leader = leader;
        partition.leader_epoch += 1;
    }

    /// Breaks every connection of a broker.
    pub(super) fn disconnect(&self, broker: i32) {
        lock(&self.shared.sockets).retain(|(id, socket)| {
            if *id == broker {
                socket.shutdown(Shutdown::Both).unwrap_or(());
            }
            *id != broker
        });
    }

    /// Stops a broker: nothing listens there any more. Metadata still lists it.
    pub(super) fn stop(&mut self, broker: i32) {
        lock(&self.shared.stopped).push(broker);
        self.disconnect(broker);
        let mut kept = Vec::new();
        for (id, address, acceptor) in self.acceptors.drain(..) {
            if id == broker {
                TcpStream::connect(address).map(drop).unwrap_or(());
                acceptor.join().unwrap();
            } else {
                kept.push((id, address, acceptor));
            }
        }
        self.acceptors = kept;
        self.disconnect(broker);
    }

    /// Starts a stopped broker at its old address.
    pub(super) fn restart(&mut self, broker: i32) {
        lock(&self.shared.stopped).retain(|id| *id != broker);
        let at = self.world().brokers[&broker];
        self.start_broker(broker, at);
    }

    /// How many requests of an API came.
    pub(super) fn count(&self, api: ApiKey) -> usize {
        let world = self.world();
        let log = world.log.iter();
        log.filter(|(_, key, _)| *key == api as i16).count()
    }

    /// Values of all records of a partition, in offset order.
    pub(super) fn values(&self, topic: &str, partition: usize) -> Vec<Vec<u8>> {
        let world = self.world();
        let batches = world.topics[topic][partition].batches.iter();
        batches.flat_map(|batch| batch_values(batch)).collect()
    }
}

impl Drop for MockCluster {
    fn drop(&mut self) {
        for id in self
            .acceptors
            .iter()
            .map(|(id, _, _)| *id)
            .collect::<Vec<_>>()
        {
            self.stop(id);
        }
    }
}

/// Values of a batch's records.
pub(super) fn batch_values(batch: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let mut scratch = Vec::new();
    let batch = Batches::new(batch).next().unwrap().unwrap();
    let options = crate::record::DecodeOptions {
        base: 0,
        ..crate::record::DecodeOptions::default()
    };
    let decompressed = crate::record::decode(&batch, &options, &mut scratch, &mut records).unwrap();
    let buffer = match decompressed {
        crate::record::RecordBytes::Fetched => batch.bytes(),
        crate::record::RecordBytes::Decompressed => &scratch,
    };
    records
        .iter()
        .map(|record| record.value.of(buffer).unwrap_or_default().to_vec())
        .collect()
}

fn accept(shared: &Arc<Shared>, id: i32, listener: &TcpListener) {
    for socket in listener.incoming() {
        if lock(&shared.stopped).contains(&id) {
            return;
        }
        let Ok(socket) = socket else { continue };
        socket.set_nodelay(true).unwrap_or(());
        if let Ok(clone) = socket.try_clone() {
            lock(&shared.sockets).push((id, clone));
        }
        let number = {
            let mut connections = lock(&shared.connections);
            *connections += 1;
            *connections - 1
        };
        let shared = Arc::clone(shared);
        // Ends when its socket is shut down.
        std::thread::spawn(move || {
            let mut socket = socket;
            let ended = serve(&shared, id, number, &mut socket);
            tracing::debug!(?ended, id, "mock connection ended");
            socket.shutdown(Shutdown::Both).unwrap_or(());
        });
    }
}

fn serve(
    shared: &Shared,
    broker: i32,
    connection: usize,
    socket: &mut TcpStream,
) -> std::io::Result<()> {
    loop {
        let mut length = [0; 4];
        socket.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        socket.read_exact(&mut body)?;
        let mut body = Bytes::from(body);
        let header = decode_request_header_from_buffer(&mut body).expect("a request header");
        let call = Call {
            broker,
            connection,
            api_key: header.request_api_key,
            version: header.request_api_version,
            client_id: header.client_id.unwrap_or_default().to_string(),
            correlation: header.correlation_id,
            body,
        };
        let reply = {
            let mut handlers = lock(&shared.handlers);
            let mut world = lock(&shared.world);
            world.log.push((broker, call.api_key, call.version));
            match handlers.get_mut(&call.api_key) {
                Some(handler) => handler(&call, &mut world),
                None => Reply::Default,
            }
        };
        if !act(shared, &call, reply, socket)? {
            return Ok(());
        }
    }
}

/// Whether the connection goes on.
fn act(
    shared: &Shared,
    call: &Call,
    reply: Reply,
    socket: &mut TcpStream,
) -> std::io::Result<bool> {
    match reply {
        Reply::Answer(bytes) | Reply::Raw(bytes) => {
            socket.write_all(&bytes)?;
            Ok(true)
        }
        Reply::Default => {
            let reply = default_reply(call, &mut lock(&shared.world));
            act(shared, call, reply, socket)
        }
        Reply::DefaultThenDisconnect => {
            default_reply(call, &mut lock(&shared.world));
            Ok(false)
        }
        Reply::Delayed(pause, then) => {
            std::thread::sleep(pause);
            act(shared, call, *then, socket)
        }
        Reply::Silent => Ok(true),
        Reply::Disconnect => Ok(false),
        Reply::Truncated(bytes, keep) => {
            socket.write_all(&bytes[..keep.min(bytes.len())])?;
            Ok(false)
        }
    }
}

/// What happens without a handler, for handlers that do it and then answer late or not at all.
pub(super) fn default_reply(call: &Call, world: &mut World) -> Reply {
    match ApiKey::try_from(call.api_key).unwrap() {
        ApiKey::ApiVersions => api_versions(call, world),
        ApiKey::Metadata => metadata(call, world),
        ApiKey::FindCoordinator => find_coordinator(call, world),
        ApiKey::InitProducerId => init_producer_id(call, world),
        ApiKey::Produce => produce(call, world),
        ApiKey::Fetch => fetch(call, world),
        ApiKey::ListOffsets => list_offsets(call, world),
        _ => Reply::Disconnect,
    }
}

fn api_versions(call: &Call, world: &World) -> Reply {
    let keys = ApiKey::iter().map(|api| {
        let known = api.valid_versions();
        let max = world.version_max.get(&(api as i16)).copied();
        ApiVersion::default()
            .with_api_key(api as i16)
            .with_min_version(known.min)
            .with_max_version(max.unwrap_or(known.max))
    });
    let keys: Vec<_> = keys
        .filter(|key| key.max_version >= key.min_version)
        .collect();
    answer(call, &ApiVersionsResponse::default().with_api_keys(keys))
}

impl World {
    fn new_partitions(&self, count: usize) -> Vec<MockPartition> {
        let brokers: Vec<i32> = self.brokers.keys().copied().collect();
        let partitions = (0..count).map(|index| MockPartition {
            leader: brokers[index % brokers.len()],
            leader_epoch: 0,
            batches: Vec::new(),
            start: 0,
            end: 0,
            producers: HashMap::new(),
            refuses_unknown_producers: false,
        });
        partitions.collect()
    }
}

impl MockPartition {
    /// Gives its base offset.
    fn append(&mut self, mut batch: Vec<u8>) -> i64 {
        let base = self.end;
        set_base_offset(&mut batch, base, self.leader_epoch).unwrap();
        let header = Batches::new(&batch).next().unwrap().unwrap().header;
        self.end = header.next_offset();
        self.batches.push(batch);
        base
    }

    /// What a broker does with a produced batch: error code and base offset.
    fn produce(&mut self, bytes: &[u8]) -> (i16, i64) {
        let mut batches = Batches::new(bytes).check_crc(true);
        let Some(Ok(batch)) = batches.next() else {
            return (2, -1);
        };
        assert!(batches.next().is_none(), "more than one batch");
        let header = batch.header;
        if header.producer_id >= 0 {
            let sequence = header.base_sequence;
            let fresh = ProducerState {
                epoch: header.producer_epoch,
                ..ProducerState::default()
            };
            let first = if self.refuses_unknown_producers {
                0
            } else {
                sequence
            };
            let known = self.producers.entry(header.producer_id);
            let known = known.or_insert_with(|| ProducerState {
                next_sequence: first,
                ..fresh.clone()
            });
            if header.producer_epoch < known.epoch {
                return (47, -1);
            }
            if header.producer_epoch > known.epoch {
                *known = fresh;
            }
            let mut last = known.last.iter();
            if let Some((_, base)) = last.find(|(first, _)| *first == sequence) {
                return (0, *base);
            }
            if sequence != known.next_sequence {
                return (45, -1);
            }
            known.next_sequence = sequence + header.count;
        }
        let base = self.append(bytes.to_vec());
        if let Some(known) = self.producers.get_mut(&header.producer_id) {
            known.last.push((header.base_sequence, base));
            let surplus = known.last.len().saturating_sub(5);
            known.last.drain(..surplus);
        }
        (0, base)
    }
}

fn metadata(call: &Call, world: &mut World) -> Reply {
    let request: MetadataRequest = call.request();
    let names: Vec<String> = match &request.topics {
        Some(topics) => topics
            .iter()
            .map(|topic| topic.name.as_ref().unwrap().to_string())
            .collect(),
        None => world.topics.keys().cloned().collect(),
    };
    for name in &names {
        let create = world.auto_create > 0 && request.allow_auto_topic_creation;
        if create && !world.topics.contains_key(name) {
            let made = world.new_partitions(world.auto_create);
            world.topics.insert(name.clone(), made);
        }
    }
    let brokers = world.brokers.iter().map(|(id, address)| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(*id))
            .with_host(StrBytes::from_string(address.ip().to_string()))
            .with_port(i32::from(address.port()))
    });
    let topics = names.iter().map(|name| {
        let topic = MetadataResponseTopic::default()
            .with_name(Some(StrBytes::from_string(name.clone()).into()));
        if let Some(error) = world.topic_errors.get(name) {
            return topic.with_error_code(*error);
        }
        match world.topics.get(name) {
            None => topic.with_error_code(3),
            Some(partitions) => topic.with_partitions(
                (0..)
                    .zip(partitions)
                    .map(|(index, partition)| {
                        MetadataResponsePartition::default()
                            .with_partition_index(index)
                            .with_leader_id(BrokerId(partition.leader))
                            .with_leader_epoch(partition.leader_epoch)
                            .with_replica_nodes(vec![BrokerId(1)])
                    })
                    .collect(),
            ),
        }
    });
    let response = MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_controller_id(BrokerId(1))
        .with_cluster_id(Some(StrBytes::from_static_str("mock-cluster")))
        .with_topics(topics.collect());
    answer(call, &response)
}

fn find_coordinator(call: &Call, world: &World) -> Reply {
    let request: FindCoordinatorRequest = call.request();
    let address = world.brokers[&world.coordinator];
    let host = StrBytes::from_string(address.ip().to_string());
    let response = FindCoordinatorResponse::default();
    let response = if call.version >= 4 {
        let found = request.coordinator_keys.iter().map(|key| {
            Coordinator::default()
                .with_key(key.clone())
                .with_node_id(BrokerId(world.coordinator))
                .with_host(host.clone())
                .with_port(i32::from(address.port()))
        });
        response.with_coordinators(found.collect())
    } else {
        response
            .with_node_id(BrokerId(world.coordinator))
            .with_host(host)
            .with_port(i32::from(address.port()))
    };
    answer(call, &response)
}

fn init_producer_id(call: &Call, world: &mut World) -> Reply {
    let request: InitProducerIdRequest = call.request();
    if request
        .transactional_id
        .as_ref()
        .is_some_and(|id| id.is_empty())
    {
        let refused = InitProducerIdResponse::default().with_error_code(42);
        return answer(call, &refused);
    }
    let (id, epoch) = if request.producer_id.0 >= 0 && request.producer_epoch >= 0 {
        (request.producer_id.0, request.producer_epoch + 1)
    } else {
        world.next_producer_id += 1;
        (world.next_producer_id, 0)
    };
    let response = InitProducerIdResponse::default()
        .with_producer_id(ProducerId(id))
        .with_producer_epoch(epoch);
    answer(call, &response)
}

fn produce(call: &Call, world: &mut World) -> Reply {
    let request: ProduceRequest = call.request();
    let mut response = ProduceResponse::default();
    for topic in &request.topic_data {
        let mut partitions = Vec::new();
        for data in &topic.partition_data {
            let index = usize::try_from(data.index).unwrap();
            let known = world.topics.get_mut(topic.name.as_str());
            let (code, base) = match known.and_then(|known| known.get_mut(index)) {
                None => (3, -1),
                Some(partition) if partition.leader != call.broker => (6, -1),
                Some(partition) => partition.produce(data.records.as_ref().unwrap()),
            };
            partitions.push(
                PartitionProduceResponse::default()
                    .with_index(data.index)
                    .with_error_code(code)
                    .with_base_offset(base),
            );
        }
        response.responses.push(
            TopicProduceResponse::default()
                .with_name(topic.name.clone())
                .with_partition_responses(partitions),
        );
    }
    if request.acks == 0 {
        return Reply::Silent;
    }
    answer(call, &response)
}

/// The answer that the default gives to a fetch, for handlers that change it.
pub(super) fn fetch_response(call: &Call, world: &World) -> FetchResponse {
    let request: FetchRequest = call.request();
    let mut response = FetchResponse::default();
    for topic in &request.topics {
        let mut partitions = Vec::new();
        for wanted in &topic.partitions {
            let index = usize::try_from(wanted.partition).unwrap();
            let known = world.topics.get(topic.topic.as_str());
            let data = PartitionData::default().with_partition_index(wanted.partition);
            let data = match known.and_then(|known| known.get(index)) {
                None => data.with_error_code(3).with_high_watermark(-1),
                Some(partition) if partition.leader != call.broker => {
                    data.with_error_code(6).with_high_watermark(-1)
                }
                Some(partition) => {
                    partition.fetch(data, wanted.fetch_offset, wanted.partition_max_bytes)
                }
            };
            partitions.push(data);
        }
        response.responses.push(
            FetchableTopicResponse::default()
                .with_topic(topic.topic.clone())
                .with_partitions(partitions),
        );
    }
    response
}

impl MockPartition {
    fn fetch(&self, data: PartitionData, offset: i64, max_bytes: i32) -> PartitionData {
        let data = data
            .with_high_watermark(self.end)
            .with_last_stable_offset(self.end)
            .with_log_start_offset(self.start);
        if offset < self.start || offset > self.end {
            return data.with_error_code(1);
        }
        let mut bytes = Vec::new();
        for batch in &self.batches {
            let header = Batches::new(batch)
                .check_crc(false)
                .next()
                .unwrap()
                .unwrap()
                .header;
            if header.next_offset() > offset {
                bytes.extend_from_slice(batch);
            }
        }
        // Like a broker: the first batch is whole, what follows may be cut off.
        let first = Batches::new(&bytes)
            .check_crc(false)
            .next()
            .map_or(0, |batch| batch.unwrap().bytes().len());
        bytes.truncate(first.max(usize::try_from(max_bytes).unwrap()));
        data.with_records(Some(Bytes::from(bytes)))
    }
}

fn fetch(call: &Call, world: &World) -> Reply {
    let response = fetch_response(call, world);
    let mut partitions = response
        .responses
        .iter()
        .flat_map(|topic| &topic.partitions);
    let empty = partitions.all(|data| {
        data.error_code == 0
            && data
                .records
                .as_ref()
                .is_none_or(|records| records.is_empty())
    });
    let reply = answer(call, &response);
    match empty {
        // A short long-poll, so that tests do not spin.
        true => Reply::Delayed(Duration::from_millis(5), Box::new(reply)),
        false => reply,
    }
}

fn list_offsets(call: &Call, world: &World) -> Reply {
    let request: ListOffsetsRequest = call.request();
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| {
            let index = usize::try_from(wanted.partition_index).unwrap();
            let known = world.topics.get(topic.name.as_str());
            let found = ListOffsetsPartitionResponse::default()
                .with_partition_index(wanted.partition_index);
            match known.and_then(|known| known.get(index)) {
                None => found.with_error_code(3),
                Some(partition) if partition.leader != call.broker => found.with_error_code(6),
                Some(partition) => found.with_offset(match wanted.timestamp {
                    -2 => partition.start,
                    _ => partition.end,
                }),
            }
        });
        ListOffsetsTopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    let response = ListOffsetsResponse::default().with_topics(topics.collect());
    answer(call, &response)
}

/// Runs `test` on each executor that works here.
pub(super) fn on_each_runtime<F: Future<Output = ()> + 'static>(test: impl Fn() -> F) {
    use crate::shard::{RuntimeKind, probe_io_uring, run};
    run(RuntimeKind::Epoll, None, test()).unwrap();
    match probe_io_uring().io_uring_problem {
        None => run(RuntimeKind::IoUring, None, test()).unwrap(),
        Some(problem) => eprintln!("not run on io_uring: {problem}"),
    }
}

/// Settings for tests: short times.
pub(super) fn test_config(cluster: &MockCluster) -> crate::clients::CommonClientConfig {
    crate::clients::CommonClientConfig {
        bootstrap_servers: cluster.bootstrap(),
        client_id: "test".to_owned(),
        request_timeout: Duration::from_secs(5),
        default_api_timeout: Duration::from_secs(10),
        reconnect_backoff: Duration::from_millis(5),
        reconnect_backoff_max: Duration::from_millis(50),
        retry_backoff: Duration::from_millis(5),
        retry_backoff_max: Duration::from_millis(50),
        ..crate::clients::CommonClientConfig::default()
    }
}
