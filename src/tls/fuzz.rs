//! Damaged stores: what is read of them, or an error; never a panic, and no more work than a sound one.

use proptest::prelude::*;

use super::pkcs12::Opening;
use super::{jks, pem, pkcs12, stores};
use crate::fuzz::{Blob, Outcome, bounded, mutated, mutated_text, search};

/// Rounds of key derivation that a damaged store may ask for: sound samples have 10,000.
const ROUNDS_MAX: u32 = 20_000;

fn pkcs12_stores() -> BoxedStrategy<Blob> {
    mutated(vec![
        include_bytes!("samples/own.keytool.p12").to_vec(),
        include_bytes!("samples/own.legacy.p12").to_vec(),
        include_bytes!("samples/own.openssl.p12").to_vec(),
        include_bytes!("samples/ca.p12").to_vec(),
    ])
}

fn jks_stores() -> BoxedStrategy<Blob> {
    mutated(vec![
        include_bytes!("samples/own.jks").to_vec(),
        include_bytes!("samples/ca.jks").to_vec(),
    ])
}

fn pem_texts() -> BoxedStrategy<String> {
    mutated_text(&[
        include_str!("samples/own.pem"),
        include_str!("samples/own.aes.pem"),
        include_str!("samples/ca.pem"),
    ])
}

#[test]
fn a_damaged_pkcs12_store_is_read_or_refused() {
    search(96, pkcs12_stores, |store: Blob| -> Outcome {
        // Without a password the check sum does not keep the damage away from what comes after.
        for password in [Some("changeit"), None] {
            let opening = Opening {
                password,
                key_password: password,
                rounds_max: ROUNDS_MAX,
            };
            bounded(store.len(), || drop(pkcs12::read(&store, opening)))?;
        }
        Ok(())
    });
}

#[test]
fn a_damaged_jks_store_is_read_or_refused() {
    search(512, jks_stores, |store: Blob| -> Outcome {
        for (password, key_password) in [
            (Some("changeit"), Some("keypass")),
            (None, Some("keypass")),
            (None, None),
        ] {
            bounded(store.len(), || {
                drop(jks::read(&store, password, key_password))
            })?;
        }
        Ok(())
    });
}

#[test]
fn damaged_pem_is_read_or_refused() {
    search(512, pem_texts, |text: String| -> Outcome {
        bounded(text.len(), || drop(pem::entries(&text)))?;
        bounded(text.len(), || drop(stores::pem_certificates(&text)))
    });
}

#[test]
fn a_circle_of_certificates_is_no_endless_chain() {
    // Two certificates that issued each other, as far as their names say.
    let certificate = |issuer: u8, subject: u8| {
        let name = |n: u8| vec![0x30, 1, n];
        let mut body = vec![2, 1, 1, 0x30, 0];
        body.extend(name(issuer));
        body.extend([0x30, 0]);
        body.extend(name(subject));
        wrap(0x30, &[wrap(0x30, &[body])])
    };
    let bag = |der: Vec<u8>, key_id: bool| {
        let oid = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 22, 1];
        let value = wrap(
            0x30,
            &[wrap(6, &[oid.to_vec()]), wrap(0xa0, &[wrap(4, &[der])])],
        );
        let kind = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 3];
        let mut parts = vec![wrap(6, &[kind.to_vec()]), wrap(0xa0, &[value])];
        parts.extend(key_id.then(key_id_of));
        wrap(0x30, &parts)
    };
    let kind = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 1];
    let key = wrap(0x30, &[vec![2, 1, 0]]);
    let key = wrap(
        0x30,
        &[wrap(6, &[kind.to_vec()]), wrap(0xa0, &[key]), key_id_of()],
    );
    let bags = wrap(
        0x30,
        &[
            key,
            bag(certificate(1, 2), true),
            bag(certificate(2, 1), false),
        ],
    );
    let data = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
    let content = |inner: Vec<u8>| {
        wrap(
            0x30,
            &[wrap(6, &[data.to_vec()]), wrap(0xa0, &[wrap(4, &[inner])])],
        )
    };
    let store = wrap(
        0x30,
        &[vec![2, 1, 3], content(wrap(0x30, &[content(bags)]))],
    );
    let opening = Opening {
        password: None,
        key_password: Some("x"),
        rounds_max: 1,
    };
    let read = pkcs12::read(&store, opening).unwrap();
    assert_eq!(read.keys[0].chain.len(), 2);
}

/// The attribute that joins a key and its certificate.
fn key_id_of() -> Vec<u8> {
    let oid = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 21];
    let value = wrap(0x31, &[wrap(4, &[vec![7]])]);
    wrap(0x31, &[wrap(0x30, &[wrap(6, &[oid.to_vec()]), value])])
}

fn wrap(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let body = parts.concat();
    let mut out = vec![tag, 0x82];
    out.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    out.extend(body);
    out
}
