use super::Entry;

/// Most entries in one `PutEvents`.
pub(crate) const BATCH_ENTRIES: usize = 10;
/// A batch is closed before it has more bytes than this. The documentation says "1 MB" and not which; of two or more
/// entries the smaller one holds, so that nothing is refused that another division would have got through.
pub(crate) const BATCH_BYTES: usize = 1_000_000;

/// What one `PutEvents` carries.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    entries: Vec<Entry>,
    bytes: usize,
}

impl Batch {
    /// Adds an entry, or gives it back if it belongs into the next batch. An empty batch takes any entry.
    pub(crate) fn push(&mut self, entry: Entry) -> Result<(), Entry> {
        let bytes = self.bytes + entry.size();
        if self.is_full() || (!self.entries.is_empty() && bytes >= BATCH_BYTES) {
            return Err(entry);
        }
        self.bytes = bytes;
        self.entries.push(entry);
        Ok(())
    }

    /// Whether it has as many entries as one request may have.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= BATCH_ENTRIES
    }

    /// Whether there is nothing to send.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Its entries, in the order they were added.
    pub(crate) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use entity_stream_protocol::Tenant;
    use proptest::prelude::*;

    use super::super::entry::ENTRY_BYTES;
    use super::*;

    fn entry(bytes: usize) -> Entry {
        let tenant = Tenant::parse("t").unwrap();
        let frame = r#"{"type":"entityUpdated","entityId":"i","entityType":"T","data":{"x":""}}"#;
        let least = Entry::from_line(frame, 1, &tenant).unwrap().size();
        let text = frame.replace(r#""x":"""#, &format!(r#""x":"{}""#, "x".repeat(bytes.saturating_sub(least))));
        Entry::from_line(&text, 1, &tenant).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn keeps_every_entry_in_order_and_both_limits(sizes in prop::collection::vec(prop_oneof![0_usize..1000, 0..ENTRY_BYTES], 0..25)) {
            let entries: Vec<Entry> = sizes.into_iter().map(entry).collect();
            let (mut batches, mut open) = (Vec::new(), Batch::default());
            for entry in entries.clone() {
                if let Err(entry) = open.push(entry) {
                    batches.push(std::mem::take(&mut open));
                    prop_assert!(open.push(entry).is_ok(), "an empty batch takes any entry");
                }
            }
            batches.push(open);
            for batch in &batches {
                prop_assert!(batch.entries.len() <= BATCH_ENTRIES);
                prop_assert!(batch.entries.len() < 2 || batch.bytes < BATCH_BYTES);
                prop_assert_eq!(batch.bytes, batch.entries.iter().map(Entry::size).sum::<usize>());
            }
            prop_assert_eq!(batches.into_iter().flat_map(Batch::into_entries).collect::<Vec<_>>(), entries);
        }
    }

    #[test]
    fn takes_ten_small_entries_and_not_eleven() {
        let mut batch = Batch::default();
        for _ in 0..BATCH_ENTRIES {
            assert!(!batch.is_full());
            batch.push(entry(0)).unwrap();
        }
        assert!(batch.is_full());
        assert!(batch.push(entry(0)).is_err());
    }
}
