use std::sync::Arc;

use entity_stream_connections::Interest;

/// An interest that matches events of the batch.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) interest: Interest,
    /// The indices of the matching events in ascending order; never empty. Candidates with the same pattern share them.
    pub(crate) events: Arc<[usize]>,
}
