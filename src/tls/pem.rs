//! PEM (RFC 7468), read as widely as Kafka does: text around the entries, header lines in them, and
//! entries on one line, since values of a properties file often have lost their line ends.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::StoreProblem;

/// An entry: `CERTIFICATE`, `ENCRYPTED PRIVATE KEY`, … and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) label: String,
    pub(super) der: Vec<u8>,
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// Whether `bytes` look like PEM at all.
pub(super) fn is_pem(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, BEGIN.as_bytes()).is_some()
}

/// All entries of a text.
///
/// # Errors
/// An entry without an end, or one that is no base64.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, StoreProblem> {
    let mut entries = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(BEGIN) {
        let (label, after) = rest[at + BEGIN.len()..]
            .split_once(DASHES)
            .ok_or(StoreProblem::Malformed("a BEGIN line has no end"))?;
        let (body, after) = after
            .split_once(END)
            .ok_or(StoreProblem::Malformed("an entry has no END line"))?;
        entries.push(Entry {
            label: label.trim().to_owned(),
            der: decode(body)?,
        });
        rest = after;
    }
    Ok(entries)
}

fn decode(body: &str) -> Result<Vec<u8>, StoreProblem> {
    // A header such as `Proc-Type: 4,ENCRYPTED` has a colon, base64 has none.
    let lines = body.lines().filter(|line| !line.contains(':'));
    let base64: String = lines
        .flat_map(str::chars)
        .filter(|c| !c.is_whitespace())
        .collect();
    STANDARD
        .decode(base64)
        .map_err(|_| StoreProblem::Malformed("an entry is no base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(label: &str, der: &[u8]) -> Entry {
        Entry {
            label: label.to_owned(),
            der: der.to_vec(),
        }
    }

    #[test]
    fn entries_are_found_between_other_text_and_on_one_line() {
        let text = "subject=CN = x\n-----BEGIN CERTIFICATE-----\r\nAQ\r\nID\r\n-----END CERTIFICATE-----\n\
                    -----BEGIN PRIVATE KEY----- BAUG -----END PRIVATE KEY----- tail";
        assert_eq!(
            entries(text).unwrap(),
            [
                entry("CERTIFICATE", &[1, 2, 3]),
                entry("PRIVATE KEY", &[4, 5, 6])
            ]
        );
        assert_eq!(entries("nothing here").unwrap(), []);
        assert!(is_pem(text.as_bytes()) && !is_pem(b"nothing here"));
    }

    #[test]
    fn header_lines_are_passed_over() {
        let text = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n\
                    AQID\n-----END RSA PRIVATE KEY-----";
        assert_eq!(
            entries(text).unwrap(),
            [entry("RSA PRIVATE KEY", &[1, 2, 3])]
        );
    }

    #[test]
    fn half_an_entry_is_refused() {
        for text in [
            "-----BEGIN CERTIFICATE",
            "-----BEGIN CERTIFICATE-----\nAQID",
            "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----",
        ] {
            assert!(entries(text).is_err(), "{text}");
        }
    }
}
