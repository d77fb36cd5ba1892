//! Requests that fail more than usual: rounds of usual share and automaton, then gates, then edges.

mod apart;
mod placed;

use super::anomaly::{Detection, Kind, Reason, Remark};
use super::baseline::{self, Baseline};
use super::burst::{self, Costs, Segment};
use super::gates::{self, Effect, Lack, Wobble};
use super::steps::{Excused, Steps};
use super::sums::{Count, Sums};
use super::{Options, Ticks};
use crate::ranges::joined;
use crate::stats::{excess_nats, logit};
use crate::time::Second;
use placed::finish;
use std::ops::Range;

/// Rounds until findings and usual share agree; two to four are the rule.
const ROUNDS: usize = 8;
/// Candidates this far below the threshold are still worth a remark,
const REMARK_NATS: f64 = 7.0;
/// where at least this share failed.
const WORTH_A_REMARK: f64 = 0.1;
const MAX_REMARKS: usize = 20;

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
    let sums = Sums::new(steps);
    let settled = settle(steps, &sums, options)?;
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
        let outside = Outside::new(&sums, &parts);
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
fn settle(steps: &Steps, sums: &Sums<'_>, options: &Options) -> Option<Settled> {
    if steps.failed == 0 {
        return None;
    }
    let mut baseline = Baseline::first(steps, sums, !options.own_measure)?;
    let chances =
        burst::LEVELS.len() as f64 * (steps.failing_seconds as f64 + 1.0) * options.scopes.max(1) as f64;
    let threshold = (chances / options.false_findings.max(1e-9)).ln().max(options.least_nats);
    let mut costs = Costs { threshold, dispersion: options.least_dispersion.max(1.0), cap: 0.6 };
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut segments = Vec::new();
    for round in 0..ROUNDS {
        if round > 0 {
            let masked = joined([runs.as_slice(), &steps.unusual].concat());
            baseline = Baseline::outside(steps, sums, &masked, &baseline);
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
    let segments = apart::cut(steps, &baseline, costs, options.false_findings, segments);
    let runs = burst::runs(&segments);
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
            let failed = part.iter().map(|s| f64::from(s.failed())).sum::<f64>();
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
    outside: &Outside<'_>,
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
    outside: &Outside<'_>,
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

/// What lies outside all findings.
struct Outside<'a> {
    sums: &'a Sums<'a>,
    /// The findings in order, each with the sums of all before it.
    hulls: Vec<(Range<usize>, Count)>,
}

impl<'a> Outside<'a> {
    fn new(sums: &'a Sums<'a>, parts: &[Vec<Phase>]) -> Self {
        let mut before = (0, 0);
        let mut hulls = Vec::with_capacity(parts.len());
        for hull in parts.iter().map(|p| hull(p)) {
            let own = sums.of(&hull);
            hulls.push((hull, before));
            before = (before.0 + own.0, before.1 + own.1);
        }
        Self { sums, hulls }
    }

    /// Requests and failures before a step, findings left out.
    fn before(&self, index: usize) -> Count {
        let (n, k) = self.sums.before(index);
        let Some((hull, inside)) = self.hulls[..self.hulls.partition_point(|h| h.0.start < index)].last()
        else {
            return (n, k);
        };
        let own = self.sums.of(&(hull.start..hull.end.min(index)));
        (n - inside.0 - own.0, k - inside.1 - own.1)
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
            let (to, from) = (self.before(r.end), self.before(r.start));
            ((to.0 - from.0) as f64, (to.1 - from.1) as f64)
        };
        let (sides, _) = Self::beside(steps, hull);
        let (before, after) = (part(&sides[0]), part(&sides[1]));
        (before.0 + after.0, before.1 + after.1)
    }

    /// (requests, seconds) in that time, other findings left in: they are traffic too.
    fn requests_around(&self, steps: &Steps, hull: &Range<usize>) -> (f64, f64) {
        let (sides, seconds) = Self::beside(steps, hull);
        (sides.iter().map(|r| self.sums.of(r).0 as f64).sum(), seconds)
    }
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
        let failed: f64 = part.iter().map(|s| f64::from(s.failed())).sum();
        let usual = settled.baseline.over(part);
        let nats = excess_nats(requests, failed, usual) / settled.costs.dispersion;
        if failed >= 2.0 && failed >= WORTH_A_REMARK * requests {
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
