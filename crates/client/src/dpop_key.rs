//! The key to which a token is bound, and the proofs that the client has it.
//! Source: RFC 9449, with the rules of `docs/protocol.md`.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SystemRandom, fill};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use entity_stream_protocol::DpopProof;
use serde_json::{Value, json};

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
/// The characters in a line of a PEM file (RFC 7468, section 2).
const LINE: usize = 64;

/// A private key, with the curve P-256, to which tokens are bound (DPoP). `Debug` does not show it.
pub struct DpopKey {
    pair: EcdsaKeyPair,
    /// The public key, with its members in the order of RFC 7638.
    jwk: Value,
    thumbprint: String,
}

/// The text is not a key for proofs of possession. The message does not repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a private key of the curve P-256 in PEM (PKCS #8); \
     `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` generates one"
)]
pub struct InvalidDpopKey;

/// The operating system returned no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system returned no random numbers")]
pub struct NoRandomNumbers;

impl DpopKey {
    /// Generates a key.
    ///
    /// # Errors
    /// [`NoRandomNumbers`].
    pub fn generate() -> Result<Self, NoRandomNumbers> {
        Self::of(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| NoRandomNumbers)?)
            .ok_or(NoRandomNumbers)
    }

    /// Reads a key in PEM (PKCS #8).
    ///
    /// # Errors
    /// [`InvalidDpopKey`] for any other text.
    pub fn from_pem(text: &str) -> Result<Self, InvalidDpopKey> {
        let (_, rest) = text.split_once(BEGIN).ok_or(InvalidDpopKey)?;
        let (base64, _) = rest.split_once(END).ok_or(InvalidDpopKey)?;
        let base64: String = base64.split_whitespace().collect();
        let der = STANDARD.decode(base64).map_err(|_| InvalidDpopKey)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).map_err(|_| InvalidDpopKey)?;
        Self::of(pair).ok_or(InvalidDpopKey)
    }

    /// The private key in PEM (PKCS #8). Only its owner may read it.
    ///
    /// # Errors
    /// [`InvalidDpopKey`] if the library cannot write the key.
    pub fn to_pem(&self) -> Result<String, InvalidDpopKey> {
        let der = self.pair.to_pkcs8v1().map_err(|_| InvalidDpopKey)?;
        let base64 = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> =
            (0..base64.len()).step_by(LINE).filter_map(|at| base64.get(at..base64.len().min(at + LINE))).collect();
        Ok(format!("{BEGIN}\n{}\n{END}\n", lines.join("\n")))
    }

    /// The thumbprint of the public key (RFC 7638), the `cnf.jkt` of a token that is bound to it.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The point of a P-256 key is a byte, and two numbers of 32 bytes.
    fn of(pair: EcdsaKeyPair) -> Option<Self> {
        let point = pair.public_key().as_ref().to_vec();
        let (x, y) = (URL_SAFE_NO_PAD.encode(point.get(1..33)?), URL_SAFE_NO_PAD.encode(point.get(33..65)?));
        let required = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let jwk = json!({ "crv": "P-256", "kty": "EC", "x": x, "y": y });
        Some(Self { pair, jwk, thumbprint: hash(&required) })
    }
}

impl fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DpopKey({})", self.thumbprint)
    }
}

/// A token and the key to which it is bound.
#[derive(Debug)]
pub(crate) struct Possession {
    key: Arc<DpopKey>,
    /// The hash of the token.
    token: String,
}

impl Possession {
    pub(crate) fn new(token: &str, key: Arc<DpopKey>) -> Self {
        Self { key, token: hash(token) }
    }

    /// A new proof for this URL, whose query does not count.
    ///
    /// # Errors
    /// [`NoRandomNumbers`].
    pub(crate) fn prove(&self, url: &str) -> Result<DpopProof, NoRandomNumbers> {
        let mut id = [0; 16];
        fill(&mut id).map_err(|_| NoRandomNumbers)?;
        let url = url.split(['?', '#']).next().unwrap_or_default();
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.jwk });
        let claims = json!({
            "jti": URL_SAFE_NO_PAD.encode(id), "htm": "GET", "htu": url, "iat": seconds(), "ath": self.token,
        });
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = self.key.pair.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|_| NoRandomNumbers)?;
        let proof = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
        DpopProof::new(&proof).ok_or(NoRandomNumbers)
    }
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

#[expect(clippy::disallowed_methods, reason = "the server compares the time of a proof with its own clock")]
fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written() {
        let key = DpopKey::generate().unwrap();
        let pem = key.to_pem().unwrap();
        assert!(pem.lines().all(|line| line.len() <= LINE));
        let read = DpopKey::from_pem(&format!("a comment\n{}", pem.replace('\n', "\r\n"))).unwrap();
        assert_eq!(read.thumbprint(), key.thumbprint());
        assert_eq!(format!("{key:?}"), format!("DpopKey({})", key.thumbprint()));
        assert_ne!(DpopKey::generate().unwrap().thumbprint(), key.thumbprint());
    }

    /// The key of RFC 9449, section 4.1, as its private half is in the examples of RFC 7515, appendix A.3.
    #[test]
    fn the_thumbprint_is_that_of_the_standard() {
        let point = ["l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"];
        let required = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, point[0], point[1]);
        assert_eq!(hash(&required), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    #[test]
    fn other_texts_are_refused_and_not_repeated() {
        let pem = DpopKey::generate().unwrap().to_pem().unwrap();
        for text in ["", "secret", &pem[..100], &pem.replace('A', "!"), &format!("{BEGIN}\nc2VjcmV0\n{END}")] {
            let error = DpopKey::from_pem(text).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn each_proof_is_another_one() {
        let possession = Possession::new("a.b.c", Arc::new(DpopKey::generate().unwrap()));
        let [one, other] = [0; 2].map(|_| possession.prove("wss://host/live?tenant=demo").unwrap());
        assert_ne!(one, other);
        let claims = one.expose().split('.').nth(1).unwrap();
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        assert_eq!((&claims["htu"], &claims["ath"]), (&json!("wss://host/live"), &json!(hash("a.b.c"))));
        assert!(!format!("{possession:?}").contains("a.b.c"));
    }
}
