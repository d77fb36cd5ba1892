//! The Timeline: per-second counts of a log, small enough to keep for years and exact under any merge.
//!
//! Counts are integers and a merge is their sum, so any cut of the input, any order and any number of threads
//! give the same Timeline, byte for byte. Seconds are kept in pages of 1,024 as varints: a quiet second costs one
//! byte, a busy one six or seven. Dense bins of 32 bytes a second were measured first: 60 days of a quiet site
//! cost 172 MB and three times the newline floor, all of it in zeroing.

use crate::time::{Second, Window};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;

/// Seconds per page, as a power of two.
const PAGE_BITS: u32 = 10;

/// How requests ended, as classes of `$status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// 2xx.
    Ok = 0,
    /// 3xx.
    Redirect = 1,
    /// 4xx but for the two classes below.
    ClientError = 2,
    /// 403, 404, 410: content that is not there, or not for this client.
    Missing = 3,
    /// 499: the client went away first.
    Aborted = 4,
    /// 5xx.
    ServerError = 5,
    /// 1xx: upgraded connections.
    Info = 6,
    /// 000, 009, 6xx and more: no status, or none that HTTP knows.
    Odd = 7,
}

/// Number of classes.
pub const CLASSES: usize = 8;

impl Class {
    /// The class of a status.
    pub fn of(status: u16) -> Self {
        match status {
            200..=299 => Self::Ok,
            300..=399 => Self::Redirect,
            403 | 404 | 410 => Self::Missing,
            499 => Self::Aborted,
            400..=498 => Self::ClientError,
            500..=599 => Self::ServerError,
            100..=199 => Self::Info,
            _ => Self::Odd,
        }
    }
}

/// Counts of one second by [`Class`].
pub type Counts = [u32; CLASSES];

/// Number of latency buckets.
pub const BUCKETS: usize = 36;

/// The bucket of a latency in milliseconds: two per octave (one mantissa bit), so that a bucket's edges differ by
/// a third to a half of its value. The first two are 0 and 1 ms; the last is everything from 131 s on.
#[inline]
pub fn bucket(ms: u32) -> usize {
    // Without a branch: a third of a usual log is answered within 1 ms, in no order.
    let log = (ms | 1).ilog2();
    let half = (u64::from(ms) << 1 >> log) as u32 & 1;
    (2 * log + half + u32::from(ms == 1)).min(BUCKETS as u32 - 1) as usize
}

/// The smallest latency in milliseconds of a bucket.
pub fn bucket_floor(bucket: usize) -> u32 {
    match bucket {
        0 | 1 => bucket as u32,
        _ => (2 + (bucket as u32 & 1)) << (bucket / 2 - 1),
    }
}

/// Latencies by [`bucket`].
pub type Latencies = [u32; BUCKETS];

/// What one second of the log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The second.
    pub second: Second,
    /// Lines written in it, by class.
    pub counts: Counts,
    /// Requests that failed, at the second of their arrival where the log tells it and of their end where not.
    pub failed: u32,
}

/// What one second of the log says about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The second.
    pub second: Second,
    /// Requests answered with 1xx to 3xx.
    pub good: u32,
    /// Other requests that say nothing about the server, as 404.
    pub neutral: u32,
    /// Requests that failed, dated as in [`Moment`].
    pub failed: u32,
}

/// Bit i is set for the classes that [`Outcome::good`] counts.
const GOOD: u8 = 1 << Class::Ok as u8 | 1 << Class::Redirect as u8 | 1 << Class::Info as u8;

/// Per-second counts; see the head of this file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    pages: BTreeMap<i64, Page>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Page {
    counts: Vec<u8>,
    failed: Vec<u8>,
    latency: Vec<u8>,
    /// The second of the page behind the last of each stream ([`Stream::INDEX`]): what comes later is appended.
    ends: [u32; 3],
}

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
    timings: Open,
}

/// Whether nothing but 2xx was counted: two words compared, as this is asked of every second.
#[inline]
pub(crate) fn only_ok(counts: &[u16; CLASSES]) -> bool {
    let word = |from: usize| (0..4).fold(0, |w, i| w | u64::from(counts[from + i]) << (16 * i));
    word(0) >> 16 | word(4) == 0
}

