//! The edges of failing that one part of the site met, by the requests for that part alone.
//!
//! Among all requests a part that fails altogether is a share of failures, and a pause between two requests for it looks
//! like the end. What it was asked for says more: it is over when one of them is answered well, and not before.

use super::again::Looks;
use super::host::Host;
use super::incident::window;
use super::severity::NEAR_TOTAL;
use super::small;
use crate::detect::{self, Anomaly, Detection, Kind, Options};
use crate::scan::{Dimension, FailureTally};

/// A part has nearly all of the failures,
const OF_FAILURES: f64 = 0.9;
/// so many of them at least,
const FAILED: u64 = 5;
/// and nearly all of its requests failed,
const ALTOGETHER: f64 = 0.9;
/// which was not so before or after: so many were answered well.
const WORKS: usize = 4;

/// Dates failing again that a part of the site met.
pub(super) fn date(host: &Host<'_>, looks: &mut Looks, found: &mut Detection) {
    if host.trials.is_some() {
        return;
    }
    for a in &mut found.anomalies {
        let is_part = a.failed_share().is_some_and(|s| s < NEAR_TOTAL);
        let is_plain =
            a.within.is_none() && a.waited.is_none() && a.phases.iter().all(|p| p.kind == Kind::Failing);
        if a.kind == Kind::Failing && is_part && is_plain {
            let tally = host.failures(window(a));
            if let Some(own) = part(&tally).find_map(|name| own(host, looks, a, name)) {
                take(a, &own);
            }
        }
    }
}

/// The names that have nearly all of the failures, the narrowest first.
fn part(tally: &FailureTally) -> impl Iterator<Item = (Dimension, &[u8])> {
    let enough = |n: u64| n >= FAILED && n as f64 >= OF_FAILURES * tally.failed as f64;
    let of = move |dimension: Dimension| {
        let (name, n) = tally.ranked(dimension).first().copied()?;
        enough(n).then_some((dimension, name.as_bytes()))
    };
    [Dimension::Endpoint, Dimension::Vhost, Dimension::Peer].into_iter().filter_map(of)
}

/// How the requests for a name failed meanwhile, if they all did.
fn own(host: &Host<'_>, looks: &mut Looks, a: &Anomaly, name: (Dimension, &[u8])) -> Option<Anomaly> {
    let look = looks.name(host, window(a), name, (1, 1))?;
    if look.outside().filter(|x| x.good()).count() < WORKS {
        return None;
    }
    let ticks = look.ticks(|x| (x.failed || x.good()).then_some(x.failed));
    let found = detect::stretches(&ticks, &Options::default()).anomalies;
    let own = found.into_iter().find(|b| window(b).overlaps(window(a)))?;
    // Where none was asked for since, that the part fails still is not said.
    let reach = small::reach((own.first_bad, own.last_bad), own.failed);
    let is_over = own.open_end && own.end_bounds.1.saturating_sub(own.last_bad) > reach;
    (!is_over && own.failed_share().is_some_and(|share| share >= ALTOGETHER)).then_some(own)
}

/// Gives an anomaly the edges of another.
fn take(a: &mut Anomaly, by: &Anomaly) {
    (a.start, a.start_bounds, a.start_interval) = (by.start, by.start_bounds, by.start_interval);
    (a.first_bad, a.last_good_before, a.open_start) = (by.first_bad, by.last_good_before, by.open_start);
    (a.end, a.end_bounds, a.end_interval) = (by.end, by.end_bounds, by.end_interval);
    (a.last_bad, a.first_good_after, a.open_end) = (by.last_bad, by.first_good_after, by.open_end);
    let (start, until) = (a.start, a.end_or_last());
    a.phases.retain(|p| p.start < until && p.end > start);
    if let Some(p) = a.phases.first_mut() {
        p.start = start;
    }
    if let Some(p) = a.phases.last_mut() {
        p.end = until.max(p.start.saturating_add(1));
    }
}
