//! The timed requests of a log by the second they arrived in, for all looks at once.

use super::LOOKS;
use crate::detect::steps::Steps;
use crate::detect::{Tick, Ticks};
use crate::time::{Second, Window};
use crate::timeline::{BUCKETS, Latencies, Timeline, Timings, bucket_floor};

/// The last bucket begins at 131 s; what took longer is dated as if it had taken so long.
const REACH: i64 = 132;

/// Seconds of the ring of [`Arrivals`]: more than [`REACH`], and a power of two, for it is asked for its place by every
/// bucket of every second.
const RING: usize = 256;

/// The timed requests of a second, by arrival: all of them, and those that each look finds slow.
pub(super) type Timed = [u32; 1 + LOOKS.len()];

/// The timed requests of a log, all dated at their arrival, for all looks at once: to read the histograms is most of the
/// work, and is done in one walk.
#[derive(Debug, Clone)]
pub(super) struct Arrivals<'a> {
    timeline: &'a Timeline,
    span: Window,
    /// Seconds between arrival and line, by bucket.
    waited: [i64; BUCKETS],
    /// The first bucket of requests that arrived in another second than that of their line.
    waiting: usize,
    /// What a request counts as, by bucket: all bits set where it counts.
    counts: [Timed; BUCKETS],
    /// Stretches that are not looked at, in order.
    pub(super) masked: Vec<Window>,
}

/// Seconds between the arrival of a request and its line, by bucket. A line carries the whole second its request ended
/// in, on average half a second before the end itself.
fn waited(bucket: usize) -> i64 {
    let upper = if bucket + 1 < BUCKETS { bucket_floor(bucket + 1) } else { bucket_floor(bucket) };
    let middle = i64::from(u32::midpoint(bucket_floor(bucket), upper));
    (middle + 499).div_euclid(1000)
}

impl<'a> Arrivals<'a> {
    /// With the first bucket that each look finds slow.
    pub(super) fn new(timeline: &'a Timeline, span: Window, limits: &[usize], masked: Vec<Window>) -> Self {
        let counts = |bucket: usize| {
            std::array::from_fn(|i| {
                let counted = i == 0 || limits.get(i - 1).is_some_and(|limit| bucket >= *limit);
                if counted { u32::MAX } else { 0 }
            })
        };
        Self {
            timeline,
            span,
            waited: std::array::from_fn(waited),
            waiting: (0..BUCKETS).find(|b| waited(*b) > 0).unwrap_or(BUCKETS),
            counts: std::array::from_fn(counts),
            masked,
        }
    }

    /// Visits the seconds of `window` in which a timed request arrived, in order.
    pub(super) fn each(&self, window: Window, mut visit: impl FnMut(Second, Timed)) {
        let mut masked = self.masked.as_slice();
        let visit = |second, timed| {
            while let [first, rest @ ..] = masked
                && first.end <= second
            {
                masked = rest;
            }
            if masked.first().is_none_or(|w| second < w.start) {
                visit(second, timed);
            }
        };
        let window = Window { start: window.start.max(self.span.start), end: window.end.min(self.span.end) };
        let wide = Window { start: window.start, end: window.end.saturating_add(REACH) };
        let none = [0; 1 + LOOKS.len()];
        let mut ring = Ring {
            arrivals: self,
            end: window.end,
            seconds: [none; RING],
            oldest: window.start,
            now: 0,
            at_once: none,
            visit,
        };
        self.timeline.each_timing(wide, &mut ring);
        ring.close();
        ring.flush(window.end);
    }

    /// How long those took that arrived in `window`.
    pub(super) fn latencies(&self, window: Window) -> Latencies {
        let wide = Window { start: window.start, end: window.end.saturating_add(REACH) };
        let mut sum = Came { arrivals: self, window, now: 0, sum: [0; BUCKETS] };
        self.timeline.each_timing(wide, &mut sum);
        sum.sum
    }

