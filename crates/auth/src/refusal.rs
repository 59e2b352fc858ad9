/// The reason for which a client may not listen. [`Refusal::reason`] is for logs and metrics. [`Refusal::message`] is for the
/// client and reveals nothing that helps to forge a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The handshake has no credential.
    #[error("no credential")]
    NoCredential,
    /// The credential is unreadable or repeated.
    #[error("malformed credential")]
    MalformedCredential,
    /// The token is longer than the limit.
    #[error("credential too long")]
    CredentialTooLong,
    /// The token is not signed with an algorithm that the configured key allows.
    #[error("algorithm not allowed")]
    Algorithm,
    /// The token's key is not among the issuer's.
    #[error("unknown key")]
    UnknownKey,
    /// The token's key is not among the issuer's that are known, and the next look is not allowed yet.
    #[error("unknown key for now")]
    UnknownKeyForNow,
    /// The issuer's keys cannot be fetched.
    #[error("keys unavailable")]
    KeysUnavailable,
    /// The signature is wrong.
    #[error("wrong signature")]
    Signature,
    /// The token has no `exp`, or its `exp` is not a time.
    #[error("no expiry")]
    NoExpiry,
    /// The token or the API key has expired.
    #[error("expired")]
    Expired,
    /// The token is not valid yet.
    #[error("not valid yet")]
    NotYetValid,
    /// The token is from another issuer.
    #[error("wrong issuer")]
    Issuer,
    /// The token is for another audience.
    #[error("wrong audience")]
    Audience,
    /// The token has no `sub`, or a forbidden one.
    #[error("no acceptable subject")]
    Subject,
    /// The token's role is missing or unknown.
    #[error("unknown role")]
    Role,
    /// The API key does not exist, is wrong, or is revoked.
    #[error("wrong API key")]
    ApiKey,
    /// The table of API keys cannot be read.
    #[error("API keys unavailable")]
    ApiKeysUnavailable,
    /// The token is bound to a key of the client's, and there is no proof of it.
    #[error("proof required")]
    ProofRequired,
    /// The proof of possession of the key is not valid.
    #[error("invalid proof")]
    Proof,
    /// The token is bound in another way than to a key of which there are proofs (`cnf` without `jkt`).
    #[error("unsupported confirmation")]
    Confirmation,
    /// The token is in the URL, where the deployment takes none.
    #[error("token in the URL")]
    QueryToken,
    /// The subject has as many connections to this tenant as it may have.
    #[error("too many connections")]
    TooManyConnections,
    /// The identity may not listen to this tenant.
    #[error("tenant not allowed")]
    Tenant,
    /// A renewal is for another subject than the connection's.
    #[error("another subject")]
    AnotherSubject,
    /// A renewal came after the connection's authorisation had ended.
    #[error("late renewal")]
    LateRenewal,
    /// The page of the browser has an origin that is not allowed.
    #[error("origin not allowed")]
    Origin,
}

impl Refusal {
    /// All reasons.
    pub const ALL: [Self; 26] = [
        Self::NoCredential,
        Self::MalformedCredential,
        Self::CredentialTooLong,
        Self::Algorithm,
        Self::UnknownKey,
        Self::UnknownKeyForNow,
        Self::KeysUnavailable,
        Self::Signature,
        Self::NoExpiry,
        Self::Expired,
        Self::NotYetValid,
        Self::Issuer,
        Self::Audience,
        Self::Subject,
        Self::Role,
        Self::ApiKey,
        Self::ApiKeysUnavailable,
        Self::ProofRequired,
        Self::Proof,
        Self::Confirmation,
        Self::QueryToken,
        Self::TooManyConnections,
        Self::Tenant,
        Self::AnotherSubject,
        Self::LateRenewal,
        Self::Origin,
    ];

