//! One client is no outage: a finding must stand without the client that met most of it, and fewer than three clients
//! are not a public.
//!
//! A retry loop, a scanner that provokes errors, a job that takes its time: what they meet comes in hundreds while
//! everybody else is served, or nobody else asks. Likewise a page that never works, once robots find it. What such
//! clients met and such pages gave is taken out, and the rest is looked at again. Where the error log proves that the
//! server was at fault, or where a few addresses (balancers') stand for all clients, nothing is taken out.

use super::again::{Answer, ByKey, Look, Looks, Usual};
use super::host::Host;
use super::incident::window;
use crate::clock;
use crate::detect::{self, Anomaly, Detection, Kind, Options};
use crate::report::Finding;
use crate::scan::Dimension;
use crate::stats::excess_nats;
use crate::time::{Second, Window};
use std::collections::HashSet;

/// A client with this share of what is bad is taken out.
const MUCH: f64 = 0.4;
/// Clients taken out at most; more are a crowd.
const CLIENTS: usize = 8;
/// Fewer clients are no public.
const PUBLIC: usize = 3;
/// Clients that usually make this part of all requests are balancers, or what the site is for.
const MANY: f64 = 0.25;
/// Requests of others that tell whether they were served,
const OTHERS: usize = 10;
/// and the share of them that were, where only some pages fail.
const MOSTLY: f64 = 0.8;
/// Good answers to others that show that they were served.
const SERVED: i32 = 5;
/// Records of the error log that prove a fault of the server.
const PROOF: u64 = 3;
/// The evidence that others met it too, and its dispersion: for requests, and for clients.
const NATS: f64 = 13.0;
const DISPERSION: f64 = 2.5;
const OF_CLIENTS: f64 = 1.25;
/// What counts alone leave in doubt must be as evident from clients as anything is from requests.
const CONFIRMED: f64 = 16.0;
/// A page nobody asks for at other times is new when so many requests for it were to be expected there.
const EXPECTED: f64 = 5.0;

/// What counts as bad.
#[derive(Debug, Clone, Copy)]
enum Bad {
    /// Requests that failed.
    Failed,
    /// Answers that took so many milliseconds or more.
    Late(u32),
}

impl Bad {
    /// What is bad in an anomaly that hangs on requests alone.
    fn of(a: &Anomaly) -> Option<Self> {
        if a.phases.iter().any(|p| p.kind != a.kind) {
            return None;
        }
        match (a.kind, a.slow) {
            (Kind::Failing, _) => Some(Self::Failed),
            (Kind::Slow, Some(slow)) => Some(Self::Late(slow.limit_ms)),
            _ => None,
        }
    }

    /// Whether a request is bad; `None` where it says nothing.
    fn is(self, x: &Answer) -> Option<bool> {
        match self {
            Self::Failed => (x.failed || x.good()).then_some(x.failed),
            Self::Late(limit) => x.took.map(|ms| ms >= limit),
        }
    }

    /// The second at which the anomaly counts a request.
    fn dated(self, x: &Answer) -> Second {
        match self {
            Self::Failed => x.second,
            Self::Late(_) => x.arrived(),
        }
    }

    /// The requests inside an anomaly that say something, and whether they are bad.
    fn inside(self, look: &Look) -> impl Iterator<Item = (&Answer, bool)> {
        let inside = look.inside;
        look.answers
            .iter()
            .filter(move |x| inside.contains(self.dated(x)))
            .filter_map(move |x| Some((x, self.is(x)?)))
    }

    /// Those around it.
    fn outside(self, look: &Look) -> impl Iterator<Item = (&Answer, bool)> {
        let inside = look.inside;
        look.answers
            .iter()
            .filter(move |x| !inside.contains(self.dated(x)))
            .filter_map(move |x| Some((x, self.is(x)?)))
    }
}