/// A page that is being written: the first second that may follow, the first of the next page, and what stands in it
/// so far.
#[derive(Debug)]
struct Open {
    next: Second,
    end: Second,
    bytes: Vec<u8>,
}

impl Default for Open {
    fn default() -> Self {
        Self { next: Second::MIN, end: Second::MIN, bytes: Vec::new() }
    }
}

impl Open {
    /// The seconds to be skipped before `second` is written; `None` when it cannot follow what has been.
    #[inline]
    fn advance<S: Stream>(&mut self, timeline: &mut Timeline, second: Second) -> Option<u32> {
        if second >= self.end {
            self.flush::<S>(timeline);
            self.next = second >> PAGE_BITS << PAGE_BITS;
            self.end = self.next.saturating_add(1 << PAGE_BITS);
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
            let page = (self.end - 1) >> PAGE_BITS;
            let end = (self.next - (page << PAGE_BITS)) as u32;
            add_stream::<S>(timeline.pages.entry(page).or_default(), &self.bytes, end);
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.bytes.clear();
        (self.next, self.end) = (Second::MIN, Second::MIN);
    }
}

impl Collected {
    /// Adds the lines of one second to what will be `timeline`.
    #[inline]
    pub(crate) fn count(&mut self, timeline: &mut Timeline, second: Second, counts: &[u16; CLASSES]) {
        match self.counts.advance::<CountStream>(timeline, second) {
            Some(skip) => match CountStream::short(skip, u32::from(counts[0])) {
                Some(byte) if only_ok(counts) => self.counts.bytes.push(byte),
                _ => CountStream::encode(&mut self.counts.bytes, skip, &counts.map(u32::from)),
            },
            None => self.runs.push((second, *counts)),
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
        let mut row = Row::<{ VARINT + 4 * BUCKETS + 1 }>::default();
        row.varint(skip);
        let mut next = 0;
        while touched != 0 {
            let i = touched.trailing_zeros() as usize;
            touched &= touched - 1;
            let Some(n) = latencies.get_mut(i) else { break };
            row.push((i - next) as u8);
            row.varint(u32::from(std::mem::take(n)));
            next = i + 1;
        }
        row.push(BUCKETS as u8);
        self.timings.bytes.extend_from_slice(row.written());
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.failed.clear();
        self.latencies.clear();
        self.counts.clear();
        self.timings.clear();
    }
}

impl Timeline {
    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Adds what a scan collected, in any order, and empties it.
    pub fn absorb(&mut self, c: &mut Collected) {
        c.counts.flush::<CountStream>(self);
        c.timings.flush::<LatencyStream>(self);
        sort_by_second(&mut c.runs);
        sort_by_second(&mut c.failed);
        sort_by_second(&mut c.latencies);
        absorb_stream::<CountStream, _>(self, &c.runs, |w| w.map(u32::from));
        absorb_stream::<FailedStream, _>(self, &c.failed, |n| n);
        absorb_stream::<LatencyStream, _>(self, &c.latencies, |w| w.map(u32::from));
        c.clear();
    }

    /// Adds another timeline.
    pub fn merge(&mut self, other: Self) {
        for (key, page) in other.pages {
            match self.pages.entry(key) {
                MapEntry::Vacant(v) => {
                    v.insert(page);
                }
                MapEntry::Occupied(o) => {
                    let mine = o.into_mut();
                    let [counts, failed, latency] = page.ends;
                    add_stream::<CountStream>(mine, &page.counts, counts);
                    add_stream::<FailedStream>(mine, &page.failed, failed);
                    add_stream::<LatencyStream>(mine, &page.latency, latency);
                }
            }
        }
    }

