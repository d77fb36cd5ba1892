//! Probes: a few lines of each file by which its likeness to others is judged without reading either whole. Not for
//! judging.
//!
//! Where the probes are taken depends on nothing but the file itself: at sixteen places spread over it, and at steps
//! that double from either end, so that an overlap of any length at an end holds some. The places are rounded to powers of two
//! of seconds: files of the same days are then probed at the same seconds, and one reading serves all.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use super::probes::{Asked, Probes};
use super::{Candidate, LinesOf, hash};
use crate::time::{self, Second};

/// Places spread over a file.
const SPREAD: u64 = 16;
/// Lines taken at a place; fewer where there are very many files.
const LINES_AT: usize = 6;
/// A file of at most this many lines is read in one pass rather than at places.
const SMALL: u64 = 20_000;
/// What one jump into a file costs, in lines read: about a third of a MiB.
const JUMP: u64 = 1500;
/// Bytes of a line in which its time is looked for.
const TIME_WITHIN: usize = 1024;

/// One line of a file, to be looked for in others.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) second: Second,
    /// Of the second and the line.
    pub(super) hash: u64,
    /// Of the line without its time: what repeats.
    pub(super) text: u64,
    /// Whether no other line of its second in the same file equals it.
    pub(super) alone: bool,
}

/// The first different lines of the earliest second found at or after a place, and how often each stands there.
#[derive(Default)]
struct Place {
    second: Option<Second>,
    taken: Vec<(Probe, u32)>,
}

impl Place {
    fn visit(&mut self, second: Second, line: &[u8], most: usize, keys: &RandomState) {
        if self.second.is_none_or(|s| second < s) {
            self.second = Some(second);
            self.taken.clear();
        }
        if self.second != Some(second) {
            return;
        }
        let hash = hash(keys, second, line);
        if let Some((_, count)) = self.taken.iter_mut().find(|(probe, _)| probe.hash == hash) {
            *count = count.saturating_add(1);
        } else if self.taken.len() < most {
            self.taken.push((Probe { second, hash, text: text(line, keys), alone: false }, 1));
        }
    }

    fn probes(self) -> impl Iterator<Item = Probe> {
        self.taken.into_iter().map(|(probe, count)| Probe { alone: count == 1, ..probe })
    }
}

/// The probes of one file, of `files` that are compared.
pub(super) fn take(file: &Candidate, files: usize, lines_of: &LinesOf<'_>, keys: &RandomState) -> Vec<Probe> {
    let most = if files > 1024 { 1 } else { LINES_AT };
    let at = places(file.first, file.last);
    let mut found: Vec<Place> = at.iter().map(|_| Place::default()).collect();
    if !file.seekable || file.lines <= SMALL {
        lines_of(file.idx, file.first..file.last.saturating_add(1), &mut |_, line, second| {
            if let Some(i) = at.partition_point(|&p| p <= second).checked_sub(1) {
                found[i].visit(second, line, most, keys);
            }
        });
    } else {
        let span = file.last.abs_diff(file.first) + 1;
        let usual = i64::try_from(span.saturating_mul(8) / file.lines).unwrap_or(i64::MAX).max(1);
        for (i, place) in found.iter_mut().enumerate() {
            let end = at.get(i + 1).copied().unwrap_or(file.last.saturating_add(1));
            // Bursty logs are empty in most seconds: look further, at most up to the next place.
            let (mut from, mut width) = (at[i], usual);
            while place.second.is_none() && from < end {
                let to = from.saturating_add(width).min(end);
                lines_of(file.idx, from..to, &mut |_, line, second| {
                    if (from..to).contains(&second) {
                        place.visit(second, line, most, keys);
                    }
                });
                (from, width) = (to, width.saturating_mul(8));
            }
        }
    }
    found.into_iter().flat_map(Place::probes).collect()
}

/// Where a file is probed: sorted, the first at its beginning.
fn places(first: Second, last: Second) -> Vec<Second> {
    let span = last.abs_diff(first);
    let mut at = vec![first];
    let step = (span / SPREAD).max(1).next_power_of_two().min(1 << 62) as i64;
    let mut next = first.div_euclid(step).saturating_add(1).saturating_mul(step);
    while next <= last && at.len() < 2 * SPREAD as usize {
        at.push(next);
        next = next.saturating_add(step);
    }
    for power in (0i64..62).take_while(|p| 1u64 << p <= span) {
        let (step, grid) = (1i64 << power, 1i64 << (power - i64::from(power > 0)));
        for place in [first.saturating_add(step), last.saturating_sub(step)] {
            at.push(place.div_euclid(grid).saturating_mul(grid).clamp(first, last));
        }
    }
    at.push(last);
    at.sort_unstable();
    at.dedup();
    at
}

