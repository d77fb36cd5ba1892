//! Silences of one host whose requests the other hosts answered: taken out of the balancing, and nothing was lost.

use super::seen::Seen;
use crate::clock;
use crate::report::{Finding, Incident, Severity};
use crate::time::{Millis, Window};

/// Seconds on each side of a silence that tell how much the other hosts usually have.
const AROUND: i64 = 600;
/// The others took a silent host's requests over when they had this part of them beside their own,
const PART: f64 = 0.7;
/// and so many standard deviations more than before and after.
const SIGMAS: f64 = 5.0;

/// What the other hosts had while one was silent: requests, and as many as they usually have in such a time (the more of
/// before and after).
fn of_others(hosts: &[Seen<'_>], own: &str, window: Window) -> Option<(f64, f64)> {
    let requests = |w: Window| -> f64 {
        let of = |host: &Seen<'_>| {
            let mut n = 0u64;
            host.timeline.each(w, |m| n += m.counts.iter().map(|c| u64::from(*c)).sum::<u64>());
            n as f64
        };
        hosts.iter().filter(|h| h.shown() != own).map(of).sum()
    };
    // Where one of them has no log, nothing can be said of it.
    let spans = hosts.iter().filter(|h| h.shown() != own).map(|h| h.timeline.span());
    let known = spans.reduce(|a, b| {
        let (a, b) = (a?, b?);
        Some(Window { start: a.start.max(b.start), end: a.end.min(b.end) })
    })??;
    let rate = |w: Window| {
        let w = Window { start: w.start.max(known.start), end: w.end.min(known.end) };
        let seconds = w.end.saturating_sub(w.start);
        (seconds >= 30).then(|| requests(w) / seconds as f64)
    };
    let before = rate(Window { start: window.start.saturating_sub(AROUND), end: window.start });
    let after = rate(Window { start: window.end, end: window.end.saturating_add(AROUND) });
    let usual = before.into_iter().chain(after).reduce(f64::max)?;
    let inside = known.start <= window.start && window.end <= known.end;
    let seconds = window.end.saturating_sub(window.start) as f64;
    inside.then(|| (requests(window), usual * seconds))
}

/// Takes out of `incidents`, which are of one host each, the silences that nobody noticed: their host got no requests
/// because the others got them. Where nginx is known to have been down the incident stays, and says so.
pub fn taken_over(hosts: &[Seen<'_>], incidents: &mut Vec<Incident>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if hosts.len() < 2 {
        return findings;
    }
    incidents.retain_mut(|i| {
        let Some((finding, down)) = finding(hosts, i) else { return true };
        if down {
            i.client_visible = false;
            i.why = format!("{}; {}", i.why, finding.summary);
            (i.impact.lost_estimate, i.impact.lost_bounds) = (None, None);
        } else {
            findings.push(finding);
        }
        down
    });
    findings
}

/// The finding, and whether nginx was down.
fn finding(hosts: &[Seen<'_>], i: &Incident) -> Option<(Finding, bool)> {
    let second = |ms: Millis| ms.div_euclid(1000);
    let ([own], Some(end), Some(lost)) = (i.scope.hosts.as_slice(), i.end, i.impact.lost_estimate) else {
        return None;
    };
    let silent = i.impact.requests == 0 && i.phases.iter().all(|p| p.kind == "silent");
    let down = i.severity == Severity::Outage;
    if !silent || !(down || i.severity == Severity::Unknown) {
        return None;
    }
    let window = Window { start: second(i.start), end: second(end).max(second(i.start) + 1) };
    let (had, usual) = of_others(hosts, own, window)?;
    let more = had - usual;
    if more < PART * lost as f64 || more < SIGMAS * usual.max(1.0).sqrt() {
        return None;
    }
    let others = if hosts.len() == 2 { "the other host" } else { "the other hosts" };
    let count = |n: f64| clock::count(n.round() as u64);
    let summary = format!(
        "{own} had no request for {}, and {others} had them: {} where {} are usual",
        clock::duration(end - i.start),
        count(had),
        count(usual)
    );
    let evidence = i.cause.as_ref().map_or_else(|| i.evidence.clone(), |c| c.evidence.clone());
    Some((Finding { kind: "taken-over", time: i.start, end: Some(end), summary, evidence }, down))
}
