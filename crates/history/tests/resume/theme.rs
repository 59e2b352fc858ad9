//! What a schedule is mostly about. Many mistakes lose an event only if several rare things happen together, and each theme makes
//! some of them frequent.

use fastrand::Rng;

use crate::client::Role;

#[derive(Clone, Copy)]
pub(crate) struct Theme {
    /// The roles among which each client has one.
    pub(crate) roles: &'static [Role],
    /// The most clients.
    pub(crate) clients: u64,
    /// How often something goes wrong, in percent of the usual.
    pub(crate) trouble: u64,
    /// Connections are opened by a clock that is as far ahead of those of `broadcast` as clocks can be.
    pub(crate) has_early_openings: bool,
    /// How often of 1,000 a process does not run for a while.
    pub(crate) pauses: u64,
    /// The most milliseconds between two pages of an audience, if it is large.
    pub(crate) between_pages: u64,
    /// The most pages of an audience.
    pub(crate) pages: u64,
    /// How often of 100 an attempt hands a part of its range on.
    pub(crate) splits: u64,
    /// How often of 100 a client stalls.
    pub(crate) stalls: u64,
    /// How often of 100 a client asks for a position.
    pub(crate) syncs: u64,
    /// The longest life of a connection, in milliseconds.
    pub(crate) life: u64,
    /// The longest time away.
    pub(crate) away: u64,
    /// The time in which events are published.
    pub(crate) span: u64,
}

const ALL_ROLES: &[Role] = &[
    Role::Resumer,
    Role::Resumer,
    Role::Resumer,
    Role::Steady,
    Role::Rotator,
    Role::Exchanger,
    Role::Exchanger,
    Role::Mover,
    Role::Member,
];

impl Theme {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let mixed = Self::mixed(rng);
        match rng.u8(0..10) {
            0 => Self {
                roles: &[Role::Resumer, Role::Rotator],
                pauses: 150,
                trouble: 100,
                syncs: 40,
                life: 30_000,
                away: 1_000,
                ..mixed
            },
            1 => Self {
                roles: &[Role::Resumer],
                clients: 2,
                between_pages: 2_500,
                pages: 40,
                trouble: 50,
                syncs: 60,
                splits: 0,
                life: 60_000,
                away: 30_000,
                ..mixed
            },
            2 => Self {
                roles: &[Role::Mover],
                splits: 60,
                life: 60_000,
                away: 1_000,
                span: 15_000,
                has_early_openings: rng.bool(),
                ..mixed
            },
            3 => Self { roles: &[Role::Exchanger], life: 60_000, trouble: 200, ..mixed },
            4 => Self {
                roles: &[Role::Resumer, Role::Steady],
                clients: 3,
                stalls: 20,
                syncs: 40,
                life: 300_000,
                span: 60_000,
                ..mixed
            },
            _ => mixed,
        }
    }

    fn mixed(rng: &mut Rng) -> Self {
        let mut one_of = |choices: &[u64]| choices[rng.usize(0..choices.len())];
        Self {
            roles: ALL_ROLES,
            clients: 5,
            has_early_openings: false,
            trouble: one_of(&[0, 50, 100, 100, 200, 400]),
            pauses: one_of(&[5, 5, 10, 60]),
            between_pages: one_of(&[0, 0, 0, 2_500]),
            pages: one_of(&[4, 4, 20]),
            splits: one_of(&[0, 10, 30, 60]),
            stalls: one_of(&[0, 0, 5, 20]),
            syncs: one_of(&[5, 15, 15, 50]),
            life: one_of(&[5_000, 30_000, 90_000, 300_000]),
            away: one_of(&[1_000, 30_000, 200_000]),
            span: one_of(&[15_000, 60_000, 240_000]),
        }
    }
}
