//! The title of an incident, and the sentence of figures that a person can check.

use super::again::{Answer, Look, METHODS};
use super::host::Host;
use super::severity::NEAR_TOTAL;
use crate::clock;
use crate::detect::{Anomaly, Kind, SilenceKind};
use crate::report::{Impact, Scope, Severity};
use crate::scan::Dimension;
use crate::stats;

/// The part of the failures that must be of one method,
const ONE_METHOD: f64 = 0.8;
/// how many times likelier its requests failed than others,
const TIMES: f64 = 5.0;
/// and the evidence that this is no chance.
const NATS: f64 = 12.0;

/// One line: what failed, and where.
pub(super) fn title(
    host: &Host<'_>,
    (a, look): (&Anomaly, Option<&Look>),
    severity: Severity,
    scope: &Scope,
    impact: &Impact,
) -> String {
    let place = place(scope);
    let of_host = host.name.as_ref().map(|h| format!(" ({h})")).unwrap_or_default();
    let what = match (a.kind, severity) {
        (Kind::Silence(SilenceKind::Down), _) => "nginx was down".to_owned(),
        (Kind::Silence(SilenceKind::Stalled), _) => "nginx stood still".to_owned(),
        (Kind::Silence(k), Severity::Outage | Severity::Degradation) if k != SilenceKind::Down => {
            "Requests were dropped unanswered".to_owned()
        }
        (Kind::Silence(_), Severity::Slowdown) => "Requests waited".to_owned(),
        (Kind::Silence(SilenceKind::Dip), _) => "Traffic fell away".to_owned(),
        (Kind::Silence(SilenceKind::LoggingStopped), _) => "The access log stopped".to_owned(),
        (Kind::Silence(_), _) => "No request was logged".to_owned(),
        (Kind::ErrorsOnly, Severity::Hidden) => "Upstream failures that did not reach clients".to_owned(),
        (Kind::ErrorsOnly, _) => "Failures in the error log".to_owned(),
        (Kind::Slow, _) if a.slow.is_none() => "Clients gave up waiting".to_owned(),
        (Kind::Slow, _) => "Answers came late".to_owned(),
        (Kind::Missing, _) if are_refused(impact) => "Requests were refused".to_owned(),
        (Kind::Missing, _) => "Content went missing".to_owned(),
        (Kind::Failing, _) if host.trials.is_some() => {
            format!("{} failed", clock::count_of(impact.failed, "request"))
        }
        (Kind::Failing, Severity::Outage) if a.slow.is_some() && 2 * impact.failed < impact.requests => {
            "Requests failed, and answers came late".to_owned()
        }
        (Kind::Failing, Severity::Outage) if impact.failed >= impact.requests => {
            "Every request failed".to_owned()
        }
        (Kind::Failing, Severity::Outage) if impact.failed_share.is_some_and(|s| s >= NEAR_TOTAL) => {
            "Nearly every request failed".to_owned()
        }
        (Kind::Failing, Severity::Slowdown) => "Clients gave up waiting".to_owned(),
        (Kind::Failing, _) => {
            let own = match a.within {
                Some(_) => a.failed_share(),
                None => look.filter(|_| !place.is_empty()).and_then(|look| there(look, scope)),
            };
            let all = clock::share(own.or(impact.failed_share).unwrap_or(0.0));
            // How many requests of a place were answered well is not known without reading them again.
            let most = if own.is_none() && !place.is_empty() { ", most of them" } else { "" };
            format!("{all} of requests failed{most}")
        }
    };
    format!("{what}{place}{of_host}")
}

/// Where it was, as the end of a sentence; empty where it was everywhere, or at many endpoints.
fn place(scope: &Scope) -> String {
    let at = |names: &[String]| names.join(", ");
    if !scope.vhosts.is_empty() {
        format!(" on {}", at(&scope.vhosts))
    } else if !scope.upstreams.is_empty() {
        format!(" at upstream {}", at(&scope.upstreams))
    } else if !scope.endpoints.is_empty() && scope.endpoints.len() <= 3 {
        format!(" on {}", at(&scope.endpoints))
    } else {
        String::new()
    }
}

