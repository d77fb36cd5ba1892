//! The usual share of failures, and how unevenly failures come.
//!
//! The log is its own yardstick: blocks of time, the better half of them at first (half by time, not by traffic, so
//! that neither a peak nor an outage of many requests decides), later everything outside the findings. The local
//! value is smoothed over neighbours and never below the global one.

use super::steps::{Step, Steps};
use super::sums::Sums;
use crate::stats::{CHI_SQUARE_1_MEDIAN, logit, median};
use std::ops::Range;

/// A share below this is never believed, so one failure is worth at most 6.9 nats.
pub(crate) const FLOOR: f64 = 1e-3;
/// Above this nothing is "usual": without the cap, a log that lies wholly inside an outage would look ordinary.
const CEILING: f64 = 0.4;
/// Failures a block should hold.
const PER_BLOCK: f64 = 40.0;
const MAX_BLOCKS: f64 = 16_384.0;
const KERNEL: [f64; 5] = [0.3, 0.6, 1.0, 0.6, 0.3];
/// The local share leans on the global one with this many failures' weight.
const PRIOR_FAILURES: f64 = 10.0;

/// The usual share, block by block.
#[derive(Debug, Clone)]
pub(crate) struct Baseline {
    shares: Vec<f64>,
    origin: i64,
    length: f64,
    /// The global share.
    pub global: f64,
}

impl Baseline {
    /// The block that `second` lies in.
    pub(crate) fn block(&self, second: i64) -> usize {
        let into = second.saturating_sub(self.origin).max(0) as f64;
        ((into / self.length) as usize).min(self.shares.len().saturating_sub(1))
    }

    /// First second after block `block`.
    pub(crate) fn block_end(&self, block: usize) -> i64 {
        if block + 1 >= self.shares.len() {
            return i64::MAX;
        }
        self.origin.saturating_add(((block + 1) as f64 * self.length).ceil() as i64)
    }

    pub(crate) fn share(&self, block: usize) -> f64 {
        self.shares.get(block).copied().unwrap_or(self.global)
    }

    pub(crate) fn at(&self, second: i64) -> f64 {
        self.share(self.block(second))
    }

    /// Length of a block in seconds.
    pub(crate) fn block_seconds(&self) -> f64 {
        self.length
    }

    /// The usual share over some steps, weighted by their requests.
    pub(crate) fn over(&self, steps: &[Step]) -> f64 {
        let (mut weight, mut sum) = (0.0, 0.0);
        for s in steps {
            weight += s.requests();
            sum += s.requests() * self.at(s.first);
        }
        if weight > 0.0 { sum / weight } else { self.global }
    }

    /// Before anything is found: the better half of the blocks decides, or, where a log may lie in an outage for most of
    /// its time, the `best` of it. `None` without requests.
    pub(crate) fn first(steps: &Steps, all: &Sums<'_>, best: bool) -> Option<Self> {
        let (length, sums) = blocks(steps, all, &steps.unusual);
        let half = best_share(&sums, 0.5)?;
        let global = half.clamp(FLOOR, 0.95);
        let low = if best && global > 0.1 { deepest(steps, all) } else { None };
        let global = low.map_or(global, |low| low.min(global)).min(CEILING);
        Some(Self { shares: vec![global; sums.len()], origin: steps.origin, length, global })
    }

    /// Given the findings: everything outside them, block by block. Never above the ceiling.
    pub(crate) fn outside(steps: &Steps, all: &Sums<'_>, masked: &[Range<usize>], before: &Self) -> Self {
        let (length, sums) = blocks(steps, all, masked);
        let (n, k) = sums.iter().fold((0.0, 0.0), |(n, k), b| (n + b.0, k + b.1));
        // When the findings leave next to nothing, what is left says less than the first look did.
        let global = if n + k < 20.0 { before.global } else { ((k + 0.5) / (n + 1.0)).clamp(FLOOR, CEILING) };
        let weight = PRIOR_FAILURES / global;
        let shares = (0..sums.len())
            .map(|i| {
                let (mut n, mut k) = (0.0, 0.0);
                for (j, w) in KERNEL.iter().enumerate() {
                    if let Some(b) = (i + j).checked_sub(2).and_then(|at| sums.get(at)) {
                        n += w * b.0;
                        k += w * b.1;
                    }
                }
                ((k + global * weight) / (n + weight)).clamp(global, CEILING)
            })
            .collect();
        Self { shares, origin: steps.origin, length, global }
    }
}

