//! JSON as Jackson reads it, into a flat list of nodes that is used again for each record.
//!
//! What Jackson accepts beyond the standard is accepted here: leading zeros, anything after the first
//! value, UTF-16 and UTF-32, overlong UTF-8 in strings. Its limits hold too: nesting, the length of
//! numbers, names and strings. Nothing recurses.
//!
//! A lone surrogate, which only an escape can bring, becomes `?`: Java keeps it in memory and writes
//! that when it turns the text into bytes.

use super::escape::{self, EscapeError};
use super::scan;

const MAX_DEPTH: usize = 1000;
pub(super) const MAX_NUMBER_DIGITS: usize = 1000;
const MAX_NAME_BYTES: usize = 50_000;
pub(super) const MAX_TEXT_UNITS: usize = 20_000_000;
/// Buffers that a large record made larger than this go back once a small one comes.
const KEPT_BYTES: usize = 1 << 20;

/// Why a text is no JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset}")]
pub(crate) struct ParseError {
    /// Position in the UTF-8 form of the input.
    pub(crate) offset: usize,
    pub(crate) what: &'static str,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    False,
    True,
    /// A whole number: `start` and `len` are its digits without sign and leading zeros.
    Integer,
    /// Any other number: `start` and `len` are its whole text.
    Fraction,
    /// `start` and `len` are a range of the source, or of the unescaped text when `flag` is set.
    Text,
    /// `len` elements follow.
    Array,
    /// `len` members follow, each a text and a value.
    Object,
}

/// One value of a document. Parents come before their children.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Of a text: it was unescaped. Of an integer: it is negative.
    flag: bool,
    start: u32,
    len: u32,
    /// Index of the node after this value and all in it.
    next: u32,
    /// Of an array or object: the byte after its closing bracket.
    close: u32,
}

/// The nodes of one JSON value and the buffers they need.
#[derive(Debug, Default)]
pub(crate) struct Document {
    nodes: Vec<Node>,
    unescaped: String,
    open: Vec<u32>,
    /// The input in proper UTF-8, when it was something else.
    recoded: String,
    /// Nodes of an object's values: see [`super::shapes`].
    pub(super) values: Vec<u32>,
}

/// A parsed document beside the text it refers to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    nodes: &'a [Node],
    source: &'a str,
    unescaped: &'a str,
}

impl Document {
    #[cfg(test)]
    pub(super) fn buffer_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.unescaped.capacity()
    }

    /// Parses the first value of `input`.
    pub(crate) fn parse<'a>(&'a mut self, input: &'a [u8]) -> Result<View<'a>, ParseError> {
        self.clear(input.len());
        let source = match plain_utf8(input) {
            Some(source) => {
                self.recoded = String::new();
                source
            }
            None => {
                self.recoded = escape::recode(input)?;
                self.recoded.as_str()
            }
        };
        let mut parser = Parser {
            source,
            bytes: source.as_bytes(),
            at: 0,
            nodes: &mut self.nodes,
            unescaped: &mut self.unescaped,
            open: &mut self.open,
        };
        parser.document()?;
        Ok(View {
            nodes: &self.nodes,
            source,
            unescaped: &self.unescaped,
        })
    }

    /// Makes room for a text of this length.
    #[inline]
    pub(super) fn clear(&mut self, bytes: usize) {
        self.nodes.clear();
        self.unescaped.clear();
        self.open.clear();
        if self.nodes.capacity() * size_of::<Node>() > KEPT_BYTES && bytes < KEPT_BYTES / 64 {
            self.nodes.shrink_to(KEPT_BYTES / 64);
        }
        if self.unescaped.capacity() > KEPT_BYTES && bytes < KEPT_BYTES / 64 {
            self.unescaped.shrink_to(KEPT_BYTES / 64);
        }
    }

    /// A parser of a text that fills this document, which is clear.
    #[inline]
    pub(super) fn parser<'s, 'd>(&'d mut self, source: &'s str) -> Parser<'s, 'd> {
        Parser {
            source,
            bytes: source.as_bytes(),
            at: 0,
            nodes: &mut self.nodes,
            unescaped: &mut self.unescaped,
            open: &mut self.open,
        }
    }

    /// What was parsed of a text.
    #[inline]
    pub(super) fn view<'a>(&'a self, source: &'a str) -> View<'a> {
        View {
            nodes: &self.nodes,
            source,
            unescaped: &self.unescaped,
        }
    }
}

/// Index of the value that [`Document::parse_only_member`] finds.
pub(super) const ONLY_MEMBER: usize = 2;

