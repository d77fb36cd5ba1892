//! Traffic that nearly stops: real losses of traffic are seldom total, for probes and robots go on.
//!
//! Blocks that hold 25 requests on average, against the median of the twelve ordinary ones before and after. The
//! reference stays in force after a dip, or flapping would have a blind time.

use super::anomaly::{Anomaly, Detection, Estimate, Kind, Reason, Remark, SilenceKind};
use super::silence::active_share;
use super::survey::Survey;
use super::{Options, Signals, Tick, Ticks};
use crate::stats::{CHI_SQUARE_1_MEDIAN, SlidingMedian, median, poisson_bounds, quantile, shortfall_nats};
use crate::time::{Second, Window};
use std::collections::BTreeMap;

/// Requests a block should hold.
const PER_BLOCK: f64 = 25.0;
/// Ordinary blocks that make the reference.
const MEMORY: usize = 12;
/// Blocks without which too little is known of how they scatter.
const LEAST_BLOCKS: usize = 18;
/// A dip begins under this share of the reference,
const ENTER: f64 = 0.2;
/// and is over above this one.
const LEAVE: f64 = 0.4;
/// Requests come in sessions, so blocks of them scatter at least so much more than a Poisson count.
const LEAST: f64 = 2.0;
/// Stretches that tell how much stretches scatter,
const LEAST_STRETCHES: usize = 24;
/// the largest of so many differences left out.
const TRIMMED: usize = 20;
const DAY: f64 = 86_400.0;

/// A run of blocks under the reference.
struct Dip {
    from: usize,
    to: usize,
    reference: f64,
}

/// Finds where traffic nearly stopped and came back.
pub(crate) fn find<T: Ticks>(
    ticks: &T,
    survey: &Survey,
    signals: &Signals<'_, T>,
    options: &Options,
    found: &mut Detection,
) {
    let seconds = survey.steps.seconds();
    if (survey.lines as f64) < 10.0 * PER_BLOCK {
        return;
    }
    let want = (PER_BLOCK * seconds / survey.lines as f64).clamp(10.0, 7200.0);
    let by = (want / survey.width as f64).ceil().max(1.0);
    let width = survey.width as f64 * by;
    let mut counts: Vec<f64> = survey.coarser(by as usize).iter().map(|b| f64::from(b.lines)).collect();
    // The last block is cut by the log's end.
    counts.pop();
    if counts.len() < LEAST_BLOCKS {
        return;
    }
    let covered = |i: usize, j: usize| {
        let at = |i: usize| survey.span.start.saturating_add((i as f64 * width) as i64);
        signals.covered.is_empty()
            || active_share(Window { start: at(i), end: at(j) }, signals.covered) > 0.99
    };
    let dispersion = scatter(&counts, LEAST);
    let (dips, uneven) = dips(&counts);
    let need = (4.0 * uneven).max(4f64.ln());
    let threshold = (counts.len() as f64 * options.scopes.max(1) as f64 / options.false_findings.max(1e-9))
        .ln()
        .max(16.0);
    // By the length of the stretches: all lengths together cost little more than one, the same one over and over would
    // take the square of the log's blocks.
    let mut scattered = BTreeMap::new();
    for dip in dips {
        let blocks = (dip.to - dip.from) as f64;
        let after = &counts[dip.to..(dip.to + MEMORY).min(counts.len())];
        // Never back: a change of level or the end of the log.
        if after.len() < 3 || blocks * width > DAY || !covered(dip.from, dip.to) {
            continue;
        }
        let Some(back) = median(&mut after.to_vec()) else { continue };
        let reference = dip.reference.min(back);
        let due = reference * blocks;
        let seen: f64 = counts[dip.from..dip.to].iter().sum();
        let length = stretch(&counts, dip.to - dip.from);
        let over = *scattered.entry(length).or_insert_with(|| scatter_over(&counts, length));
        let dispersion = dispersion.max(over);
        let nats = shortfall_nats(seen, due) / dispersion;
        if seen >= 1.25 * ENTER * due
            || nats < threshold
            || (reference / (seen / blocks).max(0.5)).ln() < need
        {
            continue;
        }
        let rate = reference / width;
        let place = |i: f64| survey.span.start.saturating_add((i * width) as i64);
        let (from, to) = (dip.from as f64, dip.to as f64);
        let half = (blocks / 2.0).floor().clamp(1.0, 3.0);
        let left = ((seen + 0.5) / (due + 1.0)).max(1e-3);
        let start_at = Window { start: place((from - 3.0).max(0.0)), end: place(from + half) };
        let end_at = Window { start: place(to - half), end: place(to + 3.0).min(survey.span.end) };
        let Some(a) = edge(ticks, start_at, rate, left, dispersion, false) else { continue };
        let Some(z) = edge(ticks, end_at, rate, left, dispersion, true) else { continue };
        if z.0 <= a.0 {
            continue;
        }
        let window = Window { start: a.0, end: z.0 };
        if habitual(&counts, &dip, reference, (DAY / width).round() as usize) {
            found.remarks.push(Remark {
                kind: Kind::Silence(SilenceKind::Dip),
                reason: Reason::Habitual,
                start: window.start,
                end: window.end,
                requests: seen as u64,
                failed: 0,
                usual_share: 0.0,
                evidence_nats: nats,
            });
            continue;
        }
        // The blocks end elsewhere than the dip.
        let (mut came, length) = (0.0, window.end.saturating_sub(window.start));
        ticks.each(window, |t| came += lines(&t));
        let due = rate * length as f64;
        found.anomalies.push(anomaly(a, z, came, due, (dip.reference, back), nats, dispersion));
    }
}

