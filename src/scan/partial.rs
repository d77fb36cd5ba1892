//! What scanning a file yields: a value that is added to others of its kind, in any order, with the same result.

use super::bounded::{Buckets, Cell, Counter, Distinct, Smallest};
use super::few::Few;
use super::names::Names;
use crate::time::{Millis, Second};
use crate::timeline::Timeline;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Failing seconds kept apart before neighbouring ones share a bucket: two hours of continuous failure to the
/// second. A cell with every list full is near a kilobyte, and each thread has its own; counts to the second are in
/// the timeline.
pub(super) const FAILURES: usize = 8192;
/// The same for seconds with error records.
pub(super) const ERRORS: usize = 8192;
/// Shapes of error messages told apart.
const SHAPES: usize = 1024;
/// Sightings kept to match an error log with an access log. A thread reads about `k (1 + ln(n / k))` of n requests
/// more closely for k kept: four times as many were measured to cost an error log a third of its scan.
const SIGHTINGS: usize = 1024;
/// Lines quoted for what could not be read.
const EXAMPLES: usize = 3;
/// Bytes of a line that are kept where the file cannot be read again.
pub(crate) const KEPT: usize = 2048;

/// The place of a line, and its text where it could not be read again (standard input, packed files).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sample {
    /// When it was written.
    pub second: Second,
    /// Offset of its first byte in the unpacked file.
    pub byte: u64,
    /// 0-based line; relative to its chunk until the file is finished.
    pub line: u64,
    /// The text, for streams.
    pub text: Option<Box<[u8]>>,
}

/// Which kind of name a count belongs to; the top bits of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Dimension {
    /// Endpoint template.
    Endpoint = 0,
    /// Virtual host.
    Vhost = 1,
    /// Upstream peer.
    Peer = 2,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Endpoint, Self::Vhost, Self::Peer];

    /// The dimension of a key.
    pub(crate) fn of_key(key: u64) -> Self {
        Self::ALL[usize::try_from(key >> 56).unwrap_or(0).min(2)]
    }

    /// The key of a name: its hash under the dimension.
    pub(crate) fn key(self, name: &[u8]) -> u64 {
        super::bounded::hash(name) >> 8 | (self as u64) << 56
    }
}

/// Failed requests of one bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FailureCell {
    pub(crate) failed: u32,
    /// By status, in order: nearly always one or two.
    pub(crate) statuses: Few<(u16, u32)>,
    pub(crate) names: [Counter<24>; 3],
    pub(crate) clients: Distinct<32>,
    pub(crate) first: Option<Sample>,
    pub(crate) last: Option<Sample>,
}

impl FailureCell {
    /// Adds requests that failed with a status.
    pub(super) fn add_status(&mut self, status: u16, n: u32) {
        match self.statuses.iter().position(|s| s.0 >= status) {
            Some(at) if self.statuses[at].0 == status => self.statuses[at].1 += n,
            at => self.statuses.insert(at.unwrap_or(self.statuses.len()), (status, n)),
        }
    }
}

impl Cell for FailureCell {
    fn merge(&mut self, other: Self) {
        self.failed += other.failed;
        for &(status, n) in &*other.statuses {
            self.add_status(status, n);
        }
        for (a, b) in self.names.iter_mut().zip(&other.names) {
            a.merge(b);
        }
        self.clients.merge(&other.clients);
        keep_first(&mut self.first, other.first);
        keep_last(&mut self.last, other.last);
    }
}

/// Error records of one bucket, by shape of message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ErrorCell {
    /// In order, the smallest [`SHAPES_PER_CELL`] of those that are told apart, and all other records under [`OTHER`].
    pub(crate) shapes: Vec<Shaped>,
}

/// The shape of records that are not told apart: of a bucket that holds too many shapes, and of a log that does. Their
/// seconds are known, and that there were so many.
pub(crate) const OTHER: u64 = u64::MAX;

/// Error records of one shape in one bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shaped {
    pub(crate) shape: u64,
    pub(crate) count: u32,
    /// Bit i is set where a second with i = second mod 64 has a record: which seconds of the bucket, to the second as
    /// long as a bucket is no wider than 64 of them. The bit does not depend on the width, so widening is a union.
    pub(crate) seconds: u64,
    pub(crate) first: Sample,
}

impl Shaped {
    /// Adds records of the same shape and bucket.
    pub(super) fn merge(&mut self, other: &mut Self) {
        self.count += other.count;
        self.seconds |= other.seconds;
        if (other.first.second, other.first.byte) < (self.first.second, self.first.byte) {
            std::mem::swap(&mut self.first, &mut other.first);
        }
    }
}

/// Shapes kept in one bucket; one bucket of all but the strangest logs holds fewer.
pub(crate) const SHAPES_PER_CELL: usize = 32;

