//! The Produce request, written around finished batches without copying them.

use std::rc::Rc;

use bytes::Bytes;
use kafka_protocol::messages::ProduceRequest;

use super::batch::{Batch, Wire};
use crate::clients::{Acks, ClientError};
use crate::kafka::connection::Connection;
use crate::kafka::protocol::{Frame, Piece};

/// First version with compact lengths and tagged fields.
const FLEXIBLE: i16 = 9;

/// One batch of a request.
#[derive(Debug)]
pub(super) struct Part {
    /// Index of the topic in the accumulator.
    pub(super) topic: usize,
    /// Its name.
    pub(super) name: Rc<str>,
    /// Partition.
    pub(super) partition: usize,
    /// The batch, finished.
    pub(super) batch: Batch,
}

/// Frames a request of `parts`, those of one topic next to each other. Request versions 3 to 12.
pub(super) fn frame(
    connection: &Connection,
    version: i16,
    acks: Acks,
    timeout_ms: i32,
    parts: &[Part],
) -> Result<Frame, ClientError> {
    let mut frame = connection.start_frame::<ProduceRequest>(version, 512)?;
    let mut body = Body {
        flexible: version >= FLEXIBLE,
        frame: &mut frame,
        mid: Vec::new(),
    };
    // No transactional id.
    body.put(if version >= FLEXIBLE {
        &[0]
    } else {
        &[255, 255]
    });
    let acks: i16 = match acks {
        Acks::None => 0,
        Acks::Leader => 1,
        Acks::All => -1,
    };
    body.put(&acks.to_be_bytes());
    body.put(&timeout_ms.to_be_bytes());
    let topics = parts.chunk_by(|a, b| a.topic == b.topic);
    body.length(topics.clone().count());
    for topic in topics {
        if let Some(first) = topic.first() {
            body.name(&first.name);
        }
        body.length(topic.len());
        for part in topic {
            let partition = i32::try_from(part.partition).unwrap_or(i32::MAX);
            body.put(&partition.to_be_bytes());
            match part.batch.wire() {
                Some(Wire::Built(bytes)) => {
                    body.length(bytes.len());
                    body.piece(Piece::Batch(Rc::clone(bytes)));
                }
                Some(Wire::Whole(header, records)) => {
                    body.length(header.len() + records.len());
                    body.put(header);
                    body.piece(Piece::Own(records));
                }
                None => {}
            }
            body.tags();
        }
        body.tags();
    }
    body.tags();
    body.flush();
    Ok(frame)
}

/// Writes fields; the first ones into the frame's head, those behind a batch into pieces of their own.
struct Body<'a> {
    flexible: bool,
    frame: &'a mut Frame,
    mid: Vec<u8>,
}

impl Body<'_> {
    fn put(&mut self, bytes: &[u8]) {
        match self.frame.tail.is_empty() {
            true => self.frame.head.extend_from_slice(bytes),
            false => self.mid.extend_from_slice(bytes),
        }
    }

    fn piece(&mut self, piece: Piece) {
        self.flush();
        self.frame.tail.push(piece);
    }

    fn flush(&mut self) {
        if !self.mid.is_empty() {
            let mid = Bytes::from(std::mem::take(&mut self.mid));
            self.frame.tail.push(Piece::Own(mid));
        }
    }

    /// Length of an array or of bytes.
    fn length(&mut self, length: usize) {
        let length = u32::try_from(length).unwrap_or(u32::MAX >> 1);
        match self.flexible {
            true => self.varint(length + 1),
            false => self.put(&length.to_be_bytes()),
        }
    }

    fn name(&mut self, name: &str) {
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        match self.flexible {
            true => self.varint(u32::from(length) + 1),
            false => self.put(&length.to_be_bytes()),
        }
        self.put(name.as_bytes());
    }

    /// No tagged fields.
    fn tags(&mut self) {
        if self.flexible {
            self.put(&[0]);
        }
    }

    fn varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.put(&[(value & 0x7f) as u8 | 0x80]);
            value >>= 7;
        }
        self.put(&[(value & 0x7f) as u8]);
    }
}
