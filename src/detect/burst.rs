//! The automaton: which stretches fail more than usual, and at which of six levels.
//!
//! Kleinberg's burst automaton ("Bursty and Hierarchical Structure in Streams", 2002) with binomial log-likelihood
//! ratios against the usual share. Entering a failing level costs `threshold` nats, a change of level half of it,
//! leaving nothing. As the likelihood ratio from a fixed start is a martingale with mean one, chance reaches `h` with a
//! probability of at most `e^-h` (Ville), so the threshold is a budget of false findings and no knob.

use super::baseline::Baseline;
use super::steps::{Step, Steps};
use std::ops::Range;

/// The failing shares the automaton knows.
pub(crate) const LEVELS: [f64; 6] = [0.03, 0.10, 0.25, 0.50, 0.80, 0.97];
const N: usize = LEVELS.len();

/// What the automaton is run with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Costs {
    /// Nats to enter a failing level.
    pub threshold: f64,
    /// By which every log-likelihood is divided.
    pub dispersion: f64,
    /// No single step may bring more than this share of the threshold.
    pub cap: f64,
}

/// A stretch of steps at one failing level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub steps: Range<usize>,
    /// 1-based index into [`LEVELS`].
    pub level: u8,
}

/// Log-likelihood ratios of a failure and of a success, per level, for the block at hand.
struct Weights {
    failed: [f64; N],
    good: [f64; N],
    until: i64,
}

impl Weights {
    fn at(baseline: &Baseline, second: i64, dispersion: f64) -> Self {
        let block = baseline.block(second);
        let p = baseline.share(block);
        let (mut failed, mut good) = ([0.0; N], [0.0; N]);
        for (i, level) in LEVELS.iter().enumerate() {
            if *level < 1.5 * p + 0.005 {
                // No level of failure above so high a baseline: never worth staying in.
                (failed[i], good[i]) = (-0.01, -0.01);
            } else {
                failed[i] = (level / p).ln() / dispersion;
                good[i] = ((1.0 - level) / (1.0 - p)).ln() / dispersion;
            }
        }
        Self { failed, good, until: baseline.block_end(block) }
    }

    /// The evidence of one step, the largest first. Above the cap all levels shrink alike, or total and partial
    /// failure could no longer be told apart.
    #[inline]
    fn evidence(&self, step: Step, cap: f64) -> (f64, [f64; N]) {
        let (g, f) = (f64::from(step.good), f64::from(step.failed));
        let mut e = [0.0; N];
        for ((e, good), failed) in e.iter_mut().zip(&self.good).zip(&self.failed) {
            *e = g * good + f * failed;
        }
        let most = e.iter().copied().fold(f64::MIN, f64::max);
        if most <= cap {
            return (most, e);
        }
        let scale = cap / most;
        for x in &mut e {
            if *x > 0.0 {
                *x *= scale;
            }
        }
        (cap, e)
    }
}

/// The failing segments of the best path, in order.
///
/// The full automaton runs only where it can leave its healthy state: the sum of each step's best evidence, restarted
/// where it falls to zero or by a threshold below its peak, bounds every path's gain from above, so a stretch in which
/// it never reaches the threshold holds no run. On ordinary logs that leaves one pass of six multiplications a step.
pub(crate) fn segments(steps: &Steps, baseline: &Baseline, costs: Costs) -> Vec<Segment> {
    let mut found = Vec::new();
    let Some(first) = steps.list.first() else { return found };
    let cap = costs.cap * costs.threshold;
    let mut weights = Weights::at(baseline, first.first, costs.dispersion);
    let (mut sum, mut peak, mut from) = (0.0, 0.0, 0);
    for (i, step) in steps.list.iter().enumerate() {
        if step.first >= weights.until {
            weights = Weights::at(baseline, step.first, costs.dispersion);
        }
        sum += if step.failed == 0 {
            // All levels lose; the lowest active one least, and an inactive one hardly.
            f64::from(step.good) * weights.good.iter().copied().fold(f64::MIN, f64::max)
        } else {
            weights.evidence(*step, cap).0
        };
        peak = f64::max(peak, sum);
        if sum <= 0.0 || sum < peak - costs.threshold {
            if peak > costs.threshold {
                viterbi(steps, from..i + 1, baseline, costs, &mut found);
            }
            (sum, peak, from) = (0.0, 0.0, i + 1);
        }
    }
    if peak > costs.threshold {
        viterbi(steps, from..steps.list.len(), baseline, costs, &mut found);
    }
    found
}

