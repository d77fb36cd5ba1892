//! Collections that stay small whatever the log holds, and that merge exactly.
//!
//! Each of them keeps a set that is a function of everything it was shown and not of the order: the k smallest
//! hashes (bottom-k, Beyer et al., "On synopses for distinct-value estimation", SIGMOD 2007), or the finest bucket
//! width at which the number of buckets fits (a coarser width is needed for a part only if the whole needs it too).
//! So any split of the input gives the same bytes; what fell out is counted, never lost in silence.

use super::few::Few;
use crate::time::Second;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// A 64-bit hash of bytes: multiply and fold, eight bytes a step; stable over machines and runs.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    const A: u64 = 0x9e37_79b9_7f4a_7c15;
    const B: u64 = 0xd6e8_feb8_6659_fd93;
    let fold = |x: u64, y: u64| {
        let p = u128::from(x) * u128::from(y);
        (p as u64) ^ (p >> 64) as u64
    };
    let mut h = A ^ bytes.len() as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        h = fold(h ^ u64::from_le_bytes(*word), B);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    h = fold(h ^ u64::from_le_bytes(last), B);
    fold(h ^ (h >> 32), A)
}

/// Buckets of time, at most `cap` of them; the width doubles when they would be more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Buckets<T> {
    level: u8,
    cap: usize,
    cells: BTreeMap<i64, T>,
}

/// What a bucket holds: it starts empty and adds up.
pub(crate) trait Cell: Default {
    /// Adds another bucket's contents.
    fn merge(&mut self, other: Self);
}

impl<T: Cell> Buckets<T> {
    pub(crate) fn new(cap: usize) -> Self {
        Self { level: 0, cap, cells: BTreeMap::new() }
    }

    /// Buckets of two to the power of `level` seconds each, at most `cap` of them, in order.
    pub(super) fn of(cap: usize, level: u8, cells: Vec<(i64, T)>) -> Self {
        Self { level, cap, cells: cells.into_iter().collect() }
    }

    /// The bucket of a second: what a scan's own ways to fill buckets are held against.
    #[cfg(test)]
    pub(crate) fn at(&mut self, second: Second) -> &mut T {
        // One look-up while there is room, which is nearly always.
        while self.cells.len() >= self.cap && !self.cells.contains_key(&(second >> self.level)) {
            self.coarsen();
        }
        self.cells.entry(second >> self.level).or_default()
    }

    fn coarsen(&mut self) {
        self.level += 1;
        // They come in order, so neighbours are joined first and the tree is made of the rest at once.
        let mut cells: Vec<(i64, T)> = Vec::with_capacity(self.cells.len());
        for (key, cell) in std::mem::take(&mut self.cells) {
            match cells.last_mut() {
                Some((last, sum)) if *last == key >> 1 => sum.merge(cell),
                _ => cells.push((key >> 1, cell)),
            }
        }
        self.cells = cells.into_iter().collect();
    }

    pub(crate) fn merge(&mut self, mut other: Self) {
        while self.level < other.level {
            self.coarsen();
        }
        while other.level < self.level {
            other.coarsen();
        }
        // Parts of a log hold different times: hardly any bucket is in both.
        for (key, cell) in other.cells {
            match self.cells.entry(key) {
                Entry::Vacant(free) => {
                    free.insert(cell);
                }
                Entry::Occupied(mut sum) => sum.get_mut().merge(cell),
            }
        }
        while self.cells.len() > self.cap {
            self.coarsen();
        }
    }

    /// Seconds per bucket.
    pub(crate) fn width(&self) -> i64 {
        1 << self.level
    }

    /// The buckets in order, each with its first second.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (Second, &T)> {
        self.cells.iter().map(|(&key, cell)| (key << self.level, cell))
    }

    /// The buckets that overlap `from..to`, in order.
    pub(crate) fn range(&self, from: Second, to: Second) -> impl DoubleEndedIterator<Item = (Second, &T)> {
        let last = (to.max(from.saturating_add(1)) - 1) >> self.level;
        self.cells.range(from >> self.level..=last).map(|(&key, cell)| (key << self.level, cell))
    }

    /// Every bucket, to be changed in place.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.cells.values_mut()
    }

    /// Forgets the buckets that end before `second`.
    pub(crate) fn forget_before(&mut self, second: Second) {
        let first = second >> self.level;
        self.cells.retain(|key, _| *key >= first);
    }

    /// Whether it keeps its own rules: the cap of a `fresh` one, and times that are times.
    pub(crate) fn is_sound(&self, fresh: &Self, seconds: std::ops::RangeInclusive<Second>) -> bool {
        let inside = |key: i64| {
            key.checked_mul(1 << self.level.min(62)).is_some_and(|second| seconds.contains(&second))
        };
        let edges = [self.cells.first_key_value(), self.cells.last_key_value()];
        self.level < 40
            && self.cap == fresh.cap
            && self.cells.len() <= self.cap
            && edges.into_iter().flatten().all(|(key, _)| inside(*key))
    }
}

