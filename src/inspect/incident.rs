//! Anomalies become incidents: severity, scope, impact, phases, and the sentences that say why.

use super::again::{Look, Looks};
use super::cause::{Joins, Rose, causes, rose, story, trigger};
use super::host::Host;
use super::{
    answered_late, cut_short, failures_only, heartbeat, places, restarts, shares, shown, stalled, words,
};
use crate::clock;
use crate::detect::{Anomaly, AnomalyPhase, Kind, SilenceKind};
use crate::report::{Evidence, Impact, Incident, Phase, Scope, Severity};
use crate::scan::{Dimension, FailureTally};
use crate::stats::poisson_tail_ln;
use crate::time::{Window, civil_from_days};
use crate::timeline::Classes;
use std::collections::BTreeMap;

/// From this share of failed requests on the failure is near-total and may be called an outage.
const NEAR_TOTAL: f64 = 0.8;
/// A name that holds this share of the failures is where they are.
const NAMED_SHARE: f64 = 0.9;
/// Names given at most for one dimension.
const NAMES: usize = 5;

/// The incidents of a host.
pub fn incidents(host: &Host<'_>, looks: &mut Looks, anomalies: &[Anomaly]) -> Vec<Incident> {
    let joins = Joins::of(host, anomalies);
    let one = |a: &Anomaly| {
        let rose = rose(host, looks, a);
        incident(host, &joins, looks.at(host, window(a)), a, rose)
    };
    anomalies.iter().map(one).collect()
}

/// The stretch an anomaly covers, with the lines that tell of it.
pub(super) fn window(a: &Anomaly) -> Window {
    a.logged()
}

fn incident(
    host: &Host<'_>,
    joins: &Joins<'_, '_>,
    look: Option<&Look>,
    a: &Anomaly,
    rose: Option<Rose>,
) -> Incident {
    let window = window(a);
    let tally = host.failures(window);
    let mut impact = impact(host, look, a, window, &tally);
    if host.trials.is_some() {
        impact.failed_share = None;
    }
    let mut causes = causes(host, look, a, &tally, joins);
    heartbeat::testify(host, look, a, &mut causes.ranked);
    let cut = cut_short::answers(host, window).filter(|_| a.kind == Kind::ErrorsOnly);
    if let Some(cut) = cut {
        (impact.failed, impact.uncounted) = (cut, cut);
        impact.requests = impact.requests.max(cut);
        impact.failed_share = Some(impact.failed as f64 / impact.requests.max(1) as f64);
        // Their lines say 200, and whose they were only the records.
        (impact.clients, impact.statuses) = (None, BTreeMap::new());
    }
    let (severity, client_visible) = match cut {
        Some(_) if impact.failed_share.is_some_and(|s| s >= NEAR_TOTAL) => (Severity::Outage, true),
        Some(_) => (Severity::Degradation, true),
        None => severity(host, a, &tally, &impact, causes.unlogged),
    };
    if a.kind == Kind::Silence(SilenceKind::Stalled) {
        stalled::count(a, &mut impact);
    }
    if a.kind == Kind::Silence(SilenceKind::LoggingStopped) && !client_visible {
        // They came, and left no line.
        (impact.lost_estimate, impact.lost_bounds) = (None, None);
    }
    // Nothing was lost: all were answered, late.
    let late = answered_late::answers(host, a)
        .filter(|_| causes.ranked.iter().all(|c| c.category == "traffic.lost"));
    let (severity, client_visible) = late.map_or((severity, client_visible), |_| (Severity::Slowdown, true));
    if let Some(n) = late {
        (impact.lost_estimate, impact.lost_bounds) = (None, None);
        causes.ranked = answered_late::cause(host, a, n).into_iter().collect();
    }
    let trigger = trigger(host, a);
    // Failures beside content that is gone, answers cut short and what reached no client are others.
    let failures = a.kind != Kind::Missing && cut.is_none() && severity != Severity::Hidden;
    let mut evidence: Vec<Evidence> = match a.kind {
        Kind::Silence(_) => host.lines_around(a),
        Kind::Slow | Kind::Missing => look.map(|l| shown::evidence(host, l, a)).unwrap_or_default(),
        Kind::ErrorsOnly if !failures => Vec::new(),
        Kind::Failing | Kind::ErrorsOnly => host.failure_evidence(a.failures_logged()),
    };
    if evidence.is_empty() {
        evidence = causes.ranked.first().map(|c| c.evidence.clone()).unwrap_or_default();
    }
    let scope = scope(host, look, a, &tally);
    let first_line = evidence.first().filter(|_| matches!(a.kind, Kind::Slow | Kind::Missing));
    let timeline = story(host, a, &impact.statuses, trigger.as_ref(), rose.as_ref(), first_line, failures);
    let shown = shown::cause(host, look, a, rose).or_else(|| restarts::cause(host, a));
    // The same words need not be said twice.
    let first = shown.as_ref().map(|c| c.category.clone());
    let others = causes.ranked.into_iter().filter(|c| first.as_ref() != Some(&c.category));
    let mut ranked = shown.into_iter().chain(others);
    let ms = |s: i64| s.saturating_mul(1000);
    Incident {
        id: id(host, a),
        severity,
        title: cut
            .map_or_else(|| words::title(host, a, severity, &scope, &impact), |_| words::torn_title(&scope)),
        why: cut.map_or_else(
            || failures_only::why(host, a).unwrap_or_else(|| words::why(a, &impact, &scope, look)),
            |n| words::torn(a, n),
        ),
        start: ms(a.start),
        start_bounds: (ms(a.start_bounds.0), ms(a.start_bounds.1)),
        end: a.end.map(ms),
        end_bounds: (ms(a.end_bounds.0), ms(a.end_bounds.1)),
        open_start: a.open_start,
        open_end: a.open_end,
        client_visible,
        scope,
        impact,
        phases: phases(host, look, a),
        cause: ranked.next(),
        other_causes: ranked.take(4).collect(),
        trigger,
        timeline,
        evidence,
        // Both follow from the finished incident, once hosts are joined.
        chart: None,
        error_budget: None,
        context: shares::context(look.filter(|_| cut.is_none()), a, host.trials.is_some()),
    }
}

