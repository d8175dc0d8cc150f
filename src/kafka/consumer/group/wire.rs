//! What members tell each other through the group coordinator: `ConsumerProtocolSubscription` and
//! `ConsumerProtocolAssignment` (KIP-429, KIP-792, KIP-881), versions 0 to 3.
//!
//! Written by hand rather than with the message crate, because these bytes come from other members and
//! not from a broker: counts are checked against what is left before anything is allocated, and a newer
//! version than 3 is read as 3, which Kafka's rules for this protocol promise to be possible.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};

use crate::api::TopicPartition;

/// Highest version that is written and fully understood.
const VERSION: i16 = 3;

/// Bytes of another member that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// The bytes end too early.
    #[error("ends after {have} bytes inside of {what}")]
    Truncated {
        /// The field.
        what: &'static str,
        /// Length of the whole.
        have: usize,
    },
    /// A length or version that can't be.
    #[error("{what} is {value}")]
    Invalid {
        /// The field.
        what: &'static str,
        /// Its value.
        value: i64,
    },
    /// Text that is not UTF-8.
    #[error("{what} is not UTF-8")]
    Utf8 {
        /// The field.
        what: &'static str,
    },
}

/// What a member wants and holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SubscriptionData {
    /// Topics, sorted.
    pub(crate) topics: Vec<String>,
    /// The assignor's own data.
    pub(crate) user_data: Option<Bytes>,
    /// Partitions held now (version 1).
    pub(crate) owned: Vec<TopicPartition>,
    /// Generation of `owned` (version 2); `None` before the first and from older members.
    pub(crate) generation: Option<i32>,
    /// `client.rack` (version 3).
    pub(crate) rack: Option<String>,
}

impl SubscriptionData {
    /// As version 3, which older members read as far as they know it.
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(64 + 32 * self.topics.len());
        out.put_i16(VERSION);
        let mut topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        topics.sort_unstable();
        put_count(&mut out, topics.len());
        for topic in topics {
            put_text(&mut out, topic);
        }
        put_bytes(&mut out, self.user_data.as_deref());
        put_partitions(&mut out, &self.owned);
        out.put_i32(self.generation.unwrap_or(-1));
        match &self.rack {
            Some(rack) => put_text(&mut out, rack),
            None => out.put_i16(-1),
        }
        out.freeze()
    }

    /// Reads any version.
    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let version = reader.version()?;
        let mut data = Self {
            topics: reader.list("topics", 2, |r| r.text("topic"))?,
            user_data: reader.bytes("user data")?,
            ..Self::default()
        };
        data.topics.sort_unstable();
        data.topics.dedup();
        if version >= 1 {
            data.owned = reader.partitions()?;
        }
        if version >= 2 {
            let generation = reader.i32("generation")?;
            data.generation = (generation >= 0).then_some(generation);
        }
        if version >= 3 {
            data.rack = reader.nullable_text("rack")?;
        }
        Ok(data)
    }
}

/// Encodes what a member gets.
pub(crate) fn encode_assignment(partitions: &[TopicPartition]) -> Bytes {
    let mut out = BytesMut::with_capacity(16 + 16 * partitions.len());
    out.put_i16(VERSION);
    put_partitions(&mut out, partitions);
    put_bytes(&mut out, None);
    out.freeze()
}

/// Reads what this member got. No bytes at all mean nothing (a leader that skipped the assignment).
pub(crate) fn decode_assignment(bytes: &Bytes) -> Result<Vec<TopicPartition>, WireError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = Reader::new(bytes);
    reader.version()?;
    let mut partitions = reader.partitions()?;
    partitions.sort_unstable();
    partitions.dedup();
    Ok(partitions)
}

fn put_count(out: &mut BytesMut, count: usize) {
    out.put_i32(i32::try_from(count).unwrap_or(i32::MAX));
}

fn put_text(out: &mut BytesMut, text: &str) {
    // Topic names and racks are far below 32 KiB; a longer one is cut rather than corrupting the rest.
    let bytes = text.as_bytes();
    let len = i16::try_from(bytes.len()).unwrap_or(i16::MAX);
    out.put_i16(len);
    out.put_slice(&bytes[..bytes.len().min(i16::MAX as usize)]);
}

fn put_bytes(out: &mut BytesMut, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            put_count(out, bytes.len());
            out.put_slice(bytes);
        }
        None => out.put_i32(-1),
    }
}

fn put_partitions(out: &mut BytesMut, partitions: &[TopicPartition]) {
    let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        by_topic
            .entry(&partition.topic)
            .or_default()
            .push(partition.partition);
    }
    put_count(out, by_topic.len());
    for (topic, mut numbers) in by_topic {
        numbers.sort_unstable();
        put_text(out, topic);
        put_count(out, numbers.len());
        for number in numbers {
            out.put_i32(number);
        }
    }
}

