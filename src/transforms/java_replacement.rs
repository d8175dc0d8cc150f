//! Replacement texts as Java's `Matcher.replaceFirst` reads them.

use regex::Regex;

use crate::api::ConnectError;

const ARGUMENT: &str = "java.lang.IllegalArgumentException";
const BOUNDS: &str = "java.lang.IndexOutOfBoundsException";

/// A replacement text, read once.
#[derive(Debug)]
pub(super) struct Replacement {
    /// What is wrong with it shows when something matches, as in Java: class and text.
    pieces: Result<Vec<Piece>, (&'static str, String)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

impl Replacement {
    /// Reads a replacement for the groups of `regex`.
    pub(super) fn parse(text: &str, regex: &Regex) -> Self {
        let mut reader = Reader {
            rest: text,
            regex,
            pieces: Vec::new(),
        };
        let pieces = reader.read().map(|()| reader.pieces);
        Self { pieces }
    }

    /// The text with the first match of `regex` replaced.
    ///
    /// # Errors
    /// What Java throws for the replacement.
    pub(super) fn replace_first(&self, regex: &Regex, text: &str) -> Result<String, ConnectError> {
        let Some(found) = regex.captures(text) else {
            return Ok(text.to_owned());
        };
        let pieces = self
            .pieces
            .as_ref()
            .map_err(|(class, reason)| ConnectError::connect(reason.clone()).with_class(class))?;
        let whole = found.get_match();
        let mut out = text.get(..whole.start()).unwrap_or_default().to_owned();
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Group(number) => {
                    out.push_str(found.get(*number).map_or("", |group| group.as_str()));
                }
            }
        }
        out.push_str(text.get(whole.end()..).unwrap_or_default());
        Ok(out)
    }
}

struct Reader<'a> {
    rest: &'a str,
    regex: &'a Regex,
    pieces: Vec<Piece>,
}

type Read<T> = Result<T, (&'static str, String)>;

fn illegal<T>(reason: impl Into<String>) -> Read<T> {
    Err((ARGUMENT, reason.into()))
}

impl Reader<'_> {
    fn read(&mut self) -> Read<()> {
        while let Some(character) = self.next() {
            match character {
                '\\' => match self.next() {
                    Some(escaped) => self.text(escaped),
                    None => return illegal("character to be escaped is missing"),
                },
                '$' => {
                    let group = self.group()?;
                    self.pieces.push(Piece::Group(group));
                }
                other => self.text(other),
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next();
        self.rest = characters.as_str();
        next
    }

    fn text(&mut self, character: char) {
        match self.pieces.last_mut() {
            Some(Piece::Text(text)) => text.push(character),
            _ => self.pieces.push(Piece::Text(character.to_string())),
        }
    }

    fn group(&mut self) -> Read<usize> {
        let groups = self.regex.captures_len() - 1;
        let first = match self.next() {
            None => return illegal("Illegal group reference: group index is missing"),
            Some('{') => return self.named_group(),
            Some(character) => character.to_digit(10),
        };
        let Some(first) = first else {
            return illegal("Illegal group reference");
        };
        let mut number = first as usize;
        // As many digits as still name a group.
        while let Some(digit) = self.rest.chars().next().and_then(|next| next.to_digit(10)) {
            let longer = number * 10 + digit as usize;
            if longer > groups {
                break;
            }
            number = longer;
            self.next();
        }
        if number > groups {
            return Err((BOUNDS, format!("No group {number}")));
        }
        Ok(number)
    }

    fn named_group(&mut self) -> Read<usize> {
        let end = self.rest.find(|next: char| !next.is_ascii_alphanumeric());
        let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        if name.is_empty() {
            return illegal("named capturing group has 0 length name");
        }
        let Some(rest) = rest.strip_prefix('}') else {
            return illegal("named capturing group is missing trailing '}'");
        };
        if name.starts_with(|first: char| first.is_ascii_digit()) {
            return illegal(format!(
                "capturing group name {{{name}}} starts with digit character"
            ));
        }
        let mut names = self.regex.capture_names();
        let Some(number) = names.position(|known| known == Some(name)) else {
            return illegal(format!("No group with name {{{name}}}"));
        };
        self.rest = rest;
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Java 17 prints for `Pattern.compile("a(b)?(?<n>c)?").matcher(text).replaceFirst(…)`.
    #[test]
    fn replacements_are_read_as_java_reads_them() {
        let regex = Regex::new("a(b)?(?<n>c)?").unwrap();
        let replaced = |replacement: &str| {
            let read = Replacement::parse(replacement, &regex);
            read.replace_first(&regex, "<abc>").map_err(|error| {
                let class = error.java_class().rsplit('.').next().unwrap().to_owned();
                format!("{class}: {error}")
            })
        };
        for (replacement, text) in [
            ("", "<>"),
            ("$0$1$2", "<abcbc>"),
            ("$12", "<b2>"),
            ("$10", "<b0>"),
            ("${n}-", "<c->"),
            ("x\\$1\\\\$1", "<x$1\\b>"),
            ("ä\\é", "<äé>"),
        ] {
            assert_eq!(replaced(replacement).as_deref(), Ok(text), "{replacement}");
        }
        let argument = |reason: &str| Err(format!("IllegalArgumentException: {reason}"));
        let missing = "named capturing group is missing trailing '}'";
        for (replacement, reason) in [
            ("\\", "character to be escaped is missing"),
            ("$", "Illegal group reference: group index is missing"),
            ("$x", "Illegal group reference"),
            ("${", "named capturing group has 0 length name"),
            ("${}", "named capturing group has 0 length name"),
            ("${n", missing),
            ("${n-}", missing),
            (
                "${1a}",
                "capturing group name {1a} starts with digit character",
            ),
            ("${m}", "No group with name {m}"),
        ] {
            assert_eq!(replaced(replacement), argument(reason), "{replacement}");
        }
        let bounds = Err("IndexOutOfBoundsException: No group 3".to_owned());
        assert_eq!(replaced("$3"), bounds);
        let none = Replacement::parse("$1", &regex);
        assert_eq!(none.replace_first(&regex, "<a>").unwrap(), "<>");
    }
}
