//! The probes of all files of a group, found by the line and by the second they stand for. Not for judging.
//!
//! Of a hundred thousand files there are millions, and each file asks for all that lie in its time. So they stand in one
//! list with two indexes beside it: maps of lists by line and of owners by second took four times the memory, and to
//! list the seconds of all others anew for each file took a time that grew with the pairs of files.

use super::Candidate;
use super::probe::Probe;
use crate::time::Second;
use std::ops::Range;

/// The probes of some files.
#[derive(Debug)]
pub(super) struct Probes {
    /// In the order of their owners.
    list: Vec<Probe>,
    /// Where each owner's begin, and where the last one's end.
    begins: Vec<u32>,
    /// Their places in the list, in the order of their hashes.
    by_hash: Vec<u32>,
    /// Where the hashes of each value of their first bits begin in `by_hash`: as many as there are probes or more, so that
    /// each has hardly more than one.
    heads: Vec<u32>,
    /// How far a hash is shifted to give those bits.
    shift: u32,
    /// The seconds they stand in, in order.
    seconds: Vec<Owned>,
}

/// A second, and whose probes stand in it.
#[derive(Debug, Clone, Copy)]
struct Owned {
    second: Second,
    /// The file; of several any.
    owner: u32,
    several: bool,
}

impl Owned {
    fn is_of_another(&self, than: usize) -> bool {
        self.several || self.owner as usize != than
    }
}

impl Probes {
    /// Those that `take` gives of each of `files` files, by their numbers.
    pub(super) fn of(files: usize, mut take: impl FnMut(usize) -> Vec<Probe>) -> Self {
        let mut list: Vec<Probe> = Vec::new();
        let mut begins = Vec::with_capacity(files + 1);
        let mut seconds: Vec<Owned> = Vec::new();
        for owner in 0..files {
            begins.push(list.len() as u32);
            list.extend(take(owner));
            let mut own: Vec<Second> = list[begins[owner] as usize..].iter().map(|p| p.second).collect();
            own.sort_unstable();
            own.dedup();
            seconds.extend(own.iter().map(|&second| Owned { second, owner: owner as u32, several: false }));
        }
        begins.push(list.len() as u32);
        seconds.sort_unstable_by_key(|owned| owned.second);
        seconds.dedup_by(|more, kept| {
            let same = more.second == kept.second;
            kept.several |= same;
            same
        });
        list.shrink_to_fit();
        seconds.shrink_to_fit();
        let mut by_hash: Vec<u32> = (0..list.len() as u32).collect();
        by_hash.sort_unstable_by_key(|&at| list[at as usize].hash);
        let bits = list.len().max(2).next_power_of_two().trailing_zeros();
        let shift = u64::BITS - bits;
        let mut heads = vec![0; (1 << bits) + 1];
        for probe in &list {
            heads[(probe.hash >> shift) as usize + 1] += 1;
        }
        let mut sum = 0;
        for head in &mut heads {
            sum += *head;
            *head = sum;
        }
        Self { list, begins, by_hash, heads, shift, seconds }
    }

    /// The probes of a file, with their numbers.
    pub(super) fn owned_by(&self, owner: usize) -> impl Iterator<Item = (u32, &Probe)> {
        let (from, to) = (self.begins[owner], self.begins[owner + 1]);
        (from..to).zip(&self.list[from as usize..to as usize])
    }

    /// The owner of a probe.
    pub(super) fn owner(&self, probe: u32) -> usize {
        self.begins.partition_point(|begin| *begin <= probe) - 1
    }

    /// The numbers of the probes that are of this line and second, whosever they are.
    pub(super) fn with(&self, hash: u64) -> impl Iterator<Item = u32> {
        let head = (hash >> self.shift) as usize;
        let near = self.heads[head] as usize..self.heads[head + 1] as usize;
        self.by_hash[near].iter().copied().filter(move |&at| self.list[at as usize].hash == hash)
    }