/// Whether these clients stand for many, by what they make of the log and of the traffic around. What a loop does inside
/// says nothing about that, unless there is nothing else.
fn stand_for_many(look: &Look, clients: &[u64]) -> bool {
    let (mut outside, mut all) = (Usual::default(), Usual::default());
    for x in &look.answers {
        all.add(x.client);
        if !look.inside.contains(x.second) {
            outside.add(x.client);
        }
    }
    let part = match (look.usual.part(clients), outside.part(clients)) {
        (Some(a), Some(b)) => Some(f64::min(a, b)),
        (a, b) => a.or(b).or_else(|| all.part(clients)),
    };
    part.is_none_or(|part| part >= MANY)
}

/// Clients that own much of what is bad, the worst first, with their counts: none that stands for many.
pub(super) fn worst(look: &Look, bad: impl Fn(&Answer) -> bool) -> Vec<(u64, u64)> {
    let mut by_client: ByKey<u64> = ByKey::default();
    for a in look.inside().filter(|a| bad(a)) {
        *by_client.entry(a.client).or_default() += 1;
    }
    let mut ranked: Vec<(u64, u64)> = by_client.into_iter().collect();
    ranked.sort_by_key(|&(key, n)| (std::cmp::Reverse(n), key));
    let mut left: u64 = ranked.iter().map(|r| r.1).sum();
    let mut out = Vec::new();
    for (key, n) in ranked.into_iter().take(CLIENTS) {
        if n < 3 || (n as f64) < MUCH * left as f64 || stand_for_many(look, &[key]) {
            break;
        }
        left -= n;
        out.push((key, n));
    }
    out
}

/// What is left of an anomaly without its worst clients and the pages that never work.
enum Left {
    /// It stands as it is.
    Same,
    /// It stands, with other edges.
    Other(Box<Anomaly>),
    /// It was these clients alone.
    Clients(Vec<(u64, u64)>),
    /// It was this page, which never works, with so many requests.
    Page(u64, u64),
}

/// Whether a request is one of those an anomaly is about.
fn is_of(a: &Anomaly, x: &Answer) -> bool {
    a.within.is_none_or(|name| x.names.contains(&name))
}

/// The clients that met what is bad, if they are too few to be a public.
fn few(look: &Look, a: &Anomaly, bad: Bad) -> Option<Vec<(u64, u64)>> {
    let mut met: ByKey<u64> = ByKey::default();
    for (x, _) in bad.inside(look).filter(|x| x.1 && is_of(a, x.0)) {
        *met.entry(x.client).or_default() += 1;
    }
    let mut met: Vec<(u64, u64)> = met.into_iter().collect();
    met.sort_by_key(|&(key, n)| (std::cmp::Reverse(n), key));
    (!met.is_empty() && met.len() < PUBLIC).then_some(met)
}

/// The page that gave most of what is bad, of those that gave nothing good inside or around it and that are either
/// always so or that nobody else asks for; while the others work. What loud clients met meanwhile is left out of both:
/// a crowd on a broken page and one client's retries elsewhere are two things that happen at once, and no outage.
fn never_works(look: &Look, bad: Bad) -> Option<(u64, u64)> {
    let page = |x: &Answer| x.names[Dimension::Endpoint as usize];
    let is_bad = |x: &Answer| bad.is(x) == Some(true);
    let mut loud: HashSet<u64> = worst(look, is_bad).into_iter().map(|w| w.0).collect();
    let mut inside: ByKey<(u64, u64)> = ByKey::default();
    for (x, is_bad) in bad.inside(look) {
        let counts = inside.entry(page(x)).or_default();
        counts.0 += u64::from(is_bad && !loud.contains(&x.client));
        counts.1 += u64::from(!is_bad);
    }
    let (&worst, &(n, good)) = inside.iter().max_by_key(|(key, n)| (n.0, **key))?;
    loud.extend(self::worst(look, |x| page(x) != worst && is_bad(x)).into_iter().map(|w| w.0));
    let mut others = (0u64, 0u64);
    for (_, is_bad) in bad.inside(look).filter(|(x, _)| page(x) != worst && !loud.contains(&x.client)) {
        *(if is_bad { &mut others.0 } else { &mut others.1 }) += 1;
    }
    let served = others.1 as f64 >= MOSTLY * (others.0 + others.1) as f64;
    if good > 0 || n < PUBLIC as u64 || others.0 + others.1 < OTHERS as u64 || !served {
        return None;
    }
    let (mut always, mut all_in, mut all_out) = ((0u64, 0u64), 0u64, 0u64);
    for (x, is_bad) in bad.outside(look) {
        all_out += 1;
        if page(x) == worst {
            *(if is_bad { &mut always.0 } else { &mut always.1 }) += 1;
        }
    }
    for (x, _) in bad.inside(look) {
        all_in += u64::from(page(x) != worst);
    }
    // Had it its share of the requests around, so many of them would be for it.
    let expected = n as f64 * all_out as f64 / all_in.max(1) as f64;
    (always.1 == 0 && expected >= EXPECTED).then_some((worst, n))
}

