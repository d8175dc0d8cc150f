//! Decryption by password: what PKCS12 stores and encrypted PKCS#8 keys use. PBES2 with PBKDF2 and AES or
//! triple DES (RFC 8018), and the older schemes of PKCS12 with triple DES and RC2 (RFC 7292, appendix B).

use std::num::NonZeroU32;

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit};
use ring::{digest, hmac, pbkdf2};

use super::der::Reader;
use super::error::StoreProblem;

/// Most rounds that a key derivation may ask for, as in Java: a damaged or hostile file shall not take
/// minutes. What writes stores asks for 1,000 to 1,000,000.
pub(super) const ROUNDS_MAX: u32 = 5_000_000;

const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
const SCRYPT: &[u8] = &[0x2b, 6, 1, 4, 1, 0xda, 0x47, 4, 11];
/// `pkcs-12PbeIds`; the last number follows.
const PKCS12_PBE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1];
const HMAC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2];
const AES: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1];
const TRIPLE_DES: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 7];

/// What a key derivation of PKCS12 is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

/// Opens what was encrypted with `algorithm` (what is in an AlgorithmIdentifier); `rounds_max` bounds the
/// work.
pub(super) fn decrypt(
    mut algorithm: Reader<'_>,
    password: &str,
    data: &[u8],
    rounds_max: u32,
) -> Result<Vec<u8>, StoreProblem> {
    let oid = algorithm.oid()?;
    if oid == PBES2 {
        return pbes2(algorithm.sequence()?, password, data, rounds_max);
    }
    let Some([scheme]) = oid.strip_prefix(PKCS12_PBE) else {
        return Err(unsupported("a key", oid));
    };
    let mut params = algorithm.sequence()?;
    let salt = params.octets()?;
    let rounds = checked_rounds(params.u32()?, rounds_max)?;
    let password = utf16(password);
    let derive = |purpose, len| {
        let hash = &digest::SHA1_FOR_LEGACY_USE_ONLY;
        derive(hash, purpose, &password, salt, rounds, len)
    };
    let iv = derive(Use::Iv, 8);
    match *scheme {
        3 => open_cbc::<des::TdesEde3>(&derive(Use::Key, 24), &iv, data),
        4 => open_cbc::<des::TdesEde2>(&derive(Use::Key, 16), &iv, data),
        5 => open_cbc::<rc2::Rc2>(&derive(Use::Key, 16), &iv, data),
        6 => open_cbc::<rc2::Rc2>(&derive(Use::Key, 5), &iv, data),
        _ => Err(unsupported("a key", oid)),
    }
}

fn pbes2(
    mut params: Reader<'_>,
    password: &str,
    data: &[u8],
    rounds_max: u32,
) -> Result<Vec<u8>, StoreProblem> {
    let mut derivation = params.sequence()?;
    let mut encryption = params.sequence()?;
    let oid = derivation.oid()?;
    if oid == SCRYPT {
        return Err(StoreProblem::Unsupported("scrypt".to_owned()));
    }
    if oid != PBKDF2 {
        return Err(unsupported("a key derivation", oid));
    }
    let mut derivation = derivation.sequence()?;
    let salt = derivation.octets()?;
    let rounds = checked_rounds(derivation.u32()?, rounds_max)?;
    if derivation.peek() == Some(super::der::tag::INTEGER) {
        // The length of the key, which the cipher says as well.
        derivation.u32()?;
    }
    let prf = match derivation.is_empty() {
        true => pbkdf2::PBKDF2_HMAC_SHA1,
        false => prf(derivation.sequence()?.oid()?)?,
    };
    let cipher = encryption.oid()?;
    let iv = encryption.octets()?;
    let key = |len| {
        let mut key = vec![0; len];
        pbkdf2::derive(prf, rounds, salt, password.as_bytes(), &mut key);
        key
    };
    match cipher.strip_prefix(AES) {
        Some([2]) => open_cbc::<aes::Aes128>(&key(16), iv, data),
        Some([22]) => open_cbc::<aes::Aes192>(&key(24), iv, data),
        Some([42]) => open_cbc::<aes::Aes256>(&key(32), iv, data),
        _ if cipher == TRIPLE_DES => open_cbc::<des::TdesEde3>(&key(24), iv, data),
        _ => Err(unsupported("a cipher", cipher)),
    }
}

fn prf(oid: &[u8]) -> Result<pbkdf2::Algorithm, StoreProblem> {
    match oid.strip_prefix(HMAC) {
        Some([7]) => Ok(pbkdf2::PBKDF2_HMAC_SHA1),
        Some([9]) => Ok(pbkdf2::PBKDF2_HMAC_SHA256),
        Some([10]) => Ok(pbkdf2::PBKDF2_HMAC_SHA384),
        Some([11]) => Ok(pbkdf2::PBKDF2_HMAC_SHA512),
        _ => Err(unsupported("a key derivation's hash", oid)),
    }
}

/// Rounds within bounds.
pub(super) fn checked_rounds(rounds: u32, max: u32) -> Result<NonZeroU32, StoreProblem> {
    NonZeroU32::new(rounds)
        .filter(|rounds| rounds.get() <= max)
        .ok_or(StoreProblem::Malformed(
            "it asks for no rounds of key derivation, or for too many",
        ))
}

