//! Requests that fail more than usual: rounds of usual share and automaton, then gates, then edges.

use super::anomaly::{Anomaly, AnomalyPhase, Detection, Kind, Reason, Remark};
use super::baseline::{self, Baseline};
use super::burst::{self, Costs, Segment};
use super::edges::{self, Around};
use super::gates::{self, Effect, Lack, Wobble};
use super::steps::{Excused, Steps, each_excused};
use super::{Options, Tick, Ticks};
use crate::stats::{excess_nats, logit};
use crate::time::{Second, Window};
use std::ops::Range;

/// Rounds until findings and usual share agree; two to four are the rule.
const ROUNDS: usize = 8;
/// Candidates this far below the threshold are still worth a remark.
const REMARK_NATS: f64 = 7.0;
const MAX_REMARKS: usize = 20;

/// The least a finding must bring. 13 would do for counts of clients.
const LEAST_NATS: f64 = 16.0;
/// Without client addresses fewer failures than these may be one person pressing reload.
const LEAST_FAILED: f64 = 6.0;

/// What the rounds settled on.
pub(crate) struct Settled {
    baseline: Baseline,
    costs: Costs,
    segments: Vec<Segment>,
    runs: Vec<Range<usize>>,
}

/// A phase with its figures.
#[derive(Debug, Clone)]
struct Phase {
    steps: Range<usize>,
    requests: f64,
    failed: f64,
    usual: f64,
    nats: f64,
    lack: Option<Lack>,
}

impl Phase {
    fn share(&self) -> f64 {
        self.failed / self.requests.max(1.0)
    }
}

/// Finds what failed, and names what came near it.
pub(crate) fn find<T: Ticks>(
    ticks: &T,
    steps: &Steps,
    excused: Excused<'_>,
    options: &Options,
    found: &mut Detection,
) {
    if let Some(settled) = anomalies(ticks, steps, excused, options, found) {
        near_misses(ticks, steps, excused, &settled, options, found);
    }
}

/// Finds what failed.
pub(crate) fn anomalies<T: Ticks>(
    ticks: &T,
    steps: &Steps,
    excused: Excused<'_>,
    options: &Options,
    found: &mut Detection,
) -> Option<Settled> {
    let settled = settle(steps, options)?;
    let wobble = if settled.runs.is_empty() {
        Wobble::default()
    } else {
        Wobble::measure(steps, &settled.runs, &settled.baseline, settled.costs.dispersion)
    };
    let mut parts: Vec<Vec<Phase>> = Vec::new();
    let mut at = 0;
    for run in &settled.runs {
        let from = at;
        while settled.segments.get(at).is_some_and(|s| s.steps.start < run.end) {
            at += 1;
        }
        let phases = judge(steps, &settled, &settled.segments[from..at], &wobble, options);
        cut(steps, phases, &mut parts, &mut found.remarks);
    }
    let mut doubtful = Vec::new();
    if !parts.is_empty() {
        let outside = Outside::new(steps, &parts);
        contrast(steps, &settled, &outside, &mut parts, &mut found.remarks);
        doubtful = bunched(steps, &settled, &outside, &mut parts);
    }
    let mut apart = Detection::default();
    for part in &doubtful {
        finish(ticks, steps, excused, &settled, part, options, &mut apart);
    }
    found.doubtful.append(&mut apart.anomalies);
    found.remarks.append(&mut apart.remarks);
    for part in &parts {
        finish(ticks, steps, excused, &settled, part, options, found);
    }
    Some(settled)
}

/// Usual share and automaton in turns, the runs of one masked in the other, until nothing changes.
fn settle(steps: &Steps, options: &Options) -> Option<Settled> {
    if steps.failed == 0 {
        return None;
    }
    let mut baseline = Baseline::first(steps)?;
    let chances =
        burst::LEVELS.len() as f64 * (steps.failing_seconds as f64 + 1.0) * options.scopes.max(1) as f64;
    let threshold = (chances / options.false_findings.max(1e-9)).ln().max(LEAST_NATS);
    let mut costs = Costs { threshold, dispersion: options.least_dispersion.max(1.0), cap: 0.6 };
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut segments = Vec::new();
    for round in 0..ROUNDS {
        if round > 0 {
            baseline = Baseline::outside(steps, &runs, &baseline);
        }
        if round == 1 {
            costs.dispersion = baseline::dispersion(steps, &runs, &baseline, costs.dispersion);
        }
        segments = burst::segments(steps, &baseline, costs);
        let now = burst::runs(&segments);
        // Usual share and dispersion only rise after the first round: what it does not find, no round will.
        let settled = now == runs && (round > 0 || now.is_empty());
        runs = now;
        if settled {
            break;
        }
    }
    Some(Settled { baseline, costs, segments, runs })
}

