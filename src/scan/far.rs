//! Failures that lie far from each other in time, one behind the other in a log.
//!
//! A failure is dated when its request came. Where requests lasted each as long as it pleased, or lines are in no order, each
//! failure belongs to another second than the one before, and what is kept of that second has left the processor's
//! caches meanwhile: to wait for memory was two thirds of the scan of such a log. So what lies far from the failure before is
//! laid aside, and counted in the order of time when there is much of it. What is kept of a second does not depend on the
//! order.

use super::filling::Filling;
use super::partial::{FailureCell, Sample};
use crate::time::Second;

/// So many are laid aside: 2 MiB.
const MOST: usize = 1 << 15;
/// Cells between two failures that are far from each other: so many fit into the caches.
const FAR: u64 = 256;

/// What is known of a name of a failed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// It has none.
    Not,
    /// A name that is not among those that are kept.
    Otherwise,
    /// The key of one that is.
    As(u64),
}

/// A failed request as its second counts it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    /// When it came.
    pub(super) arrival: Second,
    /// When its line was written, and where it stands.
    pub(super) second: Second,
    pub(super) byte: u64,
    pub(super) line: u64,
    pub(super) status: u16,
    /// Hash of its client.
    pub(super) client: u32,
    /// Its endpoint, virtual host and peer.
    pub(super) names: [Named; 3],
}

impl Failure {
    /// Counts it; `text` is asked for where its line is to be kept.
    fn count(&self, cell: &mut FailureCell, text: impl Fn() -> Option<Box<[u8]>>) {
        let sample = || Sample { second: self.second, byte: self.byte, line: self.line, text: text() };
        let place = (self.second, self.byte);
        cell.failed += 1;
        cell.add_status(self.status, 1);
        cell.clients.add(self.client);
        if cell.first.as_ref().is_none_or(|s| place < (s.second, s.byte)) {
            cell.first = Some(sample());
        }
        if cell.last.as_ref().is_none_or(|s| place > (s.second, s.byte)) {
            cell.last = Some(sample());
        }
        for (counter, name) in cell.names.iter_mut().zip(self.names) {
            match name {
                Named::Not => {}
                Named::Otherwise => counter.rest += 1,
                Named::As(key) => counter.add(key, 1),
            }
        }
    }
}

/// The failures of a scan by second, and those that are laid aside.
#[derive(Debug)]
pub(super) struct Failures {
    cells: Filling<FailureCell>,
    aside: Vec<Failure>,
}

impl Failures {
    /// At most so many seconds are told apart.
    pub(super) fn new(cap: usize) -> Self {
        Self { cells: Filling::new(cap), aside: Vec::new() }
    }

    /// Adds one; `text` gives its line, where that is kept.
    pub(super) fn add(&mut self, failure: Failure, text: Option<&impl Fn() -> Box<[u8]>>) {
        if text.is_some() || self.cells.is_near(failure.arrival, FAR) {
            failure.count(self.cells.at(failure.arrival), || text.map(|text| text()));
            return;
        }
        self.aside.push(failure);
        if self.aside.len() == MOST {
            self.count();
        }
    }

    /// Counts what is laid aside.
    fn count(&mut self) {
        let mut order: Vec<(Second, u32)> = self.aside.iter().map(|f| f.arrival).zip(0..).collect();
        order.sort_unstable();
        for (arrival, at) in order {
            self.aside[at as usize].count(self.cells.at(arrival), || None);
        }
        self.aside.clear();
    }

    /// All of them.
    pub(super) fn finish(mut self) -> super::bounded::Buckets<FailureCell> {
        self.count();
        self.cells.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Laid aside or counted at once: the same is kept.
        #[test]
        fn far_or_near_makes_no_difference(
            seen in prop::collection::vec((0i64..200, 0u32..20, 0u64..40), 0..300),
            cap in 2usize..100,
        ) {
            let (mut all, mut cells) = (Failures::new(cap), Filling::<FailureCell>::new(cap));
            for (i, &(second, far, n)) in seen.iter().enumerate() {
                let failure = Failure {
                    arrival: second << far,
                    second: second % 7,
                    byte: i as u64,
                    line: i as u64,
                    status: 500 + n as u16 % 4,
                    client: n as u32,
                    names: [Named::As(n), Named::Not, Named::Otherwise],
                };
                failure.count(cells.at(failure.arrival), || None);
                all.add(failure, None::<&fn() -> Box<[u8]>>);
            }
            prop_assert_eq!(all.finish(), cells.finish());
        }
    }
}
