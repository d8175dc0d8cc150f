//! SCRAM (RFC 5802) as Kafka's clients speak it: no channel binding, names and passwords as they are.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};

use crate::api::config_def::Password;
use crate::clients::{Credentials, ScramHash};
use crate::shard;

/// Fewest rounds that a broker may ask for, as Kafka has it: with fewer, who listens guesses passwords.
const ROUNDS_MIN: u32 = 4096;
/// Most rounds: a second of work and more.
const ROUNDS_MAX: u32 = 1 << 20;
const NONCE_BYTES: usize = 24;
/// `n,,` in base64: no channel binding.
const NO_BINDING: &str = "biws";

/// The algorithms of a mechanism.
#[derive(Clone, Copy)]
struct Algorithms {
    hash: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
    pbkdf2: pbkdf2::Algorithm,
}

impl Algorithms {
    fn of(hash: ScramHash) -> Self {
        match hash {
            ScramHash::Sha256 => Self {
                hash: &digest::SHA256,
                hmac: hmac::HMAC_SHA256,
                pbkdf2: pbkdf2::PBKDF2_HMAC_SHA256,
            },
            ScramHash::Sha512 => Self {
                hash: &digest::SHA512,
                hmac: hmac::HMAC_SHA512,
                pbkdf2: pbkdf2::PBKDF2_HMAC_SHA512,
            },
        }
    }

    fn hmac(&self, key: &[u8], text: &str) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(self.hmac, key), text.as_bytes())
    }
}

/// Where the exchange is.
#[derive(Debug)]
enum State {
    /// The first message is out.
    Begun,
    /// The proof is out; the broker has to prove that it knows the password, too.
    Proven {
        server_key: hmac::Key,
        message: String,
    },
    Done,
}

/// One exchange.
pub(super) struct Scram {
    algorithms: Algorithms,
    password: Password,
    nonce: String,
    /// The first message without its head.
    bare: String,
    state: State,
}

impl Scram {
    /// An exchange with a nonce of its own.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn new(
        hash: ScramHash,
        credentials: &Credentials,
        token: bool,
    ) -> Result<Self, String> {
        let mut nonce = [0; NONCE_BYTES];
        SystemRandom::new()
            .fill(&mut nonce)
            .map_err(|_| "the system has no random numbers".to_owned())?;
        let nonce = STANDARD.encode(nonce);
        Ok(Self::with_nonce(hash, credentials, token, nonce))
    }

    fn with_nonce(hash: ScramHash, credentials: &Credentials, token: bool, nonce: String) -> Self {
        let name = credentials.username.replace('=', "=3D").replace(',', "=2C");
        let extension = if token { ",tokenauth=true" } else { "" };
        Self {
            algorithms: Algorithms::of(hash),
            password: credentials.password.clone(),
            bare: format!("n={name},r={nonce}{extension}"),
            nonce,
            state: State::Begun,
        }
    }

    /// The client's first message.
    pub(super) fn first(&self) -> Vec<u8> {
        format!("n,,{}", self.bare).into_bytes()
    }

    /// Answers a message of the server; `None` when it has proven itself.
    ///
    /// # Errors
    /// What is wrong with the message.
    pub(super) async fn answer(&mut self, message: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let message =
            std::str::from_utf8(message).map_err(|_| "a message is no text".to_owned())?;
        match std::mem::replace(&mut self.state, State::Done) {
            State::Begun => self.prove(message).await.map(Some),
            State::Proven {
                server_key,
                message: signed,
            } => {
                check_server(&server_key, &signed, message)?;
                Ok(None)
            }
            State::Done => Err("the broker goes on after the end".to_owned()),
        }
    }

    async fn prove(&mut self, first: &str) -> Result<Vec<u8>, String> {
        let first = ServerFirst::parse(first)?;
        if !first.nonce.starts_with(&self.nonce) || first.nonce.len() == self.nonce.len() {
            return Err("the broker's nonce does not begin with ours".to_owned());
        }
        if !(ROUNDS_MIN..=ROUNDS_MAX).contains(&first.rounds.get()) {
            return Err(format!(
                "the broker asks for {} rounds; {ROUNDS_MIN} to {ROUNDS_MAX} are accepted",
                first.rounds
            ));
        }
        let algorithms = self.algorithms;
        let password = self.password.clone();
        let (salt, rounds) = (first.salt, first.rounds);
        // Milliseconds of work, which would hold up the shard's tasks.
        let salted = shard::blocking(move || {
            let mut salted = vec![0; algorithms.hash.output_len()];
            let password = password.reveal().as_bytes();
            pbkdf2::derive(algorithms.pbkdf2, rounds, &salt, password, &mut salted);
            salted
        });
        let salted = salted.await.map_err(|error| error.to_string())?;
        let unproven = format!("c={NO_BINDING},r={}", first.nonce);
        let message = format!("{},{},{unproven}", self.bare, first.text);
        let client_key = algorithms.hmac(&salted, "Client Key");
        let stored_key = digest::digest(algorithms.hash, client_key.as_ref());
        let signature = algorithms.hmac(stored_key.as_ref(), &message);
        let pairs = client_key.as_ref().iter().zip(signature.as_ref());
        let proof: Vec<u8> = pairs.map(|(key, sign)| key ^ sign).collect();
        let server_key = algorithms.hmac(&salted, "Server Key");
        self.state = State::Proven {
            server_key: hmac::Key::new(algorithms.hmac, server_key.as_ref()),
            message,
        };
        Ok(format!("{unproven},p={}", STANDARD.encode(proof)).into_bytes())
    }
}