/// The figures of each phase of a run and what it lacks.
fn judge(steps: &Steps, s: &Settled, segments: &[Segment], wobble: &Wobble, options: &Options) -> Vec<Phase> {
    let seconds = steps.seconds();
    let mut phases: Vec<Phase> = segments
        .iter()
        .map(|segment| {
            let part = &steps.list[segment.steps.clone()];
            let requests = part.iter().map(|s| s.requests()).sum::<f64>();
            let failed = part.iter().map(|s| f64::from(s.failed)).sum::<f64>();
            let usual = s.baseline.over(part);
            let (first, last) = extent(steps, &segment.steps);
            let duration = last.saturating_sub(first).saturating_add(1) as f64;
            let margin = (0.01 * seconds) as i64;
            let at_end =
                first.saturating_sub(steps.origin) < margin || steps.end.saturating_sub(last) - 1 < margin;
            let share = failed / requests.max(1.0);
            let effect = Effect { share, usual, duration, at_end };
            let lack = gates::effect(effect, wobble, seconds, options.false_findings).err();
            let nats = excess_nats(requests, failed, usual) / s.costs.dispersion;
            Phase { steps: segment.steps.clone(), requests, failed, usual, nats, lack }
        })
        .collect();
    // A run with a long immaterial phase is a stretch of ordinary wobble: what stands out must stand out from that.
    let long = |p: &&Phase| {
        let (first, last) = extent(steps, &p.steps);
        p.lack.is_some() && last.saturating_sub(first) >= 300
    };
    let level = phases.iter().filter(long).map(Phase::share).fold(0.0, f64::max).min(0.95);
    if level > 0.0 {
        for p in &mut phases {
            let over = logit(p.share()) - logit(level) >= 2f64.ln();
            let nats = excess_nats(p.requests, p.failed, level) / s.costs.dispersion;
            if p.lack.is_none() && !(over && nats >= s.costs.threshold) {
                p.lack = Some(Lack::Level);
            }
        }
    }
    phases
}

fn extent(steps: &Steps, range: &Range<usize>) -> (Second, Second) {
    let part = &steps.list[range.clone()];
    (part.first().map_or(steps.origin, |s| s.first), part.last().map_or(steps.origin, |s| s.last()))
}

/// Keeps the hull of the material phases, cut where a minute or more of immaterial phases lies between.
fn cut(steps: &Steps, phases: Vec<Phase>, parts: &mut Vec<Vec<Phase>>, remarks: &mut Vec<Remark>) {
    let mut current: Vec<Phase> = Vec::new();
    let mut material = 0;
    for phase in phases {
        let (first, last) = extent(steps, &phase.steps);
        if phase.lack.is_none() {
            current.push(phase);
            material = current.len();
        } else if !current.is_empty() && last.saturating_sub(first) < 60 {
            current.push(phase);
        } else {
            current.truncate(material);
            if !current.is_empty() {
                parts.push(std::mem::take(&mut current));
            }
            material = 0;
            let reason = match phase.lack {
                Some(Lack::Wobble(factor)) => Reason::OrdinaryWobble(factor),
                Some(Lack::Level) => Reason::LevelShift,
                _ => Reason::TooLittle,
            };
            remarks.push(remark(steps, &[phase], reason));
        }
    }
    current.truncate(material);
    if !current.is_empty() {
        parts.push(current);
    }
}

fn remark(steps: &Steps, phases: &[Phase], reason: Reason) -> Remark {
    let start = phases.first().map_or(steps.origin, |p| extent(steps, &p.steps).0);
    let end = phases.last().map_or(start, |p| extent(steps, &p.steps).1).saturating_add(1);
    Remark {
        kind: Kind::Failing,
        reason,
        start,
        end,
        requests: phases.iter().map(|p| p.requests as u64).sum(),
        failed: phases.iter().map(|p| p.failed as u64).sum(),
        usual_share: phases.first().map_or(0.0, |p| p.usual),
        evidence_nats: phases.iter().map(|p| p.nats).sum(),
    }
}

/// It must stand out from what happened right before and after, other findings left out.
fn contrast(
    steps: &Steps,
    settled: &Settled,
    outside: &Outside,
    parts: &mut Vec<Vec<Phase>>,
    remarks: &mut Vec<Remark>,
) {
    parts.retain(|part| {
        let hull = hull(part);
        let (n0, k0) = outside.around(steps, &hull);
        let (n, k) = part.iter().fold((0.0, 0.0), |(n, k), p| (n + p.requests, k + p.failed));
        let usual = part[0].usual;
        let beside = ((k0 + 20.0 * usual) / (n0 + 20.0)).clamp(baseline::FLOOR, 0.95);
        let over = logit(k / n) - logit(beside) >= 2f64.ln();
        let nats = excess_nats(n, k, beside) / settled.costs.dispersion;
        let stands = over && nats >= settled.costs.threshold.min(13.0);
        if !stands {
            remarks.push(remark(steps, part, Reason::NoContrast));
        }
        stands
    });
}

