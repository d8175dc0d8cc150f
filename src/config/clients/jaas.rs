//! `sasl.jaas.config`: one login module with its options, read as Kafka reads it (`JaasConfig`, over Java's
//! `StreamTokenizer`).

use indexmap::IndexMap;

/// A login module.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    /// Java class.
    pub(super) module: String,
    /// Its options, passwords among them.
    pub(super) options: IndexMap<String, String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("module", &self.module)
            .finish_non_exhaustive()
    }
}

/// Reads `MODULE FLAG OPTION=VALUE …;`.
///
/// # Errors
/// Kafka's texts. They never show a value.
pub(super) fn parse(text: &str) -> Result<Login, String> {
    let mut tokens = Tokens::new(text);
    let mut logins = Vec::new();
    loop {
        match tokens.next() {
            Token::End => break,
            Token::Word(module) => logins.push(entry(&mut tokens, module)?),
            _ => return Err("Login module not specified in JAAS config".to_owned()),
        }
    }
    let count = logins.len();
    match logins.pop() {
        None => Err("Login module not specified in JAAS config".to_owned()),
        Some(login) if count == 1 => Ok(login),
        Some(_) => Err(format!(
            "JAAS config property contains {count} login modules, should be 1 module"
        )),
    }
}

fn entry(tokens: &mut Tokens<'_>, module: String) -> Result<Login, String> {
    match tokens.next() {
        Token::End => {
            return Err("Login module control flag not specified in JAAS config".to_owned());
        }
        Token::Word(flag) => match flag.to_ascii_uppercase().as_str() {
            "REQUIRED" | "REQUISITE" | "SUFFICIENT" | "OPTIONAL" => {}
            _ => {
                return Err(format!(
                    "Invalid login module control flag '{flag}' in JAAS config"
                ));
            }
        },
        _ => {
            return Err("Login module control flag is not available in the JAAS config".to_owned());
        }
    }
    let mut options = IndexMap::new();
    loop {
        let key = match tokens.next() {
            Token::Char(';') => return Ok(Login { module, options }),
            Token::End => return Err("JAAS config entry not terminated by semi-colon".to_owned()),
            Token::Word(key) => key,
            Token::Number | Token::Char(_) => "null".to_owned(),
        };
        let value = match tokens.next() {
            Token::Char('=') => tokens.next(),
            _ => Token::End,
        };
        let Token::Word(value) = value else {
            return Err(format!(
                "Value not specified for key '{key}' in JAAS config (values other than plain words are put \
                 in double quotes)"
            ));
        };
        options.insert(key, value);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    /// A word, or what stood in quotes.
    Word(String),
    /// Digits; as a value these need quotes, as in Java.
    Number,
    Char(char),
    End,
}

struct Tokens<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
}

fn begins_word(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '_' | '$') || c as u32 >= 0xa0
}

fn is_in_word(c: char) -> bool {
    begins_word(c) || c.is_ascii_digit() || matches!(c, '-' | '.')
}

impl<'a> Tokens<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.chars().peekable(),
        }
    }

    fn next(&mut self) -> Token {
        loop {
            let Some(c) = self.rest.next() else {
                return Token::End;
            };
            match c {
                '\0'..=' ' => {}
                '/' => self.skip_comment(),
                '"' | '\'' => return Token::Word(self.quoted(c)),
                '0'..='9' | '.' => return self.number(),
                '-' if self
                    .rest
                    .peek()
                    .is_some_and(|c| c.is_ascii_digit() || *c == '.') =>
                {
                    return self.number();
                }
                c if begins_word(c) => {
                    let mut word = String::from(c);
                    while let Some(c) = self.rest.next_if(|c| is_in_word(*c)) {
                        word.push(c);
                    }
                    return Token::Word(word);
                }
                c => return Token::Char(c),
            }
        }
    }

    fn number(&mut self) -> Token {
        while self
            .rest
            .next_if(|c| c.is_ascii_digit() || *c == '.')
            .is_some()
        {}
        Token::Number
    }

    /// `/* … */`, `// …`; a slash alone hides the rest of its line as well.
    fn skip_comment(&mut self) {
        if self.rest.next_if_eq(&'*').is_none() {
            while self.rest.next_if(|c| !matches!(c, '\n' | '\r')).is_some() {}
            return;
        }
        let mut star = false;
        for c in self.rest.by_ref() {
            if star && c == '/' {
                return;
            }
            star = c == '*';
        }
    }

    /// Up to the same quote or the end of the line.
    fn quoted(&mut self, quote: char) -> String {
        let mut text = String::new();
        loop {
            match self.rest.next_if(|c| !matches!(c, '\n' | '\r')) {
                None => return text,
                Some(c) if c == quote => return text,
                Some('\\') => text.push(self.escaped()),
                Some(c) => text.push(c),
            }
        }
    }

    fn escaped(&mut self) -> char {
        match self.rest.next().unwrap_or('\\') {
            first @ '0'..='7' => self.octal(first),
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            other => other,
        }
    }

    /// Up to three digits, up to 377.
    fn octal(&mut self, first: char) -> char {
        let most = if first <= '3' { 2 } else { 1 };
        let mut number = first.to_digit(8).unwrap_or(0);
        for _ in 0..most {
            let Some(digit) = self.rest.next_if(|c| c.is_digit(8)) else {
                break;
            };
            number = number * 8 + digit.to_digit(8).unwrap_or(0);
        }
        char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().options.into_iter().collect()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn a_module_has_a_flag_and_options_in_and_out_of_quotes() {
        let login = parse(
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"a b\" \
             password='it\\'s \\\"x\\\" \\101;' other=plain-word.1 ;",
        )
        .unwrap();
        assert_eq!(
            login.module,
            "org.apache.kafka.common.security.plain.PlainLoginModule"
        );
        let pairs: Vec<_> = login.options.into_iter().collect();
        assert_eq!(
            pairs,
            [
                pair("username", "a b"),
                pair("password", "it's \"x\" A;"),
                pair("other", "plain-word.1")
            ]
        );
    }

    #[test]
    fn comments_and_line_ends_are_passed_over() {
        let text = "m.L /* flag: */ Requisite // to the end\n a=b /hidden c=d\r\n e=\"f/g\";";
        assert_eq!(options(text), [pair("a", "b"), pair("e", "f/g")]);
    }

    #[test]
    fn what_kafka_refuses_is_refused_in_its_words_and_without_values() {
        for (text, part) in [
            ("", "Login module not specified"),
            ("m", "control flag not specified"),
            ("m maybe;", "Invalid login module control flag 'maybe'"),
            (
                "m required password=\"hunter2\"",
                "not terminated by semi-colon",
            ),
            (
                "m required password=12;",
                "Value not specified for key 'password'",
            ),
            (
                "m required password;",
                "Value not specified for key 'password'",
            ),
            ("m required; n required;", "contains 2 login modules"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