impl ErrorCell {
    /// Tells only the first `kept` shapes apart, and of them those up to `limit`.
    pub(super) fn bound(&mut self, kept: usize, limit: Option<u64>) {
        let kept = limit.map_or(kept, |limit| self.shapes.partition_point(|e| e.shape <= limit).min(kept));
        let mut fallen = self.shapes.drain(kept.min(self.shapes.len())..);
        let Some(mut other) = fallen.next() else { return };
        fallen.for_each(|mut more| other.merge(&mut more));
        other.shape = OTHER;
        self.shapes.push(other);
    }
}

impl Cell for ErrorCell {
    fn merge(&mut self, other: Self) {
        if self.shapes.is_empty() {
            self.shapes = other.shapes;
            return;
        }
        let mut place = 0;
        for mut shaped in other.shapes {
            // Both are in order.
            place += self.shapes[place..].iter().take_while(|e| e.shape < shaped.shape).count();
            match self.shapes.get_mut(place) {
                Some(entry) if entry.shape == shaped.shape => entry.merge(&mut shaped),
                _ => self.shapes.insert(place, shaped),
            }
        }
        if self.shapes.len() > SHAPES_PER_CELL {
            self.bound(SHAPES_PER_CELL, None);
        }
    }
}

pub(crate) fn keep_first(mine: &mut Option<Sample>, other: Option<Sample>) {
    if let Some(o) = other
        && mine.as_ref().is_none_or(|m| o < *m)
    {
        *mine = Some(o);
    }
}

pub(crate) fn keep_last(mine: &mut Option<Sample>, other: Option<Sample>) {
    if let Some(o) = other
        && mine.as_ref().is_none_or(|m| o > *m)
    {
        *mine = Some(o);
    }
}

/// A stretch of a file and the seconds its lines carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Block {
    /// First byte.
    pub start: u64,
    /// First byte after.
    pub end: u64,
    /// Smallest second of a line that starts inside.
    pub first: Second,
    /// Largest second of a line that starts inside.
    pub last: Second,
}

/// A key under which one request is seen in both logs: group of seconds, hash of client and request, second.
pub(crate) type Sighting = (u32, u64, Second);

/// Two records of an error log, one after the other, between which the connection serial (`*N`) fell back under another
/// process.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SerialFall {
    /// The record before, in the log's local time, with its text.
    pub before: Sample,
    /// The record behind.
    pub after: Sample,
    /// Their serials.
    pub numbers: (u64, u64),
}

/// What scanning a file, or a part of it, yields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileScan {
    /// Requests by second.
    pub timeline: Timeline,
    pub(crate) failures: Buckets<FailureCell>,
    pub(crate) errors: Buckets<ErrorCell>,
    pub(crate) shapes: Smallest<u64, Sample>,
    pub(crate) names: Names,
    pub(crate) seen_access: Smallest<Sighting, ()>,
    pub(crate) seen_error: Smallest<Sighting, ()>,
    /// Offsets from UTC that stamps carried, with the first and last second of each.
    pub(crate) offsets: Few<(i16, (Second, Second))>,
    /// Which bytes hold which seconds.
    pub blocks: Vec<Block>,
    /// Lines by chunk, in order: what turns a line within its chunk into a line of the file. Most of many files are one
    /// chunk; a tree for it was a tenth of the memory that a small file took.
    pub(crate) chunk_lines: Few<(u64, u64)>,
    /// Physical lines.
    pub lines: u64,
    /// Bytes looked at.
    pub bytes: u64,
    /// Access lines counted.
    pub requests: u64,
    /// Error records counted.
    pub error_records: u64,
    /// Lines that nothing could read.
    pub unparsed: u64,
    /// Bytes in them.
    pub unparsed_bytes: u64,
    pub(crate) examples: Smallest<u64, Sample>,
    /// Lines outside the asked window.
    pub outside: u64,
    /// Lines longer than any that nginx writes; skipped.
    pub oversized: u64,
    /// Lines left out because another file has them too.
    pub duplicate: u64,
    /// Bytes in them.
    pub duplicate_bytes: u64,
    /// Lines that the user left out, and the bytes in them, by what was named.
    pub excluded: BTreeMap<Box<str>, (u64, u64)>,
    /// Where serials fell back: only of logs that are kept and not read again, in the order of the log.
    pub falls: Vec<SerialFall>,
    /// What is wrong with a packed file, from some byte on.
    pub damage: Option<String>,
    /// First instant of an access line, or local instant of an error record.
    pub first: Option<Millis>,
    /// Last instant.
    pub last: Option<Millis>,
    /// First and last local instant of error records, which have no zone.
    pub error_span: Option<(Second, Second)>,
    /// Whether stamps of error records are UTC already.
    pub error_utc: bool,
    /// Whether a part of the file vanished while it was read.
    pub was_cut: bool,
}

