//! Shell completion, through the scripts that are printed.

use std::process::{Command, Stdio};

use super::fake::{Fake, json};
use super::run;
use crate::common::PATIENCE;
use crate::common::ringmain::binary;

#[test]
fn every_shell_gets_a_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let mut command = Command::new(binary());
        command.args(["completions", shell]);
        run(command, Stdio::null(), PATIENCE)
            .ends(0)
            .says("RINGMAIN_COMPLETE");
    }
    let mut command = Command::new(binary());
    command.args(["completions", "cmd"]);
    run(command, Stdio::null(), PATIENCE)
        .ends(2)
        .complains("bash");
}

/// What bash offers for a line, by the script as a user has it.
fn bash(words: &[&str], url: &str) -> String {
    let line = words.join(" ");
    let last = words.len() - 1;
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let (binary, words) = (binary(), quoted.join(" "));
    let script = format!(
        "source <({binary} completions bash)\n\
         COMP_WORDS=({words}); COMP_CWORD={last}; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; COMP_TYPE=9\n\
         _clap_complete_ringmain ringmain \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    );
    let mut command = Command::new("bash");
    command.args(["-c", &script]).env("RINGMAIN_URL", url);
    run(command, Stdio::null(), PATIENCE).ends(0).out
}

#[test]
fn bash_completes_commands_options_and_names_of_connectors() {
    let server = Fake::start(|_, _| json("200 OK", r#"["orders-sink","orders-source","users"]"#));
    let offered = bash(&["ringmain", "ctl", "pa"], &server.url);
    assert_eq!(offered.trim(), "pause");
    let offered = bash(&["ringmain", "ctl", "apply", "--dry"], &server.url);
    assert_eq!(offered.trim(), "--dry-run");
    let offered = bash(&["ringmain", "ctl", "pause", "orders"], &server.url);
    let names: Vec<&str> = offered.split_whitespace().collect();
    assert_eq!(names, ["orders-sink", "orders-source"]);
    assert_eq!(server.asked()[0].line, "GET /connectors HTTP/1.1");
    // Nobody there: nothing is offered, and the shell is not held up.
    let offered = bash(
        &["ringmain", "ctl", "pause", "orders"],
        "http://127.0.0.1:1",
    );
    assert!(!offered.contains("orders"), "{offered}");
}
