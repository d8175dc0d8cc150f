//! Sessions that a broker ends after a while (`connections.max.reauth.ms`) go on.

use std::time::{Duration, Instant};

use super::{RUNTIMES, secured, worker};
use crate::common::lines::append_lines;
use crate::common::pipeline::{file_sink, file_source};
use crate::common::{PATIENCE, Standalone, kafka, wait_until};

/// Four sessions of 2.5 s and some more.
const LONG: Duration = Duration::from_secs(11);

#[test]
fn a_session_is_proven_anew_in_time_and_nothing_is_lost_or_doubled() {
    let Some(kafka) = kafka() else { return };
    let secured = secured(kafka);
    let bootstrap = secured.cluster.listener("BRIEF");
    for runtime in RUNTIMES {
        let topic = format!("sessions-{runtime}");
        let worker = worker(&bootstrap, runtime, |prefix| {
            secured.sasl("SCRAM-SHA-256", false, prefix)
        });
        let files = Standalone::new(&worker, &[]);
        let (input, output) = (files.dir().join("in.txt"), files.dir().join("out.txt"));
        append_lines(&input, 0..100);
        let files = files.with_connectors(&[
            file_source(&format!("{topic}-source"), &input, &topic),
            file_sink(&format!("{topic}-sink"), &output, &topic),
        ]);
        let ringmain =
            files.launch_with(|command| command.env("RINGMAIN_LOG", "info,ringmain::kafka=debug"));
        let start = Instant::now();
        let mut lines = 100;
        while start.elapsed() < LONG {
            append_lines(&input, lines..lines + 50);
            lines += 50;
            std::thread::sleep(Duration::from_millis(100));
        }
        let expected = std::fs::read(&input).unwrap();
        wait_until("all lines", PATIENCE, || {
            files.read("out.txt").len() >= expected.len()
        });
        assert!(
            files.read("out.txt") == expected,
            "{runtime}: the output differs"
        );
        ringmain.stop_cleanly();
        let log = ringmain.process().output();
        let proven = log.matches("the session goes on").count();
        assert!(
            proven >= 6,
            "{runtime}: sessions were proven anew {proven} times\n{log}"
        );
        assert!(
            !log.contains("the broker closed the connection"),
            "{runtime}:\n{log}"
        );
    }
}