struct Reader<'a> {
    whole: &'a Bytes,
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(whole: &'a Bytes) -> Self {
        Self { whole, at: 0 }
    }

    fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], WireError> {
        let truncated = WireError::Truncated {
            what,
            have: self.whole.len(),
        };
        let end = self.at.checked_add(len).ok_or(truncated.clone())?;
        let slice = self.whole.get(self.at..end).ok_or(truncated)?;
        self.at = end;
        Ok(slice)
    }

    fn i16(&mut self, what: &'static str) -> Result<i16, WireError> {
        let bytes = self.take(2, what)?;
        Ok(i16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn i32(&mut self, what: &'static str) -> Result<i32, WireError> {
        let bytes = self.take(4, what)?;
        Ok(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn version(&mut self) -> Result<i16, WireError> {
        let version = self.i16("version")?;
        if version < 0 {
            return Err(WireError::Invalid {
                what: "version",
                value: i64::from(version),
            });
        }
        Ok(version.min(VERSION))
    }

    fn nullable_text(&mut self, what: &'static str) -> Result<Option<String>, WireError> {
        let len = self.i16(what)?;
        let Ok(len) = usize::try_from(len) else {
            return Ok(None);
        };
        let bytes = self.take(len, what)?;
        let text = std::str::from_utf8(bytes).map_err(|_| WireError::Utf8 { what })?;
        Ok(Some(text.to_owned()))
    }

    fn text(&mut self, what: &'static str) -> Result<String, WireError> {
        self.nullable_text(what)?
            .ok_or(WireError::Invalid { what, value: -1 })
    }

    fn bytes(&mut self, what: &'static str) -> Result<Option<Bytes>, WireError> {
        let Ok(len) = usize::try_from(self.i32(what)?) else {
            return Ok(None);
        };
        let start = self.at;
        self.take(len, what)?;
        Ok(Some(self.whole.slice(start..start + len)))
    }

    /// A list whose items take at least `least` bytes each.
    fn list<T>(
        &mut self,
        what: &'static str,
        least: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, WireError>,
    ) -> Result<Vec<T>, WireError> {
        let count = self.i32(what)?;
        let left = self.whole.len() - self.at;
        let fits = usize::try_from(count)
            .ok()
            .filter(|count| *count <= left / least);
        let Some(count) = fits else {
            return Err(WireError::Invalid {
                what,
                value: i64::from(count),
            });
        };
        (0..count).map(|_| item(self)).collect()
    }

    fn partitions(&mut self) -> Result<Vec<TopicPartition>, WireError> {
        let topics = self.list("partitions", 6, |reader| {
            let topic: std::rc::Rc<str> = reader.text("topic")?.into();
            let numbers = reader.list("partition numbers", 4, |r| r.i32("partition"))?;
            Ok((topic, numbers))
        })?;
        Ok(topics
            .into_iter()
            .flat_map(|(topic, numbers)| {
                numbers
                    .into_iter()
                    .map(move |number| TopicPartition::new(std::rc::Rc::clone(&topic), number))
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> SubscriptionData {
        SubscriptionData {
            topics: vec!["a".to_owned(), "b".to_owned()],
            user_data: Some(Bytes::from_static(&[0, 0, 0, 7])),
            owned: vec![TopicPartition::new("a", 1), TopicPartition::new("a", 2)],
            generation: Some(7),
            rack: Some("r1".to_owned()),
        }
    }

    #[test]
    fn a_subscription_is_written_as_kafkas_version_3() {
        let hex: String = sample()
            .encode()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let expected = concat!(
            "0003",
            "00000002",
            "000161",
            "000162",
            "0000000400000007",
            "00000001",
            "000161",
            "00000002",
            "00000001",
            "00000002",
            "00000007",
            "00027231",
        );
        assert_eq!(hex, expected);
    }

    #[test]
    fn every_version_from_0_to_a_future_one_is_read() {
        let full = sample();
        let bytes = full.encode();
        let v0 = Bytes::from([&[0, 0][..], &bytes[2..20]].concat());
        let read = SubscriptionData::decode(&v0).unwrap();
        assert_eq!(read.topics, full.topics);
        assert!(read.owned.is_empty());
        assert_eq!(read.generation, None);
        let v1 = Bytes::from([&[0, 1][..], &bytes[2..39]].concat());
        assert_eq!(SubscriptionData::decode(&v1).unwrap().owned, full.owned);
        let v2 = Bytes::from([&[0, 2][..], &bytes[2..43]].concat());
        assert_eq!(SubscriptionData::decode(&v2).unwrap().generation, Some(7));
        assert_eq!(SubscriptionData::decode(&bytes).unwrap(), full);
        let v9 = Bytes::from([&[0, 9][..], &bytes[2..], &[1, 2, 3]].concat());
        assert_eq!(SubscriptionData::decode(&v9).unwrap(), full);
    }

    #[test]
    fn an_assignment_survives_the_round_trip_and_nothing_means_nothing() {
        let partitions = vec![
            TopicPartition::new("a", 0),
            TopicPartition::new("a", 5),
            TopicPartition::new("b", 1),
        ];
        let shuffled: Vec<_> = partitions.iter().rev().cloned().collect();
        assert_eq!(
            decode_assignment(&encode_assignment(&shuffled)).unwrap(),
            partitions
        );
        assert!(decode_assignment(&Bytes::new()).unwrap().is_empty());
    }

    #[test]
    fn malformed_bytes_are_refused_at_every_cut_and_huge_counts_allocate_nothing() {
        let bytes = sample().encode();
        for cut in 0..bytes.len() {
            assert!(
                SubscriptionData::decode(&bytes.slice(..cut)).is_err(),
                "cut at {cut}"
            );
        }
        let huge = Bytes::from_static(&[0, 3, 0x7f, 0xff, 0xff, 0xff]);
        assert!(matches!(
            SubscriptionData::decode(&huge),
            Err(WireError::Invalid { what: "topics", .. })
        ));
        let negative = Bytes::from_static(&[0xff, 0xff]);
        assert!(decode_assignment(&negative).is_err());
    }
}
