//! The exact join of one file with those it shares lines with: windows of seconds, a sorted table of line hashes in
//! each. Not for deciding whether two files share anything.

use std::collections::BTreeMap;
use std::hash::RandomState;
use std::ops::Range;

use super::{Candidate, LinesOf, Skips, hash, overlap};
use crate::time::Second;

/// Lines of one file held at a time; 16 bytes each. Where a window means reading a packed file from its beginning,
/// fewer and larger windows.
const WINDOW_LINES: u64 = 128 << 10;
const WINDOW_LINES_PACKED: u64 = 1 << 20;
/// A window with too many lines is split by how they lie in this many slices of it.
const SLICES: usize = 64;

struct Entry {
    hash: u64,
    count: u32,
    seen: u32,
    of: usize,
}

/// The lines of `copy` that stand in one of `originals` too (the first of them that has most of a line).
pub(super) fn skips(
    copy: &Candidate,
    originals: &[&Candidate],
    lines_of: &LinesOf<'_>,
    keys: &RandomState,
) -> Vec<Skips> {
    let mut join = Join { copy, originals, lines_of, keys, out: BTreeMap::new() };
    let shared: Vec<Range<Second>> = originals.iter().filter_map(|o| overlap(copy, o)).collect();
    for range in merge(shared) {
        let packed = !copy.seekable || originals.iter().any(|o| !o.seekable);
        let limit = if packed { WINDOW_LINES_PACKED } else { WINDOW_LINES };
        let densest = originals.iter().map(|o| o.lines as f64 / (o.last.abs_diff(o.first) as f64 + 1.0));
        let density = densest.fold(f64::MIN_POSITIVE, f64::max);
        let step = ((limit as f64 / density / 2.0) as i64).max(1);
        let mut from = range.start;
        while from < range.end {
            let to = from.saturating_add(step).min(range.end);
            join.window(from..to, limit);
            from = to;
        }
    }
    let skips = join.out.into_iter();
    skips.map(|(of, (ranges, lines))| Skips { file: copy.idx, ranges: sorted(ranges), lines, of }).collect()
}

struct Join<'a> {
    copy: &'a Candidate,
    originals: &'a [&'a Candidate],
    lines_of: &'a LinesOf<'a>,
    keys: &'a RandomState,
    out: BTreeMap<usize, (Vec<Range<u64>>, u64)>,
}

impl Join<'_> {
    /// Joins one window, or splits it first if it holds more than `limit` lines of an original. A single second is
    /// never split. Each level of splitting divides by 64, so no line is read more than a handful of times.
    fn window(&mut self, window: Range<Second>, limit: u64) {
        let width = window.end.abs_diff(window.start).max(1);
        let mut table: Vec<Entry> = Vec::new();
        for original in self.originals.iter().filter(|o| o.first < window.end && window.start <= o.last) {
            let mut hashes: Vec<u64> = Vec::new();
            let mut slices = [0u64; SLICES];
            let mut total = 0;
            (self.lines_of)(original.idx, window.clone(), &mut |_, line, second| {
                if !window.contains(&second) {
                    return;
                }
                let slice = u128::from(second.abs_diff(window.start)) * SLICES as u128 / u128::from(width);
                slices[slice as usize] += 1;
                total += 1;
                if total <= limit || width == 1 {
                    hashes.push(hash(self.keys, second, line));
                }
            });
            if total > limit && width > 1 {
                drop((hashes, table));
                return self.split(&window, &slices, limit);
            }
            table = merged(table, hashes, original.idx);
        }
        if table.is_empty() {
            return;
        }
        let (copy, keys, out) = (self.copy.idx, self.keys, &mut self.out);
        (self.lines_of)(copy, window.clone(), &mut |byte, line, second| {
            if !window.contains(&second) {
                return;
            }
            let hash = hash(keys, second, line);
            let Ok(at) = table.binary_search_by_key(&hash, |e| e.hash) else { return };
            let entry = &mut table[at];
            if entry.seen >= entry.count {
                return;
            }
            entry.seen += 1;
            let (ranges, lines) = out.entry(entry.of).or_default();
            *lines += 1;
            let end = byte + line.len() as u64 + 1;
            match ranges.last_mut() {
                // One byte of play: a carriage return the caller may have taken off.
                Some(last) if last.end <= byte && byte - last.end <= 1 => last.end = end,
                _ => ranges.push(byte..end),
            }
        });
    }

    fn split(&mut self, window: &Range<Second>, slices: &[u64; SLICES], limit: u64) {
        let width = u128::from(window.end.abs_diff(window.start));
        // The first second of a slice: rounded up, so that each second lies in the slice it was counted in.
        let edge =
            |i: usize| window.start.saturating_add((width * i as u128).div_ceil(SLICES as u128) as i64);
        let (mut from, mut held) = (0, 0);
        for (i, &lines) in slices.iter().enumerate() {
            if held > 0 && held + lines > limit {
                self.window(edge(from)..edge(i), limit);
                (from, held) = (i, 0);
            }
            held += lines;
        }
        if edge(from) < window.end {
            self.window(edge(from)..window.end, limit);
        }
    }
}

/// Adds one file's hashes to the table: of each line the most times any file has it.
fn merged(table: Vec<Entry>, mut hashes: Vec<u64>, of: usize) -> Vec<Entry> {
    hashes.sort_unstable();
    let mut out: Vec<Entry> = Vec::with_capacity(table.len().max(hashes.len()));
    let mut old = table.into_iter().peekable();
    for same in hashes.chunk_by(|a, b| a == b) {
        let entry =
            Entry { hash: same[0], count: u32::try_from(same.len()).unwrap_or(u32::MAX), seen: 0, of };
        while let Some(before) = old.next_if(|o| o.hash < entry.hash) {
            out.push(before);
        }
        match old.next_if(|o| o.hash == entry.hash) {
            Some(known) if known.count >= entry.count => out.push(known),
            _ => out.push(entry),
        }
    }
    out.extend(old);
    out
}

fn sorted(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|r| r.start);
    let mut out: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(1) => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out
}

fn merge(mut ranges: Vec<Range<Second>>) -> Vec<Range<Second>> {
    ranges.sort_unstable_by_key(|r| r.start);
    let mut out: Vec<Range<Second>> = Vec::new();
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out
}
