//! Causes: what nginx itself said, ranked; never without a quoted line.
//!
//! A first reading. Records inside the incident are grouped by category; the category that explains most of the
//! failures leads, and what is only a consequence of others (no live upstreams) yields to what came before it.

mod bodies;
mod handshakes;
mod joined;
mod marked;
mod none_live;
mod pairs;
mod reached;
mod rose;
mod shared_limit;
mod slices;
mod stopped;
mod story;
mod told;
mod trigger;
mod unsaid;
mod voice;

pub(super) use joined::Joins;
pub(super) use rose::{Rose, rose};
pub(super) use story::story;
pub(super) use trigger::trigger;

use super::again::Look;
use super::host::{Host, Said};
use super::incident::window;
use super::marks::Word;
use crate::catalogue::pattern::{Fault, Pattern, Visible};
use crate::catalogue::shape;
use crate::clock;
use crate::detect::{Anomaly, AnomalyPhase, Kind};
use crate::report::Cause;
use crate::scan::FailureTally;
use crate::time::Window;
use crate::timeline::Class;
use joined::Joined;
use marked::Marked;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use told::is_echo;

/// Seconds before the start in which a cause can have spoken.
const BEFORE: i64 = 30;
/// Records that are quoted for one cause.
const QUOTED: usize = 2;
/// Records of one class that are read again for peers and errnos.
const LOOKED_AT: usize = 48;
/// The share of failures without a record from which they are told of.
const ALONE: f64 = 0.05;
/// Records for this share of the failures are enough for all: a few are lost where two logs are cut.
const EVERY: f64 = 0.95;
/// What spoke first is likelier the cause than the consequence, where numbers are close.
const EARLIEST: f64 = 1.2;
/// Seconds before the end of what can tell of it in which the last record lies that ends with it,
const LAST: i64 = 5;
/// and records of which at most this part comes again in as long a time have ended.
const STILL: f64 = 0.1;
/// What has this part of the weight of the first cause is one of its sides, unless it came before.
const MINOR: f64 = 0.02;
/// What makes nginx try another server and mark the one that failed (`ngx_http_upstream_next`).
const FAILS_A_PEER: [&str; 11] = [
    "upstream.backlog_full",
    "upstream.bad_response",
    "upstream.closed_early",
    "upstream.header_too_big",
    "upstream.refused",
    "upstream.reset",
    "upstream.socket_denied",
    "upstream.socket_missing",
    "upstream.timeout",
    "upstream.tls",
    "upstream.unreachable",
];

/// The causes of an incident, the likeliest first.
pub(super) struct Causes {
    pub(super) ranked: Vec<Cause>,
    /// Requests were dropped before they could have a line in the access log.
    pub(super) unlogged: bool,
}

/// Categories whose requests leave no access line: the connection is closed before a request is read, or its worker
/// dies with it (`ngx_event_accept.c`, `ngx_connection.c`).
const UNLOGGED: [&str; 5] =
    ["client.tls", "resource.connections", "resource.files", "process.crash", "process.spawn_failed"];