/// Sums of (requests, failures) per block, outside the masked steps.
fn blocks(steps: &Steps, all: &Sums<'_>, masked: &[Range<usize>]) -> (f64, Vec<(f64, f64)>) {
    let masked_failures = masked.iter().map(|r| all.of(r).1).sum::<u64>() as f64;
    let (time, failures) = (steps.seconds(), (steps.failed as f64 - masked_failures).max(1.0));
    let want = (PER_BLOCK * time / failures).max(300.0).max(time / MAX_BLOCKS).min(time / 8.0);
    let count = (time / want).round().clamp(1.0, MAX_BLOCKS);
    (time / count, sums(steps, all, masked, count))
}

fn sums(steps: &Steps, all: &Sums<'_>, masked: &[Range<usize>], count: f64) -> Vec<(f64, f64)> {
    let length = steps.seconds() / count;
    let mut sums = vec![(0u64, 0u64); count as usize];
    let last = sums.len() - 1;
    // A step lies where its middle does; steps come in order, and so do their middles.
    let block = |s: &Step| {
        let into = s.first.saturating_sub(steps.origin).clamp(0, i64::MAX / 4);
        (((into as f64 + f64::from(s.span()) / 2.0) / length) as usize).min(last)
    };
    let mut add = |at: usize, (n, k): (u64, u64)| {
        sums[at].0 += n;
        sums[at].1 += k;
    };
    let mut from = 0;
    for run in masked {
        all.each_group(from..run.start, block, &mut add);
        from = run.end;
    }
    all.each_group(from..steps.list.len(), block, &mut add);
    sums.into_iter().map(|(n, k)| (n as f64, k as f64)).collect()
}

/// Ratio of sums over the best `part` of the blocks that have requests.
fn best_share(sums: &[(f64, f64)], part: f64) -> Option<f64> {
    let mut used: Vec<(f64, f64)> = sums.iter().copied().filter(|b| b.0 > 0.0).collect();
    used.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
    let keep = ((used.len() as f64 * part).ceil() as usize).max(1);
    let (n, k) = used.iter().take(keep).fold((0.0, 0.0), |(n, k), b| (n + b.0, k + b.1));
    (n > 0.0).then(|| (k + 0.5) / (n + 1.0))
}

/// Where even the better half of the log is bad: the share in its best twentieth, if that is another world
/// (a log of which nine tenths are an outage), and not merely the lower end of a wide scatter.
fn deepest(steps: &Steps, all: &Sums<'_>) -> Option<f64> {
    let cells = (steps.seconds() / 2.0).clamp(1.0, 64.0);
    let mut sums = sums(steps, all, &steps.unusual, cells);
    let total = sums.iter().map(|b| b.0).sum::<f64>();
    let enough = (total / cells / 4.0).max(5.0);
    sums.retain(|b| b.0 >= enough);
    let low = best_share(&sums, 0.05)?;
    let overall = steps.failed as f64 / total.max(1.0);
    (logit(overall) - logit(low) >= 3.0).then_some(low.max(FLOOR))
}

/// How much more failures scatter than independent ones, outside the findings; at least `least`, at most 30.
///
/// Without client addresses one client's retries look like many failures. Where failures are rare their bunching shows
/// it: a compound Poisson stream has the variance factor `E[c^2]/E[c]` for bunches of size `c`. Where they are frequent
/// the residuals of seconds and of ten-second blocks show it; the median keeps single storms from deciding.
pub(crate) fn dispersion(steps: &Steps, masked: &[Range<usize>], baseline: &Baseline, least: f64) -> f64 {
    let mut best = least.max(bunching(steps, masked, least));
    for length in [1, 10] {
        best = best.max(residual_dispersion(steps, masked, baseline, length).unwrap_or(0.0));
    }
    best.min(30.0)
}

