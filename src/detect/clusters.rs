//! Where in time the failures of one name lie together, without the requests that name served well.
//!
//! A virtual host of a hundredth of the traffic can fail altogether and hardly move the failed share of the log. How
//! much it served is not counted a second, what failed is. So its failures are laid against all requests: the stretch
//! that holds more of them than its part of the requests tells, by Kulldorff's scan statistic for Poisson counts
//! ("A spatial scan statistic", 1997), in one dimension. It is a place to look at and no verdict.

use crate::stats::excess_nats;
use crate::time::Second;

/// How many times as many as usual the walks look for: powers of two of this number of bits at most.
const RATES: i32 = 12;

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
    let mut best: Option<Cluster> = None;
    // The stretch with the best likelihood for a given rate is the one with the highest sum (Kadane); the rate is not
    // known, and twice too high or too low finds nearly the same stretch.
    for bits in 1..=RATES {
        let rate = f64::from(1 << bits);
        let (gain, cost) = (rate.ln(), (rate - 1.0) * total / all);
        let (mut sum, mut from) = (0.0, 0);
        let (mut most, mut stretch) = (0.0, 0..0);
        for (i, f) in failures.iter().enumerate() {
            sum -= if i == 0 { 0.0 } else { cost * (requests[i] - requests[i - 1]) };
            if sum <= 0.0 {
                (sum, from) = (0.0, i);
            }
            sum += gain * f64::from(f.1);
            if sum > most {
                (most, stretch) = (sum, from..i + 1);
            }
        }
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