/// Finds the causes of an anomaly.
pub(super) fn causes(
    host: &Host<'_>,
    look: Option<&Look>,
    a: &Anomaly,
    tally: &FailureTally,
    joins: &Joins<'_, '_>,
) -> Causes {
    let window = window(a);
    let silent = silences(a).next().is_some();
    let mut ranked: Vec<(f64, Cause)> = Vec::new();
    if silent {
        // Proof that nginx was not running outweighs all; a mere absence of requests yields to whatever was said.
        let weight = |c: &Cause| if c.category == "traffic.lost" { 0.0 } else { f64::MAX };
        ranked.extend(stopped::cause(host, a, window).map(|c| (weight(&c), c)));
        if let Some(cause) = handshakes::cause(host, a, window) {
            // Clients that come as far as that are no log that stopped.
            ranked.retain(|(_, c)| c.category != "logging.stopped");
            ranked.push((f64::MAX, cause));
        }
    }
    let heard = Window { end: heard_until(host, window), ..window };
    let unsaid = if a.kind == Kind::Failing { unsaid::unexplained(host, heard, tally) } else { None };
    // Where the error log is silent there is nothing to join.
    let joined = if unsaid.is_none() { joins.at(window) } else { None };
    ranked.extend(said(host, look, a, window, tally, (joined, heard.end)));
    if let Some(unsaid) = unsaid {
        let n = unsaid.failures as f64;
        ranked.extend(unsaid::cause(host, look, a, (window, tally, unsaid)).map(|c| (n, c)));
    } else if a.kind == Kind::Failing {
        if joins.pairable() == Some(false)
            && let Some((_, first)) = ranked.first_mut()
        {
            first.summary.push_str("; not compared request by request, for the logs are packed and large");
        }
        ranked.extend(joined.and_then(|joined| alone(joined, tally)));
    }
    ranked.sort_by(|x, y| y.0.total_cmp(&x.0));
    // That requests stopped coming explains nothing where something was said, and no requests that came and failed.
    let silence: i64 = silences(a).map(|p| p.end - p.start).sum();
    if ranked.len() > 1 || a.kind == Kind::Failing && 2 * silence < window.end - window.start {
        ranked.retain(|(_, c)| c.category != "traffic.lost");
    }
    let ranked: Vec<Cause> = ranked.into_iter().map(|r| r.1).collect();
    let unlogged =
        ranked.iter().any(|c| UNLOGGED.contains(&c.category.as_str()) && c.confidence != "possible");
    Causes { ranked, unlogged }
}

/// The parts of an anomaly in which no line was written.
fn silences(a: &Anomaly) -> impl Iterator<Item = &AnomalyPhase> {
    a.phases.iter().filter(|p| matches!(p.kind, Kind::Silence(_)))
}

/// Records of one class inside and right before an incident.
struct Group<'h> {
    class: u16,
    count: u64,
    first: i64,
    last: i64,
    /// Those that can be quoted, in order of time.
    quoted: Vec<&'h Said>,
}

/// When the last record of an incident can have been written. Where requests are dated by when they came, those that
/// had waited are logged behind the end, and so are their records.
fn heard_until(host: &Host<'_>, window: Window) -> i64 {
    let last = host.failure_edges(window)[1].as_ref().map_or(window.end, |(second, _)| *second);
    last.max(window.end) + 2
}

/// Whether the records of a class that lead up to `until` cease there: hardly any follow in as long a time.
fn cease(host: &Host<'_>, g: &Group<'_>, until: i64) -> bool {
    let after = Window { start: until, end: until.saturating_add(until.saturating_sub(g.first).max(1)) };
    let later: u64 = host.said.iter().filter(|s| s.class == g.class).map(|s| s.count_in(after)).sum();
    later as f64 <= STILL * g.count as f64
}