/// What share of the requests for the place that a title names failed. `None` where it names none, or what has its name
/// only where it fails, as the group of servers has that nginx asked none of.
fn there(look: &Look, scope: &Scope) -> Option<f64> {
    let dimensions = [
        (Dimension::Vhost, &scope.vhosts),
        (Dimension::Peer, &scope.upstreams),
        (Dimension::Endpoint, &scope.endpoints),
    ];
    let (dimension, names) = dimensions.into_iter().find(|(_, names)| !names.is_empty())?;
    let text = |x: &Answer| look.text(x.names[dimension as usize]);
    let here = |x: &Answer| text(x).is_some_and(|text| names.iter().any(|name| name == text));
    if !look.answers.iter().any(|x| x.good() && here(x)) {
        return None;
    }
    let (mut all, mut failed) = (0u64, 0u64);
    for x in look.inside().filter(|x| here(x)) {
        all += 1;
        failed += u64::from(x.failed);
    }
    (all > 0).then(|| failed as f64 / all as f64)
}

/// Whether most of what was not answered well was refused, and not only not found.
fn are_refused(impact: &Impact) -> bool {
    let of = |found: fn(u16) -> bool| -> u64 {
        impact.statuses.iter().filter(|(s, _)| (400..499).contains(*s) && found(**s)).map(|(_, n)| n).sum()
    };
    of(|s| !matches!(s, 404 | 410)) > of(|s| matches!(s, 404 | 410))
}

fn odds(nats: f64) -> String {
    let power = nats / std::f64::consts::LN_10;
    if power >= 300.0 {
        "odds less than 1 in 10^300".into()
    } else {
        format!("odds 1 in 10^{:.0}", power.floor().max(0.0))
    }
}

/// The sentence that a person can check.
pub(super) fn why(a: &Anomaly, impact: &Impact, scope: &Scope, look: Option<&Look>) -> String {
    match a.kind {
        Kind::Failing => {
            let looked_at = if look.is_some_and(|l| l.complete) { "" } else { " that were looked at" };
            let place = a.within.map_or_else(String::new, |_| place(scope) + looked_at);
            format!(
                "{} of {}{place} failed, usually {}; {}",
                clock::count(a.failed),
                clock::count_of(a.requests, "request"),
                clock::share(a.usual_share),
                odds(a.evidence_nats)
            ) + &waited(a)
                + &look.filter(|_| scope.endpoints.len() != 1).and_then(of_method).unwrap_or_default()
        }
        Kind::Slow => late(a, &a.within.map_or_else(String::new, |_| self::place(scope))),
        Kind::Missing => format!(
            "{} of {} for what used to be answered well were {}, usually {}; {}",
            clock::count(a.failed),
            clock::count_of(a.requests, "request"),
            if are_refused(impact) { "refused" } else { "not found" },
            clock::share(a.usual_share),
            odds(a.evidence_nats)
        ),
        Kind::Silence(_) => {
            let expected = a.expected_requests.map_or(String::new(), |e| {
                format!("; about {} were to be expected", clock::count(e.value.round().max(0.0) as u64))
            });
            // It may have been widened to the records that explain it.
            let silent: i64 =
                a.phases.iter().filter(|p| matches!(p.kind, Kind::Silence(_))).map(|p| p.end - p.start).sum();
            let seconds = silent.min(a.end_or_last() - a.start);
            let came = match (a.expected_requests, impact.lost_estimate) {
                (Some(e), Some(lost)) => (e.value.round().max(0.0) as u64).saturating_sub(lost),
                _ => impact.requests,
            };
            let came = match came {
                _ if a.kind == Kind::Silence(SilenceKind::Stalled) => "no line".to_owned(),
                0 => "no request".to_owned(),
                n => format!("only {}", clock::count_of(n, "request")),
            };
            let gap = match a.longest_ordinary_gap {
                None => String::new(),
                Some(0) => ", ordinarily every second has one".into(),
                Some(g) => format!(", the longest ordinary pause is {}", clock::duration(g * 1000)),
            };
            format!("{came} in {}{expected}{gap}; {}", clock::duration(seconds * 1000), odds(a.evidence_nats))
        }
        Kind::ErrorsOnly => {
            let records = a.errors.map_or(0, |e| e.records);
            let shown = if records > 0 {
                clock::count_of(records, "server-side error record")
            } else {
                "server-side error records".into()
            };
            let seconds = clock::count_of(a.failing_seconds, "second");
            format!("{shown} in {seconds} of the error log; {}", odds(a.evidence_nats))
        }
    }
}

