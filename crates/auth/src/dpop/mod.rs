//! Proof of possession: a client proves that it has the key to which its token is bound.
//! Source: RFC 9449 (DPoP), with the rules of `docs/protocol.md`.
//!
//! The check of a proof has no I/O. It returns a [`ProofId`], and the caller has to make sure that no proof with this id was used
//! before.

mod binding;
mod endpoint;
mod invalid_proof;
mod proof;

pub use binding::ProofBinding;
pub use endpoint::ProofEndpoint;
pub use invalid_proof::InvalidProof;
pub use proof::ProofId;
