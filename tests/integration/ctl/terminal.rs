//! On a terminal, which `script` (util-linux) makes: colours, width, questions, `top` redrawn.

use std::io::Write;
use std::process::{Command, Stdio};

use super::fake::{Fake, json};
use super::{Ran, run};
use crate::common::ringmain::binary;
use crate::common::{PATIENCE, Process, scratch_dir};

const LIST: &str = r#"{"orders":{"status":{"name":"orders","connector":{"state":"RUNNING","worker_id":"a-worker-with-a-long-name.example.org:8083"},"tasks":[{"id":0,"state":"FAILED"}],"type":"sink"},"info":{"config":{"connector.class":"org.example.OrdersSinkConnector"}}}}"#;

/// `ringmain ctl ARGS` on a terminal of 60 columns and 12 lines.
fn on_terminal(url: &str, args: &str) -> Command {
    let line = format!("stty cols 60 rows 12; {} ctl --url {url} {args}", binary());
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]);
    command.env("TERM", "xterm").env_remove("NO_COLOR");
    command
}

/// Types `text` once the question stands there.
fn typed(command: Command, text: &str) -> Ran {
    let dir = scratch_dir("ctl-input");
    let path = dir.path().join("typed");
    std::fs::File::create(&path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let input = std::fs::File::open(&path).unwrap();
    run(command, input.into(), PATIENCE)
}

#[test]
fn a_terminal_gets_colours_and_lines_that_fit() {
    let server = Fake::start(|_, _| json("200 OK", LIST));
    let ran = run(on_terminal(&server.url, "list"), Stdio::null(), PATIENCE).ends(0);
    let ran = ran
        .says("\u{1b}[32mRUNNING\u{1b}[0m")
        .says("\u{1b}[31m1 failed")
        .says("…");
    for line in ran.out.lines() {
        let mut plain = line.trim_end().to_owned();
        while let (Some(start), true) = (plain.find('\u{1b}'), plain.contains('m')) {
            let end = start + plain[start..].find('m').unwrap();
            plain.replace_range(start..=end, "");
        }
        assert!(plain.chars().count() <= 60, "{plain:?}");
    }
    let mut command = on_terminal(&server.url, "list");
    command.env("NO_COLOR", "1");
    let ran = run(command, Stdio::null(), PATIENCE)
        .ends(0)
        .says("RUNNING");
    assert!(!ran.out.contains('\u{1b}'), "{ran:?}");
}

#[test]
fn taking_something_away_is_asked_about_first() {
    let server = Fake::start(|_, _| json("204 No Content", ""));
    let ran = typed(on_terminal(&server.url, "delete orders users"), "n\n").ends(1);
    ran.says("delete orders, users? [y/N]")
        .says("nothing was changed");
    assert!(server.asked().is_empty());
    let ran = typed(on_terminal(&server.url, "delete orders"), "y\n").ends(0);
    ran.says("deleted orders");
    assert_eq!(server.asked()[0].line, "DELETE /connectors/orders HTTP/1.1");
}

#[test]
fn top_is_redrawn_until_it_is_ended_and_outlives_a_worker_that_is_not_well() {
    let server = Fake::start(
        |asked, number| match (asked.line.contains("/metrics"), number) {
            (true, _) => json(
                "404 Not Found",
                r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#,
            ),
            (false, 2) => json("500 Oops", r#"{"error_code":500,"message":"not now"}"#),
            (false, _) => json("200 OK", LIST),
        },
    );
    let dir = scratch_dir("ctl-top");
    let command = on_terminal(&server.url, "top --interval 1");
    let process = Process::spawn("top", command, dir.path());
    process.wait_for_line("orders", PATIENCE);
    process.wait_for_line("not now", PATIENCE);
    crate::common::wait_until("a third look", PATIENCE, || server.asked().len() >= 5);
    crate::common::wait_until("a third page", PATIENCE, || {
        process.stdout().matches("connectors: 1").count() >= 2
    });
    assert!(
        process.stdout().contains("\u{1b}[H"),
        "it is drawn in place"
    );
    assert!(process.try_wait().is_none(), "it goes on");
}
