//! Which patterns a message can fit at all: those whose beginning it has, and those whose keyword stands in it.
//!
//! Words are kept in order and found by their first three letters, which are all that must be compared at most places
//! of a message. An automaton (Aho-Corasick) finds them a little faster and takes nine times as long to build, which is what
//! most runs would spend on it: they ask about a few dozen messages.

use super::pattern::Pattern;

/// The literals of all patterns.
#[derive(Debug, Clone)]
pub(super) struct Prefilter {
    starts: Words,
    keywords: Words,
    /// Patterns with neither.
    unkeyed: Vec<u16>,
}

/// Words in order, each with the patterns that have it.
#[derive(Debug, Clone)]
struct Words {
    /// The first three letters of each word, in order, and the word.
    words: Vec<(u32, Word)>,
    /// A bit for each possible hash of three letters with which a word begins.
    begins: [u64; BEGINS / 64],
}

#[derive(Debug, Clone)]
struct Word {
    text: Box<[u8]>,
    owners: Vec<u16>,
}

/// Slots of the filter: many more than there are words, so that most places are passed over at once.
const BEGINS: usize = 8192;

/// The first three letters as a number; no word is shorter.
#[inline]
fn first_three(at: &[u8]) -> Option<u32> {
    let [a, b, c, ..] = *at else { return None };
    Some(u32::from_be_bytes([0, a, b, c]))
}

#[inline]
fn slot(three: u32) -> usize {
    (three.wrapping_mul(0x9e37_79b1) >> 19) as usize
}

impl Words {
    fn new<'a>(all: impl Iterator<Item = (&'a str, u16)>) -> Self {
        let mut all: Vec<(&str, u16)> = all.collect();
        all.sort_unstable();
        let mut words: Vec<(u32, Word)> = Vec::new();
        let mut begins = [0; BEGINS / 64];
        for (text, owner) in all {
            match words.last_mut() {
                Some((_, last)) if *last.text == *text.as_bytes() => last.owners.push(owner),
                _ => {
                    let three = first_three(text.as_bytes()).unwrap_or_default();
                    begins[slot(three) / 64] |= 1 << (slot(three) % 64);
                    words.push((three, Word { text: text.as_bytes().into(), owners: vec![owner] }));
                }
            }
        }
        Self { words, begins }
    }

    /// Visits the owners of the words that stand at the front of `text`.
    #[inline]
    fn at_front(&self, text: &[u8], visit: &mut impl FnMut(u16)) {
        let Some(three) = first_three(text) else { return };
        if self.begins[slot(three) / 64] >> (slot(three) % 64) & 1 == 0 {
            return;
        }
        let from = self.words.partition_point(|(t, _)| *t < three);
        for (_, word) in self.words[from..].iter().take_while(|(t, _)| *t == three) {
            if text.starts_with(&word.text) {
                word.owners.iter().for_each(|&rank| visit(rank));
            }
        }
    }
}

impl Prefilter {
    /// Builds it for some of the patterns, which stand in the order of their rank.
    pub(super) fn new(patterns: &[Pattern], of: impl Fn(&Pattern) -> bool + Copy) -> Self {
        let ranked = || patterns.iter().zip(0..=u16::MAX).filter(move |(p, _)| of(p));
        // A pattern with both is found by its beginning; its keywords are looked for when it is asked.
        let starts = ranked().flat_map(|(p, rank)| p.starts.iter().map(move |w| (w.as_str(), rank)));
        let keyed = ranked().filter(|(p, _)| p.starts.is_empty());
        let keywords = keyed.clone().flat_map(|(p, rank)| p.keywords.iter().map(move |w| (w.as_str(), rank)));
        let unkeyed = keyed.clone().filter(|(p, _)| p.keywords.is_empty()).map(|(_, rank)| rank).collect();
        Self { starts: Words::new(starts), keywords: Words::new(keywords), unkeyed }
    }

    /// Visits the ranks of the patterns that `message` can fit; some more than once.
    pub(super) fn each(&self, message: &[u8], mut visit: impl FnMut(u16)) {
        self.starts.at_front(message, &mut visit);
        for at in 0..message.len() {
            self.keywords.at_front(&message[at..], &mut visit);
        }
        self.unkeyed.iter().for_each(|&rank| visit(rank));
    }
}
