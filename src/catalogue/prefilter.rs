//! Which patterns a message can fit at all: those whose beginning it has, and those whose keyword stands in it.

use super::pattern::Pattern;
use aho_corasick::automaton::{Automaton, OverlappingState};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{AhoCorasickKind, Anchored, Input, StartKind};

/// Two automata over the literals of all patterns.
#[derive(Debug, Clone)]
pub(super) struct Prefilter {
    starts: Literals<NFA>,
    keywords: Literals<aho_corasick::AhoCorasick>,
    /// Patterns with neither.
    unkeyed: Vec<u16>,
}

/// An automaton, and for each of its literals the patterns that have it.
#[derive(Debug, Clone)]
struct Literals<A> {
    automaton: A,
    owners: Vec<Vec<u16>>,
}

/// Collects literals and their owners.
#[derive(Default)]
struct Collected<'a> {
    words: Vec<&'a str>,
    owners: Vec<Vec<u16>>,
}

impl<'a> Collected<'a> {
    fn add(&mut self, word: &'a str, rank: u16) {
        if let Some(at) = self.words.iter().position(|w| *w == word) {
            self.owners[at].push(rank);
        } else {
            self.words.push(word);
            self.owners.push(vec![rank]);
        }
    }
}

impl Prefilter {
    /// Builds it for patterns in the order of their rank.
    pub(super) fn new(patterns: &[Pattern]) -> Result<Self, String> {
        let (mut starts, mut keywords, mut unkeyed) =
            (Collected::default(), Collected::default(), Vec::new());
        for (rank, p) in patterns.iter().enumerate() {
            let rank = rank as u16;
            // A pattern with both is found by its beginning; its keywords are looked for when it is asked.
            match (p.starts.as_slice(), p.keywords.as_slice()) {
                ([], []) => unkeyed.push(rank),
                ([], words) => words.iter().for_each(|w| keywords.add(w, rank)),
                (words, _) => words.iter().for_each(|w| starts.add(w, rank)),
            }
        }
        let anchored = NFA::new(&starts.words).map_err(|e| e.to_string())?;
        let anywhere = aho_corasick::AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .start_kind(StartKind::Unanchored)
            .build(&keywords.words)
            .map_err(|e| e.to_string())?;
        Ok(Self {
            starts: Literals { automaton: anchored, owners: starts.owners },
            keywords: Literals { automaton: anywhere, owners: keywords.owners },
            unkeyed,
        })
    }

    /// Visits the ranks of the patterns that `message` can fit; some more than once.
    pub(super) fn each(&self, message: &[u8], mut visit: impl FnMut(u16)) {
        let input = Input::new(message).anchored(Anchored::Yes);
        let mut state = OverlappingState::start();
        // An anchored search stops at the first byte at which no beginning goes on.
        while self.starts.automaton.try_find_overlapping(&input, &mut state).is_ok() {
            let Some(found) = state.get_match() else { break };
            self.starts.owners[found.pattern().as_usize()].iter().for_each(|&rank| visit(rank));
        }
        for found in self.keywords.automaton.find_overlapping_iter(message) {
            self.keywords.owners[found.pattern().as_usize()].iter().for_each(|&rank| visit(rank));
        }
        self.unkeyed.iter().for_each(|&rank| visit(rank));
    }
}
