//! The state machine behind the driver: standalone mode's or distributed mode's.

use std::time::Instant;

use super::distributed::{Link, PeerError, Token};
use super::driver::TopicsMessage;
use super::standalone::{Machine, Output, Request, RequestId};
use crate::cluster::ClusterEvent;
use crate::worker::{InstanceEvent, InstanceId, OffsetsAnswer, OffsetsError};

/// What decides.
pub(super) enum Plane {
    /// One process.
    Standalone(Machine),
    /// A member of a cluster.
    Distributed(Box<Link>),
}

impl Plane {
    pub(super) fn request(&mut self, id: RequestId, request: Request) {
        match self {
            Self::Standalone(machine) => machine.request(id, request, Instant::now()),
            Self::Distributed(link) => link.request(id, request),
        }
    }

    pub(super) fn event(&mut self, instance: InstanceId, event: InstanceEvent) {
        match self {
            Self::Standalone(machine) => machine.event(instance, event, Instant::now()),
            Self::Distributed(link) => link.event(instance, event),
        }
    }

    pub(super) fn offsets_done(
        &mut self,
        id: RequestId,
        name: &str,
        result: Result<OffsetsAnswer, OffsetsError>,
    ) {
        match self {
            Self::Standalone(machine) => machine.offsets_done(id, name, result),
            Self::Distributed(link) => link.offsets_done(id, result),
        }
    }

    /// Something happened in Kafka. There is nothing of the kind in standalone mode.
    pub(super) fn cluster(&mut self, event: ClusterEvent) {
        if let Self::Distributed(link) = self {
            link.cluster(event);
        }
    }

    /// A connector's topics were used or reset here. There is nobody to tell in standalone mode.
    pub(super) fn topics(&mut self, news: TopicsMessage) {
        if let Self::Distributed(link) = self {
            link.topics(&news.connector, news.used.as_ref());
        }
    }

    /// The leader answered a request of this worker's own.
    pub(super) fn peer_answered(&mut self, token: Token, result: Result<(), PeerError>) {
        if let Self::Distributed(link) = self {
            link.peer_answered(token, result);
        }
    }

    pub(super) fn shut_down(&mut self) {
        match self {
            Self::Standalone(machine) => machine.shut_down(Instant::now()),
            Self::Distributed(link) => link.shut_down(),
        }
    }

    pub(super) fn tick(&mut self) {
        match self {
            Self::Standalone(machine) => machine.tick(Instant::now()),
            Self::Distributed(link) => link.tick(),
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match self {
            Self::Standalone(machine) => machine.next_deadline(),
            Self::Distributed(link) => Some(link.next_deadline()),
        }
    }

    /// What a request waits for, as in "The worker is currently …", and since when.
    pub(super) fn stage_of(&self, request: RequestId) -> Option<(String, Instant)> {
        match self {
            Self::Standalone(machine) => machine.stage_of(request),
            Self::Distributed(link) => link.stage_of(request),
        }
    }

    /// What the worker shall do. What concerns Kafka and other workers was given out already.
    pub(super) fn take_outputs(&mut self) -> Vec<Output> {
        match self {
            Self::Standalone(machine) => machine.take_outputs(),
            Self::Distributed(link) => link.take_outputs(),
        }
    }

    /// The worker has failed for good, with this reason.
    pub(super) fn failure(&self) -> Option<&str> {
        match self {
            Self::Standalone(_) => None,
            Self::Distributed(link) => link.failure(),
        }
    }

    /// Nothing runs any more: lets go of Kafka.
    pub(super) fn close(&mut self) {
        if let Self::Distributed(link) = self {
            link.close();
        }
    }
}
