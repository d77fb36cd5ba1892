//! Two failures with a long healthy pause between them are two.
//!
//! The automaton pays for entering a failing level, so that chance does not make it; where traffic is thin that price is
//! more than what a few minutes of good answers cost, and it stays in the level through them, or in a lower one that the
//! usual failures of that time just bear. Once it is known that both sides fail, that price is paid: a pause needs only to
//! be longer than chance makes one inside a failure of that share, and longer than the pauses that one outage may have.

use super::extent;
use crate::detect::baseline::Baseline;
use crate::detect::burst::{Costs, Segment};
use crate::detect::merge;
use crate::detect::steps::Steps;
use crate::stats::excess_nats;
use std::ops::Range;

/// Nats of failures in it from which a pause is none.
const FAILS: f64 = 8.0;

/// Cuts segments where all was well for longer than one outage pauses. `chance` is how many pauses may be cut by chance
/// alone.
pub(super) fn cut(
    steps: &Steps,
    baseline: &Baseline,
    costs: Costs,
    chance: f64,
    segments: Vec<Segment>,
) -> Vec<Segment> {
    let mut cut = Vec::with_capacity(segments.len());
    // Segments that touch are one run, and of a run both sides must be known.
    let mut rest = segments;
    while !rest.is_empty() {
        let touching = rest.windows(2).take_while(|pair| pair[0].steps.end == pair[1].steps.start).count();
        let later = rest.split_off(touching + 1);
        cut_run(&Pauses { steps, baseline, costs, chance }, rest, &mut cut);
        rest = later;
    }
    cut
}

struct Pauses<'a> {
    steps: &'a Steps,
    baseline: &'a Baseline,
    costs: Costs,
    chance: f64,
}

fn cut_run(pauses: &Pauses<'_>, run: Vec<Segment>, cut: &mut Vec<Segment>) {
    let mut left = vec![run];
    while let Some(run) = left.pop() {
        let Some(pause) = pauses.best(&run) else {
            cut.extend(run);
            continue;
        };
        let within = |range: Range<usize>| {
            let clip = |s: &Segment| {
                let steps = s.steps.start.max(range.start)..s.steps.end.min(range.end);
                (!steps.is_empty()).then_some(Segment { steps, level: s.level })
            };
            run.iter().filter_map(clip).collect::<Vec<_>>()
        };
        // The later side waits: segments come out in order.
        left.push(within(pause.end..usize::MAX));
        left.push(within(0..pause.start));
    }
}

impl Pauses<'_> {
    /// The surest pause of a run that parts it.
    fn best(&self, run: &[Segment]) -> Option<Range<usize>> {
        let whole = run.first()?.steps.start..run.last()?.steps.end;
        let (start, end) = extent(self.steps, &whole);
        let shares: Vec<f64> = run.iter().map(|s| self.share(&s.steps)).collect();
        let price = self.price(&whole);
        let parts = |(nats, pause): &(f64, Range<usize>)| {
            let (first, last) = extent(self.steps, pause);
            // What lies between a failing second and the pause belongs to the pause; so does what follows it.
            let before = self.steps.list[..pause.start].last().map_or(first, |s| s.last());
            let after = self.steps.list.get(pause.end).map_or(last, |s| s.first);
            let longest = before.saturating_sub(start).max(end.saturating_sub(after)).saturating_add(1);
            let length = after.saturating_sub(before).saturating_sub(1);
            let inside = whole.start < pause.start && pause.end < whole.end;
            inside && *nats >= price && length > merge::longest_pause(longest) && !self.fails(pause)
        };
        let surest = |(i, segment): (usize, &Segment)| {
            // A lower level is held against those on both sides of it.
            let beside = match (i.checked_sub(1).and_then(|i| shares.get(i)), shares.get(i + 1)) {
                (Some(a), Some(b)) => a.min(*b),
                _ => 0.0,
            };
            self.surest(&segment.steps, shares[i].max(beside))
        };
        let pauses = run.iter().enumerate().filter_map(surest).filter(parts);
        pauses.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, pause)| pause)
    }

    /// Requests and failures of some steps.
    fn counts(&self, steps: &Range<usize>) -> (f64, f64) {
        let part = &self.steps.list[steps.clone()];
        part.iter().fold((0.0, 0.0), |(n, k), s| (n + s.requests(), k + f64::from(s.failed())))
    }

    fn share(&self, steps: &Range<usize>) -> f64 {
        let (n, k) = self.counts(steps);
        (k / n.max(1.0)).min(0.99)
    }

    /// Whether more failed in a pause than usually does.
    fn fails(&self, pause: &Range<usize>) -> bool {
        let (n, k) = self.counts(pause);
        let usual = self.baseline.over(&self.steps.list[pause.clone()]);
        excess_nats(n, k, usual) / self.costs.dispersion >= FAILS
    }

    /// A failing stretch has as many places for a pause to begin as it has failing seconds.
    fn price(&self, run: &Range<usize>) -> f64 {
        let places = self.steps.list[run.clone()].iter().filter(|s| s.failed() > 0).count().max(1);
        (places as f64 / self.chance.max(1e-9)).ln()
    }

    /// The stretch inside a segment that speaks most for the usual share and against `share`, with its evidence: the one
    /// of the highest sum of log-likelihood ratios (Kadane's scan).
    fn surest(&self, segment: &Range<usize>, share: f64) -> Option<(f64, Range<usize>)> {
        let part = &self.steps.list[segment.clone()];
        let usual = self.baseline.over(part);
        if share <= 2.0 * usual {
            return None;
        }
        let for_good = ((1.0 - usual) / (1.0 - share)).ln() / self.costs.dispersion;
        let for_failed = (usual / share).ln() / self.costs.dispersion;
        let (mut best, mut best_range) = (0.0, 0..0);
        let (mut sum, mut from) = (0.0, 0);
        for (i, step) in part.iter().enumerate() {
            sum += f64::from(step.good) * for_good + f64::from(step.failed()) * for_failed;
            if sum <= 0.0 {
                (sum, from) = (0.0, i + 1);
            } else if sum > best {
                (best, best_range) = (sum, from..i + 1);
            }
        }
        let at = segment.start;
        (best > 0.0).then_some((best, at + best_range.start..at + best_range.end))
    }
}

