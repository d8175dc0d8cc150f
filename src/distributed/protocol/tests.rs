//! What `ConnectProtocolCompatibilityTest` of Apache asks, and the bytes themselves.

use super::*;
use crate::distributed::{ConnectorTaskId, ConnectorsAndTasks};

const LEADER: &str = "leader";
const LEADER_URL: &str = "url:8083";

pub(super) fn work(connectors: &[&str], tasks: &[(&str, i32)]) -> ConnectorsAndTasks {
    ConnectorsAndTasks {
        connectors: connectors.iter().map(|name| (*name).into()).collect(),
        tasks: tasks
            .iter()
            .map(|(name, task)| ConnectorTaskId::new(*name, *task))
            .collect(),
    }
}

pub(super) fn assignment() -> Assignment {
    Assignment {
        version: 2,
        error: NO_ERROR,
        leader: LEADER.into(),
        leader_url: LEADER_URL.into(),
        config_offset: 10,
        assigned: work(&["c1"], &[("c2", 0), ("c1", 0), ("c2", 1)]),
        revoked: work(&["c3"], &[("c3", 0)]),
        delay_ms: 500,
    }
}

pub(super) fn state() -> WorkerState {
    let plugins = [
        "FileStreamSink",
        "org.apache.kafka.connect.file.FileStreamSinkConnector",
        "org.apache.kafka.connect.file.FileStreamSourceConnector",
    ];
    WorkerState {
        url: "url:1".into(),
        config_offset: 7,
        assignment: Some(assignment()),
        plugins: Some(PluginClasses::new(plugins).unwrap()),
    }
}

