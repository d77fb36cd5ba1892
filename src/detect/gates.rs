//! The gates a candidate must pass: size, the log's ordinary wobble, contrast with its surroundings.
//!
//! Significance alone drowns people (the field lesson of Hunter and Otava): with enough requests any drift is
//! significant. These are the gates that need no client addresses; the vetoes that do belong to the inspection.

use super::baseline::{Baseline, unmasked};
use super::steps::Steps;
use crate::stats::{MAD_TO_SD, logit, median};
use std::ops::Range;

/// What a phase must be measured against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effect {
    /// Failed share inside.
    pub share: f64,
    /// The usual share there.
    pub usual: f64,
    /// Seconds.
    pub duration: f64,
    /// It touches an end of the log.
    pub at_end: bool,
}

/// How much the failed share of this log ordinarily moves: robust standard deviations of log shares between blocks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wobble {
    /// (block length, distance of the blocks compared, standard deviation), in rising block length.
    scales: Vec<(f64, f64, f64)>,
}

/// Differences looked at per scale; a stride keeps long logs cheap.
const SAMPLES: usize = 20_000;

impl Wobble {
    /// Measures at 10 s, 60 s and the baseline's block, where blocks hold enough failures to measure anything.
    pub(crate) fn measure(
        steps: &Steps,
        masked: &[Range<usize>],
        baseline: &Baseline,
        dispersion: f64,
    ) -> Self {
        let mut scales = Vec::new();
        for length in [10.0, 60.0, baseline.block_seconds()] {
            let blocks = steps.seconds() / length;
            // Eight failures are needed in 20 blocks and in three of ten that have requests; where the sums rule that out
            // the blocks need not be made.
            let used = steps.busy as f64 / length;
            if length <= baseline.block_seconds()
                && blocks < 4e6
                && steps.failed as f64 >= 8.0 * (0.3 * used).max(20.0)
            {
                Self::at_scale(steps, masked, length, dispersion, &mut scales);
            }
        }
        Self { scales }
    }

    fn at_scale(
        steps: &Steps,
        masked: &[Range<usize>],
        length: f64,
        disp: f64,
        out: &mut Vec<(f64, f64, f64)>,
    ) {
        let count = (steps.seconds() / length) as usize + 1;
        let mut sums = vec![(0.0f32, 0.0f32); count];
        // Steps come in order: a division only where the block may be another, with a margin for what it rounds by.
        let (mut at, mut from, mut until) = (0, i64::MAX, 0);
        for s in unmasked(steps, masked) {
            let into = s.first.saturating_sub(steps.origin).max(0);
            if into < from || into >= until {
                at = ((into as f64 / length) as usize).min(count - 1);
                (from, until) = (into, ((at + 1) as f64 * length * (1.0 - 1e-9)) as i64);
            }
            let sum = &mut sums[at];
            sum.0 += s.requests() as f32;
            sum.1 += s.failed() as f32;
        }
        let used = sums.iter().filter(|b| b.0 > 0.0).count();
        let measurable = sums.iter().filter(|b| b.1 >= 8.0).count();
        if measurable < 20 || (measurable as f64) < 0.3 * used as f64 {
            return;
        }
        // Now the logarithm of each block's share, and what one failure is of its failures; that is nothing where there are
        // too few. A block is compared at every lag: to take the logarithms then was half of the work.
        for (n, k) in &mut sums {
            (*n, *k) = if *k >= 8.0 { ((*k / *n).ln(), 1.0 / *k) } else { (0.0, 0.0) };
        }
        let (mut moves, mut noise) = (Vec::new(), Vec::new());
        let mut lag = 1;
        while lag < count / 2 && lag <= 64 {
            let stride = (count / SAMPLES).max(1);
            moves.clear();
            noise.clear();
            for i in (lag..count).step_by(stride) {
                let ((share, one), (before, one_before)) = (sums[i], sums[i - lag]);
                if one > 0.0 && one_before > 0.0 {
                    moves.push(f64::from(share - before).abs());
                    noise.push(disp * f64::from(one + one_before));
                }
            }
            if moves.len() < 10 {
                return;
            }
            let (Some(sd), Some(noise)) = (median(&mut moves), median(&mut noise)) else { return };
            out.push((length, length * lag as f64, ((sd / MAD_TO_SD).powi(2) - noise).max(0.0).sqrt()));
            lag *= 2;
        }
    }

