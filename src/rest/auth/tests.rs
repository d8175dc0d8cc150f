use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

/// `user:secret` in base64.
const USER: &str = "Basic dXNlcjpzZWNyZXQ=";
const TOKEN: &str = "0123456789abcdef-one";

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A JAAS file over these credentials.
    fn jaas(&self, credentials: &str) -> PathBuf {
        let users = self.write("users.properties", credentials);
        let text = format!(
            "KafkaConnect {{ org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule \
             required file=\"{}\"; }};",
            users.display()
        );
        self.write("jaas.conf", &text)
    }
}

fn config(jaas: Option<PathBuf>, tokens: Option<PathBuf>) -> RestConfig {
    RestConfig {
        basic_auth: jaas.is_some(),
        jaas_file: jaas,
        bearer_token_file: tokens,
        ..crate::rest::tests::rest_config()
    }
}

fn status(guard: &Guard, header: Option<&str>) -> u16 {
    let header = header.map(|value| Authorization::new(value.to_owned()));
    let path = ["connectors".to_owned()];
    let refusal = guard.refusal(header.as_ref(), "GET", &path);
    refusal.map_or(200, |response| response.status)
}

#[test]
fn without_settings_everybody_is_let_in() {
    let guard = Guard::load(
        &config(None, None),
        Some("-Djava.security.auth.login.config=/no"),
    )
    .unwrap();
    assert_eq!(status(&guard, None), 200);
    assert_eq!(status(&guard, Some("nonsense")), 200);
}

#[test]
fn basic_auth_lets_those_in_whom_the_file_knows() {
    let files = Files::new();
    let jaas = files.jaas("user=secret\nother:p\\u00e4ss w\n");
    let guard = Guard::load(&config(Some(jaas), None), None).unwrap();
    for (header, expected) in [
        (None, 401),
        (Some(USER), 200),
        (Some("bAsIc dXNlcjpzZWNyZXQ"), 200),
        // other:päss w
        (Some("Basic b3RoZXI6cMOkc3Mgdw=="), 200),
        // user:secre, user:secrets, use:secret, user:, :secret, user
        (Some("Basic dXNlcjpzZWNyZQ=="), 401),
        (Some("Basic dXNlcjpzZWNyZXRz"), 401),
        (Some("Basic dXNlOnNlY3JldA=="), 401),
        (Some("Basic dXNlcjo="), 401),
        (Some("Basic OnNlY3JldA=="), 401),
        (Some("Basic dXNlcg=="), 401),
        (Some("Basic"), 401),
        (Some(" Basic dXNlcjpzZWNyZXQ="), 401),
        (Some("Bearer dXNlcjpzZWNyZXQ="), 401),
        (Some("Basic !!!!"), 500),
        (Some("Basic  dXNlcjpzZWNyZXQ="), 500),
    ] {
        assert_eq!(status(&guard, header), expected, "{header:?}");
    }
    let refused = guard.refusal(None, "GET", &[]).unwrap();
    assert_eq!(refused.body, REFUSAL.as_bytes());
    assert!(refused.headers.is_empty(), "{refused:?}");
}

#[test]
fn an_empty_file_lets_everybody_in() {
    let files = Files::new();
    let jaas = files.jaas("# nobody\n");
    let guard = Guard::load(&config(Some(jaas), None), None).unwrap();
    assert_eq!(status(&guard, None), 200);
    assert_eq!(status(&guard, Some("Basic dXNlcg==")), 200);
    assert_eq!(status(&guard, Some("Basic !!!!")), 500);
}

#[test]
fn calls_between_workers_are_let_through() {
    let files = Files::new();
    let jaas = files.jaas("user=secret");
    let guard = Guard::load(&config(Some(jaas), None), None).unwrap();
    let refused = |method: &str, path: &str| {
        let path: Vec<String> = path.split('/').map(str::to_owned).collect();
        guard.refusal(None, method, &path).is_some()
    };
    assert!(!refused("POST", "connectors/x/tasks"));
    assert!(!refused("PUT", "connectors/x/fence"));
    for (method, path) in [
        ("GET", "connectors/x/tasks"),
        ("PUT", "connectors/x/tasks"),
        ("POST", "connectors/x/fence"),
        ("POST", "connectors/x/tasks/0"),
        ("POST", "connectors/tasks"),
        ("POST", "connectors"),
    ] {
        assert!(refused(method, path), "{method} {path}");
    }
}

