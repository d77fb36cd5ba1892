//! What nginx's own words prove about a gap: that it stopped, when, and when it was back.

use super::gaps::Gap;
use crate::detect::{Mark, MarkKind, Signals, Ticks};
use crate::time::Second;

/// What nginx's words say about a gap.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Proof {
    pub(super) down: bool,
    pub(super) stopped: Option<Second>,
    pub(super) started: Option<Second>,
    /// A stop and a start too close to matter.
    pub(super) quick: Option<(Second, Second)>,
}

/// For a gap in which so many visits were to be expected.
pub(super) fn proof<T: Ticks>(gap: Gap, signals: &Signals<'_, T>, expected: f64) -> Proof {
    let (from, to) = (gap.window.start.saturating_sub(2), gap.window.end.saturating_add(1));
    let first = signals.marks.partition_point(|m| m.second < from);
    let inside = || signals.marks[first..].iter().take_while(move |m| m.second <= to);
    let upgrade = inside().any(|m| m.kind == MarkKind::Upgrade);
    let stops = |m: &&Mark| matches!(m.kind, MarkKind::Stop | MarkKind::GracefulStop);
    // The first stop and the last start: failed attempts and short-lived starts between them carried no request.
    let stopped = inside().find(stops).map(|m| m.second).filter(|_| !upgrade);
    let after = stopped.unwrap_or(gap.window.start.saturating_sub(1));
    let started = inside()
        .filter(|m| m.kind == MarkKind::Start && m.second >= after)
        .last()
        .map(|m| m.second)
        .filter(|_| !upgrade);
    let refused = inside().any(|m| m.kind == MarkKind::StartFailed);
    match (stopped, started) {
        (Some(s), Some(e)) if e.saturating_sub(s) < 3 && expected < 13.0 => {
            Proof { quick: Some((s, e.max(s.saturating_add(1)))), ..Proof::default() }
        }
        (Some(_), Some(_)) => Proof { down: true, stopped, started, quick: None },
        // A start without a stop: killed, or the host went down. Without lines missing it may be a second nginx.
        // Where the files begin with a start there is nothing it could have been down after.
        (None, Some(_)) if expected >= 3.0 && gap.before.is_some() => {
            Proof { down: true, stopped, started, quick: None }
        }
        (Some(_), None) if gap.after.is_none() || expected >= 3.0 => {
            Proof { down: true, stopped, ..Proof::default() }
        }
        (None, None) if refused && expected >= if gap.before.is_some() { 5.0 } else { 13.0 } => {
            Proof { down: true, ..Proof::default() }
        }
        _ => Proof::default(),
    }
}
