//! The time around an incident: the same counts before it, in the run-up, during and after, and what the comparison says
//! of load and speed. Whether load set it off, whether answers were slow first, and whether it is over can be read off it.

use super::seen::Seen;
use crate::report::{Incident, Severity, Stretch, StretchKind};
use crate::stats::poisson_tail_ln;
use crate::time::{Second, Window};
use crate::timeline::{BUCKETS, Class, Latencies, quantile};

/// Seconds looked at on each side.
const AROUND: Second = 3600;
/// Lengths of the run-up: the first in which so many requests are due, and which leaves three times as much before it.
const RUN_UP: [Second; 4] = [60, 300, 900, 1800];
const DUE: f64 = 30.0;
/// Load has risen when so many times as many requests came as usual, and chance would bring that once in e^7 even where
/// requests come in handfuls of so many.
const RISE: f64 = 1.5;
const NATS: f64 = 7.0;
const HANDFUL: f64 = 2.5;
/// Answers that must be timed on each side to compare them.
const TIMED: u64 = 20;

/// The stretches around an incident and the sentences that compare them, over the hosts it struck. `others` are all
/// incidents.
pub fn around(hosts: &[Seen<'_>], incident: &Incident, others: &[Incident]) -> (Vec<Stretch>, Vec<String>) {
    let names = &incident.scope.hosts;
    let mine: Vec<&Seen<'_>> = hosts
        .iter()
        .filter(|h| names.is_empty() || h.name.is_none_or(|n| names.iter().any(|name| name == n)))
        .filter(|h| !h.timeline.is_empty())
        .collect();
    let spans = mine.iter().filter_map(|h| h.timeline.span());
    let Some(span) = spans.reduce(|a, b| Window { start: a.start.min(b.start), end: a.end.max(b.end) })
    else {
        return Default::default();
    };
    let windows = windows(incident, others, span, &|w| requests(&mine, w));
    let mut stretches: Vec<Stretch> = windows.into_iter().map(|(kind, w)| stretch(&mine, kind, w)).collect();
    behind(&mine, incident, &mut stretches);
    let remarks = remarks(&stretches);
    (stretches, remarks)
}

/// The stretches that the logs reach to, cut where another incident lies.
fn windows(
    incident: &Incident,
    others: &[Incident],
    span: Window,
    requests: &dyn Fn(Window) -> u64,
) -> Vec<(StretchKind, Window)> {
    let start = incident.start.div_euclid(1000);
    let end = incident.end.unwrap_or(incident.end_bounds.1).saturating_add(999).div_euclid(1000);
    let other = |o: &&Incident| o.id != incident.id && o.severity != Severity::Hidden;
    let ended = others.iter().filter(other).filter_map(|o| o.end).map(|e| e.saturating_add(999) / 1000);
    let begun = others.iter().filter(other).map(|o| o.start.div_euclid(1000));
    let from = ended.filter(|e| *e <= start).max().unwrap_or(Second::MIN);
    let until = begun.filter(|b| *b >= end).min().unwrap_or(Second::MAX);
    let before = Window { start: (start - AROUND).max(span.start).max(from), end: start };
    let mut out = Vec::new();
    let length = before.end - before.start;
    if length > 0 && !incident.open_start {
        let rate = requests(before) as f64 / length as f64;
        let run_up = RUN_UP.into_iter().find(|l| rate * *l as f64 >= DUE).filter(|l| l * 4 <= length);
        let cut = before.end - run_up.unwrap_or(0);
        out.push((StretchKind::Before, Window { end: cut, ..before }));
        out.extend(run_up.map(|_| (StretchKind::RunUp, Window { start: cut, ..before })));
    }
    out.push((StretchKind::During, Window { start, end: end.max(start + 1) }));
    let after = Window { start: end, end: end.saturating_add(AROUND).min(span.end).min(until) };
    if incident.end.is_some() && after.start < after.end {
        out.push((StretchKind::After, after));
    }
    out
}

fn requests(hosts: &[&Seen<'_>], window: Window) -> u64 {
    let mut n = 0;
    for host in hosts {
        host.timeline.each(window, |m| n += m.counts.iter().map(|c| u64::from(*c)).sum::<u64>());
    }
    n
}

fn stretch(hosts: &[&Seen<'_>], kind: StretchKind, window: Window) -> Stretch {
    let mut classes = [0u64; crate::timeline::CLASSES];
    let mut failed = 0;
    let mut latencies: Latencies = [0; BUCKETS];
    for host in hosts {
        host.timeline.each(window, |m| {
            failed += u64::from(m.failed);
            for (sum, n) in classes.iter_mut().zip(m.counts) {
                *sum += u64::from(n);
            }
        });
        for (sum, n) in latencies.iter_mut().zip(host.timeline.latencies(window)) {
            *sum = sum.saturating_add(n);
        }
    }
    let of = |classes_of: &[Class]| classes_of.iter().map(|c| classes[*c as usize]).sum();
    let timed: u64 = latencies.iter().map(|n| u64::from(*n)).sum();
    let within = |q| (timed >= TIMED).then(|| quantile(&latencies, q)).flatten();
    Stretch {
        kind,
        start: window.start.saturating_mul(1000),
        end: window.end.saturating_mul(1000),
        requests: classes.iter().sum(),
        failed,
        good: of(&[Class::Info, Class::Ok, Class::Redirect]),
        client_errors: of(&[Class::ClientError, Class::Missing]),
        aborted: of(&[Class::Aborted]),
        server_errors: of(&[Class::ServerError]),
        p50: within(0.5),
        p95: within(0.95),
    }
}

/// Requests that had waited are logged behind the end, and failed inside.
fn behind(hosts: &[&Seen<'_>], incident: &Incident, stretches: &mut [Stretch]) {
    let (seconds, Some(end)) = (Second::from(incident.context.made_of.behind), incident.end) else { return };
    let end = end.saturating_add(999).div_euclid(1000);
    let late = stretch(hosts, StretchKind::After, Window { start: end, end: end.saturating_add(seconds) });
    // Who gave up is bad only where that is what the incident is made of.
    let aborted = if incident.context.made_of.given_up { late.aborted } else { 0 };
    if seconds == 0 || late.server_errors + aborted == 0 {
        return;
    }
    for s in stretches {
        let add = |n: u64, moved: u64| match s.kind {
            StretchKind::During => n.saturating_add(moved),
            StretchKind::After => n.saturating_sub(moved),
            _ => n,
        };
        s.requests = add(s.requests, late.server_errors + aborted);
        s.failed = add(s.failed, late.server_errors);
        s.server_errors = add(s.server_errors, late.server_errors);
        s.aborted = add(s.aborted, aborted);
    }
}

/// Whether `seen` is more than `due`, by size and beyond chance.
fn risen(seen: f64, due: f64) -> bool {
    seen >= RISE * due && -poisson_tail_ln(seen / HANDFUL, due / HANDFUL) >= NATS
}

fn remarks(stretches: &[Stretch]) -> Vec<String> {
    let of = |kind| stretches.iter().find(|s| s.kind == kind);
    let mut out = Vec::new();
    let (Some(before), Some(run_up)) = (of(StretchKind::Before), of(StretchKind::RunUp)) else {
        return out;
    };
    let due = |n: u64| n as f64 * run_up.seconds() / before.seconds().max(1.0);
    let rates = format!("{} in the run-up, {} before that", rate(run_up), rate(before));
    out.push(if risen(run_up.requests as f64, due(before.requests)) {
        format!("More requests came just before it began: {rates}.")
    } else {
        format!("Load was as usual when it began: {rates}.")
    });
    if let (Some(was), Some(then)) = (before.p95, run_up.p95) {
        let times = format!("95 % within {} in the run-up, {} before that", seconds(then), seconds(was));
        // The quantiles come from buckets a third to a half wide: less than twice is not told apart.
        out.push(if then >= 2.0 * was && then >= was + 0.05 {
            format!("Answers were slow already before it began: {times}.")
        } else {
            format!("Answers were not slower before it began: {times}.")
        });
    }
    if risen(run_up.aborted as f64, due(before.aborted).max(0.5)) {
        out.push(format!(
            "Clients gave up waiting (499) already before it began: {} of {} in the run-up, {} of {} before that.",
            run_up.aborted, run_up.requests, before.aborted, before.requests
        ));
    }
    out
}

/// Requests in the unit that gives them digits.
fn rate(s: &Stretch) -> String {
    let (n, unit) = match s.rate() {
        r if r >= 1.0 => (r, "second"),
        r if r * 60.0 >= 1.0 => (r * 60.0, "minute"),
        r => (r * 3600.0, "hour"),
    };
    format!("{n:.1} a {unit}")
}

fn seconds(s: f64) -> String {
    format!("{s:.2} s")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::text::tests::incident;

    fn stretch(kind: StretchKind, seconds: i64, requests: u64, p95: f64) -> Stretch {
        Stretch {
            kind,
            start: 0,
            end: seconds * 1000,
            requests,
            failed: 0,
            good: requests,
            client_errors: 0,
            aborted: 0,
            server_errors: 0,
            p50: None,
            p95: Some(p95),
        }
    }

    #[test]
    fn load_and_speed_are_compared_with_what_was_usual() {
        let calm = [stretch(StretchKind::Before, 600, 6000, 0.2), stretch(StretchKind::RunUp, 60, 640, 0.25)];
        let said = remarks(&calm).join("; ");
        assert!(said.contains("Load was as usual") && said.contains("not slower"), "{said}");
        let mut busy = calm;
        (busy[1].requests, busy[1].p95, busy[1].aborted) = (1500, Some(2.0), 40);
        let said = remarks(&busy).join("; ");
        assert!(said.contains("More requests came") && said.contains("slow already"), "{said}");
        assert!(said.contains("40 of 1500 in the run-up, 0 of 6000"), "{said}");
        assert!(remarks(&calm[..1]).is_empty());
    }

    #[test]
    fn stretches_end_at_other_incidents_and_at_the_ends_of_the_logs() {
        let mut one = incident();
        let at = one.start / 1000;
        one.end = Some(one.start + 60_000);
        let mut other = incident();
        (other.id, other.start, other.end) =
            ("other".into(), one.start - 1_000_000, Some(one.start - 400_000));
        let span = Window { start: at - 5000, end: at + 100 };
        let found = windows(&one, &[one.clone(), other], span, &|w| 10 * (w.end - w.start) as u64);
        let want = [
            (StretchKind::Before, Window { start: at - 400, end: at - 60 }),
            (StretchKind::RunUp, Window { start: at - 60, end: at }),
            (StretchKind::During, Window { start: at, end: at + 60 }),
            (StretchKind::After, Window { start: at + 60, end: at + 100 }),
        ];
        assert_eq!(found, want);
        one.open_start = true;
        one.end = None;
        let found = windows(&one, &[], span, &|_| 0);
        assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), [StretchKind::During]);
    }
}
