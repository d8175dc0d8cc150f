//! PKCS12 stores (RFC 7292), as `keytool` and `openssl` write them. Read only.
//!
//! As in Java: a certificate counts as trusted when it has Oracle's mark for that, and a key's chain
//! begins with the certificate of the same local key id and goes on by issuer and subject.

use ring::digest;

use super::der::{Reader, tag};
use super::error::StoreProblem;
use super::pbe::{self, Use};
use super::stores::{Contents, KeyEntry};

const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 6];
/// The kinds of bags; the last number follows.
const BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1];
const X509: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 22, 1];
const FRIENDLY_NAME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 20];
const LOCAL_KEY_ID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 21];
/// 2.16.840.1.113894.746875.1.1
const TRUSTED_KEY_USAGE: &[u8] = &[
    0x60, 0x86, 0x48, 1, 0x86, 0xf9, 0x66, 0xad, 0xca, 0x7b, 1, 1,
];
const SHA1: &[u8] = &[0x2b, 14, 3, 2, 26];
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2];
const PBMAC1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 14];
/// Bags may lie in bags.
const DEPTH_MAX: u32 = 4;

/// Passwords, and how much work the file may ask for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening<'a> {
    /// `None`: what is encrypted can't be read.
    pub(super) password: Option<&'a str>,
    /// `None`: keys are left out.
    pub(super) key_password: Option<&'a str>,
    pub(super) rounds_max: u32,
}

/// Reads a store.
///
/// # Errors
/// A wrong or missing password, or bytes that are no such store.
pub(super) fn read(bytes: &[u8], opening: Opening<'_>) -> Result<Contents, StoreProblem> {
    let mut pfx = Reader::new(bytes).sequence()?;
    if pfx.u32()? != 3 {
        return Err(StoreProblem::Malformed("its version is not 3"));
    }
    let mut content = pfx.sequence()?;
    if content.oid()? != DATA {
        return Err(StoreProblem::Unsupported("signed store".to_owned()));
    }
    let safe = content.explicit_0()?.octets()?;
    if let Some(password) = opening.password
        && !pfx.is_empty()
    {
        check_mac(pfx.sequence()?, password, safe, opening.rounds_max)?;
    }
    let mut found = Found::default();
    let mut safes = Reader::new(safe).sequence()?;
    while !safes.is_empty() {
        let contents = safe_contents(safes.sequence()?, opening)?;
        found.add_bags(&contents, opening, 0)?;
    }
    found.contents(opening.key_password.is_some())
}

fn check_mac(
    mut mac: Reader<'_>,
    password: &str,
    safe: &[u8],
    rounds_max: u32,
) -> Result<(), StoreProblem> {
    let mut info = mac.sequence()?;
    let oid = info.sequence()?.oid()?;
    let told = info.octets()?;
    let salt = mac.octets()?;
    let rounds = match mac.is_empty() {
        true => 1,
        false => mac.u32()?,
    };
    let hash = match oid.strip_prefix(SHA2) {
        _ if oid == SHA1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        Some([1]) => &digest::SHA256,
        Some([2]) => &digest::SHA384,
        Some([3]) => &digest::SHA512,
        _ if oid == PBMAC1 => {
            return Err(StoreProblem::Unsupported(
                "check sum of kind PBMAC1; `openssl pkcs12 -export` without -pbmac1_pbkdf2 writes another"
                    .to_owned(),
            ));
        }
        _ => return Err(pbe::unsupported("a check sum", oid)),
    };
    let rounds = pbe::checked_rounds(rounds, rounds_max)?;
    let password = pbe::utf16(password);
    let key = pbe::derive(hash, Use::Mac, &password, salt, rounds, hash.output_len());
    match pbe::mac_fits(hash, &key, safe, told) {
        true => Ok(()),
        false => Err(StoreProblem::WrongPassword),
    }
}

/// The bags of one part of the store, decrypted if need be.
fn safe_contents(mut part: Reader<'_>, opening: Opening<'_>) -> Result<Vec<u8>, StoreProblem> {
    let kind = part.oid()?;
    if kind == DATA {
        return part.explicit_0()?.octets().map(<[u8]>::to_vec);
    }
    if kind != ENCRYPTED_DATA {
        return Err(pbe::unsupported("a part of the store", kind));
    }
    let password = opening.password.ok_or(StoreProblem::PasswordNeeded)?;
    let mut data = part.explicit_0()?.sequence()?;
    data.u32()?;
    let mut info = data.sequence()?;
    info.oid()?;
    let algorithm = info.sequence()?;
    let encrypted = info.expect(tag::IMPLICIT_0)?;
    pbe::decrypt(algorithm, password, encrypted, opening.rounds_max)
}

/// A certificate with what is said of it.
#[derive(Debug)]
struct Certificate {
    der: Vec<u8>,
    key_id: Option<Vec<u8>>,
    trusted: bool,
}

#[derive(Debug)]
struct Key {
    /// Empty when it was not opened.
    key: Vec<u8>,
    alias: String,
    key_id: Option<Vec<u8>>,
}

/// What the bags hold.
#[derive(Debug, Default)]
struct Found {
    keys: Vec<Key>,
    certificates: Vec<Certificate>,
}

/// What is said of a bag.
#[derive(Debug, Default)]
struct Attributes {
    alias: String,
    key_id: Option<Vec<u8>>,
    trusted: bool,
}