    /// The folds of all looks.
    pub(super) fn steps(&self, looks: usize) -> Vec<Steps> {
        let mut busy = 0;
        let mut steps: Vec<Steps> = (0..looks).map(|_| Steps::new(self.span)).collect();
        self.each(self.span, |second, timed| {
            let [all, slow @ ..] = timed;
            busy += 1;
            for (steps, slow) in steps.iter_mut().zip(slow) {
                steps.push_failing(second, all.saturating_sub(slow), slow);
            }
        });
        for steps in &mut steps {
            steps.busy = busy;
            steps.close();
        }
        steps
    }
}

/// Adds up those that arrived in a window.
struct Came<'a> {
    arrivals: &'a Arrivals<'a>,
    window: Window,
    now: Second,
    sum: Latencies,
}

impl Timings for Came<'_> {
    fn second(&mut self, second: Second) {
        self.now = second;
    }

    fn bucket(&mut self, bucket: usize, n: u32) {
        if self.window.contains(self.now.saturating_sub(self.arrivals.waited[bucket])) {
            self.sum[bucket] = self.sum[bucket].saturating_add(n);
        }
    }
}

/// The seconds that later lines may still add to.
struct Ring<'a, F> {
    arrivals: &'a Arrivals<'a>,
    /// Where the window ends that is visited.
    end: Second,
    seconds: [Timed; RING],
    oldest: Second,
    now: Second,
    /// Those of the second at hand that arrived in it: nearly all, and summed here before they go to its place.
    at_once: Timed,
    visit: F,
}

/// Where a second stands in a [`Ring`].
fn slot(second: Second) -> usize {
    (second & (RING as i64 - 1)) as usize
}

impl<F: FnMut(Second, Timed)> Ring<'_, F> {
    /// Gives out the seconds before `until`.
    #[inline]
    fn flush(&mut self, until: Second) {
        // After a pause longer than the ring there is nothing left in it.
        let stop = until.min(self.oldest.saturating_add(RING as i64));
        while self.oldest < stop {
            let timed = std::mem::take(&mut self.seconds[slot(self.oldest)]);
            if timed[0] > 0 && self.oldest < self.end {
                (self.visit)(self.oldest, timed);
            }
            self.oldest += 1;
        }
        self.oldest = self.oldest.max(until);
    }
}

impl<F: FnMut(Second, Timed)> Ring<'_, F> {
    /// Adds what arrived in the second at hand.
    #[inline]
    fn close(&mut self) {
        if self.now >= self.oldest {
            add(&mut self.seconds[slot(self.now)], self.at_once);
        }
        self.at_once = [0; 1 + LOOKS.len()];
    }
}

/// Written out for four lanes at once. Four thousand million requests in one second are no log's.
#[inline]
fn add(sums: &mut Timed, [n, x, y, z]: Timed) {
    let [all, a, b, c] = *sums;
    *sums = [all.wrapping_add(n), a.wrapping_add(x), b.wrapping_add(y), c.wrapping_add(z)];
}

impl<F: FnMut(Second, Timed)> Timings for Ring<'_, F> {
    #[inline]
    fn second(&mut self, second: Second) {
        self.close();
        self.now = second;
        self.flush(second.saturating_sub(REACH));
    }

    #[inline]
    fn bucket(&mut self, bucket: usize, n: u32) {
        let [all, x, y, z] = self.arrivals.counts[bucket];
        let counts = [n & all, n & x, n & y, n & z];
        if bucket < self.arrivals.waiting {
            add(&mut self.at_once, counts);
            return;
        }
        let arrived = self.now - self.arrivals.waited[bucket];
        if arrived >= self.oldest {
            add(&mut self.seconds[slot(arrived)], counts);
        }
    }
}

/// One look at the timed requests: those that it finds slow are its failures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slow<'a> {
    pub(super) arrivals: &'a Arrivals<'a>,
    pub(super) look: usize,
}

impl Ticks for Slow<'_> {
    fn each(&self, window: Window, mut visit: impl FnMut(Tick)) {
        self.arrivals.each(window, |second, timed| {
            let failed = timed[1 + self.look];
            visit(Tick { second, good: timed[0].saturating_sub(failed), neutral: 0, failed });
        });
    }

    fn span(&self) -> Option<Window> {
        Some(self.arrivals.span)
    }
}
