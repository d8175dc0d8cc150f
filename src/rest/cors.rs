//! `access.control.allow.*`: which pages of other origins browsers let in (Jetty's `CrossOriginHandler`, as
//! Kafka sets it up).

use regex::{Regex, RegexBuilder};

use super::header_rules::Headers;
use super::router::Request;

/// Jetty's methods where none are configured.
const METHODS: &str = "GET,POST,HEAD";
/// Jetty's headers; nobody can configure others.
const HEADERS: &str = "Content-Type";
/// Seconds that a browser may remember the answer to a preflight.
const MAX_AGE: &str = "60";

/// The origins that are let in, and what they may do.
#[derive(Debug)]
pub(super) struct Cors {
    origins: Vec<Origin>,
    methods: String,
}

#[derive(Debug)]
enum Origin {
    Any,
    /// As it was written, and as the regular expression that Jetty takes it for.
    Matching(String, Regex),
}

impl Origin {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let pattern = RegexBuilder::new(&format!("^(?:{text})$"))
            .case_insensitive(true)
            .build();
        let pattern = pattern.map_err(|error| {
            format!("'{text}' is neither * nor an origin or regular expression: {error}")
        })?;
        Ok(Self::Matching(text.to_owned(), pattern))
    }

    fn admits(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Matching(text, pattern) => {
                text.eq_ignore_ascii_case(origin) || pattern.is_match(origin)
            }
        }
    }
}

impl Cors {
    /// Reads the two keys; `None` where no origin is let in.
    ///
    /// # Errors
    /// Names the entry that is no regular expression.
    pub(super) fn parse(origins: &str, methods: &str) -> Result<Option<Self>, String> {
        let entries = origins.split(',').map(str::trim);
        let entries = entries.filter(|entry| !entry.is_empty());
        let origins = entries.map(Origin::parse).collect::<Result<Vec<_>, _>>()?;
        let methods = match methods.trim() {
            "" => METHODS,
            methods => methods,
        };
        Ok((!origins.is_empty()).then(|| Self {
            origins,
            methods: methods.to_owned(),
        }))
    }

    /// Adds what the answer to `request` says about its origin.
    pub(super) fn apply(&self, request: &Request, headers: &mut Headers) {
        // Also without an origin: caches must not give this answer to others.
        headers.push(("Vary".into(), "Origin".to_owned()));
        let Some(origin) = &request.origin else {
            return;
        };
        if !self.admits(origin) {
            return;
        }
        let mut add =
            |name: &'static str, value: &str| headers.push((name.into(), value.to_owned()));
        add("Access-Control-Allow-Origin", origin);
        if request.preflight && request.method == "OPTIONS" {
            add("Access-Control-Allow-Methods", &self.methods);
            add("Access-Control-Allow-Headers", HEADERS);
            add("Access-Control-Max-Age", MAX_AGE);
        }
    }

    /// A redirected request may name several origins; one of them is enough.
    pub(super) fn admits(&self, origins: &str) -> bool {
        let mut single = origins.split(' ').filter(|origin| !origin.is_empty());
        single.any(|origin| self.origins.iter().any(|known| known.admits(origin)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cors: &Cors, origin: Option<&str>, preflight: bool) -> Vec<(String, String)> {
        let request = Request {
            method: if preflight { "OPTIONS" } else { "GET" }.to_owned(),
            origin: origin.map(str::to_owned),
            preflight,
            ..Request::default()
        };
        let mut headers = Headers::new();
        cors.apply(&request, &mut headers);
        let plain = headers.into_iter();
        plain
            .map(|(name, value)| (name.into_owned(), value))
            .collect()
    }

    #[test]
    fn origins_are_texts_and_patterns_of_the_whole() {
        let cors = Cors::parse(
            " http://a.b:80, https://.*\\.example\\.com,http://[::1]:9",
            "",
        );
        let cors = cors.unwrap().unwrap();
        for (origin, admitted) in [
            ("http://a.b:80", true),
            ("http://axb:80", true),
            ("http://a.b:8080", false),
            ("xhttp://a.b:80", false),
            ("https://x.example.com", true),
            ("https://x.example.com.evil.net", false),
            ("http://[::1]:9", true),
            ("http://c http://a.b:80", true),
            ("null", false),
        ] {
            assert_eq!(cors.admits(origin), admitted, "{origin}");
        }
        assert!(Cors::parse("*", "").unwrap().unwrap().admits("null"));
        assert!(Cors::parse(" , ", "GET").unwrap().is_none());
        let error = Cors::parse("http://(", "").unwrap_err();
        assert!(error.starts_with("'http://(' is neither"), "{error}");
    }

    #[test]
    fn preflights_hear_more_and_others_only_that_the_origin_matters() {
        let cors = Cors::parse("http://a", "GET,PUT").unwrap().unwrap();
        let vary = ("Vary".to_owned(), "Origin".to_owned());
        assert_eq!(headers(&cors, None, false), std::slice::from_ref(&vary));
        assert_eq!(headers(&cors, Some("http://b"), true), [vary]);
        assert_eq!(headers(&cors, Some("http://a"), false).len(), 2);
        let preflight = headers(&cors, Some("http://a"), true);
        let value = |wanted: &str| {
            let found = preflight.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(value("Access-Control-Allow-Origin"), Some("http://a"));
        assert_eq!(value("Access-Control-Allow-Credentials"), None);
        assert_eq!(value("Access-Control-Allow-Methods"), Some("GET,PUT"));
        assert_eq!(value("Access-Control-Allow-Headers"), Some("Content-Type"));
        assert_eq!(value("Access-Control-Max-Age"), Some("60"));
    }
}
