//! Servers that are no workers, workers that are not well, and ways to them that do not work: each costs
//! bounded time, ends with an exit code and says what to do.

use std::time::{Duration, Instant};

use super::fake::{Fake, http, json};
use super::{Ran, ctl};
use crate::common::{free_port, scratch_dir};

const HTML: &str = "<html><body><h1>It works!</h1></body></html>";
const REBALANCE: &str = r#"{"error_code":409,"message":"Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config change)"}"#;

/// Nothing listens there.
fn closed() -> String {
    format!("http://127.0.0.1:{}", free_port())
}

/// The commands that begin with a request.
const COMMANDS: &[&[&str]] = &[
    &["list"],
    &["describe", "a"],
    &["pause", "a"],
    &["resume", "a"],
    &["stop", "a"],
    &["restart", "a"],
    &["restart", "a/0"],
    &["restart", "a", "--include-tasks"],
    &["delete", "a", "--yes"],
    &["offsets", "show", "a"],
    &["offsets", "reset", "a", "--yes"],
    &["topics", "a"],
    &["topics", "a", "--reset", "--yes"],
    &["plugins"],
    &["plugins", "X"],
    &["logs", "level"],
    &["logs", "level", "root"],
    &["logs", "level", "root", "debug"],
    &["top", "--once"],
    &["info"],
];

pub(super) fn quickly(url: &str, args: &[&str]) -> Ran {
    let started = Instant::now();
    let ran = ctl(url, args);
    let took = started.elapsed();
    assert!(
        took < Duration::from_secs(20),
        "{args:?} took {took:?}: {ran:?}"
    );
    ran
}

#[test]
fn a_closed_port_is_said_to_be_one_by_every_command_in_both_forms() {
    let url = closed();
    for args in COMMANDS {
        quickly(&url, args)
            .ends(1)
            .complains("can't be reached")
            .complains("RINGMAIN_URL");
        let mut with_json = vec!["--json"];
        with_json.extend(*args);
        let ran = quickly(&url, &with_json).ends(1);
        // Commands on several connectors say it in their array.
        let error = match ran.out.is_empty() {
            true => ran.error(),
            false => ran.json()[0]["error"].clone(),
        };
        assert_eq!(error["kind"], "unreachable", "{args:?}: {ran:?}");
        assert_eq!(error["url"], url.as_str());
    }
}

#[test]
fn a_web_page_is_told_from_a_worker_by_every_command_that_reads() {
    for status in ["200 OK", "404 Not Found", "500 Oops", "502 Bad Gateway"] {
        let server = Fake::start(move |_, _| http(status, "text/html", HTML));
        for args in COMMANDS {
            let ran = quickly(&server.url, args);
            // What changes something and needs no body can't tell a page from an empty answer.
            if status == "200 OK" && ran.code == Some(0) {
                let is_blind = ["pause", "resume", "stop", "delete", "topics"].contains(&args[0]);
                assert!(is_blind, "{args:?} took a page for an answer: {ran:?}");
                continue;
            }
            ran.ends(1)
                .complains("no answer of a Connect worker")
                .complains("It works!");
        }
    }
}

#[test]
fn json_of_another_shape_is_no_answer() {
    for body in [
        "{}",
        "[]",
        "null",
        "7",
        "\"x\"",
        "{\"a\":[1]}",
        "[{}]",
        "{\"offsets\":7}",
        "",
    ] {
        let server = Fake::start(move |_, _| json("200 OK", body));
        for args in COMMANDS {
            let ran = quickly(&server.url, args);
            assert!(
                matches!(ran.code, Some(0 | 1)),
                "{args:?} on {body}: {ran:?}"
            );
            assert!(!ran.err.contains("panicked"), "{args:?} on {body}: {ran:?}");
        }
    }
}