/// A name that stays the same however often the logs are read: the start in UTC, and the host where there are more.
fn id(host: &Host<'_>, a: &Anomaly) -> String {
    let (year, month, day) = civil_from_days(a.start.div_euclid(86_400));
    let s = a.start.rem_euclid(86_400);
    let time = format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", s / 3600, s / 60 % 60, s % 60);
    match &host.name {
        Some(name) => format!("{time}-{name}"),
        None => time,
    }
}

fn severity(
    host: &Host<'_>,
    a: &Anomaly,
    tally: &FailureTally,
    impact: &Impact,
    unlogged: bool,
) -> (Severity, bool) {
    match a.kind {
        Kind::Silence(SilenceKind::Down | SilenceKind::Stalled) => (Severity::Outage, true),
        // The error log shows why requests left no line: they were dropped.
        Kind::Silence(_) if unlogged => {
            // What attackers are told (408, 400) serves nobody.
            let mut served = 0u64;
            host.timeline
                .each_sum(window(a), [Classes::GOOD, Classes::NONE], |s| served += u64::from(s.lines[0]));
            let lost = impact.lost_estimate.unwrap_or(0) as f64;
            let share = lost / (lost + served as f64).max(1.0);
            (if share >= NEAR_TOTAL { Severity::Outage } else { Severity::Degradation }, true)
        }
        Kind::Silence(SilenceKind::LoggingStopped) => (Severity::Unknown, false),
        Kind::Silence(_) => (Severity::Unknown, true),
        // The error log alone speaks. Where an access log shows that the requests were answered, retries saved them;
        // but a request that was dropped before it had a line is in no access log.
        Kind::ErrorsOnly if host.timeline.is_empty() || unlogged => (Severity::Degradation, true),
        Kind::ErrorsOnly if reached_clients(host, a, tally) => (Severity::Degradation, true),
        Kind::ErrorsOnly => (Severity::Hidden, false),
        Kind::Slow => (Severity::Slowdown, true),
        // Refused or not found is as bad for a visitor as failed.
        Kind::Missing if impact.failed.max(a.failed) as f64 >= NEAR_TOTAL * impact.requests.max(1) as f64 => {
            (Severity::Outage, true)
        }
        Kind::Missing => (Severity::Degradation, true),
        // How many were answered meanwhile is not known.
        Kind::Failing if host.trials.is_some() => (Severity::Degradation, true),
        Kind::Failing => {
            let down = a.phases.iter().any(|p| p.kind == Kind::Silence(SilenceKind::Down));
            let aborted = tally.statuses.get(&499).copied().unwrap_or(0);
            let all = a.within.is_none();
            if all && a.failed_share().is_some_and(|s| s >= NEAR_TOTAL) || down {
                (Severity::Outage, true)
            } else if aborted * 2 > tally.failed {
                (Severity::Slowdown, true)
            } else {
                (Severity::Degradation, true)
            }
        }
    }
}