/// Padding that does not come out right is what a wrong password looks like.
fn open_cbc<C: KeyInit + BlockCipherDecrypt>(
    key: &[u8],
    iv: &[u8],
    data: &[u8],
) -> Result<Vec<u8>, StoreProblem> {
    let cipher = cbc::Decryptor::<C>::new_from_slices(key, iv)
        .map_err(|_| StoreProblem::Malformed("an initialisation vector has another length"))?;
    cipher
        .decrypt_padded_vec::<Pkcs7>(data)
        .map_err(|_| StoreProblem::WrongPassword)
}

/// The password as PKCS12 and JKS take it: two bytes for each UTF-16 unit, with a zero at the end.
pub(super) fn utf16(password: &str) -> Vec<u8> {
    let units = password.encode_utf16().chain(std::iter::once(0));
    units.flat_map(u16::to_be_bytes).collect()
}

/// RFC 7292, appendix B.2. `password` as [`utf16`] gives it.
pub(super) fn derive(
    hash: &'static digest::Algorithm,
    purpose: Use,
    password: &[u8],
    salt: &[u8],
    rounds: NonZeroU32,
    len: usize,
) -> Vec<u8> {
    let block = hash.block_len();
    let filled = |bytes: &[u8]| -> Vec<u8> {
        let len = bytes.len().div_ceil(block) * block;
        bytes.iter().copied().cycle().take(len).collect()
    };
    let diversifier = vec![purpose as u8; block];
    let mut input = filled(salt);
    input.extend(filled(password));
    let mut out = Vec::with_capacity(len + hash.output_len());
    while out.len() < len {
        let mut context = digest::Context::new(hash);
        context.update(&diversifier);
        context.update(&input);
        let mut sum = context.finish();
        for _ in 1..rounds.get() {
            sum = digest::digest(hash, sum.as_ref());
        }
        out.extend_from_slice(sum.as_ref());
        let added: Vec<u8> = sum.as_ref().iter().copied().cycle().take(block).collect();
        for part in input.chunks_mut(block) {
            add_one_more(part, &added);
        }
    }
    out.truncate(len);
    out
}

/// `number` + `added` + 1, as numbers of so many bytes, the first ones highest.
fn add_one_more(number: &mut [u8], added: &[u8]) {
    let mut carry = 1_u16;
    for (digit, more) in number.iter_mut().zip(added).rev() {
        let sum = u16::from(*digit) + u16::from(*more) + carry;
        let [high, low] = sum.to_be_bytes();
        *digit = low;
        carry = high.into();
    }
}

/// Checks the MAC over a PKCS12 store.
pub(super) fn mac_fits(
    hash: &'static digest::Algorithm,
    key: &[u8],
    data: &[u8],
    told: &[u8],
) -> bool {
    let algorithm = if hash == &digest::SHA1_FOR_LEGACY_USE_ONLY {
        hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY
    } else if hash == &digest::SHA384 {
        hmac::HMAC_SHA384
    } else if hash == &digest::SHA512 {
        hmac::HMAC_SHA512
    } else {
        hmac::HMAC_SHA256
    };
    hmac::verify(&hmac::Key::new(algorithm, key), data, told).is_ok()
}

/// Names an algorithm by its number.
pub(super) fn unsupported(what: &str, oid: &[u8]) -> StoreProblem {
    StoreProblem::Unsupported(format!("{what} of kind {}", dotted(oid)))
}

/// `1.2.840.113549.1.5.13`.
pub(super) fn dotted(oid: &[u8]) -> String {
    let mut numbers: Vec<u64> = Vec::new();
    let mut number = 0_u64;
    for byte in oid {
        number = number.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(number);
            number = 0;
        }
    }
    let first = numbers.first().copied().unwrap_or(0);
    let top = (first / 40).min(2);
    let mut text = format!("{top}.{}", first - 40 * top);
    for number in numbers.iter().skip(1) {
        text += &format!(".{number}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn keys_of_pkcs12_come_out_as_in_its_known_example() {
        // Test vectors of the PKCS12 key derivation that BouncyCastle and others share: "smeg".
        let derive = |purpose, salt: &str, len| {
            let rounds = NonZeroU32::MIN;
            let hash = &digest::SHA1_FOR_LEGACY_USE_ONLY;
            derive(hash, purpose, &utf16("smeg"), &hex(salt), rounds, len)
        };
        assert_eq!(
            derive(Use::Key, "0a58cf64530d823f", 24),
            hex("8aaae6297b6cb04642ab5b077851284eb7128f1a2a7fbca3")
        );
        assert_eq!(
            derive(Use::Iv, "0a58cf64530d823f", 8),
            hex("79993dfe048d3b76")
        );
    }

    #[test]
    fn rounds_are_bounded() {
        assert!(checked_rounds(0, 10).is_err());
        assert!(checked_rounds(10, 10).is_ok());
        assert!(checked_rounds(11, 10).is_err());
    }

    #[test]
    fn algorithms_are_named_by_number() {
        assert_eq!(dotted(PBES2), "1.2.840.113549.1.5.13");
        assert_eq!(
            dotted(&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42]),
            "2.16.840.1.101.3.4.1.42"
        );
        assert_eq!(dotted(&[]), "0.0");
    }
}
