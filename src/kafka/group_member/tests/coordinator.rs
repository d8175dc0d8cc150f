//! A pretended coordinator of a group with one member of ours, which does what a test tells it to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

use crate::kafka::mock_broker::{Call, MockCluster, Reply, World, answer};

/// What happens to a request instead of a good answer at once.
#[derive(Debug, Clone)]
pub(super) enum Trick {
    /// A good answer: skips one request.
    None,
    /// This error code.
    Error(i16),
    /// The connection is closed unanswered.
    Disconnect,
    /// So many bytes of the answer, then the connection is closed.
    Truncate(usize),
    /// No answer, ever.
    Silent,
    /// The answer after a while, in which no other request of the connection is looked at.
    Late(Duration),
    /// As before, but an error.
    LateError(Duration, i16),
}

/// What a coordinator knows and is told to do.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) generation: i32,
    /// Member ids given out.
    pub(super) ids: i32,
    /// Another member leads and gives out this.
    pub(super) follower: Option<Bytes>,
    /// Wants no assignment of the leader (KIP-814).
    pub(super) skip_assignment: bool,
    /// Told instead of what the member offered.
    pub(super) protocol_type: Option<&'static str>,
    /// Chosen instead of the first that was offered.
    pub(super) protocol: Option<&'static str>,
    /// Told with SyncGroup instead of the chosen one.
    pub(super) sync_protocol: Option<&'static str>,
    /// Brokers that are not the coordinator say so.
    pub(super) strict: bool,
    /// Which connection each heartbeat came on.
    pub(super) heartbeats: Vec<(usize, HeartbeatRequest)>,
    pub(super) joins: Vec<(usize, JoinGroupRequest)>,
    pub(super) syncs: Vec<SyncGroupRequest>,
    pub(super) leaves: Vec<LeaveGroupRequest>,
    chosen: StrBytes,
    tricks: BTreeMap<i16, VecDeque<Trick>>,
}

impl State {
    fn trick(&mut self, call: &Call, world: &World) -> Trick {
        if self.strict && call.broker != world.coordinator {
            return Trick::Error(16);
        }
        let tricks = self.tricks.get_mut(&call.api_key);
        tricks.and_then(VecDeque::pop_front).unwrap_or(Trick::None)
    }
}

type Handler = fn(&Call, Trick, &mut State) -> Reply;

/// Handles the group requests of a mock cluster.
#[derive(Clone, Default)]
pub(super) struct Coordinator(Arc<Mutex<State>>);

impl Coordinator {
    pub(super) fn on(cluster: &MockCluster) -> Self {
        let coordinator = Self::default();
        let handlers: [(ApiKey, Handler); 4] = [
            (ApiKey::JoinGroup, join),
            (ApiKey::SyncGroup, sync),
            (ApiKey::Heartbeat, heartbeat),
            (ApiKey::LeaveGroup, leave),
        ];
        for (api, handler) in handlers {
            let state = coordinator.clone();
            cluster.on(api, move |call, world| {
                let mut state = state.state();
                let trick = state.trick(call, world);
                let reply = handler(call, trick.clone(), &mut state);
                play(trick, reply)
            });
        }
        coordinator
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens to the next requests of an API.
    pub(super) fn play(&self, api: ApiKey, tricks: impl IntoIterator<Item = Trick>) {
        let mut state = self.state();
        state.tricks.entry(api as i16).or_default().extend(tricks);
    }

    /// Nothing more happens to requests of an API.
    pub(super) fn relent(&self, api: ApiKey) {
        self.state().tricks.remove(&(api as i16));
    }

    pub(super) fn joins(&self) -> usize {
        self.state().joins.len()
    }

    pub(super) fn heartbeats(&self) -> usize {
        self.state().heartbeats.len()
    }
}

fn play(trick: Trick, reply: Reply) -> Reply {
    match (trick, reply) {
        (Trick::Disconnect, _) => Reply::Disconnect,
        (Trick::Silent, _) => Reply::Silent,
        (Trick::Truncate(keep), Reply::Answer(bytes)) => Reply::Truncated(bytes, keep),
        (Trick::Late(pause) | Trick::LateError(pause, _), reply) => {
            Reply::Delayed(pause, Box::new(reply))
        }
        (_, reply) => reply,
    }
}

fn error_of(trick: &Trick) -> i16 {
    match trick {
        Trick::Error(code) | Trick::LateError(_, code) => *code,
        _ => 0,
    }
}

fn join(call: &Call, trick: Trick, state: &mut State) -> Reply {
    let request: JoinGroupRequest = call.request();
    state.joins.push((call.connection, request.clone()));
    let response = JoinGroupResponse::default();
    let error = error_of(&trick);
    if error != 0 {
        return answer(call, &response.with_error_code(error));
    }
    let mut id = request.member_id.to_string();
    if id.is_empty() {
        state.ids += 1;
        id = format!("member-{}", state.ids);
        if request.group_instance_id.is_none() {
            let response = response.with_error_code(79);
            let response = response.with_member_id(StrBytes::from_string(id));
            return answer(call, &response);
        }
    }
    state.generation += 1;
    let offered = &request.protocols[0];
    state.chosen = match state.protocol {
        Some(name) => StrBytes::from_static_str(name),
        None => offered.name.clone(),
    };
    let leads = state.follower.is_none();
    let leader = if leads {
        id.clone()
    } else {
        "other".to_owned()
    };
    let mut response = response
        .with_generation_id(state.generation)
        .with_protocol_name(Some(state.chosen.clone()))
        .with_leader(StrBytes::from_string(leader))
        .with_member_id(StrBytes::from_string(id.clone()));
    if call.version >= 7 {
        let theirs = state.protocol_type.map(StrBytes::from_static_str);
        response.protocol_type = Some(theirs.unwrap_or(request.protocol_type.clone()));
    }
    if call.version >= 9 {
        response.skip_assignment = state.skip_assignment;
    }
    if leads {
        let member = |id: String, metadata: Bytes| {
            JoinGroupResponseMember::default()
                .with_member_id(StrBytes::from_string(id))
                .with_metadata(metadata)
        };
        response.members = vec![
            member(id, offered.metadata.clone()),
            member("other".to_owned(), Bytes::from_static(b"of another")),
        ];
    }
    answer(call, &response)
}

fn sync(call: &Call, trick: Trick, state: &mut State) -> Reply {
    let request: SyncGroupRequest = call.request();
    let mut response = SyncGroupResponse::default().with_error_code(error_of(&trick));
    if call.version >= 5 {
        let theirs = state.sync_protocol.map(StrBytes::from_static_str);
        response.protocol_name = Some(theirs.unwrap_or(state.chosen.clone()));
        response.protocol_type = request.protocol_type.clone();
    }
    if request.generation_id != state.generation {
        response.error_code = 22;
    }
    let own = request
        .assignments
        .iter()
        .find(|assigned| assigned.member_id == request.member_id);
    response.assignment = match (&state.follower, own) {
        (Some(assignment), _) => assignment.clone(),
        (None, Some(own)) => own.assignment.clone(),
        (None, None) => Bytes::from_static(b"as before"),
    };
    state.syncs.push(request);
    answer(call, &response)
}

fn heartbeat(call: &Call, trick: Trick, state: &mut State) -> Reply {
    state.heartbeats.push((call.connection, call.request()));
    let error = error_of(&trick);
    answer(call, &HeartbeatResponse::default().with_error_code(error))
}

fn leave(call: &Call, trick: Trick, state: &mut State) -> Reply {
    state.leaves.push(call.request());
    let error = error_of(&trick);
    answer(call, &LeaveGroupResponse::default().with_error_code(error))
}
