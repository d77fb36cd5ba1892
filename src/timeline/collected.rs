//! What a scan collects before it becomes pages: nearly always a page being written as its seconds come.

use super::counts::{CountStream, FailedStream};
use super::latency::LatencyStream;
use super::stream::{Row, Stream, VARINT, absorb_stream};
use super::{BUCKETS, CLASSES, Class, Timeline};
use crate::time::Second;

/// Bytes that the lists may grow to.
const LISTS: usize = 8 << 20;

// A second's latencies in 16 bits fit their row.
const _: () = assert!(VARINT + BUCKETS * (1 + 3) < 256);

/// What a scan collects before it becomes pages.
///
/// Seconds that come in order, which is nearly all of them, are written to their page as they come; a second that
/// falls back, or comes again, waits in a list. Collecting all of them in lists and sorting first was measured to
/// cost a quiet log three times as much a second.
#[derive(Debug, Default)]
pub struct Collected {
    /// Runs of lines: second and counts by class.
    pub runs: Vec<(Second, [u16; CLASSES])>,
    /// Failed requests by second of arrival.
    pub failed: Vec<(Second, u32)>,
    /// Latencies by second.
    pub latencies: Vec<(Second, [u16; BUCKETS])>,
    counts: Open,
    failing: Open,
    /// Failures of one second that are not written yet: those of a second come one after the other.
    failures: (Second, u32),
    timings: Open,
    /// A second's latencies while they are written: a skip, then at most a step and a count for each bucket.
    row: Row<256>,
}

/// Whether nothing but 2xx was counted: one comparison of 16 bytes, as this is asked of every second.
#[inline]
pub(crate) fn only_ok(counts: &[u16; CLASSES]) -> bool {
    let mut others = *counts;
    others[Class::Ok as usize] = 0;
    others == [0; CLASSES]
}

/// A page that is being written: its first second, the first that may follow, the first of the next page, and what
/// stands in it so far.
#[derive(Debug)]
struct Open {
    start: Second,
    next: Second,
    end: Second,
    bytes: Vec<u8>,
}

impl Default for Open {
    fn default() -> Self {
        Self { start: Second::MIN, next: Second::MIN, end: Second::MIN, bytes: Vec::new() }
    }
}

impl Open {
    /// The seconds to be skipped before `second` is written; `None` when it cannot follow what has been.
    #[inline]
    fn advance<S: Stream>(&mut self, timeline: &mut Timeline, second: Second) -> Option<u32> {
        if second >= self.end {
            self.flush::<S>(timeline);
            self.start = second >> timeline.bits << timeline.bits;
            self.next = self.start;
            self.end = self.start.saturating_add(1 << timeline.bits);
        }
        if second < self.next {
            return None;
        }
        let skip = (second - self.next) as u32;
        self.next = second + 1;
        Some(skip)
    }

    #[inline(never)]
    fn flush<S: Stream>(&mut self, timeline: &mut Timeline) {
        if !self.bytes.is_empty() {
            timeline.add::<S>(&self.bytes, self.start..self.next);
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.bytes.clear();
        (self.start, self.next, self.end) = (Second::MIN, Second::MIN, Second::MIN);
    }
}

impl Collected {
    /// Adds a second of so many 2xx answers and nothing else, if that can be said in one byte behind what has been said and
    /// there is room for it.
    #[inline]
    pub(crate) fn count_few(&mut self, second: Second, ok: u16) -> bool {
        let open = &mut self.counts;
        if second < open.next || second >= open.end || open.bytes.len() == open.bytes.capacity() {
            return false;
        }
        let Some(byte) = CountStream::short((second - open.next) as u32, u32::from(ok)) else { return false };
        open.bytes.push(byte);
        open.next = second + 1;
        true
    }

    /// Adds the lines of one second to what will be `timeline`.
    #[inline]
    pub(crate) fn count(&mut self, timeline: &mut Timeline, second: Second, counts: &[u16; CLASSES]) {
        match self.counts.advance::<CountStream>(timeline, second) {
            Some(skip) => match CountStream::short(skip, u32::from(counts[0])) {
                Some(byte) if only_ok(counts) => self.counts.bytes.push(byte),
                _ => CountStream::encode_long(&mut self.counts.bytes, skip, counts),
            },
            None => self.runs.push((second, *counts)),
        }
    }

    /// Adds a failed request that arrived in a second.
    #[inline]
    pub(crate) fn fail(&mut self, timeline: &mut Timeline, second: Second) {
        if self.failures.0 != second {
            self.write_failures(timeline);
            self.failures.0 = second;
        }
        self.failures.1 += 1;
    }

    fn write_failures(&mut self, timeline: &mut Timeline) {
        let (second, n) = std::mem::take(&mut self.failures);
        if n == 0 {
            return;
        }
        match self.failing.advance::<FailedStream>(timeline, second) {
            Some(skip) => FailedStream::encode(&mut self.failing.bytes, skip, &n),
            None => self.failed.push((second, n)),
        }
    }

    /// Adds the latencies of one second and zeroes them; bit i of `touched` is set where bucket i is not 0.
    pub(crate) fn time(
        &mut self,
        timeline: &mut Timeline,
        second: Second,
        latencies: &mut [u16; BUCKETS],
        mut touched: u64,
    ) {
        let Some(skip) = self.timings.advance::<LatencyStream>(timeline, second) else {
            self.latencies.push((second, std::mem::replace(latencies, [0; BUCKETS])));
            return;
        };
        let row = &mut self.row;
        row.clear();
        row.varint(skip);
        let mut next = 0;
        while touched != 0 {
            let i = touched.trailing_zeros() as usize;
            touched &= touched - 1;
            let Some(n) = latencies.get_mut(i).map(std::mem::take) else { break };
            row.push((i - next) as u8);
            row.varint(u32::from(n));
            next = i + 1;
        }
        row.push(BUCKETS as u8);
        self.timings.bytes.extend_from_slice(row.written());
    }

    /// Whether it is time to make pages of the lists, which takes as long as reading and writing each page they touch:
    /// a log in no order touches every page, so the fewer times the better.
    pub fn is_large(&self) -> bool {
        size_of_val(&*self.runs) + size_of_val(&*self.failed) + size_of_val(&*self.latencies) >= LISTS
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.failed.clear();
        self.latencies.clear();
        self.counts.clear();
        self.failing.clear();
        self.failures = (0, 0);
        self.timings.clear();
    }
}

impl Timeline {
    /// Adds what a scan collected, in any order, and empties it.
    pub fn absorb(&mut self, c: &mut Collected) {
        c.counts.flush::<CountStream>(self);
        c.write_failures(self);
        c.failing.flush::<FailedStream>(self);
        c.timings.flush::<LatencyStream>(self);
        absorb_stream::<CountStream, _>(self, &mut c.runs, |w| w.map(u32::from));
        absorb_stream::<FailedStream, _>(self, &mut c.failed, |n| n);
        absorb_stream::<LatencyStream, _>(self, &mut c.latencies, |w| w.map(u32::from));
        c.clear();
    }
}
