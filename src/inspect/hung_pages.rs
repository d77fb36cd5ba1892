//! A page that hung, in a log without request times: dated by when it ceased to answer well.
//!
//! How long requests had waited that timed out is told by the hole in the successes that they fill. Where one page hangs
//! among many, the hole is lost in the scatter of all successes and plain in those of the page.

use super::again::Looks;
use super::host::{Counted, Host};
use super::incident::window;
use crate::detect::{self, Detection, Kind};
use crate::scan::Dimension;
use crate::time::Second;

/// The page with this share of the failures, at least, tells for all of them,
const SHARE: f64 = 0.5;
/// if there are so many.
const FAILED: u64 = 5;

/// Dates the failing by timeout in which one page fails among others.
pub(super) fn date(host: &Host<'_>, looks: &mut Looks, found: &mut Detection) {
    if host.arrival_known() || host.trials.is_some() {
        return;
    }
    let mut last = Second::MIN;
    for a in found.anomalies.iter_mut().filter(|a| a.kind == Kind::Failing) {
        let before = last;
        last = last.max(a.last_bad);
        let at = window(a);
        let tally = host.failures(at);
        let timed_out: u64 = [408, 499, 504].iter().filter_map(|s| tally.statuses.get(s)).sum();
        let Some((page, failed)) = tally.ranked(Dimension::Endpoint).first().copied() else { continue };
        if 2 * timed_out <= tally.failed || failed < FAILED || (failed as f64) < SHARE * tally.failed as f64 {
            continue;
        }
        if let Some(look) = looks.name(host, at, (Dimension::Endpoint, page.as_bytes()), (failed, 1)) {
            let ticks = look.ticks(|x| (x.failed || x.good()).then_some(x.failed));
            detect::date_by_wait_of(&ticks, &Counted::of(host), a, before);
        }
    }
}
