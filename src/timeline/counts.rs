//! Lines by class and failures, by second: how they are written and walked through.
#![expect(
    clippy::inline_always,
    reason = "a walk reads every second of a log: a call for each is half of what it costs"
)]

use super::stream::{Decoder, Row, Stream, VARINT, read_varint, write_varint};
use super::{CLASSES, Class, Counts, Page, Timeline};
use crate::time::{Second, Window};

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

/// Some of the classes, to be counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classes(u8);

impl Classes {
    /// All of them.
    pub const ALL: Self = Self(u8::MAX);
    /// None of them.
    pub const NONE: Self = Self(0);
    /// 1xx to 3xx, which [`Outcome::good`] counts.
    pub const GOOD: Self = Self(1 << Class::Ok as u8 | 1 << Class::Redirect as u8 | 1 << Class::Info as u8);
    /// What is neither good nor a failure of the server.
    pub const NEUTRAL: Self = Self(!(Self::GOOD.0 | 1 << Class::ServerError as u8));

    /// One of them.
    pub const fn one(class: Class) -> Self {
        Self(1 << class as u8)
    }

    #[inline]
    fn has(self, class: usize) -> bool {
        self.0 >> class & 1 == 1
    }
}

/// What one second of the log holds, in sums over classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums<const K: usize = 2> {
    /// The second.
    pub second: Second,
    /// Lines of the classes that were asked for.
    pub lines: [u32; K],
    /// Requests that failed, dated as in [`Moment`].
    pub failed: u32,
}

/// Seconds one close behind the other that hold nothing but 2xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run<const K: usize = 2> {
    /// The first of them.
    pub first: Second,
    /// The last of them.
    pub last: Second,
    /// How many of the seconds from first to last hold a line.
    pub busy: u32,
    /// Lines of the classes that were asked for.
    pub lines: [u32; K],
    /// Seconds of the longest pause between two of them, for walkers that ask for it; else 0.
    pub pause: u32,
}

impl Run {
    /// Pauses are shorter than this for walkers that ask for them.
    pub const PAUSE: u32 = 4;
}

/// What walks through a timeline and can take several seconds as one.
pub trait Walker<const K: usize = 2> {
    /// Whether runs must not hold a pause of [`Run::PAUSE`] or more, and tell their longest.
    const CLOSE: bool;
    /// A run must end before this second. Asked anew for each.
    fn until(&self) -> Second;
    /// Several seconds that hold nothing but 2xx.
    fn run(&mut self, run: Run<K>);
    /// A single second.
    fn second(&mut self, sums: Sums<K>);
}

/// Takes each second by itself.
struct Each<F>(F);

impl<F: FnMut(Sums)> Walker for Each<F> {
    const CLOSE: bool = false;

    #[inline]
    fn until(&self) -> Second {
        Second::MIN
    }

    #[inline]
    fn run(&mut self, _: Run) {}

    #[inline]
    fn second(&mut self, sums: Sums) {
        (self.0)(sums);
    }
}

