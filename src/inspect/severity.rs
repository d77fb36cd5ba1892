//! How bad an anomaly was, and whether clients saw it.

use super::host::Host;
use crate::detect::{Anomaly, Kind, SilenceKind};
use crate::report::{Impact, Severity};
use crate::scan::FailureTally;
use crate::stats::poisson_tail_ln;
use crate::time::Window;
use crate::timeline::Classes;

/// From this share of failed requests on the failure is near-total and may be called an outage.
pub(super) const NEAR_TOTAL: f64 = 0.8;
/// Log of the probability that as many others happened to fail meanwhile, at most.
const BY_CHANCE: f64 = -9.2;
/// They are at least this part of what the error log tells of: each request was tried at several peers, perhaps.
const OF_RECORDS: f64 = 0.1;

/// The severity, and whether clients saw it. `unlogged` where requests were dropped that left no line.
pub(super) fn severity(
    host: &Host<'_>,
    a: &Anomaly,
    tally: &FailureTally,
    impact: &Impact,
    unlogged: bool,
) -> (Severity, bool) {
    match a.kind {
        Kind::Silence(SilenceKind::Down | SilenceKind::Stalled) => (Severity::Outage, true),
        // The error log shows why requests left no line: they were dropped.
        Kind::Silence(_) if unlogged => {
            // What attackers are told (408, 400) serves nobody.
            let mut served = 0u64;
            host.timeline
                .each_sum(a.logged(), [Classes::GOOD, Classes::NONE], |s| served += u64::from(s.lines[0]));
            let lost = impact.lost_estimate.unwrap_or(0) as f64;
            let share = lost / (lost + served as f64).max(1.0);
            (if share >= NEAR_TOTAL { Severity::Outage } else { Severity::Degradation }, true)
        }
        Kind::Silence(SilenceKind::LoggingStopped) => (Severity::Unknown, false),
        Kind::Silence(_) => (Severity::Unknown, true),
        // The error log alone speaks. Where an access log shows that the requests were answered, retries saved them;
        // but a request that was dropped before it had a line is in no access log.
        Kind::ErrorsOnly if host.timeline.is_empty() || unlogged => (Severity::Degradation, true),
        Kind::ErrorsOnly if reached_clients(host, a, tally) => (Severity::Degradation, true),
        Kind::ErrorsOnly => (Severity::Hidden, false),
        Kind::Slow => (Severity::Slowdown, true),
        // Refused or not found is as bad for a visitor as failed.
        Kind::Missing if impact.failed.max(a.failed) as f64 >= NEAR_TOTAL * impact.requests.max(1) as f64 => {
            (Severity::Outage, true)
        }
        Kind::Missing => (Severity::Degradation, true),
        // How many were answered meanwhile is not known.
        Kind::Failing if host.trials.is_some() => (Severity::Degradation, true),
        Kind::Failing => {
            let down = a.phases.iter().any(|p| p.kind == Kind::Silence(SilenceKind::Down));
            let aborted = tally.statuses.get(&499).copied().unwrap_or(0);
            let all = a.within.is_none();
            if all && a.failed_share().is_some_and(|s| s >= NEAR_TOTAL) || down {
                (Severity::Outage, true)
            } else if aborted * 2 > tally.failed {
                (Severity::Slowdown, true)
            } else {
                (Severity::Degradation, true)
            }
        }
    }
}

/// Whether requests failed with what the error log tells of, too few to be found among all others: more than come by
/// chance where so many fail in as long a time before or after.
fn reached_clients(host: &Host<'_>, a: &Anomaly, tally: &FailureTally) -> bool {
    let at = a.logged();
    let length = at.end.saturating_sub(at.start);
    let failed = |from, to| host.failures_unnamed(Window { start: from, end: to }).failed;
    let before = failed(at.start.saturating_sub(length), at.start);
    let after = failed(at.end, at.end.saturating_add(length));
    let usual = before.max(after);
    let records = a.errors.map_or(0, |e| e.records) as f64;
    let more = tally.failed.saturating_sub(usual);
    let chance = poisson_tail_ln(tally.failed as f64, usual as f64 + 1.0);
    chance <= BY_CHANCE && more as f64 >= OF_RECORDS * records
}
