use std::sync::Arc;

/// The events that concern a filter: their indices, in ascending order. Filters with the same verdicts share them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matched {
    /// The events that pass.
    pub passing: Arc<[usize]>,
    /// The events with which their entity leaves the filter. None of them passes.
    pub leaving: Arc<[usize]>,
}

impl Matched {
    /// True if no event concerns the filter.
    pub fn is_empty(&self) -> bool {
        self.passing.is_empty() && self.leaving.is_empty()
    }

    /// All events that concern the filter.
    pub(crate) fn all(&self) -> Arc<[usize]> {
        union(&self.passing, &self.leaving)
    }
}

/// The elements of both, in ascending order.
pub(crate) fn union(some: &Arc<[usize]>, others: &Arc<[usize]>) -> Arc<[usize]> {
    if some == others || others.is_empty() {
        return Arc::clone(some);
    }
    let mut union = [&**some, &**others].concat();
    union.sort_unstable();
    union.dedup();
    union.into()
}
