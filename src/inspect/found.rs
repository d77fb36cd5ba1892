//! Findings: worth saying, and no incident.

use super::background;
use super::cause::word_summary;
use super::host::Host;
use super::incident::window;
use crate::clock;
use crate::detect::{Anomaly, Kind, MarkKind, Reason, Remark};
use crate::report::{Finding, STOPPED_AT_END};
use crate::time::Window;

/// Findings of one kind that are told one by one; of more, the first ones and their number.
const EACH: usize = 20;

/// Seconds within which the same word is one event,
const AT_ONCE: i64 = 5;
/// and crashes of workers are one trouble.
const ON_AND_ON: i64 = 60;

/// What a host's logs say beside the incidents.
pub fn findings(host: &Host<'_>, anomalies: &[Anomaly], remarks: &[Remark]) -> Vec<Finding> {
    let mut found: Vec<Finding> = remarks.iter().filter_map(|r| remark(host, r)).collect();
    let inside = |second: i64| {
        anomalies.iter().any(|a| {
            let w = window(a);
            w.start - 2 <= second && second <= w.end + 2
        })
    };
    let at_end = stopped_at_end(host);
    for mark in &host.marks {
        let (kind, told_inside) = match mark.kind {
            MarkKind::Stop | MarkKind::GracefulStop if at_end == Some(mark.second) => (STOPPED_AT_END, false),
            MarkKind::Reload => ("reload", true),
            MarkKind::ReloadFailed => ("refused-reload", true),
            MarkKind::StartFailed => ("refused-start", false),
            MarkKind::Start => ("start", false),
            MarkKind::Stop | MarkKind::GracefulStop => ("stop", false),
            MarkKind::WorkerCrash => ("worker-crash", true),
            MarkKind::BindFailed => ("second-start", false),
            MarkKind::Upgrade => ("upgrade", true),
            MarkKind::UpgradeFailed => ("failed-upgrade", false),
            MarkKind::Reopen => continue,
        };
        if !told_inside && inside(mark.second) {
            continue;
        }
        let line = host
            .said
            .iter()
            .find(|s| s.second == mark.second && s.word.is_some_and(|w| belongs(w, mark.kind)));
        let summary = match mark.kind {
            _ if kind == STOPPED_AT_END => at_end_summary(host),
            MarkKind::ReloadFailed => {
                "a reload was refused: the old configuration goes on, and the next restart would fail".into()
            }
            MarkKind::Reload => "the configuration was reloaded".into(),
            MarkKind::StartFailed => {
                "a configuration was refused (a start, or a test with nginx -t); the running nginx goes on"
                    .into()
            }
            MarkKind::BindFailed => {
                "nginx was started while its addresses were in use; the one that runs is not affected".into()
            }
            MarkKind::UpgradeFailed => "a new binary did not start; the running nginx goes on".into(),
            _ => line.and_then(|s| s.word).map_or_else(String::new, |w| word_summary(w).to_owned()),
        };
        let evidence = line.map(|s| host.evidence(s.file, &s.sample)).into_iter().collect();
        let last = found.last_mut().filter(|f| f.kind == kind);
        let since = last.as_ref().map_or(i64::MAX, |f| mark.second - f.end.unwrap_or(f.time) / 1000);
        if let Some(last) =
            last.filter(|_| mark.kind == MarkKind::WorkerCrash && (1..=ON_AND_ON).contains(&since))
        {
            // A new worker dies as the one before it did.
            last.end = Some(mark.second * 1000);
            last.summary = "worker processes crashed again and again".into();
        } else if since > AT_ONCE {
            found.push(Finding { kind, time: mark.second * 1000, end: None, summary, evidence });
        }
    }
    found.extend(background::findings(host, anomalies));
    found.sort_by_key(|f| f.time);
    // Told by the silence and by nginx's words: the latter have the line.
    if found.iter().filter(|f| f.kind == STOPPED_AT_END).count() > 1 {
        found.retain(|f| f.kind != STOPPED_AT_END || !f.evidence.is_empty());
    }
    cap(found)
}

/// Seconds in which requests that had begun before it stopped are answered.
const LAST_ANSWERS: i64 = 3;

/// When nginx said that it stops, if nothing comes after that.
fn stopped_at_end(host: &Host<'_>) -> Option<i64> {
    let last = host.marks.iter().rfind(|m| m.kind != MarkKind::Reopen)?;
    let is_stop = matches!(last.kind, MarkKind::Stop | MarkKind::GracefulStop);
    let none_later = host.timeline.span().is_none_or(|s| s.end <= last.second.saturating_add(LAST_ANSWERS));
    (is_stop && none_later).then_some(last.second)
}

fn at_end_summary(host: &Host<'_>) -> String {
    let on = host.name.as_ref().map_or_else(String::new, |name| format!(" on {name}"));
    format!(
        "nginx{on} was told to stop, and the logs end there: whether it was started again they do not tell"
    )
}