impl Document {
    /// Parses `rest`, which goes on behind the colon of an object's member: the member's value, and the
    /// end of the object. The object is the root, and the value is at [`ONLY_MEMBER`]. `None` when another
    /// member follows or anything is wrong, which only the whole text can tell exactly.
    pub(super) fn parse_only_member<'a>(&'a mut self, rest: &'a [u8]) -> Option<View<'a>> {
        let source = std::str::from_utf8(rest).ok()?;
        self.recoded = String::new();
        self.clear(source.len());
        self.parser(source).only_member().ok()?;
        let view = self.view(source);
        (view.len(0) == 1).then_some(view)
    }
}

/// The input as it is when it is UTF-8 without a byte order mark (see
/// [`escape::recode`] for the rest).
#[inline]
pub(super) fn plain_utf8(input: &[u8]) -> Option<&str> {
    if matches!(input, [0xef, 0xbb, 0xbf, _, ..] | [0, _, ..] | [_, 0, ..]) {
        return None;
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(text) = super::wide::ascii(input) {
        return Some(text);
    }
    std::str::from_utf8(input).ok()
}

impl<'a> View<'a> {
    /// Of a document without a value.
    pub(crate) const BLANK: Self = Self {
        nodes: &[],
        source: "",
        unescaped: "",
    };

    /// Index of the outermost value; `None` if the input was blank.
    pub(crate) fn root(self) -> Option<usize> {
        (!self.nodes.is_empty()).then_some(0)
    }

    #[inline]
    pub(crate) fn kind(self, index: usize) -> Kind {
        self.nodes.get(index).map_or(Kind::Null, |node| node.kind)
    }

    /// Jackson's `JsonNodeType`.
    pub(super) fn type_name(self, index: usize) -> &'static str {
        match self.kind(index) {
            Kind::Null => "NULL",
            Kind::False | Kind::True => "BOOLEAN",
            Kind::Integer | Kind::Fraction => "NUMBER",
            Kind::Text => "STRING",
            Kind::Array => "ARRAY",
            Kind::Object => "OBJECT",
        }
    }

    /// Index of the node after this value and all in it.
    #[inline]
    pub(super) fn next(self, index: usize) -> usize {
        self.nodes
            .get(index)
            .map_or(index + 1, |node| node.next as usize)
    }

    /// Number of elements or members, duplicates included.
    pub(crate) fn len(self, index: usize) -> usize {
        self.nodes.get(index).map_or(0, |node| node.len as usize)
    }

    /// The text of a text node.
    #[inline]
    pub(crate) fn text(self, index: usize) -> &'a str {
        let Some(node) = self.nodes.get(index) else {
            return "";
        };
        let whole = if node.flag {
            self.unescaped
        } else {
            self.source
        };
        range(whole, node)
    }

    /// Appends the text of a text node. Short texts move 16 bytes at a time: a call of `memcpy` costs
    /// more than they do.
    #[inline]
    pub(crate) fn append_text(self, index: usize, out: &mut Vec<u8>) {
        let Some(node) = self.nodes.get(index) else {
            return;
        };
        let whole = if node.flag {
            self.unescaped
        } else {
            self.source
        };
        append_range(whole.as_bytes(), node, out);
    }

    /// Appends an integer as Java prints it, if it has so few digits that no `long` overflows. False, with
    /// nothing appended, if not.
    #[inline]
    pub(super) fn append_short_integer(self, index: usize, out: &mut Vec<u8>) -> bool {
        let Some(node) = self.nodes.get(index).filter(|node| node.len < 19) else {
            return false;
        };
        let source = self.source.as_bytes();
        let is_zero = || node.len == 1 && source.get(node.start as usize) == Some(&b'0');
        if node.flag && !is_zero() {
            out.push(b'-');
        }
        append_range(source, node, out);
        true
    }

    /// Appends the source text of a number: an integer without sign and leading zeros.
    #[inline]
    pub(super) fn append_number(self, index: usize, out: &mut Vec<u8>) {
        if let Some(node) = self.nodes.get(index) {
            append_range(self.source.as_bytes(), node, out);
        }
    }

    /// Digits of an integer, and whether it is negative.
    #[inline]
    pub(super) fn integer(self, index: usize) -> (&'a str, bool) {
        match self.nodes.get(index) {
            Some(node) => (range(self.source, node), node.flag),
            None => ("0", false),
        }
    }

    /// The whole text of a number with fraction or exponent.
    #[inline]
    pub(super) fn fraction(self, index: usize) -> &'a str {
        self.nodes
            .get(index)
            .map_or("0", |node| range(self.source, node))
    }

    /// The source text of an array or object.
    pub(super) fn raw(self, index: usize) -> &'a str {
        self.nodes
            .get(index)
            .and_then(|node| self.source.get(node.start as usize..node.close as usize))
            .unwrap_or("")
    }

    /// Indexes of an array's elements.
    pub(super) fn elements(self, index: usize) -> impl Iterator<Item = usize> {
        let mut at = index + 1;
        (0..self.len(index)).map(move |_| {
            let element = at;
            at = self.next(at);
            element
        })
    }

    /// Indexes of an object's names and values, duplicates included.
    #[inline]
    pub(crate) fn entries(self, index: usize) -> impl Iterator<Item = (usize, usize)> {
        let mut at = index + 1;
        (0..self.len(index)).map(move |_| {
            let name = at;
            at = self.next(name + 1);
            (name, name + 1)
        })
    }

    /// The value of an object's last member called `name`; `None` also when this is no object.
    pub(crate) fn get(self, index: usize, name: &str) -> Option<usize> {
        if self.kind(index) != Kind::Object {
            return None;
        }
        self.entries(index)
            .filter(|(at, _)| self.text(*at) == name)
            .map(|(_, value)| value)
            .last()
    }
}

