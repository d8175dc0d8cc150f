use super::*;

fn config(pairs: &[(&str, Option<&str>)]) -> ConfigMap {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned)))
        .collect()
}

/// Undoes the escapes of the fixture; `<null>` is null.
fn unescape(text: &str) -> Option<String> {
    if text == "<null>" {
        return None;
    }
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let escaped = if c == '\\' {
            rest.next().unwrap()
        } else {
            '\0'
        };
        out.push(match (c, escaped) {
            ('\\', 't') => '\t',
            ('\\', 'n') => '\n',
            ('\\', 'u') => {
                let hex: String = rest.by_ref().take(4).collect();
                char::from_u32(u32::from_str_radix(&hex, 16).unwrap()).unwrap()
            }
            ('\\', other) => other,
            (other, _) => other,
        });
    }
    Some(out)
}

fn fixture_type(name: &str) -> ConfigType {
    match name {
        "BOOLEAN" => ConfigType::Boolean,
        "STRING" => ConfigType::String,
        "INT" => ConfigType::Int,
        "SHORT" => ConfigType::Short,
        "LONG" => ConfigType::Long,
        "DOUBLE" => ConfigType::Double,
        "LIST" => ConfigType::List,
        "CLASS" => ConfigType::Class,
        _ => ConfigType::Password,
    }
}

fn fixture_validator(name: &str, kind: ConfigType) -> Option<Validator> {
    match name {
        "none" | "class" => None,
        "atLeast1" => Some(Validator::at_least(1)),
        "between" if kind == ConfigType::Int => Some(Validator::between(1, 9)),
        "between" => Some(Validator::between(0.5, 1.0)),
        "in" => Some(Validator::one_of(["a", "b"])),
        "inci" => Some(Validator::one_of_ignore_case(["abc", "Def"])),
        "nonempty" => Some(Validator::non_empty_string()),
        "nonemptynoctrl" => Some(Validator::non_empty_without_controls()),
        "listin" => Some(Validator::list_of(true, ["a", "b"])),
        "listin_ne" => Some(Validator::list_of(false, ["a", "b"])),
        "anynd_tf" => Some(Validator::unique_list(true, false)),
        "anynd_ff" => Some(Validator::non_empty_list()),
        "anynd_ft" => Some(Validator::unique_list(false, true)),
        other => panic!("unknown validator {other}"),
    }
}

/// `kafka_4_3_1.tsv` holds what Kafka 4.3.1's own `ConfigDef` gave: validator, type, text, outcome of
/// `parse`, its value or message, then value and messages of `validate`.
#[test]
fn values_and_texts_are_those_of_kafka() {
    let mut rows = 0;
    for line in include_str!("kafka_4_3_1.tsv").lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [validator, kind, text, outcome, parsed, value, errors] = columns[..] else {
            panic!("bad row {line}");
        };
        let kind = fixture_type(kind);
        let mut key = ConfigKey::new("k", kind);
        key.validator = fixture_validator(validator, kind);
        let def = ConfigDef::new().define(key);
        let config: ConfigMap = [("k".to_owned(), unescape(text))].into_iter().collect();

        let ours = match def.parse(&config) {
            Ok(parsed) => ("ok", parsed.value("k").unwrap().map(ToString::to_string)),
            Err(problems) => ("err", Some(problems[0].message.clone())),
        };
        assert_eq!(ours, (outcome, unescape(parsed)), "parse of row: {line}");

        let answer = &def.validate(&config)[0];
        let ours = format!("[{}]", answer.errors.join(", "));
        assert_eq!(
            answer.value,
            unescape(value),
            "validated value of row: {line}"
        );
        assert_eq!(Some(ours), unescape(errors), "messages of row: {line}");
        rows += 1;
    }
    assert!(rows > 100, "the fixture has only {rows} rows");
}

fn sample() -> ConfigDef {
    ConfigDef::new()
        .define(ConfigKey::string("name").validator(Validator::non_empty_string()))
        .define(
            ConfigKey::int("tasks.max")
                .default(1)
                .validator(Validator::at_least(1))
                .importance(Importance::High)
                .doc("Tasks.")
                .group("Common", 4)
                .display("Tasks max")
                .width(Width::Short),
        )
        .define(ConfigKey::password("secret").default_null())
        .define(ConfigKey::list("topics").default(""))
        .define(ConfigKey::boolean("flag").default(true).group("Other", 1))
}

