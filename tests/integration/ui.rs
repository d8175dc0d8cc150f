//! The page under `/ui`, in a real browser against a worker with an embedded log.
//!
//! Pictures go to `target/ui-pictures`, for people to look at.

use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

use crate::common::browser::Browser;
use crate::common::lines::append_lines;
use crate::common::pipeline::{self, file_sink, file_source};
use crate::common::{PATIENCE, Properties, Ringmain, Standalone, http, scratch_dir, wait_until};

/// Widths of a desk and of a phone.
const DESK: (u32, u32) = (1280, 900);
const PHONE: (u32, u32) = (390, 844);

struct Scene {
    ringmain: Ringmain,
    browser: Browser,
    files: Standalone,
    _log: TempDir,
}

fn picture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/ui-pictures")
        .join(format!("{name}.png"))
}

impl Scene {
    /// A worker with a running pipeline; `None` without a browser.
    fn start() -> Option<Self> {
        let browser = Browser::start()?;
        let log = scratch_dir("ui-log");
        let bootstrap = format!("embedded:{}", log.path().display());
        let files = Standalone::new(&pipeline::worker(&bootstrap), &[]);
        let (input, output) = (files.dir().join("in.txt"), files.dir().join("out.txt"));
        append_lines(&input, 0..2_000);
        let files = files.with_connectors(&[
            file_source("lines-in", &input, "lines"),
            file_sink("lines-out", &output, "lines"),
        ]);
        let ringmain = files.start();
        let mut scene = Self {
            ringmain,
            browser,
            files,
            _log: log,
        };
        scene.browser.resize(DESK.0, DESK.1);
        Some(scene)
    }

    fn open(&mut self, place: &str, ready: &str) {
        let url = self.ringmain.url(&format!("/ui#/{place}"));
        self.browser.open(&url, ready);
    }

    fn says(&mut self, text: &str) {
        let expression = format!("document.body.innerText.includes({})", json!(text));
        self.browser.wait_for(&expression);
    }

    fn state(&self, connector: &str) -> String {
        let status = self.ringmain.status(connector);
        status["connector"]["state"].as_str().unwrap().to_owned()
    }

    fn create(&self, connector: &Properties) {
        let name = connector.get("name").unwrap();
        let config: serde_json::Map<String, serde_json::Value> = connector
            .iter()
            .map(|(key, value)| (key.to_owned(), value.into()))
            .collect();
        let body = json!({"name": name, "config": config});
        let answer = http::request("POST", &self.ringmain.url("/connectors"), Some(&body));
        assert_eq!(answer.status, 201, "{}", answer.body);
    }

    /// Nothing is wider than the window, in either width and in both schemes of colours.
    fn look(&mut self, name: &str) {
        for (width, (wide, high)) in [("desk", DESK), ("phone", PHONE)] {
            self.browser.resize(wide, high);
            for scheme in ["light", "dark"] {
                self.browser.prefer(scheme);
                let over = "document.documentElement.scrollWidth - window.innerWidth";
                let over = self.browser.eval(over);
                assert!(
                    over.as_i64().unwrap() <= 0,
                    "{name}, {width}: {over} px too wide"
                );
                self.browser
                    .screenshot(&picture(&format!("{name}-{width}-{scheme}")));
            }
        }
        self.browser.resize(DESK.0, DESK.1);
        self.browser.prefer("light");
    }

    fn assert_no_complaints(&mut self) {
        assert_eq!(self.browser.complaints(), Vec::<String>::new());
    }
}

#[test]
fn the_page_shows_connectors_and_tasks_and_stops_and_resumes_them() {
    let Some(mut scene) = Scene::start() else {
        return;
    };
    scene.open("", "document.querySelectorAll('tbody tr').length === 2");
    scene.says("lines-in");
    scene.says("1 of 1");
    scene.look("list");
    scene.open(
        "connectors/lines-out",
        "document.getElementById('act-Pause')",
    );
    scene.says("RUNNING");
    scene.look("connector");
    scene.browser.click("Pause");
    scene.says("PAUSED");
    wait_until("the pause", PATIENCE, || {
        scene.state("lines-out") == "PAUSED"
    });
    scene.browser.click("Resume");
    scene.says("RUNNING");
    scene.browser.click("Stop");
    scene.says("No tasks are there.");
    assert_eq!(scene.state("lines-out"), "STOPPED");
    scene.browser.click("Delete");
    scene.says("Its offsets stay");
    scene.browser.click("Cancel");
    assert_eq!(scene.state("lines-out"), "STOPPED");
    scene.browser.click("Delete");
    scene
        .browser
        .eval("document.querySelector('dialog .danger').click()");
    scene
        .browser
        .wait_for("document.querySelectorAll('tbody tr').length === 1");
    scene.assert_no_complaints();
}

