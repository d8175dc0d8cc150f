//! Who may use the REST API, beside Apache's worker: BasicAuth, CORS, extra headers, admin listeners.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::ringmain::Standalone;
use crate::common::{
    ConnectOracle, Kafka, PATIENCE, Properties, Ringmain, free_port, http, kafka, scratch_dir,
    wait_until,
};

pub(crate) const EXTENSION: &str =
    "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension";
/// `user:secret`.
const RIGHT: &str = "Basic dXNlcjpzZWNyZXQ=";

/// A JAAS file over these credentials.
pub(crate) fn jaas(dir: &Path, credentials: &str) -> PathBuf {
    let users = dir.join("users.properties");
    fs::write(&users, credentials).unwrap();
    let file = dir.join("jaas.conf");
    let text = format!(
        "KafkaConnect {{\n  org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule \
         required\n  file=\"{}\";\n}};\n",
        users.display()
    );
    fs::write(&file, text).unwrap();
    file
}

fn worker(kafka: &Kafka) -> Properties {
    let string = "org.apache.kafka.connect.storage.StringConverter";
    Properties::new()
        .set("bootstrap.servers", kafka.shared_cluster().bootstrap())
        .set("key.converter", string)
        .set("value.converter", string)
}

/// Both workers with the same settings, told of a JAAS file in the same way.
struct Both {
    apache: ConnectOracle,
    ringmain: Ringmain,
    /// Ports of the admin listeners.
    admin: [u16; 2],
    _files: Standalone,
}

impl Both {
    fn start(kafka: &Kafka, settings: &Properties, jaas: &Path) -> Self {
        let mut workers = [worker(kafka), worker(kafka)];
        let admin = [free_port(), free_port()];
        for (worker, port) in workers.iter_mut().zip(admin) {
            for (key, value) in settings.iter() {
                *worker = worker
                    .clone()
                    .set(key, value.replace("ADMIN", &port.to_string()));
            }
        }
        let option = format!("-Djava.security.auth.login.config={}", jaas.display());
        let jar = testbed::fetch_basic_auth_extension().unwrap();
        let mut java = kafka.java_with(testbed::Jvm::Small(256), "INFO", &[jar]);
        java.arg(&option);
        let [of_apache, of_ringmain] = workers;
        let apache = ConnectOracle::start_as(java, kafka, &of_apache, &[]);
        let files = Standalone::new(&of_ringmain, &[]);
        let ringmain = files.launch_with(|command| command.env("KAFKA_OPTS", &option));
        for url in [apache.url("/health"), ringmain.url("/health")] {
            wait_until("a worker that is ready", PATIENCE, || {
                let answer = http::try_with("GET", &url, &[("authorization", RIGHT)], None);
                answer.is_ok_and(|answer| answer.status == 200)
            });
        }
        Self {
            apache,
            ringmain,
            admin,
            _files: files,
        }
    }

    /// What both answer, compared in status, the body and these headers.
    fn same(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        compared: &[&str],
    ) -> http::Answer {
        let urls = [self.apache.url(path), self.ringmain.url(path)];
        let [apache, ringmain] =
            urls.map(|url| http::try_with(method, &url, headers, None).unwrap());
        let what = format!("{method} {path} {headers:?}");
        alike(&what, &apache, &ringmain, compared);
        apache
    }

    /// As [`Both::same`], of the admin listeners; without comparing bodies.
    fn admin_status(&self, path: &str, headers: &[(&str, &str)]) -> [u16; 2] {
        self.admin.map(|port| {
            let url = format!("http://127.0.0.1:{port}{path}");
            http::try_with("OPTIONS", &url, headers, None)
                .unwrap()
                .status
        })
    }
}

fn alike(what: &str, apache: &http::Answer, ringmain: &http::Answer, compared: &[&str]) {
    assert_eq!(
        ringmain.status, apache.status,
        "{what}: ours, then Apache's: {ringmain:?} {apache:?}"
    );
    let body = |answer: &http::Answer| match answer.body.contains("ringmain_version") {
        true => String::new(),
        false => answer.body.clone(),
    };
    if !body(ringmain).is_empty() {
        assert_eq!(ringmain.body, apache.body, "{what}: ours, then Apache's");
    }
    for header in compared {
        assert_eq!(
            sorted(ringmain.header(header)),
            sorted(apache.header(header)),
            "{what}: {header}, ours, then Apache's: {ringmain:?} {apache:?}"
        );
    }
}

