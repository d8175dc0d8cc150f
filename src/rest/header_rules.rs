//! `response.http.headers.config`: headers that every answer carries (Kafka:
//! `RestServerConfig.RESPONSE_HTTP_HEADERS_CONFIG`, Jetty's `HeaderFilter`).

use std::borrow::Cow;

/// Headers of an answer.
pub(super) type Headers = Vec<(Cow<'static, str>, String)>;

#[derive(Debug, PartialEq, Eq)]
enum Content {
    Text(String),
    /// A time this many milliseconds from now.
    Date(i64),
}

#[derive(Debug, PartialEq, Eq)]
struct Rule {
    /// In place of others of the name, or beside them.
    replaces: bool,
    name: String,
    content: Content,
}

/// The rules in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct HeaderRules(Vec<Rule>);

impl HeaderRules {
    /// Reads `[set|add|setDate|addDate] name: value` rules between commas; a rule that holds a comma
    /// stands in double quotes.
    ///
    /// # Errors
    /// Says what is wrong with which rule.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut rules = Vec::new();
        for rule in split(text) {
            let parsed = Rule::parse(&rule).map_err(|why| {
                format!("'{rule}' {why}; a rule reads [set|add|setDate|addDate] name: value")
            });
            rules.push(parsed?);
        }
        Ok(Self(rules))
    }

    pub(super) fn apply(&self, headers: &mut Headers) {
        for rule in &self.0 {
            if rule.replaces {
                headers.retain(|(name, _)| !name.eq_ignore_ascii_case(&rule.name));
            }
            let value = match &rule.content {
                Content::Text(text) => text.clone(),
                Content::Date(offset) => date(*offset),
            };
            headers.push((Cow::Owned(rule.name.clone()), value));
        }
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let action = text.split_once(char::is_whitespace);
        let (action, rest) = action.ok_or("has no action")?;
        let (replaces, is_date) = match action.to_ascii_lowercase().as_str() {
            "set" => (true, false),
            "add" => (false, false),
            "setdate" => (true, true),
            "adddate" => (false, true),
            _ => return Err("has an unknown action"),
        };
        let (name, value) = rest.split_once(':').ok_or("has no colon")?;
        let (name, value) = (name.trim(), value.trim());
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err("has no valid header name");
        }
        let about_the_body = [
            "content-length",
            "transfer-encoding",
            "connection",
            "content-type",
        ];
        if about_the_body.contains(&name.to_ascii_lowercase().as_str()) {
            return Err("names a header that the server itself sets");
        }
        if !value
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
        {
            return Err("has a value that no header can carry");
        }
        let content = if is_date {
            let offset = value.parse().map_err(|_| "has no number of milliseconds")?;
            Content::Date(offset)
        } else {
            Content::Text(value.to_owned())
        };
        Ok(Self {
            replaces,
            name: name.to_owned(),
            content,
        })
    }
}

fn split(text: &str) -> Vec<String> {
    let mut rules = vec![String::new()];
    let mut quoted = false;
    for character in text.chars() {
        match (character, rules.last_mut()) {
            ('"', _) => quoted = !quoted,
            (',', _) if !quoted => rules.push(String::new()),
            (_, Some(rule)) => rule.push(character),
            (_, None) => {}
        }
    }
    let trimmed = rules.iter().map(|rule| rule.trim().to_owned());
    trimmed.filter(|rule| !rule.is_empty()).collect()
}

fn date(offset_ms: i64) -> String {
    let now = jiff::Timestamp::now();
    let moved = now.checked_add(jiff::SignedDuration::from_millis(offset_ms));
    let time = moved.unwrap_or(now).to_zoned(jiff::tz::TimeZone::UTC);
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_set_and_add_and_hold_commas_in_quotes() {
        let text = r#" set X-Frame-Options: DENY, "add Cache-Control: no-cache, no-store","ADD  Cache-Control: private" "#;
        let mut headers: Headers = vec![("x-frame-options".into(), "old".to_owned())];
        HeaderRules::parse(text).unwrap().apply(&mut headers);
        let expected: Headers = [
            ("X-Frame-Options", "DENY"),
            ("Cache-Control", "no-cache, no-store"),
            ("Cache-Control", "private"),
        ]
        .map(|(name, value)| (name.into(), value.to_owned()))
        .to_vec();
        assert_eq!(headers, expected);
        assert_eq!(HeaderRules::parse(""), Ok(HeaderRules::default()));
    }

    #[test]
    fn dates_are_counted_from_now() {
        let mut headers = Headers::new();
        HeaderRules::parse("setDate Expires: -31536000000")
            .unwrap()
            .apply(&mut headers);
        assert!(headers[0].1.ends_with(" GMT"), "{headers:?}");
        assert_eq!(headers[0].1.len(), 29);
    }

    #[test]
    fn rules_that_could_split_or_contradict_an_answer_are_refused() {
        for bad in [
            "X: y",
            "put X: y",
            "set X y",
            "set : y",
            "set X\u{e9}: y",
            "set X: a\r\nB: c",
            "set Content-Length: 3",
            "addDate Expires: soon",
        ] {
            assert!(HeaderRules::parse(bad).is_err(), "{bad:?}");
        }
    }
}