/// What the server-side records of the window say.
fn said(
    host: &Host<'_>,
    look: Option<&Look>,
    a: &Anomaly,
    window: Window,
    tally: &FailureTally,
    (joined, until): (Option<&Joined>, i64),
) -> Vec<(f64, Cause)> {
    let wide = Window { start: window.start - BEFORE, end: until };
    let mut by_class: BTreeMap<u16, Group<'_>> = BTreeMap::new();
    // What a limit refused is meant so, unless that is what the incident is made of.
    let limit = |class| host.category(class).starts_with("limit.");
    for s in host.said.iter().filter(|s| limit(s.class) || host.server_side(s.class)) {
        let n = s.count_in(wide);
        if n == 0 {
            continue;
        }
        let empty = Group { class: s.class, count: 0, first: i64::MAX, last: i64::MIN, quoted: Vec::new() };
        let group = by_class.entry(s.class).or_insert(empty);
        group.count += n;
        for second in s.seconds.inside(wide).iter() {
            (group.first, group.last) = (group.first.min(second), group.last.max(second));
        }
        if group.quoted.len() < LOOKED_AT && wide.contains(s.second) {
            group.quoted.push(s);
        }
    }
    let told = |g: &Group<'_>| !g.quoted.is_empty() && (!limit(g.class) || 2 * g.count >= tally.failed);
    let mut groups: Vec<Group<'_>> = by_class.into_values().filter(told).collect();
    groups.sort_by_key(|g| (g.first, g.class));
    let none_left = |g: &Group<'_>| host.category(g.class) == "upstream.no_live";
    // What came first among the failures of single servers is what the echo repeats.
    let of_peers = |g: &Group<'_>| FAILS_A_PEER.contains(&host.category(g.class));
    // The subrequest that asks whether a request is allowed has its own record (`ngx_http_auth_request_module.c`).
    let echo = |g: &Group<'_>| none_left(g) || host.category(g.class) == "auth.backend";
    let root = groups.iter().filter(|g| of_peers(g)).max_by_key(|g| g.count).map(|g| g.class);
    let of_servers: Vec<u16> = groups.iter().filter(|g| of_peers(g)).map(|g| g.class).collect();
    let marked = groups.iter().any(none_left).then(|| Marked::of(host, (look, tally), wide, &of_servers));
    let root = root.filter(|_| marked.as_ref().is_none_or(Marked::by_records));
    let echoes = marked.as_ref().zip(root).map_or_else(BTreeMap::new, |(marked, root)| marked.echoes(root));
    let all: u64 = echoes.values().sum();
    let mut out = Vec::new();
    // What is told as an echo needs no telling of its own.
    for (at, g) in groups.iter().enumerate().filter(|(_, g)| root.is_none() || !echo(g)) {
        let repeated = (echoes.get(&g.class).copied().unwrap_or(0), all);
        let mut weight = g.count as f64;
        if at == 0 {
            weight *= EARLIEST;
        }
        let mut cause = group_cause(host, a, g, (repeated, until), (tally, joined));
        if let Some(marked) = marked.as_ref().filter(|_| none_left(g)) {
            marked.explain(&mut cause);
        }
        out.push((weight, g.first, cause));
    }
    // Of a server that goes, a few connections are cut or closed in the same moment: parts of one event. What spoke
    // before it is told however seldom it is.
    let lead = out.iter().max_by(|x, y| x.0.total_cmp(&y.0)).map(|&(weight, first, _)| (weight, first));
    out.retain(|(weight, first, _)| lead.is_none_or(|l| *weight >= MINOR * l.0 || first + 1 < l.1));
    out.into_iter().map(|(weight, _, cause)| (weight, cause)).collect()
}

