//! What several hosts say: each over the whole span, each inside an incident, and all together; and which incidents are
//! alike.

use super::seen::Seen;
use super::skew::skew;
use crate::clock;
use crate::report::{Coverage, CoverageState, HostPart, HostSummary, Incident, Joint, Severity, Skew};
use crate::time::{Millis, Window};

/// Incidents that came before and are alike, named at most.
const ALIKE: usize = 10;

/// Whether an incident is downtime.
fn is_bad(i: &Incident) -> bool {
    i.client_visible && matches!(i.severity, Severity::Outage | Severity::Degradation)
}

fn last(i: &Incident) -> Millis {
    i.end.unwrap_or(i.end_bounds.1)
}

fn is_on(i: &Incident, host: &str) -> bool {
    i.scope.hosts.iter().any(|h| h == host)
}

/// Each host over the whole span; empty where several are not told apart. `single` are the incidents before those of
/// several hosts were joined, `joined` after.
pub fn summaries(
    hosts: &[Seen<'_>],
    single: &[Incident],
    joined: &[Incident],
    coverage: &[Coverage],
) -> Vec<HostSummary> {
    if hosts.len() < 2 {
        return Vec::new();
    }
    let pairs = |a: &str, b: &str| -> Vec<(&Incident, &Incident)> {
        let both = joined.iter().filter(|j| is_on(j, a) && is_on(j, b));
        let of = |j: &Incident, host: &str| {
            let inside = |s: &&Incident| is_on(s, host) && s.start < last(j) && j.start < last(s);
            let mut mine = single.iter().filter(inside).filter(|s| s.severity == j.severity);
            // Two in one cannot be laid beside one another.
            mine.next().filter(|_| mine.next().is_none())
        };
        both.filter_map(|j| Some((of(j, a)?, of(j, b)?))).collect()
    };
    let first = &hosts[0];
    hosts
        .iter()
        .enumerate()
        .map(|(at, host)| {
            let own = host.shown();
            let (mut requests, mut failed) = (0, 0);
            host.timeline.each(Window::ALL, |m| {
                requests += m.counts.iter().map(|n| u64::from(*n)).sum::<u64>();
                failed += u64::from(m.failed);
            });
            let bad = union(single.iter().filter(|i| is_bad(i) && is_on(i, &own)), coverage, &own);
            let ms = |s: i64| s.saturating_mul(1000);
            let span = host.timeline.span();
            let firsts = span.map(|w| ms(w.start)).into_iter().chain(host.said.map(|s| ms(s.0)));
            let lasts = span.map(|w| ms(w.end - 1)).into_iter().chain(host.said.map(|s| ms(s.1)));
            HostSummary {
                requests,
                failed,
                error_records: host.records,
                first: firsts.min(),
                last: lasts.max(),
                incidents: joined.iter().filter(|i| is_on(i, &own)).count() as u64,
                bad_seconds: length(&bad),
                skew: if at == 0 {
                    Skew { how: "the others are compared with it".into(), ..Skew::default() }
                } else {
                    skew(first, host, &pairs(&first.shown(), &own))
                },
                host: own,
            }
        })
        .collect()
}

type Spans = Vec<(Millis, Millis)>;

/// Where some incidents lie in what the files of a host cover, without overlap, in order.
fn union<'a>(incidents: impl Iterator<Item = &'a Incident>, coverage: &[Coverage], host: &str) -> Spans {
    let covered: Vec<_> = coverage
        .iter()
        .filter(|c| c.state == CoverageState::Covered && c.host.as_deref().is_none_or(|h| h == host))
        .collect();
    let cut = |i: &Incident| -> Spans {
        let end = i.end.unwrap_or(Millis::MAX);
        covered.iter().map(|c| (i.start.max(c.start), end.min(c.end))).filter(|s| s.0 < s.1).collect()
    };
    merged(incidents.flat_map(cut).collect())
}

fn merged(mut all: Spans) -> Spans {
    all.sort_unstable();
    let mut out: Spans = Vec::new();
    for (from, to) in all {
        match out.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => out.push((from, to)),
        }
    }
    out
}

fn both(a: &Spans, b: &Spans) -> Spans {
    let cut = |x: &(Millis, Millis), y: &(Millis, Millis)| (x.0.max(y.0), x.1.min(y.1));
    a.iter().flat_map(|x| b.iter().map(move |y| cut(x, y))).filter(|s| s.0 < s.1).collect()
}

fn length(spans: &Spans) -> f64 {
    spans.iter().map(|s| s.1 - s.0).sum::<i64>() as f64 / 1000.0
}