/// The k entries with the smallest keys out of all that were shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Smallest<K: Ord, V> {
    cap: usize,
    /// None before anything was shown: a hundred thousand files have four of these each, and most stay empty.
    shown: Option<Box<Shown<K, V>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Shown<K: Ord, V> {
    entries: BTreeMap<K, V>,
    /// The largest key, once there is no more room: what lies beyond is not wanted.
    limit: Option<K>,
}

impl<K: Ord + Copy, V> Smallest<K, V> {
    pub(crate) fn new(cap: usize) -> Self {
        Self { cap, shown: None }
    }

    /// The largest key kept, once there is no more room.
    pub(crate) fn limit(&self) -> Option<&K> {
        self.shown.as_ref()?.limit.as_ref()
    }

    /// Whether an entry with this key would be kept now; asked before the value is worked out.
    #[inline]
    pub(crate) fn wants(&self, key: &K) -> bool {
        self.limit().is_none_or(|limit| key <= limit)
    }

    /// Shows an entry; `merge` decides between two values of one key.
    pub(crate) fn show(&mut self, key: K, value: V, merge: impl FnOnce(&mut V, V)) {
        if !self.wants(&key) {
            return;
        }
        let fresh = || Box::new(Shown { entries: BTreeMap::new(), limit: None });
        let Shown { entries, limit } = &mut **self.shown.get_or_insert_with(fresh);
        match entries.entry(key) {
            Entry::Occupied(o) => merge(o.into_mut(), value),
            Entry::Vacant(v) => {
                v.insert(value);
            }
        }
        if entries.len() > self.cap {
            entries.pop_last();
        }
        if entries.len() == self.cap {
            *limit = entries.last_key_value().map(|(last, _)| *last);
        }
    }

    pub(crate) fn merge(&mut self, other: Self, mut merge: impl FnMut(&mut V, V)) {
        for (key, value) in other.shown.into_iter().flat_map(|shown| shown.entries) {
            self.show(key, value, &mut merge);
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.shown.as_ref()?.entries.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.shown.as_mut()?.entries.get_mut(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shown.iter().flat_map(|shown| &shown.entries)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.shown.iter_mut().flat_map(|shown| shown.entries.values_mut())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.shown.as_ref().map_or(0, |shown| shown.entries.len())
    }

    /// Whether there is no more room, so that something may not have fitted.
    pub(crate) fn is_full(&self) -> bool {
        self.len() == self.cap
    }

    /// Forgets entries; what came later and was not wanted before stays unknown.
    pub(crate) fn forget(&mut self, old: impl Fn(&K) -> bool) {
        let Some(shown) = &mut self.shown else { return };
        shown.entries.retain(|key, _| !old(key));
        if shown.entries.len() < self.cap {
            shown.limit = None;
        }
        self.shown = self.shown.take().filter(|shown| !shown.entries.is_empty());
    }

    /// Whether it keeps its own rules, with the cap of a `fresh` one.
    pub(crate) fn is_sound(&self, fresh: &Self) -> bool {
        let last = self.iter().last().map(|(key, _)| key);
        let limit = if self.is_full() { last } else { None };
        self.cap == fresh.cap && self.len() <= self.cap && self.limit() == limit
    }
}

/// Counts by key, the `CAP` smallest keys by name and the rest in one sum.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Counter<const CAP: usize> {
    counts: Few<(u64, u32)>,
    /// Counts of keys that did not fit.
    pub(crate) rest: u32,
}

impl<const CAP: usize> Counter<CAP> {
    pub(crate) fn add(&mut self, key: u64, n: u32) {
        if self.counts.len() == CAP && self.counts.last().is_some_and(|last| last.0 < key) {
            self.rest += n;
            return;
        }
        match self.counts.binary_search_by_key(&key, |e| e.0) {
            Ok(i) => self.counts[i].1 += n,
            Err(i) if i < CAP => {
                self.counts.insert(i, (key, n));
                if self.counts.len() > CAP
                    && let Some((_, fallen)) = self.counts.pop()
                {
                    self.rest += fallen;
                }
            }
            Err(_) => self.rest += n,
        }
    }