fn left(look: &Look, a: &Anomaly, bad: Bad) -> Left {
    let never = never_works(look, bad);
    let page = |x: &Answer| x.names[Dimension::Endpoint as usize];
    let counts = |x: &Answer| never.is_none_or(|n| page(x) != n.0) && is_of(a, x);
    let worst = worst(look, |x| counts(x) && bad.is(x) == Some(true));
    let out: HashSet<u64> = worst.iter().map(|w| w.0).collect();
    let theirs = |x: &Answer| counts(x) && !out.contains(&x.client);
    let (mut n, mut served, mut met) = (0, 0, HashSet::new());
    for (x, is_bad) in bad.inside(look).filter(|x| theirs(x.0)) {
        n += 1;
        served += usize::from(!is_bad);
        if is_bad {
            met.insert(x.client);
        }
    }
    // Of a page that one client asked for, the client is to be told.
    let nothing = || match never {
        Some((of, n)) => {
            let its = self::worst(look, |x| page(x) == of && bad.is(x) == Some(true));
            let by_them: u64 = its.iter().map(|w| w.1).sum();
            if 2 * by_them >= n { Left::Clients(its) } else { Left::Page(of, n) }
        }
        None => Left::Clients(worst.clone()),
    };
    if out.is_empty() && never.is_none() {
        return Left::Same;
    }
    let met = met.len() + out.len();
    if met < PUBLIC {
        return nothing();
    }
    if n < OTHERS || served * 2 < n {
        // The others are few, or meet the same: each client is one witness.
        let asked: HashSet<u64> = bad.inside(look).filter(|x| counts(x.0)).map(|x| x.0.client).collect();
        let nats = excess_nats(asked.len() as f64, met as f64, a.usual_share.max(1e-3));
        return if nats / OF_CLIENTS >= NATS { Left::Same } else { nothing() };
    }
    if look.complete && matches!(bad, Bad::Failed) {
        let ticks = look.ticks(|x| bad.is(x).filter(|_| theirs(x)));
        let found = detect::stretches(&ticks, &Options::default()).anomalies;
        let own = window(a);
        let others: Vec<&Answer> = bad.inside(look).map(|x| x.0).filter(|x| theirs(x)).collect();
        return match found.into_iter().find(|b| window(b).overlaps(own)) {
            None => nothing(),
            Some(b) => trimmed(a, &b, &others),
        };
    }
    let share = |bad: usize, all: usize| (bad as f64 + 0.5) / (all as f64 + 1.0);
    let (mut all, mut usual) = (0, 0);
    for (_, is_bad) in bad.outside(look).filter(|x| theirs(x.0)) {
        all += 1;
        usual += usize::from(is_bad);
    }
    let usual = share(usual, all).max(a.usual_share).max(1e-3);
    let failed = n - served;
    let stands =
        excess_nats(n as f64, failed as f64, usual) / DISPERSION >= NATS && share(failed, n) >= 0.015;
    if stands { Left::Same } else { nothing() }
}

