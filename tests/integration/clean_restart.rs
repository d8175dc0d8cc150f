//! A clean stop and start: no line twice, none lost, whatever was written in between.

use std::fs::File;
use std::io::Write;

use crate::common::lines::{Feeder, Tally, append_lines, line};
use crate::common::pipeline::{self, file_sink, file_source};
use crate::common::{PATIENCE, Standalone, kafka, wait_until};

#[test]
fn a_clean_restart_neither_loses_nor_repeats_a_line() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    restart_four_times(&cluster.bootstrap(), "restart");
    let mut topic = Tally::default();
    cluster
        .client()
        .visit("restart", 0, |r| topic.add(&r.record.value.unwrap()));
    topic.assert_exactly(topic.records);
}

/// Stops by SIGTERM and SIGINT while lines flow, appends between the runs, and checks what the sink wrote.
pub(crate) fn restart_four_times(bootstrap: &str, topic: &str) {
    let files = Standalone::new(&pipeline::worker(bootstrap), &[]);
    let (input, output) = (files.dir().join("in.txt"), files.dir().join("out.txt"));
    let files = files.with_connectors(&[
        file_source(&format!("{topic}-source"), &input, topic),
        file_sink(&format!("{topic}-sink"), &output, topic),
    ]);
    append_lines(&input, 0..10_000);
    let mut next = 10_000;
    for round in 0..4 {
        let ringmain = files.start();
        let feeder = Feeder::start(&input, next, 20_000);
        std::thread::sleep(std::time::Duration::from_millis(700));
        if round % 2 == 0 {
            ringmain.stop_cleanly();
        } else {
            ringmain.interrupt_cleanly();
        }
        next = feeder.finish();
        append_lines(&input, next..next + 1000);
        next += 1000;
    }
    let ringmain = files.start();
    let whole = std::fs::metadata(&input).unwrap().len();
    wait_until("the whole file", PATIENCE, || {
        std::fs::metadata(&output).is_ok_and(|out| out.len() >= whole)
    });
    ringmain.stop_cleanly();
    let mut tally = Tally::default();
    tally.add_file(&output);
    tally.assert_exactly(next);
}

#[test]
fn a_line_cut_in_two_by_a_restart_comes_out_whole() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let client = cluster.client();
    client.create_topic("cut", 1);
    let files = Standalone::new(&pipeline::worker(&cluster.bootstrap()), &[]);
    let input = files.dir().join("in.txt");
    let files = files.with_connectors(&[file_source("cut-source", &input, "cut")]);
    let mut file = File::create(&input).unwrap();
    let (first, second) = (line(0), line(1));
    write!(file, "{first}\n{}", &second[..40]).unwrap();
    let ringmain = files.start();
    client.wait_for_end_offset("cut", 1, PATIENCE);
    std::thread::sleep(std::time::Duration::from_millis(300));
    ringmain.stop_cleanly();
    writeln!(file, "{}", &second[40..]).unwrap();
    let ringmain = files.start();
    client.wait_for_end_offset("cut", 2, PATIENCE);
    ringmain.stop_cleanly();
    assert_eq!(
        client.read_values("cut"),
        [first.as_bytes(), second.as_bytes()]
    );
}