impl Default for FileScan {
    fn default() -> Self {
        Self {
            timeline: Timeline::default(),
            failures: Buckets::new(FAILURES),
            errors: Buckets::new(ERRORS),
            shapes: Smallest::new(SHAPES),
            names: Names::default(),
            seen_access: Smallest::new(SIGHTINGS),
            seen_error: Smallest::new(SIGHTINGS),
            offsets: Few::default(),
            blocks: Vec::new(),
            chunk_lines: Few::default(),
            lines: 0,
            bytes: 0,
            requests: 0,
            error_records: 0,
            unparsed: 0,
            unparsed_bytes: 0,
            examples: Smallest::new(EXAMPLES),
            outside: 0,
            oversized: 0,
            duplicate: 0,
            duplicate_bytes: 0,
            excluded: BTreeMap::new(),
            falls: Vec::new(),
            damage: None,
            first: None,
            last: None,
            error_span: None,
            error_utc: false,
            was_cut: false,
        }
    }
}

impl FileScan {
    /// Adds another part of the same file.
    pub fn merge(&mut self, other: Self) {
        self.timeline.merge(other.timeline);
        self.failures.merge(other.failures);
        self.errors.merge(other.errors);
        self.shapes.merge(other.shapes, |a, b| *a = a.clone().min(b));
        self.bound_shapes();
        self.names.merge(other.names);
        self.seen_access.merge(other.seen_access, |(), ()| ());
        self.seen_error.merge(other.seen_error, |(), ()| ());
        for &(offset, (first, last)) in &*other.offsets {
            self.saw_offset(offset, first, last);
        }
        self.blocks.extend(other.blocks);
        for &(chunk, lines) in &*other.chunk_lines {
            self.add_lines(chunk, lines);
        }
        self.lines += other.lines;
        self.bytes += other.bytes;
        self.requests += other.requests;
        self.error_records += other.error_records;
        self.unparsed += other.unparsed;
        self.unparsed_bytes += other.unparsed_bytes;
        self.examples.merge(other.examples, |_, _| ());
        self.outside += other.outside;
        self.oversized += other.oversized;
        self.duplicate += other.duplicate;
        self.duplicate_bytes += other.duplicate_bytes;
        for (name, (lines, bytes)) in other.excluded {
            self.exclude(&name, lines, bytes);
        }
        self.falls.extend(other.falls);
        self.damage = self.damage.take().or(other.damage);
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = [self.last, other.last].into_iter().flatten().max();
        self.error_span = match (self.error_span, other.error_span) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        self.error_utc |= other.error_utc;
        self.was_cut |= other.was_cut;
    }

    /// Of shapes that cannot be told what they mean, as no record of theirs is kept, only the sum by bucket is kept.
    pub(super) fn bound_shapes(&mut self) {
        if let Some(&limit) = self.shapes.limit() {
            self.errors.values_mut().for_each(|cell| cell.bound(SHAPES_PER_CELL, Some(limit)));
        }
    }

    /// Of names that nobody can tell, as their texts are not kept, only the sum by bucket is kept.
    pub(super) fn bound_names(&mut self) {
        let limits = self.names.limits();
        for (i, limit) in limits.into_iter().enumerate().filter_map(|(i, limit)| Some((i, limit?))) {
            self.failures.values_mut().for_each(|cell| cell.names[i].bound(limit));
        }
    }

    /// Adds lines of a chunk.
    pub(super) fn add_lines(&mut self, chunk: u64, lines: u64) {
        match self.chunk_lines.binary_search_by_key(&chunk, |of| of.0) {
            Ok(at) => self.chunk_lines[at].1 += lines,
            Err(at) => self.chunk_lines.insert(at, (chunk, lines)),
        }
    }

    /// Counts lines that shall not count.
    pub(crate) fn exclude(&mut self, name: &str, lines: u64, bytes: u64) {
        if let Some(sum) = self.excluded.get_mut(name) {
            *sum = (sum.0 + lines, sum.1 + bytes);
        } else {
            self.excluded.insert(name.into(), (lines, bytes));
        }
    }

    pub(crate) fn saw_offset(&mut self, offset: i16, first: Second, last: Second) {
        match self.offsets.binary_search_by_key(&offset, |span| span.0) {
            Ok(at) => {
                let span = &mut self.offsets[at].1;
                *span = (span.0.min(first), span.1.max(last));
            }
            Err(at) => self.offsets.insert(at, (offset, (first, last))),
        }
    }

    /// Turns lines within chunks of `chunk_bytes` into lines of the file, and puts the index in order. To be
    /// called once, when every part has been merged.
    pub fn finish(&mut self, chunk_bytes: u64) {
        self.bound_names();
        let mut before = BTreeMap::new();
        let mut sum = 0;
        for &(chunk, lines) in &*self.chunk_lines {
            before.insert(chunk, sum);
            sum += lines;
        }
        let place = |s: &mut Sample| s.line += before.get(&(s.byte / chunk_bytes)).copied().unwrap_or(0);
        for cell in self.failures.values_mut() {
            cell.first.iter_mut().for_each(place);
            cell.last.iter_mut().for_each(place);
        }
        for cell in self.errors.values_mut() {
            cell.shapes.iter_mut().for_each(|e| place(&mut e.first));
        }
        self.shapes.values_mut().for_each(place);
        self.examples.values_mut().for_each(place);
        self.chunk_lines = Few::default();
        self.blocks.sort_unstable();
        self.blocks.shrink_to_fit();
    }
}
