//! The edges of a slowdown in which requests waited long, by when each of them came.
//!
//! The scan counts how long requests took in steps of an eighth, and what took forty seconds may have come five seconds
//! earlier or later. The lines tell it to the second.

use super::again::Looks;
use super::host::Host;
use super::incident::window;
use crate::detect::{self, Anomaly, Detection, Kind};
use crate::time::Second;

/// What is late by less came within a second of what its step says, in milliseconds.
const LONG_MS: f64 = 4000.0;
/// An edge is moved by no more than this part of the time taken: twice a step.
const STEP: f64 = 0.25;

/// Dates the edges of slowdowns again.
pub(super) fn date(host: &Host<'_>, looks: &mut Looks, found: &mut Detection) {
    for a in found.anomalies.iter_mut().filter(|a| a.within.is_none()) {
        let Some(slow) = a.slow.filter(|s| s.late_ms >= LONG_MS) else { continue };
        let is_slow = |p: Option<&detect::AnomalyPhase>| p.is_some_and(|p| p.kind == Kind::Slow);
        let (first, last) = (is_slow(a.phases.first()), is_slow(a.phases.last()));
        let Some(look) = looks.at(host, window(a)).filter(|look| look.complete && (first || last)) else {
            continue;
        };
        let ticks = look.ticks_of_arrivals(|x| x.took.map(|ms| ms >= slow.limit_ms));
        let reach = STEP * slow.late_ms.max(slow.p90_ms) / 1000.0;
        let is_near = |own: Second, other: Second| (own - other).abs() as f64 <= reach;
        for b in detect::late_stretches(&ticks, 1) {
            if first && !a.open_start && is_near(a.start, b.start) {
                begin(a, &b);
            }
            if last && !a.open_end && !b.open_end && is_near(a.end_or_last(), b.end_or_last()) {
                end(a, &b);
            }
        }
    }
}

fn begin(a: &mut Anomaly, by: &Anomaly) {
    (a.start, a.start_bounds, a.start_interval) = (by.start, by.start_bounds, by.start_interval);
    (a.first_bad, a.last_good_before) = (by.first_bad, by.last_good_before);
    for (i, p) in a.phases.iter_mut().enumerate() {
        p.start = if i == 0 { by.start } else { p.start.max(by.start) };
        p.end = p.end.max(p.start.saturating_add(1));
    }
}

fn end(a: &mut Anomaly, by: &Anomaly) {
    (a.end, a.end_bounds, a.end_interval) = (by.end, by.end_bounds, by.end_interval);
    (a.last_bad, a.first_good_after) = (by.last_bad, by.first_good_after);
    if let Some(p) = a.phases.last_mut() {
        p.end = by.end_or_last().max(p.start.saturating_add(1));
    }
}