#[test]
fn garbage_on_the_wire_ends_the_command() {
    let garbage: [&[u8]; 6] = [
        b"",
        b"\x00\x01\x02\x03",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ];
    for bytes in garbage {
        let server = Fake::start(move |_, _| bytes.to_vec());
        quickly(&server.url, &["list"])
            .ends(1)
            .complains("can't be reached");
    }
    let endless = Fake::start(|_, _| {
        let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
        head.extend(b"X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(50_000));
        head
    });
    quickly(&endless.url, &["list"])
        .ends(1)
        .complains("can't be reached");
}

#[test]
fn silence_and_drops_end_with_the_time_out() {
    for server in [Fake::silent(), Fake::dripping()] {
        let ran = quickly(&server.url, &["list", "--timeout", "1"]).ends(1);
        let ran = ran.complains("in time").complains("--timeout");
        assert!(ran.out.is_empty(), "{ran:?}");
    }
}

#[test]
fn an_answer_of_another_scheme_names_the_scheme() {
    let server = Fake::start(|_, _| http("200 OK", "text/html", HTML));
    let url = server.url.replace("http://", "https://");
    quickly(&url, &["list", "--timeout", "5"])
        .ends(1)
        .complains("--url");
}

#[test]
fn a_redirection_is_not_followed_but_named() {
    let server = Fake::start(|_, _| {
        b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere:8443/connectors\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()
    });
    quickly(&server.url, &["list"])
        .ends(1)
        .complains("https://elsewhere:8443/connectors");
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_rebalance_is_outwaited_and_bounded() {
    let server = Fake::start(|_, number| match number {
        0 | 1 => json("409 Conflict", REBALANCE),
        _ => json("202 Accepted", ""),
    });
    let ran = quickly(&server.url, &["pause", "a"])
        .ends(0)
        .says("paused a");
    ran.complains("stale configuration")
        .complains("trying again");
    assert_eq!(server.asked().len(), 3);

    let server = Fake::start(|_, _| json("409 Conflict", REBALANCE));
    quickly(&server.url, &["pause", "a", "--retry", "1"])
        .ends(1)
        .complains("--retry");
    assert!(server.asked().len() > 1);
    let server = Fake::start(|_, _| json("409 Conflict", REBALANCE));
    quickly(&server.url, &["pause", "a", "--retry", "0"]).ends(1);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn the_next_address_is_asked_when_one_does_not_take_the_request() {
    let good = Fake::start(|_, _| json("200 OK", "[]"));
    let both = format!("{},{}", closed(), good.url);
    let ran = quickly(&both, &["list", "--json"]).ends(0);
    assert_eq!(ran.json(), serde_json::json!([]));
    let ran = ran.complains("asking the next address");
    drop(ran);
    let gateway = Fake::start(|_, _| http("503 Service Unavailable", "text/html", HTML));
    let both = format!("{},{}", gateway.url, good.url);
    quickly(&both, &["list"])
        .ends(0)
        .says("there are no connectors");
}

#[test]
fn what_may_have_been_done_is_not_done_again_elsewhere() {
    let (silent, good) = (
        Fake::silent(),
        Fake::start(|_, _| json("204 No Content", "")),
    );
    let both = format!("{},{}", silent.url, good.url);
    quickly(&both, &["restart", "a", "--timeout", "1"])
        .ends(1)
        .complains("in time");
    assert!(good.asked().is_empty());
    quickly(&both, &["pause", "a", "--timeout", "1"]).ends(0);
    assert_eq!(good.asked().len(), 1);
}

#[test]
fn credentials_are_sent_and_missing_ones_asked_for() {
    let server = Fake::start(|asked, _| {
        let head = asked.head.to_lowercase();
        match head.contains("authorization: basic ywxpom9wzw4=")
            || head.contains("authorization: bearer t0ken")
        {
            true => json("200 OK", "[]"),
            false => http(
                "401 Unauthorized",
                "text/plain",
                "User cannot access the resource.",
            ),
        }
    });
    let ran = quickly(&server.url, &["list"]).ends(1);
    ran.complains("401: User cannot access the resource.")
        .complains("--password-file");
    let dir = scratch_dir("secrets");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (password, token) = (file("password", "open\n"), file("token", "t0ken\n"));
    quickly(
        &server.url,
        &["list", "--user", "ali", "--password-file", &password],
    )
    .ends(0);
    quickly(&server.url, &["list", "--token-file", &token]).ends(0);
    quickly(&server.url, &["list", "--user", "ali"])
        .ends(2)
        .complains("--password-file");
}

#[test]
fn what_a_worker_says_cannot_steer_the_terminal() {
    let name = "evil\\u001b[2J\\u0007";
    let body = format!(
        r#"{{"{name}":{{"status":{{"name":"{name}","connector":{{"state":"RUNNING\u001b[31m"}},"tasks":[]}}}}}}"#
    );
    let list = Fake::start(move |_, _| json("200 OK", &body));
    let error = Fake::start(|_, _| {
        json(
            "500 Oops",
            r#"{"error_code":500,"message":"bad \u001b]0;owned\u0007 line\nsecond"}"#,
        )
    });
    for ran in [
        ctl(&list.url, &["list"]).ends(0).says("evil"),
        ctl(&error.url, &["list"]).ends(1).complains("second"),
        ctl(&error.url, &["pause", "a"]).ends(1).complains("second"),
    ] {
        let all = ran.out + &ran.err;
        let is_steering = |c: char| c.is_control() && c != '\n';
        assert!(!all.contains(is_steering), "{all:?}");
    }
}

#[test]
fn arguments_that_cannot_be_used_end_with_2_before_anything_is_asked() {
    let server = Fake::start(|_, _| json("200 OK", "[]"));
    for args in [
        &["nonsense"][..],
        &["pause"],
        &["apply", "/nowhere/a.json"],
        &["diff", "/nowhere"],
        &["offsets", "alter", "a", "/nowhere/o.json"],
        &["logs", "level", "root", "loud"],
        &["restart", "a/0", "--only-failed"],
        &["list", "--timeout", "0"],
        &["list", "--ca", "/nowhere.pem"],
        // Nobody can be asked whether that is meant.
        &["delete", "a"],
        &["offsets", "reset", "a"],
        &["topics", "a", "--reset"],
    ] {
        let ran = ctl(&server.url, args).ends(2);
        assert!(
            !ran.err.is_empty() && ran.out.is_empty(),
            "{args:?}: {ran:?}"
        );
    }
    assert!(server.asked().is_empty(), "{:?}", server.asked());
    ctl("ftp://x", &["list"]).ends(2).complains("http://");
    let ran = ctl("http://me:hunter2@x", &["list"]).ends(2);
    assert!(!ran.err.contains("hunter2"), "{ran:?}");
}

#[test]
fn one_connector_that_fails_does_not_keep_the_others() {
    let server = Fake::start(|asked, _| match asked.line.contains("/b/") {
        true => json(
            "404 Not Found",
            r#"{"error_code":404,"message":"Unknown connector b"}"#,
        ),
        false => json("202 Accepted", ""),
    });
    let ran = quickly(&server.url, &["pause", "a", "b", "c d"]).ends(1);
    let ran = ran.says("paused a").says("paused c d");
    ran.complains("b: ")
        .complains("Unknown connector b")
        .complains("ctl list");
    let lines: Vec<String> = server.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines[2], "PUT /connectors/c%20d/pause HTTP/1.1");
    let ran = quickly(&server.url, &["--json", "pause", "a", "b"]).ends(1);
    let all = ran.json();
    assert!(all[0]["error"].is_null());
    assert_eq!(all[1]["error"]["error_code"], 404);
    assert_eq!(all[1]["name"], "b");
}