/// Of an Apache worker that just started.
fn bare() -> WorkerState {
    WorkerState {
        assignment: None,
        plugins: None,
        ..state()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn protocols_are_listed_as_configured_the_preferred_one_first() {
    let names = |configured: &str| {
        let protocol = ConnectProtocol::from_config(configured).unwrap();
        let listed = metadata_request(&bare(), protocol).unwrap();
        listed.iter().map(|(name, _)| *name).collect::<Vec<_>>()
    };
    assert_eq!(names("sessioned"), ["sessioned", "compatible", "default"]);
    assert_eq!(names("COMPATIBLE"), ["compatible", "default"]);
    assert_eq!(names("eager"), ["default"]);
    assert_eq!(ConnectProtocol::from_config("default"), None);
    assert_eq!(
        ConnectProtocol::from_name("default"),
        Some(ConnectProtocol::Eager)
    );
    assert_eq!(ConnectProtocol::from_name("eager"), None);
}

#[test]
fn metadata_of_version_0_is_url_and_offset() {
    let bytes = bare().encode(ConnectProtocol::Eager).unwrap();
    assert_eq!(hex(&bytes), "0000000575726c3a310000000000000007");
    let with_assignment = WorkerState {
        plugins: None,
        ..state()
    };
    assert_eq!(
        with_assignment.encode(ConnectProtocol::Eager).unwrap(),
        bytes
    );
}

#[test]
fn a_worker_without_an_assignment_writes_null_for_it() {
    let bytes = bare().encode(ConnectProtocol::Compatible).unwrap();
    assert_eq!(hex(&bytes), "0001000575726c3a310000000000000007ffffffff");
    assert_eq!(WorkerState::decode(&bytes).unwrap(), bare());
}

#[test]
fn an_assignment_has_the_bytes_that_java_writes() {
    let expected = concat!(
        "0002",
        "0000",
        "00066c6561646572",
        "000875726c3a38303833",
        "000000000000000a",
        // c1 itself and task 0, then c2 as its first task comes.
        "00000002",
        "00026331",
        "00000002ffffffff00000000",
        "00026332",
        "000000020000000000000001",
        "00000001",
        "00026333",
        "00000002ffffffff00000000",
        "000001f4",
    );
    assert_eq!(hex(&assignment().encode().unwrap()), expected);
    let eager = Assignment {
        version: 0,
        ..assignment()
    };
    // Without what is revoked and the delay.
    let expected = format!("0000{}", &expected[4..2 * 66]);
    assert_eq!(hex(&eager.encode().unwrap()), expected);
}

#[test]
fn every_version_is_read_by_every_other() {
    for protocol in ConnectProtocol::ALL {
        let read = WorkerState::decode(&state().encode(protocol).unwrap()).unwrap();
        assert_eq!((&*read.url, read.config_offset), ("url:1", 7));
        assert_eq!(read.plugins, state().plugins);
        let expected = match protocol {
            ConnectProtocol::Eager => None,
            other => Some(Assignment {
                version: other.version(),
                ..assignment()
            }),
        };
        assert_eq!(read.assignment, expected);
    }
    let eager = assignment().encode_as(0).unwrap();
    let read = Assignment::decode(&eager).unwrap();
    assert_eq!(read.assigned, assignment().assigned);
    assert_eq!((read.version, read.delay_ms), (0, 0));
    assert!(read.revoked.is_empty());
}

#[test]
fn a_newer_version_is_read_as_far_as_it_is_known() {
    let newer = [
        &[0, 9][..],
        &assignment().encode().unwrap()[2..],
        &[1, 2, 3],
    ]
    .concat();
    let read = Assignment::decode(&newer).unwrap();
    assert_eq!(read.version, 9);
    assert_eq!(read.revoked, assignment().revoked);
    let bytes = bare().encode(ConnectProtocol::Sessioned).unwrap();
    let newer = [&[0, 9][..], &bytes[2..], b"what Apache may add"].concat();
    assert_eq!(WorkerState::decode(&newer).unwrap(), bare());
    let negative = [&[0xff, 0xff][..], &bytes[2..]].concat();
    let error = WorkerState::decode(&negative).unwrap_err();
    assert_eq!(error.to_string(), "version is -1");
}

#[test]
fn null_lists_and_missing_fields_mean_nothing() {
    let bytes = assignment().encode().unwrap();
    // Up to the list of what is assigned.
    let head = &bytes[..30];
    let null = (-1i32).to_be_bytes();
    let tails: [&[u8]; 4] = [
        &[],
        &null,
        &[null, null].concat(),
        &[&null[..], &null, &[0; 4]].concat(),
    ];
    for tail in tails {
        let read = Assignment::decode(&[head, tail].concat()).unwrap();
        assert_eq!(read.config_offset, 10);
        assert!(read.assigned.is_empty() && read.revoked.is_empty());
        assert_eq!(read.delay_ms, 0);
    }
}

#[test]
fn bytes_that_end_within_a_field_are_refused() {
    let bytes = assignment().encode().unwrap();
    // Where fields end that have a default for what follows: the offset and the two lists.
    let whole = [30, 66, 86];
    for cut in 0..bytes.len() {
        let read = Assignment::decode(&bytes[..cut]);
        assert_eq!(read.is_ok(), whole.contains(&cut), "cut at {cut}");
    }
}

#[test]
fn counts_that_lie_are_refused_before_anything_is_allocated() {
    let bytes = assignment().encode().unwrap();
    let huge = [&bytes[..30], &i32::MAX.to_be_bytes()].concat();
    let error = Assignment::decode(&huge).unwrap_err();
    assert_eq!(error.to_string(), "assigned connectors is 2147483647");
}

#[test]
fn text_that_is_no_utf_8_is_replaced() {
    let mut bytes = bare().encode(ConnectProtocol::Eager).unwrap();
    bytes[4] = 0xff;
    assert_eq!(&*WorkerState::decode(&bytes).unwrap().url, "\u{fffd}rl:1");
}

#[test]
fn names_beyond_the_protocol_are_an_error_and_not_cut() {
    let long = WorkerState {
        url: "u".repeat(32_768).into(),
        ..bare()
    };
    let error = long.encode(ConnectProtocol::Eager).unwrap_err();
    assert_eq!(
        error.to_string(),
        "URL takes 32768, the protocol has room for 32767"
    );
}

#[test]
fn plugins_share_the_beginnings_of_their_names() {
    let bytes = state().encode(ConnectProtocol::Eager).unwrap();
    // Behind the metadata that Java reads and an absent allocation.
    let expected = concat!(
        "524d5043",
        "0001",
        "0000005e",
        "00000003",
        "00",
        "000e46696c6553747265616d53696e6b",
    );
    assert!(
        hex(&bytes[17 + 4..]).starts_with(expected),
        "{}",
        hex(&bytes)
    );
    assert_eq!(bytes.len(), 17 + 4 + 10 + 0x5e);
    let plugins = WorkerState::decode(&bytes).unwrap().plugins.unwrap();
    assert!(plugins.contains("FileStreamSink"));
    assert!(!plugins.contains("FileStreamSource"));
}

#[test]
fn plugins_of_a_later_version_are_read_and_damaged_ones_are_none() {
    let bytes = state().encode(ConnectProtocol::Eager).unwrap();
    let mut later = bytes.clone();
    later[17 + 4 + 5] = 2;
    later.extend(b"more");
    assert_eq!(
        WorkerState::decode(&later).unwrap().plugins,
        state().plugins
    );
    for cut in 17 + 4..bytes.len() {
        let read = WorkerState::decode(&bytes[..cut]).unwrap();
        assert_eq!(read.plugins, None, "cut at {cut}");
    }
    let mut shares_too_much = bytes;
    // The second name shares nothing with the first.
    let second = 17 + 4 + 14 + 1 + 2 + 14;
    assert_eq!(shares_too_much[second], 0);
    shares_too_much[second] = 200;
    assert_eq!(WorkerState::decode(&shares_too_much).unwrap().plugins, None);
}

#[test]
fn plugins_are_bounded() {
    let many = (0..4097).map(|number| number.to_string());
    assert!(PluginClasses::new(many).is_err());
    assert!(PluginClasses::new(["n".repeat(256)]).is_err());
    assert!(PluginClasses::new(["n".repeat(255)]).is_ok());
    let large = (0..1100).map(|number| format!("{number:0>250}"));
    assert!(PluginClasses::new(large).is_err());
}
