use std::collections::BTreeMap;

/// The versions of the attributes of an entity that a collection merges from messages, also of attributes that were removed. So the
/// order in which the messages arrive makes no difference.
#[derive(Clone, Debug, Default)]
pub(super) struct AttributeVersions {
    /// The entity has all changes up to this version.
    all: Option<u64>,
    /// The last change of each attribute that a later message has set or removed.
    of: BTreeMap<String, u64>,
    /// The last change whose attributes are not known.
    lacking: Option<u64>,
}

impl AttributeVersions {
    /// True if the entity has this change and all before it.
    pub(super) fn has(&self, version: Option<u64>) -> bool {
        version.is_some() && version <= self.all
    }

    /// The entity has all changes up to this version.
    pub(super) fn include(&mut self, version: Option<u64>) {
        self.all = self.all.max(version);
        self.of.retain(|_, of| Some(*of) > self.all);
        self.lacking = self.lacking.filter(|lacking| Some(*lacking) > self.all);
    }

    /// A change sets or removes an attribute. Returns false if a later one has done so. A change without a version is the last one;
    /// `known` is the greatest version so far.
    pub(super) fn change(&mut self, name: &str, version: Option<u64>, known: Option<u64>) -> bool {
        let last = self.of.get(name).copied().max(self.all);
        let is_newer = version.is_none() || version > last;
        if is_newer && let Some(version) = version.or(known) {
            self.of.insert(name.to_owned(), version);
        }
        is_newer
    }

    /// The attributes of this change are not known.
    pub(super) fn lack(&mut self, version: Option<u64>) {
        self.lacking = self.lacking.max(version);
    }

    /// True if there is a change whose attributes are not known.
    pub(super) fn lacks_something(&self) -> bool {
        self.lacking.is_some()
    }

    /// The names of the attributes that have changed since [`include`](Self::include).
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.of.keys().map(String::as_str)
    }
}
