//! Sentences and clauses, and which of them belong to a time.

use super::Kind;
use super::blocks::Block;
use super::regex;
use super::times::{Mention, Said};
use super::words::Words;
use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// Clauses looked at around one that says nothing.
const NEIGHBOURS: usize = 6;
/// Kinds that one entry may claim at its one time.
const KINDS_OF_ENTRY: usize = 3;
static BREAKS: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)[,;|()]\s|\)$|\s(?:-|–|—|--|->|→|=>)\s|\s(?:and|but|then|while|when|which|before|after|so|because)\s",
    )
});
static SENTENCE: LazyLock<Regex> = LazyLock::new(|| regex(r"[.!?][)\x22']?\s+(?:[A-Z0-9\x22'(~]|$)|\n"));
static ABBREVIATION: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)\b(?:a\.?m|p\.?m|approx|aprox|e\.g|i\.e|ca|c|no|vs|st|mr|mrs|inc|etc)$"));
static RANGE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)^\s*(?:h\s*)?(?:-|–|—|--|->|→|to|until|till|through|thru|and(?: ended| ending)?(?: at)?)\s*(?:about|around|approx\.?|~|at)?\s*$",
    )
});
static LEADS: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)^[^\w]*(?:(?:at|on|around|about|approx\.?|ca\.|c\.|~|by|from|the)\W+)*$"));

/// A time or a range of them, in one block.
pub(super) struct Spot {
    /// The bytes it takes, prepositions left out.
    pub(super) range: Range<usize>,
    pub(super) first: usize,
    pub(super) second: Option<usize>,
}

/// The times of day of a block, those that make a range together.
pub(super) fn spots(text: &str, mentions: &[Mention]) -> Vec<Spot> {
    let clocks: Vec<usize> =
        (0..mentions.len()).filter(|&i| matches!(mentions[i].what, Said::Clock(_))).collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < clocks.len() {
        let first = clocks[at];
        let range = clocks.get(at + 1).filter(|&&second| {
            // A date or a weekday may stand between the two.
            let mut gap = String::new();
            let mut from = mentions[first].end;
            for m in &mentions[first + 1..second] {
                gap.push_str(text.get(from..m.start).unwrap_or(""));
                from = m.end;
            }
            gap.push_str(text.get(from..mentions[second].start).unwrap_or(""));
            let between = text[..mentions[first].start].to_ascii_lowercase();
            let and = gap.trim().starts_with("and");
            RANGE.is_match(&gap.replace(", ", " ")) && (!and || between.contains("between"))
        });
        if let Some(&second) = range {
            let range = mentions[first].start..mentions[second].end;
            out.push(Spot { range, first, second: Some(second) });
            at += 2;
        } else {
            out.push(Spot { range: mentions[first].start..mentions[first].end, first, second: None });
            at += 1;
        }
    }
    out
}

/// Whether an entry begins with this time, so that all of it is about the time.
pub(super) fn leading(block: &Block, mentions: &[Mention], spot: &Spot) -> bool {
    let mut rest = String::new();
    let mut from = 0;
    for m in &mentions[..spot.first] {
        if matches!(m.what, Said::Length(_)) {
            return false;
        }
        rest.push_str(block.text.get(from..m.start).unwrap_or(""));
        from = m.end;
    }
    rest.push_str(block.text.get(from..spot.range.start).unwrap_or(""));
    LEADS.is_match(&rest)
}

pub(super) fn sentences(text: &str, mentions: &[Mention]) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    for found in SENTENCE.find_iter(text) {
        let stop = found.start();
        let inside = mentions.iter().any(|m| m.start <= stop && stop + 1 < m.end);
        let ends_time = mentions.iter().any(|m| m.end == stop + 1 || m.end == stop);
        if inside || (ABBREVIATION.is_match(&text[..stop]) && !ends_time) {
            continue;
        }
        out.push(start..stop + 1);
        start = stop + 1;
    }
    if start < text.len() {
        out.push(start..text.len());
    }
    out
}