/// What the hosts say together; `None` of a single one. `single` are the incidents before they were joined.
pub fn joint(hosts: &[Seen<'_>], single: &[Incident], coverage: &[Coverage]) -> Option<Joint> {
    let names: Vec<String> = hosts.iter().map(Seen::shown).collect();
    let of = |host: &String| union(single.iter().filter(|i| is_bad(i) && is_on(i, host)), coverage, host);
    let bad: Vec<Spans> = names.iter().map(of).collect();
    if hosts.len() < 2 {
        return None;
    }
    let all = bad.iter().cloned().reduce(|a, b| both(&a, &b)).unwrap_or_default();
    let any = merged(bad.iter().flatten().copied().collect());
    let (hit, well): (Vec<_>, Vec<_>) = names.iter().zip(&bad).partition(|(_, spans)| !spans.is_empty());
    let list = |names: &[(&String, &Spans)]| match names {
        [one] => one.0.clone(),
        [first, second] => format!("{} and {}", first.0, second.0),
        many if many.len() > 5 => clock::count_of(many.len() as u64, "host"),
        many => many.iter().map(|n| n.0.as_str()).collect::<Vec<_>>().join(", "),
    };
    let at_once = length(&all);
    let verdict = match (hit.as_slice(), well.as_slice()) {
        ([], _) => "no host had an outage or a degradation that clients saw".into(),
        (hit, []) if at_once > 0.0 => format!(
            "every host was hit, and for {} all {} at once",
            clock::duration((at_once * 1000.0) as i64),
            hit.len()
        ),
        (hit, []) => format!("all {} hosts were hit, never all at once", hit.len()),
        (hit, well) => {
            format!("{} hit; {} had no outage or degradation", was(&list(hit), hit.len()), list(well))
        }
    };
    Some(Joint { verdict, all_bad_seconds: at_once, any_bad_seconds: length(&any) })
}

fn was(names: &str, n: usize) -> String {
    format!("{names} {}", if n == 1 { "was" } else { "were" })
}

/// Each host's part of an incident; empty where several are not told apart. `single` are the incidents before those of
/// several hosts were joined.
pub fn hosts_of(hosts: &[Seen<'_>], incident: &Incident, single: &[Incident]) -> Vec<HostPart> {
    if hosts.len() < 2 {
        return Vec::new();
    }
    let end = last(incident).saturating_add(999).div_euclid(1000);
    let start = incident.start.div_euclid(1000);
    let window = Window { start, end: end.max(start + 1) };
    hosts.iter().map(|host| part(host, incident, window, single)).collect()
}

fn part(host: &Seen<'_>, incident: &Incident, window: Window, single: &[Incident]) -> HostPart {
    let own = host.shown();
    let (mut requests, mut failed) = (0u64, 0u64);
    let (mut first, mut final_one) = (None, None);
    host.timeline.each(window, |m| {
        requests += m.counts.iter().map(|n| u64::from(*n)).sum::<u64>();
        failed += u64::from(m.failed);
        if m.failed > 0 {
            first = first.or(Some(m.second * 1000));
            final_one = Some(m.second * 1000);
        }
    });
    let requests = requests.max(failed);
    let meets = |i: &&Incident| is_on(i, &own) && i.start < last(incident) && incident.start < last(i);
    let mine = single.iter().filter(meets).min_by_key(|i| i.severity);
    let inside = |w: Window| w.start < window.end && window.start < w.end;
    let verdict = match mine {
        Some(i) if is_on(incident, &own) => i.severity.name().to_owned(),
        Some(i) => format!("{}, its own incident", i.severity.name()),
        None if !host.timeline.span().is_some_and(inside) => "no access log then".into(),
        None if requests == 0 => "no request".into(),
        None => "served".into(),
    };
    HostPart {
        host: own,
        requests,
        failed,
        first_failure: first,
        last_failure: final_one,
        severity: mine.map(|i| i.severity),
        verdict,
    }
}

/// Earlier incidents with the same cause at the same places, by id. `before` are those that began earlier, in order.
pub fn alike(incident: &Incident, before: &[Incident]) -> Vec<String> {
    let Some(cause) = &incident.cause else { return Vec::new() };
    let same = |o: &&Incident| {
        let (a, b) = (&incident.scope, &o.scope);
        o.cause.as_ref().is_some_and(|c| c.category == cause.category)
            && (&a.vhosts, &a.endpoints, &a.upstreams, &a.hosts)
                == (&b.vhosts, &b.endpoints, &b.upstreams, &b.hosts)
    };
    // The latest are the nearest.
    let mut found: Vec<String> = before.iter().rev().filter(same).take(ALIKE).map(|o| o.id.clone()).collect();
    found.reverse();
    found
}