#[test]
fn tokens_open_alone_and_beside_basic_auth() {
    let files = Files::new();
    let tokens = files.write(
        "tokens",
        &format!("# for the pipeline\n\n{TOKEN}\n0123456789abcdef-two\n"),
    );
    let alone = Guard::load(&config(None, Some(tokens.clone())), None).unwrap();
    let bearer = format!("Bearer {TOKEN}");
    let lower = format!("bearer  {TOKEN} ");
    let longer = format!("{bearer}x");
    for (header, expected) in [
        (None, 401),
        (Some(bearer.as_str()), 200),
        (Some(&lower), 200),
        (Some("Bearer 0123456789abcdef-two"), 200),
        (Some(&longer), 401),
        (Some("Bearer 0123456789abcdef"), 401),
        (Some("Bearer"), 401),
        (Some("Bearer "), 401),
        (Some(USER), 401),
        (Some("Basic !!!!"), 401),
    ] {
        assert_eq!(status(&alone, header), expected, "{header:?}");
    }
    let refused = alone.refusal(None, "GET", &[]).unwrap();
    assert_eq!(
        refused.headers,
        [("WWW-Authenticate".into(), "Bearer".to_owned())]
    );

    let jaas = files.jaas("user=secret");
    let both = Guard::load(&config(Some(jaas), Some(tokens)), None).unwrap();
    assert_eq!(status(&both, Some(&bearer)), 200);
    assert_eq!(status(&both, Some(USER)), 200);
    assert_eq!(status(&both, Some(&longer)), 401);
    assert_eq!(status(&both, None), 401);
}

#[test]
fn what_keeps_a_guard_from_its_work_ends_the_start_and_shows_no_secret() {
    let files = Files::new();
    let error = |config: &RestConfig, options: Option<&str>| {
        Guard::load(config, options).unwrap_err().to_string()
    };
    let mut none = config(None, None);
    none.basic_auth = true;
    let text = error(&none, None);
    assert!(
        text.contains("rest.extension.classes: BasicAuth needs a JAAS file"),
        "{text}"
    );
    let text = error(
        &none,
        Some("-Djava.security.auth.login.config=/nowhere/jaas.conf"),
    );
    assert!(
        text.contains("java.security.auth.login.config: /nowhere/jaas.conf: "),
        "{text}"
    );
    let missing = files.write(
        "missing.conf",
        "KafkaConnect { org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule \
         required file=\"/nowhere/users\"; };",
    );
    let text = error(&config(Some(missing), None), None);
    assert!(
        text.contains("rest.basic.auth.jaas.file: ") && text.contains("/nowhere/users"),
        "{text}"
    );
    for (tokens, expected) in [
        ("", "has no token"),
        ("# only this\n", "has no token"),
        ("hunter2", "line 1: a token has at least 16 characters"),
        (
            "0123456789abcdef\nhunter2 hunter2 hunter2",
            "line 2: a token has letters",
        ),
    ] {
        let file = files.write("bad-tokens", tokens);
        let text = error(&config(None, Some(file)), None);
        assert!(
            text.contains("rest.bearer.token.file: ") && text.contains(expected),
            "{text}"
        );
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn nothing_of_a_guard_shows_what_it_knows() {
    let files = Files::new();
    let (jaas, tokens) = (files.jaas("user=hunter2"), files.write("tokens", TOKEN));
    let guard = Guard::load(&config(Some(jaas), Some(tokens)), None).unwrap();
    let shown = format!("{guard:?} {:?}", Authorization::new(USER.to_owned()));
    assert!(
        !shown.contains("hunter2") && !shown.contains(TOKEN),
        "{shown}"
    );
    assert!(!shown.contains("dXNlcjpzZWNyZXQ"), "{shown}");
}
