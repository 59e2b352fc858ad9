//! Bounds the time that a match takes.
//!
//! Invariant: a search of a pattern does at most as many steps for each byte of a text as [`match_cost`] returns.
//!
//! A search follows all ways through the automaton at once, so a byte costs as much as the states that the search can be in
//! together. Two bounds are tried. The first adds up all states between two characters; it is quick, and enough for most
//! patterns. The second follows every combination of states that any id can lead to. It is exact, and accepts long
//! alternations of ids, of which an id is in few places at once. A pattern that needs too many combinations is refused.

use std::collections::{HashMap, HashSet};

use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::primitives::StateID;

/// The most steps to follow the combinations of patterns that are checked together. It limits the time to read them.
pub(super) const EXPLORATION: usize = 100_000;
/// The transitions that take as long as a step.
const TRANSITIONS: usize = 8;

/// Returns the steps that a byte of a text may cost. `None` if they are more than `limit`, or if it takes more than
/// `exploration` steps to find out; the steps that it takes are subtracted.
pub(super) fn match_cost(nfa: &NFA, limit: usize, exploration: &mut usize) -> Option<usize> {
    let sum = between_characters(nfa);
    if sum <= limit {
        return Some(sum);
    }
    let mut combinations = Exploration::new(nfa, limit, *exploration);
    let cost = combinations.highest_cost();
    *exploration = exploration.saturating_sub(combinations.steps);
    cost
}

/// The steps at one state: for the state itself, and for its ways on.
fn steps(state: &State) -> usize {
    match state {
        State::Sparse(sparse) => 1 + sparse.transitions.len() / TRANSITIONS,
        State::Union { alternates } => 1 + alternates.len(),
        State::BinaryUnion { .. } => 3,
        _ => 1,
    }
}

/// The states that follow without a byte. Assertions count as true.
fn follow(state: &State) -> &[StateID] {
    match state {
        State::Look { next, .. } | State::Capture { next, .. } => std::slice::from_ref(next),
        State::Union { alternates } => alternates,
        _ => &[],
    }
}

/// The ranges of bytes that a state takes, each with the next state.
fn ranges(state: &State) -> Vec<(u8, u8, StateID)> {
    match state {
        State::ByteRange { trans } => vec![(trans.start, trans.end, trans.next)],
        State::Sparse(sparse) => sparse.transitions.iter().map(|each| (each.start, each.end, each.next)).collect(),
        State::Dense(dense) => (0..=u8::MAX).filter_map(|byte| Some((byte, byte, dense.matches_byte(byte)?))).collect(),
        _ => Vec::new(),
    }
}

/// Adds up the states in which a search can be between two characters. Within a character it is in no more states than
/// before, because each state goes on to one other.
fn between_characters(nfa: &NFA) -> usize {
    let mut costs = HashMap::new();
    let mut seen = HashSet::new();
    // Each state with the number of bytes that its character still has.
    let mut open = vec![(nfa.start_unanchored(), 0_u8)];
    let mut total = 0;
    while let Some((id, left)) = open.pop() {
        if !seen.insert((id, left)) {
            continue;
        }
        let state = nfa.state(id);
        if left == 0 {
            total += character_steps(nfa, id, 0, &mut costs);
        }
        open.extend(follow(state).iter().map(|next| (*next, left)));
        if let State::BinaryUnion { alt1, alt2 } = state {
            open.extend([(*alt1, left), (*alt2, left)]);
        }
        for (first, last, next) in ranges(state) {
            open.extend(lengths(first, last, left).map(|left| (next, left)));
        }
    }
    total
}