#[cfg(test)]
mod tests {
    use crate::detect::{Options, Tick, join, stretches};
    use crate::time::Second;

    /// A log of an hour with a request a second, of which those that `fails` tells fail.
    fn found(fails: impl Fn(Second) -> bool) -> Vec<(Second, Second)> {
        let ticks: Vec<Tick> = (0..3600)
            .map(|second| Tick {
                second,
                good: u32::from(!fails(second)),
                failed: u32::from(fails(second)),
                ..Tick::default()
            })
            .collect();
        let mut found = stretches(&&ticks[..], &Options::default());
        join(&mut found);
        found.anomalies.iter().map(|a| (a.start, a.end_or_last())).collect()
    }

    #[test]
    fn what_a_long_healthy_pause_parts_is_two() {
        let half = |s: Second| s % 2 == 0;
        let two = found(|s| half(s) && ((1000..1040).contains(&s) || (1110..1170).contains(&s)));
        assert_eq!(two.len(), 2, "{two:?}");
        assert!((two[0].1 - 1039).abs() <= 2 && (two[1].0 - 1110).abs() <= 2, "{two:?}");
        // Within a minute it is the same outage.
        let one = found(|s| half(s) && ((1000..1040).contains(&s) || (1090..1150).contains(&s)));
        assert_eq!(one.len(), 1, "{one:?}");
        // And of long parts within half of the longer.
        let long = found(|s| half(s) && ((1000..1600).contains(&s) || (1800..2000).contains(&s)));
        assert_eq!(long, [(1000, 1999)], "{long:?}");
    }

    #[test]
    fn the_usual_failures_make_no_bridge() {
        // One in a hundred fails all the time.
        let two =
            found(|s| s % 100 == 7 || s % 2 == 0 && ((1000..1040).contains(&s) || (1180..1240).contains(&s)));
        assert_eq!(two.len(), 2, "{two:?}");
        // A tenth in between is no pause.
        let one = found(|s| {
            let sides = (1000..1100).contains(&s) || (1800..1900).contains(&s);
            s % 100 == 7 || s % 2 == 0 && sides || s % 9 == 0 && (1100..1800).contains(&s)
        });
        assert_eq!(one.len(), 1, "{one:?}");
    }

    #[test]
    fn what_fails_now_and_then_is_not_parted_by_chance() {
        // A tenth of the requests, at places drawn by lot: some pauses are of a minute.
        let draw =
            |s: Second| (s.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33).is_multiple_of(10);
        let all = found(|s| (1000..2500).contains(&s) && draw(s));
        assert_eq!(all.len(), 1, "{all:?}");
    }
}
