//! Failing that creeps in, dated by the error log.
//!
//! A few failures in a hundred requests date nothing by themselves, where some always fail. The error log tells those of
//! an incident from the others: where its records of the server's side run on before the start that the shares give, and
//! requests failed with them, the incident reaches as far back as they do.

use super::host::Host;
use crate::detect::{AnomalyPhase, Detection, Kind};
use crate::time::{Second, Window};

/// Records in fewer seconds than these move no start.
const LEAST: usize = 3;
/// A start is moved by no more than the anomaly lasts, and never farther than so many seconds.
const REACH: i64 = 600;

/// Moves the start of failing stretches to the first failed request that their records go with.
pub(super) fn date(host: &Host<'_>, found: &mut Detection) {
    for a in found.anomalies.iter_mut().filter(|a| a.kind == Kind::Failing) {
        let Some(errors) = a.errors else { continue };
        let start = a.start;
        let reach = (a.end_or_last() - start).min(REACH);
        if !a.open_start && errors.start < start {
            let window = Window { start: errors.start.max(start - reach), end: start };
            if let Some(lead) = lead(host, window) {
                a.phases.insert(0, lead.phase);
                (a.start, a.first_bad) = (lead.first, lead.first);
                a.start_bounds = (lead.good_before, lead.first);
                a.start_interval = a.start_bounds;
                a.last_good_before = Some(lead.good_before);
                (a.requests, a.failed) = (a.requests + lead.phase.requests, a.failed + lead.phase.failed);
            }
        }
    }
}

/// Failing before the start, and the records that go with it.
struct Lead {
    phase: AnomalyPhase,
    first: Second,
    good_before: Second,
}

fn lead(host: &Host<'_>, window: Window) -> Option<Lead> {
    let mut seconds: Vec<Second> = host
        .said
        .iter()
        .filter(|s| window.contains(s.second) && host.server_side(s.class))
        .map(|s| s.second)
        .collect();
    seconds.dedup();
    if seconds.len() < LEAST {
        return None;
    }
    // A failed request is written in the second of its record, or arrived before it.
    let first = *seconds.first()?;
    let (mut requests, mut failed, mut with) = (0, 0, 0);
    let mut start = None;
    host.timeline.each(Window { start: first - 1, end: window.end }, |m| {
        if m.failed > 0 {
            start = start.or(Some(m.second));
            let near = seconds.partition_point(|s| *s < m.second);
            with += usize::from(seconds.get(near).is_some_and(|s| s - m.second <= 1));
        }
        if start.is_some() {
            requests += m.counts.iter().map(|n| u64::from(*n)).sum::<u64>();
            failed += u64::from(m.failed);
        }
    });
    let start = start?;
    if 2 * with < seconds.len() {
        return None;
    }
    let mut good_before = start - 1;
    host.timeline.each(Window { start: start - 600, end: start }, |m| {
        if m.failed == 0 {
            good_before = m.second;
        }
    });
    let phase = AnomalyPhase { kind: Kind::Failing, start, end: window.end, requests, failed };
    Some(Lead { phase, first: start, good_before })
}