/// Log of the probability that as many others happened to fail meanwhile, at most.
const BY_CHANCE: f64 = -9.2;
/// They are at least this part of what the error log tells of: each request was tried at several peers, perhaps.
const OF_RECORDS: f64 = 0.1;

/// Whether requests failed with what the error log tells of, too few to be found among all others: more than come by
/// chance where so many fail in as long a time before or after.
fn reached_clients(host: &Host<'_>, a: &Anomaly, tally: &FailureTally) -> bool {
    let at = window(a);
    let length = at.end.saturating_sub(at.start);
    let failed = |from, to| host.failures_unnamed(Window { start: from, end: to }).failed;
    let before = failed(at.start.saturating_sub(length), at.start);
    let after = failed(at.end, at.end.saturating_add(length));
    let usual = before.max(after);
    let records = a.errors.map_or(0, |e| e.records) as f64;
    let more = tally.failed.saturating_sub(usual);
    let chance = poisson_tail_ln(tally.failed as f64, usual as f64 + 1.0);
    chance <= BY_CHANCE && more as f64 >= OF_RECORDS * records
}

fn impact(host: &Host<'_>, look: Option<&Look>, a: &Anomaly, window: Window, tally: &FailureTally) -> Impact {
    let (mut requests, mut failed) = (0, 0);
    let until = a.end_or_last().max(a.start + 1);
    host.timeline.each(window, |m| {
        // Logged behind the end: what came before it and timed out since.
        let all = m.counts.iter().map(|n| u64::from(*n)).sum::<u64>();
        requests += if m.second < until { all } else { u64::from(m.failed) };
        failed += u64::from(m.failed);
    });
    // Requests that arrived inside and ended behind the window are failures of it all the same.
    let requests = requests.max(failed);
    let lost = match a.expected_requests.filter(|_| matches!(a.kind, Kind::Silence(_))) {
        Some(e) => {
            // It may have been widened to the records that explain it.
            let came = requests_in(host, a.phases.iter().filter(|p| matches!(p.kind, Kind::Silence(_))));
            let missing = |x: f64| (x - came as f64).max(0.0).round() as u64;
            Some((missing(e.value), (missing(e.low), missing(e.high))))
        }
        None => lost_in_silence(host, a, window),
    };
    let counted = failed;
    let mut statuses = tally.statuses.clone();
    let mut clients = (tally.failed > 0).then(|| tally.clients().min(tally.failed));
    if let Some(look) = look.filter(|l| uncounted_failures(a) && l.complete) {
        let (missing, theirs) = shown::statuses(look, a);
        failed += missing.values().sum::<u64>();
        statuses.extend(missing);
        clients = clients.max(Some(theirs));
    } else if uncounted_failures(a) {
        failed += a.failed;
    } else if let Some(look) = look.filter(|l| l.complete) {
        let (missing, theirs) = shown::missing_beside(look, a);
        failed += missing.values().sum::<u64>();
        statuses.extend(missing);
        // Who met both is not known.
        clients = clients.max(Some(theirs).filter(|n| *n > 0));
    }
    let uncounted = failed - counted;
    let requests = requests.max(failed);
    Impact {
        requests,
        failed,
        failed_share: (requests > 0).then(|| failed as f64 / requests as f64),
        lost_estimate: lost.map(|l| l.0),
        lost_bounds: lost.map(|l| l.1),
        clients,
        statuses,
        slow: a.slow.map(|s| s.slow),
        uncounted,
    }
}

/// Requests that came in some phases.
fn requests_in<'p>(host: &Host<'_>, phases: impl Iterator<Item = &'p AnomalyPhase>) -> u64 {
    let mut came = 0;
    for p in phases {
        host.timeline.each(Window { start: p.start, end: p.end }, |m| {
            came += m.counts.iter().map(|n| u64::from(*n)).sum::<u64>();
        });
    }
    came
}

