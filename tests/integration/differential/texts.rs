//! Random bytes for converters to read: what they wrote, damaged or not, and texts that are almost
//! something.

use super::generate::Generator;

const TOKENS: [&str; 36] = [
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\"",
    "\\",
    " ",
    "a",
    "bc",
    "1",
    "-2",
    "3.5",
    "1e3",
    "007",
    "true",
    "false",
    "null",
    "\"x\"",
    "\"a\":1",
    "[1,2]",
    "{\"k\":2}",
    "2024-01-31",
    "12:34:56.789Z",
    "2024-01-31T12:34:56.789Z",
    "2024-99-01",
    "\\\"",
    "\\:",
    "\n",
    "٣",
    "é",
    "😀",
    "99999999999999999999",
    "1.0",
    "NaN",
];

/// Text that a header may hold.
pub(crate) fn header_text(generator: &mut Generator) -> String {
    if generator.one_in(4) {
        return generator.text();
    }
    let count = generator.random.usize(1..8);
    (0..count).map(|_| generator.pick(&TOKENS)).collect()
}

/// JSON without a schema.
pub(crate) fn json(generator: &mut Generator, depth: u32) -> String {
    if depth > 0 && generator.one_in(2) {
        let count = generator.random.usize(..5);
        if generator.random.bool() {
            let items: Vec<String> = (0..count).map(|_| json(generator, depth - 1)).collect();
            return format!("[{}]", items.join(","));
        }
        let members: Vec<String> = (0..count)
            .map(|_| {
                let name = serde_json::to_string(generator.name()).unwrap_or_default();
                format!("{name}:{}", json(generator, depth - 1))
            })
            .collect();
        return format!("{{{}}}", members.join(", "));
    }
    match generator.random.u32(..6) {
        0 => serde_json::to_string(&generator.text()).unwrap_or_default(),
        1 => generator.long().to_string(),
        2 => generator
            .pick(&[
                "1.5",
                "-0.0",
                "1e400",
                "12345678901234567890",
                "2.50",
                "1E2",
                "0.1e-7",
                "-1",
            ])
            .to_owned(),
        3 => generator.pick(&["true", "false", "null"]).to_owned(),
        4 => "\"\\u00e9\\ud83d\\ude00\\n\"".to_owned(),
        _ => generator.random.i32(-99..99).to_string(),
    }
}

/// Bytes with a few changes.
pub(crate) fn damaged(generator: &mut Generator, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..generator.random.usize(1..4) {
        let at = generator.random.usize(..=bytes.len());
        match generator.random.u32(..4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, generator.random.u8(..)),
            2 => bytes.insert(at, generator.pick(b"{}[],:\"\\0 9-e.nt")),
            _ if at < bytes.len() => bytes[at] = generator.pick(b"{}[],:\"\\0 9-e.nt"),
            _ => {}
        }
    }
    bytes
}
