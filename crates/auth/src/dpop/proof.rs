//! The check of a proof. The cheap checks come first, and the signature last.

use entity_stream_protocol::limits::{PROOF_AGE, PROOF_BYTES, PROOF_ID_BYTES};
use entity_stream_protocol::{DpopProof, EpochMillis};
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use serde_json::{Map, Value};

use super::binding::{ProofBinding, hash};
use super::endpoint::ProofEndpoint;
use super::invalid_proof::InvalidProof;
use crate::inspect::Unverified;
use crate::key_set::usable;
use crate::verification_key::{VerificationKey, signed_by};

/// The members of a public key. All others are ignored: browsers add `ext` and `key_ops`, and disagree about `alg`.
const PUBLIC_MEMBERS: [&str; 6] = ["kty", "crv", "x", "y", "n", "e"];
/// The members of a private or symmetric key. A client that sends one gives its key away.
/// Source: RFC 7518, section 6.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The id of a proof, which no other proof of the same key has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofId(String);

impl ProofId {
    /// The id as text of fixed length: a hash of the key and of the `jti`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ProofBinding {
    /// Checks a proof of the key for this endpoint. A proof with the id that this method returns must not have been used before.
    ///
    /// # Errors
    /// [`InvalidProof`]: the reason for the client.
    pub fn check(
        &self,
        proof: &DpopProof,
        endpoint: &ProofEndpoint,
        now: EpochMillis,
    ) -> Result<ProofId, InvalidProof> {
        let text = proof.expose();
        if text.len() > PROOF_BYTES {
            return Err(InvalidProof::Malformed);
        }
        let Unverified { header, claims } = Unverified::read(text).ok_or(InvalidProof::Malformed)?;
        if header.get("typ").and_then(Value::as_str) != Some("dpop+jwt") {
            return Err(InvalidProof::Type);
        }
        // RFC 7515, section 4.1.11: no critical header is understood.
        if header.contains_key("crit") {
            return Err(InvalidProof::Malformed);
        }
        let algorithm = algorithm(&header)?;
        let jwk = public_key(&header)?;
        let key = usable(&jwk).ok_or(InvalidProof::Key)?;
        if !key.fits(algorithm) {
            return Err(InvalidProof::Algorithm);
        }
        if jwk.thumbprint(ThumbprintHash::SHA256).ok().as_ref() != Some(&self.key) {
            return Err(InvalidProof::OtherKey);
        }
        let id = self.check_claims(&claims, endpoint, now)?;
        let key = VerificationKey { algorithms: vec![algorithm], ..key };
        signed_by(text, algorithm, &key).map_err(|_| InvalidProof::Signature)?;
        Ok(id)
    }

    fn check_claims(
        &self,
        claims: &Map<String, Value>,
        endpoint: &ProofEndpoint,
        now: EpochMillis,
    ) -> Result<ProofId, InvalidProof> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("htm") != Some("GET") {
            return Err(InvalidProof::Method);
        }
        if !text("htu").is_some_and(|htu| endpoint.is_named_by(htu)) {
            return Err(InvalidProof::Endpoint);
        }
        let issued = claims.get("iat").and_then(Value::as_f64).filter(|seconds| seconds.is_finite());
        let age = issued.map(|seconds| (now.millis() as f64 / 1000.0 - seconds).abs());
        if !age.is_some_and(|age| age < PROOF_AGE.as_secs_f64()) {
            return Err(InvalidProof::Time);
        }
        if claims.contains_key("ath") && text("ath") != Some(&self.token) {
            return Err(InvalidProof::Token);
        }
        let jti = text("jti").filter(|jti| (1..=PROOF_ID_BYTES).contains(&jti.len())).ok_or(InvalidProof::Id)?;
        // A thumbprint has a fixed length, so different pairs have different texts.
        Ok(ProofId(hash(&format!("{}{jti}", self.key))))
    }
}

fn algorithm(header: &Map<String, Value>) -> Result<Algorithm, InvalidProof> {
    match header.get("alg").and_then(Value::as_str) {
        Some("ES256") => Ok(Algorithm::ES256),
        Some("ES384") => Ok(Algorithm::ES384),
        Some("EdDSA") => Ok(Algorithm::EdDSA),
        Some("RS256") => Ok(Algorithm::RS256),
        Some("PS256") => Ok(Algorithm::PS256),
        _ => Err(InvalidProof::Algorithm),
    }
}

/// The key in the header of a proof.
fn public_key(header: &Map<String, Value>) -> Result<Jwk, InvalidProof> {
    let jwk = header.get("jwk").and_then(Value::as_object).ok_or(InvalidProof::Key)?;
    if PRIVATE_MEMBERS.iter().any(|member| jwk.contains_key(*member)) {
        return Err(InvalidProof::Key);
    }
    let public = jwk.iter().filter(|(member, _)| PUBLIC_MEMBERS.contains(&member.as_str()));
    let public: Map<String, Value> = public.map(|(member, value)| (member.clone(), value.clone())).collect();
    serde_json::from_value(public.into()).map_err(|_| InvalidProof::Key)
}