/// Whether the requests an anomaly is about are no failures to the scan: content gone, and clients gone for a reason that
/// the log does not tell.
fn uncounted_failures(a: &Anomaly) -> bool {
    a.kind == Kind::Missing || a.kind == Kind::Slow && a.slow.is_none()
}

/// Seconds before and after an incident whose rate says what its silent phases cost.
const AROUND: i64 = 600;

/// Requests that never came in the silent phases of an incident: its silent seconds times the rate around it. The
/// bounds are the lower and the higher of the rates before and after, with their own scatter (two standard deviations
/// of a Poisson count).
fn lost_in_silence(host: &Host<'_>, a: &Anomaly, window: Window) -> Option<(u64, (u64, u64))> {
    let phases = apart(a);
    let silent: i64 =
        phases.iter().filter(|p| matches!(p.kind, Kind::Silence(_))).map(|p| p.end - p.start).sum();
    let span = host.timeline.span().filter(|_| silent > 0)?;
    let rate = |from: i64, to: i64| -> Option<(f64, f64)> {
        let (from, to) = (from.max(span.start), to.min(span.end));
        let mut n = 0u64;
        host.timeline.each(Window { start: from, end: to }, |m| {
            n += m.counts.iter().map(|n| u64::from(*n)).sum::<u64>();
        });
        let seconds = (to - from) as f64;
        (to - from >= 30).then(|| (n as f64 / seconds, 2.0 * (n as f64).sqrt() / seconds))
    };
    let rates: Vec<(f64, f64)> =
        [rate(window.start - AROUND, window.start), rate(window.end, window.end + AROUND)]
            .into_iter()
            .flatten()
            .collect();
    let mean = rates.iter().map(|r| r.0).sum::<f64>() / rates.len().max(1) as f64;
    let low = rates.iter().map(|r| r.0 - r.1).fold(f64::INFINITY, f64::min);
    let high = rates.iter().map(|r| r.0 + r.1).fold(f64::NEG_INFINITY, f64::max);
    // In a dip some came all the same.
    let came = requests_in(host, phases.iter().filter(|p| matches!(p.kind, Kind::Silence(_))));
    let requests = |rate: f64| (rate * silent as f64 - came as f64).max(0.0).round() as u64;
    (!rates.is_empty()).then(|| (requests(mean), (requests(low), requests(high))))
}

/// Where the failures are: a name is given when it holds nearly all of them and not nearly all of the traffic.
/// What the traffic of a name is without failures, the scan does not count; so names are given only where a share
/// of all requests failed, and `all` where nearly all did.
fn scope(host: &Host<'_>, look: Option<&Look>, a: &Anomaly, tally: &FailureTally) -> Scope {
    let mut scope = Scope { hosts: host.name.iter().cloned().collect(), ..Scope::default() };
    if let Some(look) = look.filter(|_| matches!(a.kind, Kind::Failing | Kind::Slow | Kind::Missing)) {
        places::name(look, &mut scope, &shown::bad(look, a));
        if let Some((name, text)) = a.within.and_then(|name| Some((name, look.text(name)?))) {
            let names = match Dimension::of_key(name) {
                Dimension::Endpoint => &mut scope.endpoints,
                Dimension::Vhost => &mut scope.vhosts,
                Dimension::Peer => &mut scope.upstreams,
            };
            if names.iter().all(|n| n != text) {
                *names = vec![text.to_owned()];
            }
            scope.all = false;
        }
        return scope;
    }
    if tally.failed == 0 || a.failed_share().is_none_or(|s| s >= NEAR_TOTAL) {
        scope.all = true;
        return scope;
    }
    let named = |dimension: Dimension, most: usize| -> Vec<String> {
        let ranked = tally.ranked(dimension);
        let mut sum = 0;
        let enough = |n: u64| n as f64 >= NAMED_SHARE * tally.failed as f64;
        let taken: Vec<&(&str, u64)> = ranked
            .iter()
            .take_while(|(_, n)| {
                let more = !enough(sum);
                sum += n;
                more
            })
            .take(most)
            .collect();
        let held: u64 = taken.iter().map(|t| t.1).sum();
        if enough(held) { taken.iter().map(|t| t.0.to_owned()).collect() } else { Vec::new() }
    };
    // Where a log knows one virtual host or one peer alone, its name tells nothing apart.
    let several = host.several();
    if several.vhosts {
        scope.vhosts = named(Dimension::Vhost, 2);
    }
    scope.endpoints = named(Dimension::Endpoint, NAMES);
    if several.peers {
        scope.upstreams = named(Dimension::Peer, 2);
    }
    scope.all = scope.vhosts.is_empty() && scope.endpoints.is_empty() && scope.upstreams.is_empty();
    scope
}

