//! Error records counted by bucket of time and shape while a scan goes on.
//!
//! What is kept is [`Buckets`] of [`ErrorCell`]s, and what this makes of its rows is the same as if each had been put
//! there at once. But a thread goes through its part of a log in order, so a list that grows at its end will do, whose
//! end is put in order now and then. A look into the tree of buckets for every second of a log, and a tree made anew
//! each time the buckets had to be wider, were a quarter of the scan of an error log.

use super::bounded::Buckets;
use super::partial::{ErrorCell, OTHER, SHAPES_PER_CELL, Shaped};
use crate::time::Second;

/// Rows that are added before those of one bucket and shape are joined, where there are such.
const FRESH: usize = 4096;

/// Counted records.
#[derive(Debug)]
pub(super) struct Rows {
    /// A bucket is two to the power of this many seconds long.
    level: u8,
    /// Buckets at most.
    cap: usize,
    /// Records of one shape in one bucket, or some of them. Their bucket is that of the first: with its number beside them
    /// they were an eighth longer, and had to be gone through where buckets became wider.
    list: Vec<Shaped>,
    /// The last bucket, and how many there are; of those behind `joined`, where some are loose, it is not known.
    last: i64,
    buckets: usize,
    /// So many of the list are in order, one for each bucket and shape.
    joined: usize,
    /// Behind them, records of one bucket do not stand together.
    loose: bool,
}

impl Rows {
    /// Rows for so many buckets at most.
    pub(super) fn new(cap: usize) -> Self {
        Self { level: 0, cap, list: Vec::new(), last: i64::MIN, buckets: 0, joined: 0, loose: false }
    }

    /// The number of the bucket of a second: the same for seconds that share one.
    #[inline]
    pub(super) fn number(&self, second: Second) -> i64 {
        second >> self.level
    }

    /// Adds records of different shapes that lie in the bucket of `second`.
    #[inline]
    pub(super) fn add(&mut self, second: Second, records: impl Iterator<Item = Shaped>) {
        if self.loose && self.list.len() >= self.joined + FRESH {
            self.join();
        }
        let bucket = self.number(second);
        let before = self.list.len();
        self.list.extend(records);
        if self.list.len() == before {
            return;
        }
        if bucket > self.last {
            (self.last, self.buckets) = (bucket, self.buckets + 1);
        } else {
            self.loose = true;
        }
        if !self.loose {
            self.joined = self.list.len();
        }
        if self.buckets > self.cap {
            self.join();
        }
    }

    /// Puts the rows in order, one for each bucket and shape, in buckets as wide as they must be.
    fn join(&mut self) {
        if self.loose {
            let level = self.level;
            let (joined, fresh) = self.list.split_at(self.joined);
            let last = joined.last().map(|row| bucket(row, level));
            let follows = fresh.is_sorted_by_key(|row| bucket(row, level))
                && last.is_none_or(|last| fresh.first().is_none_or(|row| bucket(row, level) >= last));
            let from = if follows {
                last.map_or(0, |last| joined.partition_point(|row| bucket(row, level) < last))
            } else {
                self.list.sort_unstable_by_key(|row| bucket(row, level));
                0
            };
            self.settle(from);
            self.count();
        }
        while self.buckets > self.cap {
            self.level += 1;
            self.settle(0);
            self.count();
        }
    }

    /// Counts the buckets of rows that are all in order.
    fn count(&mut self) {
        let level = self.level;
        self.buckets = self.list.chunk_by(|a, b| bucket(a, level) == bucket(b, level)).count();
        self.last = self.list.last().map_or(i64::MIN, |row| bucket(row, level));
        (self.joined, self.loose) = (self.list.len(), false);
    }

    /// Joins the rows from `from` on, whose buckets are in order and begin there.
    fn settle(&mut self, from: usize) {
        let level = self.level;
        // The rows of the bucket at hand lie from `start` to `kept`.
        let (mut start, mut kept, mut at_hand) = (from, from, None);
        for at in from..self.list.len() {
            let (done, rest) = self.list.split_at_mut(at);
            let Some(row) = rest.first_mut() else { break };
            let own = Some(bucket(row, level));
            if at_hand != own || kept - start == 2 * SHAPES_PER_CELL {
                let new = std::mem::replace(&mut at_hand, own) != own;
                kept = start + leave(&mut done[start..kept]);
                start = if new { kept } else { start };
            }
            // A bucket holds few shapes: nothing is put in order to find one.
            let before = done[start..kept].iter_mut().find(|before| before.shape == row.shape);
            if let Some(before) = before {
                before.merge(row);
                continue;
            }
            if kept < at {
                std::mem::swap(&mut done[kept], row);
            }
            kept += 1;
        }
        kept = start + leave(&mut self.list[start..kept]);
        self.list.truncate(kept);
    }

    /// The buckets.
    pub(super) fn finish(mut self) -> Buckets<ErrorCell> {
        self.join();
        let level = self.level;
        let mut cells: Vec<(i64, ErrorCell)> = Vec::with_capacity(self.buckets);
        // As much room as a bucket needs: a list that grows is copied.
        let same = |a: &Shaped, b: &Shaped| bucket(a, level) == bucket(b, level);
        let lengths: Vec<usize> = self.list.chunk_by(same).map(<[Shaped]>::len).collect();
        let mut rows = self.list.into_iter();
        for length in lengths {
            let mut shapes = Vec::with_capacity(length);
            shapes.extend(rows.by_ref().take(length));
            let own = shapes.first().map_or(i64::MIN, |row| bucket(row, level));
            shapes.sort_unstable_by_key(|shaped| shaped.shape);
            cells.push((own, ErrorCell { shapes }));
        }
        Buckets::of(self.cap, self.level, cells)
    }
}

/// The number of the bucket of a row.
#[inline]
fn bucket(row: &Shaped, level: u8) -> i64 {
    row.first.second >> level
}

/// Puts those rows of a bucket to its front whose shapes are told apart and, behind them, one of all others; gives their
/// number.
fn leave(rows: &mut [Shaped]) -> usize {
    if rows.len() <= SHAPES_PER_CELL {
        return rows.len();
    }
    rows.sort_unstable_by_key(|row| row.shape);
    if let Some((other, more)) = rows[SHAPES_PER_CELL..].split_first_mut() {
        for row in more {
            other.merge(row);
        }
        other.shape = OTHER;
    }
    SHAPES_PER_CELL + 1
}

#[cfg(test)]
mod tests {
    use super::super::bounded::Cell as _;
    use super::super::partial::Sample;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Rows give what the same records give that are put into their buckets at once.
        #[test]
        fn rows_are_buckets(
            records in prop::collection::vec((0i64..400, 0u64..60, any::<bool>()), 0..600),
            ordered: bool,
            fresh in 1usize..50,
            cap in 3usize..60,
        ) {
            let mut records = records;
            if ordered {
                records.sort_unstable();
            }
            let mut want = Buckets::<ErrorCell>::new(cap);
            let mut rows = Rows::new(cap);
            for (i, &(second, shape, few)) in records.iter().enumerate() {
                // Few shapes in most buckets, in some more than are kept.
                let shape = if few { shape % 3 } else { shape };
                let first = Sample { second, byte: i as u64, line: i as u64, text: None };
                let one = Shaped { shape, count: 1, seconds: 1 << (second & 63), first };
                want.at(second).merge(ErrorCell { shapes: vec![one.clone()] });
                rows.add(second, std::iter::once(one));
                if i % fresh == 0 {
                    rows.join();
                }
            }
            prop_assert_eq!(rows.finish(), want);
        }
    }
}