#[inline]
fn range<'a>(whole: &'a str, node: &Node) -> &'a str {
    let start = node.start as usize;
    whole.get(start..start + node.len as usize).unwrap_or("")
}

#[inline]
fn append_range(whole: &[u8], node: &Node, out: &mut Vec<u8>) {
    let (start, len) = (node.start as usize, node.len as usize);
    match whole.get(start..).and_then(|rest| rest.first_chunk::<16>()) {
        Some(chunk) if len <= 16 => {
            out.extend_from_slice(chunk);
            out.truncate(out.len() - 16 + len);
        }
        _ => out.extend_from_slice(whole.get(start..start + len).unwrap_or_default()),
    }
}

/// A text while it becomes nodes.
pub(super) struct Parser<'s, 'd> {
    source: &'s str,
    pub(super) bytes: &'s [u8],
    pub(super) at: usize,
    pub(super) nodes: &'d mut Vec<Node>,
    unescaped: &'d mut String,
    pub(super) open: &'d mut Vec<u32>,
}

impl Parser<'_, '_> {
    fn document(&mut self) -> Result<(), ParseError> {
        if u32::try_from(self.bytes.len()).is_err() {
            return Err(self.error("the text is longer than 4 GiB"));
        }
        self.skip_blanks();
        if self.at == self.bytes.len() {
            return Ok(());
        }
        self.whole(0)
    }

    /// As [`Self::document`] from behind the colon of an object's first member.
    fn only_member(&mut self) -> Result<(), ParseError> {
        if u32::try_from(self.bytes.len()).is_err() {
            return Err(self.error("the text is longer than 4 GiB"));
        }
        self.push(Kind::Object, false, 0, 0);
        // The name, which nobody asks for.
        self.push(Kind::Text, false, 0, 0);
        self.open.push(0);
        self.skip_blanks();
        self.whole(0)
    }

    /// Parses the value that begins here and all that is in it; `depth` arrays and objects are open around
    /// it.
    #[inline]
    pub(super) fn whole(&mut self, depth: usize) -> Result<(), ParseError> {
        loop {
            let opened = self.value()?;
            if opened {
                continue;
            }
            if self.close_and_advance(depth)? {
                return Ok(());
            }
        }
    }

    /// Parses the value that begins here. True when it is a container whose first element or member
    /// value comes next.
    #[inline]
    fn value(&mut self) -> Result<bool, ParseError> {
        match self.peek() {
            b'"' => self.text().map(|()| false),
            b'0'..=b'9' | b'-' => self.number().map(|()| false),
            b'{' => self.open(Kind::Object),
            b'[' => self.open(Kind::Array),
            b't' => self.literal("true", Kind::True),
            b'f' => self.literal("false", Kind::False),
            b'n' => self.literal("null", Kind::Null),
            _ => Err(self.error("a value was expected")),
        }
    }

    /// After a value: closes what ends here and goes to the next value. True where `depth` arrays and
    /// objects are left open.
    #[inline]
    pub(super) fn close_and_advance(&mut self, depth: usize) -> Result<bool, ParseError> {
        loop {
            if self.open.len() <= depth {
                return Ok(true);
            }
            let Some(top) = self.open.last().map(|top| *top as usize) else {
                return Ok(true);
            };
            let is_object = self
                .nodes
                .get(top)
                .is_some_and(|node| node.kind == Kind::Object);
            self.skip_blanks();
            match self.peek() {
                b',' => {
                    self.at += 1;
                    self.skip_blanks();
                    if is_object {
                        self.name()?;
                    }
                    return Ok(false);
                }
                b'}' if is_object => self.close(top),
                b']' if !is_object => self.close(top),
                _ => return Err(self.error("a comma or a closing bracket was expected")),
            }
        }
    }