/// Java's sets of methods have no order.
fn sorted(list: Option<&str>) -> Option<Vec<&str>> {
    list.map(|list| {
        let mut parts: Vec<&str> = list.split(',').map(str::trim).collect();
        parts.sort_unstable();
        parts
    })
}

const CORS: [&str; 7] = [
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-max-age",
    "access-control-expose-headers",
    "vary",
];

#[test]
fn credentials_are_asked_for_and_judged_as_apaches_extension_does() {
    let Some(kafka) = kafka() else { return };
    let dir = scratch_dir("basic-auth");
    let jaas = jaas(dir.path(), "user=secret\nother=a:b c\nempty=\n");
    let settings = Properties::new()
        .set("rest.extension.classes", EXTENSION)
        .set("admin.listeners", "http://127.0.0.1:ADMIN");
    let both = Both::start(kafka, &settings, &jaas);
    let compared = ["content-type", "www-authenticate"];
    for (header, status) in [
        (None, 401),
        (Some(RIGHT), 200),
        (Some("basic dXNlcjpzZWNyZXQ"), 200),
        (Some("BASIC b3RoZXI6YTpiIGM="), 200),
        (Some("Basic ZW1wdHk6"), 200),
        (Some("Basic dXNlcjpzZWNyZXRz"), 401),
        (Some("Basic dXNlcjo="), 401),
        (Some("Basic bm9ib2R5OnNlY3JldA=="), 401),
        (Some("Basic dXNlcg=="), 401),
        (Some("Basic OnNlY3JldA=="), 401),
        (Some("Basic"), 401),
        (Some("Bearer dXNlcjpzZWNyZXQ="), 401),
        (Some("Digest username=user"), 401),
        (Some("Basic !!!!"), 500),
        (Some("Basic a"), 500),
        (Some("Basic YQ="), 500),
        (Some("Basic YQ==YQ=="), 500),
        (Some("Basic YWJjY"), 500),
        (Some("Basic  dXNlcjpzZWNyZXQ="), 500),
    ] {
        let headers: Vec<_> = header
            .map(|value| ("authorization", value))
            .into_iter()
            .collect();
        for path in ["/connectors", "/health"] {
            let answer = both.same("GET", path, &headers, &compared);
            assert_eq!(answer.status, status, "{header:?}");
        }
    }
    // What would not be answered does not ask; everything else does.
    for (method, path, status) in [
        ("GET", "/nope", 404),
        ("DELETE", "/connectors", 405),
        ("GET", "/", 401),
        ("HEAD", "/connectors", 401),
        ("OPTIONS", "/connectors", 401),
        ("DELETE", "/connectors/x", 401),
        ("PUT", "/connectors/x/pause", 401),
        ("GET", "/connector-plugins", 401),
    ] {
        let answer = both.same(method, path, &[], &["www-authenticate"]);
        assert_eq!(answer.status, status, "{method} {path}");
    }
    // Apache's extension leaves the admin listeners alone; ours guards them as well.
    assert_eq!(both.admin_status("/admin/loggers", &[]), [200, 401]);
    let right = [("authorization", RIGHT)];
    assert_eq!(both.admin_status("/admin/loggers", &right), [200, 200]);
    let text = both.ringmain.process().output();
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn an_empty_credential_file_lets_everybody_in_as_apaches_does() {
    let Some(kafka) = kafka() else { return };
    let dir = scratch_dir("basic-auth-empty");
    let jaas = jaas(dir.path(), "# nobody yet\n");
    let settings = Properties::new()
        .set("rest.extension.classes", EXTENSION)
        .set("access.control.allow.origin", "http://a.example,https://.*\\\\.example\\\\.org")
        .set("access.control.allow.methods", "GET,PUT,OPTIONS")
        .set(
            "response.http.headers.config",
            "set X-Frame-Options: DENY, \"add Cache-Control: no-cache, no-store\",  addDate  Expires: 0",
        )
        .set("admin.listeners", "http://127.0.0.1:ADMIN");
    let both = Both::start(kafka, &settings, &jaas);
    for header in [None, Some("Basic dXNlcjpub3RoaW5n"), Some("Basic dXNlcg==")] {
        let headers: Vec<_> = header
            .map(|value| ("authorization", value))
            .into_iter()
            .collect();
        assert_eq!(both.same("GET", "/connectors", &headers, &[]).status, 200);
    }
    let malformed = [("authorization", "Basic !!!!")];
    assert_eq!(both.same("GET", "/connectors", &malformed, &[]).status, 500);
    let preflight = ("access-control-request-method", "PUT");
    for origin in [
        "http://a.example",
        "http://axexample",
        "https://b.example.org",
        "https://b.example.org.evil.net",
        "http://b.example.org",
        "null",
        "HTTP://A.EXAMPLE",
        "http://x http://a.example",
    ] {
        let origin = ("origin", origin);
        both.same("GET", "/connectors", &[origin], &CORS);
        both.same("GET", "/nope", &[origin], &CORS);
        both.same("OPTIONS", "/connectors", &[origin], &CORS);
        both.same("OPTIONS", "/connectors", &[origin, preflight], &CORS);
    }
    both.same("GET", "/connectors", &[], &CORS);
    for path in ["/connectors", "/nope", "/connectors/x"] {
        let answer = both.same("GET", path, &[], &["x-frame-options", "cache-control"]);
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        let expires = http::get(&both.ringmain.url(path));
        assert_eq!(
            expires.header("expires").map(str::len),
            answer.header("expires").map(str::len)
        );
    }
    // The admin paths are on their own listeners, alone and without what the others add.
    for path in ["/admin/loggers", "/admin/loggers/root"] {
        assert_eq!(both.same("OPTIONS", path, &[], &[]).status, 404, "{path}");
        assert_eq!(both.admin_status(path, &[]), [200, 200], "{path}");
    }
    for path in ["/", "/connectors", "/health", "/nope"] {
        assert_eq!(both.admin_status(path, &[]), [404, 404], "{path}");
    }
    let headers = [("origin", "http://a.example")];
    let answers = both.admin.map(|port| {
        let url = format!("http://127.0.0.1:{port}/admin/loggers");
        http::try_with("OPTIONS", &url, &headers, None).unwrap()
    });
    alike(
        "OPTIONS of the admin listener",
        &answers[0],
        &answers[1],
        &CORS,
    );
    for answer in answers {
        assert_eq!(answer.header("x-frame-options"), None, "{answer:?}");
    }
}

#[test]
fn bearer_tokens_open_the_api_without_java() {
    let dir = scratch_dir("bearer");
    let tokens = dir.path().join("tokens");
    fs::write(&tokens, "# one a line\n0123456789abcdef-one\n").unwrap();
    let string = "org.apache.kafka.connect.storage.StringConverter";
    let worker = Properties::new()
        .set(
            "bootstrap.servers",
            format!("embedded:{}", dir.path().join("log").display()),
        )
        .set("key.converter", string)
        .set("value.converter", string)
        .set("rest.bearer.token.file", tokens.display());
    let files = Standalone::new(&worker, &[]);
    let ringmain = files.launch_with(|command| command.env("RINGMAIN_LOG", "debug"));
    let ask = |header: Option<&str>| {
        let headers: Vec<_> = header
            .map(|value| ("authorization", value))
            .into_iter()
            .collect();
        http::try_with("GET", &ringmain.url("/connectors"), &headers, None)
    };
    wait_until("ringmain's REST interface", PATIENCE, || ask(None).is_ok());
    let refused = ask(None).unwrap();
    assert_eq!(
        (refused.status, refused.header("www-authenticate")),
        (401, Some("Bearer"))
    );
    assert_eq!(ask(Some("Bearer 0123456789abcdef-one")).unwrap().body, "[]");
    assert_eq!(
        ask(Some("Bearer 0123456789abcdef-two")).unwrap().status,
        401
    );
    let log = ringmain.process().output();
    assert!(!log.contains("0123456789abcdef"), "{log}");
    ringmain.stop_cleanly();
}
