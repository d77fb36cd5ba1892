//! What it takes to keep a scan beyond its run: to go on in the middle of a file, to forget what is old, and to
//! distrust what was read back.

use super::partial::{FileScan, Sample};
use super::scanner::INDEX_BYTES;
use crate::time::Second;

/// Counts above this are no log's: sums of them could overflow.
const MOST: u64 = 1 << 56;
/// Names of what was excluded that are kept; years of changed minds need no more.
const NAMED: usize = 4096;
/// Entries of the index that are kept of one log.
const BLOCKS: usize = 1024;
/// Seconds of the years 0 to 9999.
const SECONDS: std::ops::RangeInclusive<Second> = -62_167_219_200..=253_402_300_799;

impl FileScan {
    /// Moves line numbers that were counted from the middle of a file, behind `lines` others.
    pub(crate) fn behind(&mut self, lines: u64) {
        self.each_sample(&mut |sample| sample.line = sample.line.saturating_add(lines));
    }

    /// Makes the index of a log that was read in many small parts, or is very long, a short one: neighbours become one
    /// while it is no longer than an entry of one run may be, and longer where they are too many.
    pub(crate) fn join_blocks(&mut self) {
        self.blocks.sort_unstable();
        let mut most = INDEX_BYTES;
        loop {
            self.blocks.dedup_by(|next, block| {
                let joins = next.end.saturating_sub(block.start) <= most;
                if joins {
                    block.end = block.end.max(next.end);
                    block.first = block.first.min(next.first);
                    block.last = block.last.max(next.last);
                }
                joins
            });
            if self.blocks.len() <= BLOCKS {
                return;
            }
            most = most.saturating_mul(2);
        }
    }

    fn each_sample(&mut self, change: &mut dyn FnMut(&mut Sample)) {
        for cell in self.failures.values_mut() {
            cell.first.iter_mut().chain(&mut cell.last).for_each(&mut *change);
        }
        for cell in self.errors.values_mut() {
            cell.shapes.iter_mut().for_each(|e| change(&mut e.first));
        }
        self.shapes.values_mut().for_each(&mut *change);
        self.examples.values_mut().for_each(change);
    }

    /// Forgets what is before `second`; stamps of error records have no zone, so that theirs may be a day older. Sums
    /// over the file stay.
    pub(crate) fn forget_before(&mut self, second: Second) {
        const ZONES: i64 = 86_400;
        self.timeline.forget_before(second);
        self.failures.forget_before(second);
        self.errors.forget_before(second.saturating_sub(ZONES));
        let old = second.saturating_sub(ZONES);
        self.seen_access.forget(|(_, _, at)| *at < old);
        self.seen_error.forget(|(_, _, at)| *at < old);
        self.falls.retain(|f| f.after.second >= old);
        self.blocks.retain(|b| b.last >= old);
        let clip = |at: Option<i64>| at.map(|at| at.max(second.saturating_mul(1000)));
        self.first =
            clip(self.first).filter(|first| self.last.is_some_and(|last| *first <= last)).or(self.last);
        self.error_span = self.error_span.map(|(first, last)| (first.max(old).min(last), last));
    }

    /// Whether this can have come from a scan: what was read from a file that anybody may have written must not make
    /// a sum overflow or a collection grow beyond its cap.
    pub(crate) fn is_sound(&self) -> bool {
        let fresh = Self::default();
        let counts = [
            self.lines,
            self.bytes,
            self.requests,
            self.error_records,
            self.unparsed,
            self.unparsed_bytes,
            self.outside,
            self.oversized,
            self.duplicate,
            self.duplicate_bytes,
        ];
        // Before anything walks over them: a bucket's time is its number shifted by a level that may be anything.
        if !self.failures.is_sound(&fresh.failures, SECONDS) || !self.errors.is_sound(&fresh.errors, SECONDS)
        {
            return false;
        }
        let milliseconds = |at: &Option<i64>| at.is_none_or(|at| SECONDS.contains(&at.div_euclid(1000)));
        let sample = |s: &Sample| SECONDS.contains(&s.second) && s.line < MOST && s.byte < MOST;
        let samples = self.failures.iter().all(|(_, c)| c.first.iter().chain(&c.last).all(sample))
            && self.errors.iter().all(|(_, c)| c.shapes.iter().all(|e| sample(&e.first)))
            && self.shapes.iter().chain(self.examples.iter()).all(|(_, s)| sample(s));
        let most = u64::from(u32::MAX >> 1);
        let small = self.failures.iter().all(|(_, c)| {
            u64::from(c.failed) < most
                && c.statuses.len() <= 1000
                && c.statuses.is_sorted_by(|a, b| a.0 < b.0)
                && c.statuses.iter().all(|s| u64::from(s.1) < most)
                && c.names.iter().all(super::bounded::Counter::is_sound)
                && c.clients.is_sound()
        }) && self.errors.iter().all(|(_, c)| {
            c.shapes.len() <= super::partial::SHAPES_PER_CELL + 1
                && c.shapes.is_sorted_by_key(|e| e.shape)
                && c.shapes.iter().all(|e| u64::from(e.count) < most)
        });
        counts.iter().all(|n| *n < MOST)
            && self.falls.len() <= NAMED
            && self.falls.iter().all(|f| sample(&f.before) && sample(&f.after))
            && self.excluded.len() <= NAMED
            && self.excluded.iter().all(|(_, (lines, bytes))| *lines < MOST && *bytes < MOST)
            && self.timeline.is_sound()
            && self.shapes.is_sound(&fresh.shapes)
            && self.names.is_sound()
            && self.seen_access.is_sound(&fresh.seen_access)
            && self.seen_error.is_sound(&fresh.seen_error)
            && self.examples.is_sound(&fresh.examples)
            && samples
            && small
            && [&self.first, &self.last].into_iter().all(milliseconds)
            && self.error_span.is_none_or(|(a, b)| SECONDS.contains(&a) && SECONDS.contains(&b))
            && self
                .seen_access
                .iter()
                .chain(self.seen_error.iter())
                .all(|((_, _, at), ())| SECONDS.contains(at))
            && self.offsets.len() <= 2 * 24 * 60
            && self.offsets.is_sorted_by(|a, b| a.0 < b.0)
            && self.offsets.iter().all(|(offset, (a, b))| {
                offset.unsigned_abs() <= 24 * 60 && SECONDS.contains(a) && SECONDS.contains(b)
            })
            && self.chunk_lines.is_empty()
            && self.blocks.len() <= BLOCKS
            && self.blocks.is_sorted()
            && self.blocks.iter().all(|b| {
                b.start <= b.end && b.end < MOST && SECONDS.contains(&b.first) && SECONDS.contains(&b.last)
            })
    }
}