/// How often each line that is a probe of another stands in a file, by what it hashes to, looking only at the seconds
/// that are asked about.
pub(super) fn look_up(
    file: &Candidate,
    asked: Asked<'_>,
    probes: &Probes,
    lines_of: &LinesOf<'_>,
    keys: &RandomState,
) -> HashMap<u64, u32> {
    let mut counts = HashMap::new();
    let mut visit = |second: Second, line: &[u8]| {
        if asked.has(second) {
            let hash = hash(keys, second, line);
            if probes.with(hash).next().is_some() {
                *counts.entry(hash).or_insert(0) += 1;
            }
        }
    };
    for range in ranges(file, asked) {
        lines_of(file.idx, range.clone(), &mut |_, line, second| {
            if range.contains(&second) {
                visit(second, line);
            }
        });
    }
    counts
}

/// The stretches to read for what is asked: neighbours together where the lines between cost less than a jump.
fn ranges(file: &Candidate, asked: Asked<'_>) -> Vec<Range<Second>> {
    let Some(whole) = asked.span() else { return Vec::new() };
    if !file.seekable || file.lines <= SMALL || asked.about().saturating_mul(JUMP) >= file.lines {
        return vec![whole];
    }
    let per_second = file.lines as f64 / (file.last.abs_diff(file.first) as f64 + 1.0);
    let near = (JUMP as f64 / per_second) as u64;
    let mut out: Vec<Range<Second>> = Vec::new();
    for second in asked.seconds() {
        match out.last_mut() {
            Some(last) if second.abs_diff(last.end) <= near => last.end = second.saturating_add(1),
            _ => out.push(second..second.saturating_add(1)),
        }
    }
    out
}

/// Hash of a line without the time in it. The first stamp of any kind that is known is taken out; a line with none
/// (or none near its beginning) stands as it is, which makes it look more special than it may be by its time only.
fn text(line: &[u8], keys: &RandomState) -> u64 {
    let mut at = 0;
    while at < line.len().min(TIME_WITHIN) {
        let rest = &line[at..];
        let begins = at == 0 || !line[at - 1].is_ascii_alphanumeric();
        if begins && let Some(used) = stamp(rest) {
            return keys.hash_one((&line[..at], &rest[used.min(rest.len())..]));
        }
        at += 1;
    }
    keys.hash_one(line)
}

fn stamp(b: &[u8]) -> Option<usize> {
    if !b.first()?.is_ascii_digit() {
        return None;
    }
    if time::parse_time_local(b).is_some() {
        return Some(time::TIME_LOCAL_LEN);
    }
    if time::parse_error_time(b).is_some() {
        return Some(time::ERROR_TIME_LEN);
    }
    if let Some((_, used)) = time::parse_iso8601(b) {
        return Some(used);
    }
    let digits = b.iter().take(15).take_while(|c| c.is_ascii_digit() || **c == b'.').count();
    time::parse_msec(&b[..digits]).map(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_few_sorted_and_inside() {
        for (first, last) in [(0, 0), (5, 6), (100, 86_500), (-9, 1 << 40), (i64::MIN, i64::MAX)] {
            let at = places(first, last);
            assert!(at.len() <= 170 && at[0] == first && at[at.len() - 1] == last);
            assert!(at.windows(2).all(|w| w[0] < w[1]));
        }
        let (a, b) = (places(1_772_355_603, 1_772_441_990), places(1_772_355_600, 1_772_441_998));
        let shared = a.iter().filter(|p| b.contains(p)).count();
        assert!(shared * 10 >= a.len() * 6, "{shared} of {}", a.len());
    }

    #[test]
    fn lines_that_differ_by_their_time_have_one_text() {
        let keys = RandomState::new();
        let same = |a: &str, b: &str| text(a.as_bytes(), &keys) == text(b.as_bytes(), &keys);
        assert!(same(
            "10.0.0.1 - - [01/Mar/2026:10:00:00 +0000] \"GET /\" 200",
            "10.0.0.1 - - [01/Mar/2026:11:30:09 +0000] \"GET /\" 200"
        ));
        assert!(same("{\"t\":\"2026-03-01T10:00:00+00:00\"}", "{\"t\":\"2026-03-01T10:00:07+00:00\"}"));
        assert!(same("1772355600.123 GET", "1772355699.001 GET"));
        assert!(same("2026/03/01 10:00:00 [error] x", "2026/03/02 11:00:00 [error] x"));
        assert!(!same("2026/03/01 10:00:00 [error] x", "2026/03/01 10:00:00 [error] y"));
    }
}
