//! Silences in which requests came and waited: when it is over, they are answered all at once.
//!
//! nginx logs a request when it ends. Where everything waits (an application that collects its garbage, a lock in its
//! database), no line is written, and then the lines of all who waited within a second or two. A log without request
//! times shows it by that flood alone.

use super::host::Host;
use crate::clock;
use crate::detect::{Anomaly, Kind, SilenceKind};
use crate::report::Cause;
use crate::time::Window;
use crate::timeline::Classes;

/// Seconds behind a silence in which those who waited are answered.
const BEHIND: i64 = 3;
/// So many more than usual are no chance,
const LEAST: f64 = 20.0;
/// nor are they those who come back, where they make up this part of all who were to be expected in the silence.
const PART: f64 = 0.5;

/// How many requests were answered all at once when a silence was over.
pub(super) fn answers(host: &Host<'_>, a: &Anomaly) -> Option<u64> {
    let (end, expected) = (a.end?, a.expected_requests?.value);
    if a.kind != Kind::Silence(SilenceKind::Unknown) {
        return None;
    }
    let mut good = 0u64;
    let behind = Window { start: end, end: end + BEHIND };
    host.timeline.each_sum(behind, [Classes::GOOD, Classes::NONE], |s| good += u64::from(s.lines[0]));
    let usual = expected / (end - a.start).max(1) as f64 * BEHIND as f64;
    let more = good as f64 - usual;
    (more >= LEAST && more >= PART * expected).then_some(more.round() as u64)
}

/// Why, as far as the access log tells.
pub(super) fn cause(host: &Host<'_>, a: &Anomaly, answers: u64) -> Option<Cause> {
    let evidence = host.lines_around(a);
    (!evidence.is_empty()).then(|| Cause {
        category: "upstream.slow".into(),
        confidence: "possible",
        summary: format!(
            "requests waited: about {} more than usual were answered within {BEHIND} s when it was over; what they waited \
             for the log does not tell",
            clock::count(answers),
        ),
        evidence,
    })
}