    /// Visits every second inside `window` that holds anything, in order.
    pub fn each(&self, window: Window, mut visit: impl FnMut(Moment)) {
        for (&key, page) in self.pages_in(window) {
            let base = key << PAGE_BITS;
            let mut counts = Decoder::<CountStream>::new(&page.counts);
            let mut failed = Decoder::<FailedStream>::new(&page.failed);
            let (mut c, mut f) = (counts.next(), failed.next());
            while c.is_some() || f.is_some() {
                let at = c.map_or(u32::MAX, |c| c.0).min(f.map_or(u32::MAX, |f| f.0));
                let mut moment = Moment { second: base + i64::from(at), counts: [0; CLASSES], failed: 0 };
                if let Some((_, n)) = c.filter(|c| c.0 == at) {
                    moment.counts = n;
                    c = counts.next();
                }
                if let Some((_, n)) = f.filter(|f| f.0 == at) {
                    moment.failed = n;
                    f = failed.next();
                }
                if window.contains(moment.second) {
                    visit(moment);
                }
            }
        }
    }

    /// Visits every second inside `window` that holds anything, in order, as detection sees it. What [`Self::each`]
    /// would give is summed up while it is read: a long quiet log has millions of seconds of one byte each.
    pub fn each_outcome(&self, window: Window, mut visit: impl FnMut(Outcome)) {
        for (&key, page) in self.pages_in(window) {
            let base = key << PAGE_BITS;
            let whole = window.start <= base && base + (1 << PAGE_BITS) <= window.end;
            let mut lines = Lines { bytes: &page.counts, next: 0 };
            let mut failed = Decoder::<FailedStream>::new(&page.failed);
            let mut failures = || failed.next().unwrap_or((u32::MAX, 0));
            let (mut l, mut f) = (lines.next(), failures());
            loop {
                // Failures are dated at their arrival, so they can lie in seconds without a line.
                let at = l.0.min(f.0);
                if at == u32::MAX {
                    break;
                }
                let mut outcome = Outcome { second: base + i64::from(at), good: 0, neutral: 0, failed: 0 };
                if l.0 == at {
                    (outcome.good, outcome.neutral) = (l.1, l.2);
                    l = lines.next();
                }
                if f.0 == at {
                    outcome.failed = f.1;
                    f = failures();
                }
                if whole || window.contains(outcome.second) {
                    visit(outcome);
                }
            }
        }
    }

    /// Visits the latencies of every second inside `window` that has any, in order.
    pub fn each_latency(&self, window: Window, mut visit: impl FnMut(Second, &Latencies)) {
        for (&key, page) in self.pages_in(window) {
            let mut stream = Decoder::<LatencyStream>::new(&page.latency);
            while let Some((at, latencies)) = stream.next() {
                let second = (key << PAGE_BITS) + i64::from(at);
                if window.contains(second) {
                    visit(second, &latencies);
                }
            }
        }
    }

    /// First and last second with a line, as a half-open window.
    pub fn span(&self) -> Option<Window> {
        let edge = |page: Option<(&i64, &Page)>, last: bool| {
            let (key, page) = page?;
            let mut counts = Decoder::<CountStream>::new(&page.counts);
            let first = counts.next().map(|c| c.0);
            let at =
                if last { std::iter::from_fn(|| counts.next()).last().map(|c| c.0).or(first) } else { first };
            at.map(|at| (key << PAGE_BITS) + i64::from(at))
        };
        let mut with_lines = self.pages.iter().filter(|(_, p)| !p.counts.is_empty());
        let start = edge(with_lines.next(), false)?;
        let end = edge(self.pages.iter().rev().find(|(_, p)| !p.counts.is_empty()), true)?;
        Some(Window { start, end: end + 1 })
    }

    /// Forgets the pages that end before `second`.
    pub(crate) fn forget_before(&mut self, second: Second) {
        self.pages = self.pages.split_off(&(second >> PAGE_BITS));
    }

    /// Whether every stream of every page can be read to its end, inside its page and with counts that can be added: a
    /// timeline read from a file may be anybody's.
    pub(crate) fn is_sound(&self) -> bool {
        // The years 0 to 9999.
        let pages = -62_167_219_200 >> PAGE_BITS..=253_402_300_799 >> PAGE_BITS;
        self.pages.iter().all(|(key, page)| {
            pages.contains(key)
                && is_sound::<CountStream>(&page.counts, page.ends[0], |c| c.to_vec())
                && is_sound::<FailedStream>(&page.failed, page.ends[1], |n| vec![n])
                && is_sound::<LatencyStream>(&page.latency, page.ends[2], |l| l.to_vec())
        })
    }

