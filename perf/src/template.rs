//! How a sink's line looks after transforms, as a scenario says it: text in which `${member}` stands for
//! what an object's member holds.
//!
//! `${amount.whole}` is an amount without its decimal places, `${ts.time}` a member with a time or a
//! number as `yyyy-MM-dd HH:mm:ss` in UTC, a number being seconds since 1970.

use jiff::Timestamp;

use crate::input::append_digits;
use crate::object::{self, Content, Fields, Member};

/// A part of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// What the member holds.
    Member(Member),
    /// An amount without its decimal places.
    Whole,
    /// Date and time of day.
    Time(Content),
}

/// A line: text before each part, and after the last one.
#[derive(Debug)]
pub(crate) struct Template {
    parts: Vec<(Vec<u8>, Part)>,
    end: Vec<u8>,
}

impl Template {
    /// Of a text about objects with such members.
    ///
    /// # Errors
    /// Names what stands for nothing.
    pub(crate) fn parse(text: &str, members: &[Member]) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, more)) = rest.split_once("${") {
            let unclosed = || format!("{text:?} has a ${{ without its }}");
            let (name, after) = more.split_once('}').ok_or_else(unclosed)?;
            let part = part(name, members);
            let part = part.ok_or_else(|| format!("${{{name}}} is nothing that records have"))?;
            parts.push((before.as_bytes().to_vec(), part));
            rest = after;
        }
        Ok(Self {
            parts,
            end: rest.as_bytes().to_vec(),
        })
    }

    /// Whether the record's number can be told from the line.
    pub(crate) fn is_numbered(&self) -> bool {
        let numbers =
            |part: &Part| matches!(part, Part::Member((_, Content::Number | Content::Time)));
        self.parts.iter().any(|(_, part)| numbers(part))
    }

    /// Appends the line of record `index`; `words` appends what a member with words holds.
    pub(crate) fn append(
        &self,
        index: u64,
        out: &mut Vec<u8>,
        words: impl Fn(Member, &mut Vec<u8>),
    ) {
        for (before, part) in &self.parts {
            out.extend_from_slice(before);
            match *part {
                Part::Member(member) => words(member, out),
                Part::Whole => append_digits(Fields::of(index).whole, out),
                Part::Time(content) => append_time(index, content, out),
            }
        }
        out.extend_from_slice(&self.end);
    }
}

fn part(name: &str, members: &[Member]) -> Option<Part> {
    let (name, view) = match name.split_once('.') {
        Some((name, view)) => (name, Some(view)),
        None => (name, None),
    };
    let member = *members.iter().find(|(known, _)| *known == name)?;
    match (view, member.1) {
        (None, _) => Some(Part::Member(member)),
        (Some("whole"), Content::Amount) => Some(Part::Whole),
        (Some("time"), content @ (Content::Number | Content::Time)) => Some(Part::Time(content)),
        (Some(_), _) => None,
    }
}

fn append_time(index: u64, content: Content, out: &mut Vec<u8>) {
    let seconds = match content {
        Content::Time => object::time(index) / 1000,
        _ => crate::input::FIRST + index,
    };
    let time = i64::try_from(seconds).ok().map(Timestamp::from_second);
    if let Some(Ok(time)) = time {
        let text = time.strftime("%Y-%m-%d %H:%M:%S").to_string();
        out.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{SMALL, WIDE};

    fn line(text: &str, members: &[Member]) -> String {
        let template = Template::parse(text, members).unwrap();
        let mut out = Vec::new();
        template.append(7, &mut out, |(_, content), out| {
            object::append(7, content, out);
        });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn members_and_views_of_them_stand_in_their_places() {
        assert_eq!(
            line("{a=${id}, b=${amount.whole}}", SMALL),
            "{a=1000000007, b=10007}"
        );
        assert_eq!(line("${id.time}", SMALL), "2001-09-09 01:46:47");
        assert_eq!(
            line("${ts.time} ${ts}", WIDE),
            "2001-09-09 01:46:47 1000000007123"
        );
        assert_eq!(line("nothing", SMALL), "nothing");
    }

    #[test]
    fn what_stands_for_nothing_is_named() {
        for (wrong, named) in [
            ("${ts}", "${ts}"),
            ("${name.time}", "${name.time}"),
            ("${id.whole}", "${id.whole}"),
            ("x${id", "without its }"),
        ] {
            let error = Template::parse(wrong, SMALL).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn a_line_has_a_number_where_ten_digits_tell_it() {
        let numbered = |text| Template::parse(text, WIDE).unwrap().is_numbered();
        assert!(numbered("{a=${id}}"));
        assert!(numbered("{a=${ts}}"));
        assert!(!numbered("${note}"));
        assert!(!numbered("${id.time}"));
    }
}