impl Timeline {
    /// Visits every second inside `window` that holds anything, in order.
    pub fn each(&self, window: Window, mut visit: impl FnMut(Moment)) {
        for (key, page) in self.pages_in(window) {
            let base = key << self.bits;
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

    /// Visits every second inside `window` that holds anything, in order, as detection sees it.
    #[inline]
    pub fn each_outcome(&self, window: Window, mut visit: impl FnMut(Outcome)) {
        self.each_sum(window, [Classes::GOOD, Classes::NEUTRAL], |s| {
            let [good, neutral] = s.lines;
            visit(Outcome { second: s.second, good, neutral, failed: s.failed });
        });
    }

    /// Visits every second inside `window` that holds anything, in order, with the lines of two sets of classes. What
    /// [`Self::each`] would give is summed up while it is read: a long quiet log has millions of seconds of one byte
    /// each, and the classes are known where this is compiled.
    #[inline]
    pub fn each_sum(&self, window: Window, asked: [Classes; 2], visit: impl FnMut(Sums)) {
        self.walk::<false, 2, _>(window, asked, &mut Each(visit));
    }

    /// The same for one that takes runs.
    #[inline]
    pub fn each_run<const K: usize>(&self, window: Window, asked: [Classes; K], walker: &mut impl Walker<K>) {
        self.walk::<true, K, _>(window, asked, walker);
    }

    #[inline]
    fn walk<const RUNS: bool, const K: usize, W: Walker<K>>(
        &self,
        window: Window,
        asked: [Classes; K],
        walker: &mut W,
    ) {
        for (key, page) in self.pages_in(window) {
            let base = key << self.bits;
            let whole = window.start <= base && base + (1 << self.bits) <= window.end;
            let mut failures = Failures::new(&page.failed, base);
            let mut bytes = page.counts.as_slice();
            // The first second that the next entry can stand for.
            let mut next = base;
            loop {
                // Nothing but a few 2xx: a byte each, in long runs.
                while RUNS
                    && let Some((n, run)) = read_run::<K, W>(bytes, next, asked)
                    && run.last < failures.second.min(walker.until())
                    && (whole || window.contains(run.first) && window.contains(run.last))
                {
                    bytes = &bytes[n..];
                    next = run.last + 1;
                    walker.run(run);
                }
                let mut singles = 0;
                while (!RUNS || singles < SINGLES)
                    && let Some((&head, rest)) = bytes.split_first()
                    && let Some((skip, ok)) = CountStream::read_short(head)
                    && next + i64::from(skip) < failures.second
                {
                    bytes = rest;
                    let second = next + i64::from(skip);
                    next = second + 1;
                    singles += 1;
                    if whole || window.contains(second) {
                        walker.second(Sums { second, lines: of_ok(ok, asked), failed: 0 });
                    }
                }
                if RUNS && singles == SINGLES {
                    continue;
                }
                let mut behind = bytes;
                let mut sums = match read_sums(&mut behind, asked) {
                    Some((skip, lines)) => Sums { second: next + skip, lines, failed: 0 },
                    None => Sums { second: Second::MAX, lines: [0; K], failed: 0 },
                };
                // Failures are dated at their arrival, so they can lie in seconds without a line.
                if sums.second <= failures.second {
                    if sums.second == Second::MAX {
                        break;
                    }
                    bytes = behind;
                    next = sums.second + 1;
                } else {
                    (sums.second, sums.lines) = (failures.second, [0; K]);
                }
                if sums.second == failures.second {
                    sums.failed = failures.take();
                }
                if whole || window.contains(sums.second) {
                    walker.second(sums);
                }
            }
        }
    }
}

/// Seconds taken one by one, where the next ones do not fit a run, before a run is tried again.
const SINGLES: usize = 3;

/// The seconds of one byte each at the front of `bytes`, two to eight of them, with the number of bytes. `next` is the
/// second behind the one before.
#[inline]
fn read_run<const K: usize, W: Walker<K>>(
    bytes: &[u8],
    next: Second,
    asked: [Classes; K],
) -> Option<(usize, Run<K>)> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(*bytes.first_chunk::<8>()?);
    // A second of one byte has its highest bit clear, and the next two where its pause is below four. That before the
    // first of them lies outside the run.
    let others = word & if W::CLOSE { 0xe0 * ONES - 0x60 } else { 0x80 * ONES };
    let n = others.trailing_zeros() / 8;
    if n < 2 {
        return None;
    }
    let word = word & u64::MAX >> (64 - 8 * n);
    let sum = |bytes: u64| (bytes.wrapping_mul(ONES) >> 56) as u32;
    let skipped = word >> 3 & (15 * ONES);
    let run = Run {
        first: next + (skipped & 15) as i64,
        last: next + i64::from(sum(skipped) + n - 1),
        busy: n,
        lines: of_ok(sum(word & (7 * ONES)), asked),
        pause: if W::CLOSE { longest(skipped & (3 * (ONES - 1))) } else { 0 },
    };
    Some((n as usize, run))
}

/// The largest of the two lowest bits of each byte.
#[inline]
fn longest(pauses: u64) -> u32 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (two, one) = (pauses >> 1 & ONES, pauses & ONES);
    match (two & one, two) {
        (0, 0) => u32::from(one != 0),
        (0, _) => 2,
        _ => 3,
    }
}

/// The failures of a page; their second is `Second::MAX` behind the last.
struct Failures<'a> {
    stream: Decoder<'a, FailedStream>,
    base: Second,
    second: Second,
    count: u32,
}

impl<'a> Failures<'a> {
    fn new(bytes: &'a [u8], base: Second) -> Self {
        let mut failures = Self { stream: Decoder::new(bytes), base, second: Second::MAX, count: 0 };
        failures.take();
        failures
    }

    /// Gives the failures at hand and goes on to the next.
    #[inline]
    fn take(&mut self) -> u32 {
        let count = self.count;
        (self.second, self.count) =
            self.stream.next().map_or((Second::MAX, 0), |(at, n)| (self.base + i64::from(at), n));
        count
    }
}

