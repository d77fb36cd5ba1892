//! What a state forgets.

use super::{Body, LOGS, Session};
use std::cmp::Reverse;
use std::collections::BTreeSet;

impl Session {
    /// Leaves out what is too old to matter.
    pub(super) fn forget(&mut self, body: &mut Body, keep: i64) {
        if let Some(last) = body.values().filter_map(|kept| kept.last()).max() {
            let from = self.from(last, keep);
            body.retain(|_, kept| kept.last().is_none_or(|last| last >= from));
        }
        // What lies there is remembered, or the next run would read all of it again.
        let there = self.head.logs.iter().filter(|l| l.seen == self.head.runs).count();
        if self.head.logs.len() > LOGS.max(there) {
            self.head.logs.sort_by_key(|l| (Reverse(l.seen), l.number));
            self.head.logs.truncate(LOGS.max(there));
            self.head.logs.sort_by_key(|l| l.number);
        }
        let known: BTreeSet<u64> = self.head.logs.iter().map(|l| l.number).collect();
        body.retain(|number, _| known.contains(number));
    }
}
