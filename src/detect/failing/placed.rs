//! A failing stretch becomes an anomaly: its edges to the second, its phases, its figures.

use super::{LEAST_FAILED, Phase, Settled, extent, remark};
use crate::detect::anomaly::{Anomaly, AnomalyPhase, Detection, Kind, Reason, Remark};
use crate::detect::edges::{self, Around};
use crate::detect::steps::{Excused, Steps, each_excused};
use crate::detect::{Options, Tick, Ticks};
use crate::time::{Second, Window};
use std::ops::Range;

/// How far outside an edge its seconds are looked at: until "still bad" has lost this many nats.
const OUTWARD_NATS: f64 = 20.0;
/// How far inside: until the failing is beyond doubt.
const INWARD_NATS: f64 = 60.0;
/// No edge needs more steps than this.
const MAX_STEPS: usize = 20_000;
/// Nor more seconds on either side, however sparse the log.
const REACH: i64 = 50_000;

/// One edge of a part: its posterior and the sums farther inside. Looked at is what lies in `free`.
fn edge<T: Ticks>(
    ticks: &T,
    steps: &Steps,
    excused: Excused<'_>,
    dispersion: f64,
    phase: &Phase,
    free: &Range<usize>,
    from_before: bool,
) -> Option<edges::Edge> {
    let usual = phase.usual;
    let share = ((phase.failed + 0.5) / (phase.requests + 1.0)).min(0.9).max(usual + 1e-6);
    let failed = (share / usual).ln() / dispersion;
    let good = ((1.0 - share) / (1.0 - usual)).ln() / dispersion;
    let nats = |s: &crate::detect::steps::Step| f64::from(s.failed()) * failed + f64::from(s.good) * good;
    let range = &phase.steps;
    // Outward.
    let mut sum = 0.0;
    let mut outer = if from_before { range.start } else { range.end };
    for _ in 0..MAX_STEPS {
        let next = if from_before { outer.checked_sub(1) } else { Some(outer) };
        let next = next.filter(|i| free.contains(i));
        let Some(step) = next.and_then(|i| steps.list.get(i)) else { break };
        sum += nats(step);
        outer = if from_before { outer - 1 } else { outer + 1 };
        if sum < -OUTWARD_NATS {
            break;
        }
    }
    // Inward.
    let (mut sum, mut inner) = (0.0, if from_before { range.start } else { range.end });
    let inside = |i: usize| if from_before { i < range.end } else { i > range.start };
    let mut steps_left = MAX_STEPS;
    while inside(inner) && sum < INWARD_NATS && steps_left > 0 {
        sum += nats(&steps.list[if from_before { inner } else { inner - 1 }]);
        inner = if from_before { inner + 1 } else { inner - 1 };
        steps_left -= 1;
    }
    let (look, rest) =
        if from_before { (outer..inner, inner..range.end) } else { (inner..outer, range.start..inner) };
    let (mut first, mut last) = extent(steps, &look);
    let edge = if from_before { extent(steps, range).0 } else { extent(steps, range).1 };
    let whole = (first, last);
    (first, last) = (first.max(edge.saturating_sub(REACH)), last.min(edge.saturating_add(REACH)));
    let mut near: Vec<Tick> = Vec::new();
    each_excused(ticks, excused, Window { start: first, end: last.saturating_add(1) }, |t| {
        if t.good > 0 || t.failed > 0 {
            near.push(t);
        }
    });
    let rest = steps.list[rest]
        .iter()
        .fold((0.0, 0.0), |(g, f), s| (g + f64::from(s.good), f + f64::from(s.failed())));
    let before = if from_before && first > whole.0 {
        Some(first.saturating_sub(1))
    } else if !from_before && last < whole.1 {
        edges::mirror(&mut near);
        Some(last.saturating_add(1).saturating_neg())
    } else if from_before {
        look.start.checked_sub(1).map(|i| steps.list[i].last())
    } else {
        edges::mirror(&mut near);
        steps.list.get(look.end).map(|s| s.first.saturating_neg())
    };
    let mut edge = edges::posterior(Around { ticks: &near, rest, before, usual, dispersion })?;
    if before.is_some() {
        edge.at_first = 0.0;
    }
    Some(edge)
}

