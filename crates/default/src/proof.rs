//! Checks a proof of possession, and uses it up.

use entity_stream_auth::{InvalidProof, ProofBinding, ProofEndpoint};
use entity_stream_connections::{Table, TableError};
use entity_stream_protocol::{DpopProof, EpochMillis};
use entity_stream_runtime::Caller;

/// The reason for which a proof does not count.
#[derive(Debug)]
pub(crate) enum ProofProblem {
    Invalid(InvalidProof),
    Table(TableError),
}

/// Checks a proof that a client sends now. No other message can use it after that.
pub(crate) async fn check_proof(
    table: &Table,
    binding: &ProofBinding,
    caller: &Caller,
    proof: &DpopProof,
    now: EpochMillis,
) -> Result<(), ProofProblem> {
    let endpoint = ProofEndpoint::new(&caller.domain_name, &caller.stage);
    let id = binding.check(proof, &endpoint, now).map_err(ProofProblem::Invalid)?;
    match table.use_proof(id.as_str(), &caller.request_id, now).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(ProofProblem::Invalid(InvalidProof::Used)),
        Err(error) => Err(ProofProblem::Table(error)),
    }
}
