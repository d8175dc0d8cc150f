//! Each fixture line against the format here: what Java's class gave is what ours must give (see
//! `tests/oracle/README.md`).

use super::SimpleDateFormat;

/// 25 November 2026, so that years of two digits begin with 25 November 1946 as in the fixture.
const NOW: i64 = 1_795_564_800_000;

#[test]
fn patterns_texts_and_points_in_time_are_read_as_java_reads_them() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for line in include_str!("java.tsv").lines() {
        let columns: Vec<String> = line.split('\t').map(unescaped).collect();
        let [operation, pattern, input, expected] = columns.as_slice() else {
            panic!("four columns: {line}");
        };
        let answer = answer(operation, pattern, input);
        checked += 1;
        if answer != *expected {
            wrong.push(format!(
                "{operation} {pattern:?} {input:?}\n  java {expected}\n  ours {answer}\n"
            ));
        }
    }
    let shown: String = wrong.iter().take(40).map(String::as_str).collect();
    assert!(
        wrong.is_empty(),
        "{} of {checked} differ:\n{shown}",
        wrong.len()
    );
    assert!(checked >= 4000);
}

fn answer(operation: &str, pattern: &str, input: &str) -> String {
    let format = match SimpleDateFormat::new(pattern, NOW) {
        Ok(format) => format,
        Err(illegal) => return illegal.to_string(),
    };
    match operation {
        "pattern" => "fine".to_owned(),
        "format" => format.format(input.parse().unwrap()),
        _ => match format.parse(input) {
            Ok(millis) => millis.to_string(),
            Err(_) => "unparseable".to_owned(),
        },
    }
}

fn unescaped(text: &str) -> String {
    text.replace("\\t", "\t").replace("\\\\", "\\")
}

#[test]
fn a_year_of_two_digits_lies_between_80_years_ago_and_20_years_ahead() {
    let format = SimpleDateFormat::new("dd.MM.yy", NOW).unwrap();
    let year_of = |text| {
        let years = SimpleDateFormat::new("yyyy", NOW).unwrap();
        years.format(format.parse(text).unwrap())
    };
    assert_eq!(year_of("25.11.46"), "1946");
    assert_eq!(year_of("24.11.46"), "2046");
    assert_eq!(year_of("01.01.47"), "1947");
    assert_eq!(year_of("31.12.45"), "2045");
}