    fn pages_in(&self, window: Window) -> impl Iterator<Item = (&i64, &Page)> {
        let last = window.end.saturating_sub(1).max(window.start);
        self.pages.range(window.start >> PAGE_BITS..=last >> PAGE_BITS)
    }
}

/// Whether a stream ends where it says, and its counts stay countable.
fn is_sound<S: Stream>(mut bytes: &[u8], end: u32, counts: impl Fn(S::Value) -> Vec<u32>) -> bool {
    let mut next = 0u32;
    while !bytes.is_empty() {
        let Some((skip, value)) = S::decode(&mut bytes) else { return false };
        let Some(at) = next.checked_add(skip).filter(|at| *at < 1 << PAGE_BITS) else { return false };
        if counts(value).iter().any(|n| *n >= 1 << 24) {
            return false;
        }
        next = at + 1;
    }
    next == end
}

fn sort_by_second<T>(v: &mut [(Second, T)]) {
    if !v.is_sorted_by_key(|e| e.0) {
        v.sort_by_key(|e| e.0);
    }
}

/// One of the three streams of a page: how a value is written, read and added.
trait Stream {
    type Value: Copy;
    /// Its place in [`Page::ends`].
    const INDEX: usize;
    fn of(page: &mut Page) -> &mut Vec<u8>;
    fn add(to: &mut Self::Value, other: Self::Value);
    fn encode(out: &mut Vec<u8>, skip: u32, value: &Self::Value);
    fn decode(bytes: &mut &[u8]) -> Option<(u32, Self::Value)>;
}

struct CountStream;
struct FailedStream;
struct LatencyStream;

impl Stream for CountStream {
    type Value = Counts;
    const INDEX: usize = 0;

    fn of(page: &mut Page) -> &mut Vec<u8> {
        &mut page.counts
    }

    #[inline]
    fn add(to: &mut Counts, other: Counts) {
        for (a, b) in to.iter_mut().zip(other) {
            *a += b;
        }
    }

    fn encode(out: &mut Vec<u8>, skip: u32, value: &Counts) {
        if let Some(byte) = Self::short(skip, value[0])
            && value[1..].iter().fold(0, |a, b| a | b) == 0
        {
            out.push(byte);
            return;
        }
        let mut row = Row::<{ 2 + VARINT * (CLASSES + 1) }>::default();
        row.push(0x80);
        row.push(value.iter().enumerate().fold(0, |m, (i, &n)| m | u8::from(n > 0) << i));
        row.varint(skip);
        for &n in value.iter().filter(|n| **n > 0) {
            row.varint(n);
        }
        out.extend_from_slice(row.written());
    }

    #[inline]
    fn decode(bytes: &mut &[u8]) -> Option<(u32, Counts)> {
        let (&head, rest) = bytes.split_first()?;
        *bytes = rest;
        let mut counts = [0; CLASSES];
        if let Some((skip, ok)) = Self::read_short(head) {
            counts[0] = ok;
            return Some((skip, counts));
        }
        let skip = Self::read_long(bytes, |class, n| counts[class] = n)?;
        Some((skip, counts))
    }
}

impl CountStream {
    /// A second of one to seven 2xx answers and nothing else, up to 15 seconds after the last, is one byte.
    #[inline]
    fn short(skip: u32, ok: u32) -> Option<u8> {
        (ok.wrapping_sub(1) < 7 && skip < 16).then_some((skip << 3 | ok) as u8)
    }

    /// Reads back a second that is one byte: what was skipped, and the 2xx answers.
    #[inline]
    fn read_short(head: u8) -> Option<(u32, u32)> {
        (head < 0x80).then_some((u32::from(head >> 3), u32::from(head & 7)))
    }

    /// Reads on behind the first byte of a second that is more than one; `class` is given each count.
    #[inline]
    fn read_long(bytes: &mut &[u8], mut class: impl FnMut(usize, u32)) -> Option<u32> {
        let (&mask, rest) = bytes.split_first()?;
        *bytes = rest;
        let skip = read_varint(bytes)?;
        let mut left = mask;
        while left != 0 {
            class(left.trailing_zeros() as usize, read_varint(bytes)?);
            left &= left - 1;
        }
        Some(skip)
    }
}

impl Stream for FailedStream {
    type Value = u32;
    const INDEX: usize = 1;

