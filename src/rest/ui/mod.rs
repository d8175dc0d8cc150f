//! `GET /ui`: a page that manages the worker, in one answer and with nothing from outside.
//!
//! ```text
//! page/page.html   the frame; {nonce}, {style} and {script} are filled in
//! page/style.css
//! page/*.js        joined in the order of SCRIPTS within one function
//! ```
//!
//! The page uses the REST API as any other client. Its content security policy lets the browser run the
//! page's own script alone (by a nonce, made for each answer) and speak to this worker alone, and nobody
//! may put it into a frame. Texts from connectors become text nodes and are never read as HTML.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::response::{Failure, Response};

const FRAME: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
/// In the order in which they are joined.
const SCRIPTS: &[&str] = &[
    include_str!("page/dom.js"),
    include_str!("page/api.js"),
    include_str!("page/plots.js"),
    include_str!("page/metrics.js"),
    include_str!("page/list.js"),
    include_str!("page/connector.js"),
    include_str!("page/properties.js"),
    include_str!("page/editor.js"),
    include_str!("page/offsets.js"),
    include_str!("page/preview.js"),
    include_str!("page/worker.js"),
    include_str!("page/main.js"),
];
/// What the nonce of an answer is put in place of.
const NONCE: &str = "{nonce}";

/// The page.
///
/// # Errors
/// 500 when the kernel gives no random bytes.
pub(super) fn page() -> Result<Response, Failure> {
    let nonce = nonce().map_err(|error| {
        Failure::new(
            500,
            format!("no random bytes for the page's nonce: {error}"),
        )
    })?;
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let response = Response {
        content_type: "text/html;charset=utf-8",
        body: whole().replace(NONCE, &nonce).into_bytes(),
        ..Response::empty(200)
    };
    Ok(response
        .with_header("Content-Security-Policy", policy)
        .with_header("Cache-Control", "no-store".to_owned())
        .with_header("Referrer-Policy", "no-referrer".to_owned())
        .with_header("X-Content-Type-Options", "nosniff".to_owned()))
}

/// The page but for its nonce, put together once.
fn whole() -> &'static str {
    static WHOLE: OnceLock<String> = OnceLock::new();
    WHOLE.get_or_init(|| {
        FRAME
            .replace("{style}", STYLE)
            .replace("{script}", &SCRIPTS.join("\n"))
    })
}

/// 128 random bits.
fn nonce() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = &mut bytes[filled..];
        filled += rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(response: &Response) -> String {
        let named = |(name, _): &&(_, String)| *name == "Content-Security-Policy";
        response.headers.iter().find(named).unwrap().1.clone()
    }

    #[test]
    fn the_page_is_whole_and_takes_nothing_from_outside() {
        let response = page().unwrap();
        let text = String::from_utf8(response.body.clone()).unwrap();
        for left in ["{nonce}", "{style}", "{script}"] {
            assert!(!text.contains(left), "{left}");
        }
        for outside in ["src=", "@import", "https://", "//cdn"] {
            assert!(!text.contains(outside), "{outside}");
        }
        // The name space of SVG is the one address in it.
        assert_eq!(text.matches("http://").count(), 1);
        // Texts of connectors are never read as HTML.
        for dangerous in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ] {
            assert!(!text.contains(dangerous), "{dangerous}");
        }
    }

    #[test]
    fn each_answer_has_a_nonce_of_its_own_that_its_policy_names() {
        let (one, other) = (page().unwrap(), page().unwrap());
        assert_ne!(policy(&one), policy(&other));
        for response in [one, other] {
            let policy = policy(&response);
            let nonce = policy.split("script-src 'nonce-").nth(1).unwrap();
            let nonce = nonce.split('\'').next().unwrap();
            let text = String::from_utf8(response.body).unwrap();
            assert_eq!(text.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
        }
    }
}