    pub(super) fn open(&mut self, kind: Kind) -> Result<bool, ParseError> {
        let index = self.nodes.len();
        self.push(kind, false, self.at, 0);
        if self.open.len() == MAX_DEPTH {
            return Err(self.error("the nesting is deeper than 1000"));
        }
        self.open.push(narrow(index));
        self.at += 1;
        self.skip_blanks();
        let (closing, is_object) = match kind {
            Kind::Object => (b'}', true),
            _ => (b']', false),
        };
        if self.peek() == closing {
            self.close(index);
            return Ok(false);
        }
        if is_object {
            self.name()?;
        }
        Ok(true)
    }

    fn close(&mut self, index: usize) {
        self.at += 1;
        self.open.pop();
        let next = narrow(self.nodes.len());
        let close = narrow(self.at);
        if let Some(node) = self.nodes.get_mut(index) {
            node.next = next;
            node.close = close;
        }
    }

    /// A member's name and its colon.
    #[inline]
    fn name(&mut self) -> Result<(), ParseError> {
        if self.peek() != b'"' {
            return Err(self.error("a quoted name was expected"));
        }
        let start = self.at;
        let unescaped_from = self.unescaped.len();
        let (flag, from, len) = self.text_range()?;
        if len > MAX_NAME_BYTES {
            return Err(self.error("a name is longer than 50000 bytes"));
        }
        if flag {
            let raw = self.source.get(start + 1..self.at - 1).unwrap_or("");
            let decoded = self.unescaped.get(unescaped_from..).unwrap_or("");
            if decoded.contains('?') && escape::has_lone_surrogate(raw) {
                return Err(self.error("a name has half of a surrogate pair"));
            }
        }
        self.nodes.push(Node {
            kind: Kind::Text,
            flag,
            start: narrow(from),
            len: narrow(len),
            next: narrow(self.nodes.len() + 1),
            close: 0,
        });
        self.skip_blanks();
        if self.peek() != b':' {
            return Err(self.error("a colon was expected"));
        }
        self.at += 1;
        self.skip_blanks();
        Ok(())
    }

    #[inline]
    fn text(&mut self) -> Result<(), ParseError> {
        let (flag, from, len) = self.text_range()?;
        if len > MAX_TEXT_UNITS {
            let whole = if flag { &*self.unescaped } else { self.source };
            let text = whole.get(from..from + len).unwrap_or("");
            if text.encode_utf16().count() > MAX_TEXT_UNITS {
                return Err(self.error("a text is longer than 20000000 characters"));
            }
        }
        self.push(Kind::Text, flag, from, len);
        Ok(())
    }

    /// Reads a quoted text: whether it was unescaped, where it begins and how long it is.
    #[inline]
    fn text_range(&mut self) -> Result<(bool, usize, usize), ParseError> {
        let start = self.at + 1;
        let end = scan::text_end::<false>(self.bytes, start);
        match self.bytes.get(end) {
            Some(b'"') => {
                self.at = end + 1;
                Ok((false, start, end - start))
            }
            Some(b'\\') => self.escaped_range(start),
            Some(_) => {
                self.at = end;
                Err(self.error("a control character must be escaped"))
            }
            None => {
                self.at = end;
                Err(self.error("a text does not end"))
            }
        }
    }

    fn escaped_range(&mut self, start: usize) -> Result<(bool, usize, usize), ParseError> {
        let from = self.unescaped.len();
        let end = escape::unescape(self.source, start, self.unescaped).map_err(located)?;
        self.at = end;
        Ok((true, from, self.unescaped.len() - from))
    }

    fn literal(&mut self, word: &'static str, kind: Kind) -> Result<bool, ParseError> {
        let rest = self.source.get(self.at..).unwrap_or("");
        let Some(after) = rest.strip_prefix(word) else {
            return Err(self.error("an unknown word"));
        };
        let glued = after.chars().next().is_some_and(|next| {
            next >= '0' && (next.is_alphanumeric() || next == '_' || next == '\u{7f}')
        });
        if glued {
            return Err(self.error("an unknown word"));
        }
        self.push(kind, false, self.at, word.len());
        self.at += word.len();
        Ok(false)
    }

