//! The Timeline: per-second counts of a log, small enough to keep for years and exact under any merge.
//!
//! Counts are integers and a merge is their sum, so any cut of the input, any order and any number of threads
//! give the same Timeline, byte for byte. Seconds are kept in pages of 1,024 as varints: a quiet second costs one
//! byte, a busy one six or seven. Where these pages would be very many, all of them are wider ([`wide`]). Dense bins of 32 bytes a second were measured first: 60 days of a quiet site
//! cost 172 MB and three times the newline floor, all of it in zeroing.

mod class;
mod collected;
mod counts;
mod latency;
mod order;
mod pages;
mod stream;
#[cfg(test)]
mod tests;
mod wide;

pub use class::{CLASSES, Class, Counts};
pub use collected::Collected;
pub(crate) use collected::only_ok;
pub use counts::{Classes, Moment, Outcome, Run, Sums, Walker};
pub(crate) use latency::Timings;
pub use latency::{BUCKETS, Latencies, bucket, bucket_floor, quantile};

use crate::time::{Second, Window};
use counts::{CountStream, FailedStream};
use latency::LatencyStream;
use pages::Pages;
use serde::{Deserialize, Serialize};
use stream::{Decoder, Stream, add_stream};

/// Seconds per page of all but the longest logs, as a power of two.
const PAGE_BITS: u32 = 10;

/// Per-second counts; see the head of this file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// Seconds per page, as a power of two.
    bits: u32,
    pages: Pages,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { bits: PAGE_BITS, pages: Pages::default() }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Page {
    counts: Vec<u8>,
    failed: Vec<u8>,
    latency: Vec<u8>,
    /// The second of the page behind the last of each stream ([`Stream::INDEX`]): what comes later is appended.
    ends: [u32; 3],
}

impl Timeline {
    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Adds another timeline.
    pub fn merge(&mut self, mut other: Self) {
        let bits = self.bits.max(other.bits);
        self.widen_to(bits);
        other.widen_to(bits);
        self.pages.merge(other.pages, |mine, page| {
            let [counts, failed, latency] = page.ends;
            add_stream::<CountStream>(mine, &page.counts, counts);
            add_stream::<FailedStream>(mine, &page.failed, failed);
            add_stream::<LatencyStream>(mine, &page.latency, latency);
        });
        self.fit();
    }

    /// The sum of timelines. Such of about as many are added first: where each of a hundred thousand small ones is added to
    /// the sum of all before, the pages of that are written anew for each.
    pub fn sum(timelines: impl IntoIterator<Item = Self>) -> Self {
        // Sums of one, two, four and so on, the power of two beside each; the largest first.
        let mut sums: Vec<(u32, Self)> = Vec::new();
        for mut sum in timelines {
            let mut power = 0;
            while let Some((_, before)) = sums.pop_if(|(of, _)| *of == power) {
                let more = std::mem::replace(&mut sum, before);
                sum.merge(more);
                power += 1;
            }
            sums.push((power, sum));
        }
        let mut sums = sums.into_iter().rev().map(|(_, sum)| sum);
        let Some(mut all) = sums.next() else { return Self::default() };
        for mut sum in sums {
            sum.merge(all);
            all = sum;
        }
        all
    }

    /// First and last second with a line, as a half-open window.
    pub fn span(&self) -> Option<Window> {
        let edge = |page: Option<(i64, &Page)>, last: bool| {
            let (key, page) = page?;
            let mut counts = Decoder::<CountStream>::new(&page.counts);
            let first = counts.next().map(|c| c.0);
            let at =
                if last { std::iter::from_fn(|| counts.next()).last().map(|c| c.0).or(first) } else { first };
            at.map(|at| (key << self.bits) + i64::from(at))
        };
        let mut with_lines = self.pages.iter().filter(|(_, p)| !p.counts.is_empty());
        let start = edge(with_lines.next(), false)?;
        let end = edge(self.pages.iter().rev().find(|(_, p)| !p.counts.is_empty()), true)?;
        Some(Window { start, end: end + 1 })
    }

    /// Forgets the pages that end before `second`.
    pub(crate) fn forget_before(&mut self, second: Second) {
        self.pages.forget_before(second >> self.bits);
    }

    /// Whether every stream of every page can be read to its end, inside its page and with counts that can be added: a
    /// timeline read from a file may be anybody's.
    pub(crate) fn is_sound(&self) -> bool {
        let bits = self.bits;
        if !(PAGE_BITS..=wide::MOST_BITS).contains(&bits) {
            return false;
        }
        // The years 0 to 9999.
        let pages = -62_167_219_200 >> bits..=253_402_300_799 >> bits;
        self.pages.iter().all(|(key, page)| {
            pages.contains(&key)
                && is_sound::<CountStream>(bits, &page.counts, page.ends[0], |c| c.to_vec())
                && is_sound::<FailedStream>(bits, &page.failed, page.ends[1], |n| vec![n])
                && is_sound::<LatencyStream>(bits, &page.latency, page.ends[2], |l| l.to_vec())
        })
    }

    fn pages_in(&self, window: Window) -> impl Iterator<Item = (i64, &Page)> {
        let last = window.end.saturating_sub(1).max(window.start);
        self.pages.range(window.start >> self.bits, last >> self.bits)
    }
}

/// Whether a stream ends where it says, and its counts stay countable.
fn is_sound<S: Stream>(bits: u32, mut bytes: &[u8], end: u32, counts: impl Fn(S::Value) -> Vec<u32>) -> bool {
    let mut next = 0u32;
    while !bytes.is_empty() {
        let Some((skip, value)) = S::decode(&mut bytes) else { return false };
        let Some(at) = next.checked_add(skip).filter(|at| *at < 1 << bits) else { return false };
        if counts(value).iter().any(|n| *n >= 1 << 24) {
            return false;
        }
        next = at + 1;
    }
    next == end
}
