//! One client is no outage: a finding must stand without the client that failed most, if that one made much of it.
//!
//! A retry loop, a scanner that provokes errors, a client over its limit: their failures come in thousands while
//! everybody else is served. The failures of such a client are taken out and the rest is looked at again. Where the
//! error log proves that the server was at fault, where most requests come from one address (a balancer's), or where
//! nobody else asked for anything, nothing is taken out.

use super::again::{Answer, Look, Looks};
use super::host::Host;
use super::incident::window;
use crate::clock;
use crate::detect::{self, Anomaly, Detection, Kind, Options};
use crate::report::Finding;
use crate::stats::excess_nats;
use crate::time::Window;
use std::collections::{HashMap, HashSet};

/// A client with this share of the failures is taken out.
const MUCH: f64 = 0.4;
/// Clients taken out at most; more are a crowd.
const CLIENTS: usize = 8;
/// An address with more than this share of all requests hides many clients.
const BALANCER: f64 = 0.5;
/// Requests of others that tell whether they were served.
const OTHERS: usize = 10;
/// Good answers to others that show that they were served.
const SERVED: i32 = 5;
/// Records of the error log that prove a fault of the server.
const PROOF: u64 = 3;
/// Where only some requests were read: the evidence that the others fail too, and its dispersion.
const NATS: f64 = 13.0;
const DISPERSION: f64 = 2.5;

/// Clients that own much of what is bad, the worst first, with their counts. Empty where addresses tell nothing.
pub(super) fn worst(look: &Look, bad: impl Fn(&Answer) -> bool) -> Vec<(u64, u64)> {
    let mut all: HashMap<u64, usize> = HashMap::new();
    for a in &look.answers {
        *all.entry(a.client).or_default() += 1;
    }
    let most = all.iter().max_by_key(|(key, n)| (**n, **key));
    if most
        .is_none_or(|(key, n)| *n as f64 > BALANCER * look.answers.len() as f64 || look.text(*key).is_none())
    {
        return Vec::new();
    }
    let mut by_client: HashMap<u64, u64> = HashMap::new();
    for a in look.inside().filter(|a| bad(a)) {
        *by_client.entry(a.client).or_default() += 1;
    }
    let mut ranked: Vec<(u64, u64)> = by_client.into_iter().collect();
    ranked.sort_by_key(|&(key, n)| (std::cmp::Reverse(n), key));
    let mut left: u64 = ranked.iter().map(|r| r.1).sum();
    let mut out = Vec::new();
    for (key, n) in ranked.into_iter().take(CLIENTS) {
        if n < 3 || (n as f64) < MUCH * left as f64 {
            break;
        }
        left -= n;
        out.push((key, n));
    }
    out
}

/// What is left of an anomaly without its worst clients.
enum Left {
    /// It stands as it is.
    Same,
    /// It stands, with other edges.
    Other(Box<Anomaly>),
    /// It was these clients alone.
    Nothing(Vec<(u64, u64)>),
}

fn left(look: &Look, a: &Anomaly) -> Left {
    let worst = worst(look, |x| x.failed);
    let out: HashSet<u64> = worst.iter().map(|w| w.0).collect();
    let others = || look.inside().filter(|x| (x.failed || x.good()) && !out.contains(&x.client));
    let (n, served) = (others().count(), others().filter(|x| x.good()).count());
    if out.is_empty() || n < OTHERS || served * 2 < n {
        return Left::Same;
    }
    if look.complete {
        let ticks =
            look.ticks(|x| (x.failed || x.good()).then_some(x.failed).filter(|_| !out.contains(&x.client)));
        let found = detect::stretches(&ticks, &Options::default()).anomalies;
        let own = window(a);
        return match found.into_iter().find(|b| window(b).overlaps(own)) {
            None => Left::Nothing(worst),
            Some(b) => trimmed(a, &b, &others().collect::<Vec<_>>()),
        };
    }
    let share = |bad: usize, all: usize| (bad as f64 + 0.5) / (all as f64 + 1.0);
    let outside = || look.outside().filter(|x| (x.failed || x.good()) && !out.contains(&x.client));
    let usual = share(outside().filter(|x| x.failed).count(), outside().count()).max(a.usual_share).max(1e-3);
    let failed = n - served;
    let stands =
        excess_nats(n as f64, failed as f64, usual) / DISPERSION >= NATS && share(failed, n) >= 0.015;
    if stands { Left::Same } else { Left::Nothing(worst) }
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

/// Takes out of a detection what one client did alone, and says so.
pub(super) fn take_out(host: &Host<'_>, looks: &mut Looks, found: &mut Detection) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut kept = Vec::new();
    for a in std::mem::take(&mut found.anomalies) {
        let alone = a.kind == Kind::Failing && a.phases.iter().all(|p| p.kind == Kind::Failing);
        let at = window(&a);
        let look = if alone && !proven(host, at) { looks.at(host, at) } else { None };
        match look.map(|l| (l, left(l, &a))) {
            None | Some((_, Left::Same)) => kept.push(a),
            Some((_, Left::Other(b))) => kept.push(*b),
            Some((look, Left::Nothing(worst))) => findings.push(finding(host, look, &a, &worst)),
        }
    }
    found.anomalies = kept;
    findings
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

fn finding(host: &Host<'_>, look: &Look, a: &Anomaly, worst: &[(u64, u64)]) -> Finding {
    let names: Vec<&str> = worst.iter().filter_map(|w| look.text(w.0)).collect();
    let of_them: u64 = worst.iter().map(|w| w.1).sum();
    let who = match names.as_slice() {
        [one] => format!("one client, {one},"),
        many => format!("{} clients, {},", many.len(), many.join(", ")),
    };
    let seen = if look.complete { "" } else { " of those looked at" };
    let summary = format!(
        "{who} met {} of {}{seen} in {}; the others were served as usual",
        clock::count(of_them),
        clock::count_of(look.inside().filter(|x| x.failed).count() as u64, "failed request"),
        clock::duration((a.end_or_last() - a.start) * 1000),
    );
    let first = look.inside().find(|x| x.failed && worst.iter().any(|w| w.0 == x.client));
    Finding {
        kind: "one-client",
        time: a.start * 1000,
        end: Some(a.end_or_last() * 1000),
        summary,
        evidence: first.map(|x| x.evidence(host)).into_iter().collect(),
    }
}
