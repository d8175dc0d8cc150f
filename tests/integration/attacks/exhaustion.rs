//! File descriptors that run out and come back.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use super::{Target, raise_open_files};
use crate::common::{PATIENCE, wait_until};

impl Target {
    /// How many files the worker may open from now on.
    fn limit_open_files(&self, current: u64) {
        let pid = Pid::from_raw(self.ringmain.process().pid());
        let limit = Rlimit {
            current: Some(current),
            maximum: getrlimit(Resource::Nofile).maximum,
        };
        prlimit(pid, Resource::Nofile, limit).unwrap();
    }
}

#[test]
fn descriptors_that_run_out_are_taken_from_those_who_wait_and_are_given_back() {
    raise_open_files();
    let target = Target::start();
    let before = target.open_files();
    // Far fewer than the worker would take connections.
    target.limit_open_files(before + 16);
    target.endures("a lack of descriptors", || {
        let begun = Instant::now();
        let mut held: Vec<TcpStream> = Vec::new();
        while begun.elapsed() < Duration::from_secs(4) {
            while held.len() < 60 {
                held.push(target.connect().unwrap());
            }
            std::thread::sleep(Duration::from_millis(100));
            // The worker closes some of them; others come.
            held.drain(..20);
        }
    });
    let log = target.ringmain.process().output();
    assert!(log.contains("REST connections can't be accepted"), "{log}");
    target.limit_open_files(4096);
    let held: Vec<TcpStream> = (0..100).map(|_| target.connect().unwrap()).collect();
    std::thread::sleep(Duration::from_millis(200));
    assert!(
        target.open_files() > before + 50,
        "{} files",
        target.open_files()
    );
    drop(held);
    wait_until("the descriptors to be given back", PATIENCE, || {
        target.open_files() <= before + 1
    });
    assert!(target.good_request().is_ok());
    target.ringmain.stop_cleanly();
}