#[test]
fn all_problems_come_together() {
    let bad = config(&[("tasks.max", Some("0")), ("flag", Some("perhaps"))]);
    let problems = sample().parse(&bad).unwrap_err();
    let texts: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
    assert_eq!(
        texts,
        [
            "Missing required configuration \"name\" which has no default value.",
            "Invalid value 0 for configuration tasks.max: Value must be at least 1",
            "Invalid value perhaps for configuration flag: Expected value to be either true or false",
        ]
    );
    assert_eq!(problems[1].key, "tasks.max");
}

#[test]
fn defaults_and_set_values_are_typed() {
    let parsed = sample()
        .parse(&config(&[("name", Some(" n ")), ("topics", Some("a, b"))]))
        .unwrap();
    assert_eq!(parsed.str("name").unwrap(), "n");
    assert_eq!(parsed.int("tasks.max").unwrap(), 1);
    assert!(parsed.bool("flag").unwrap());
    assert_eq!(parsed.list("topics").unwrap(), ["a", "b"]);
    assert!(parsed.opt_password("secret").unwrap().is_none());
    assert!(parsed.is_set("name") && !parsed.is_set("flag"));
}

#[test]
fn a_wrong_question_is_an_error_and_no_panic() {
    let parsed = sample().parse(&config(&[("name", Some("n"))])).unwrap();
    let message = |error: crate::api::ConnectError| error.message().to_owned();
    assert_eq!(
        message(parsed.str("nowhere").unwrap_err()),
        "Unknown configuration 'nowhere'"
    );
    assert_eq!(
        message(parsed.str("flag").unwrap_err()),
        "Configuration 'flag' is not of type STRING"
    );
    assert_eq!(
        message(parsed.password("secret").unwrap_err()),
        "Configuration 'secret' is null but is needed"
    );
}

#[test]
fn passwords_show_nowhere() {
    let given = config(&[("name", Some("n")), ("secret", Some("hunter2"))]);
    let parsed = sample().parse(&given).unwrap();
    assert_eq!(parsed.password("secret").unwrap().reveal(), "hunter2");
    let shown = format!(
        "{parsed:?} {:?} {}",
        parsed.value("secret"),
        Password::new("hunter2")
    );
    assert!(!shown.contains("hunter2"), "{shown}");
    let answers = sample().validate(&given);
    assert_eq!(answers[2].value.as_deref(), Some("[hidden]"));

    let picky = ConfigDef::new().define(
        ConfigKey::password("secret")
            .validator(Validator::custom("nothing", |_| Err("not good".to_owned()))),
    );
    assert_eq!(
        picky.parse(&given).unwrap_err()[0].message,
        "Invalid value [hidden] for configuration secret: not good"
    );
}

#[test]
fn originals_with_a_prefix_lose_it() {
    let given = config(&[
        ("name", Some("n")),
        ("producer.acks", Some("1")),
        ("producer.", Some("x")),
        ("producerx", Some("y")),
    ]);
    let parsed = sample().parse(&given).unwrap();
    assert_eq!(
        parsed.with_prefix("producer."),
        config(&[("acks", Some("1"))])
    );
    assert_eq!(parsed.originals(), &given);
}

#[test]
fn definition_facts_are_kept_in_order() {
    let def = sample();
    assert_eq!(def.groups(), ["Common", "Other"]);
    let key = def.key("tasks.max").unwrap();
    assert_eq!(key.default_text().as_deref(), Some("1"));
    assert_eq!(
        (key.kind.name(), key.importance.name(), key.width.name()),
        ("INT", "HIGH", "SHORT")
    );
    assert_eq!(
        (key.order_in_group, key.display_name.as_str()),
        (4, "Tasks max")
    );
    assert!(!key.is_required() && def.key("name").unwrap().is_required());
    assert_eq!(def.key("name").unwrap().order_in_group, -1);
    let more = ConfigDef::new()
        .define(ConfigKey::long("tasks.max"))
        .extend(&def);
    assert_eq!(more.key("tasks.max").unwrap().kind, ConfigType::Long);
    assert_eq!(more.keys().count(), def.keys().count());
}

#[test]
fn a_regular_expression_that_does_not_compile_is_refused() {
    let def = ConfigDef::new().define(ConfigKey::string("r").validator(Validator::regex()));
    assert!(def.parse(&config(&[("r", Some("a.*|b"))])).is_ok());
    let problems = def.parse(&config(&[("r", Some("(a"))])).unwrap_err();
    assert!(
        problems[0]
            .message
            .starts_with("Invalid value (a for configuration r: Invalid regex: "),
        "{}",
        problems[0].message
    );
}
