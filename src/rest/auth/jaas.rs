//! JAAS login configurations (Java: `sun.security.provider.ConfigFile`), as far as they name the credential
//! files of Apache's `PropertyFileLoginModule`.

use std::iter::Peekable;
use std::path::PathBuf;
use std::str::Chars;

/// The entry that Apache's filter asks for, and Java's fallback.
const ENTRIES: [&str; 2] = ["KafkaConnect", "other"];
const MODULE: &str = "org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule";
const FLAGS: [&str; 4] = ["required", "requisite", "sufficient", "optional"];
const PROPERTY: &str = "-Djava.security.auth.login.config=";

/// The login configuration that options of a JVM name; the last one counts.
pub(super) fn file_of_options(options: &str) -> Option<PathBuf> {
    let mut named = options
        .split_whitespace()
        .filter_map(|option| option.strip_prefix(PROPERTY));
    // A second `=` makes Java forget other files; there are none here.
    let file = named.next_back().map(|file| file.trim_start_matches('='))?;
    let file = match file.strip_prefix("file:") {
        // An empty host, or none.
        Some(url) => url.strip_prefix("//").unwrap_or(url),
        None => file,
    };
    (!file.is_empty()).then(|| PathBuf::from(file))
}

/// The credential files that the entry `KafkaConnect` of a login configuration names.
///
/// # Errors
/// Says in which line what is wrong: the syntax, no such entry, another login module, no file.
pub(super) fn credential_files(text: &str) -> Result<Vec<PathBuf>, String> {
    let entries = Parser::new(text).entries()?;
    let wanted = ENTRIES
        .iter()
        .find_map(|name| entries.iter().find(|entry| entry.name == *name));
    let entry = wanted.ok_or("has no entry 'KafkaConnect'")?;
    entry.modules.iter().map(Module::credential_file).collect()
}

struct Entry {
    name: String,
    modules: Vec<Module>,
}

struct Module {
    class: String,
    line: usize,
    options: Vec<(String, String)>,
}

