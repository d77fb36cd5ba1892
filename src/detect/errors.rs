//! The error log as evidence of its own: server-side records, and what nginx says about stopping and starting.
//!
//! The trial is the second: it holds a server-side record or it does not. So a thousand records of one second weigh as
//! much as one, and the same automaton serves.

use super::anomaly::{Anomaly, Detection, ErrorStretch, Kind, Reason, Remark, SilenceKind};
use super::steps::{Excused, Steps};
use super::{MarkKind, Options, Signals, Tick, Ticks, failing};
use crate::time::{Second, Window};

/// Where no access log tells when the server was well, and the error log is no longer than this and holds failures in
/// most of its seconds, so much silence before its first record counts as health: it has no other way to say so. A longer
/// one has a usual of its own, and sparse records may be just that. Its end says nothing, for what is the last thing in it
/// may go on.
const ASSUMED_HEALTH: i64 = 3600;

/// Whether a word is about nginx running or not.
pub(crate) fn is_about_running(kind: MarkKind) -> bool {
    matches!(
        kind,
        MarkKind::Start | MarkKind::Stop | MarkKind::GracefulStop | MarkKind::StartFailed | MarkKind::Upgrade
    )
}

/// Failures that the error log explains as meant, second by second.
pub(crate) fn excused<T: Ticks>(signals: &Signals<'_, T>) -> Vec<(Second, u32)> {
    let mut seconds: Vec<(Second, u32)> = Vec::new();
    for e in signals.errors.iter().filter(|e| (signals.excused)(e.class)) {
        match seconds.last_mut() {
            Some((second, count)) if *second >= e.second => *count = count.saturating_add(e.count),
            _ => seconds.push((e.second, e.count)),
        }
    }
    seconds
}

/// The seconds with server-side records, as ticks of one trial each.
#[derive(Debug)]
struct Trials {
    /// (second, records), rising.
    seconds: Vec<(Second, u32)>,
    span: Window,
}

impl Ticks for Trials {
    fn each(&self, window: Window, mut visit: impl FnMut(Tick)) {
        let (from, to) = (window.start.max(self.span.start), window.end.min(self.span.end));
        let mut next = self.seconds.partition_point(|s| s.0 < from);
        for second in from..to {
            let failed = u32::from(self.seconds.get(next).is_some_and(|s| s.0 == second));
            next += failed as usize;
            visit(Tick { second, good: 1 - failed, neutral: 0, failed });
        }
    }

    fn span(&self) -> Option<Window> {
        Some(self.span)
    }
}

impl Trials {
    /// The fold of [`Steps`], without visiting the empty seconds one by one.
    fn steps(&self) -> Steps {
        let mut steps = Steps::new(self.span);
        let mut clean_from = self.span.start;
        for &(second, _) in &self.seconds {
            steps.push_clean(clean_from, second);
            steps.push(second, 0, 1);
            clean_from = second.saturating_add(1);
        }
        steps.push_clean(clean_from, self.span.end);
        steps.busy = steps.good.saturating_add(steps.failed);
        steps
    }

    fn records(&self, window: Window) -> u64 {
        let from = self.seconds.partition_point(|s| s.0 < window.start);
        self.seconds[from..].iter().take_while(|s| s.0 < window.end).map(|s| u64::from(s.1)).sum()
    }
}

/// Finds stretches of server-side records; without an access log, also the stretches in which nginx was stopped.
pub(crate) fn find<T: Ticks>(signals: &Signals<'_, T>, options: &Options, found: &mut Detection) {
    server_side(signals, options, found);
    if signals.access.is_none() {
        stopped(signals, options, found);
    }
}