/// The steps outside the masked ones, which stand in order.
pub(crate) fn unmasked<'a>(steps: &'a Steps, masked: &'a [Range<usize>]) -> impl Iterator<Item = &'a Step> {
    let starts = std::iter::once(0).chain(masked.iter().map(|r| r.end));
    let ends = masked.iter().map(|r| r.start).chain([steps.list.len()]);
    starts.zip(ends).flat_map(|(from, to)| steps.list.get(from..to).unwrap_or_default())
}

/// So many failures may be one client's.
const SMALL: u64 = 12;

/// The sizes of bunches of failures outside the masked runs; `None` where they lie so close that chance joins them.
fn bunches(steps: &Steps, masked: &[Range<usize>]) -> Option<Vec<f64>> {
    let mut sizes: Vec<f64> = Vec::new();
    let (mut last, mut reach) = (i64::MIN, 0.0);
    for s in unmasked(steps, masked).filter(|s| s.failed() > 0) {
        let (failed, pause) = (f64::from(s.failed()), s.first.saturating_sub(last));
        match sizes.last_mut() {
            Some(size) if pause <= 10 => {
                *size += failed;
                reach += pause as f64;
            }
            _ => {
                sizes.push(failed);
                reach += 10.0;
            }
        }
        last = s.first;
    }
    (5.0 * reach <= steps.seconds()).then_some(sizes)
}

fn bunching(steps: &Steps, masked: &[Range<usize>], least: f64) -> f64 {
    // Small findings may be single clients. Three and more of them are what is ordinary in this log: they count as
    // bunches too, so that it stops reporting them.
    let small = |r: &&Range<usize>| {
        steps.list[r.start..r.end].iter().map(|s| u64::from(s.failed())).sum::<u64>() <= SMALL
    };
    let many = masked.iter().filter(small).count() >= 3;
    let large: Vec<Range<usize>> = masked.iter().filter(|r| !(many && small(r))).cloned().collect();
    let Some(sizes) = bunches(steps, &large) else { return least };
    let (sum, squares) = sizes.iter().fold((0.0, 0.0), |(a, b), c| (a + c, b + c * c));
    // Ten bunches' worth of prior.
    (squares + 10.0 * least) / (sum + 10.0)
}

/// The largest bunch of failures outside the findings, where there are enough of them to know what is ordinary.
pub(crate) fn largest_bunch(steps: &Steps, masked: &[Range<usize>]) -> Option<f64> {
    let sizes = bunches(steps, masked).filter(|b| b.len() >= 10)?;
    Some(sizes.iter().copied().fold(0.0, f64::max))
}

fn residual_dispersion(
    steps: &Steps,
    masked: &[Range<usize>],
    baseline: &Baseline,
    length: i64,
) -> Option<f64> {
    let mean = baseline.global * (steps.good as f64 + steps.failed as f64) / steps.seconds() * length as f64;
    if mean < 2.0 {
        return None;
    }
    let mut blocks: Vec<(f64, f64, f64)> = Vec::new();
    let (mut at, mut sum, mut seen) = (i64::MIN, (0.0, 0.0, 0.0), 0.0);
    for s in unmasked(steps, masked) {
        let block = s.first.div_euclid(length);
        if block != at {
            seen += 1.0;
            if sum.2 >= 5.0 {
                blocks.push(sum);
            }
            (at, sum) = (block, (0.0, 0.0, 0.0));
        }
        sum.0 += s.requests();
        sum.1 += f64::from(s.failed());
        sum.2 += s.requests() * baseline.at(s.first);
    }
    if blocks.len() < 200 || (blocks.len() as f64) < 0.3 * seen {
        return None;
    }
    let mut ratios: Vec<f64> = blocks.iter().map(|b| b.1 / b.2).collect();
    // Slow drift of the level is not noise.
    let level = median(&mut ratios)?.max(0.05);
    let mut residuals: Vec<f64> = blocks
        .iter()
        .map(|&(n, k, e)| {
            let e = e * level;
            (k - e).powi(2) / (e * (1.0 - (e / n).min(0.99)))
        })
        .collect();
    Some(median(&mut residuals)? / CHI_SQUARE_1_MEDIAN)
}
