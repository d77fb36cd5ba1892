//! Silences in which nginx stood still: its processes or its host were suspended, swapped out or blocked.
//!
//! While nothing runs nothing is written, and connections wait in the kernel's queue. When it goes on, nginx finds that
//! most clients have gone meanwhile and logs each as 499, all within a second or two. Where the log tells how long
//! requests took, these are failures of the time in which they came, and no silence is left.

use super::host::Host;
use crate::clock;
use crate::detect::{Anomaly, Detection, Kind, SilenceKind};
use crate::report::{Cause, Impact, MadeOf};
use crate::time::Window;
use crate::timeline::{Class, Classes};

/// Seconds behind a silence in which what had waited is logged.
const BEHIND: i64 = 3;
/// Seconds after that in which clients go away no more:
const LATER: i64 = 10;
/// at most at this part of the rate.
const ON: f64 = 0.3;
/// Seconds before it that tell how often clients usually go away.
const BEFORE: i64 = 600;
/// So many clients gone are no chance,
const LEAST: f64 = 5.0;
/// and this part of the requests that were to be expected in the silence,
const PART: f64 = 0.1;
/// and so many standard deviations above what is usual.
const SIGMAS: f64 = 6.0;

/// Finds such silences.
pub(super) fn find(host: &Host<'_>, found: &mut Detection) {
    let unexplained = Kind::Silence(SilenceKind::Unknown);
    for a in found.anomalies.iter_mut().filter(|a| a.kind == unexplained) {
        let Some(gone) = gone(host, a) else { continue };
        a.kind = Kind::Silence(SilenceKind::Stalled);
        (a.requests, a.failed) = (gone, gone);
        for p in a.phases.iter_mut().filter(|p| p.kind == unexplained) {
            p.kind = a.kind;
        }
    }
}

fn given_up(host: &Host<'_>, window: Window) -> u64 {
    let mut n = 0;
    host.timeline
        .each_sum(window, [Classes::one(Class::Aborted), Classes::NONE], |s| n += u64::from(s.lines[0]));
    n
}

/// How many requests that had waited were given up.
fn gone(host: &Host<'_>, a: &Anomaly) -> Option<u64> {
    let (after, expected) = (a.first_good_after.or(a.end)?, a.expected_requests?);
    let behind = Window { start: a.end?.min(after), end: after + BEHIND };
    let before = Window { start: a.start - BEFORE, end: a.start };
    let known = host.timeline.span()?;
    let seconds = (before.end - before.start.max(known.start)).max(1) as f64;
    let usual = given_up(host, before) as f64 / seconds * (behind.end - behind.start) as f64;
    let gone = given_up(host, behind);
    let most = (PART * expected.value).max(LEAST).max(usual + SIGMAS * usual.max(1.0).sqrt());
    // Where clients go away on and on, it is not that what had waited was let go.
    let later = Window { start: behind.end, end: behind.end + LATER };
    let on = given_up(host, later) as f64 / LATER as f64 * (behind.end - behind.start) as f64;
    (gone as f64 >= most && on <= ON * gone as f64).then_some(gone)
}

/// What the requests that waited make of the figures.
pub(super) fn count(a: &Anomaly, impact: &mut Impact) {
    let waited = a.failed;
    impact.requests += waited;
    impact.failed += waited;
    impact.uncounted += waited;
    impact.failed_share = Some(impact.failed as f64 / impact.requests.max(1) as f64);
    *impact.statuses.entry(499).or_default() += waited;
    impact.lost_estimate = impact.lost_estimate.map(|n| n.saturating_sub(waited));
    impact.lost_bounds =
        impact.lost_bounds.map(|(a, b)| (a.saturating_sub(waited), b.saturating_sub(waited)));
}

/// How its lines are told again.
pub(super) fn made_of() -> MadeOf {
    MadeOf { given_up: true, behind: BEHIND as u16, ..MadeOf::default() }
}

/// Why: nginx says nothing of it.
pub(super) fn cause(host: &Host<'_>, a: &Anomaly) -> Option<Cause> {
    let evidence = host.lines_around(a);
    (!evidence.is_empty()).then(|| Cause {
        category: "process.down".into(),
        confidence: "likely",
        summary: format!(
            "nginx or its host stood still, without a restart: when it went on, {} that had waited had lost their \
             clients (499)",
            clock::count_of(a.failed, "request")
        ),
        evidence,
    })
}