/// Quasi-Poisson dispersion of the blocks, `least` at least, from the median of squared neighbour differences.
pub(crate) fn scatter(counts: &[f64], least: f64) -> f64 {
    let mut squares: Vec<f64> = counts
        .windows(2)
        .filter(|w| w[0] + w[1] > 0.0)
        .map(|w| (w[1] - w[0]).powi(2) / f64::midpoint(w[0], w[1]))
        .collect();
    median(&mut squares).map_or(least, |m| (m / (2.0 * CHI_SQUARE_1_MEDIAN)).max(least))
}

/// Blocks of the stretches that tell how much stretches of so many blocks scatter: of longer ones there would be too few.
fn stretch(counts: &[f64], blocks: usize) -> usize {
    blocks.min(counts.len() / LEAST_STRETCHES).max(1)
}

/// Quasi-Poisson dispersion of stretches of so many blocks. A visit's requests spread over several blocks, so stretches
/// scatter more than single ones, and a visit of many requests makes counts with a long tail that no median shows. Second
/// differences, for the level may rise and fall; without the largest, which may be dips themselves.
fn scatter_over(counts: &[f64], blocks: usize) -> f64 {
    let sums: Vec<f64> = counts.chunks_exact(blocks).map(|c| c.iter().sum()).collect();
    let mut squares: Vec<f64> = sums
        .windows(3)
        .filter(|w| w.iter().sum::<f64>() > 0.0)
        .map(|w| (w[0] - 2.0 * w[1] + w[2]).powi(2) / (2.0 * (w[0] + w[1] + w[2])))
        .collect();
    squares.sort_by(f64::total_cmp);
    squares.truncate(squares.len() - squares.len() / TRIMMED);
    squares.iter().sum::<f64>() / squares.len().max(1) as f64
}

/// The dips, and how far blocks ordinarily lie under their reference (a standard deviation of logs).
fn dips(counts: &[f64]) -> (Vec<Dip>, f64) {
    let mut memory = SlidingMedian::<MEMORY>::default();
    let (mut found, mut i): (Vec<Dip>, usize) = (Vec::new(), 0);
    let mut ratios = Vec::with_capacity(counts.len());
    while i < counts.len() {
        let reference = memory.median().filter(|_| memory.kept() >= MEMORY / 2).unwrap_or(0.0);
        if reference > 0.0 {
            ratios.push(((counts[i] + 0.5) / (reference + 0.5)).ln());
            if counts[i] < ENTER * reference {
                let mut j = i;
                while j < counts.len() {
                    let back = counts[j] >= LEAVE * reference;
                    if back && counts.get(j + 1).is_none_or(|c| *c >= ENTER * reference) {
                        break;
                    }
                    j += 1;
                }
                found.push(Dip { from: i, to: j, reference });
                i = j.max(i + 1);
                continue;
            }
        }
        memory.push(counts[i]);
        i += 1;
    }
    let mut all = counts.to_vec();
    let middle = median(&mut all).unwrap_or(0.0);
    let (low, mid) = (quantile(&mut ratios, 0.16), quantile(&mut ratios, 0.5));
    let spread = low.zip(mid).map_or(0.0, |(low, mid)| mid - low);
    (found, (spread.powi(2) - 1.0 / middle.max(1.0)).max(0.0).sqrt())
}