/// The clauses of a sentence. A break inside a range of times is none.
pub(super) fn clauses(text: &str, sentence: Range<usize>, spots: &[&Spot]) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut start = sentence.start;
    let mut from = sentence.start;
    while let Some(found) = BREAKS.find_at(&text[..sentence.end], from) {
        from = found.end().max(from + 1);
        while !text.is_char_boundary(from) {
            from += 1;
        }
        // The break between two words belongs to neither; the next may begin with its blank.
        if found.end() > found.start() + 1 && text[..found.end()].ends_with(' ') && from > found.start() + 1 {
            from = found.end() - 1;
        }
        let inside = spots
            .iter()
            .any(|s| s.range.start < found.end() && found.start() < s.range.end && s.range.end > found.end());
        if !inside && found.start() > start {
            out.push(start..found.start());
            start = found.end() - usize::from(text[..found.end()].ends_with(' '));
        }
        if from >= sentence.end {
            break;
        }
    }
    if start < sentence.end {
        out.push(start..sentence.end);
    }
    out
}

/// The last bytes of what stands before a time: its prepositions are there.
pub(super) fn tail(text: &str, bytes: usize) -> &str {
    let mut from = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

fn owner(clause: &Range<usize>, spots: &[&Spot]) -> Option<usize> {
    spots.iter().position(|s| clause.start < s.range.end && s.range.start < clause.end)
}

/// The clauses of an entry that claim something of their own at its leading time; all of it when none does.
pub(super) fn entry_kinds(
    block: &Block,
    words: &Words<'_>,
    clauses: &[Range<usize>],
    spots: &[&Spot],
) -> Vec<Range<usize>> {
    let mut kinds = Vec::new();
    let mut out: Vec<Range<usize>> = Vec::new();
    for clause in clauses {
        let owned = owner(clause, spots).is_none_or(|o| o == 0);
        if let Some(kind) = words.kind(clause).filter(|_| owned)
            && !kinds.contains(&kind)
            && kinds.len() < KINDS_OF_ENTRY
        {
            kinds.push(kind);
            out.push(clause.clone());
        }
    }
    // Where one clause says something of the incident, what people did at the time is its colour.
    let facts = kinds.iter().filter(|k| !matches!(k, Kind::Action)).count();
    if facts > 0 {
        let mut keep = kinds.iter().map(|k| !matches!(k, Kind::Action));
        out.retain(|_| keep.next().unwrap_or(true));
    }
    if out.is_empty() {
        let end = spots.get(1).map_or(block.text.len(), |s| s.range.start);
        out.push(0..end);
    }
    out
}

/// The words that go with the time `spots[at]`: its clause, or that with its neighbours where it says nothing.
pub(super) fn phrase(
    text: &str,
    words: &Words<'_>,
    sentence: Range<usize>,
    clauses: &[Range<usize>],
    spots: &[&Spot],
    at: usize,
) -> Range<usize> {
    let spot = spots[at];
    let mine = |c: &Range<usize>| c.start < spot.range.end && spot.range.start < c.end;
    let Some(first) = clauses.iter().position(mine) else { return sentence };
    let last = clauses.iter().rposition(mine).unwrap_or(first);
    let says = |r: &Range<usize>| words.kind(r).is_some() || words.trouble(r);
    let free = |i: usize| clauses.get(i).is_some_and(|c| owner(c, spots).is_none());
    let mut range = clauses[first].start..clauses[last].end;
    if words.kind(&range).is_some() {
        return range;
    }
    let forward = LEADS.is_match(&text[range.start..spot.range.start]);
    let (mut low, mut high) = (first, last);
    for _ in 0..NEIGHBOURS {
        let ahead = free(high + 1);
        let back = low > 0 && free(low - 1);
        if ahead && (forward || !back) {
            high += 1;
        } else if back {
            low -= 1;
        } else {
            break;
        }
        range = clauses[low].start..clauses[high].end;
        if says(&range) {
            return range;
        }
    }
    if spots.len() == 1 { sentence } else { range }
}
