//! A real Chromium without a window, spoken to in its DevTools protocol over a pair of pipes.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{PATIENCE, scratch_dir, wait_until};

/// Names of the program, Debian's first.
const PROGRAMS: &[&str] = &["chromium", "chromium-headless-shell", "google-chrome"];
/// Longest time that an expression may take, in milliseconds.
const ANSWER_LIMIT_MS: u32 = 60_000;

/// A browser with one page; killed when dropped.
#[derive(Debug)]
pub(crate) struct Browser {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    session: String,
    last_id: u64,
    /// What went wrong in the page: exceptions, blocked resources, errors in the console.
    complaints: Vec<String>,
    _profile: TempDir,
}

/// The browser's program. Installs Debian's when there is none and the machine lets us; `None`, said on
/// standard error, where that can't be done.
fn program() -> Option<&'static str> {
    let find = || {
        PROGRAMS.iter().copied().find(|program| {
            let version = Command::new(program).arg("--version").output();
            version.is_ok_and(|output| output.status.success())
        })
    };
    find().or_else(|| {
        let install =
            "apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium";
        let limited = Command::new("timeout")
            .args(["300", "sh", "-c", install])
            .output();
        let found = find();
        if found.is_none() {
            eprintln!("no Chromium here, and none could be installed: {limited:?}");
        }
        found
    })
}

impl Browser {
    /// `None` where there is no Chromium and none can be had.
    pub(crate) fn start() -> Option<Self> {
        let program = program()?;
        let profile = scratch_dir("browser");
        // Chromium reads requests from descriptor 3 and answers on 4.
        let script = format!(
            "exec {program} --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage \
             --no-first-run --user-data-dir='{}' --remote-debugging-pipe about:blank \
             3<&0 4>&1 </dev/null >/dev/null",
            profile.path().display()
        );
        let mut child = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let requests = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut browser = Self {
            child,
            requests,
            answers,
            session: String::new(),
            last_id: 0,
            complaints: Vec::new(),
            _profile: profile,
        };
        browser.attach();
        Some(browser)
    }

    fn attach(&mut self) {
        let target = self.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = self.call("Target.attachToTarget", attach);
        self.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
    }

    /// A command of the protocol, and its result.
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let mut message = json!({"id": self.last_id, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.requests.write_all(&bytes).unwrap();
        loop {
            let answer = self.read();
            if answer["id"] == self.last_id {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.hear(&answer);
        }
    }

    fn read(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.answers.read_until(0, &mut bytes).unwrap();
        assert_eq!(bytes.pop(), Some(0), "the browser ended");
        serde_json::from_slice(&bytes).unwrap()
    }

    fn hear(&mut self, event: &Value) {
        let params = &event["params"];
        let complaint = match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => Some(&params["exceptionDetails"]),
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => Some(&params["entry"]),
            _ => None,
        };
        // A resource that answers 4xx is what some pages ask for; the page says what it makes of it.
        let is_status = |text: &str| text.contains("the server responded with a status of");
        self.complaints.extend(
            complaint
                .map(Value::to_string)
                .filter(|text| !is_status(text)),
        );
    }

    /// Opens an address and waits until `ready` (an expression) holds.
    pub(crate) fn open(&mut self, url: &str, ready: &str) {
        self.call("Page.navigate", json!({"url": url}));
        self.wait_for(ready);
    }

    /// What an expression gives; a promise is waited for.
    ///
    /// # Panics
    /// When it throws.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let limited = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
            "timeout": ANSWER_LIMIT_MS,
        });
        let result = self.call("Runtime.evaluate", limited);
        let thrown = &result["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}: {thrown}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true in the page.
    pub(crate) fn wait_for(&mut self, expression: &str) {
        let text = |browser: &mut Self| browser.eval("document.body?.innerText ?? ''").to_string();
        let deadline = std::time::Instant::now() + PATIENCE;
        while self.eval(&format!("Boolean({expression})")) != true {
            assert!(
                std::time::Instant::now() < deadline,
                "waited in vain for {expression}; the page says {}",
                text(self)
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Types a text into a field as a person does: a key at a time, each heard by the page.
    pub(crate) fn type_into(&mut self, id: &str, text: &str) {
        self.wait_for(&format!("document.getElementById({})", json!(id)));
        self.eval(&format!("document.getElementById({}).focus()", json!(id)));
        self.call("Input.insertText", json!({"text": text}));
    }

    /// Presses a key that is no letter, such as `Tab` or `Enter`.
    pub(crate) fn press(&mut self, key: &str) {
        let text = match key {
            "Enter" => "\r",
            key if key.chars().count() == 1 => key,
            _ => "",
        };
        let code = match key {
            "Enter" => 13,
            "Tab" => 9,
            _ => 0,
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({"type": kind, "key": key, "windowsVirtualKeyCode": code});
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Clicks the button, link or the like that has this text.
    pub(crate) fn click(&mut self, text: &str) {
        let find = format!(
            "[...document.querySelectorAll('button, a, summary')].find((node) => \
             node.textContent.trim() === {} && !node.disabled)",
            json!(text)
        );
        self.wait_for(&find);
        self.eval(&format!("({find}).click()"));
    }

    /// The size of the window, in CSS pixels.
    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// `light` or `dark`.
    pub(crate) fn prefer(&mut self, scheme: &str) {
        let feature = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": feature}));
    }

    /// A picture of the window as PNG.
    pub(crate) fn screenshot(&mut self, path: &Path) {
        let picture = self.call("Page.captureScreenshot", json!({"format": "png"}));
        let bytes = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// What went wrong in the page so far.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // An answer comes after all that was said before it.
        self.eval("0");
        std::mem::take(&mut self.complaints)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().unwrap_or_default();
        wait_until("the end of the browser", PATIENCE, || {
            self.child.try_wait().is_ok_and(|status| status.is_some())
        });
    }
}