/// By how much requests hang together at an edge. Milder than the evidence's own, for the automaton has already said that
/// it is real. Where nearly everything fails it does not matter who asks; else one client's requests share a fate, and 1.5
/// leaves the intervals wide enough (305 of 306 edges of the simulator).
fn edge_dispersion(phase: &Phase) -> f64 {
    if phase.share() >= 0.9 { 1.0 } else { 1.5 }
}

/// The steps around a part in which no other stretch fails: the failures of another say nothing about its edges.
fn between_others(settled: &Settled, head: &Phase, tail: &Phase) -> Range<usize> {
    let before = settled.runs.partition_point(|r| r.end <= head.steps.start);
    let after = settled.runs.partition_point(|r| r.start < tail.steps.end);
    let start = settled.runs[..before].last().map_or(0, |r| r.end);
    start..settled.runs.get(after).map_or(usize::MAX, |r| r.start)
}

/// Dates a part and makes an anomaly of it, or a remark.
pub(super) fn finish<T: Ticks>(
    ticks: &T,
    steps: &Steps,
    excused: Excused<'_>,
    settled: &Settled,
    part: &[Phase],
    options: &Options,
    found: &mut Detection,
) {
    let (Some(head), Some(tail)) = (part.first(), part.last()) else { return };
    let failed: f64 = part.iter().map(|p| p.failed).sum();
    let nats: f64 = part.iter().map(|p| p.nats).sum();
    if failed < LEAST_FAILED || nats < settled.costs.threshold {
        found.remarks.push(remark(steps, part, Reason::TooLittle));
        return;
    }
    let free = between_others(settled, head, tail);
    let (Some(a), Some(z)) = (
        edge(ticks, steps, excused, edge_dispersion(head), head, &free, true),
        edge(ticks, steps, excused, edge_dispersion(tail), tail, &free, false),
    ) else {
        return;
    };
    let (open_start, open_end) = (a.at_first > 0.05, z.at_first > 0.05);
    let first_bad = a.point;
    let last_bad = z.point.saturating_neg().max(first_bad);
    if last_bad.saturating_sub(first_bad).saturating_add(1) < options.least_seconds
        && !open_start
        && !open_end
    {
        found.remarks.push(Remark {
            start: first_bad,
            end: last_bad.saturating_add(1),
            ..remark(steps, part, Reason::Blip)
        });
        return;
    }
    let after = last_bad.saturating_add(1);
    let good_before = last_good_before(steps, ticks, excused, first_bad);
    let good_after = first_good_after(steps, ticks, excused, last_bad);
    let (start, end) = (if open_start { steps.origin } else { first_bad }, (!open_end).then_some(after));
    let start_interval = if open_start { (steps.origin, first_bad) } else { (a.low, a.high) };
    let last_second = steps.end.saturating_sub(1);
    let end_interval = if open_end {
        (after, last_second.max(after))
    } else {
        let turn = |t: Second| 1i64.saturating_sub(t);
        (turn(z.high).min(after), turn(z.low).max(after))
    };
    let (mut start_bounds, mut end_bounds) = (
        (good_before.unwrap_or_else(|| a.low.saturating_sub(1)), first_bad),
        (last_bad, good_after.unwrap_or(last_second).max(after)),
    );
    // Where some requests succeed all along, a success does not end the doubt.
    if head.share() < 0.9 {
        start_bounds = (start_bounds.0.min(a.low.saturating_sub(1)), a.high);
    }
    if tail.share() < 0.9 && !open_end {
        end_bounds = (end_interval.0.min(last_bad), end_bounds.1.max(end_interval.1));
    }
    if open_start {
        start_bounds = (steps.origin, steps.origin);
    }
    if open_end {
        end_bounds = (last_bad, last_second.max(last_bad));
    }
    let inside = steps.at(first_bad)..steps.at(after);
    let counts = &steps.list[inside.clone()];
    let requests: f64 = counts.iter().map(|s| s.requests()).sum();
    let failed = counts.iter().map(|s| u64::from(s.failed())).sum();
    let mut phases: Vec<AnomalyPhase> = part.iter().map(|p| phase(steps, p)).collect();
    if let Some(p) = phases.first_mut() {
        p.start = start;
    }
    if let Some(p) = phases.last_mut() {
        p.end = after.max(p.start.saturating_add(1));
    }
    for i in 1..phases.len() {
        phases[i - 1].end = phases[i - 1].end.max(phases[i].start);
    }
    found.anomalies.push(Anomaly {
        start_bounds,
        start_interval,
        end,
        end_bounds,
        end_interval,
        open_start,
        open_end,
        phases,
        failing_seconds: counts.iter().filter(|s| s.failed() > 0).count() as u64,
        usual_share: head.usual,
        evidence_nats: nats,
        dispersion: settled.costs.dispersion,
        good_ratio: good_ratio(steps, &inside, requests - failed as f64),
        last_good_before: if open_start { None } else { good_before },
        first_bad,
        last_bad,
        first_good_after: if open_end { None } else { good_after },
        ..Anomaly::between(Kind::Failing, Window { start, end: after }, (failed, requests as u64))
    });
}

