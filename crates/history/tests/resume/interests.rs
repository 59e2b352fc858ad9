//! A model of the table of connections: interests by scope and hash, read page by page with strong consistency.

use std::cell::RefCell;
use std::ops::Range;

use crate::subscription::{Form, Forms, Scope, in_scope};

/// The end of all hashes.
pub(crate) const HASHES: u64 = 1 << 32;

/// The hash of a session, which has the number of its first connection.
pub(crate) fn hash_of(salt: u64, session: u64) -> u64 {
    let mixed = (salt ^ session).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32
}

#[derive(Clone, Debug)]
pub(crate) struct Registration {
    pub(crate) connection: usize,
    pub(crate) tenant: u8,
    /// The session of a connection that never resumed is its own.
    pub(crate) session: u64,
    pub(crate) hash: u64,
    /// It has asked for the past.
    pub(crate) has_asked: bool,
    pub(crate) forms: Forms,
    /// Members of a group have its hash.
    pub(crate) group: Option<usize>,
}

/// An interest that a page has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interest {
    pub(crate) connection: usize,
    pub(crate) group: Option<usize>,
    pub(crate) form: Form,
}

#[derive(Default)]
pub(crate) struct Interests {
    all: RefCell<Vec<Registration>>,
}

impl Interests {
    /// One transaction: the registration of the connection becomes this one.
    pub(crate) fn put(&self, registration: Registration) {
        let mut all = self.all.borrow_mut();
        all.retain(|other| other.connection != registration.connection);
        all.push(registration);
    }

    pub(crate) fn find(&self, connection: usize) -> Option<Registration> {
        self.all.borrow().iter().find(|registration| registration.connection == connection).cloned()
    }

    pub(crate) fn forget(&self, connection: usize) {
        self.all.borrow_mut().retain(|registration| registration.connection != connection);
    }

    /// One page of a partition.
    pub(crate) fn page(&self, tenant: u8, scope: Scope, hashes: &Range<u64>) -> Vec<Interest> {
        let all = self.all.borrow();
        let found = all.iter().filter(|each| each.tenant == tenant && hashes.contains(&each.hash));
        found
            .flat_map(|each| {
                let (connection, group) = (each.connection, each.group);
                in_scope(&each.forms, scope).map(move |form| Interest { connection, group, form })
            })
            .collect()
    }
}