impl Attributes {
    fn read(mut set: Reader<'_>) -> Result<Self, StoreProblem> {
        let mut attributes = Self::default();
        while !set.is_empty() {
            let mut attribute = set.sequence()?;
            let oid = attribute.oid()?;
            let mut values = Reader::new(attribute.value()?.body);
            if oid == TRUSTED_KEY_USAGE {
                attributes.trusted = true;
            } else if oid == LOCAL_KEY_ID && !values.is_empty() {
                attributes.key_id = Some(values.value()?.body.to_vec());
            } else if oid == FRIENDLY_NAME && !values.is_empty() {
                attributes.alias = utf16_text(values.value()?.body);
            }
        }
        Ok(attributes)
    }
}

fn utf16_text(bytes: &[u8]) -> String {
    let units = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

impl Found {
    fn add_bags(
        &mut self,
        contents: &[u8],
        opening: Opening<'_>,
        depth: u32,
    ) -> Result<(), StoreProblem> {
        if depth > DEPTH_MAX {
            return Err(StoreProblem::Malformed("bags lie too deep in bags"));
        }
        let mut bags = Reader::new(contents).sequence()?;
        while !bags.is_empty() {
            let mut bag = bags.sequence()?;
            let oid = bag.oid()?;
            let mut value = bag.explicit_0()?;
            let attributes = match bag.is_empty() {
                true => Attributes::default(),
                false => Attributes::read(Reader::new(bag.value()?.body))?,
            };
            match oid.strip_prefix(BAG) {
                Some([1]) => self.add_key(value.whole()?.to_vec(), attributes),
                Some([2]) => {
                    let key = open_key(value.sequence()?, opening)?;
                    self.add_key(key, attributes);
                }
                Some([3]) => self.add_certificate(value.sequence()?, attributes)?,
                Some([6]) => self.add_bags(value.whole()?, opening, depth + 1)?,
                // Password keys and revocation lists have no part in TLS here.
                _ => {}
            }
        }
        Ok(())
    }

    fn add_key(&mut self, key: Vec<u8>, attributes: Attributes) {
        self.keys.push(Key {
            key,
            alias: attributes.alias,
            key_id: attributes.key_id,
        });
    }

    fn add_certificate(
        &mut self,
        mut bag: Reader<'_>,
        attributes: Attributes,
    ) -> Result<(), StoreProblem> {
        // Other kinds (SDSI) are certificates of nobody here.
        if bag.oid()? == X509 {
            self.certificates.push(Certificate {
                der: bag.explicit_0()?.octets()?.to_vec(),
                key_id: attributes.key_id,
                trusted: attributes.trusted,
            });
        }
        Ok(())
    }

    /// Keys with their chains, and what is trusted. `opened`: keys could be read.
    fn contents(self, opened: bool) -> Result<Contents, StoreProblem> {
        let mut contents = Contents::default();
        for key in &self.keys {
            let chain = self.chain_of(key)?;
            if opened {
                contents.keys.push(KeyEntry {
                    alias: key.alias.clone(),
                    key: key.key.clone(),
                    chain,
                });
            } else if let Some(own) = chain.into_iter().next() {
                contents.own.push(own);
            }
        }
        for certificate in self.certificates {
            match certificate.trusted {
                true => contents.trusted.push(certificate.der),
                false => contents.unmarked += 1,
            }
        }
        Ok(contents)
    }

    fn chain_of(&self, key: &Key) -> Result<Vec<Vec<u8>>, StoreProblem> {
        let unmarked = || self.certificates.iter().filter(|found| !found.trusted);
        let own = unmarked()
            .find(|found| key.key_id.is_some() && found.key_id == key.key_id)
            .or_else(|| unmarked().find(|_| key.key_id.is_none()));
        let mut chain: Vec<Vec<u8>> = Vec::new();
        let mut next = own;
        while let Some(certificate) = next {
            let names = Names::of(&certificate.der)?;
            chain.push(certificate.der.clone());
            if names.issuer == names.subject {
                break;
            }
            next = None;
            for other in unmarked() {
                // What is in the chain already would lead round in a circle.
                if !chain.contains(&other.der) && Names::of(&other.der)?.subject == names.issuer {
                    next = Some(other);
                    break;
                }
            }
        }
        Ok(chain)
    }
}

fn open_key(mut info: Reader<'_>, opening: Opening<'_>) -> Result<Vec<u8>, StoreProblem> {
    let algorithm = info.sequence()?;
    let encrypted = info.octets()?;
    match opening.key_password {
        Some(password) => pbe::decrypt(algorithm, password, encrypted, opening.rounds_max),
        None => Ok(Vec::new()),
    }
}

/// Who issued a certificate, and for whom, as they stand in it.
#[derive(Debug, PartialEq, Eq)]
struct Names<'a> {
    issuer: &'a [u8],
    subject: &'a [u8],
}

impl<'a> Names<'a> {
    fn of(der: &'a [u8]) -> Result<Self, StoreProblem> {
        let mut body = Reader::new(der).sequence()?.sequence()?;
        if body.peek() == Some(tag::EXPLICIT_0) {
            // The version.
            body.value()?;
        }
        body.expect(tag::INTEGER)?;
        body.value()?;
        let issuer = body.whole()?;
        body.value()?;
        let subject = body.whole()?;
        Ok(Self { issuer, subject })
    }
}