/// The anomaly without the stretches at its ends in which the others were served: there it was the worst client alone.
/// Where the others say nothing, or fail too, its own edges are the better ones.
fn trimmed(a: &Anomaly, b: &Anomaly, others: &[&Answer]) -> Left {
    let served = |at: Window| {
        let (mut good, mut all) = (0, 0);
        for x in others.iter().filter(|x| at.contains(x.second)) {
            good += i32::from(x.good());
            all += 1;
        }
        good >= SERVED && good * 3 >= all * 2
    };
    let late = b.start > a.start && served(Window { start: a.start, end: b.start });
    let early =
        b.end_or_last() < a.end_or_last() && served(Window { start: b.end_or_last(), end: a.end_or_last() });
    if !late && !early {
        return Left::Same;
    }
    let mut out = a.clone();
    if late {
        (out.start, out.start_bounds, out.start_interval) = (b.start, b.start_bounds, b.start_interval);
        (out.first_bad, out.last_good_before, out.open_start) =
            (b.first_bad, b.last_good_before, b.open_start);
    }
    if early {
        (out.end, out.end_bounds, out.end_interval) = (b.end, b.end_bounds, b.end_interval);
        (out.last_bad, out.first_good_after, out.open_end) = (b.last_bad, b.first_good_after, b.open_end);
    }
    // The counts are those of the others: the storm is told apart.
    (out.requests, out.failed, out.phases) = (b.requests, b.failed, b.phases.clone());
    if let Some(p) = out.phases.first_mut() {
        p.start = out.start;
    }
    let until = out.end_or_last();
    if let Some(p) = out.phases.last_mut() {
        p.end = until.max(p.start + 1);
    }
    Left::Other(Box::new(out))
}

/// Takes out of a detection what a few clients met alone, and says so.
pub(super) fn take_out(host: &Host<'_>, looks: &mut Looks, found: &mut Detection) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut kept = Vec::new();
    for a in std::mem::take(&mut found.anomalies) {
        let at = window(&a);
        let Some(bad) = Bad::of(&a).filter(|_| !proven(host, at)) else {
            kept.push(a);
            continue;
        };
        // Of failures the scan has counted the clients already.
        let public = a.within.is_none()
            && matches!(bad, Bad::Failed)
            && host.failures_unnamed(at).clients() >= PUBLIC as u64;
        if !public
            && let Some(look) = looks.close_of(host, at, a.within)
            && let Some(met) = few(look, &a, bad)
            && let clients = met.iter().map(|m| m.0).collect::<Vec<_>>()
            && look.usual.part(&clients).is_some_and(|part| part < MANY)
        {
            findings.push(of_clients(host, look, &a, bad, &met));
            continue;
        }
        match looks.of(host, at, a.within).map(|l| (l, left(l, &a, bad))) {
            None | Some((_, Left::Same)) => kept.push(a),
            Some((_, Left::Other(b))) => kept.push(*b),
            Some((look, Left::Clients(worst))) => findings.push(of_clients(host, look, &a, bad, &worst)),
            Some((look, Left::Page(page, n))) => findings.push(of_page(host, look, &a, bad, (page, n))),
        }
    }
    found.anomalies = kept;
    met_by_several(host, looks, found);
    findings
}

/// Adds what counts alone could not tell from one client's retries, where several clients met it.
fn met_by_several(host: &Host<'_>, looks: &mut Looks, found: &mut Detection) {
    for a in std::mem::take(&mut found.doubtful) {
        let at = window(&a);
        let known = found.anomalies.iter().any(|b| window(b).overlaps(at));
        let stands = !known
            && Bad::of(&a).is_some_and(|bad| {
                looks.at(host, at).is_some_and(|look| {
                    look.complete && several(look, &a, bad) && matches!(left(look, &a, bad), Left::Same)
                })
            });
        if stands {
            found.anomalies.push(a);
        } else {
            found.doubtful.push(a);
        }
    }
    found.anomalies.sort_by_key(|a| (a.start, a.end_or_last()));
}

