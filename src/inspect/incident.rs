//! Anomalies become incidents: what is known of each is put together, and the scope named.

use super::again::{Look, Looks};
use super::cause::{Joins, Rose, causes, rose, story, trigger};
use super::host::Host;
use super::impact::impact;
use super::phases::phases;
use super::severity::{NEAR_TOTAL, severity};
use super::{
    answered_late, cut_short, failures_only, heartbeat, places, restarts, shares, shown, stalled, words,
};
use crate::detect::{Anomaly, Kind, SilenceKind};
use crate::report::{Evidence, Incident, Scope, Severity};
use crate::scan::{Dimension, FailureTally};
use crate::time::{Window, civil_from_days};
use std::collections::BTreeMap;

/// A name that holds this share of the failures is where they are.
const NAMED_SHARE: f64 = 0.9;
/// Names given at most for one dimension.
const NAMES: usize = 5;

/// The incidents of a host.
pub fn incidents(host: &Host<'_>, looks: &mut Looks, anomalies: &[Anomaly]) -> Vec<Incident> {
    let joins = Joins::of(host, anomalies);
    let one = |a: &Anomaly| {
        let rose = rose(host, looks, a);
        looks.at(host, window(a));
        let part = a.within.and_then(|name| Some((name, looks.text(name)?.to_owned())));
        let over = a.end.unwrap_or(i64::MAX);
        let next = anomalies.iter().map(|b| b.start).filter(|start| *start >= over).min();
        incident(host, &joins, looks.at(host, window(a)), (a, next, part), rose)
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
    (a, next, part): (&Anomaly, Option<i64>, Option<(u64, String)>),
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
    let scope = part.map_or_else(|| scope(host, look, a, &tally), |(name, text)| scope_of(host, name, text));
    let first_line = evidence.first().filter(|_| matches!(a.kind, Kind::Slow | Kind::Missing));
    let timeline =
        story(host, (a, next), &impact.statuses, trigger.as_ref(), rose.as_ref(), first_line, failures);
    let shown = shown::cause(host, look, a, rose).or_else(|| restarts::cause(host, a));
    // The same words need not be said twice.
    let first = shown.as_ref().map(|c| c.category.clone());
    let others = causes.ranked.into_iter().filter(|c| first.as_ref() != Some(&c.category));
    let mut ranked = shown.into_iter().chain(others);
    let ms = |s: i64| s.saturating_mul(1000);
    Incident {
        id: id(host, a),
        severity,
        title: cut.map_or_else(
            || words::title(host, (a, look), severity, &scope, &impact),
            |_| words::torn_title(&scope),
        ),
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

/// The scope of what was counted among the requests for one name, whatever else they have in common.
fn scope_of(host: &Host<'_>, name: u64, text: String) -> Scope {
    let mut scope = Scope { hosts: host.name.iter().cloned().collect(), ..Scope::default() };
    let names = match Dimension::of_key(name) {
        Dimension::Endpoint => &mut scope.endpoints,
        Dimension::Vhost => &mut scope.vhosts,
        Dimension::Peer => &mut scope.upstreams,
    };
    names.push(text);
    scope
}

/// Where the failures are: a name is given when it holds nearly all of them and not nearly all of the traffic.
/// What the traffic of a name is without failures, the scan does not count; so names are given only where a share
/// of all requests failed, and `all` where nearly all did.
fn scope(host: &Host<'_>, look: Option<&Look>, a: &Anomaly, tally: &FailureTally) -> Scope {
    let mut scope = Scope { hosts: host.name.iter().cloned().collect(), ..Scope::default() };
    if let Some(look) = look.filter(|_| matches!(a.kind, Kind::Failing | Kind::Slow | Kind::Missing)) {
        places::name(look, &mut scope, &shown::bad(look, a));
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