impl Module {
    fn credential_file(&self) -> Result<PathBuf, String> {
        let Self {
            class,
            line,
            options,
        } = self;
        if class != MODULE {
            return Err(format!(
                "line {line}: the login module '{class}' is a Java class, which cannot run here; \
                 there is {MODULE}"
            ));
        }
        let file = options.iter().find(|(name, _)| name == "file");
        match file {
            Some((_, file)) if !file.trim().is_empty() => Ok(file.into()),
            _ => Err(format!(
                "line {line}: Property Credentials file must be specified: file=\"…\""
            )),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Sign(char),
    End,
}

impl Token {
    fn describe(&self) -> String {
        match self {
            Self::Word(text) => format!("'{text}'"),
            // It may be a secret of another module.
            Self::Quoted(_) => "a text in quotes".to_owned(),
            Self::Sign(sign) => format!("'{sign}'"),
            Self::End => "the end of the file".to_owned(),
        }
    }
}

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.chars().peekable(),
            line: 1,
        }
    }

    fn error(&self, expected: &str, found: &Token) -> String {
        let found = found.describe();
        format!("line {}: expected {expected}, found {found}", self.line)
    }

    /// `name { module… } ;` until the end.
    fn entries(mut self) -> Result<Vec<Entry>, String> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let name = match self.token()? {
                Token::End => return Ok(entries),
                Token::Word(name) | Token::Quoted(name) => name,
                found => return Err(self.error("the name of an entry", &found)),
            };
            if entries.iter().any(|entry| entry.name == name) {
                return Err(format!("line {}: a second entry '{name}'", self.line));
            }
            self.sign('{')?;
            let modules = self.modules()?;
            self.sign(';')?;
            entries.push(Entry { name, modules });
        }
    }

    /// `class flag option="value"… ;` until the closing brace.
    fn modules(&mut self) -> Result<Vec<Module>, String> {
        let mut modules = Vec::new();
        loop {
            let class = match self.token()? {
                Token::Sign('}') if !modules.is_empty() => return Ok(modules),
                Token::Word(class) | Token::Quoted(class) => class,
                found => return Err(self.error("the class of a login module", &found)),
            };
            let line = self.line;
            match self.token()? {
                Token::Word(flag) if FLAGS.iter().any(|known| flag.eq_ignore_ascii_case(known)) => {
                }
                found => {
                    let expected = "required, requisite, sufficient or optional";
                    return Err(self.error(expected, &found));
                }
            }
            let options = self.options()?;
            modules.push(Module {
                class,
                line,
                options,
            });
        }
    }

    /// `name = value` until the semicolon.
    fn options(&mut self) -> Result<Vec<(String, String)>, String> {
        let mut options = Vec::new();
        loop {
            let name = match self.token()? {
                Token::Sign(';') => return Ok(options),
                Token::Word(name) => name,
                found => return Err(self.error("an option, or ';' behind the last one", &found)),
            };
            self.sign('=')?;
            let value = match self.token()? {
                Token::Word(value) | Token::Quoted(value) => self.expanded(&name, &value)?,
                found => {
                    let expected = format!("the value of '{name}' in double quotes");
                    return Err(self.error(&expected, &found));
                }
            };
            options.push((name, value));
        }
    }

    fn sign(&mut self, wanted: char) -> Result<(), String> {
        match self.token()? {
            Token::Sign(sign) if sign == wanted => Ok(()),
            found => Err(self.error(&format!("'{wanted}'"), &found)),
        }
    }

    /// `${/}` is the separator of paths; other properties are Java's.
    fn expanded(&self, name: &str, value: &str) -> Result<String, String> {
        let value = value.replace("${/}", "/");
        if value.contains("${") {
            return Err(format!(
                "line {}: the value of '{name}' asks for a system property of Java by ${{…}}, and \
                 there are none here; write it out",
                self.line
            ));
        }
        Ok(value)
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    fn token(&mut self) -> Result<Token, String> {
        loop {
            let Some(first) = self.next() else {
                return Ok(Token::End);
            };
            match first {
                '/' => self.comment()?,
                '"' => return self.quoted(),
                _ if first.is_whitespace() => {}
                _ if is_word(first) => {
                    let mut word = String::from(first);
                    while let Some(more) = self.rest.next_if(|next| is_word(*next)) {
                        word.push(more);
                    }
                    return Ok(Token::Word(word));
                }
                _ => return Ok(Token::Sign(first)),
            }
        }
    }

    /// What follows a slash. A single one would begin a comment in Java, which nobody means.
    fn comment(&mut self) -> Result<(), String> {
        match self.next() {
            Some('/') => {
                while self.next().is_some_and(|next| next != '\n') {}
                Ok(())
            }
            Some('*') => self.long_comment(),
            _ => Err(format!(
                "line {}: a '/' outside of quotes; paths stand in double quotes",
                self.line
            )),
        }
    }

    fn long_comment(&mut self) -> Result<(), String> {
        let begun = self.line;
        let mut before = ' ';
        while let Some(next) = self.next() {
            if before == '*' && next == '/' {
                return Ok(());
            }
            before = next;
        }
        Err(format!("line {begun}: a comment without an end"))
    }

    fn quoted(&mut self) -> Result<Token, String> {
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(Token::Quoted(text)),
                Some('\\') => match self.next().ok_or("ends in the middle of a text")? {
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    other => text.push(other),
                },
                Some('\n') | None => {
                    return Err(format!("line {}: a text in quotes has no end", self.line));
                }
                Some(other) => text.push(other),
            }
        }
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '$' | '_' | '-' | '*' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Result<Vec<String>, String> {
        let files = credential_files(text)?;
        let texts = files.iter().map(|file| file.display().to_string());
        Ok(texts.collect())
    }

    #[test]
    fn the_file_of_apaches_example_is_found() {
        let text = "KafkaConnect {\n    \
                    org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule required\n    \
                    file=\"/mnt/secret/credentials.properties\";\n};\n";
        assert_eq!(files(text).unwrap(), ["/mnt/secret/credentials.properties"]);
    }

    #[test]
    fn comments_other_entries_options_and_several_modules_are_read() {
        let text = format!(
            "/* a\n comment */ KafkaClient {{ org.x.Plain required username=\"a\" password=\"b;}}\"; }};\n\
             // another\n\"KafkaConnect\" {{ {MODULE} REQUIRED debug=true file = \"/a b\\\\c\\\"d\" ;\n\
             {MODULE} sufficient file=\"${{/}}x\"; }};"
        );
        assert_eq!(files(&text).unwrap(), ["/a b\\c\"d", "/x"]);
        let other = format!("other {{ {MODULE} optional file=\"o\"; }};");
        assert_eq!(files(&other).unwrap(), ["o"]);
    }

    #[test]
    fn what_cannot_be_meant_is_named_with_its_line() {
        let module = |rest: &str| format!("KafkaConnect {{\n{MODULE} {rest}\n}};");
        let cases = [
            (String::new(), "no entry 'KafkaConnect'"),
            (
                "KafkaClient { x required; };".to_owned(),
                "no entry 'KafkaConnect'",
            ),
            (
                "KafkaConnect { org.x.Ldap required url=\"ldap:x\"; };".to_owned(),
                "line 1: the login module 'org.x.Ldap' is a Java class",
            ),
            (
                module("required;"),
                "line 2: Property Credentials file must be specified",
            ),
            (
                module("required file=\"\";"),
                "line 2: Property Credentials file",
            ),
            (
                module("file=\"x\";"),
                "line 2: expected required, requisite",
            ),
            (
                module("required file=/mnt/x;"),
                "line 2: a '/' outside of quotes",
            ),
            (
                module("required file \"x\";"),
                "line 2: expected '=', found a text in quotes",
            ),
            (
                module("required file=\"x\""),
                "expected an option, or ';' behind the last one, found '}'",
            ),
            (
                module("required file=\"x\n\";"),
                "a text in quotes has no end",
            ),
            (
                module("required file=\"${user.home}/x\";"),
                "line 2: the value of 'file' asks for",
            ),
            (
                format!("KafkaConnect {{ {MODULE} required file=\"x\"; }}"),
                "expected ';', found the end",
            ),
            (
                "KafkaConnect { };".to_owned(),
                "expected the class of a login module, found '}'",
            ),
            (
                "/* KafkaConnect".to_owned(),
                "line 1: a comment without an end",
            ),
            (
                "A { x required; }; A { x required; };".to_owned(),
                "a second entry 'A'",
            ),
        ];
        for (text, expected) in cases {
            let error = files(&text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn javas_option_names_the_file() {
        let file = |options: &str| file_of_options(options).map(|file| file.display().to_string());
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            file("-Xmx1g -Djava.security.auth.login.config=/a/b.conf -Dx=y"),
            some("/a/b.conf")
        );
        assert_eq!(
            file("-Djava.security.auth.login.config=/a -Djava.security.auth.login.config==/b"),
            some("/b")
        );
        assert_eq!(
            file("-Djava.security.auth.login.config=file:/a"),
            some("/a")
        );
        assert_eq!(
            file("-Djava.security.auth.login.config=file:///a"),
            some("/a")
        );
        assert_eq!(file("-Djava.security.auth.login.config="), None);
        assert_eq!(file("-Djava.security.krb5.conf=/a"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[ \n{}=;\"/*\\\\a-cK$]{0,60}") {
            drop(credential_files(&text));
        }
    }
}
