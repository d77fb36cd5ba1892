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

    /// The evidence of one step. Above the cap all levels shrink alike, or total and partial failure could no longer be
    /// told apart.
    #[inline]
    fn evidence(&self, step: Step, cap: f64) -> [f64; N] {
        let (g, f) = (f64::from(step.good), f64::from(step.failed));
        // Plain loops over arrays, here and below: this is all that detection does for most steps.
        let mut e = [0.0; N];
        let mut most = f64::MIN;
        for (i, e) in e.iter_mut().enumerate() {
            *e = g * self.good[i] + f * self.failed[i];
            most = if *e > most { *e } else { most };
        }
        if most > cap {
            let scale = cap / most;
            for x in &mut e {
                if *x > 0.0 {
                    *x *= scale;
                }
            }
        }
        e
    }
}

/// The failing segments of the best path, in order.
///
/// The full automaton runs only where it can leave its healthy state. For each level the sum of the evidence is kept,
/// restarted where it would fall below zero. A path that changes its level k times is k + 1 stretches, each of which
/// gains at most the highest of those sums; k changes cost k halves of the threshold, the entry a whole one. So where no
/// sum exceeds half the threshold between two steps at which all of them are zero, no path pays and none is open
/// behind. On ordinary logs that leaves one pass, in which clean steps between single failures cost nothing.
pub(crate) fn segments(steps: &Steps, baseline: &Baseline, costs: Costs) -> Vec<Segment> {
    let mut found = Vec::new();
    let Some(first) = steps.list.first() else { return found };
    let cap = costs.cap * costs.threshold;
    let most = costs.threshold / 2.0 - ROUNDING;
    let mut weights = Weights::at(baseline, first.first, costs.dispersion);
    let mut sums = [0.0; N];
    let (mut at, mut from, mut idle) = (0, 0, true);
    while let Some(step) = steps.list.get(at) {
        at += 1;
        if idle {
            // Successes lower every sum.
            if step.failed == 0 {
                continue;
            }
            from = at - 1;
        }
        if step.first >= weights.until {
            weights = Weights::at(baseline, step.first, costs.dispersion);
        }
        let evidence = weights.evidence(*step, cap);
        let mut highest = 0.0;
        for (i, sum) in sums.iter_mut().enumerate() {
            let next = *sum + evidence[i];
            *sum = if next > 0.0 { next } else { 0.0 };
            highest = if *sum > highest { *sum } else { highest };
        }
        idle = highest <= 0.0;
        if highest > most {
            at = viterbi(steps, from, baseline, costs, &mut found);
            (sums, idle) = ([0.0; N], true);
        }
    }
    found
}

/// Nats by which the sums of the bound may differ from those of the automaton, which adds in another order.
const ROUNDING: f64 = 1e-6;

