//! The automaton: which stretches fail more than usual, and at which of six levels.
//!
//! Kleinberg's burst automaton ("Bursty and Hierarchical Structure in Streams", 2002) with binomial log-likelihood
//! ratios against the usual share. Entering a failing level costs `threshold` nats, a change of level half of it,
//! leaving nothing. As the likelihood ratio from a fixed start is a martingale with mean one, chance reaches `h` with a
//! probability of at most `e^-h` (Ville), so the threshold is a budget of false findings and no knob.
#![expect(
    clippy::inline_always,
    reason = "what is not inlined into code compiled for better lanes is compiled for the least of processors"
)]

use super::baseline::Baseline;
use super::steps::{Step, Steps};
use crate::lanes::{Job, Lanes, dispatch};
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

impl Costs {
    /// Nats that a single step brings at most.
    fn cap(self) -> f64 {
        self.cap * self.threshold
    }
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
    /// So many failures of one step reach the cap at no level: a success counts against every one of them.
    uncapped: f64,
    /// So many failures for each success are evidence against every level.
    borne: f64,
    until: i64,
}

/// What the sums of a step may differ by from what [`Weights::borne`] makes of it, as rounding goes.
const MARGIN: f64 = 1.0 - 1e-9;

impl Weights {
    #[inline(never)]
    fn at(baseline: &Baseline, second: i64, costs: Costs) -> Self {
        let dispersion = costs.dispersion;
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
        let uncapped = costs.cap() / highest(&failed).max(f64::MIN_POSITIVE);
        let pairs = failed.iter().zip(&good).filter(|(failed, _)| **failed > 0.0);
        let borne = pairs.map(|(failed, good)| -good / failed).fold(f64::INFINITY, f64::min) * MARGIN;
        Self { failed, good, uncapped, borne, until: baseline.block_end(block) }
    }

    /// Whether a step is evidence against every level.
    #[inline(always)]
    fn bears(&self, step: Step) -> bool {
        f64::from(step.failed()) <= self.borne * f64::from(step.good)
    }

    /// The evidence of one step. Above the cap all levels shrink alike, or total and partial failure could no longer be
    /// told apart.
    #[inline(always)]
    fn evidence(&self, step: Step, cap: f64) -> [f64; N] {
        let (g, f) = (f64::from(step.good), f64::from(step.failed()));
        // Plain loops over arrays, here and below: this is all that detection does for most steps.
        let mut e = [0.0; N];
        for (i, e) in e.iter_mut().enumerate() {
            *e = g * self.good[i] + f * self.failed[i];
        }
        if f < self.uncapped {
            return e;
        }
        let most = highest(&e);
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

/// The highest of the values of all levels.
#[inline(always)]
fn highest(values: &[f64; N]) -> f64 {
    let higher = |a: f64, b: f64| if a > b { a } else { b };
    let [a, b, c, d, e, f] = *values;
    higher(higher(higher(a, b), higher(c, d)), higher(e, f))
}

/// The failing segments of the best path, in order.
///
/// The paths are kept only where one pays. What tells is one number a level: how much better off the best path is that
/// is there than one that would enter there now. A path pays once that number exceeds the price of entering. Where none
/// is above zero nothing that came before matters, and steps that are evidence against every level cost nothing until the
/// next that is not.
pub(crate) fn segments(steps: &Steps, baseline: &Baseline, costs: Costs) -> Vec<Segment> {
    dispatch(Search { steps, baseline, costs })
}

/// The search for segments, for the best lanes there are: all levels at once.
struct Search<'a> {
    steps: &'a Steps,
    baseline: &'a Baseline,
    costs: Costs,
}

impl Job for Search<'_> {
    type Out = Vec<Segment>;

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) -> Vec<Segment> {
        let Self { steps, baseline, costs } = self;
        let mut found = Vec::new();
        let Some(first) = steps.list.first() else { return found };
        let cap = costs.cap();
        let (enter, change) = (costs.threshold - ROUNDING, costs.threshold / 2.0);
        let mut weights = Weights::at(baseline, first.first, costs);
        let (mut ahead, mut best) = ([0.0; N], 0.0);
        let (mut at, mut from) = (0, 0);
        while let Some(step) = steps.list.get(at) {
            at += 1;
            // Successes are evidence against every level.
            if best <= 0.0 && step.failed() == 0 {
                continue;
            }
            if step.first >= weights.until {
                weights = Weights::at(baseline, step.first, costs);
            }
            if best <= 0.0 {
                if weights.bears(*step) {
                    continue;
                }
                from = at - 1;
            }
            let evidence = weights.evidence(*step, cap);
            // Changing the level costs half of entering. A branch that is hardly ever taken: the levels need not wait for
            // the best of them.
            if best > change {
                change_to(&mut ahead, best - change);
            }
            // Entering brings nothing ahead.
            for (i, ahead) in ahead.iter_mut().enumerate() {
                *ahead = if *ahead > 0.0 { *ahead } else { 0.0 } + evidence[i];
            }
            best = highest(&ahead);
            if best > enter {
                at = viterbi(steps, from, baseline, costs, &mut found);
                (ahead, best) = ([0.0; N], 0.0);
            }
        }
        found
    }
}

