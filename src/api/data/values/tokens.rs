//! A text split at `: , { } [ ] "` that no backslash precedes.

/// Java's `String.trim`.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|character: char| character <= ' ')
}

/// Walks over the tokens of a text, with one token of look-ahead.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    text: &'a str,
    /// Where the token after the look-ahead begins.
    at: usize,
    ahead: Option<&'a str>,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            ahead: None,
        }
    }

    /// The whole text.
    pub(super) fn original(&self) -> &'a str {
        self.text
    }

    pub(super) fn has_next(&self) -> bool {
        self.ahead.is_some() || self.at < self.text.len()
    }

    /// Where the next token begins.
    pub(super) fn mark(&self) -> usize {
        self.at - self.ahead.map_or(0, str::len)
    }

    pub(super) fn rewind(&mut self, mark: usize) {
        self.at = mark;
        self.ahead = None;
    }

    /// The next token, empty at the end.
    pub(super) fn next(&mut self) -> &'a str {
        match self.ahead.take() {
            Some(token) => token,
            None => self.read(),
        }
    }

    /// The text of the next `count` tokens. `None`, with nothing consumed, if there are fewer.
    pub(super) fn next_many(&mut self, count: usize) -> Option<&'a str> {
        let start = self.mark();
        for _ in 0..count {
            if !self.has_next() {
                self.rewind(start);
                return None;
            }
            self.next();
        }
        self.text.get(start..self.at)
    }

    /// Consumes the next token if it is `expected`, apart from blanks around it. Blank tokens before
    /// it are lost either way.
    pub(super) fn consume(&mut self, expected: &str) -> bool {
        let mut token = match self.ahead {
            Some(token) => token,
            None if self.at < self.text.len() => self.read(),
            None => return false,
        };
        while trim(token).is_empty() && self.at < self.text.len() {
            token = self.read();
        }
        let found = trim(token) == expected;
        self.ahead = (!found).then_some(token);
        found
    }

    fn read(&mut self) -> &'a str {
        let start = self.at;
        let mut escaped = false;
        for (offset, byte) in self.text.bytes().enumerate().skip(start) {
            let delimiter = matches!(byte, b':' | b',' | b'{' | b'}' | b'[' | b']' | b'"');
            if delimiter && !escaped {
                self.at = if offset == start { start + 1 } else { offset };
                return self.text.get(start..self.at).unwrap_or("");
            }
            escaped = byte == b'\\' && !escaped;
        }
        self.at = self.text.len();
        self.text.get(start..).unwrap_or("")
    }
}