/// How the requests were dated that are logged when they time out.
fn waited(a: &Anomaly) -> String {
    a.waited.map_or(String::new(), |seconds| {
        let waited = clock::duration(seconds * 1000);
        format!("; dated by when good answers ceased, {waited} before the first of them was logged")
    })
}

/// That requests of one method failed and hardly any other: the method says more than where they were sent to.
fn of_method(look: &Look) -> Option<String> {
    // Requests and failures of each method, and of all.
    let (mut by_method, mut all) = ([(0u64, 0u64); METHODS.len()], (0u64, 0u64));
    let count = |to: &mut (u64, u64), failed: bool| *to = (to.0 + 1, to.1 + u64::from(failed));
    for x in look.inside() {
        count(&mut all, x.failed);
        if let Some(of) = x.method.and_then(|m| by_method.get_mut(usize::from(m))) {
            count(of, x.failed);
        }
    }
    let (name, &(asked, failed)) = METHODS.iter().zip(&by_method).max_by_key(|(_, n)| n.1)?;
    let (others, failed_others) = (all.0 - asked, all.1 - failed);
    let part = |n: u64, of: u64| n as f64 / of.max(1) as f64;
    let (theirs, of_others) = (part(failed, asked), part(failed_others, others));
    let odds = all.1 as f64 * stats::bernoulli_kl(part(failed, all.1), part(asked, all.0));
    let alone = part(failed, all.1) >= ONE_METHOD && theirs >= TIMES * of_others;
    (alone && asked < all.0 && odds >= NATS).then(|| {
        format!(
            "; of {name} {} of {}{} failed, of all others {} of {}",
            clock::count(failed),
            clock::count(asked),
            if look.complete_inside { "" } else { " that were looked at" },
            clock::count(failed_others),
            clock::count(others)
        )
    })
}

/// The title inside a sentence: its first letter small, unless it begins an abbreviation.
pub(super) fn lower(text: &str) -> String {
    let mut chars = text.chars();
    let abbreviation = text.chars().nth(1).is_some_and(|c| !c.is_lowercase() && c != ' ');
    let first = chars.next().filter(|_| !abbreviation);
    first.map_or_else(|| text.to_owned(), |c| c.to_lowercase().chain(chars).collect())
}

/// The line of answers that were cut short.
pub(super) fn torn_title(scope: &Scope) -> String {
    let host = scope.hosts.first().map(|h| format!(" ({h})")).unwrap_or_default();
    format!("Answers were cut short{host}")
}

/// The sentence of answers that were cut short.
pub(super) fn torn(a: &Anomaly, cut: u64) -> String {
    format!(
        "{} cut short after the status was sent: their lines look as if all were well; {}",
        clock::count_of(cut, "answer"),
        odds(a.evidence_nats)
    )
}

/// The sentence of a slowdown.
fn late(a: &Anomaly, place: &str) -> String {
    let Some(s) = a.slow else {
        return format!(
            "clients gave up {} of {} (499), usually {}; {}",
            clock::count(a.failed),
            clock::count_of(a.requests, "request"),
            clock::share(a.usual_share),
            odds(a.evidence_nats)
        ) + &waited(a);
    };
    let seconds = |ms: f64| format!("{:.2} s", ms / 1000.0);
    format!(
        "{} of {}{place} took {} or more, usually {}; half took up to {}, usually {}; {}",
        clock::count(s.slow),
        clock::count_of(s.timed, "request"),
        seconds(f64::from(s.limit_ms)),
        clock::share(a.usual_share),
        seconds(s.median_ms),
        seconds(s.usual_ms),
        odds(a.evidence_nats)
    )
}