/// `r=…,s=…,i=…`
struct ServerFirst<'a> {
    text: &'a str,
    nonce: &'a str,
    salt: Vec<u8>,
    rounds: NonZeroU32,
}

impl<'a> ServerFirst<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        let wrong = || "the broker's first message is malformed".to_owned();
        let mut parts = text.split(',').peekable();
        // Something mandatory that is not understood would begin with m=, and is refused with it.
        let mut part = |name: &str| parts.next().and_then(|part| part.strip_prefix(name));
        let nonce = part("r=").ok_or_else(wrong)?;
        let salt = part("s=").ok_or_else(wrong)?;
        let rounds = part("i=").ok_or_else(wrong)?;
        Ok(Self {
            text,
            nonce,
            salt: STANDARD.decode(salt).map_err(|_| wrong())?,
            rounds: rounds.parse().map_err(|_| wrong())?,
        })
    }
}

/// `v=…`, or `e=` with a reason.
fn check_server(key: &hmac::Key, signed: &str, last: &str) -> Result<(), String> {
    let last = last.split(',').next().unwrap_or_default();
    if let Some(reason) = last.strip_prefix("e=") {
        return Err(format!("the broker says {reason}"));
    }
    let signature = last.strip_prefix("v=").map(|text| STANDARD.decode(text));
    let Some(Ok(signature)) = signature else {
        return Err("the broker's last message is malformed".to_owned());
    };
    hmac::verify(key, signed.as_bytes(), &signature)
        .map_err(|_| "the broker does not know the password: it is not who it should be".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::{RuntimeKind, run};

    fn scram(hash: ScramHash, name: &str, nonce: &str) -> Scram {
        let credentials = Credentials {
            username: name.to_owned(),
            password: Password::new("pencil"),
        };
        Scram::with_nonce(hash, &credentials, false, nonce.to_owned())
    }

    fn answer(mut scram: Scram, messages: &[&str]) -> Vec<Result<Option<String>, String>> {
        let messages: Vec<String> = messages.iter().map(|&text| text.to_owned()).collect();
        run(RuntimeKind::Epoll, None, async move {
            let mut answers = Vec::new();
            for message in messages {
                let answer = scram.answer(message.as_bytes()).await;
                answers
                    .push(answer.map(|bytes| bytes.map(|bytes| String::from_utf8(bytes).unwrap())));
            }
            answers
        })
        .unwrap()
    }

    // RFC 7677, section 3.
    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    #[test]
    fn the_exchange_is_that_of_the_standards_example() {
        let scram = scram(ScramHash::Sha256, "user", NONCE);
        assert_eq!(scram.first(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let answers = answer(
            scram,
            &[
                SERVER_FIRST,
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ],
        );
        assert_eq!(
            answers,
            [
                Ok(Some(
                    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                     p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
                        .to_owned()
                )),
                Ok(None)
            ]
        );
    }

    #[test]
    fn a_broker_that_does_not_know_the_password_is_refused() {
        let scram = scram(ScramHash::Sha256, "user", NONCE);
        let answers = answer(scram, &[SERVER_FIRST, "v=AAAA"]);
        let error = answers[1].as_ref().unwrap_err();
        assert!(error.contains("does not know the password"), "{error}");
    }

    #[test]
    fn names_are_escaped_and_tokens_marked() {
        let credentials = Credentials {
            username: "a=b,c".to_owned(),
            password: Password::new("x"),
        };
        let scram = Scram::with_nonce(ScramHash::Sha512, &credentials, true, "N".to_owned());
        assert_eq!(scram.first(), b"n,,n=a=3Db=2Cc,r=N,tokenauth=true");
    }

    #[test]
    fn messages_that_lie_are_refused() {
        for (message, part) in [
            ("", "malformed"),
            ("r=other,s=AAAA,i=4096", "does not begin with ours"),
            ("r=N,s=AAAA,i=4096", "does not begin with ours"),
            ("r=Nmore,s=AAAA,i=4095", "4095 rounds"),
            ("r=Nmore,s=AAAA,i=2000000000", "2000000000 rounds"),
            ("r=Nmore,s=?,i=4096", "malformed"),
            ("m=x,r=Nmore,s=AAAA,i=4096", "malformed"),
        ] {
            let answers = answer(scram(ScramHash::Sha512, "user", "N"), &[message]);
            let error = answers[0].as_ref().unwrap_err();
            assert!(error.contains(part), "{message}: {error}");
        }
    }
}
