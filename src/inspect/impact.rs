//! What an anomaly cost: requests, failures, clients, and requests that never came.

use super::again::Look;
use super::host::Host;
use super::phases::apart;
use super::shown;
use crate::detect::{Anomaly, AnomalyPhase, Kind};
use crate::report::Impact;
use crate::scan::FailureTally;
use crate::time::Window;

/// What the anomaly cost, `tally` being the failures of its window.
pub(super) fn impact(
    host: &Host<'_>,
    look: Option<&Look>,
    a: &Anomaly,
    window: Window,
    tally: &FailureTally,
) -> Impact {
    let (mut requests, mut failed) = (0, 0);
    let until = a.end_or_last().max(a.start + 1);
    host.timeline.each(window, |m| {
        // Logged behind the end: what came before it and timed out since.
        let all = m.counts.iter().map(|n| u64::from(*n)).sum::<u64>();
        requests += if m.second < until { all } else { u64::from(m.failed) };
        failed += u64::from(m.failed);
    });
    // Requests that arrived inside and ended behind the window are of it all the same, however they ended.
    let arrived =
        if a.within.is_none() && host.trials.is_none() && matches!(a.kind, Kind::Failing | Kind::Slow) {
            a.requests.max(a.slow.map_or(0, |s| s.timed))
        } else {
            0
        };
    let requests = requests.max(failed).max(arrived);
    let lost = match a.expected_requests.filter(|_| matches!(a.kind, Kind::Silence(_))) {
        Some(e) => {
            // It may have been widened to the records that explain it.
            let came = requests_in(host, a.phases.iter().filter(|p| matches!(p.kind, Kind::Silence(_))));
            let missing = |x: f64| (x - came as f64).max(0.0).round() as u64;
            Some((missing(e.value), (missing(e.low), missing(e.high))))
        }
        None => lost_in_silence(host, a, window),
    };
    let counted = failed;
    let mut statuses = tally.statuses.clone();
    let mut clients = (tally.failed > 0).then(|| tally.clients().min(tally.failed));
    if let Some(look) = look.filter(|l| uncounted_failures(a) && l.complete) {
        let (missing, theirs) = shown::statuses(look, a);
        failed += missing.values().sum::<u64>();
        statuses.extend(missing);
        clients = clients.max(Some(theirs));
    } else if uncounted_failures(a) {
        failed += a.failed;
    } else if let Some(look) = look.filter(|l| l.complete) {
        let (missing, theirs) = shown::missing_beside(look, a);
        failed += missing.values().sum::<u64>();
        statuses.extend(missing);
        // Who met both is not known.
        clients = clients.max(Some(theirs).filter(|n| *n > 0));
    }
    let uncounted = failed - counted;
    let requests = requests.max(failed);
    Impact {
        requests,
        failed,
        failed_share: (requests > 0).then(|| failed as f64 / requests as f64),
        lost_estimate: lost.map(|l| l.0),
        lost_bounds: lost.map(|l| l.1),
        clients,
        statuses,
        slow: a.slow.map(|s| s.slow),
        uncounted,
    }
}

/// Requests that came in some phases.
fn requests_in<'p>(host: &Host<'_>, phases: impl Iterator<Item = &'p AnomalyPhase>) -> u64 {
    let mut came = 0;
    for p in phases {
        host.timeline.each(Window { start: p.start, end: p.end }, |m| {
            came += m.counts.iter().map(|n| u64::from(*n)).sum::<u64>();
        });
    }
    came
}

/// Whether the requests an anomaly is about are no failures to the scan: content gone, and clients gone for a reason that
/// the log does not tell.
fn uncounted_failures(a: &Anomaly) -> bool {
    a.kind == Kind::Missing || a.kind == Kind::Slow && a.slow.is_none()
}

/// Seconds before and after an incident whose rate says what its silent phases cost.
const AROUND: i64 = 600;

/// Requests that never came in the silent phases of an incident: its silent seconds times the rate around it. The
/// bounds are the lower and the higher of the rates before and after, with their own scatter (two standard deviations
/// of a Poisson count).
fn lost_in_silence(host: &Host<'_>, a: &Anomaly, window: Window) -> Option<(u64, (u64, u64))> {
    let phases = apart(a);
    let silent: i64 =
        phases.iter().filter(|p| matches!(p.kind, Kind::Silence(_))).map(|p| p.end - p.start).sum();
    let span = host.timeline.span().filter(|_| silent > 0)?;
    let rate = |from: i64, to: i64| -> Option<(f64, f64)> {
        let (from, to) = (from.max(span.start), to.min(span.end));
        let mut n = 0u64;
        host.timeline.each(Window { start: from, end: to }, |m| {
            n += m.counts.iter().map(|n| u64::from(*n)).sum::<u64>();
        });
        let seconds = (to - from) as f64;
        (to - from >= 30).then(|| (n as f64 / seconds, 2.0 * (n as f64).sqrt() / seconds))
    };
    let rates: Vec<(f64, f64)> =
        [rate(window.start - AROUND, window.start), rate(window.end, window.end + AROUND)]
            .into_iter()
            .flatten()
            .collect();
    let mean = rates.iter().map(|r| r.0).sum::<f64>() / rates.len().max(1) as f64;
    let low = rates.iter().map(|r| r.0 - r.1).fold(f64::INFINITY, f64::min);
    let high = rates.iter().map(|r| r.0 + r.1).fold(f64::NEG_INFINITY, f64::max);
    // In a dip some came all the same.
    let came = requests_in(host, phases.iter().filter(|p| matches!(p.kind, Kind::Silence(_))));
    let requests = |rate: f64| (rate * silent as f64 - came as f64).max(0.0).round() as u64;
    (!rates.is_empty()).then(|| (requests(mean), (requests(low), requests(high))))
}