/// The best path over `range`, healthy before and after it.
fn viterbi(steps: &Steps, range: Range<usize>, baseline: &Baseline, costs: Costs, found: &mut Vec<Segment>) {
    let part = &steps.list[range.clone()];
    let Some(first) = part.first() else { return };
    let (enter, change, cap) = (costs.threshold, costs.threshold / 2.0, costs.cap * costs.threshold);
    let mut weights = Weights::at(baseline, first.first, costs.dispersion);
    // Three bits a state: where the best path into it came from.
    let mut back: Vec<u32> = Vec::with_capacity(part.len());
    let mut value = [f64::NEG_INFINITY; N + 1];
    value[0] = 0.0;
    for step in part {
        if step.first >= weights.until {
            weights = Weights::at(baseline, step.first, costs.dispersion);
        }
        let (_, e) = weights.evidence(*step, cap);
        let (mut best, mut best_value) = (1, value[1]);
        for (l, v) in value.iter().enumerate().skip(2) {
            if *v > best_value {
                (best, best_value) = (l, *v);
            }
        }
        let mut next = value;
        let mut from = 0;
        if best_value > value[0] {
            next[0] = best_value;
            from |= best as u32;
        }
        for l in 1..=N {
            let (mut v, mut came) = (value[l], l);
            if value[0] - enter > v {
                (v, came) = (value[0] - enter, 0);
            }
            if best != l && best_value - change > v {
                (v, came) = (best_value - change, best);
            }
            next[l] = v + e[l - 1];
            from |= (came as u32) << (3 * l);
        }
        value = next;
        back.push(from);
    }
    let mut state = (0..=N).max_by(|a, b| value[*a].total_cmp(&value[*b]).then(b.cmp(a))).unwrap_or(0);
    let (mut at, before) = (part.len(), found.len());
    let mut until = at;
    while at > 0 {
        let came = (back[at - 1] >> (3 * state)) as usize & 7;
        if came != state || at == 1 {
            if state != 0 {
                let steps = range.start + at - 1..range.start + until;
                found.push(Segment { steps, level: state as u8 });
            }
            until = at - 1;
        }
        state = came;
        at -= 1;
    }
    found[before..].reverse();
}

/// Segments that touch, joined: the candidates.
pub(crate) fn runs(segments: &[Segment]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for s in segments {
        match runs.last_mut() {
            Some(run) if run.end == s.steps.start => run.end = s.steps.end,
            _ => runs.push(s.steps.clone()),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Window;

    fn steps(counts: &[(u32, u32)]) -> Steps {
        let mut steps = Steps::new(Window { start: 0, end: counts.len() as i64 });
        for (t, &(good, failed)) in counts.iter().enumerate() {
            steps.push(t as i64, good, failed);
        }
        steps.close();
        steps
    }

    fn found(counts: &[(u32, u32)]) -> Vec<(i64, i64, u8)> {
        let steps = steps(counts);
        let baseline = Baseline::first(&steps).unwrap();
        let costs = Costs { threshold: 13.0, dispersion: 1.25, cap: 0.6 };
        let span =
            |s: &Segment| (steps.list[s.steps.start].first, steps.list[s.steps.end - 1].last(), s.level);
        segments(&steps, &baseline, costs).iter().map(span).collect()
    }

    #[test]
    fn a_total_outage_is_found_to_the_second() {
        let mut counts = vec![(10, 0); 1000];
        counts[400..460].fill((0, 10));
        assert_eq!(found(&counts), [(400, 459, 6)]);
    }

    #[test]
    fn levels_become_phases() {
        let mut counts = vec![(20, 0); 2000];
        counts[500..560].fill((10, 10));
        counts[560..600].fill((0, 20));
        assert_eq!(found(&counts), [(500, 559, 4), (560, 599, 6)]);
    }

    #[test]
    fn single_failures_are_not_entered() {
        let mut counts = vec![(5, 0); 1000];
        for t in (0..1000).step_by(97) {
            counts[t] = (4, 1);
        }
        assert_eq!(found(&counts), []);
    }
}
