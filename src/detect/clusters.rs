//! Where in time the failures of one name lie together, without the requests that name served well.
//!
//! A virtual host of a hundredth of the traffic can fail altogether and hardly move the failed share of the log. How
//! much it served is not counted a second, what failed is. So its failures are laid against all requests: the stretch
//! that holds more of them than its part of the requests tells, by Kulldorff's scan statistic for Poisson counts
//! ("A spatial scan statistic", 1997), in one dimension. It is a place to look at and no verdict.

#![expect(
    clippy::inline_always,
    reason = "what is not inlined into code compiled for better lanes is compiled for the least of processors"
)]

use crate::lanes::{Job, Lanes, dispatch};
use crate::stats::excess_nats;
use crate::time::Second;
use std::ops::Range;

/// How many times as many as usual the walks look for: powers of two of this number of bits at most.
const RATES: usize = 12;

/// A stretch in which failures lie together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cluster {
    /// Second of the first failure.
    pub first: Second,
    /// Second of the last.
    pub last: Second,
    /// Failures in it.
    pub failed: u64,
    /// Log of the likelihood ratio against failures that are spread as the requests are.
    pub nats: f64,
}

/// The stretch of `failures` (seconds in order, with how many) that is least likely if they came as requests came;
/// `None` where they are too few to lie together. `until` tells how many requests there were before a second, `all` how
/// many in the whole log.
pub fn densest(failures: &[(Second, u32)], until: impl Fn(Second) -> f64, all: f64) -> Option<Cluster> {
    let total: f64 = failures.iter().map(|f| f64::from(f.1)).sum();
    if failures.len() < 2 || all <= 0.0 {
        return None;
    }
    let requests: Vec<f64> = failures.iter().map(|f| until(f.0)).collect();
    // The stretch with the best likelihood for a given rate is the one with the highest sum (Kadane); the rate is not
    // known, and twice too high or too low finds nearly the same stretch.
    let mut stretches = dispatch(Walks { failures, requests: &requests, usual: (total, all) }).to_vec();
    stretches.dedup();
    let mut best: Option<Cluster> = None;
    for stretch in stretches {
        let (first, last) = (failures[stretch.start].0, failures[stretch.end - 1].0);
        let failed: u64 = failures[stretch].iter().map(|f| u64::from(f.1)).sum();
        let due = total * (until(last.saturating_add(1)) - until(first)).max(1.0) / all;
        let nats = excess_nats(total, failed as f64, due / total);
        if best.is_none_or(|b| nats > b.nats) {
            best = Some(Cluster { first, last, failed, nats });
        }
    }
    best
}

/// One walk over the failures for each rate, all of them at once: the sums of a rate wait for those before them, but not for
/// the other rates. One after the other they took six times as long.
struct Walks<'a> {
    failures: &'a [(Second, u32)],
    /// Requests before each failure.
    requests: &'a [f64],
    /// Failures in all, among so many requests.
    usual: (f64, f64),
}

impl Job for Walks<'_> {
    /// The stretch with the highest sum for each rate.
    type Out = [Range<usize>; RATES];

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) -> [Range<usize>; RATES] {
        let Self { failures, requests, usual: (total, all) } = self;
        let rates: [f64; RATES] = std::array::from_fn(|i| f64::from(2 << i));
        let (gain, cost) = (rates.map(f64::ln), rates.map(|rate| (rate - 1.0) * total / all));
        let (mut sum, mut from) = ([0.0; RATES], [0.0; RATES]);
        let (mut most, mut first, mut last) = ([0.0; RATES], [0.0; RATES], [0.0; RATES]);
        let mut before = requests.first().copied().unwrap_or(0.0);
        // Places are numbers like the sums, so that all choices are made alike, and none by a branch.
        let mut at = 0.0;
        for (failed, requests) in failures.iter().zip(requests) {
            let (failed, passed) = (f64::from(failed.1), requests - before);
            before = *requests;
            for i in 0..RATES {
                let left = sum[i] - cost[i] * passed;
                let anew = left <= 0.0;
                from[i] = if anew { at } else { from[i] };
                sum[i] = if anew { 0.0 } else { left } + gain[i] * failed;
                let higher = sum[i] > most[i];
                most[i] = if higher { sum[i] } else { most[i] };
                first[i] = if higher { from[i] } else { first[i] };
                last[i] = if higher { at } else { last[i] };
            }
            at += 1.0;
        }
        std::array::from_fn(|i| first[i] as usize..last[i] as usize + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_together_is_found_among_what_is_spread() {
        let mut failures: Vec<(Second, u32)> = (0..3600).step_by(90).map(|s| (s, 1)).collect();
        failures.extend((1200..1500).step_by(10).map(|s| (s, 1)));
        failures.sort_unstable();
        let c = densest(&failures, |s| s as f64 * 50.0, 180_000.0).unwrap();
        assert!((1170..=1200).contains(&c.first) && (1490..=1530).contains(&c.last), "{c:?}");
        assert!(c.nats > 25.0, "{c:?}");
    }

    #[test]
    fn failures_follow_the_traffic() {
        // Ten times the traffic in an hour, and ten times the failures.
        let busy = |s: Second| if (3600..7200).contains(&s) { 10.0 } else { 1.0 };
        let until = |s: Second| (0..s.clamp(0, 10_800)).map(busy).sum::<f64>();
        let failures: Vec<(Second, u32)> =
            (0..10_800).filter(|s| s % if busy(*s) > 1.0 { 20 } else { 200 } == 0).map(|s| (s, 1)).collect();
        let c = densest(&failures, until, until(10_800)).unwrap();
        assert!(c.nats < 8.0, "{c:?}");
    }

    #[test]
    fn one_failure_lies_with_nobody() {
        assert_eq!(densest(&[(5, 1)], |s| s as f64, 10.0), None);
        assert_eq!(densest(&[], |s| s as f64, 10.0), None);
        assert_eq!(densest(&[(5, 1), (6, 1)], |_| 0.0, 0.0), None);
    }
}
