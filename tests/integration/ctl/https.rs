//! A worker that speaks HTTPS and asks who is there.

use std::process::Stdio;

use serde_json::json;

use super::{Ran, arg, command, run};
use crate::common::{PATIENCE, Properties, pipeline};
use crate::rest_tls::guarded::{GuardedWorker, basic_auth};

trait Ctl {
    fn ctl(&self, args: &[&str]) -> Ran;

    /// With variables in its environment.
    fn ctl_with(&self, variables: &[(&str, &str)], args: &[&str]) -> Ran;
}

impl Ctl for GuardedWorker {
    fn ctl(&self, args: &[&str]) -> Ran {
        self.ctl_with(&[], args)
    }

    fn ctl_with(&self, variables: &[(&str, &str)], args: &[&str]) -> Ran {
        let mut command = command(&[&["--url", &self.url], args].concat());
        command.envs(variables.iter().copied());
        run(command, Stdio::null(), PATIENCE)
    }
}

#[test]
fn connectors_are_managed_over_https_with_a_password() {
    let Some(worker) = GuardedWorker::start(&basic_auth(), "ali=open sesame\n") else {
        return;
    };
    let authority = worker.made.path("ca.crt");
    let password = worker.file("password", "open sesame\n");
    let input = worker.file("in.txt", "one\ntwo\n");
    let source = pipeline::file_source("ctl-https", &input, "ctl-https");
    let source = source.write(&worker.dir().join("source.properties"));
    let known = ["--ca", arg(&authority), "--user", "ali", "--password-file"];
    let managed = |args: &[&str]| {
        let ran = worker.ctl(&[&known[..], &[arg(&password)], args].concat());
        assert_eq!(ran.err, "", "{args:?}");
        ran.ends(0)
    };
    managed(&["validate", arg(&source)]).says("ctl-https is valid");
    managed(&["apply", arg(&source)]).says("ctl-https created");
    managed(&["wait", "ctl-https"]).says("is running");
    managed(&["list"]).says("ctl-https");
    managed(&["restart", "--include-tasks", "ctl-https"]).says("restarted");
    managed(&["wait", "ctl-https"]);
    managed(&["stop", "ctl-https"]).says("stopped");
    managed(&["wait", "--for", "stopped", "ctl-https"]);
    managed(&["offsets", "show", "ctl-https"]).says(r#"{"position":8}"#);
    managed(&["delete", "--yes", "ctl-https"]).says("deleted");
    let info = managed(&["--json", "info"]).json();
    assert_eq!(info["url"], worker.url.as_str());

    // The same by the environment.
    let variables = [
        ("RINGMAIN_CA", arg(&authority)),
        ("RINGMAIN_USER", "ali"),
        ("RINGMAIN_PASSWORD", "open sesame"),
    ];
    let listed = worker.ctl_with(&variables, &["--json", "list"]).ends(0);
    assert_eq!(listed.json(), json!([]));
    worker.ringmain.stop_cleanly();
}

#[test]
fn who_is_not_known_is_told_what_to_say() {
    let Some(worker) = GuardedWorker::start(&basic_auth(), "ali=open sesame\n") else {
        return;
    };
    let authority = worker.made.path("ca.crt");
    let trusting = ["--ca", arg(&authority)];
    let nobody = worker.ctl(&[&trusting[..], &["list"]].concat()).ends(1);
    nobody.complains("401").complains("--user");
    let wrong = worker.file("wrong", "shut sesame\n");
    let user = ["--user", "ali", "--password-file", arg(&wrong)];
    let refused = worker.ctl(&[&trusting[..], &user, &["--json", "list"]].concat());
    let error = refused.ends(1).error();
    assert_eq!(
        (&error["kind"], &error["status"]),
        (&json!("refused"), &json!(401))
    );
    assert!(!error.to_string().contains("shut sesame"), "{error}");
    worker.ringmain.stop_cleanly();
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_unless_told_otherwise() {
    let Some(worker) = GuardedWorker::start(&Properties::new(), "") else {
        return;
    };
    let stranger = worker.made.path("stranger.crt");
    for trusted in [&[][..], &["--ca", arg(&stranger)]] {
        let ran = worker.ctl(&[trusted, &["list"]].concat()).ends(1);
        ran.complains("can't be reached")
            .complains("certificate")
            .complains("--ca FILE.pem");
        let ran = worker.ctl(&[trusted, &["--json", "list"]].concat()).ends(1);
        assert_eq!(ran.error()["kind"], "unreachable", "{trusted:?}");
    }
    let ran = worker.ctl(&["--insecure", "--json", "list"]).ends(0);
    assert_eq!(ran.json(), json!([]));
    ran.complains("--insecure: certificates are not checked");
    // Without TLS nobody answers at that port.
    let plain = worker.url.replace("https://", "http://");
    let command = command(&["--url", &plain, "list"]);
    run(command, Stdio::null(), PATIENCE)
        .ends(1)
        .complains("https");
    worker.ringmain.stop_cleanly();
}

#[test]
fn a_certificate_of_its_own_is_shown_where_the_worker_asks_for_one() {
    let settings = Properties::new()
        .set("listeners.https.ssl.truststore.type", "PEM")
        .set("listeners.https.ssl.truststore.location", "AUTHORITY")
        .set("listeners.https.ssl.client.auth", "required");
    let Some(worker) = GuardedWorker::start(&settings, "") else {
        return;
    };
    let path = |name: &str| worker.made.path(name).display().to_string();
    let as_client = |name: &str| {
        let (ca, cert, key) = (
            path("ca.crt"),
            path(&format!("{name}.crt")),
            path(&format!("{name}.key")),
        );
        worker.ctl(&[
            "--ca", &ca, "--cert", &cert, "--key", &key, "--json", "list",
        ])
    };
    assert_eq!(as_client("client").ends(0).json(), json!([]));
    as_client("imposter").ends(1).complains("can't be reached");
    worker
        .ctl(&["--ca", &path("ca.crt"), "list"])
        .ends(1)
        .complains("can't be reached")
        .complains("--cert");
    worker.ringmain.stop_cleanly();
}
