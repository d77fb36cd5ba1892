//! Causes that the access log alone shows: late answers and missing content, each with its lines.

use super::again::{Answer, Look};
use super::cause::Rose;
use super::host::{Host, Said};
use super::words::lower;
use super::{missing, stalled};
use crate::clock;
use crate::detect::{Anomaly, Kind, SilenceKind};
use crate::report::{Cause, Evidence, MadeOf};
use crate::scan::Dimension;
use crate::time::Window;
use crate::timeline::Class;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Which requests of a look an anomaly is about.
pub(super) fn bad<'a>(look: &'a Look, a: &'a Anomaly) -> Box<dyn Fn(&Answer) -> bool + 'a> {
    match (a.kind, a.slow) {
        (Kind::Missing, _) => Box::new(missing::counts(look)),
        (Kind::Slow, Some(s)) => Box::new(move |x| x.took.is_some_and(|ms| ms >= s.limit_ms)),
        (Kind::Slow, None) => Box::new(|x| x.class == Class::Aborted),
        _ => Box::new(|x| x.failed),
    }
}

/// Seconds behind the end in which its failures are still logged: they had waited.
pub(super) fn behind(a: &Anomaly) -> u16 {
    u16::try_from(a.logged().end - a.end_or_last().max(a.start + 1)).unwrap_or(u16::MAX)
}

/// How the lines of what is bad are told again.
pub(super) fn made_of(look: &Look, a: &Anomaly) -> MadeOf {
    let mut made = MadeOf { behind: behind(a), ..MadeOf::default() };
    match (a.kind, a.slow) {
        (Kind::Slow, Some(s)) => made.slow_ms = Some(s.limit_ms),
        (Kind::Slow, None) => made.given_up = true,
        (Kind::Silence(SilenceKind::Stalled), _) => made = stalled::made_of(),
        (Kind::Missing, _) => {
            let bad = bad(look, a);
            for x in look.inside().filter(|x| bad(x)) {
                made.gone_paths.insert(x.path);
                if !look.complete {
                    made.gone_endpoints.insert(x.names[Dimension::Endpoint as usize]);
                }
            }
        }
        _ if look.complete => made.gone_paths.extend(beside(look, a).map(|x| x.path)),
        _ => {}
    }
    made
}

/// The first and the last line of what is bad.
pub(super) fn evidence(host: &Host<'_>, look: &Look, a: &Anomaly) -> Vec<Evidence> {
    let bad = bad(look, a);
    let mut out: Vec<Evidence> = Vec::new();
    let edges = [look.inside().find(|x| bad(x)), look.inside().filter(|x| bad(x)).last()];
    for x in edges.into_iter().flatten() {
        let line = x.evidence(host);
        if out.last() != Some(&line) {
            out.push(line);
        }
    }
    out
}

/// What was refused or not found while other requests failed.
fn beside<'a>(look: &'a Look, a: &'a Anomaly) -> impl Iterator<Item = &'a Answer> {
    let at =
        |x: &Answer| a.phases.iter().any(|p| p.kind == Kind::Missing && (p.start..p.end).contains(&x.second));
    let ours = a.kind == Kind::Failing && a.phases.iter().any(|p| p.kind == Kind::Missing);
    let gone = ours.then(|| missing::counts(look));
    look.inside().filter(move |x| gone.as_ref().is_some_and(|gone| gone(x)) && at(x))
}

/// By status, the requests of a missing-content anomaly, and how many clients met one.
pub(super) fn statuses(look: &Look, a: &Anomaly) -> (BTreeMap<u16, u64>, u64) {
    let bad = bad(look, a);
    counted(look.inside().filter(|x| bad(x)))
}

/// The same of what was missing while other requests failed.
pub(super) fn missing_beside(look: &Look, a: &Anomaly) -> (BTreeMap<u16, u64>, u64) {
    counted(beside(look, a))
}

/// How what used to be answered well was answered in those seconds.
pub(super) fn gone_as(look: Option<&Look>, seconds: Window) -> String {
    let statuses = look.map_or_else(BTreeMap::new, |look| {
        let gone = missing::counts(look);
        counted(look.inside().filter(|x| gone(x) && seconds.contains(x.second))).0
    });
    let absent = statuses.keys().filter(|s| is_absent(**s)).count();
    let numbers: Vec<String> = statuses.keys().map(u16::to_string).collect();
    match absent {
        _ if statuses.is_empty() => "refused or not found".into(),
        0 => format!("refused ({})", numbers.join(", ")),
        n if n == statuses.len() => format!("not found ({})", numbers.join(", ")),
        _ => format!("refused or not found ({})", numbers.join(", ")),
    }
}

/// What the requests of a missing-content anomaly were, in the word of a column.
pub(super) fn gone_is(look: &Look, a: &Anomaly) -> &'static str {
    let bad = bad(look, a);
    let (mut absent, mut all) = (0u64, 0u64);
    for x in look.inside().filter(|x| bad(x)) {
        absent += u64::from(is_absent(x.status));
        all += 1;
    }
    match absent {
        0 if all > 0 => "refused",
        n if n == all => "not found",
        _ => "gone",
    }
}

/// Whether a status says that there is nothing; the others of what is gone say that it is not given.
fn is_absent(status: u16) -> bool {
    matches!(status, 404 | 410)
}