fn phase(steps: &Steps, p: &Phase) -> AnomalyPhase {
    let (first, last) = extent(steps, &p.steps);
    AnomalyPhase {
        kind: Kind::Failing,
        start: first,
        end: last.saturating_add(1),
        requests: p.requests as u64,
        failed: p.failed as u64,
    }
}

/// Successes a second inside against those of the surroundings; `None` where there is too little to compare.
fn good_ratio(steps: &Steps, inside: &Range<usize>, good: f64) -> Option<f64> {
    let (first, last) = extent(steps, inside);
    let duration = last.saturating_sub(first).saturating_add(1);
    let reach = duration.clamp(300, 3600);
    let before = first.saturating_sub(reach).max(steps.origin);
    let until = last.saturating_add(reach).min(steps.end.saturating_sub(1));
    let (mut sum, mut seconds) = (0.0, 0.0);
    for (range, time) in [
        (steps.at(before)..inside.start, first.saturating_sub(before)),
        (inside.end..steps.at(until.saturating_add(1)), until.saturating_sub(last)),
    ] {
        if range.start < range.end && time > 0 {
            sum += steps.list[range].iter().map(|s| f64::from(s.good)).sum::<f64>();
            seconds += time as f64;
        }
    }
    let expected = sum / f64::max(seconds, 1.0) * duration as f64;
    (expected >= 20.0).then(|| good / expected)
}

/// The second of the last success before `second`. A clean step that contains `second` is opened up.
fn last_good_before<T: Ticks>(
    steps: &Steps,
    ticks: &T,
    excused: Excused<'_>,
    second: Second,
) -> Option<Second> {
    let at = steps.at(second);
    if let Some(step) = steps.list.get(at)
        && step.first < second
        && step.good > 0
    {
        let mut last = None;
        let start = step.first.max(second.saturating_sub(REACH));
        each_excused(ticks, excused, Window { start, end: second }, |t| {
            if t.good > 0 {
                last = Some(t.second);
            }
        });
        if last.is_some() {
            return last;
        }
    }
    steps.list[..at].iter().rev().find(|s| s.good > 0).map(|s| s.last())
}

/// The second of the first success after `second`.
fn first_good_after<T: Ticks>(
    steps: &Steps,
    ticks: &T,
    excused: Excused<'_>,
    second: Second,
) -> Option<Second> {
    let after = second.saturating_add(1);
    let at = steps.at(after);
    if let Some(step) = steps.list.get(at)
        && step.first < after
        && step.good > 0
    {
        let mut first = None;
        let end = step.last().min(after.saturating_add(REACH)).saturating_add(1);
        each_excused(ticks, excused, Window { start: after, end }, |t| {
            if t.good > 0 && first.is_none() {
                first = Some(t.second);
            }
        });
        if first.is_some() {
            return first;
        }
    }
    steps.list[at..].iter().find(|s| s.good > 0 && s.first >= after).map(|s| s.first)
}