#[test]
fn a_connector_is_made_with_the_form_which_the_worker_checks_meanwhile() {
    let Some(mut scene) = Scene::start() else {
        return;
    };
    scene.open("new", "document.getElementById('field-connector.class')");
    scene.says("Choose a connector class.");
    scene.browser.type_into("field-name", "by-hand");
    // The form is made anew while one types; the caret stays where it was.
    scene
        .browser
        .type_into("field-connector.class", "FileStream");
    scene.says("Failed to find any class that implements Connector");
    scene.browser.type_into("field-connector.class", "Sink");
    scene.says("Must configure one of topics or topics.regex");
    assert_eq!(
        scene
            .browser
            .eval("document.getElementById('save').disabled"),
        true
    );
    scene.look("editor-wrong");
    scene.browser.type_into("field-topics", "lines");
    scene
        .browser
        .wait_for("document.getElementById('verdict')?.textContent === 'Valid'");
    scene.browser.type_into("new-key", "file");
    scene
        .browser
        .eval("document.getElementById('add-key')?.click()");
    let file = scene.files.dir().join("by-hand.txt");
    scene
        .browser
        .type_into("field-file", &file.display().to_string());
    scene
        .browser
        .wait_for("document.getElementById('verdict')?.textContent === 'Valid'");
    scene.look("editor");
    scene.browser.click("Create");
    // The form stays in view until the connector's own page is there.
    scene
        .browser
        .wait_for("document.getElementById('act-Pause')");
    assert_eq!(scene.browser.eval("location.hash"), "#/connectors/by-hand");
    wait_until("the sink's lines", PATIENCE, || {
        std::fs::read_to_string(&file).is_ok_and(|text| text.lines().count() == 2_000)
    });
    // Keys that nobody has set are shown when they are asked for.
    scene.open(
        "connectors/by-hand/config",
        "document.getElementById('only-set')",
    );
    scene
        .browser
        .eval("document.getElementById('only-set').click()");
    scene.browser.type_into("field-tasks.max", "0");
    scene.says("Value must be at least 1");
    scene
        .browser
        .eval("document.getElementById('as-text').click()");
    scene
        .browser
        .wait_for("document.getElementById('config-text').value.includes('tasks.max=0')");
    scene.assert_no_complaints();
}

#[test]
fn what_a_connector_would_do_is_shown_record_by_record() {
    let Some(mut scene) = Scene::start() else {
        return;
    };
    scene.open(
        "connectors/lines-out/preview",
        "document.getElementById('look')",
    );
    scene.browser.click("Look");
    scene
        .browser
        .wait_for("document.querySelectorAll('details').length === 10");
    scene
        .browser
        .eval("document.querySelector('details summary').click()");
    scene.says("Converted");
    scene.look("preview");
    scene.assert_no_complaints();
}

#[test]
fn a_failed_task_shows_its_trace_and_hostile_texts_stay_texts() {
    let Some(mut scene) = Scene::start() else {
        return;
    };
    let hostile = "<img src=x onerror=alert(1)>";
    let missing = scene.files.dir().join("no/such/dir/<b>out.txt");
    scene.create(&file_sink(hostile, &missing, "lines"));
    scene
        .ringmain
        .wait_until_failed("%3Cimg%20src=x%20onerror=alert(1)%3E");
    scene.open("", "document.querySelectorAll('tbody tr').length === 3");
    scene.says(hostile);
    // What failed stands first.
    let first = scene
        .browser
        .eval("document.querySelector('tbody a').textContent");
    assert_eq!(first, hostile);
    scene.browser.click(hostile);
    scene.says("FAILED");
    scene
        .browser
        .wait_for("document.querySelector('details[id^=trace] summary')");
    scene
        .browser
        .eval("document.querySelector('details[id^=trace] summary').click()");
    scene.says("no/such/dir");
    scene.look("failed");
    assert_eq!(
        scene
            .browser
            .eval("document.querySelectorAll('main img, main b').length"),
        0
    );
    scene.assert_no_complaints();
}

#[test]
fn the_page_is_used_by_keyboard_and_says_when_the_worker_is_gone() {
    let Some(mut scene) = Scene::start() else {
        return;
    };
    scene.open("", "document.querySelectorAll('tbody tr').length === 2");
    scene.browser.press("/");
    scene
        .browser
        .wait_for("document.activeElement.id === 'filter'");
    scene.browser.type_into("filter", "lines-o");
    scene
        .browser
        .wait_for("document.querySelectorAll('tbody tr').length === 1");
    for _ in 0..10 {
        scene.browser.press("Tab");
        if scene.browser.eval("document.activeElement.id") == "row-lines-out" {
            break;
        }
    }
    scene.browser.press("Enter");
    scene
        .browser
        .wait_for("location.hash === '#/connectors/lines-out'");
    scene.open("worker", "document.querySelector('dl.facts')");
    scene.says("Plugins");
    scene.look("worker");
    scene.assert_no_complaints();
    scene.ringmain.stop_cleanly();
    scene.says("The worker can't be reached.");
}
