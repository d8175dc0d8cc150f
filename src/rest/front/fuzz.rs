//! Damaged heads of requests.

use proptest::prelude::*;

use super::head;
use crate::fuzz::{bounded, mutated, samples, search};

const HEADS: &[&str] = &[
    "POST /connectors?forward=true HTTP/1.1\r\nHost: h:8083\r\nContent-Type: application/json\r\nContent-Length: 12\r\nX-Connect-Authorization: AAAA\r\nX-Connect-Request-Signature-Algorithm: HmacSHA256\r\nExpect: 100-continue\r\n\r\n",
    "PUT http://h/connectors/a%2Fb/config HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
    "OPTIONS /x HTTP/1.0\r\nOrigin: http://o\r\nAccess-Control-Request-Method: PUT\r\nAccept: */*\r\n\r\n",
];

#[test]
fn a_damaged_head_is_one_request_or_refused_with_a_status() {
    search(
        2000,
        || mutated(samples(HEADS)),
        |bytes| {
            match bounded(bytes.len(), || head::parse(&bytes, 100_000))? {
                Ok(Some(head)) => {
                    prop_assert!(head.size <= bytes.len());
                    prop_assert!(head.target.starts_with('/'), "{}", head.target);
                }
                Ok(None) => {}
                Err(failure) => prop_assert!((400..=599).contains(&failure.status)),
            }
            Ok(())
        },
    );
}
