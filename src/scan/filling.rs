//! Buckets of time while a scan fills them.
//!
//! What comes of it is the same as if each cell had been looked up in [`Buckets`] at once. But the lines of a log come
//! one after the other, so the cell of the last one is at hand, and any other is found by its number: order is needed
//! only when the buckets have to be wider and at the end. A look into a tree for each failed request was an eighth of
//! the scan of a log in which all fail.

use super::bounded::{Buckets, Cell};
use crate::time::Second;

/// Buckets that are being filled, at most `cap` of them; their width doubles when they would be more.
#[derive(Debug)]
pub(super) struct Filling<T> {
    level: u8,
    cap: usize,
    /// Each with its number, in the order in which they were first asked for.
    cells: Vec<(i64, T)>,
    /// The place of the cell asked for last.
    last: usize,
    /// Where the cells are, found by their numbers: places plus one, 0 where there is none. A power of two long, and
    /// at least half of it is free.
    table: Vec<u32>,
}

impl<T: Cell> Filling<T> {
    /// At most so many buckets.
    pub(super) fn new(cap: usize) -> Self {
        Self { level: 0, cap, cells: Vec::new(), last: 0, table: Vec::new() }
    }

    /// The bucket of a second.
    #[inline]
    pub(super) fn at(&mut self, second: Second) -> &mut T {
        let number = second >> self.level;
        if self.cells.get(self.last).is_none_or(|cell| cell.0 != number) {
            self.last = self.place(second);
        }
        &mut self.cells[self.last].1
    }

    /// Whether the cell of a second is the one asked for last or one of so many beside it, or is the first.
    #[inline]
    pub(super) fn is_near(&self, second: Second, cells: u64) -> bool {
        self.cells.get(self.last).is_none_or(|cell| cell.0.abs_diff(second >> self.level) <= cells)
    }

    /// The place of the cell of a second, which is made where there is none.
    fn place(&mut self, second: Second) -> usize {
        let mut number = second >> self.level;
        let slot = match self.find(number) {
            Ok(place) => return place,
            Err(slot) => slot,
        };
        let slot = if self.cells.len() >= self.cap {
            self.coarsen(number);
            number = second >> self.level;
            match self.find(number) {
                Ok(place) => return place,
                Err(slot) => slot,
            }
        } else {
            slot
        };
        self.cells.push((number, T::default()));
        let place = self.cells.len();
        if 2 * place > self.table.len() {
            self.index();
        } else {
            self.table[slot] = place as u32;
        }
        place - 1
    }

    /// Where a number stands, or the slot that is free for it.
    fn find(&self, number: i64) -> Result<usize, usize> {
        let Some(most) = self.table.len().checked_sub(1) else { return Err(0) };
        // Multiplicative hashing (Knuth, vol. 3, 6.4): neighbours fall far apart.
        let mut slot = ((number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & most;
        while let Some(place) = (self.table[slot] as usize).checked_sub(1) {
            if self.cells[place].0 == number {
                return Ok(place);
            }
            slot = (slot + 1) & most;
        }
        Err(slot)
    }

    /// Makes the table anew, with room for twice as many.
    fn index(&mut self) {
        self.table.clear();
        self.table.resize((4 * self.cells.len()).next_power_of_two().max(64), 0);
        for place in 0..self.cells.len() {
            if let Err(slot) = self.find(self.cells[place].0) {
                self.table[slot] = place as u32 + 1;
            }
        }
    }

    /// Widens the buckets as little as makes room for one more of this number.
    fn coarsen(&mut self, more: i64) {
        let numbers: Vec<i64> = self.sort();
        let at = numbers.partition_point(|n| *n < more);
        let distinct = |by: u8| {
            let all = numbers[..at].iter().chain([&more]).chain(&numbers[at..]);
            let mut last = None;
            all.filter(|n| last.replace(**n >> by) != Some(**n >> by)).count()
        };
        let mut by = 1;
        while distinct(by) > self.cap && by < 62 {
            by += 1;
        }
        self.level += by;
        let mut cells: Vec<(i64, T)> = Vec::with_capacity(self.cells.len());
        for (number, cell) in std::mem::take(&mut self.cells) {
            match cells.last_mut() {
                Some((last, sum)) if *last == number >> by => sum.merge(cell),
                _ => cells.push((number >> by, cell)),
            }
        }
        self.cells = cells;
        self.last = 0;
        self.index();
    }

    /// Puts the cells in order and gives their numbers. Cells are large, and nearly all stand where they belong: what is sorted
    /// is their numbers, and only the cells that stand elsewhere are moved. A list of all of them anew was memory that is
    /// asked for to be read once.
    fn sort(&mut self) -> Vec<i64> {
        if !self.cells.is_sorted_by_key(|cell| cell.0) {
            let mut order: Vec<(i64, usize)> =
                self.cells.iter().enumerate().map(|(i, cell)| (cell.0, i)).collect();
            order.sort_unstable();
            for start in 0..order.len() {
                // Round the circle of places of which each has the cell of the one before.
                let mut at = start;
                while order[at].1 != start {
                    let from = std::mem::replace(&mut order[at].1, at);
                    self.cells.swap(at, from);
                    at = from;
                }
                order[at].1 = at;
            }
        }
        self.cells.iter().map(|cell| cell.0).collect()
    }

    /// The buckets.
    pub(super) fn finish(mut self) -> Buckets<T> {
        self.sort();
        Buckets::of(self.cap, self.level, self.cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    struct Sum(u32);

    impl Cell for Sum {
        fn merge(&mut self, other: Self) {
            self.0 += other.0;
        }
    }

    proptest! {
        /// Filled step by step or looked up in their order: the same buckets, also where they must be far wider at once.
        #[test]
        fn filled_are_buckets(
            seconds in prop::collection::vec((-3000i64..3000, 0u32..18), 0..400),
            cap in 2usize..200,
        ) {
            let mut want = Buckets::<Sum>::new(cap);
            let mut filling = Filling::<Sum>::new(cap);
            for (i, &(second, far)) in seconds.iter().enumerate() {
                let second = second << far;
                for _ in 0..=i % 3 {
                    want.at(second).0 += 1;
                    filling.at(second).0 += 1;
                }
            }
            prop_assert_eq!(filling.finish(), want);
        }
    }
}