    fn of(page: &mut Page) -> &mut Vec<u8> {
        &mut page.failed
    }

    fn add(to: &mut u32, other: u32) {
        *to += other;
    }

    fn encode(out: &mut Vec<u8>, skip: u32, value: &u32) {
        write_varint(out, skip);
        write_varint(out, *value);
    }

    fn decode(bytes: &mut &[u8]) -> Option<(u32, u32)> {
        if bytes.is_empty() {
            return None;
        }
        Some((read_varint(bytes)?, read_varint(bytes)?))
    }
}

impl Stream for LatencyStream {
    type Value = Latencies;
    const INDEX: usize = 2;

    fn of(page: &mut Page) -> &mut Vec<u8> {
        &mut page.latency
    }

    fn add(to: &mut Latencies, other: Latencies) {
        for (a, b) in to.iter_mut().zip(other) {
            *a += b;
        }
    }

    /// Pairs of (buckets skipped, count), closed by the number of buckets: a second holds few of them.
    fn encode(out: &mut Vec<u8>, skip: u32, value: &Latencies) {
        write_varint(out, skip);
        let mut next = 0;
        for (i, &n) in value.iter().enumerate().filter(|(_, n)| **n > 0) {
            out.push((i - next) as u8);
            write_varint(out, n);
            next = i + 1;
        }
        out.push(BUCKETS as u8);
    }

    fn decode(bytes: &mut &[u8]) -> Option<(u32, Latencies)> {
        if bytes.is_empty() {
            return None;
        }
        let skip = read_varint(bytes)?;
        let mut latencies = [0; BUCKETS];
        let mut next = 0;
        loop {
            let (&step, rest) = bytes.split_first()?;
            *bytes = rest;
            next += step as usize;
            let Some(slot) = latencies.get_mut(next) else { return Some((skip, latencies)) };
            *slot = read_varint(bytes)?;
            next += 1;
        }
    }
}

struct Decoder<'a, S> {
    bytes: &'a [u8],
    next: u32,
    stream: std::marker::PhantomData<S>,
}

impl<'a, S: Stream> Decoder<'a, S> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, next: 0, stream: std::marker::PhantomData }
    }

    #[inline]
    fn next(&mut self) -> Option<(u32, S::Value)> {
        let (skip, value) = S::decode(&mut self.bytes)?;
        let at = self.next + skip;
        self.next = at + 1;
        Some((at, value))
    }
}

/// Reads a page's lines as sums: (second of the page, good, neutral); the second is `u32::MAX` behind the last.
struct Lines<'a> {
    bytes: &'a [u8],
    next: u32,
}

impl Lines<'_> {
    #[inline]
    fn next(&mut self) -> (u32, u32, u32) {
        const END: (u32, u32, u32) = (u32::MAX, 0, 0);
        let Some((&head, rest)) = self.bytes.split_first() else { return END };
        self.bytes = rest;
        let (mut good, mut neutral) = (0, 0);
        let skip = if let Some((skip, ok)) = CountStream::read_short(head) {
            good = ok;
            skip
        } else {
            let long = CountStream::read_long(&mut self.bytes, |class, n| {
                if GOOD >> class & 1 == 1 {
                    good += n;
                } else if class != Class::ServerError as usize {
                    neutral += n;
                }
            });
            let Some(skip) = long else { return END };
            skip
        };
        let at = self.next + skip;
        self.next = at + 1;
        (at, good, neutral)
    }
}

/// Encodes sorted entries into their pages; entries of one second are added up.
fn absorb_stream<S: Stream, T: Copy>(
    timeline: &mut Timeline,
    entries: &[(Second, T)],
    widen: impl Fn(T) -> S::Value,
) {
    let mut at = 0;
    while at < entries.len() {
        let key = entries[at].0 >> PAGE_BITS;
        let mut fresh = Vec::new();
        let mut next = 0;
        while let Some(&(second, first)) = entries.get(at).filter(|e| e.0 >> PAGE_BITS == key) {
            let mut value = widen(first);
            at += 1;
            while let Some(&(_, more)) = entries.get(at).filter(|e| e.0 == second) {
                S::add(&mut value, widen(more));
                at += 1;
            }
            let offset = (second & ((1 << PAGE_BITS) - 1)) as u32;
            S::encode(&mut fresh, offset - next, &value);
            next = offset + 1;
        }
        add_stream::<S>(timeline.pages.entry(key).or_default(), &fresh, next);
    }
}