/// Brings every level as far ahead as a change from the best one does.
#[cold]
#[inline(never)]
fn change_to(ahead: &mut [f64; N], least: f64) {
    for ahead in ahead {
        *ahead = if *ahead > least { *ahead } else { least };
    }
}

/// Nats by which what is ahead may differ from what the paths add up to, in another order.
const ROUNDING: f64 = 1e-6;

/// Where the best paths into the states of one step came from, in few bits, for a failing log has many steps: bit i says
/// that into level i + 1 it came from another state, which the next three bits name; then the level that it left to be
/// healthy, or 0.
#[derive(Debug, Clone, Copy)]
struct Back(u16);

impl Back {
    fn new(came: u16, from: u16, left: u16) -> Self {
        Self(came | from << N | left << (N + 3))
    }

    fn before(self, state: usize) -> usize {
        let named = |at: usize| usize::from(self.0 >> at & 7);
        match state.checked_sub(1) {
            None => named(N + 3),
            Some(i) if self.0 >> i & 1 == 1 => named(N),
            Some(_) => state,
        }
    }
}

/// The best path from step `from` on, healthy before it, until it is healthy again whatever came before; gives the step
/// behind.
#[inline(always)]
fn viterbi(steps: &Steps, from: usize, baseline: &Baseline, costs: Costs, found: &mut Vec<Segment>) -> usize {
    let part = &steps.list[from..];
    let Some(first) = part.first() else { return from };
    let (enter, change, cap) = (costs.threshold, costs.threshold / 2.0, costs.cap());
    let mut weights = Weights::at(baseline, first.first, costs);
    let mut back: Vec<Back> = Vec::new();
    let (mut healthy, mut value) = (0.0, [f64::NEG_INFINITY; N]);
    for step in part {
        if step.first >= weights.until {
            weights = Weights::at(baseline, step.first, costs);
        }
        let e = weights.evidence(*step, cap);
        let best_value = highest(&value);
        let entered = healthy - enter;
        if best_value < entered && !back.is_empty() {
            // Every path that is failing now would do better to enter here: what came before is settled.
            break;
        }
        // A level is come to from the healthy state or from the best level, whichever leaves more, or kept.
        let (changed, leaves) = (best_value - change > entered, best_value > healthy);
        let come = if changed { best_value - change } else { entered };
        let best = if changed || leaves {
            value.iter().position(|v| *v == best_value).unwrap_or(0) as u16 + 1
        } else {
            0
        };
        let mut came = 0;
        for (i, value) in value.iter_mut().enumerate() {
            came |= u16::from(come > *value) << i;
            *value = if come > *value { come } else { *value } + e[i];
        }
        if leaves {
            healthy = best_value;
        }
        back.push(Back::new(came, if changed { best } else { 0 }, if leaves { best } else { 0 }));
    }
    let last = highest(&value);
    let mut state =
        if last > healthy { value.iter().position(|v| *v == last).map_or(0, |i| i + 1) } else { 0 };
    let (mut at, before) = (back.len(), found.len());
    let mut until = at;
    while at > 0 {
        let came = back[at - 1].before(state);
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
    use crate::detect::sums::Sums;
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
        let baseline = Baseline::first(&steps, &Sums::new(&steps), true).unwrap();
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
            let e = Weights::at(baseline, step.first, costs).evidence(*step, costs.cap());
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
            if let Some(baseline) = Baseline::first(&steps, &Sums::new(&steps), true) {
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
