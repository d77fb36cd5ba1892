//! Which patterns a message can fit at all: those whose beginning it has, and those whose keyword stands in it.
//!
//! Words are found by their first three letters, which are all that is looked at in most places of a message, and then
//! told apart by their first eight at once. An automaton (Aho-Corasick) takes nine times as long to build, which is what
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

/// Words by the slot of their first three letters, each with the patterns that have it.
#[derive(Debug, Clone)]
struct Words {
    entries: Vec<Word>,
    /// Where the words of each slot begin, and where those of the last end.
    from: Box<[u32]>,
    /// A bit for each slot that has words.
    begins: [u64; SLOTS / 64],
}

#[derive(Debug, Clone)]
struct Word {
    /// The first eight letters, as [`eight`] reads them.
    front: u64,
    /// Those of the eight that the word has.
    mask: u64,
    /// The letters behind them.
    rest: Box<[u8]>,
    owners: Vec<u16>,
}

/// Many more slots than there are words, so that most places are passed over at once.
const SLOTS: usize = 8192;

/// The slot of a word, or of the place where it could stand; no word has less than three letters.
#[inline]
fn slot(three: [u8; 3]) -> usize {
    let [a, b, c] = three;
    (u32::from_be_bytes([0, a, b, c]).wrapping_mul(0x9e37_79b1) >> 19) as usize
}

/// The first eight letters as a number; what is missing is 0.
#[inline]
fn eight(text: &[u8]) -> u64 {
    if let Some(front) = text.first_chunk() {
        return u64::from_le_bytes(*front);
    }
    let mut front = [0; 8];
    front[..text.len()].copy_from_slice(text);
    u64::from_le_bytes(front)
}

impl Word {
    fn new(text: &[u8]) -> Self {
        let front = eight(text);
        let missing = 8_usize.saturating_sub(text.len());
        let rest = text.get(8..).unwrap_or_default().into();
        Self { front, mask: u64::MAX >> (8 * missing), rest, owners: Vec::new() }
    }

    /// Whether it stands at the front of `text`, which begins with the letters of `front`.
    #[inline]
    fn begins(&self, front: u64, text: &[u8]) -> bool {
        front & self.mask == self.front
            && (self.rest.is_empty() || text.get(8..).is_some_and(|t| t.starts_with(&self.rest)))
    }
}

impl Words {
    fn new<'a>(all: impl Iterator<Item = (&'a str, u16)>) -> Self {
        let mut all: Vec<(usize, &[u8], u16)> = all
            .filter_map(|(text, owner)| Some((slot(*text.as_bytes().first_chunk()?), text.as_bytes(), owner)))
            .collect();
        all.sort_unstable();
        let mut built =
            Self { entries: Vec::new(), from: vec![0; SLOTS + 1].into(), begins: [0; SLOTS / 64] };
        for same in all.chunk_by(|a, b| a.1 == b.1) {
            let (slot, text, _) = same[0];
            built.begins[slot / 64] |= 1 << (slot % 64);
            built.from[slot + 1] += 1;
            let owners = same.iter().map(|(_, _, owner)| *owner).collect();
            built.entries.push(Word { owners, ..Word::new(text) });
        }
        for slot in 0..SLOTS {
            built.from[slot + 1] += built.from[slot];
        }
        built
    }

    /// Visits the owners of the words that stand at the front of `text`, whose first letters have that slot.
    #[inline]
    fn visit(&self, slot: usize, text: &[u8], visit: &mut impl FnMut(u16)) {
        let front = eight(text);
        let (from, to) = (self.from[slot] as usize, self.from[slot + 1] as usize);
        for word in self.entries[from..to].iter().filter(|w| w.begins(front, text)) {
            word.owners.iter().for_each(|&rank| visit(rank));
        }
    }

    /// Visits the owners of the words that stand at the front of `text`.
    fn at_front(&self, text: &[u8], visit: &mut impl FnMut(u16)) {
        if let Some(three) = text.first_chunk() {
            self.visit(slot(*three), text, visit);
        }
    }

    /// Visits the owners of the words that stand anywhere in `text`.
    fn anywhere(&self, text: &[u8], visit: &mut impl FnMut(u16)) {
        for (at, three) in text.windows(3).enumerate() {
            let slot = slot([three[0], three[1], three[2]]);
            if self.begins[slot / 64] >> (slot % 64) & 1 == 1 {
                self.visit(slot, &text[at..], visit);
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
        self.keywords.anywhere(message, &mut visit);
        self.unkeyed.iter().for_each(|&rank| visit(rank));
    }
}