/// A cause made of the records of one class, `echoes` of which are told by the echo alone, of so many in all.
fn group_cause(
    host: &Host<'_>,
    a: &Anomaly,
    g: &Group<'_>,
    ((echoes, all_echoes), until): ((u64, u64), i64),
    (tally, joined): (&FailureTally, Option<&Joined>),
) -> Cause {
    let pattern = &host.catalogue.patterns()[usize::from(g.class)];
    let share = (g.count + echoes) as f64 / tally.failed.max(1) as f64;
    let confidence = match share {
        // Words alone can be about something else.
        e if (e >= 0.5 || tally.failed == 0) && !pattern.is_general() => "certain",
        e if e >= 0.1 => "likely",
        _ => "possible",
    };
    let mut peers: Vec<String> = Vec::new();
    let (mut words, mut zones): (Vec<String>, BTreeSet<String>) = (Vec::new(), BTreeSet::new());
    let (mut errnos, mut actions, mut within) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for s in &g.quoted {
        host.record(s, |r| {
            within.insert(r.subrequest.map(|s| String::from_utf8_lossy(s).into_owned()));
            errnos.extend(r.errno);
            actions.insert(r.action.map(<[u8]>::to_vec));
            // A full disk is no peer's, though its records name the one that was asked.
            let of_peer = pattern.category.starts_with("upstream.");
            peers.extend(voice::peer(r).filter(|p| of_peer && !peers.contains(p)));
            words.extend(voice::own_words(&pattern.category, r));
            zones.extend(voice::zone(r));
        });
    }
    let mut summary = pattern.title.clone();
    if errnos.len() == 1 {
        _ = write!(summary, " (errno {})", errnos.iter().sum::<u32>());
    }
    // A server that cannot be reached in time and one that does not answer in time are not the same trouble.
    if let (Some(Some(action)), 1, "upstream.timeout") = (actions.first(), actions.len(), &*pattern.category)
    {
        _ = write!(summary, " while {}", String::from_utf8_lossy(action));
    }
    _ = write!(summary, ": {} in the error log", clock::count_of(g.count, "record"));
    match peers.as_slice() {
        [] => {}
        [one] => _ = write!(summary, ", all at {one}"),
        [first, second] => _ = write!(summary, ", first at {first}, then at {second}"),
        [first, second, ..] => {
            _ = write!(summary, ", first at {first}, then at {second} and {} more", peers.len() - 2);
        }
    }
    if let Some(first) = words.first() {
        let shapes: BTreeSet<String> = words.iter().map(|w| shape(w.as_bytes())).collect();
        let which = if shapes.len() == 1 { "saying" } else { "the first saying" };
        _ = write!(summary, ", {which} \"{first}\"");
    }
    if let Some(zones) = quoted_list(&zones) {
        _ = write!(summary, ", by {zones}");
    }
    if let (Some(Some(subrequest)), 1) = (within.first(), within.len()) {
        _ = write!(summary, ", in the subrequest {subrequest}");
    }
    if echoes > 0 {
        let n = clock::count_of(echoes, "record");
        _ = write!(summary, "; {n} of \"no live upstreams\" are their echo");
    }
    if tally.failed > 0 && a.kind != Kind::ErrorsOnly {
        _ = write!(
            summary,
            "; {}",
            explained(host, g.class, echoes as f64 / all_echoes.max(1) as f64, tally, share, joined)
        );
    }
    // Where the error log alone tells of it, answers were good all along, or are not known.
    let is_over = a.kind != Kind::ErrorsOnly && a.end.is_some();
    if is_over && until - g.last <= LAST && cease(host, g, until) {
        let ends = if host.trials.is_none() { "when answers are good again" } else { "when failures do" };
        _ = write!(summary, ", and they end {ends}");
    }
    let evidence = g.quoted.iter().take(QUOTED).map(|s| host.evidence(s.file, &s.sample)).collect();
    Cause { category: pattern.category.clone(), confidence, summary, evidence }
}

/// `zone "one"`, or `zones "one" and "two"`.
fn quoted_list(zones: &BTreeSet<String>) -> Option<String> {
    let mut quoted: Vec<String> = zones.iter().map(|z| format!("\"{z}\"")).collect();
    let last = quoted.pop()?;
    Some(if quoted.is_empty() {
        format!("zone {last}")
    } else {
        format!("zones {} and {last}", quoted.join(", "))
    })
}