/// The sums of a second of nothing but 2xx. Written out, as neither `array::map` nor `zip` is resolved: that doubled the cost of a walk.
#[inline]
fn of_ok<const K: usize>(ok: u32, asked: [Classes; K]) -> [u32; K] {
    let mut lines = [0; K];
    for (i, n) in lines.iter_mut().enumerate() {
        *n = if asked[i].has(Class::Ok as usize) { ok } else { 0 };
    }
    lines
}

/// Reads the seconds skipped before the next entry, and its sums; `None` behind the last one.
#[inline(always)]
fn read_sums<const K: usize>(bytes: &mut &[u8], asked: [Classes; K]) -> Option<(Second, [u32; K])> {
    let (&head, rest) = bytes.split_first()?;
    *bytes = rest;
    if let Some((skip, ok)) = CountStream::read_short(head) {
        return Some((i64::from(skip), of_ok(ok, asked)));
    }
    let Some((n, skip, sums)) = read_bytes(bytes, asked) else { return read_long_sums(bytes, asked) };
    *bytes = &bytes[n..];
    Some((i64::from(skip), sums))
}

/// The same behind the first byte of a second that holds many lines, or many classes.
#[cold]
#[inline(never)]
fn read_long_sums<const K: usize>(bytes: &mut &[u8], asked: [Classes; K]) -> Option<(Second, [u32; K])> {
    let mut sums = [0; K];
    let skip = CountStream::read_long(bytes, |class, n| add_asked(&mut sums, asked, class as u32, n))?;
    Some((i64::from(skip), sums))
}

/// Adds the count of a class to the sums that ask for it. Without a branch: which classes a second holds nobody can guess.
#[inline(always)]
fn add_asked<const K: usize>(sums: &mut [u32; K], asked: [Classes; K], class: u32, n: u32) {
    for (i, sum) in sums.iter_mut().enumerate() {
        *sum += n & 0u32.wrapping_sub(u32::from(asked[i].0 >> class & 1));
    }
}

/// Reads on behind the first byte of a second whose counts are a byte each, of no more than six classes: the bytes read,
/// the seconds skipped and the sums. `None` of any other.
#[inline(always)]
fn read_bytes<const K: usize>(bytes: &[u8], asked: [Classes; K]) -> Option<(usize, u32, [u32; K])> {
    let mut sums = [0; K];
    let word = u64::from_le_bytes(*bytes.first_chunk::<8>()?);
    let (mut left, skip) = (word & 0xff, (word >> 8 & 0xff) as u32);
    let (mut counts, mut long) = (word >> 16, skip);
    let mut n = 2;
    while left != 0 {
        let count = (counts & 0xff) as u32;
        long |= count;
        add_asked(&mut sums, asked, left.trailing_zeros(), count);
        counts >>= 8;
        left &= left - 1;
        n += 1;
    }
    (long < 0x80 && n <= 8).then_some((n, skip, sums))
}

pub(super) struct CountStream;
pub(super) struct FailedStream;

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
        Self::encode_long(out, skip, value);
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

    #[inline]
    fn pass(bytes: &mut &[u8]) -> Option<u32> {
        let (&head, rest) = bytes.split_first()?;
        *bytes = rest;
        match Self::read_short(head) {
            Some((skip, _)) => Some(skip),
            None => Self::read_long(bytes, |_, _| ()),
        }
    }
}

impl CountStream {
    /// Writes a second that is more than one byte.
    pub(super) fn encode_long<T: Copy + Into<u32>>(out: &mut Vec<u8>, skip: u32, value: &[T; CLASSES]) {
        const { assert!(2 + VARINT * (CLASSES + 1) < 64) };
        let mut row = Row::<64>::default();
        row.push(0x80);
        row.push(0);
        row.varint(skip);
        let mut mask = 0;
        for (i, n) in value.iter().enumerate() {
            let n: u32 = (*n).into();
            if n > 0 {
                mask |= 1 << i;
                row.varint(n);
            }
        }
        row.bytes[1] = mask;
        out.extend_from_slice(row.written());
    }

    /// A second of one to seven 2xx answers and nothing else, up to 15 seconds after the last, is one byte.
    #[inline]
    pub(super) fn short(skip: u32, ok: u32) -> Option<u8> {
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

    fn pass(bytes: &mut &[u8]) -> Option<u32> {
        Self::decode(bytes).map(|(skip, _)| skip)
    }
}