/// Adds a stream, whose last second is the one before `other_end`, to that of a page.
fn add_stream<S: Stream>(page: &mut Page, other: &[u8], other_end: u32) {
    let Some((first, _)) = Decoder::<S>::new(other).next() else { return };
    let end = page.ends[S::INDEX];
    page.ends[S::INDEX] = end.max(other_end);
    let to = S::of(page);
    // Parts of a log nearly always follow each other: decoding them was 5 % of a scan.
    if first >= end {
        append::<S>(to, other, end);
        to.shrink_to_fit();
        return;
    }
    if Decoder::<S>::new(to).next().is_some_and(|(first, _)| first >= other_end) {
        let mut out = Vec::with_capacity(to.len() + other.len());
        out.extend_from_slice(other);
        append::<S>(&mut out, to, other_end);
        out.shrink_to_fit();
        *to = out;
        return;
    }
    let mut out = Vec::with_capacity(to.len() + other.len());
    let (mut a, mut b) = (Decoder::<S>::new(to), Decoder::<S>::new(other));
    let (mut x, mut y) = (a.next(), b.next());
    let (mut next, mut same) = (0, 0);
    // Most often two parts share one second, the last of the one and the first of the other.
    while let Some((at, _)) = x.filter(|x| x.0 < first) {
        (next, same) = (at + 1, to.len() - a.bytes.len());
        x = a.next();
    }
    out.extend_from_slice(&to[..same]);
    loop {
        let (at, value) = match (x, y) {
            (Some((i, mut v)), Some((j, w))) if i == j => {
                S::add(&mut v, w);
                (x, y) = (a.next(), b.next());
                (i, v)
            }
            (Some((i, v)), Some((j, _))) if i < j => {
                x = a.next();
                (i, v)
            }
            (Some(_), Some((j, w))) => {
                y = b.next();
                (j, w)
            }
            (one, other) => {
                if let Some((at, value)) = one.or(other) {
                    S::encode(&mut out, at - next, &value);
                    out.extend_from_slice(if one.is_some() { a.bytes } else { b.bytes });
                }
                break;
            }
        };
        S::encode(&mut out, at - next, &value);
        next = at + 1;
    }
    out.shrink_to_fit();
    *to = out;
}

/// Appends a stream all of which lies behind `end`, the second behind the last of `to`: only the first entry's skip
/// changes.
fn append<S: Stream>(to: &mut Vec<u8>, mut other: &[u8], end: u32) {
    if let Some((skip, value)) = S::decode(&mut other) {
        to.reserve_exact(other.len() + 16);
        S::encode(to, skip - end, &value);
        to.extend_from_slice(other);
    }
}

/// Bytes of the longest varint.
const VARINT: usize = 5;

/// One entry of a stream while it is written: a vector would be asked for its capacity at every byte.
struct Row<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Default for Row<N> {
    #[inline]
    fn default() -> Self {
        Self { bytes: [0; N], len: 0 }
    }
}

impl<const N: usize> Row<N> {
    #[inline]
    fn push(&mut self, byte: u8) {
        debug_assert!(self.len < N);
        if let Some(slot) = self.bytes.get_mut(self.len) {
            *slot = byte;
            self.len += 1;
        }
    }