/// Takes out what one client's retries could be, as far as counts tell: a partial failure must be twice as large as the
/// largest ordinary bunch of failures of this log (sizes of bunches have a tail that no variance shows), and failures
/// beyond the requests that usually come in such a time bring no evidence.
fn bunched(
    steps: &Steps,
    settled: &Settled,
    outside: &Outside,
    parts: &mut Vec<Vec<Phase>>,
) -> Vec<Vec<Phase>> {
    if parts.is_empty() {
        return Vec::new();
    }
    let largest = baseline::largest_bunch(steps, &settled.runs).unwrap_or(0.0);
    let stands = |part: &Vec<Phase>| {
        let (n, k) = part.iter().fold((0.0, 0.0), |(n, k), p| (n + p.requests, k + p.failed));
        let hull = hull(part);
        let (n0, seconds) = outside.requests_around(steps, &hull);
        let (first, last) = extent(steps, &hull);
        let due = n0 / seconds.max(1.0) * last.saturating_sub(first).saturating_add(1) as f64;
        let nats: f64 = part.iter().map(|p| p.nats).sum();
        // Where there is nothing around it (a log that fails all through) the rate is unknown.
        let believed = if seconds < 60.0 { 1.0 } else { ((due + 2.0 * due.sqrt() + 2.0) / k).min(1.0) };
        (k >= 0.9 * n || k >= 2.0 * largest) && nats * believed >= settled.costs.threshold
    };
    let (standing, doubtful) = std::mem::take(parts).into_iter().partition(stands);
    *parts = standing;
    doubtful
}

fn hull(part: &[Phase]) -> Range<usize> {
    part.first().map_or(0, |p| p.steps.start)..part.last().map_or(0, |p| p.steps.end)
}

/// Running sums over the steps outside all findings.
struct Outside {
    sums: Vec<(f64, f64)>,
    /// Requests, findings included.
    all: Vec<f64>,
}

impl Outside {
    fn new(steps: &Steps, parts: &[Vec<Phase>]) -> Self {
        let mut hulls = parts.iter().map(|p| hull(p)).peekable();
        let mut sums = Vec::with_capacity(steps.list.len() + 1);
        let mut all = Vec::with_capacity(steps.list.len() + 1);
        let (mut sum, mut requests) = ((0.0, 0.0), 0.0);
        sums.push(sum);
        all.push(requests);
        for (i, s) in steps.list.iter().enumerate() {
            while hulls.next_if(|h| h.end <= i).is_some() {}
            if hulls.peek().is_none_or(|h| i < h.start) {
                sum.0 += s.requests();
                sum.1 += f64::from(s.failed);
            }
            sums.push(sum);
            requests += s.requests();
            all.push(requests);
        }
        Self { sums, all }
    }

    /// The steps of the ten minutes to an hour before and after, and the seconds they cover.
    fn beside(steps: &Steps, hull: &Range<usize>) -> ([Range<usize>; 2], f64) {
        let (first, last) = extent(steps, hull);
        let reach = last.saturating_sub(first).saturating_add(1).clamp(600, 3600);
        let from = steps.at(first.saturating_sub(reach)).min(hull.start);
        let to = steps.at(last.saturating_add(reach).saturating_add(1)).max(hull.end);
        let before = first.saturating_sub(first.saturating_sub(reach).max(steps.origin));
        let after = last.saturating_add(reach).min(steps.end.saturating_sub(1)).saturating_sub(last);
        ([from..hull.start, hull.end..to], before.saturating_add(after) as f64)
    }

    /// (requests, failures) in that time, other findings left out.
    fn around(&self, steps: &Steps, hull: &Range<usize>) -> (f64, f64) {
        let part = |r: &Range<usize>| {
            (self.sums[r.end].0 - self.sums[r.start].0, self.sums[r.end].1 - self.sums[r.start].1)
        };
        let (sides, _) = Self::beside(steps, hull);
        let (before, after) = (part(&sides[0]), part(&sides[1]));
        (before.0 + after.0, before.1 + after.1)
    }