/// Phases apart from each other: where a failing stretch was dated into a silence, the silence is what was seen.
pub(super) fn apart(a: &Anomaly) -> Vec<AnomalyPhase> {
    let silent = |p: &AnomalyPhase| matches!(p.kind, Kind::Silence(_));
    let mut out = a.phases.clone();
    for s in a.phases.iter().filter(|p| silent(p)) {
        for p in out.iter_mut().filter(|p| !silent(p)) {
            if s.start <= p.start && p.start < s.end {
                p.start = s.end;
            }
            if s.start < p.end && p.end <= s.end {
                p.end = s.start;
            }
        }
    }
    out.retain(|p| p.start < p.end);
    out.sort_by_key(|p| (p.start, std::cmp::Reverse(p.end)));
    // A pause inside a dip is a part of it.
    let mut until = i64::MIN;
    out.retain(|p| {
        let inside = silent(p) && p.end <= until;
        until = if silent(p) { until.max(p.end) } else { until };
        !inside
    });
    out
}

fn phases(host: &Host<'_>, look: Option<&Look>, a: &Anomaly) -> Vec<Phase> {
    let phases = apart(a);
    let share_of = |p: &AnomalyPhase| (p.requests > 0).then(|| p.failed as f64 / p.requests as f64);
    let worse = |b: &AnomalyPhase, share: Option<f64>| match b.kind {
        Kind::Silence(_) => true,
        Kind::Slow => false,
        _ => share_of(b) > share,
    };
    let last = phases.len().saturating_sub(1);
    phases
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let share = share_of(p);
            let kind = match p.kind {
                Kind::Silence(_) => "silent",
                Kind::Slow => "slow",
                _ if share.is_some_and(|s| s >= NEAR_TOTAL) || p.requests == 0 => "failing",
                // What fails more than before is on no way to health.
                _ if i == last && phases[..i].iter().any(|b| worse(b, share)) => "recovery",
                _ => "partial",
            };
            let note = match (p.kind, share) {
                (Kind::Silence(SilenceKind::Down), _) => {
                    "no request was logged; nginx was not running".into()
                }
                (Kind::Silence(SilenceKind::Stalled), _) => "no line; nginx stood still".into(),
                (Kind::Silence(SilenceKind::Dip), _) => "far fewer requests than before and after".into(),
                (Kind::Silence(SilenceKind::LoggingStopped), _) => {
                    "no line, while another log went on".into()
                }
                (Kind::Silence(_), _) => "no request was logged".into(),
                (Kind::ErrorsOnly, _) => "the error log reports failures".into(),
                (Kind::Slow, _) if a.slow.is_none() => format!(
                    "clients gave up {} of {}",
                    clock::count(p.failed),
                    clock::count_of(p.requests, "request")
                ),
                (Kind::Slow, _) => format!(
                    "{} of {} took several times as long as usual",
                    clock::count(p.failed),
                    clock::count_of(p.requests, "request")
                ),
                (Kind::Missing, _) => format!(
                    "{} of {} for what used to be answered well were {}",
                    clock::count(p.failed),
                    clock::count_of(p.requests, "request"),
                    shown::gone_as(look, Window { start: p.start, end: p.end })
                ),
                (Kind::Failing, _) if host.trials.is_some() => {
                    format!("{} failed", clock::count_of(p.failed, "request"))
                }
                (Kind::Failing, Some(s)) => {
                    format!(
                        "{} of {} failed ({})",
                        clock::count(p.failed),
                        clock::count_of(p.requests, "request"),
                        clock::share(s)
                    )
                }
                (Kind::Failing, None) => String::new(),
            };
            let open = i == last && a.open_end;
            Phase {
                kind,
                start: p.start * 1000,
                end: (!open).then_some(p.end * 1000),
                // What is late has not failed.
                failed_share: share
                    .filter(|_| p.kind != Kind::Slow || a.slow.is_none())
                    .filter(|_| host.trials.is_none()),
                note,
            }
        })
        .collect()
}
