//! Ranges of versions as Maven writes them, for `*.plugin.version` and the like (KIP-891).

use std::cmp::Ordering;
use std::fmt;

/// Versions that fit, such as `[1.0,2.0)`, `[1.2]` or `(,1.0],[1.2,)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRange(Vec<Restriction>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Restriction {
    lower: Option<String>,
    lower_inclusive: bool,
    upper: Option<String>,
    upper_inclusive: bool,
}

/// A text that is no range; Maven's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRange(String);

impl VersionRange {
    /// Reads a requirement; `None` for `latest`, which is no restriction. A plain version means that one
    /// alone (Kafka: `PluginUtils.connectorVersionRequirement`).
    ///
    /// # Errors
    /// The text is no range.
    pub fn requirement(text: &str) -> Result<Option<Self>, InvalidRange> {
        if text == "latest" {
            return Ok(None);
        }
        let text = text.trim();
        match Self::parse(text)? {
            Some(range) => Ok(Some(range)),
            None => Self::parse(&format!("[{text}]")),
        }
    }

    /// `None` for a plain version.
    fn parse(spec: &str) -> Result<Option<Self>, InvalidRange> {
        let refused = |what: &str, text: &str| Err(InvalidRange(format!("{what}: {text}")));
        let mut restrictions: Vec<Restriction> = Vec::new();
        let mut rest = spec;
        while rest.starts_with(['[', '(']) {
            let Some(end) = rest.find([')', ']']) else {
                return refused("Unbounded range", spec);
            };
            let restriction = Restriction::parse(&rest[..=end])?;
            if let Some(upper) = restrictions.last().map(|last| last.upper.as_deref())
                && let Some(upper) = upper
            {
                let lower = restriction.lower.as_deref();
                if lower.is_none_or(|lower| compare(lower, upper) == Ordering::Less) {
                    return refused("Ranges overlap", spec);
                }
            }
            restrictions.push(restriction);
            rest = rest[end + 1..].trim();
            rest = rest.strip_prefix(',').map_or(rest, str::trim);
        }
        if rest.is_empty() {
            return Ok(Some(Self(restrictions)));
        }
        if restrictions.is_empty() {
            return Ok(None);
        }
        refused(
            "Only fully-qualified sets allowed in multiple set scenario",
            spec,
        )
    }

    /// Whether a version fits.
    pub fn contains(&self, version: &str) -> bool {
        self.0
            .iter()
            .any(|restriction| restriction.contains(version))
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, restriction) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            let Restriction { lower, upper, .. } = restriction;
            let lower = lower.as_deref().unwrap_or_default();
            let upper = upper.as_deref().unwrap_or_default();
            let open = if restriction.lower_inclusive {
                '['
            } else {
                '('
            };
            let close = if restriction.upper_inclusive {
                ']'
            } else {
                ')'
            };
            write!(f, "{open}{lower},{upper}{close}")?;
        }
        Ok(())
    }
}

impl Restriction {
    /// Reads `[a,b)` or its like, brackets included.
    fn parse(spec: &str) -> Result<Self, InvalidRange> {
        let (lower_inclusive, upper_inclusive) = (spec.starts_with('['), spec.ends_with(']'));
        let inner = spec[1..spec.len() - 1].trim();
        let refused = |what: &str| Err(InvalidRange(format!("{what}: {spec}")));
        let restriction = |lower: Option<&str>, upper: Option<&str>| Self {
            lower: lower.map(str::to_owned),
            lower_inclusive,
            upper: upper.map(str::to_owned),
            upper_inclusive,
        };
        let Some((lower, upper)) = inner.split_once(',') else {
            if !lower_inclusive || !upper_inclusive {
                return refused("Single version must be surrounded by []");
            }
            return Ok(restriction(Some(inner), Some(inner)));
        };
        let bound = |text: &'_ str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let (lower, upper) = (bound(lower), bound(upper));
        if let (Some(lower), Some(upper)) = (&lower, &upper) {
            let order = compare(upper, lower);
            let both = lower_inclusive && upper_inclusive;
            if order == Ordering::Less || (order == Ordering::Equal && !both) {
                return refused("Range defies version ordering");
            }
        }
        Ok(restriction(lower.as_deref(), upper.as_deref()))
    }

    fn contains(&self, version: &str) -> bool {
        let above = self.lower.as_deref().is_none_or(|lower| {
            let order = compare(version, lower);
            order == Ordering::Greater || (order == Ordering::Equal && self.lower_inclusive)
        });
        let below = self.upper.as_deref().is_none_or(|upper| {
            let order = compare(version, upper);
            order == Ordering::Less || (order == Ordering::Equal && self.upper_inclusive)
        });
        above && below
    }
}

/// A part of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Digits without leading zeros.
    Number(String),
    /// A qualifier by its rank, and its text where the rank does not say it all.
    Word(u8, String),
}

/// Rank of a release, which has no qualifier.
const RELEASE: u8 = 5;