fn belongs(word: super::marks::Word, kind: MarkKind) -> bool {
    use super::marks::Word;
    match kind {
        MarkKind::Start => matches!(word, Word::Version | Word::Workers),
        MarkKind::Reload => word == Word::Workers,
        MarkKind::ReloadFailed | MarkKind::StartFailed => word == Word::Emergency,
        MarkKind::Stop => word == Word::Terminate,
        MarkKind::GracefulStop => word == Word::Quit,
        MarkKind::WorkerCrash => word == Word::Crash,
        MarkKind::BindFailed => word == Word::AddressInUse,
        MarkKind::Upgrade => word == Word::Upgrade,
        MarkKind::UpgradeFailed => word == Word::NewBinaryFailed,
        MarkKind::Reopen => word == Word::Reopen,
    }
}

/// A candidate that was let go, with the reason.
fn remark(host: &Host<'_>, r: &Remark) -> Option<Finding> {
    if r.kind == Kind::Slow && r.reason == Reason::Blip {
        let (late, of) = (clock::count(r.failed), clock::count_of(r.requests, "request"));
        let length = clock::duration((r.end - r.start).max(0) * 1000);
        let summary = format!("{late} of {of} took several times as long as usual, for {length}: a pause");
        return Some(Finding {
            kind: "pause",
            time: r.start * 1000,
            end: Some(r.end * 1000),
            summary,
            evidence: Vec::new(),
        });
    }
    if matches!(r.kind, Kind::Slow | Kind::Missing) {
        return None;
    }
    // What limits refused was not compared with the rest.
    let failed = match r.requests {
        0 => format!("{} failed", clock::count_of(r.failed, "request")),
        n => format!("{} of {} failed", clock::count(r.failed), clock::count_of(n, "request")),
    };
    let length = clock::duration((r.end - r.start).max(0) * 1000);
    let silent = matches!(r.kind, Kind::Silence(_));
    let (kind, summary) = match r.reason {
        Reason::Blip => ("blip", format!("{failed} within {length}: too short to call")),
        Reason::OrdinaryWobble(factor) => (
            "ordinary-wobble",
            format!(
                "{failed} in {length}: the odds of failing ordinarily move by {factor:.1} times here in such a time"
            ),
        ),
        Reason::TooLittle if r.kind == Kind::ErrorsOnly => return records(host, r),
        Reason::TooLittle if r.failed == 0 && !silent => return None,
        Reason::TooLittle => ("not-enough-evidence", format!("{failed} in {length}: not enough to call")),
        Reason::NoContrast => {
            ("no-contrast", format!("{failed} in {length}, and as many right before or after"))
        }
        Reason::LevelShift => (
            "level-shift",
            if silent {
                format!("traffic changed its level for {length}")
            } else {
                format!("{failed} in {length} at an end of the log: a change of level, perhaps")
            },
        ),
        Reason::Habitual => {
            ("habitual-quiet", format!("no request for {length}, as on other days at this time"))
        }
        Reason::PlausibleSilence => (
            "plausible-silence",
            format!("no request for {length}: at this rate not enough to call it a silence"),
        ),
        Reason::QuickRestart => ("restart", format!("nginx was stopped and started again within {length}")),
        Reason::StoppedAtEnd => (STOPPED_AT_END, at_end_summary(host)),
        Reason::Limited => {
            ("limited-client", format!("{failed} in {length}, as limits of the configuration meant it"))
        }
    };
    let evidence = if silent {
        Vec::new()
    } else {
        host.failure_evidence(crate::time::Window { start: r.start, end: r.end.max(r.start + 1) })
            .into_iter()
            .take(1)
            .collect()
    };
    Some(Finding { kind, time: r.start * 1000, end: Some(r.end * 1000), summary, evidence })
}

/// A few records of upstreams and the like that failed, and no request with them.
fn records(host: &Host<'_>, r: &Remark) -> Option<Finding> {
    let window = Window { start: r.start, end: r.end.max(r.start + 1) };
    let inside = || host.said.iter().filter(|s| window.contains(s.second) && host.server_side(s.class));
    let first = inside().next()?;
    let count: u64 = inside().map(|s| s.count_in(window)).sum();
    let failed = host.failures_unnamed(window).failed;
    let beside = match failed {
        0 => "and no request failed".to_owned(),
        n => format!("and {} failed", clock::count_of(n, "request")),
    };
    let length = clock::duration((r.end - r.start).max(0) * 1000);
    let records = clock::count_of(count, "record");
    Some(Finding {
        kind: "not-enough-evidence",
        time: r.start * 1000,
        end: Some(r.end * 1000),
        summary: format!(
            "{records} of failures on the server's side in {length}, {beside}: not enough to call"
        ),
        evidence: vec![host.evidence(first.file, &first.sample)],
    })
}

/// At most [`EACH`] of a kind one by one; the rest as a number in the last of them.
fn cap(found: Vec<Finding>) -> Vec<Finding> {
    let mut counts: std::collections::BTreeMap<&'static str, usize> = std::collections::BTreeMap::new();
    for f in &found {
        *counts.entry(f.kind).or_default() += 1;
    }
    let mut seen: std::collections::BTreeMap<&'static str, usize> = std::collections::BTreeMap::new();
    let mut out = Vec::new();
    for mut f in found {
        let n = seen.entry(f.kind).or_default();
        *n += 1;
        let total = counts.get(f.kind).copied().unwrap_or(0);
        if *n == EACH && total > EACH {
            f.summary = format!("{} (and {} more of this kind later)", f.summary, total - EACH);
        }
        if *n <= EACH {
            out.push(f);
        }
    }
    out
}