    /// Tells only keys up to `limit` apart.
    pub(crate) fn bound(&mut self, limit: u64) {
        while self.counts.last().is_some_and(|last| last.0 > limit)
            && let Some((_, fallen)) = self.counts.pop()
        {
            self.rest += fallen;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.rest += other.rest;
        for &(key, n) in &*other.counts {
            self.add(key, n);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u32)> {
        self.counts.iter().copied()
    }

    /// Whether it keeps its own rules, and no count is one that overflows when it is added to another.
    pub(crate) fn is_sound(&self) -> bool {
        let most = u32::MAX >> 1;
        self.counts.len() <= CAP
            && self.counts.is_sorted_by(|a, b| a.0 < b.0)
            && self.rest < most
            && self.counts.iter().all(|(_, n)| *n < most)
    }
}

/// How many distinct keys were shown: exact up to `CAP`, estimated from the `CAP`-th smallest hash beyond
/// (unbiased estimator (k - 1) / U of Beyer et al.; standard error about 1 / sqrt(k - 2)).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Distinct<const CAP: usize> {
    hashes: Few<u32>,
}

impl<const CAP: usize> Distinct<CAP> {
    pub(crate) fn add(&mut self, hash: u32) {
        // Nearly all of many are not among the smallest.
        if self.hashes.len() == CAP && self.hashes.last().is_some_and(|last| *last < hash) {
            return;
        }
        if let Err(i) = self.hashes.binary_search(&hash)
            && i < CAP
        {
            self.hashes.insert(i, hash);
            if self.hashes.len() > CAP {
                self.hashes.pop();
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for &hash in &*other.hashes {
            self.add(hash);
        }
    }

    pub(crate) fn estimate(&self) -> u64 {
        match self.hashes.last() {
            Some(&last) if self.hashes.len() == CAP => {
                let u = (f64::from(last) + 1.0) / (f64::from(u32::MAX) + 1.0);
                ((CAP as f64 - 1.0) / u).round() as u64
            }
            _ => self.hashes.len() as u64,
        }
    }

    /// Whether it keeps its own rules.
    pub(crate) fn is_sound(&self) -> bool {
        self.hashes.len() <= CAP && self.hashes.is_sorted_by(|a, b| a < b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    struct Sum(Counter<3>, u32);

    impl Cell for Sum {
        fn merge(&mut self, other: Self) {
            self.0.merge(&other.0);
            self.1 += other.1;
        }
    }

    proptest! {
        /// Whatever the split and the order, the same is kept.
        #[test]
        fn bounded_collections_merge_exactly(
            shown in prop::collection::vec((-50i64..500, 0u64..12), 0..150),
            cut in 0usize..150,
        ) {
            let fill = |part: &[(i64, u64)]| {
                let mut b = Buckets::<Sum>::new(20);
                let mut s = Smallest::<u64, i64>::new(5);
                let mut d = Distinct::<4>::default();
                for &(second, key) in part {
                    let cell = b.at(second);
                    cell.0.add(key, 1);
                    cell.1 += 1;
                    s.show(key, second, |a, b| *a = (*a).min(b));
                    d.add(hash(&key.to_le_bytes()) as u32);
                }
                (b, s, d)
            };
            let whole = fill(&shown);
            let (a, b) = shown.split_at(cut.min(shown.len()));
            for (x, y) in [(a, b), (b, a)] {
                let (mut x, y) = (fill(x), fill(y));
                x.0.merge(y.0);
                x.1.merge(y.1, |a, b| *a = (*a).min(b));
                x.2.merge(&y.2);
                prop_assert_eq!(&x, &whole);
            }
            let total: u32 = whole.0.iter().map(|(_, c)| c.1).sum();
            prop_assert_eq!(total as usize, shown.len());
            let named: u32 = whole.0.iter().map(|(_, c)| c.0.rest + c.0.iter().map(|e| e.1).sum::<u32>()).sum();
            prop_assert_eq!(named, total);
        }
    }

    #[test]
    fn distinct_is_exact_while_small_and_close_when_large() {
        let mut d = Distinct::<64>::default();
        for i in 0..50u64 {
            d.add(hash(&i.to_le_bytes()) as u32);
            d.add(hash(&i.to_le_bytes()) as u32);
        }
        assert_eq!(d.estimate(), 50);
        for i in 0..20_000u64 {
            d.add(hash(&i.to_le_bytes()) as u32);
        }
        let off = (d.estimate() as f64 / 20_000.0 - 1.0).abs();
        assert!(off < 0.4, "{}", d.estimate());
    }
}