    /// One word for logs and metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoCredential => "no_credential",
            Self::MalformedCredential => "malformed_credential",
            Self::CredentialTooLong => "credential_too_long",
            Self::Algorithm => "algorithm",
            Self::UnknownKey => "unknown_key",
            Self::UnknownKeyForNow => "unknown_key_for_now",
            Self::KeysUnavailable => "keys_unavailable",
            Self::Signature => "signature",
            Self::NoExpiry => "no_expiry",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Subject => "subject",
            Self::Role => "role",
            Self::ApiKey => "api_key",
            Self::ApiKeysUnavailable => "api_keys_unavailable",
            Self::ProofRequired => "proof_required",
            Self::Proof => "proof",
            Self::Confirmation => "confirmation",
            Self::QueryToken => "query_token",
            Self::TooManyConnections => "too_many_connections",
            Self::Tenant => "tenant",
            Self::AnotherSubject => "another_subject",
            Self::LateRenewal => "late_renewal",
            Self::Origin => "origin",
        }
    }

    /// The status of a refused handshake. It is 403 for a known identity or origin, 401 for an unproved identity, 429 for an
    /// identity with too many connections, and 503 if the credential cannot be checked now. After the last two the client
    /// tries again.
    pub fn status(self) -> u16 {
        match self {
            Self::Tenant | Self::AnotherSubject | Self::Origin => 403,
            Self::TooManyConnections => 429,
            Self::UnknownKeyForNow | Self::KeysUnavailable | Self::ApiKeysUnavailable => 503,
            _ => 401,
        }
    }

    /// The message for the client.
    pub fn message(self) -> &'static str {
        match self {
            Self::NoCredential => {
                "authentication is required: send a token in Authorization: Bearer, or after the sub-protocol access_token"
            }
            Self::MalformedCredential | Self::CredentialTooLong => "the credential is malformed",
            Self::Expired => "the credential has expired: get a fresh one",
            Self::NotYetValid => "the token is not valid yet",
            Self::Role => "the token has no role that this service knows",
            Self::Tenant => "this identity may not listen to this tenant",
            Self::AnotherSubject => "a connection is renewed by its own subject",
            Self::LateRenewal => "the connection's token had already expired: connect again with a fresh one",
            Self::Origin => "pages of this origin may not connect",
            Self::ProofRequired => "DPoP proof required",
            Self::Proof => "the DPoP proof is not valid",
            Self::Confirmation => {
                "the token is bound by its cnf in another way than DPoP: send a bearer or a DPoP token"
            }
            Self::QueryToken => {
                "the URL has a token: send it in Authorization: Bearer, or after the sub-protocol access_token"
            }
            Self::TooManyConnections => {
                "this identity has too many connections to this tenant: close some, or try again later"
            }
            Self::UnknownKeyForNow | Self::KeysUnavailable | Self::ApiKeysUnavailable => {
                "the credential cannot be checked now: try again"
            }
            Self::ApiKey => "the API key is not valid",
            Self::Algorithm
            | Self::UnknownKey
            | Self::Signature
            | Self::NoExpiry
            | Self::Issuer
            | Self::Audience
            | Self::Subject => "the token is not valid",
        }
    }
}

/// A refusal, and its subject if it is known. Only a verified credential proves a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The reason.
    pub reason: Refusal,
    /// The subject, if it is proved.
    pub subject: Option<String>,
}

impl From<Refusal> for Refused {
    fn from(reason: Refusal) -> Self {
        Self { reason, subject: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_fits_the_reason_of_a_close_frame() {
        // RFC 6455, section 5.5, allows 125 bytes, and the code takes two of them.
        for refusal in Refusal::ALL {
            assert!(refusal.message().len() <= 123, "{refusal:?}");
        }
    }

    #[test]
    fn every_refusal_is_explained() {
        let page = include_str!("../../../docs/troubleshooting.md");
        for refusal in Refusal::ALL {
            assert!(page.contains(&format!("| {} |", refusal.message())), "the message of {refusal:?} is missing");
            assert!(page.contains(&format!("| `{}` |", refusal.reason())), "the reason of {refusal:?} is missing");
        }
    }

    #[test]
    fn every_reason_of_a_refused_proof_is_explained() {
        let page = include_str!("../../../docs/troubleshooting.md");
        for reason in crate::InvalidProof::ALL {
            assert!(page.contains(&format!("| {reason} |")), "{reason} is missing");
        }
    }

    #[test]
    fn reasons_are_single_words_and_different() {
        let reasons: std::collections::HashSet<&str> = Refusal::ALL.into_iter().map(Refusal::reason).collect();
        assert_eq!(reasons.len(), Refusal::ALL.len());
        assert!(reasons.iter().all(|reason| reason.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
    }
}