/// Whether the same blocks of other days are as empty.
fn habitual(counts: &[f64], dip: &Dip, reference: f64, day: usize) -> bool {
    if day == 0 {
        return false;
    }
    let limit = 0.35 * reference * (dip.to - dip.from) as f64;
    let (mut all, mut quiet) = (0, 0);
    for n in 1..40 {
        let earlier = dip.from.checked_sub(n * day).map(|a| a..dip.to - n * day);
        let later = Some(dip.from + n * day..dip.to + n * day);
        for range in [earlier, later].into_iter().flatten() {
            if let Some(blocks) = counts.get(range) {
                all += 1;
                quiet += i32::from(blocks.iter().sum::<f64>() <= limit);
            }
        }
    }
    all >= 2 && quiet >= 2 && 2 * quiet >= all
}

/// The likeliest second of the change inside `window`, and its 95 % interval.
fn edge<T: Ticks>(
    ticks: &T,
    window: Window,
    rate: f64,
    left: f64,
    dispersion: f64,
    ends: bool,
) -> Option<(Second, Second, Second)> {
    // Blocks are at most two hours long.
    let length =
        usize::try_from(window.end.saturating_sub(window.start)).ok().filter(|n| (1..100_000).contains(n))?;
    let mut counts = vec![0.0; length];
    ticks.each(window, |t| {
        let at = usize::try_from(t.second.saturating_sub(window.start)).ok();
        if let Some(c) = at.and_then(|i| counts.get_mut(i)) {
            *c += lines(&t);
        }
    });
    if ends {
        counts.reverse();
    }
    let mut sums = vec![0.0; length + 1];
    for i in (0..length).rev() {
        sums[i] = sums[i + 1] + (counts[i] * left.ln() + rate * (1.0 - left)) / dispersion;
    }
    let most = sums.iter().copied().fold(f64::MIN, f64::max);
    let best = sums.iter().position(|s| *s == most)?;
    let all: f64 = sums.iter().map(|s| (s - most).exp()).sum();
    let quantile = |q: f64| {
        let mut sum = 0.0;
        sums.iter().position(|s| {
            sum += (s - most).exp();
            sum >= q * all
        })
    };
    let (low, high) = (quantile(0.025)?.min(best), quantile(0.975)?.max(best));
    let at = |i: usize| {
        if ends { window.end.saturating_sub(i as i64) } else { window.start.saturating_add(i as i64) }
    };
    Some(if ends { (at(best), at(high), at(low)) } else { (at(best), at(low), at(high)) })
}

/// All requests of a second.
fn lines(t: &Tick) -> f64 {
    f64::from(t.good) + f64::from(t.neutral) + f64::from(t.failed)
}

fn anomaly(
    a: (Second, Second, Second),
    z: (Second, Second, Second),
    seen: f64,
    due: f64,
    sides: (f64, f64),
    evidence_nats: f64,
    dispersion: f64,
) -> Anomaly {
    let kind = Kind::Silence(SilenceKind::Dip);
    let missing = (due - seen).max(0.0);
    let (less, more) = (sides.0.min(sides.1), sides.0.max(sides.1));
    let most = (due * more / less.max(1e-9) - seen).max(missing);
    Anomaly {
        start_bounds: (a.1.saturating_sub(1), a.2),
        start_interval: (a.1, a.2),
        end_bounds: (z.1.saturating_sub(1), z.2),
        end_interval: (z.1, z.2),
        evidence_nats,
        dispersion,
        expected_requests: Some(Estimate {
            value: due,
            low: poisson_bounds(missing, dispersion).0 + seen,
            high: poisson_bounds(most, dispersion).1 + seen,
        }),
        good_ratio: Some(seen / due.max(1e-9)),
        ..Anomaly::between(kind, Window { start: a.0, end: z.0 }, (0, seen as u64))
    }
}
