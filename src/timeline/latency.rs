//! How long requests took: half-octave buckets, by second.

use super::stream::{Decoder, Stream, read_varint, write_varint};
use super::{Page, Timeline};
use crate::time::{Second, Window};

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

/// A quantile in seconds from a histogram, interpolated inside its bucket; `None` of an empty one.
pub fn quantile(latencies: &Latencies, q: f64) -> Option<f64> {
    let total: u64 = latencies.iter().map(|n| u64::from(*n)).sum();
    let mut left = q * total as f64;
    for (i, &n) in latencies.iter().enumerate().filter(|(_, n)| **n > 0) {
        let n = f64::from(n);
        if left <= n {
            let low = f64::from(bucket_floor(i));
            let high = f64::from(bucket_floor(i + 1)).max(low + 1.0);
            return Some((low + (high - low) * left / n) / 1000.0);
        }
        left -= n;
    }
    None
}

/// Adds up what it hears.
struct Sum(Latencies);

impl Timings for Sum {
    fn second(&mut self, _: Second) {}

    #[inline]
    fn bucket(&mut self, bucket: usize, n: u32) {
        self.0[bucket] = self.0[bucket].saturating_add(n);
    }
}

impl Timeline {
    /// The latencies of all seconds inside `window` together.
    pub fn latencies(&self, window: Window) -> Latencies {
        let mut sum = Sum([0; BUCKETS]);
        self.each_timing(window, &mut sum);
        sum.0
    }

    /// Visits the latencies of every second inside `window` that has any, in order.
    pub fn each_latency(&self, window: Window, mut visit: impl FnMut(Second, &Latencies)) {
        for (key, page) in self.pages_in(window) {
            let mut stream = Decoder::<LatencyStream>::new(&page.latency);
            while let Some((at, latencies)) = stream.next() {
                let second = (key << self.bits) + i64::from(at);
                if window.contains(second) {
                    visit(second, &latencies);
                }
            }
        }
    }

    /// Visits the latencies of every second inside `window` that has any, in order, bucket by bucket. A second holds few of
    /// them, and a row of all buckets costs ten times as much to look through.
    #[inline]
    pub(crate) fn each_timing(&self, window: Window, visitor: &mut impl Timings) {
        for (key, page) in self.pages_in(window) {
            let mut bytes = page.latency.as_slice();
            let mut next = key << self.bits;
            let whole = window.start <= next && next + (1 << self.bits) <= window.end;
            while let Some(skip) = Some(&mut bytes).filter(|b| !b.is_empty()).and_then(read_varint) {
                let second = next + i64::from(skip);
                next = second + 1;
                let ended = if whole || window.contains(second) {
                    visitor.second(second);
                    each_bucket(&mut bytes, |bucket, n| visitor.bucket(bucket, n))
                } else {
                    each_bucket(&mut bytes, |_, _| ())
                };
                if ended.is_none() {
                    break;
                }
            }
        }
    }
}

/// What a walk through latencies tells: a second, then its buckets in rising order.
pub(crate) trait Timings {
    /// The next second that holds any.
    fn second(&mut self, second: Second);
    /// How many requests of it took so long.
    fn bucket(&mut self, bucket: usize, n: u32);
}

/// Reads the buckets of one second; `None` where the bytes end before it does.
#[inline]
fn each_bucket(bytes: &mut &[u8], mut visit: impl FnMut(usize, u32)) -> Option<()> {
    let mut next = 0;
    let mut left = *bytes;
    // Nearly all counts are one byte: four pairs at a time, as far as there are eight bytes,
    'words: while let Some(word) = left.first_chunk::<8>() {
        let mut word = u64::from_le_bytes(*word);
        for at in [1, 3, 5, 7] {
            next += (word & 0xff) as usize;
            if next >= BUCKETS {
                *bytes = &left[at..];
                return Some(());
            }
            let n = (word >> 8 & 0xff) as u32;
            if n >= 0x80 {
                left = &left[at..];
                visit(next, read_varint(&mut left)?);
                next += 1;
                continue 'words;
            }
            visit(next, n);
            next += 1;
            word >>= 16;
        }
        left = &left[8..];
    }
    // and two bytes at a time behind them.
    while let [step, n, rest @ ..] = left {
        next += usize::from(*step);
        if next >= BUCKETS {
            *bytes = &left[1..];
            return Some(());
        }
        if *n < 0x80 {
            visit(next, u32::from(*n));
            left = rest;
        } else {
            left = &left[1..];
            visit(next, read_varint(&mut left)?);
        }
        next += 1;
    }
    let [step] = left else { return None };
    *bytes = &[];
    (next + usize::from(*step) >= BUCKETS).then_some(())
}

pub(super) struct LatencyStream;

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
        each_bucket(bytes, |bucket, n| latencies[bucket] = n)?;
        Some((skip, latencies))
    }

    fn pass(bytes: &mut &[u8]) -> Option<u32> {
        if bytes.is_empty() {
            return None;
        }
        let skip = read_varint(bytes)?;
        each_bucket(bytes, |_, _| ())?;
        Some(skip)
    }
}