    /// (requests, seconds) in that time, other findings left in: they are traffic too.
    fn requests_around(&self, steps: &Steps, hull: &Range<usize>) -> (f64, f64) {
        let (sides, seconds) = Self::beside(steps, hull);
        (sides.iter().map(|r| self.all[r.end] - self.all[r.start]).sum(), seconds)
    }
}

/// How far outside an edge its seconds are looked at: until "still bad" has lost this many nats.
const OUTWARD_NATS: f64 = 20.0;
/// How far inside: until the failing is beyond doubt.
const INWARD_NATS: f64 = 60.0;
/// No edge needs more steps than this.
const MAX_STEPS: usize = 20_000;
/// Nor more seconds on either side, however sparse the log.
const REACH: i64 = 50_000;

/// One edge of a part: its posterior and the sums farther inside.
fn edge<T: Ticks>(
    ticks: &T,
    steps: &Steps,
    excused: Excused<'_>,
    dispersion: f64,
    phase: &Phase,
    from_before: bool,
) -> Option<edges::Edge> {
    let usual = phase.usual;
    let share = ((phase.failed + 0.5) / (phase.requests + 1.0)).min(0.9).max(usual + 1e-6);
    let failed = (share / usual).ln() / dispersion;
    let good = ((1.0 - share) / (1.0 - usual)).ln() / dispersion;
    let nats = |s: &super::steps::Step| f64::from(s.failed) * failed + f64::from(s.good) * good;
    let range = &phase.steps;
    // Outward.
    let mut sum = 0.0;
    let mut outer = if from_before { range.start } else { range.end };
    for _ in 0..MAX_STEPS {
        let next = if from_before { outer.checked_sub(1) } else { Some(outer) };
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
        .fold((0.0, 0.0), |(g, f), s| (g + f64::from(s.good), f + f64::from(s.failed)));
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

/// Dates a part and makes an anomaly of it, or a remark.
fn finish<T: Ticks>(
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
    let (Some(a), Some(z)) = (
        edge(ticks, steps, excused, edge_dispersion(head), head, true),
        edge(ticks, steps, excused, edge_dispersion(tail), tail, false),
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
    let failed = counts.iter().map(|s| u64::from(s.failed)).sum();
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
        kind: Kind::Failing,
        start,
        start_bounds,
        start_interval,
        end,
        end_bounds,
        end_interval,
        open_start,
        open_end,
        phases,
        requests: requests as u64,
        failed,
        failing_seconds: counts.iter().filter(|s| s.failed > 0).count() as u64,
        usual_share: head.usual,
        evidence_nats: nats,
        dispersion: settled.costs.dispersion,
        expected_requests: None,
        longest_ordinary_gap: None,
        good_ratio: good_ratio(steps, &inside, requests - failed as f64),
        last_good_before: if open_start { None } else { good_before },
        first_bad,
        last_bad,
        first_good_after: if open_end { None } else { good_after },
        stopped_at: None,
        started_at: None,
        dated_by_successes: false,
        errors: None,
        slow: None,
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

/// What came near the threshold without reaching it: the few strongest, for those who know the clients to decide.
fn near_misses<T: Ticks>(
    ticks: &T,
    steps: &Steps,
    excused: Excused<'_>,
    settled: &Settled,
    options: &Options,
    found: &mut Detection,
) {
    if steps.list.len() > 300_000 {
        return;
    }
    let costs = Costs { threshold: REMARK_NATS, ..settled.costs };
    let mut weak = Vec::new();
    for run in burst::runs(&burst::segments(steps, &settled.baseline, costs)) {
        let next = settled.runs.partition_point(|r| r.end <= run.start);
        if settled.runs.get(next).is_some_and(|r| r.start < run.end) {
            continue;
        }
        let part = &steps.list[run.clone()];
        let requests: f64 = part.iter().map(|s| s.requests()).sum();
        let failed: f64 = part.iter().map(|s| f64::from(s.failed)).sum();
        let usual = settled.baseline.over(part);
        let nats = excess_nats(requests, failed, usual) / settled.costs.dispersion;
        if failed >= 2.0 && failed >= 0.25 * requests {
            weak.push(Phase { steps: run, requests, failed, usual, nats, lack: None });
        }
    }
    weak.sort_by(|a, b| b.nats.total_cmp(&a.nats).then(a.steps.start.cmp(&b.steps.start)));
    weak.truncate(MAX_REMARKS);
    let near = Settled { costs, baseline: settled.baseline.clone(), segments: Vec::new(), runs: Vec::new() };
    let mut apart = Detection::default();
    for phase in weak {
        finish(ticks, steps, excused, &near, &[phase], options, &mut apart);
    }
    found.doubtful.append(&mut apart.anomalies);
    found.remarks.append(&mut apart.remarks);
}
