use std::collections::HashSet;

use entity_stream_protocol::AccessToken;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// A key and its allowed algorithms. They come from the configuration and the key's type, never from the token. If a public
/// key were accepted as an HMAC secret, anyone could sign tokens.
#[derive(Clone)]
pub(crate) struct VerificationKey {
    pub(crate) key: DecodingKey,
    pub(crate) algorithms: Vec<Algorithm>,
}

impl VerificationKey {
    /// True if the key verifies signatures of this algorithm.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }
}

/// The claims of a token that one of the keys verifies.
pub(crate) fn signed_claims<'a>(
    token: &AccessToken,
    algorithm: Algorithm,
    keys: impl IntoIterator<Item = &'a VerificationKey>,
) -> Result<Map<String, Value>, Refusal> {
    let mut refusal = Refusal::Algorithm;
    for key in keys.into_iter().filter(|key| key.fits(algorithm)) {
        match signed_by(token.expose(), algorithm, key) {
            Ok(claims) => return Ok(claims),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

/// The claims of a signed text that this key verifies. The key has to fit the algorithm.
pub(crate) fn signed_by(
    text: &str,
    algorithm: Algorithm,
    key: &VerificationKey,
) -> Result<Map<String, Value>, Refusal> {
    // The validation accepts only algorithms of the family of its key.
    let mut validation = Validation::new(algorithm);
    validation.algorithms.clone_from(&key.algorithms);
    // The claims are checked later. The times are compared with the clock of the system, and a refusal has the subject.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims = HashSet::new();
    let decoded = decode::<Map<String, Value>>(text, &key.key, &validation);
    decoded.map(|decoded| decoded.claims).map_err(|error| refusal_of(error.kind()))
}

fn refusal_of(error: &ErrorKind) -> Refusal {
    match error {
        ErrorKind::InvalidSignature => Refusal::Signature,
        ErrorKind::InvalidAlgorithm
        | ErrorKind::InvalidAlgorithmName
        | ErrorKind::UnsupportedAlgorithm
        | ErrorKind::MissingAlgorithm
        | ErrorKind::InvalidKeyFormat => Refusal::Algorithm,
        _ => Refusal::MalformedCredential,
    }
}