    /// What of them a file is asked about.
    pub(super) fn asked_of(&self, file: &Candidate, index: usize) -> Asked<'_> {
        let from = self.seconds.partition_point(|owned| owned.second < file.first);
        let to = self.seconds.partition_point(|owned| owned.second <= file.last);
        Asked { seconds: &self.seconds[from..to.max(from)], index }
    }
}

/// The seconds in which the probes of others stand that a file may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'p> {
    seconds: &'p [Owned],
    /// The file: its own are not asked about.
    index: usize,
}

impl Asked<'_> {
    /// How many, or a few more.
    pub(super) fn about(&self) -> u64 {
        self.seconds.len() as u64
    }

    /// Them, in order.
    pub(super) fn seconds(&self) -> impl DoubleEndedIterator<Item = Second> {
        self.seconds.iter().filter(|owned| owned.is_of_another(self.index)).map(|owned| owned.second)
    }

    /// From the first to behind the last.
    pub(super) fn span(&self) -> Option<Range<Second>> {
        Some(self.seconds().next()?..self.seconds().next_back()?.saturating_add(1))
    }

    /// Whether this is one of them.
    pub(super) fn has(&self, second: Second) -> bool {
        let at = self.seconds.binary_search_by_key(&second, |owned| owned.second);
        at.is_ok_and(|at| self.seconds[at].is_of_another(self.index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    proptest! {
        /// Both indexes give what looking at each probe gives.
        #[test]
        fn as_each_looked_at(
            given in prop::collection::vec(prop::collection::vec((-40i64..40, 0u64..30), 0..12), 0..8),
            (first, length, index) in (-50i64..50, 0i64..40, 0usize..9),
        ) {
            // Hashes that agree in their first bits, and such that do not.
            let hash = |n: u64| if n.is_multiple_of(3) { n } else { n.wrapping_mul(0x9e37_79b9_7f4a_7c15) };
            let take = |owner: usize| {
                let make = |&(second, n): &(i64, u64)| Probe { second, hash: hash(n), text: n, alone: true };
                given[owner].iter().map(make).collect::<Vec<_>>()
            };
            let probes = Probes::of(given.len(), take);
            let mut wanted: BTreeMap<u64, BTreeSet<(usize, u32)>> = BTreeMap::new();
            let mut owners: BTreeMap<Second, BTreeSet<usize>> = BTreeMap::new();
            let mut number = 0;
            for (owner, list) in given.iter().enumerate() {
                let own: Vec<u32> = probes.owned_by(owner).map(|p| p.0).collect();
                prop_assert_eq!(own, (number..number + list.len() as u32).collect::<Vec<_>>());
                for &(second, n) in list {
                    wanted.entry(hash(n)).or_default().insert((owner, number));
                    owners.entry(second).or_default().insert(owner);
                    number += 1;
                }
            }
            for n in 0..33 {
                let found: BTreeSet<_> = probes.with(hash(n)).map(|p| (probes.owner(p), p)).collect();
                prop_assert_eq!(found, wanted.get(&hash(n)).cloned().unwrap_or_default());
            }
            let file = Candidate {
                idx: 0,
                host: None,
                kind: 0,
                first,
                last: first + length,
                lines: 1,
                shown: String::new(),
                seekable: true,
            };
            let asked = probes.asked_of(&file, index);
            let foreign = |owners: &BTreeSet<usize>| owners.iter().any(|owner| *owner != index);
            let inside = owners.range(first..=first + length);
            let seconds: Vec<Second> = inside.filter(|s| foreign(s.1)).map(|s| *s.0).collect();
            prop_assert_eq!(asked.seconds().collect::<Vec<_>>(), seconds.clone());
            prop_assert!(asked.about() >= seconds.len() as u64);
            prop_assert_eq!(asked.span(), seconds.first().map(|s| *s..seconds[seconds.len() - 1] + 1));
            for second in first - 2..first + length + 2 {
                prop_assert_eq!(asked.has(second), seconds.contains(&second));
            }
        }
    }
}