impl Part {
    fn of(text: &str, before_digit: bool) -> Self {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::Number(text.trim_start_matches('0').to_owned());
        }
        let word = text.to_lowercase();
        let rank = match word.as_str() {
            "alpha" => 0,
            "a" if before_digit => 0,
            "beta" => 1,
            "b" if before_digit => 1,
            "milestone" => 2,
            "m" if before_digit => 2,
            "rc" | "cr" => 3,
            "snapshot" => 4,
            "" | "ga" | "final" | "release" => RELEASE,
            "sp" => 6,
            _ => return Self::Word(7, word),
        };
        Self::Word(rank, String::new())
    }

    fn is_null(&self) -> bool {
        match self {
            Self::Number(digits) => digits.is_empty(),
            Self::Word(rank, _) => *rank == RELEASE,
        }
    }

    /// Compares with what is not there.
    fn against_nothing(&self) -> Ordering {
        match self {
            Self::Number(digits) if digits.is_empty() => Ordering::Equal,
            Self::Number(_) => Ordering::Greater,
            Self::Word(rank, _) => rank.cmp(&RELEASE),
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
            (Self::Number(_), Self::Word(..)) => Ordering::Greater,
            (Self::Word(..), Self::Number(_)) => Ordering::Less,
            (Self::Word(a, a_text), Self::Word(b, b_text)) => {
                a.cmp(b).then_with(|| a_text.cmp(b_text))
            }
        }
    }
}

/// Compares versions as Maven's `ComparableVersion`: numbers as numbers, qualifiers in their known order, and
/// zeros at the end of a version count for nothing.
fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (parts(a), parts(b));
    for index in 0..a.len().max(b.len()) {
        let order = match (a.get(index), b.get(index)) {
            (Some(a), Some(b)) => a.compare(b),
            (Some(a), None) => a.against_nothing(),
            (None, Some(b)) => b.against_nothing().reverse(),
            (None, None) => Ordering::Equal,
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

fn parts(version: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = version;
    while !rest.is_empty() {
        let digits = rest.starts_with(|letter: char| letter.is_ascii_digit());
        let ends =
            |letter: char| matches!(letter, '.' | '-' | '_') || letter.is_ascii_digit() != digits;
        let end = rest.find(ends).unwrap_or(rest.len());
        let (text, after) = rest.split_at(end);
        let before_digit = after.starts_with(|letter: char| letter.is_ascii_digit());
        // Before a qualifier zeros count for nothing, too.
        if !digits && !text.is_empty() {
            drop_nulls(&mut parts);
        }
        parts.push(Part::of(
            if text.is_empty() { "0" } else { text },
            before_digit,
        ));
        rest = after.strip_prefix(['.', '-', '_']).unwrap_or(after);
    }
    drop_nulls(&mut parts);
    parts
}

fn drop_nulls(parts: &mut Vec<Part>) {
    while parts.last().is_some_and(Part::is_null) {
        parts.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_mavens_order() {
        let ordered = [
            "1-alpha",
            "1-beta-2",
            "1-beta-10",
            "1-milestone",
            "1-rc1",
            "1-snapshot",
            "1",
            "1-sp",
            "1-foo",
            "1.0.1",
            "1.2",
            "1.10",
            "2.0",
            "4.3.1",
            "10",
        ];
        for (index, a) in ordered.iter().enumerate() {
            for (other, b) in ordered.iter().enumerate() {
                assert_eq!(compare(a, b), index.cmp(&other), "{a} {b}");
            }
        }
        for same in [
            ("1", "1.0.0"),
            ("1.0-ga", "1"),
            ("1.00", "1"),
            ("1-a1", "1-alpha-1"),
            ("1-CR1", "1-rc1"),
        ] {
            assert_eq!(compare(same.0, same.1), Ordering::Equal, "{same:?}");
        }
    }

    #[test]
    fn requirements_are_ranges_plain_versions_or_the_latest() {
        let range = |text: &str| VersionRange::requirement(text).unwrap();
        assert_eq!(range("latest"), None);
        let cases = [
            ("4.3.1", true, "[4.3.1,4.3.1]"),
            (" 4.3 ", false, "[4.3,4.3]"),
            ("[4.3.1.0]", true, "[4.3.1.0,4.3.1.0]"),
            ("[4.0,5.0)", true, "[4.0,5.0)"),
            ("(4.3.1,)", false, "(4.3.1,)"),
            ("(,4.3.1]", true, "(,4.3.1]"),
            ("(,4),[4.3,4.3.1]", true, "(,4),[4.3,4.3.1]"),
            ("[1,2) , (3,4)", false, "[1,2),(3,4)"),
        ];
        for (text, contains, shown) in cases {
            let range = range(text).unwrap();
            assert_eq!(range.contains("4.3.1"), contains, "{text}");
            assert_eq!(range.to_string(), shown);
        }
    }

    #[test]
    fn texts_that_are_no_ranges_are_refused_with_mavens_words() {
        let cases = [
            ("[1", "Unbounded range: [1"),
            ("(1]", "Single version must be surrounded by []: (1]"),
            ("[2,1]", "Range defies version ordering: [2,1]"),
            ("(1,1]", "Range defies version ordering: (1,1]"),
            ("[1,3],[2,4]", "Ranges overlap: [1,3],[2,4]"),
            (
                "[1,2],3",
                "Only fully-qualified sets allowed in multiple set scenario: [1,2],3",
            ),
        ];
        for (text, message) in cases {
            let refused = VersionRange::requirement(text).unwrap_err();
            assert_eq!(refused.to_string(), message);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\](),.0-3a-c\\- ü]{0,16}") {
            drop(VersionRange::requirement(&text).map(|range| range.map(|r| r.contains("4.3.1"))));
        }
    }
}
