//! The rate of visits around a place, from the busy seconds of bins: what a silence is held against.

use super::gaps::Gap;
use crate::detect::survey::Survey;
use crate::stats::{SlidingMedian, median, median_of_few, quantile};
use crate::time::Second;

/// Visits that a bin should have,
const VISITS: f64 = 20.0;
/// if the log has so many bins then.
const BINS: f64 = 24.0;
/// Bins on each side of a gap that tell the rate there.
const SIDE: usize = 12;

/// The visit rate around a place, from the bins.
pub(super) struct Rates {
    /// Busy seconds of each (coarse) bin.
    counts: Vec<f64>,
    /// Lines of each.
    pub(super) lines: Vec<f64>,
    /// Seconds a (coarse) bin is long.
    pub(super) width: f64,
    pub(super) origin: Second,
    /// The rate that the twelve bins before each bin tell: an upper bound for the rate used in the end.
    pub(super) before: Vec<f64>,
}

impl Rates {
    pub(super) fn new(survey: &Survey, covered: f64) -> Self {
        let mean = survey.busy as f64 / covered.max(1.0);
        // Of a log of minutes with a request every few seconds each side must still have its bins.
        let most = (covered / BINS).clamp(20.0, 6.0 * 3600.0);
        let want = (VISITS / mean.max(1e-9)).max(30.0).min(most);
        let by = (want / survey.width as f64).ceil().max(1.0);
        let bins = survey.coarser(by as usize);
        let counts: Vec<f64> = bins.iter().map(|b| f64::from(b.busy)).collect();
        let lines = bins.iter().map(|b| f64::from(b.lines)).collect();
        let width = survey.width as f64 * by;
        let mut rates = Self { counts, lines, width, origin: survey.span.start, before: Vec::new() };
        let nats = Memo::new(&rates.counts, |count| rates.nats(count));
        let mut memory = SlidingMedian::<SIDE>::default();
        let mut before = Vec::with_capacity(rates.counts.len());
        for count in &rates.counts {
            let known = memory.median().filter(|_| memory.kept() >= 3);
            before.push(known.map_or(f64::INFINITY, |count| nats.of(count)));
            memory.push(*count);
        }
        rates.before = before;
        rates
    }

    pub(super) fn bin(&self, second: Second) -> usize {
        let into = second.saturating_sub(self.origin).max(0) as f64;
        ((into / self.width) as usize).min(self.counts.len().saturating_sub(1))
    }

    /// Visits a second for a bin count of busy seconds.
    fn nats(&self, count: f64) -> f64 {
        if count <= 0.0 {
            return 0.0;
        }
        let share = ((count + 0.5) / (self.width + 1.0)).min(1.0 - 0.5 / (self.width + 1.0));
        -(1.0 - share).ln()
    }

    /// The smallest rate of visits that either side shows at either scale; 0 where there is nothing to compare with.
    pub(super) fn around(&self, gap: Gap) -> f64 {
        let sides = [1, 6].into_iter().flat_map(|scale| self.sides(&self.counts, gap, scale));
        let low = sides.flatten().map(|count| self.nats(count)).fold(f64::INFINITY, f64::min);
        if low.is_finite() { low } else { 0.0 }
    }

    /// Lines a second, on the two sides of a gap.
    pub(super) fn lines_around(&self, gap: Gap) -> [Option<f64>; 2] {
        self.sides(&self.lines, gap, 1).map(|lines| lines.map(|n| n / self.width))
    }

    fn sides(&self, counts: &[f64], gap: Gap, scale: usize) -> [Option<f64>; 2] {
        let before = gap.before.and_then(|second| side(counts, self.bin(second), scale, true));
        let after = gap.after.and_then(|second| side(counts, self.bin(second), scale, false));
        [before, after]
    }

    /// How unevenly traffic comes: the lower half of the spread of log counts about their running mean of five.
    pub(super) fn unevenness(&self) -> f64 {
        if self.counts.len() < 30 {
            return 0.0;
        }
        let log = Memo::new(&self.counts, |c| (c + 0.5).ln());
        let logs: Vec<f64> = self.counts.iter().map(|c| log.of(*c)).collect();
        let mut spread: Vec<f64> =
            (2..logs.len() - 2).map(|i| logs[i] - logs[i - 2..=i + 2].iter().sum::<f64>() / 5.0).collect();
        let mut counts = self.counts.clone();
        let (Some(q16), Some(q50), Some(mid)) =
            (quantile(&mut spread, 0.16), quantile(&mut spread, 0.5), median(&mut counts))
        else {
            return 0.0;
        };
        ((q50 - q16).powi(2) - 1.0 / mid.max(1.0)).max(0.0).sqrt()
    }
}

/// Values of a function of counts and of the middle of two: many bins have few different counts.
struct Memo<F> {
    known: Vec<f64>,
    of: F,
}

impl<F: Fn(f64) -> f64> Memo<F> {
    /// For some counts that are whole numbers.
    fn new(counts: &[f64], of: F) -> Self {
        let halves = 2.0 * counts.iter().copied().fold(0.0, f64::max) + 1.0;
        let known = if halves > counts.len() as f64 {
            Vec::new()
        } else {
            (0..halves as u32).map(|n| of(f64::from(n) / 2.0)).collect()
        };
        Self { known, of }
    }

    fn of(&self, count: f64) -> f64 {
        let at = (2.0 * count) as usize;
        match self.known.get(at) {
            Some(value) if at as f64 == 2.0 * count => *value,
            _ => (self.of)(count),
        }
    }
}

/// Median over up to twelve groups of `scale` bins on one side of bin `b`; `None` with fewer than three.
fn side(counts: &[f64], b: usize, scale: usize, before: bool) -> Option<f64> {
    let mut values = [0.0; SIDE];
    let mut n = 0;
    while n < SIDE {
        let group = if before {
            let Some(end) = b.checked_sub(n * scale) else { break };
            let Some(start) = end.checked_sub(scale) else { break };
            start..end
        } else {
            b + 1 + n * scale..b + 1 + (n + 1) * scale
        };
        let Some(group) = counts.get(group) else { break };
        values[n] = group.iter().sum::<f64>() / scale as f64;
        n += 1;
    }
    if n < 3 { None } else { median_of_few(&mut values[..n]) }
}