/// Whether each client taken as one witness, and what it met as one event, the evidence is still enough.
fn several(look: &Look, a: &Anomaly, bad: Bad) -> bool {
    let mut asked: ByKey<bool> = ByKey::default();
    for (x, is_bad) in bad.inside(look) {
        *asked.entry(x.client).or_default() |= is_bad;
    }
    let met = asked.values().filter(|met| **met).count();
    // A client asks several times, and each time can fail.
    let each = a.requests as f64 / asked.len().max(1) as f64;
    let usual = 1.0 - (1.0 - a.usual_share.max(1e-3)).powf(each.max(1.0));
    met >= PUBLIC && excess_nats(asked.len() as f64, met as f64, usual) / OF_CLIENTS >= CONFIRMED
}

/// Whether the error log proves a fault of the server: such a failure is one even if a single client met it.
fn proven(host: &Host<'_>, at: Window) -> bool {
    let wide = Window { start: at.start - 2, end: at.end + 2 };
    let is_proof = |category: &str| {
        let (family, kind) = category.split_once('.').unwrap_or((category, ""));
        match family {
            "resource" | "dns" => true,
            "process" => matches!(kind, "crash" | "spawn_failed" | "internal"),
            "upstream" => matches!(
                kind,
                "refused" | "no_live" | "unreachable" | "dns" | "tls" | "socket_missing" | "backlog_full"
            ),
            _ => false,
        }
    };
    let records: u64 =
        host.said.iter().filter(|s| is_proof(host.category(s.class))).map(|s| s.count_in(wide)).sum();
    records >= PROOF
}

fn of_clients(host: &Host<'_>, look: &Look, a: &Anomaly, bad: Bad, worst: &[(u64, u64)]) -> Finding {
    let names: Vec<&str> = worst.iter().filter_map(|w| look.text(w.0)).collect();
    let of_them: u64 = worst.iter().map(|w| w.1).sum();
    let who = match names.as_slice() {
        [one] => format!("one client, {one},"),
        many => format!("{} clients, {},", many.len(), many.join(", ")),
    };
    let seen = if look.complete { "" } else { " of those looked at" };
    let (mut all, mut others, mut served) = (0, 0, 0);
    for (x, is_bad) in bad.inside(look) {
        all += u64::from(is_bad);
        if worst.iter().all(|w| w.0 != x.client) {
            others += 1;
            served += u64::from(!is_bad);
        }
    }
    let what = match bad {
        Bad::Failed => "failed request",
        Bad::Late(_) => "late answer",
    };
    let rest = match others {
        0 => "nobody else asked: not enough to call".to_owned(),
        _ if 2 * served < others => format!("too few others asked to call it: {}", clock::count(others)),
        _ => "the others were served as usual".to_owned(),
    };
    let summary = format!(
        "{who} met {} of {}{seen} in {}; {rest}",
        clock::count(of_them),
        clock::count_of(all, what),
        clock::duration((a.end_or_last() - a.start) * 1000),
    );
    let first = bad.inside(look).find(|(x, is_bad)| *is_bad && worst.iter().any(|w| w.0 == x.client));
    Finding {
        kind: "one-client",
        time: a.start * 1000,
        end: Some(a.end_or_last() * 1000),
        summary,
        evidence: first.map(|x| x.0.evidence(host)).into_iter().collect(),
    }
}

fn of_page(host: &Host<'_>, look: &Look, a: &Anomaly, bad: Bad, (page, n): (u64, u64)) -> Finding {
    let is = |x: &&Answer| x.names[Dimension::Endpoint as usize] == page && bad.is(x) == Some(true);
    let (kind, verb, never) = match bad {
        Bad::Failed => ("broken-page", "failed", "gave no good answer"),
        Bad::Late(_) => ("slow-page", "took long", "was not fast"),
    };
    Finding {
        kind,
        time: a.start * 1000,
        end: Some(a.end_or_last() * 1000),
        summary: format!(
            "{}{} to {} {verb} in {}, which {never} before or after either; all else was served as usual",
            clock::count_of(n, "request"),
            if look.complete { "" } else { " of those looked at" },
            look.text(page).unwrap_or("one page"),
            clock::duration((a.end_or_last() - a.start) * 1000),
        ),
        evidence: look.inside().find(is).map(|x| x.evidence(host)).into_iter().collect(),
    }
}