/// The best path from step `from` on, healthy before it, until it is healthy again whatever came before; gives the step
/// behind.
fn viterbi(steps: &Steps, from: usize, baseline: &Baseline, costs: Costs, found: &mut Vec<Segment>) -> usize {
    let part = &steps.list[from..];
    let Some(first) = part.first() else { return from };
    let (enter, change, cap) = (costs.threshold, costs.threshold / 2.0, costs.cap * costs.threshold);
    let mut weights = Weights::at(baseline, first.first, costs.dispersion);
    // Three bits a state: where the best path into it came from.
    let mut back: Vec<u32> = Vec::new();
    let mut value = [f64::NEG_INFINITY; N + 1];
    value[0] = 0.0;
    for step in part {
        if step.first >= weights.until {
            weights = Weights::at(baseline, step.first, costs.dispersion);
        }
        let e = weights.evidence(*step, cap);
        let (mut best, mut best_value) = (1, value[1]);
        for (l, v) in value.iter().enumerate().skip(2) {
            if *v > best_value {
                (best, best_value) = (l, *v);
            }
        }
        let entered = value[0] - enter;
        if best_value < entered && !back.is_empty() {
            // Every path that is failing now would do better to enter here: what came before is settled.
            break;
        }
        let mut next = value;
        let mut came_from = 0;
        if best_value > value[0] {
            next[0] = best_value;
            came_from |= best as u32;
        }
        for l in 1..=N {
            let (mut v, mut came) = (value[l], l);
            if entered > v {
                (v, came) = (entered, 0);
            }
            if best != l && best_value - change > v {
                (v, came) = (best_value - change, best);
            }
            next[l] = v + e[l - 1];
            came_from |= (came as u32) << (3 * l);
        }
        value = next;
        back.push(came_from);
    }
    let mut state = (0..=N).max_by(|a, b| value[*a].total_cmp(&value[*b]).then(b.cmp(a))).unwrap_or(0);
    let (mut at, before) = (back.len(), found.len());
    let mut until = at;
    while at > 0 {
        let came = (back[at - 1] >> (3 * state)) as usize & 7;
        if came != state || at == 1 {
            if state != 0 {
                found.push(Segment { steps: from + at - 1..from + until, level: state as u8 });
            }
            until = at - 1;
        }
        state = came;
        at -= 1;
    }
    found[before..].reverse();
    from + back.len()
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

    /// The level of each step on the best path, from the definition: every state at every step of the whole log.
    fn by_definition(steps: &Steps, baseline: &Baseline, costs: Costs) -> Vec<u8> {
        let (enter, change) = (costs.threshold, costs.threshold / 2.0);
        let mut value = [f64::NEG_INFINITY; N + 1];
        value[0] = 0.0;
        let mut back: Vec<[usize; N + 1]> = Vec::new();
        for step in &steps.list {
            let e = Weights::at(baseline, step.first, costs.dispersion)
                .evidence(*step, costs.cap * costs.threshold);
            let (before, mut came) = (value, [0; N + 1]);
            for to in 0..=N {
                let cost = |from: usize| match from {
                    _ if to == 0 || to == from => 0.0,
                    0 => enter,
                    _ => change,
                };
                // Staying wins a draw.
                came[to] = (0..=N).fold(to, |best, from| {
                    if before[from] - cost(from) > before[best] - cost(best) { from } else { best }
                });
                value[to] = before[came[to]] - cost(came[to]) + if to == 0 { 0.0 } else { e[to - 1] };
            }
            back.push(came);
        }
        let mut state = (0..=N).fold(0, |best, s| if value[s] > value[best] { s } else { best });
        let mut path: Vec<u8> = Vec::new();
        for came in back.iter().rev() {
            path.push(state as u8);
            state = came[state];
        }
        path.reverse();
        path
    }

    proptest::proptest! {
        /// Leaving out what cannot pay changes nothing, whatever the usual share and however the log goes up and down.
        #[test]
        fn nothing_that_pays_is_left_out(
            stretches in proptest::collection::vec((1usize..60, 0u32..30, 0.0f64..1.0, 0u64..1000), 1..12),
            threshold in 5.0f64..25.0,
            dispersion in 1.0f64..4.0,
        ) {
            let mut counts = Vec::new();
            for &(len, requests, share, seed) in &stretches {
                let mut noise = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
                for _ in 0..len {
                    noise ^= noise << 13;
                    noise ^= noise >> 7;
                    noise ^= noise << 17;
                    let wobble = (noise >> 40) as f64 / f64::from(1 << 24);
                    let failed = (f64::from(requests) * share * 2.0 * wobble).min(f64::from(requests)) as u32;
                    counts.push((requests - failed, failed));
                }
            }
            let steps = steps(&counts);
            if let Some(baseline) = Baseline::first(&steps) {
                let costs = Costs { threshold, dispersion, cap: 0.6 };
                let mut path = vec![0; steps.list.len()];
                for s in segments(&steps, &baseline, costs) {
                    path[s.steps].fill(s.level);
                }
                proptest::prop_assert_eq!(path, by_definition(&steps, &baseline, costs));
            }
        }
    }
}
