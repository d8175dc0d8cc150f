//! The few Kafka requests that watch a run: high watermarks and committed offsets, one small request for
//! all partitions of a topic, over a connection of its own; and topics made and deleted.
//!
//! Watching must cost the broker next to nothing, so this is no consumer. What arrived is *verified*
//! through rskafka (`topics`).

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, DeleteTopicsRequest, FindCoordinatorRequest, GroupId,
    ListOffsetsRequest, MetadataRequest, OffsetFetchRequest, RequestHeader, ResponseHeader,
    TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

use crate::error::{Error, Result};

const PATIENCE: Duration = Duration::from_secs(30);
const TOPIC_EXISTS: i16 = 36;
const UNKNOWN_TOPIC: i16 = 3;

/// Connections to brokers, made when they are needed.
#[derive(Debug)]
pub(crate) struct Wire {
    bootstrap: String,
    connections: HashMap<String, Connection>,
    /// Partitions by the address of their leader.
    leaders: HashMap<String, BTreeMap<String, Vec<i32>>>,
    coordinators: HashMap<String, String>,
}

/// A connection to one broker.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    correlation: i32,
}

fn failed(what: &str, error: impl std::fmt::Display) -> Error {
    Error::Kafka(format!("{what}: {error}"))
}

/// As requests have it.
pub(crate) fn topic_name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

/// Asks where partitions end.
fn ends_of(topic: &str, partitions: &[i32]) -> ListOffsetsRequest {
    let asked = partitions.iter().map(|partition| {
        ListOffsetsPartition::default()
            .with_partition_index(*partition)
            .with_timestamp(-1)
    });
    let topic = ListOffsetsTopic::default()
        .with_name(topic_name(topic))
        .with_partitions(asked.collect());
    ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(vec![topic])
}

/// Whether the broker takes itself for the leader of the first partition.
fn leads_first(connection: &mut Connection, topic: &str) -> io::Result<bool> {
    let answer = connection.call(3, &ends_of(topic, &[0]))?;
    let mut partitions = answer.topics.iter().flat_map(|t| &t.partitions);
    Ok(partitions.any(|partition| partition.error_code == 0))
}

impl Wire {
    /// For brokers given as `host:port` by commas.
    pub(crate) fn new(bootstrap: &str) -> Self {
        Self {
            bootstrap: bootstrap.split(',').next().unwrap_or(bootstrap).to_owned(),
            connections: HashMap::new(),
            leaders: HashMap::new(),
            coordinators: HashMap::new(),
        }
    }

    /// Records in a topic whose logs begin at 0: the sum of its high watermarks. 0 while there is no
    /// such topic.
    pub(crate) fn end_of(&mut self, topic: &str) -> Result<u64> {
        if !self.leaders.contains_key(topic) {
            let Some(leaders) = self.find_leaders(topic)? else {
                return Ok(0);
            };
            self.leaders.insert(topic.to_owned(), leaders);
        }
        let leaders = self.leaders.get(topic).cloned().unwrap_or_default();
        let mut sum = 0;
        for (address, partitions) in leaders {
            let answer = self.call(&address, 3, &ends_of(topic, &partitions))?;
            let ends = answer.topics.iter().flat_map(|t| &t.partitions);
            sum += ends
                .map(|p| u64::try_from(p.offset).unwrap_or(0))
                .sum::<u64>();
        }
        Ok(sum)
    }