/// The number of bytes that a character still has after a byte of a range. A range can begin characters of several lengths.
fn lengths(first: u8, last: u8, left: u8) -> impl Iterator<Item = u8> {
    const LEADS: [(u8, u8); 4] = [(0, 0x7f), (0xc0, 0xdf), (0xe0, 0xef), (0xf0, 0xff)];
    const REST: (u8, u8) = (0x80, 0xbf);
    let takes = move |(lowest, highest): (u8, u8)| first <= highest && last >= lowest;
    let begun = (0..).zip(LEADS).filter(move |(_, lead)| left == 0 && takes(*lead)).map(|(rest, _)| rest);
    begun.chain((left > 0 && takes(REST)).then(|| left - 1))
}

/// The most steps at a state, or at a state within the same character after it.
fn character_steps(nfa: &NFA, id: StateID, left: u8, known: &mut HashMap<(StateID, u8), usize>) -> usize {
    if let Some(known) = known.get(&(id, left)) {
        return *known;
    }
    let state = nfa.state(id);
    let mut most = steps(state);
    for (first, last, next) in ranges(state) {
        for left in lengths(first, last, left).filter(|left| *left > 0) {
            most = most.max(character_steps(nfa, next, left, known));
        }
    }
    known.insert((id, left), most);
    most
}

/// The combinations of states that ids can lead to.
struct Exploration<'a> {
    nfa: &'a NFA,
    /// One byte of each kind that the automaton tells apart, in ascending order.
    bytes: Vec<u8>,
    /// The round in which each state was last reached.
    reached: Vec<u32>,
    round: u32,
    /// The most steps that a combination may cost.
    limit: usize,
    /// The most steps that the exploration may take, and those that it took.
    allowed: usize,
    steps: usize,
    /// The most steps that a combination costs, of those that were found.
    highest: usize,
}

impl<'a> Exploration<'a> {
    fn new(nfa: &'a NFA, limit: usize, allowed: usize) -> Self {
        let bytes = nfa.byte_classes().representatives(..).filter_map(|unit| unit.as_u8()).collect();
        Self { nfa, bytes, reached: vec![0; nfa.states().len()], round: 0, limit, allowed, steps: 0, highest: 0 }
    }

    /// Follows all combinations. `None` if one of them costs too much, or if there are too many.
    fn highest_cost(&mut self) -> Option<usize> {
        let start = self.combine(&[self.nfa.start_unanchored()])?;
        let mut known = HashSet::from([start.clone()]);
        let mut open = vec![start];
        while let Some(combination) = open.pop() {
            for next in self.moves(&combination) {
                let next = self.combine(&next)?;
                if self.steps > self.allowed {
                    return None;
                }
                if known.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        Some(self.highest)
    }

    /// Returns the states after each byte that a combination takes.
    fn moves(&mut self, combination: &[StateID]) -> Vec<Vec<StateID>> {
        let mut moves = vec![Vec::new(); self.bytes.len()];
        for id in combination {
            for (first, last, next) in ranges(self.nfa.state(*id)) {
                let from = self.bytes.partition_point(|byte| *byte < first);
                let taken = self.bytes[from..].iter().take_while(|byte| **byte <= last).count();
                moves[from..from + taken].iter_mut().for_each(|states| states.push(next));
                self.steps += 1 + taken;
            }
        }
        moves.retain(|states| !states.is_empty());
        moves.dedup();
        moves
    }

    /// Returns the states of a combination that take bytes. `None` if the combination costs too much.
    fn combine(&mut self, states: &[StateID]) -> Option<Vec<StateID>> {
        self.round += 1;
        let (mut open, mut taking, mut cost) = (states.to_vec(), Vec::new(), 0);
        while let Some(id) = open.pop() {
            if std::mem::replace(&mut self.reached[id.as_usize()], self.round) == self.round {
                continue;
            }
            let state = self.nfa.state(id);
            cost += steps(state);
            open.extend(follow(state));
            match state {
                State::BinaryUnion { alt1, alt2 } => open.extend([alt1, alt2]),
                State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) => taking.push(id),
                _ => {}
            }
        }
        self.steps += cost;
        self.highest = self.highest.max(cost);
        taking.sort_unstable();
        (cost <= self.limit).then_some(taking)
    }
}