    /// The standard deviation of the log share over a stretch of `duration` seconds.
    pub(crate) fn over(&self, duration: f64) -> f64 {
        // Assumed where the log is too thin to show it.
        let base = 0.10 + 0.35 * (duration / 7200.0).min(1.0);
        let fitting = self.scales.iter().map(|s| s.0).filter(|l| *l <= 1.5 * duration).fold(0.0, f64::max);
        if fitting == 0.0 {
            let Some(&(finest, ..)) = self.scales.first() else { return base };
            // Shorter than can be measured: jitter that is independent from block to block averages out.
            let of = self.scales.iter().filter(|s| s.0 == finest && s.1 <= 4.0 * finest).map(|s| s.2);
            return (of.fold(0.0, f64::max) * (finest / duration.max(1.0)).sqrt()).max(0.5 * base);
        }
        let mut worst = 0.5 * base;
        let mut nearest = 0.0;
        let mut exact = false;
        for &(length, distance, sd) in &self.scales {
            if length == fitting && distance <= 4.0 * duration {
                nearest = sd;
                if distance >= duration / 2.5 {
                    (worst, exact) = (f64::max(worst, sd), true);
                }
            } else if length < fitting && distance == length {
                // Finer blocks may show jitter that the coarse ones hide.
                worst = worst.max(sd * (length / duration).sqrt());
            }
        }
        if exact { worst } else { worst.max(nearest) }
    }
}

/// What a phase lacks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Lack {
    Size,
    Wobble(f64),
    Level,
}

/// Whether a phase is large enough to matter, in a log of `seconds` that wobbles so.
pub(crate) fn effect(e: Effect, wobble: &Wobble, seconds: f64, false_findings: f64) -> Result<(), Lack> {
    let odds = logit(e.share) - logit(e.usual);
    if e.share < 0.015 || e.share - e.usual < 0.01 || odds < 2f64.ln() {
        return Err(Lack::Size);
    }
    let z = (2.0 * ((seconds / e.duration).max(1.0) / false_findings).ln()).max(0.0).sqrt();
    let most = if e.share < 0.3 { 10f64.ln() } else { 4f64.ln() };
    let sd = wobble.over(e.duration);
    if odds < (z * sd).min(most) {
        return Err(Lack::Wobble((z * sd).exp()));
    }
    if e.at_end && e.duration > 600.0 && e.share < 0.5 && odds < 4f64.ln() {
        return Err(Lack::Level);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_gate() {
        let e = Effect { share: 0.5, usual: 0.001, duration: 60.0, at_end: false };
        let wobble = Wobble::default();
        assert_eq!(effect(e, &wobble, 86_400.0, 0.01), Ok(()));
        assert_eq!(effect(Effect { share: 0.012, ..e }, &wobble, 86_400.0, 0.01), Err(Lack::Size));
        assert_eq!(effect(Effect { usual: 0.4, ..e }, &wobble, 86_400.0, 0.01), Err(Lack::Size));
    }

    #[test]
    fn a_slight_swing_in_a_wobbling_log_is_ordinary() {
        let wobble = Wobble { scales: vec![(60.0, 60.0, 0.5), (60.0, 120.0, 0.6)] };
        let e = Effect { share: 0.08, usual: 0.02, duration: 120.0, at_end: false };
        assert!(matches!(effect(e, &wobble, 86_400.0, 0.01), Err(Lack::Wobble(f)) if f > 5.0));
    }
}