    /// A connection of its own to the leader of a topic's first partition.
    pub(crate) fn connect(&mut self, topic: &str) -> Result<Connection> {
        let leaders = self.find_leaders(topic)?.unwrap_or_default();
        let leads = |(_, partitions): &(&String, &Vec<i32>)| partitions.contains(&0);
        let Some((address, _)) = leaders.iter().find(leads) else {
            return Err(failed(topic, "its first partition has no leader"));
        };
        let mut connection = Connection::open(address).map_err(|e| failed(address, e))?;
        let deadline = Instant::now() + PATIENCE;
        // A broker is named as leader a moment before it knows that itself.
        while !leads_first(&mut connection, topic).map_err(|e| failed(address, e))? {
            if Instant::now() > deadline {
                return Err(failed(
                    topic,
                    "its first partition has no leader within 30 s",
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(connection)
    }

    fn find_leaders(&mut self, topic: &str) -> Result<Option<BTreeMap<String, Vec<i32>>>> {
        let request = MetadataRequest::default()
            .with_topics(Some(vec![
                MetadataRequestTopic::default().with_name(Some(topic_name(topic))),
            ]))
            .with_allow_auto_topic_creation(false);
        let answer = self.call(&self.bootstrap.clone(), 5, &request)?;
        let address = |id: BrokerId| {
            let broker = answer.brokers.iter().find(|b| b.node_id == id);
            broker.map(|b| format!("{}:{}", b.host, b.port))
        };
        let Some(found) = answer.topics.first().filter(|t| t.error_code == 0) else {
            return Ok(None);
        };
        let mut leaders: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for partition in &found.partitions {
            let Some(address) = address(partition.leader_id) else {
                return Ok(None);
            };
            let of_leader = leaders.entry(address).or_default();
            of_leader.push(partition.partition_index);
        }
        Ok((!leaders.is_empty()).then_some(leaders))
    }

    /// Records that a group has committed of a topic whose logs begin at 0.
    pub(crate) fn committed(&mut self, group: &str, topic: &str, partitions: i32) -> Result<u64> {
        let Some(address) = self.coordinator(group)? else {
            return Ok(0);
        };
        let asked = OffsetFetchRequestTopic::default()
            .with_name(topic_name(topic))
            .with_partition_indexes((0..partitions).collect());
        let request = OffsetFetchRequest::default()
            .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
            .with_topics(Some(vec![asked]));
        let answer = self.call(&address, 5, &request)?;
        let offsets = answer.topics.iter().flat_map(|t| &t.partitions);
        Ok(offsets
            .map(|p| u64::try_from(p.committed_offset).unwrap_or(0))
            .sum())
    }

    /// A connection of its own to the coordinator of a group.
    pub(crate) fn connect_coordinator(&mut self, group: &str) -> Result<Connection> {
        let deadline = Instant::now() + PATIENCE;
        // The first group of a broker waits until the topic of offsets is made.
        let address = loop {
            match self.coordinator(group)? {
                Some(address) => break address,
                None if Instant::now() > deadline => {
                    return Err(failed(group, "it has no coordinator within 30 s"));
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        Connection::open(&address).map_err(|e| failed(&address, e))
    }

    fn coordinator(&mut self, group: &str) -> Result<Option<String>> {
        if let Some(address) = self.coordinators.get(group) {
            return Ok(Some(address.clone()));
        }
        let request =
            FindCoordinatorRequest::default().with_key(StrBytes::from_string(group.to_owned()));
        let answer = self.call(&self.bootstrap.clone(), 2, &request)?;
        if answer.error_code != 0 {
            return Ok(None);
        }
        let address = format!("{}:{}", answer.host, answer.port);
        self.coordinators.insert(group.to_owned(), address.clone());
        Ok(Some(address))
    }

    /// Creates a topic and waits until its partitions have leaders.
    pub(crate) fn create_topic(
        &mut self,
        topic: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Result<()> {
        let settings = settings.iter().map(|(key, value)| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_string((*key).to_owned()))
                .with_value(Some(StrBytes::from_string((*value).to_owned())))
        });
        let wanted = CreatableTopic::default()
            .with_name(topic_name(topic))
            .with_num_partitions(partitions)
            .with_replication_factor(-1)
            .with_configs(settings.collect());
        let request = CreateTopicsRequest::default()
            .with_topics(vec![wanted])
            .with_timeout_ms(30_000);
        let answer = self.call(&self.bootstrap.clone(), 4, &request)?;
        for created in &answer.topics {
            if created.error_code != 0 && created.error_code != TOPIC_EXISTS {
                let why = created.error_message.as_ref().map(|m| m.to_string());
                let why = why.unwrap_or_else(|| format!("error {}", created.error_code));
                return Err(failed(&format!("topic {topic} cannot be created"), why));
            }
        }
        let deadline = Instant::now() + PATIENCE;
        let wanted = usize::try_from(partitions).unwrap_or(0);
        while Instant::now() < deadline {
            let leaders = self.find_leaders(topic)?.unwrap_or_default();
            if leaders.values().map(Vec::len).sum::<usize>() == wanted {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(failed(&format!("topic {topic}"), "no leaders within 30 s"))
    }

    /// Deletes a topic; none is fine.
    pub(crate) fn delete_topic(&mut self, topic: &str) -> Result<()> {
        self.leaders.remove(topic);
        let request = DeleteTopicsRequest::default()
            .with_topic_names(vec![topic_name(topic)])
            .with_timeout_ms(30_000);
        let answer = self.call(&self.bootstrap.clone(), 3, &request)?;
        let refused = |code: i16| code != 0 && code != UNKNOWN_TOPIC;
        match answer.responses.iter().find(|r| refused(r.error_code)) {
            None => Ok(()),
            Some(r) => Err(failed(
                &format!("topic {topic} cannot be deleted"),
                format!("error {}", r.error_code),
            )),
        }
    }

    fn call<R>(&mut self, address: &str, version: i16, request: &R) -> Result<R::Response>
    where
        R: Request,
    {
        let outcome = self
            .connection(address)
            .and_then(|connection| connection.call(version, request));
        outcome.map_err(|e| {
            self.connections.remove(address);
            failed(address, e)
        })
    }

    fn connection(&mut self, address: &str) -> io::Result<&mut Connection> {
        if !self.connections.contains_key(address) {
            let connection = Connection::open(address)?;
            self.connections.insert(address.to_owned(), connection);
        }
        let connection = self.connections.get_mut(address);
        connection.ok_or_else(|| io::Error::other("no connection"))
    }
}

impl Connection {
    fn open(address: &str) -> io::Result<Self> {
        let mut last = io::Error::other("the name has no address");
        for place in address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&place, PATIENCE) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(PATIENCE))?;
                    return Ok(Self {
                        stream,
                        correlation: 0,
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The same connection for another thread: one sends, the other receives.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            stream: self.stream.try_clone()?,
            correlation: self.correlation,
        })
    }

    /// A request and its answer.
    pub(crate) fn call<R: Request>(
        &mut self,
        version: i16,
        request: &R,
    ) -> io::Result<R::Response> {
        let number = self.send(version, request)?;
        self.receive::<R>(version, number)
    }

    /// Sends a request; gives its number.
    pub(crate) fn send<R: Request>(&mut self, version: i16, request: &R) -> io::Result<i32> {
        self.correlation += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(StrBytes::from_static_str("perf")));
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        header
            .encode(&mut frame, R::header_version(version))
            .and_then(|()| request.encode(&mut frame, version))
            .map_err(io::Error::other)?;
        let length = i32::try_from(frame.len() - 4).map_err(io::Error::other)?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame)?;
        Ok(self.correlation)
    }

    /// The answer to the request of that number, which is the oldest without one.
    pub(crate) fn receive<R: Request>(
        &mut self,
        version: i16,
        number: i32,
    ) -> io::Result<R::Response> {
        let mut answer = self.frame()?;
        let header = ResponseHeader::decode(&mut answer, R::Response::header_version(version))
            .map_err(io::Error::other)?;
        if header.correlation_id != number {
            return Err(io::Error::other("an answer to another question"));
        }
        R::Response::decode(&mut answer, version).map_err(io::Error::other)
    }

    fn frame(&mut self) -> io::Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = (&length[..]).get_i32();
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length < 64 << 20)
            .ok_or_else(|| io::Error::other(format!("an answer of {length} bytes")))?;
        let mut frame = vec![0; length];
        self.stream.read_exact(&mut frame)?;
        Ok(frame.into())
    }
}