    #[inline]
    fn varint(&mut self, mut n: u32) {
        while n >= 0x80 {
            self.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.push(n as u8);
    }

    fn written(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

#[inline]
fn write_varint(out: &mut Vec<u8>, mut n: u32) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

#[inline]
fn read_varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut n = 0;
    for shift in (0..35).step_by(7) {
        let (&b, rest) = bytes.split_first()?;
        *bytes = rest;
        n |= u32::from(b & 0x7f) << shift;
        if b < 0x80 {
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn collect(t: &Timeline) -> Vec<Moment> {
        let mut out = Vec::new();
        t.each(Window::ALL, |m| out.push(m));
        out
    }

    #[test]
    fn latency_buckets_are_half_octaves() {
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 8, 12, 1000].map(bucket), [0, 1, 2, 3, 4, 4, 5, 6, 7, 19]);
        for b in 0..BUCKETS {
            assert_eq!(bucket(bucket_floor(b)), b);
            assert!(b == 0 || bucket(bucket_floor(b) - 1) == b - 1);
        }
        assert_eq!(bucket(u32::MAX), BUCKETS - 1);
    }

    #[test]
    fn a_quiet_second_costs_a_byte() {
        let mut t = Timeline::default();
        let mut c = Collected::default();
        for s in (0..1024).step_by(8) {
            c.runs.push((s, [1, 0, 0, 0, 0, 0, 0, 0]));
        }
        t.absorb(&mut c);
        assert_eq!(t.pages[&0].counts.len(), 128);
        assert_eq!(t.span(), Some(Window { start: 0, end: 1017 }));
    }

    proptest! {
        /// Written as they come or collected first: the same bytes.
        #[test]
        fn writing_as_it_comes_is_exact(
            entries in prop::collection::vec((-20i64..3000, 0usize..CLASSES, 1u16..400, 0u32..70_000), 0..200),
            in_order: bool,
        ) {
            let mut entries = entries;
            if in_order {
                entries.sort_unstable();
            }
            let (mut a, mut b) = (Timeline::default(), Timeline::default());
            let (mut listed, mut written) = (Collected::default(), Collected::default());
            for &(second, class, n, ms) in &entries {
                let mut counts = [0; CLASSES];
                counts[class] = n;
                let mut latencies = [0; BUCKETS];
                latencies[bucket(ms)] = n;
                listed.runs.push((second, counts));
                listed.latencies.push((second, latencies));
                written.count(&mut b, second, &counts);
                written.time(&mut b, second, &mut latencies, 1 << bucket(ms));
                prop_assert_eq!(latencies, [0; BUCKETS]);
            }
            a.absorb(&mut listed);
            b.absorb(&mut written);
            prop_assert_eq!(a, b);
        }

        /// Any cut and any order of the same entries give the same bytes, and nothing is lost. In order, the parts
        /// follow each other, and may share the second at which they were cut.
        #[test]
        fn merging_is_exact(
            entries in prop::collection::vec((-3000i64..5000, 0usize..CLASSES, 1u16..400, 0u32..70_000), 0..200),
            cut in 0usize..200,
            in_order: bool,
            shared: bool,
        ) {
            let mut entries = entries;
            if in_order {
                entries.sort_unstable();
            }
            if shared && (1..entries.len()).contains(&cut) {
                entries[cut].0 = entries[cut - 1].0;
            }
            let fill = |part: &[(i64, usize, u16, u32)]| {
                let mut c = Collected::default();
                for &(s, class, n, ms) in part {
                    let mut counts = [0; CLASSES];
                    counts[class] = n;
                    c.runs.push((s, counts));
                    if class == Class::ServerError as usize {
                        c.failed.push((s - i64::from(ms / 1000), u32::from(n)));
                    }
                    let mut l = [0; BUCKETS];
                    l[bucket(ms)] = 1;
                    c.latencies.push((s, l));
                }
                let mut t = Timeline::default();
                t.absorb(&mut c);
                t
            };
            let whole = fill(&entries);
            let (a, b) = entries.split_at(cut.min(entries.len()));
            let (mut ab, mut ba) = (fill(a), fill(b));
            ab.merge(fill(b));
            ba.merge(fill(a));
            prop_assert_eq!(&ab, &whole);
            prop_assert_eq!(&ba, &whole);
            let total: u64 = entries.iter().map(|e| u64::from(e.2)).sum();
            let counted: u64 = collect(&whole).iter().flat_map(|m| m.counts).map(u64::from).sum();
            prop_assert_eq!(total, counted);
            let mut timed = 0;
            whole.each_latency(Window::ALL, |_, l| timed += l.iter().sum::<u32>() as usize);
            prop_assert_eq!(timed, entries.len());
        }
    }
}