    #[inline]
    fn number(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        let negative = self.peek() == b'-';
        self.at += usize::from(negative);
        let first = self.at;
        while self.peek() == b'0' && self.bytes.get(self.at + 1).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        let digits_from = self.at;
        let whole = self.digits();
        if whole == 0 {
            return Err(self.error("a digit was expected"));
        }
        debug_assert!(digits_from >= first);
        let (fraction, exponent) = match self.peek() {
            b'.' | b'e' | b'E' => self.fraction_and_exponent()?,
            _ => {
                self.check_number_end(whole)?;
                self.push(Kind::Integer, negative, digits_from, whole);
                return Ok(());
            }
        };
        self.check_number_end(whole + fraction.digits + exponent.digits)?;
        check_exponent(&fraction, &exponent).map_err(|what| self.error(what))?;
        self.push(Kind::Fraction, false, start, self.at - start);
        Ok(())
    }

    /// Jackson looks at the character after a number on top level and at the number's length.
    #[inline]
    fn check_number_end(&self, digits: usize) -> Result<(), ParseError> {
        if digits > MAX_NUMBER_DIGITS {
            return Err(self.error("a number is longer than 1000 digits"));
        }
        if self.open.is_empty() {
            match self.bytes.get(self.at) {
                None | Some(b' ' | b'\t' | b'\r' | b'\n') => {}
                Some(_) => return Err(self.error("a blank was expected after the number")),
            }
        }
        Ok(())
    }

    fn fraction_and_exponent(&mut self) -> Result<(Digits, Digits), ParseError> {
        let mut fraction = Digits::default();
        let mut exponent = Digits::default();
        if self.peek() == b'.' {
            self.at += 1;
            fraction.digits = self.digits();
            if fraction.digits == 0 {
                return Err(self.error("a digit was expected after the decimal point"));
            }
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            exponent.negative = self.peek() == b'-';
            self.at += usize::from(matches!(self.peek(), b'+' | b'-'));
            let from = self.at;
            exponent.digits = self.digits();
            if exponent.digits == 0 {
                return Err(self.error("a digit was expected in the exponent"));
            }
            let text = self.source.get(from..self.at).unwrap_or("");
            exponent.value = text.trim_start_matches('0').parse().unwrap_or(
                if text.trim_start_matches('0').is_empty() {
                    0
                } else {
                    i64::MAX
                },
            );
        }
        Ok((fraction, exponent))
    }

    /// Skips digits and counts them.
    #[inline]
    fn digits(&mut self) -> usize {
        let count = scan::digits(self.bytes, self.at);
        self.at += count;
        count
    }

    #[inline]
    pub(super) fn push(&mut self, kind: Kind, flag: bool, start: usize, len: usize) {
        if let Some(parent) = self.open.last()
            && let Some(parent) = self.nodes.get_mut(*parent as usize)
        {
            parent.len += 1;
        }
        self.add(kind, flag, start, len);
    }

    /// A node that no other counts.
    #[inline]
    pub(super) fn add(&mut self, kind: Kind, flag: bool, start: usize, len: usize) {
        self.nodes.push(Node {
            kind,
            flag,
            start: narrow(start),
            len: narrow(len),
            next: narrow(self.nodes.len() + 1),
            close: 0,
        });
    }

    /// The byte here; 0, which is never valid, at the end.
    #[inline]
    pub(super) fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    pub(super) fn skip_blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
        }
    }

    #[cold]
    fn error(&self, what: &'static str) -> ParseError {
        ParseError {
            offset: self.at,
            what,
        }
    }
}

#[cold]
fn located(error: EscapeError) -> ParseError {
    ParseError {
        offset: error.offset,
        what: error.what,
    }
}

#[derive(Default)]
struct Digits {
    digits: usize,
    value: i64,
    negative: bool,
}

/// `BigDecimal` holds exponent and scale in 32 bits.
fn check_exponent(fraction: &Digits, exponent: &Digits) -> Result<(), &'static str> {
    if exponent.value > i64::from(i32::MAX) {
        return Err("an exponent is too large");
    }
    let power = if exponent.negative {
        -exponent.value
    } else {
        exponent.value
    };
    let scale = i64::try_from(fraction.digits).unwrap_or(i64::MAX) - power;
    if i32::try_from(scale).is_err() {
        return Err("a scale is out of range");
    }
    Ok(())
}

/// Positions fit: [`Parser::document`] refuses longer inputs, and there are fewer nodes than bytes.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "inputs end before 4 GiB")]
pub(super) fn narrow(position: usize) -> u32 {
    position as u32
}