/// For how many failed requests the records of a class, and their echoes, were the last word.
fn explained(
    host: &Host<'_>,
    class: u16,
    echoed: f64,
    tally: &FailureTally,
    share: f64,
    joined: Option<&Joined>,
) -> String {
    if let Some(joined) = joined.filter(|j| j.complete) {
        let sum = |of: &dyn Fn(u16) -> bool| -> u64 {
            joined.reasons.iter().filter(|(c, _)| of(**c)).map(|r| r.1).sum()
        };
        let repeated = sum(&|c| c != class && is_echo(host.category(c))) as f64 * echoed;
        let n = sum(&|c| c == class) + repeated.round() as u64;
        // Some of them can be logged behind the stretch that was joined.
        if n == joined.requests && (share >= EVERY || joined.requests >= server_errors(tally)) {
            return "enough for every failed request".into();
        }
        let n = if n == 0 { "none".to_owned() } else { clock::count(n) };
        let all = clock::count(joined.requests);
        let those = if joined.requests < server_errors(tally) { " with a line in that time" } else { "" };
        return format!("the last word on {n} of the {all} failed requests{those}");
    }
    if share >= EVERY {
        "enough for every failed request".into()
    } else {
        format!("enough for {} of the failed requests", clock::share(share))
    }
}

/// Failures among others that have no record in the error log, although it has those of the others: the application's
/// own answers.
fn alone(joined: &Joined, tally: &FailureTally) -> Option<(f64, Cause)> {
    let n: u64 = joined.alone.values().sum();
    let (&status, _) = joined.alone.iter().max_by_key(|(_, n)| **n)?;
    let share = n as f64 / joined.requests as f64;
    // Two records of one second can be written in either order, and one be cut: a few stay alone by chance.
    if share < ALONE {
        return None;
    }
    let of = if joined.complete {
        format!("of the {} failed requests", clock::count(joined.requests))
    } else {
        let (looked_at, all) = (clock::count(joined.requests), clock::count(server_errors(tally)));
        format!("of {looked_at} failed requests looked at, spread over all {all},")
    };
    let (has, which) = match n {
        1 => ("has", "with"),
        _ if joined.alone.len() == 1 => ("have", "all with"),
        _ => ("have", "most of them with"),
    };
    let summary = format!(
        "{} {of} {has} no record in the error log, {which} status {status}: the application answered so itself",
        clock::count(n)
    );
    let confidence = if share >= 0.5 { "likely" } else { "possible" };
    let weight = share * tally.failed as f64 * 0.5;
    Some((
        weight,
        Cause {
            category: "upstream.app_error".into(),
            confidence,
            summary,
            evidence: vec![joined.first.clone()?],
        },
    ))
}

/// How many of the failed requests have a status of the server's side.
fn server_errors(tally: &FailureTally) -> u64 {
    tally.statuses.iter().filter(|(s, _)| Class::of(**s) == Class::ServerError).map(|(_, n)| n).sum()
}

/// Whether the records of a pattern are about the server's side failing.
pub(super) fn is_server_side(p: &Pattern) -> bool {
    let family = p.category.split('.').next().unwrap_or_default();
    let about = matches!(
        family,
        "upstream" | "process" | "resource" | "dns" | "auth" | "script" | "cache" | "content"
    );
    let fault = matches!(
        p.fault,
        Fault::Upstream
            | Fault::HostResources
            | Fault::Nginx
            | Fault::Network
            | Fault::Dns
            | Fault::Tls
            | Fault::NginxConfig
    );
    let told = !matches!(
        p.category.as_str(),
        "upstream.buffering" | "upstream.disabled" | "content.missing" | "content.forbidden" | "auth.denied"
    );
    about && fault && told && p.client_visible != Visible::No
}

/// What a word of nginx about itself means, as reports say it.
pub fn word_summary(word: Word) -> &'static str {
    match word {
        Word::Version | Word::Workers => "nginx starts",
        Word::Reconfiguring => "nginx reads its configuration anew",
        Word::Terminate => "nginx is told to stop",
        Word::Quit => "nginx is told to stop when it has finished",
        Word::Reopen => "nginx reopens its logs",
        Word::Upgrade => "nginx is told to start a new binary",
        Word::NewBinaryFailed => "the new binary did not start",
        Word::StopAccepting => "the workers are told to finish and end",
        Word::Crash => "a worker process crashed",
        Word::AddressInUse => "an address to listen on is in use",
        Word::Emergency => "nginx refuses its configuration",
    }
}
