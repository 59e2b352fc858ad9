use crate::entry::BusEntry;
use crate::limits::{REQUEST_BYTES, REQUEST_ENTRIES};

/// The entries of one `PutEvents` request.
///
/// `T` is a [`BusEntry`], or a type that keeps one together with its origin, such as the line of a file.
///
/// Invariant: a batch has at most [`REQUEST_ENTRIES`] entries, and fewer than [`REQUEST_BYTES`] bytes if it has two or
/// more.
#[derive(Debug)]
pub struct Batch<T = BusEntry> {
    entries: Vec<T>,
    bytes: usize,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), bytes: 0 }
    }
}

impl<T: AsRef<BusEntry>> Batch<T> {
    /// Adds an entry. An empty batch takes any entry.
    ///
    /// # Errors
    /// Returns the entry if it belongs into the next batch.
    pub fn push(&mut self, entry: T) -> Result<(), T> {
        let bytes = self.bytes + entry.as_ref().size();
        if self.is_full() || (!self.is_empty() && bytes >= REQUEST_BYTES) {
            return Err(entry);
        }
        self.bytes = bytes;
        self.entries.push(entry);
        Ok(())
    }

    /// Adds an entry. If the entry belongs into the next batch, it starts that batch, and the full one is returned.
    pub fn push_or_replace(&mut self, entry: T) -> Option<Self> {
        let entry = self.push(entry).err()?;
        let bytes = entry.as_ref().size();
        Some(std::mem::replace(self, Self { entries: vec![entry], bytes }))
    }

    /// True if the batch has as many entries as one request may have.
    pub fn is_full(&self) -> bool {
        self.entries.len() >= REQUEST_ENTRIES
    }

    /// True if the batch has no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries, in the order they were added.
    pub fn into_entries(self) -> Vec<T> {
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::ENTRY_BYTES;

    fn entry(bytes: usize) -> BusEntry {
        BusEntry::new("s", "t", "x".repeat(bytes))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn keeps_every_entry_in_order_and_both_limits(sizes in prop::collection::vec(prop_oneof![0_usize..1000, 0..ENTRY_BYTES], 0..25)) {
            let entries: Vec<BusEntry> = sizes.into_iter().map(entry).collect();
            let (mut batches, mut open) = (Vec::new(), Batch::default());
            for entry in entries.clone() {
                batches.extend(open.push_or_replace(entry));
            }
            batches.push(open);
            for batch in &batches {
                prop_assert!(batch.entries.len() <= REQUEST_ENTRIES);
                prop_assert!(batch.entries.len() < 2 || batch.bytes < REQUEST_BYTES);
                prop_assert_eq!(batch.bytes, batch.entries.iter().map(BusEntry::size).sum::<usize>());
            }
            // No batch could have taken the first entry of the next one.
            for pair in batches.windows(2) {
                let next = pair[1].entries[0].size();
                prop_assert!(pair[0].is_full() || pair[0].bytes + next >= REQUEST_BYTES);
            }
            prop_assert_eq!(batches.into_iter().flat_map(Batch::into_entries).collect::<Vec<_>>(), entries);
        }
    }

    #[test]
    fn takes_ten_small_entries_and_not_eleven() {
        let mut batch = Batch::default();
        for _ in 0..REQUEST_ENTRIES {
            assert!(!batch.is_full());
            batch.push(entry(0)).unwrap();
        }
        assert!(batch.is_full());
        assert_eq!(batch.push(entry(7)), Err(entry(7)));
    }

    #[test]
    fn counts_utf8_bytes_as_eventbridge_does() {
        assert_eq!(BusEntry::new("ä", "t", r#"{"€":1}"#).size(), 2 + 1 + 9);
    }
}
