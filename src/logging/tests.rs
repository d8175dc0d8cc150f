use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::names::{JAVA_NAMES, is_beneath};
use super::*;

const CONNECT: &str = "org.apache.kafka.connect";
const SINK: &str = "org.apache.kafka.connect.runtime.WorkerSinkTask";
const SOURCE: &str = "org.apache.kafka.connect.runtime.WorkerSourceTask";
const PRODUCER: &str = "org.apache.kafka.clients.producer.KafkaProducer";

fn loggers(filter: &str) -> Loggers {
    Loggers::parse(filter).unwrap()
}

fn level(loggers: &Loggers, name: &str) -> Level {
    loggers.level(name).unwrap().level
}

#[test]
fn every_java_name_stands_for_a_module_that_there_is() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (java, target, _) in JAVA_NAMES {
        let path = target.split("::").skip(1).collect::<Vec<_>>().join("/");
        let there = |path: &Path| path.is_dir() || path.with_extension("rs").is_file();
        assert!(there(&src.join(&path)), "{java}: {target}");
        let doubles = JAVA_NAMES.iter().filter(|(other, _, _)| other == java);
        assert_eq!(doubles.count(), 1, "{java}");
    }
}

#[test]
fn levels_begin_as_the_filter_says_and_are_known_by_both_names() {
    let loggers = loggers("warn,ringmain::kafka=debug,rustls=error");
    assert_eq!(level(&loggers, "root"), Level::Warn);
    assert_eq!(level(&loggers, "ROOT"), Level::Warn);
    assert_eq!(level(&loggers, PRODUCER), Level::Debug);
    assert_eq!(level(&loggers, "ringmain::kafka::producer"), Level::Debug);
    assert_eq!(level(&loggers, SINK), Level::Warn);
    assert_eq!(level(&loggers, "rustls"), Level::Error);
    assert_eq!(loggers.level("org.example.Nobody"), None);
    // A package is no logger before somebody sets its level.
    assert_eq!(loggers.level(CONNECT), None);
    let names: Vec<_> = loggers.all().into_iter().map(|(name, _)| name).collect();
    assert!(names.is_sorted());
    assert!(names.contains(&SINK.to_owned()) && !names.contains(&CONNECT.to_owned()));
}

#[test]
fn a_change_covers_everything_beneath_and_nothing_beside() {
    let loggers = loggers("info");
    let changed = loggers.set(CONNECT, Level::Debug, 5).unwrap();
    assert!(changed.is_sorted());
    let contains = |name: &str| changed.contains(&name.to_owned());
    assert!(contains(CONNECT) && contains(SINK) && contains("ringmain::task::sink"));
    assert!(!contains(PRODUCER) && !contains("root") && !contains("ringmain::kafka"));
    assert_eq!(level(&loggers, SINK), Level::Debug);
    assert_eq!(level(&loggers, PRODUCER), Level::Info);
    let of_package = loggers.level(CONNECT).unwrap();
    assert_eq!(of_package.last_modified, Some(5));
    loggers.set("ringmain::kafka", Level::Trace, 6).unwrap();
    assert_eq!(level(&loggers, PRODUCER), Level::Trace);
    loggers.set("ROOT", Level::Error, 7).unwrap();
    assert!(
        loggers
            .all()
            .iter()
            .all(|(_, logger)| logger.level == Level::Error)
    );
}

#[test]
fn the_names_of_one_module_share_its_level() {
    let loggers = loggers("info");
    let changed = loggers.set(SOURCE, Level::Warn, 1).unwrap();
    let other = "org.apache.kafka.connect.runtime.AbstractWorkerSourceTask";
    assert_eq!(changed, [other, SOURCE, "ringmain::task::source"]);
    assert_eq!(level(&loggers, SINK), Level::Info);
    assert_eq!(level(&loggers, "ringmain::task"), Level::Info);
}

#[test]
fn the_same_level_again_changes_nothing_unless_it_is_off() {
    let loggers = loggers("info");
    loggers.set(SINK, Level::Debug, 1).unwrap();
    assert_eq!(loggers.set(SINK, Level::Debug, 2), Ok(Vec::new()));
    assert_eq!(loggers.level(SINK).unwrap().last_modified, Some(1));
    // As in Log4j: a logger that is off is not listed, and counts as changed each time.
    for now in [3, 4] {
        let changed = loggers.set(SINK, Level::Off, now).unwrap();
        assert_eq!(changed, [SINK, "ringmain::task::sink"]);
        assert_eq!(loggers.level(SINK).unwrap().last_modified, Some(now));
    }
    assert!(loggers.all().iter().all(|(name, _)| name != SINK));
}

#[test]
fn an_unknown_name_becomes_a_logger_and_no_more_than_a_thousand_do() {
    let loggers = loggers("info");
    let made = loggers.set("org.example.A", Level::Info, 9);
    assert_eq!(made, Ok(vec!["org.example.A".to_owned()]));
    assert_eq!(
        loggers.set("org.example", Level::Debug, 10).unwrap().len(),
        2
    );
    for number in 2..1000 {
        loggers.set(&format!("x{number}"), Level::Info, 0).unwrap();
    }
    let refused = loggers.set("one.too.many", Level::Info, 0);
    assert_eq!(refused, Err(LoggersError::TooMany(1000)));
    loggers.set("x2", Level::Warn, 0).unwrap();
}

#[test]
fn the_filter_follows_and_names_never_become_directives() {
    let loggers = loggers("info,[task{connector=a,task=1}]=trace");
    let applied = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&applied);
    loggers.attach(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    loggers
        .set("ringmain::kafka::producer::sender", Level::Trace, 0)
        .unwrap();
    loggers.set("a=trace,b[c]", Level::Trace, 0).unwrap();
    assert_eq!(applied.load(Ordering::Relaxed), 2);
    let filter = loggers.filter().unwrap().to_string();
    assert!(
        filter.contains("ringmain::kafka::producer::sender=trace")
            && filter.contains("ringmain::kafka::producer=info")
            && filter.contains("connector"),
        "{filter}"
    );
    assert!(!filter.contains("a=trace,b"), "{filter}");
}

#[test]
fn without_a_subscriber_of_ours_nothing_is_known_or_changed() {
    let loggers = Loggers::none();
    assert!(loggers.all().is_empty());
    assert_eq!(level(&loggers, "any"), Level::Off);
    assert_eq!(loggers.set("any", Level::Info, 0), Ok(Vec::new()));
}

#[test]
fn levels_are_read_in_any_case_and_names_end_at_their_parts() {
    assert_eq!(Level::parse(" debug "), Some(Level::Debug));
    assert_eq!(Level::parse("Fatal"), Some(Level::Fatal));
    for wrong in ["", "verbose", "INFOO"] {
        assert_eq!(Level::parse(wrong), None);
    }
    assert!(is_beneath("a.b$C", "a.b") && is_beneath("a::b", "a") && is_beneath("a", "a"));
    assert!(!is_beneath("a.bc", "a.b") && !is_beneath("a", "a.b"));
    assert!(Loggers::parse("ringmain=loud").is_err());
}
