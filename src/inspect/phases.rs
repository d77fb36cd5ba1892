//! The parts of an incident, in order: silent, failing, slow, on the way to health.

use super::again::Look;
use super::host::Host;
use super::severity::NEAR_TOTAL;
use super::shown;
use crate::clock;
use crate::detect::{Anomaly, AnomalyPhase, Kind, SilenceKind};
use crate::report::Phase;
use crate::time::Window;

/// Phases apart from each other: where a failing stretch was dated into a silence, the silence is what was seen.
pub(super) fn apart(a: &Anomaly) -> Vec<AnomalyPhase> {
    let silent = |p: &AnomalyPhase| matches!(p.kind, Kind::Silence(_));
    let mut out = a.phases.clone();
    for s in a.phases.iter().filter(|p| silent(p)) {
        for p in out.iter_mut().filter(|p| !silent(p)) {
            if s.start <= p.start && p.start < s.end {
                p.start = s.end;
            }
            if s.start < p.end && p.end <= s.end {
                p.end = s.start;
            }
        }
    }
    out.retain(|p| p.start < p.end);
    out.sort_by_key(|p| (p.start, std::cmp::Reverse(p.end)));
    // A pause inside a dip is a part of it.
    let mut until = i64::MIN;
    out.retain(|p| {
        let inside = silent(p) && p.end <= until;
        until = if silent(p) { until.max(p.end) } else { until };
        !inside
    });
    out
}

/// The phases as they are told.
pub(super) fn phases(host: &Host<'_>, look: Option<&Look>, a: &Anomaly) -> Vec<Phase> {
    let phases = apart(a);
    let share_of = |p: &AnomalyPhase| (p.requests > 0).then(|| p.failed as f64 / p.requests as f64);
    let worse = |b: &AnomalyPhase, share: Option<f64>| match b.kind {
        Kind::Silence(_) => true,
        Kind::Slow => false,
        _ => share_of(b) > share,
    };
    let last = phases.len().saturating_sub(1);
    phases
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let share = share_of(p);
            let kind = match p.kind {
                Kind::Silence(_) => "silent",
                Kind::Slow => "slow",
                _ if share.is_some_and(|s| s >= NEAR_TOTAL) || p.requests == 0 => "failing",
                // What fails more than before is on no way to health.
                _ if i == last && phases[..i].iter().any(|b| worse(b, share)) => "recovery",
                _ => "partial",
            };
            let note = match (p.kind, share) {
                (Kind::Silence(SilenceKind::Down), _) => {
                    "no request was logged; nginx was not running".into()
                }
                (Kind::Silence(SilenceKind::Stalled), _) => "no line; nginx stood still".into(),
                (Kind::Silence(SilenceKind::Dip), _) => "far fewer requests than before and after".into(),
                (Kind::Silence(SilenceKind::LoggingStopped), _) => {
                    "no line, while another log went on".into()
                }
                (Kind::Silence(_), _) => "no request was logged".into(),
                (Kind::ErrorsOnly, _) => "the error log reports failures".into(),
                (Kind::Slow, _) if a.slow.is_none() => format!(
                    "clients gave up {} of {}",
                    clock::count(p.failed),
                    clock::count_of(p.requests, "request")
                ),
                (Kind::Slow, _) => format!(
                    "{} of {} took several times as long as usual",
                    clock::count(p.failed),
                    clock::count_of(p.requests, "request")
                ),
                (Kind::Missing, _) => format!(
                    "{} of {} for what used to be answered well were {}",
                    clock::count(p.failed),
                    clock::count_of(p.requests, "request"),
                    shown::gone_as(look, Window { start: p.start, end: p.end })
                ),
                (Kind::Failing, _) if host.trials.is_some() => {
                    format!("{} failed", clock::count_of(p.failed, "request"))
                }
                (Kind::Failing, Some(s)) => {
                    format!(
                        "{} of {} failed ({})",
                        clock::count(p.failed),
                        clock::count_of(p.requests, "request"),
                        clock::share(s)
                    )
                }
                (Kind::Failing, None) => String::new(),
            };
            let open = i == last && a.open_end;
            Phase {
                kind,
                start: p.start * 1000,
                end: (!open).then_some(p.end * 1000),
                // What is late has not failed.
                failed_share: share
                    .filter(|_| p.kind != Kind::Slow || a.slow.is_none())
                    .filter(|_| host.trials.is_none()),
                note,
            }
        })
        .collect()
}
