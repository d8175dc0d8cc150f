//! What Kafka's own tool and other members see of our sinks' consumer groups.

use std::collections::BTreeSet;

use crate::common::client::Compression;
use crate::common::pipeline::{self, file_sink};
use crate::common::{PATIENCE, Standalone, kafka, scratch_dir, wait_for, wait_until};

#[test]
fn the_groups_tool_shows_members_offsets_and_lag_of_a_sink() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let (bootstrap, client) = (cluster.bootstrap(), cluster.client());
    client.create_topic("groups", 4);
    for partition in 0..4_u8 {
        let pairs = (0..=partition)
            .map(|n| (None, Some(vec![b'0' + n])))
            .collect();
        client.produce(
            "groups",
            i32::from(partition),
            Compression::NoCompression,
            pairs,
        );
    }
    let dir = scratch_dir("groups");
    let out = dir.path().join("out.txt");
    let sink = file_sink("groups-sink", &out, "groups").set("tasks.max", 2);
    let files = Standalone::new(&pipeline::worker(&bootstrap), &[sink]);
    let ringmain = files.start();
    let rows = wait_for("all partitions' commits", PATIENCE, || {
        let rows = kafka.describe_group(&bootstrap, "connect-groups-sink");
        let done = rows
            .iter()
            .filter(|r| r.lag == Some(0) && r.consumer_id.is_some())
            .count();
        (done == 4).then_some(rows)
    });
    for row in &rows {
        assert_eq!(
            row.current_offset,
            Some(i64::from(row.partition) + 1),
            "{row:?}"
        );
    }
    let members: BTreeSet<_> = rows.iter().map(|r| r.client_id.clone().unwrap()).collect();
    let expected = [0, 1].map(|task| format!("connector-consumer-groups-sink-{task}"));
    assert_eq!(
        members,
        BTreeSet::from(expected),
        "each task is a member with partitions"
    );
    ringmain.stop_cleanly();

    // The stopped worker has left the group, and what it did not read is the lag.
    client.produce_values("groups", Compression::NoCompression, ["x", "y", "z"]);
    let rows = kafka.describe_group(&bootstrap, "connect-groups-sink");
    assert!(rows.iter().all(|row| row.consumer_id.is_none()), "{rows:?}");
    let lag = |partition| rows.iter().find(|r| r.partition == partition).unwrap().lag;
    assert_eq!(
        [lag(0), lag(1), lag(2), lag(3)],
        [Some(3), Some(0), Some(0), Some(0)]
    );
}

#[test]
fn a_group_shared_with_apaches_connect_divides_the_partitions() {
    let Some(kafka) = kafka() else { return };
    let (cluster, oracle) = (kafka.shared_cluster(), kafka.shared_oracle());
    let (bootstrap, client) = (cluster.bootstrap(), cluster.client());
    client.create_topic("mixed-group", 2);
    let dir = scratch_dir("mixed");
    let sink = |side: &str| {
        file_sink(
            "mixed-sink",
            &dir.path().join(format!("{side}.txt")),
            "mixed-group",
        )
    };
    oracle.create(&sink("apache"));
    let ringmain = Standalone::new(&pipeline::worker(&bootstrap), &[sink("ringmain")]).start();
    wait_until("a member of each kind", PATIENCE, || {
        let rows = kafka.describe_group(&bootstrap, "connect-mixed-sink");
        let members: BTreeSet<_> = rows.iter().filter_map(|r| r.consumer_id.clone()).collect();
        members.len() == 2
    });
    for partition in 0..2 {
        let pairs = vec![(None, Some(format!("p{partition}").into_bytes()))];
        client.produce("mixed-group", partition, Compression::NoCompression, pairs);
    }
    let read = |side: &str| {
        let path = dir.path().join(format!("{side}.txt"));
        std::fs::read_to_string(path).unwrap_or_default()
    };
    wait_until("one record on each side", PATIENCE, || {
        let both = BTreeSet::from([read("apache"), read("ringmain")]);
        both == BTreeSet::from(["p0\n".to_owned(), "p1\n".to_owned()])
    });
    ringmain.stop_cleanly();
    client.produce(
        "mixed-group",
        0,
        Compression::NoCompression,
        vec![(None, Some(b"q".into()))],
    );
    client.produce(
        "mixed-group",
        1,
        Compression::NoCompression,
        vec![(None, Some(b"q".into()))],
    );
    wait_until("Apache's worker to take over", PATIENCE, || {
        read("apache").matches('q').count() == 2
    });
    oracle.delete("mixed-sink");
}
