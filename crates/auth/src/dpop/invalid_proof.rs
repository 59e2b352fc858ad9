use entity_stream_protocol::limits::{PROOF_AGE, PROOF_BYTES, PROOF_ID_BYTES};

/// The reason for which a proof is refused. The messages are for the client. They repeat nothing of the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProof {
    /// The text is not a JSON Web Token.
    #[error("the DPoP proof is not a JSON Web Token of at most {} KB", PROOF_BYTES / 1024)]
    Malformed,
    /// The `typ` is another one.
    #[error("the DPoP proof has another typ than dpop+jwt")]
    Type,
    /// The algorithm is not allowed, or does not fit the key.
    #[error("the DPoP proof is not signed with ES256, ES384, EdDSA, RS256 or PS256, or its key is of another type")]
    Algorithm,
    /// The header has no public key.
    #[error("the DPoP proof has no jwk with a public key and nothing else in its header")]
    Key,
    /// The token is bound to another key.
    #[error("the DPoP proof is signed with another key than that of the token")]
    OtherKey,
    /// The signature is wrong.
    #[error("the signature of the DPoP proof is wrong")]
    Signature,
    /// The proof is for another method.
    #[error("the htm of the DPoP proof is not GET")]
    Method,
    /// The proof is for another endpoint.
    #[error("the htu of the DPoP proof does not name the host and the path of this endpoint")]
    Endpoint,
    /// The proof is too old, or from the future.
    #[error("the iat of the DPoP proof differs by {} seconds or more from the server's clock", PROOF_AGE.as_secs())]
    Time,
    /// The proof is for another token.
    #[error("the ath of the DPoP proof is not the hash of the token")]
    Token,
    /// The proof has no id, or one that is too long.
    #[error("the DPoP proof has no jti of 1 to {PROOF_ID_BYTES} bytes")]
    Id,
    /// The proof was used before.
    #[error("the DPoP proof was used before: create a new one with another jti")]
    Used,
}

impl InvalidProof {
    /// All reasons.
    pub const ALL: [Self; 12] = [
        Self::Malformed,
        Self::Type,
        Self::Algorithm,
        Self::Key,
        Self::OtherKey,
        Self::Signature,
        Self::Method,
        Self::Endpoint,
        Self::Time,
        Self::Token,
        Self::Id,
        Self::Used,
    ];
}