fn server_side<T: Ticks>(signals: &Signals<'_, T>, options: &Options, found: &mut Detection) {
    let mut seconds: Vec<(Second, u32)> = Vec::new();
    for e in signals.errors.iter().filter(|e| (signals.server_side)(e.class)) {
        match seconds.last_mut() {
            Some((second, count)) if *second >= e.second => *count = count.saturating_add(e.count),
            _ => seconds.push((e.second, e.count)),
        }
    }
    let (Some(first), Some(last)) = (seconds.first().map(|s| s.0), seconds.last().map(|s| s.0)) else {
        return;
    };
    let known = signals.access.and_then(Ticks::span).into_iter().chain(signals.covered.iter().copied());
    let known = known.reduce(|a, b| Window { start: a.start.min(b.start), end: a.end.max(b.end) });
    // The records are in the order of time.
    let ends = [signals.errors.first(), signals.errors.last()].into_iter().flatten().map(|e| e.second);
    let heard = ends.chain(signals.marks.iter().map(|m| m.second));
    let (low, high) = heard.fold((first, last), |(a, b), s| (a.min(s), b.max(s)));
    let mut span = known.map_or(Window { start: low, end: high.saturating_add(1) }, |k| Window {
        start: k.start.min(low),
        end: k.end.max(high.saturating_add(1)),
    });
    let length = span.end.saturating_sub(span.start);
    let dense = 2 * seconds.len() as i64 >= length;
    if signals.access.is_none() && (known.is_none() || length <= ASSUMED_HEALTH && dense) {
        span.start = span.start.min(low.saturating_sub(ASSUMED_HEALTH));
    }
    let trials = Trials { seconds, span };
    let steps = trials.steps();
    let mut own = Detection::default();
    // A second counts once whatever it holds, so what hangs together in requests hardly does here.
    let options = Options { least_dispersion: 1.5, ..*options };
    failing::find(&trials, &steps, Excused { seconds: &[] }, &options, &mut own);
    for mut a in own.anomalies {
        let window = Window { start: a.first_bad, end: a.last_bad.saturating_add(1) };
        a.kind = Kind::ErrorsOnly;
        a.errors = Some(ErrorStretch {
            start: window.start,
            end: window.end,
            records: trials.records(window),
            evidence_nats: a.evidence_nats,
        });
        // Seconds were counted, not requests; and a second without a record is no success.
        (a.requests, a.failed, a.good_ratio) = (0, 0, None);
        (a.last_good_before, a.first_good_after) = (None, None);
        for p in &mut a.phases {
            (p.kind, p.requests, p.failed) = (Kind::ErrorsOnly, 0, 0);
        }
        found.anomalies.push(a);
    }
    found.remarks.extend(own.remarks.into_iter().map(|r| Remark {
        kind: Kind::ErrorsOnly,
        requests: 0,
        failed: 0,
        ..r
    }));
}

/// Without an access log nginx's own words are all there is: from each stop to the start after it.
fn stopped<T: Ticks>(signals: &Signals<'_, T>, options: &Options, found: &mut Detection) {
    let mut since: Option<Second> = None;
    let mut upgrading = false;
    for m in signals.marks {
        match m.kind {
            MarkKind::Upgrade => upgrading = true,
            MarkKind::Stop | MarkKind::GracefulStop if upgrading => upgrading = false,
            MarkKind::Stop | MarkKind::GracefulStop => since = since.or(Some(m.second)),
            MarkKind::Start => {
                if let Some(from) = since.take() {
                    let down = m.second.saturating_sub(from);
                    if down >= options.least_seconds {
                        found.anomalies.push(down_by_words(from, Some(m.second), m.second, options));
                    } else {
                        let end = m.second.max(from.saturating_add(1));
                        found.remarks.push(stop_remark(from, end, Reason::QuickRestart));
                    }
                }
            }
            _ => {}
        }
    }
    if let Some(from) = since {
        let words = signals.marks.last().map_or(from, |m| m.second);
        let files = signals.covered.last().map_or(from, |w| w.end.saturating_sub(1));
        let last = words.max(files);
        if last.saturating_sub(from) >= options.least_seconds {
            found.anomalies.push(down_by_words(from, None, last, options));
        } else {
            found.remarks.push(stop_remark(from, from.saturating_add(1), Reason::StoppedAtEnd));
        }
    }
}

fn stop_remark(start: Second, end: Second, reason: Reason) -> Remark {
    let kind = Kind::Silence(SilenceKind::Down);
    Remark { kind, reason, start, end, requests: 0, failed: 0, usual_share: 0.0, evidence_nats: 0.0 }
}

fn down_by_words(from: Second, end: Option<Second>, last: Second, options: &Options) -> Anomaly {
    let kind = Kind::Silence(SilenceKind::Down);
    let until = last.max(from.saturating_add(1));
    Anomaly {
        end,
        end_bounds: if end.is_some() { (until.saturating_sub(1), until) } else { (until, until) },
        end_interval: (until, until),
        open_end: end.is_none(),
        evidence_nats: -options.false_findings.max(1e-9).ln(),
        stopped_at: Some(from),
        started_at: end,
        ..Anomaly::between(kind, Window { start: from, end: until }, (0, 0))
    }
}
