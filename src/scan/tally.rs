//! What later stages ask of a scan: sums over a stretch of time, and the error records by shape.

use super::bounded::{Counter, Distinct, Smallest};
use super::partial::{Dimension, FileScan, OTHER, Sample, Shaped, Sighting, keep_first, keep_last};
use crate::time::{Second, Window};
use crate::zone;
use std::collections::BTreeMap;

/// Failed requests of a stretch of time.
#[derive(Debug, Clone, Default)]
pub struct FailureTally {
    /// How many.
    pub failed: u64,
    /// By status.
    pub statuses: BTreeMap<u16, u64>,
    /// By endpoint, virtual host and peer (in the order of [`Dimension::ALL`]); what has no name is under `None`.
    pub names: [BTreeMap<Option<String>, u64>; 3],
    /// The first one written.
    pub first: Option<Sample>,
    /// The last one written.
    pub last: Option<Sample>,
    clients: Distinct<32>,
}

impl FailureTally {
    /// Distinct clients: exact up to 31, an estimate beyond.
    pub fn clients(&self) -> u64 {
        self.clients.estimate()
    }

    /// The names of a dimension, the most frequent first.
    pub fn ranked(&self, dimension: Dimension) -> Vec<(&str, u64)> {
        let names = &self.names[dimension as usize];
        let mut ranked: Vec<(&str, u64)> =
            names.iter().filter_map(|(name, n)| Some((name.as_deref()?, *n))).collect();
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        ranked
    }
}

/// Error records of one shape in one bucket of time.
#[derive(Debug, Clone, Copy)]
pub struct ErrorCount<'a> {
    /// What their messages share.
    pub shape: u64,
    /// How many.
    pub count: u32,
    /// The first of them.
    pub first: &'a Sample,
    bucket: Second,
    width: i64,
    seconds: u64,
}

impl ErrorCount<'_> {
    /// The local seconds that hold such a record; where a bucket is wider than can be told apart, the first one.
    pub fn seconds(&self) -> Seconds {
        if self.width > 64 {
            return Seconds { from: self.first.second, bits: 1 };
        }
        let bits = self.seconds.rotate_right((self.bucket & 63) as u32);
        Seconds { from: self.bucket, bits: bits & (u64::MAX >> (64 - self.width)) }
    }
}

/// Some of 64 seconds in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds {
    from: Second,
    /// Bit i stands for `from` + i.
    bits: u64,
}

impl Seconds {
    /// The same, so many seconds later.
    #[must_use]
    pub fn shifted(self, by: i64) -> Self {
        Self { from: self.from + by, ..self }
    }

    /// Those inside a window.
    #[must_use]
    pub fn inside(self, window: Window) -> Self {
        // The seconds before `at`, as bits.
        let before = |at: Second| match at.saturating_sub(self.from) {
            n if n <= 0 => 0,
            n if n < 64 => (1 << n) - 1,
            _ => u64::MAX,
        };
        Self { bits: self.bits & before(window.end) & !before(window.start), ..self }
    }

    /// How many.
    pub fn len(self) -> u32 {
        self.bits.count_ones()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// The first of them.
    pub fn first(self) -> Option<Second> {
        (self.bits != 0).then(|| self.from + i64::from(self.bits.trailing_zeros()))
    }

    /// The second at which those that these are some of begin.
    pub fn bucket(self) -> Second {
        self.from
    }

    /// The last of them.
    pub fn last(self) -> Option<Second> {
        (self.bits != 0).then(|| self.from + 63 - i64::from(self.bits.leading_zeros()))
    }

    /// Takes the first one out.
    pub fn pop(&mut self) -> Option<Second> {
        let first = self.first();
        self.bits &= self.bits.wrapping_sub(1);
        first
    }

    /// All of them, in order.
    pub fn iter(mut self) -> impl Iterator<Item = Second> {
        std::iter::from_fn(move || self.pop())
    }
}

impl FileScan {
    /// Adds the failures that arrived inside `window` to a tally, without their names: to look those up is most of it.
    pub fn add_unnamed(&self, window: Window, tally: &mut FailureTally) {
        for (_, cell) in self.failures.range(window.start, window.end) {
            tally.failed += u64::from(cell.failed);
            for &(status, n) in &*cell.statuses {
                *tally.statuses.entry(status).or_default() += u64::from(n);
            }
            tally.clients.merge(&cell.clients);
        }
        let [first, last] = self.failure_edges(window);
        keep_first(&mut tally.first, first);
        keep_last(&mut tally.last, last);
    }

