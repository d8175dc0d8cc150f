//! Prometheus' text format, as far as `top` needs it: names, labels and values of samples. Lines that are
//! none are passed over.

/// One sample.
#[derive(Debug, PartialEq)]
pub(super) struct Sample<'a> {
    /// The metric's name.
    pub(super) name: &'a str,
    /// What stands between the braces.
    labels: &'a str,
    /// The value.
    pub(super) value: f64,
}

/// The samples of a text.
pub(super) fn samples(text: &str) -> impl Iterator<Item = Sample<'_>> {
    text.lines().filter_map(sample)
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => {
            let end = end_of_labels(inside)?;
            (&inside[..end], &inside[end + 1..])
        }
        None => ("", rest),
    };
    // A time stamp may follow.
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample {
        name,
        labels,
        value,
    })
}

/// Where the closing brace is that no quotes hold.
fn end_of_labels(text: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '}' if !is_quoted => return Some(at),
            _ => {}
        }
    }
    None
}

impl Sample<'_> {
    /// A label's value, without its escapes.
    pub(super) fn label(&self, wanted: &str) -> Option<String> {
        let mut rest = self.labels;
        loop {
            let (name, after) = rest.split_once("=\"")?;
            let (value, end) = unquote(after)?;
            if name.trim_start_matches([',', ' ']) == wanted {
                return Some(value);
            }
            rest = &after[end..];
        }
    }
}

/// Text up to the closing quote, and where what follows begins.
fn unquote(text: &str) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, at + 1)),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_labels_and_values_are_read() {
        let text = "# HELP a b\n# TYPE a counter\n\na_total{connector=\"o\\\"r}d\\n\\\\\",task=\"0\"} 12.5 1700000000000\nup 1\n";
        let all: Vec<_> = samples(text).collect();
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].name, all[0].value), ("a_total", 12.5));
        assert_eq!(all[0].label("connector").as_deref(), Some("o\"r}d\n\\"));
        assert_eq!(all[0].label("task").as_deref(), Some("0"));
        assert_eq!(all[0].label("nope"), None);
        assert_eq!(
            (all[1].name, all[1].value, all[1].label("x")),
            ("up", 1.0, None)
        );
    }

    #[test]
    fn what_is_no_sample_is_passed_over() {
        for text in [
            "<html>\n<p>x</p>",
            "a{b=\"c",
            "a{b=\"c\"",
            "a",
            "a{} x",
            "{}",
            "\u{0}",
            "a{=\"} 1",
        ] {
            assert_eq!(samples(text).count(), 0, "{text}");
        }
        let odd = samples("a{b} 1").next().unwrap();
        assert_eq!(odd.label("b"), None);
    }
}
