use super::*;

/// By Java 17 and Apache's classes, see `tests/oracle`.
const FIXTURE: &str = include_str!("signature_4_3_1.tsv");

fn key(secret: &[u8]) -> SessionKey {
    SessionKey {
        key: secret.to_vec(),
        algorithm: "HmacSHA256".to_owned(),
        creation_timestamp: 0,
    }
}

fn lines(kind: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let rows = FIXTURE.lines().map(|line| line.split('\t').collect());
    rows.filter(move |columns: &Vec<&str>| columns[0] == kind)
}

fn from_base64(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap()
}

#[test]
fn bodies_are_signed_as_java_signs_them() {
    let mut known = 0;
    for columns in lines("mac") {
        let [_, name, secret, body, expected] = columns[..] else {
            panic!("{columns:?}");
        };
        let (key, body) = (key(&from_base64(secret)), from_base64(body));
        if let Some(message) = expected.strip_prefix('!') {
            let refused = RequestSignature::from_headers(Some(name), Some(""), &body).unwrap_err();
            assert_eq!((refused.status(), &*refused.to_string()), (400, message));
            continue;
        }
        let algorithm = MacAlgorithm::parse(name).expect(name);
        assert_eq!(sign(algorithm, &key, &body).signature, expected, "{name}");
        let signature = RequestSignature::from_headers(Some(name), Some(expected), &body);
        assert!(signature.unwrap().unwrap().is_valid(&key), "{name}");
        known += 1;
    }
    assert_eq!(known, 9 * 5 * 4);
}

#[test]
fn keys_have_the_lengths_of_javas() {
    let mut seen = 0;
    for columns in lines("key") {
        let [_, name, bits, expected] = columns[..] else {
            panic!("{columns:?}");
        };
        let size = (bits != "-").then(|| bits.parse().unwrap());
        let made = KeyGenerator::new(name, size);
        match expected.strip_prefix('!') {
            Some(message) => {
                let error = made.unwrap_err();
                assert!(error.ends_with(&format!(": {message}")), "{error}");
            }
            None => {
                let generator = made.unwrap();
                assert_eq!(generator.length().to_string(), expected, "{name} {bits}");
                assert_eq!(generator.generate(7).unwrap().key.len(), generator.length());
            }
        }
        seen += 1;
    }
    assert_eq!(seen, 11 * 14);
    let error = KeyGenerator::new("HmacSHA256", Some(i32::MAX)).unwrap_err();
    assert!(error.contains("at most 65536 bits"), "{error}");
}

#[test]
fn no_two_session_keys_are_equal() {
    let generator = KeyGenerator::new("hmacsha256", None).unwrap();
    let (one, other) = (
        generator.generate(7).unwrap(),
        generator.generate(7).unwrap(),
    );
    assert_ne!(one.key, other.key);
    assert_eq!((&*one.algorithm, one.creation_timestamp), ("HmacSHA256", 7));
}

fn signed(algorithm: &str, signature: &str) -> Option<RequestSignature> {
    RequestSignature::from_headers(Some(algorithm), Some(signature), b"[]").unwrap()
}

#[test]
fn what_is_not_signed_as_it_should_be_is_refused_in_apaches_order() {
    let key = key(b"secret");
    let allowed = ["HmacSHA256".to_owned(), "HmacSHA512".to_owned()];
    let good = sign(MacAlgorithm::HmacSha256, &key, b"[]").signature;
    let check = |key: Option<&SessionKey>, signature: Option<RequestSignature>| {
        let verification = Verification {
            sessioned: true,
            key,
            algorithms: &allowed,
        };
        let done = verification.check(signature.as_ref());
        done.map_err(|refusal| (refusal.status(), refusal.to_string()))
    };
    let refused = |status: u16, text: &str| Err((status, text.to_owned()));
    let missing = "Internal request missing required signature";
    assert_eq!(check(None, None), refused(400, missing));
    let sha1 = signed("HmacSHA1", &good);
    let text = "This worker does not support the 'HmacSHA1' key signing algorithm used by other workers. This \
                worker is currently configured to use: [HmacSHA256, HmacSHA512]. Check that all workers' \
                configuration files permit the same set of signature algorithms, and correct any misconfigured \
                worker and restart it.";
    assert_eq!(check(None, sha1), refused(400, text));
    // Java finds the algorithm, and the list does not have it as it is written.
    let other_case = check(Some(&key), signed("hmacsha256", &good));
    assert_eq!(other_case.unwrap_err().0, 400);
    let text = "This worker is still starting up and has not been able to read a session key from the config topic yet";
    assert_eq!(check(None, signed("HmacSHA256", &good)), refused(503, text));
    let text = "Internal request contained invalid signature.";
    for wrong in ["", "AAAA", &good[..good.len() - 4]] {
        assert_eq!(
            check(Some(&key), signed("HmacSHA256", wrong)),
            refused(403, text)
        );
    }
    let another = sign(MacAlgorithm::HmacSha512, &key, b"[]").signature;
    assert_eq!(
        check(Some(&key), signed("HmacSHA256", &another)),
        refused(403, text)
    );
    assert_eq!(check(Some(&key), signed("HmacSHA256", &good)), Ok(()));
    assert_eq!(check(Some(&key), signed("HmacSHA512", &another)), Ok(()));
}

#[test]
fn before_the_group_is_sessioned_everything_is_let_in() {
    let verification = Verification {
        sessioned: false,
        key: None,
        algorithms: &[],
    };
    assert_eq!(verification.check(None), Ok(()));
    assert_eq!(verification.check(signed("HmacMD5", "").as_ref()), Ok(()));
}

#[test]
fn a_signature_needs_both_headers_and_base64() {
    let read = |algorithm, signature| RequestSignature::from_headers(algorithm, signature, b"");
    assert_eq!(read(None, Some("AAAA")), Ok(None));
    assert_eq!(read(Some("HmacSHA256"), None), Ok(None));
    // Without both Apache looks at neither.
    assert_eq!(read(Some("nonsense"), None), Ok(None));
    let refusal = read(Some("HmacSHA256"), Some("%%%%")).unwrap_err();
    assert_eq!(
        (refusal.status(), &*refusal.to_string()),
        (400, "Illegal base64 character 25")
    );
}

#[test]
fn neither_body_nor_signature_shows() {
    let shown = format!("{:?}", signed("HmacSHA256", "c2VjcmV0"));
    assert!(
        shown.contains("HmacSHA256") && shown.contains("body_length: 2"),
        "{shown}"
    );
    assert!(!shown.contains("115") && !shown.contains("c2Vj"), "{shown}");
}
