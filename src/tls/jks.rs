//! Java's own key store (JKS, versions 1 and 2): keys under a protection of its own, certificates in the
//! clear, and a digest over all that takes the password in. Read only.

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA1_OUTPUT_LEN};

use super::der::Reader as Der;
use super::error::StoreProblem;
use super::pbe;
use super::stores::{Contents, KeyEntry};

const MAGIC: [u8; 4] = 0xfeed_feed_u32.to_be_bytes();
/// The JCE's variant, with other key protection.
const MAGIC_JCEKS: [u8; 4] = 0xcece_cece_u32.to_be_bytes();
const KEY_ENTRY: u32 = 1;
const CERTIFICATE_ENTRY: u32 = 2;
/// Goes into the digest with the password.
const WHITENER: &[u8] = b"Mighty Aphrodite";
/// 1.3.6.1.4.1.42.2.17.1.1, the key protection of Sun's provider.
const PROTECTOR: &[u8] = &[0x2b, 6, 1, 4, 1, 42, 2, 17, 1, 1];

pub(super) fn is_jks(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC) || bytes.starts_with(&MAGIC_JCEKS)
}

/// Reads a store. Without `password` its digest is not checked; keys are opened with `key_password`, or are
/// left out when there is none.
///
/// # Errors
/// A wrong password, or bytes that are no such store.
pub(super) fn read(
    bytes: &[u8],
    password: Option<&str>,
    key_password: Option<&str>,
) -> Result<Contents, StoreProblem> {
    if bytes.starts_with(&MAGIC_JCEKS) {
        return Err(StoreProblem::Unsupported(
            "JCEKS store; `keytool -importkeystore … -deststoretype PKCS12` makes another of it"
                .to_owned(),
        ));
    }
    let at = bytes
        .len()
        .checked_sub(SHA1_OUTPUT_LEN)
        .ok_or(StoreProblem::Malformed("it ends too early"))?;
    let (body, told) = bytes.split_at(at);
    if let Some(password) = password
        && digest_of(password, body) != told
    {
        return Err(StoreProblem::WrongPassword);
    }
    let mut reader = Reader { rest: body };
    reader.take(MAGIC.len())?;
    let version = reader.u32()?;
    if !(1..=2).contains(&version) {
        return Err(StoreProblem::Malformed("its version is neither 1 nor 2"));
    }
    let count = reader.u32()?;
    let mut contents = Contents::default();
    for _ in 0..count {
        let kind = reader.u32()?;
        let alias = reader.text()?;
        reader.take(8)?;
        match kind {
            KEY_ENTRY => {
                let protected = reader.bytes()?;
                let chain = reader.chain(version)?;
                if let Some(password) = key_password {
                    contents.keys.push(KeyEntry {
                        alias,
                        key: unprotect(protected, password)?,
                        chain,
                    });
                } else if let Some(own) = chain.into_iter().next() {
                    contents.own.push(own);
                }
            }
            CERTIFICATE_ENTRY => contents.trusted.push(reader.certificate(version)?),
            _ => return Err(StoreProblem::Malformed("an entry of an unknown kind")),
        }
    }
    Ok(contents)
}

/// The digest at the end of a store.
fn digest_of(password: &str, body: &[u8]) -> Vec<u8> {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(&units(password));
    context.update(WHITENER);
    context.update(body);
    context.finish().as_ref().to_vec()
}

/// The password's UTF-16 units, without a zero at the end.
fn units(password: &str) -> Vec<u8> {
    let mut units = pbe::utf16(password);
    units.truncate(units.len() - 2);
    units
}

/// Opens a key: its bytes are mixed with a chain of digests that a salt begins, and a digest of the plain
/// key tells whether the password was right.
fn unprotect(protected: &[u8], password: &str) -> Result<Vec<u8>, StoreProblem> {
    let mut info = Der::new(protected).sequence()?;
    let oid = info.sequence()?.oid()?;
    if oid != PROTECTOR {
        return Err(pbe::unsupported("a key protection", oid));
    }
    let data = info.octets()?;
    let short = StoreProblem::Malformed("a key ends too early");
    let (salt, rest) = data
        .split_at_checked(SHA1_OUTPUT_LEN)
        .ok_or(short.clone())?;
    let at = rest.len().checked_sub(SHA1_OUTPUT_LEN).ok_or(short)?;
    let (mixed, told) = rest.split_at(at);
    let password = units(password);
    let sum = |bytes: &[u8]| {
        let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        context.update(&password);
        context.update(bytes);
        context.finish()
    };
    let mut key = Vec::with_capacity(mixed.len());
    let mut previous = sum(salt);
    for part in mixed.chunks(SHA1_OUTPUT_LEN) {
        key.extend(part.iter().zip(previous.as_ref()).map(|(a, b)| a ^ b));
        previous = sum(previous.as_ref());
    }
    if sum(&key).as_ref() != told {
        return Err(StoreProblem::WrongPassword);
    }
    Ok(key)
}

/// Java's `DataInputStream`.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], StoreProblem> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(StoreProblem::Malformed("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, StoreProblem> {
        let bytes = self.take(4)?;
        Ok(bytes
            .iter()
            .fold(0, |number, byte| (number << 8) | u32::from(*byte)))
    }

    fn bytes(&mut self) -> Result<&'a [u8], StoreProblem> {
        let len = self.u32()?;
        let len =
            usize::try_from(len).map_err(|_| StoreProblem::Malformed("a length is too large"))?;
        self.take(len)
    }

    /// Java's modified UTF-8; only for messages.
    fn text(&mut self) -> Result<String, StoreProblem> {
        let len = self.take(2)?;
        let len = (usize::from(len[0]) << 8) | usize::from(len[1]);
        Ok(String::from_utf8_lossy(self.take(len)?).into_owned())
    }

    fn certificate(&mut self, version: u32) -> Result<Vec<u8>, StoreProblem> {
        if version == 2 {
            let kind = self.text()?;
            if kind != "X.509" && kind != "X509" {
                return Err(StoreProblem::Unsupported(format!(
                    "a certificate of type {kind}"
                )));
            }
        }
        self.bytes().map(<[u8]>::to_vec)
    }

    fn chain(&mut self, version: u32) -> Result<Vec<Vec<u8>>, StoreProblem> {
        let count = self.u32()?;
        // Each certificate is read before the next is counted on, so that the count allots nothing.
        (0..count).map(|_| self.certificate(version)).collect()
    }
}