    /// Adds the failures that arrived inside `window` to a tally.
    pub fn add_failures(&self, window: Window, tally: &mut FailureTally) {
        self.add_unnamed(window, tally);
        // Names are looked up once each, and not for every second they failed in. Where each failure has its own, a list
        // that is sorted costs a fourth of a tree.
        let mut sums: [Vec<(u64, u64)>; 3] = Default::default();
        let mut unnamed = [0; 3];
        for (_, cell) in self.failures.range(window.start, window.end) {
            for (i, counter) in cell.names.iter().enumerate() {
                unnamed[i] += u64::from(counter.rest);
                for (key, n) in counter.iter() {
                    // Of names beyond those that are kept only the sum can be told.
                    if self.names.wants(key) {
                        sums[i].push((key, u64::from(n)));
                    } else {
                        unnamed[i] += u64::from(n);
                    }
                }
            }
        }
        for ((names, mut sums), mut unnamed) in tally.names.iter_mut().zip(sums).zip(unnamed) {
            sums.sort_unstable();
            for same in sums.chunk_by(|a, b| a.0 == b.0) {
                let n: u64 = same.iter().map(|s| s.1).sum();
                match self.names.get(same[0].0) {
                    Some(name) => {
                        let name = String::from_utf8_lossy(name).into_owned();
                        *names.entry(Some(name)).or_default() += n;
                    }
                    None => unnamed += n,
                }
            }
            if unnamed > 0 {
                *names.entry(None).or_default() += unnamed;
            }
        }
    }

    /// Visits the names of what failed, bucket by bucket in order of time: first second of the bucket, key of the name (in
    /// any dimension), how many. Of a bucket with more names than are kept it is some of them.
    pub fn each_failed_name(&self, mut visit: impl FnMut(Second, u64, u32)) {
        for (second, cell) in self.failures.iter() {
            for (name, n) in cell.names.iter().flat_map(Counter::iter) {
                visit(second, name, n);
            }
        }
    }

    /// The failed requests that are kept: the first and the last of each cell that begins inside `window`.
    pub fn failure_samples(&self, window: Window) -> impl Iterator<Item = &Sample> {
        self.failures.range(window.start, window.end).flat_map(|(_, cell)| {
            let last = cell.last.as_ref().filter(|l| cell.first.as_ref().is_none_or(|f| f.byte != l.byte));
            cell.first.iter().chain(last)
        })
    }

    /// The text of a name of what failed, if it is kept.
    pub fn failed_name(&self, key: u64) -> Option<&[u8]> {
        self.names.get(key)
    }

    /// The first and the last that was written of the failures that arrived inside `window`.
    pub fn failure_edges(&self, window: Window) -> [Option<Sample>; 2] {
        let cells = || self.failures.range(window.start, window.end).map(|(_, cell)| cell);
        let first = cells().filter_map(|cell| cell.first.as_ref()).min();
        let last = cells().filter_map(|cell| cell.last.as_ref()).max();
        [first.cloned(), last.cloned()]
    }

    /// Failed requests of the whole file.
    pub fn failed(&self) -> u64 {
        self.failures.iter().map(|(_, cell)| u64::from(cell.failed)).sum()
    }

    /// How often [`Self::each_error`] calls.
    pub fn error_counts(&self) -> usize {
        self.errors.iter().map(|(_, cell)| cell.shapes.len()).sum()
    }

