/// A 64-bit hash that is the same on every machine and in every release (XXH3). Table keys contain it, and it decides which
/// member of a group receives an event.
pub fn stable_hash(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

#[cfg(test)]
mod tests {
    use super::stable_hash;

    /// Stored keys contain this hash. With another algorithm, the functions find no item in a deployed table any more.
    #[test]
    fn never_changes() {
        assert_eq!(stable_hash(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(stable_hash(b"a"), 0xe6c6_32b6_1e96_4e1f);
    }
}