fn counted<'a>(answers: impl Iterator<Item = &'a Answer>) -> (BTreeMap<u16, u64>, u64) {
    let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
    let mut clients = std::collections::BTreeSet::new();
    for x in answers {
        *statuses.entry(x.status).or_default() += 1;
        clients.insert(x.client);
    }
    (statuses, clients.len() as u64)
}

/// What the access log shows to be the matter.
pub(super) fn cause(host: &Host<'_>, look: Option<&Look>, a: &Anomaly, rose: Option<Rose>) -> Option<Cause> {
    let look = look?;
    match a.kind {
        Kind::Slow => slow(host, look, a, rose),
        Kind::Missing => gone(host, look, a),
        _ => None,
    }
}

fn slow(host: &Host<'_>, look: &Look, a: &Anomaly, rose: Option<Rose>) -> Option<Cause> {
    let bad = bad(look, a);
    let late = || look.inside().filter(|x| bad(x));
    let (mut known, mut upstream) = (0u64, 0u64);
    for (took, by) in late().filter_map(|x| x.took.zip(x.upstream)) {
        known += 1;
        upstream += u64::from(f64::from(by) >= 0.8 * f64::from(took));
    }
    let n = late().count() as u64;
    let (mut summary, confidence) = if a.slow.is_none() {
        let long = match a.waited {
            Some(seconds) => format!(" after about {}", clock::duration(seconds * 1000)),
            None => "; the log does not tell for how long they had waited".to_owned(),
        };
        (format!("clients of {} gave up waiting{long}", clock::count_of(n, "request")), "possible")
    } else if known * 2 < n {
        (
            "answers took several times as long as usual; the log does not tell where the time went".into(),
            "possible",
        )
    } else if upstream * 10 >= known * 7 {
        let of = clock::count_of(known, "slow request");
        (format!("the upstream took most of the time of {} of {of}", clock::count(upstream)), "likely")
    } else {
        let of = clock::count_of(known, "slow request");
        let what = "the rest of the time went into nginx, its host, or the way to the client";
        (
            format!("the upstream took most of the time of only {} of {of}: {what}", clock::count(upstream)),
            "possible",
        )
    };
    // The slowest line shows it best.
    let slowest = late().max_by_key(|x| (x.took, std::cmp::Reverse(x.second)))?;
    let mut evidence = vec![slowest.evidence(host)];
    if let Some(rose) = rose {
        summary = format!("{summary}; {}", rose.what);
        if let Some((_, _, line)) = rose.event.filter(|e| e.2 != evidence[0]) {
            evidence.insert(0, line);
        }
    }
    Some(Cause { category: "upstream.slow".into(), confidence, summary, evidence })
}

/// The first record of the kind that says most about requests that are refused or find nothing, and how many there are:
/// records of the content itself, or else what explains at least half of the answers.
fn told<'h>(host: &'h Host<'_>, look: &Look, (category, lost): (&str, u64)) -> Option<(&'h Said, u64)> {
    let explains = |class: u16| {
        let category = host.category(class);
        let family = category.split('.').next().unwrap_or_default();
        matches!(family, "content" | "auth" | "client" | "limit") && category != "client.abort"
    };
    let mut by_class: BTreeMap<u16, (&Said, u64)> = BTreeMap::new();
    for s in host.said.iter().filter(|s| explains(s.class)) {
        let n = s.count_in(look.inside);
        if n > 0 {
            by_class.entry(s.class).or_insert((s, 0)).1 += n;
        }
    }
    let most = by_class.into_values().max_by_key(|said| said.1)?;
    (host.category(most.0.class) == category || most.1 * 2 >= lost).then_some(most)
}

fn gone(host: &Host<'_>, look: &Look, a: &Anomaly) -> Option<Cause> {
    let bad = bad(look, a);
    let mut lines = look.inside().filter(|x| bad(x));
    let first = lines.next()?;
    let refused = |x: &Answer| u64::from(!is_absent(x.status));
    let (mut forbidden, mut n) = (refused(first), 1u64);
    for x in lines {
        forbidden += refused(x);
        n += 1;
    }
    let limited = look.inside().filter(|x| bad(x) && x.status == 429).count() as u64;
    let mut category = match forbidden * 2 > n {
        _ if limited * 2 > n => "limit.rate",
        true => "content.forbidden",
        false => "content.missing",
    };
    let mut evidence = vec![first.evidence(host)];
    let what = if forbidden * 2 > n { "refused" } else { "not found" };
    let mut summary = format!("paths that were answered well before are {what}");
    if category == "limit.rate" {
        summary.push_str(" as too many requests (429)");
    }
    // nginx's own words, where it has some: which file or rule, and why.
    let said = told(host, look, (category, a.failed));
    let confidence = if said.is_some() { "certain" } else { "likely" };
    if let Some((said, records)) = said {
        let title = &host.catalogue.patterns()[usize::from(said.class)].title;
        if host.category(said.class).starts_with("limit.") {
            category = host.category(said.class);
        }
        _ = write!(summary, ": {} ({} in the error log)", lower(title), clock::count_of(records, "record"));
        evidence.push(host.evidence(said.file, &said.sample));
    }
    Some(Cause { category: category.into(), confidence, summary, evidence })
}