    /// Visits the error records by bucket and shape.
    pub fn each_error(&self, mut visit: impl FnMut(ErrorCount<'_>)) {
        let width = self.errors.width();
        for (bucket, cell) in self.errors.iter() {
            for Shaped { shape, count, seconds, first } in &cell.shapes {
                visit(ErrorCount { shape: *shape, count: *count, bucket, width, seconds: *seconds, first });
            }
        }
    }

    /// The shapes of error records, with the first record of each.
    pub fn shapes(&self) -> impl Iterator<Item = (u64, &Sample)> {
        self.shapes.iter().map(|(shape, sample)| (*shape, sample))
    }

    /// Whether there were more shapes or names than are kept.
    pub fn is_capped(&self) -> bool {
        let unshaped =
            self.errors.iter().any(|(_, cell)| cell.shapes.last().is_some_and(|e| e.shape == OTHER));
        unshaped || self.shapes.is_full() || self.names.is_any_full()
    }

    /// Lines that could not be read, a few of them.
    pub fn examples(&self) -> impl Iterator<Item = &Sample> {
        self.examples.iter().map(|(_, sample)| sample)
    }

    /// Whether this scan and another saw the same failed requests between two seconds: `None` when too few were kept to
    /// tell. Both keep those with the smallest keys, so below the smaller of their limits each has all it saw.
    pub fn saw_the_same(&self, other: &Self, from: Second, to: Second) -> Option<bool> {
        const ENOUGH: usize = 16;
        let inside = |(_, _, second): &Sighting| from <= *second && *second <= to;
        let shared = |a: &Smallest<Sighting, ()>, b: &Smallest<Sighting, ()>| {
            let limit = [a, b].into_iter().filter_map(Smallest::limit).min();
            let below = |k: &&Sighting| inside(k) && limit.is_none_or(|l| *k <= l);
            let count = |s: &Smallest<Sighting, ()>| s.iter().map(|e| e.0).filter(below).count();
            let common = a.iter().map(|e| e.0).filter(below).filter(|k| b.get(k).is_some()).count();
            (count(a).min(count(b)), common)
        };
        let (access, errors) =
            (shared(&self.seen_access, &other.seen_access), shared(&self.seen_error, &other.seen_error));
        let (seen, common) = (access.0 + errors.0, access.1 + errors.1);
        (seen >= ENOUGH).then_some(common * 4 >= seen)
    }

    /// Failed requests as this access log saw them.
    pub fn access_sightings(&self) -> Vec<zone::Sighting> {
        self.seen_access
            .iter()
            .map(|((_, key, time), ())| zone::Sighting { key: *key, time: *time })
            .collect()
    }

    /// Failed requests as this error log saw them.
    pub fn error_sightings(&self) -> Vec<zone::Sighting> {
        self.seen_error.iter().map(|((_, key, time), ())| zone::Sighting { key: *key, time: *time }).collect()
    }

    /// From which second on which offset the stamps carried. Of offsets that come and go (summer and winter), the
    /// one that lies inside the other is the one that came and went.
    pub fn offset_steps(&self) -> Vec<(Second, i16)> {
        let mut spans: Vec<(Second, Second, i16)> =
            self.offsets.iter().map(|(o, (f, l))| (*f, *l, *o)).collect();
        spans.sort_unstable();
        let mut steps: Vec<(Second, i16)> = Vec::new();
        for (i, &(first, last, offset)) in spans.iter().enumerate() {
            steps.push((first, offset));
            if let Some((_, _, outer)) = spans[..i].iter().rev().find(|s| s.1 > last) {
                steps.push((last + 1, *outer));
            }
        }
        steps.sort_unstable();
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The bits of a bucket are read as the seconds that set them.
        #[test]
        fn seconds_of_a_bucket(
            level in 0u32..9,
            bucket in -1000i64..1000,
            offsets in prop::collection::btree_set(0i64..256, 1..20),
            shift in -100i64..100,
            window in (-70_000i64..70_000, 0i64..1000),
        ) {
            let width = 1i64 << level;
            let bucket = bucket * width;
            let mut want: Vec<Second> = offsets.iter().filter(|o| **o < width).map(|o| bucket + o).collect();
            prop_assume!(!want.is_empty());
            let first = Sample { second: want[0], byte: 0, line: 0, text: None };
            let seconds = want.iter().fold(0, |bits, s| bits | 1u64 << (s & 63));
            let count = ErrorCount { shape: 0, count: 1, first: &first, bucket, width, seconds };
            if width > 64 {
                want.truncate(1);
            }
            let window = Window { start: window.0, end: window.0 + window.1 };
            let moved: Vec<Second> = want.iter().map(|s| s + shift).collect();
            prop_assert_eq!(count.seconds().shifted(shift).iter().collect::<Vec<_>>(), moved.clone());
            let inside: Vec<Second> = moved.into_iter().filter(|s| window.contains(*s)).collect();
            let cut = count.seconds().shifted(shift).inside(window);
            prop_assert_eq!((cut.len() as usize, cut.is_empty()), (inside.len(), inside.is_empty()));
            prop_assert_eq!(cut.iter().collect::<Vec<_>>(), inside);
        }
    }
}
