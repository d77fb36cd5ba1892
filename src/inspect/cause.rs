//! Causes: what nginx itself said, ranked; never without a quoted line.
//!
//! A first reading. Records inside the incident are grouped by category; the category that explains most of the
//! failures leads, and what is only a consequence of others (no live upstreams) yields to what came before it.

use super::host::{Host, Said, UNKNOWN};
use super::incident::window;
use super::marks::Word;
use crate::catalogue::pattern::{Fault, Visible};
use crate::clock;
use crate::detect::{Anomaly, Kind};
use crate::report::{Cause, Event, Evidence, Trigger};
use crate::scan::FailureTally;
use crate::time::Window;
use std::collections::BTreeMap;

/// Seconds before the start in which a cause can have spoken.
const BEFORE: i64 = 30;
/// Seconds before the start in which a trigger is looked for.
const ARMED: i64 = 900;
/// Records that are quoted for one cause.
const QUOTED: usize = 2;
/// A record of `no live upstreams` is the echo of earlier ones: it counts as this much of one.
const ECHO: f64 = 0.02;

/// The causes of an incident, the likeliest first.
pub(super) struct Causes {
    pub(super) ranked: Vec<Cause>,
    /// Requests were dropped before they could have a line in the access log.
    pub(super) unlogged: bool,
}

/// Categories whose requests leave no access line: the connection is closed before a request is read, or its worker
/// dies with it (`ngx_event_accept.c`, `ngx_connection.c`).
const UNLOGGED: [&str; 4] =
    ["resource.connections", "resource.files", "process.crash", "process.spawn_failed"];

/// Finds the causes of an anomaly.
pub(super) fn causes(host: &Host<'_>, a: &Anomaly, tally: &FailureTally) -> Causes {
    let window = window(a);
    let silent = a.phases.iter().any(|p| matches!(p.kind, Kind::Silence(_)));
    let mut ranked: Vec<(f64, Cause)> = Vec::new();
    if silent {
        // Proof that nginx was not running outweighs all; a mere absence of requests yields to whatever was said.
        let weight = |c: &Cause| if c.category == "traffic.lost" { 0.0 } else { f64::MAX };
        ranked.extend(stopped(host, a, window).map(|c| (weight(&c), c)));
    }
    ranked.extend(said(host, window, tally));
    if a.kind == Kind::Failing {
        ranked.extend(unsaid(host, window, tally));
    }
    ranked.sort_by(|x, y| y.0.total_cmp(&x.0));
    let ranked: Vec<Cause> = ranked.into_iter().map(|r| r.1).collect();
    let unlogged =
        ranked.iter().any(|c| UNLOGGED.contains(&c.category.as_str()) && c.confidence != "possible");
    Causes { ranked, unlogged }
}

/// What the server-side records of the window say.
fn said(host: &Host<'_>, window: Window, tally: &FailureTally) -> Vec<(f64, Cause)> {
    let wide = Window { start: window.start - BEFORE, end: window.end + 2 };
    let mut by_class: BTreeMap<u16, (u64, Vec<&Said>)> = BTreeMap::new();
    for s in host.said.iter().filter(|s| server_side(host, s.class)) {
        let n = s.count_in(wide);
        if n == 0 {
            continue;
        }
        let group = by_class.entry(s.class).or_default();
        group.0 += n;
        if group.1.len() < QUOTED && wide.contains(s.second) {
            group.1.push(s);
        }
    }
    by_class
        .into_iter()
        .filter(|(_, (_, quoted))| !quoted.is_empty())
        .map(|(class, (n, quoted))| {
            let pattern = &host.catalogue.patterns()[usize::from(class)];
            let echo = pattern.category == "upstream.no_live";
            let explained = n as f64 / tally.failed.max(1) as f64;
            let confidence = match explained {
                e if e >= 0.5 || tally.failed == 0 => "certain",
                e if e >= 0.1 => "likely",
                _ => "possible",
            };
            let summary = format!("{}: {} in the error log", pattern.title, clock::count_of(n, "record"));
            let evidence = quoted.iter().map(|s| host.evidence(s.file, &s.sample)).collect();
            let weight = n as f64 * if echo { ECHO } else { 1.0 };
            let cause = Cause { category: pattern.category.clone(), confidence, summary, evidence };
            (weight, cause)
        })
        .collect()
}

/// What the access log says where the error log is silent: the application's own answers.
fn unsaid(host: &Host<'_>, window: Window, tally: &FailureTally) -> Option<(f64, Cause)> {
    let (&status, &n) = tally.statuses.iter().max_by_key(|(_, n)| **n)?;
    let spoken: u64 =
        host.said.iter().filter(|s| server_side(host, s.class)).map(|s| s.count_in(window)).sum();
    let unexplained = tally.failed.saturating_sub(spoken);
    if unexplained * 2 < tally.failed {
        return None;
    }
    let listens = !host.zones.is_empty();
    let silence = if listens { "the error log says nothing about them" } else { "no error log was given" };
    let (category, what) = match status {
        504 => ("upstream.timeout", "the upstream did not answer in time"),
        499 => ("upstream.slow", "clients gave up waiting for an answer"),
        503 => ("operator.maintenance", "503 was answered"),
        500..=599 if listens || status == 500 => ("upstream.app_error", "the application itself answered so"),
        _ => return None,
    };
    let evidence = host.failure_evidence(window);
    if evidence.is_empty() {
        return None;
    }
    let summary = format!("{} with status {status}: {what}; {silence}", clock::count_of(n, "request"));
    let confidence = if listens && status != 503 { "likely" } else { "possible" };
    Some((unexplained as f64, Cause { category: category.into(), confidence, summary, evidence }))
}

/// Why nginx was not running, in its own words.
fn stopped(host: &Host<'_>, a: &Anomaly, window: Window) -> Option<Cause> {
    let near = |s: &&Said, before: i64, after: i64| {
        window.start - before <= s.second && s.second <= window.end + after
    };
    let quote = |s: &Said| host.evidence(s.file, &s.sample);
    let emergencies: Vec<&Said> =
        host.said.iter().filter(|s| s.word == Some(Word::Emergency) && near(s, 2, 2)).collect();
    if let Some(first) = emergencies.first() {
        let n: u64 = emergencies.iter().map(|s| u64::from(s.count)).sum();
        let category = match host.category(first.class) {
            "unknown" => "config.invalid",
            known => known,
        };
        return Some(Cause {
            category: category.into(),
            confidence: "certain",
            summary: format!("nginx could not start: {}", clock::count_of(n, "emergency record")),
            evidence: emergencies.iter().take(QUOTED).map(|s| quote(s)).collect(),
        });
    }
    let word = |wanted: &[Word], before, after| {
        host.said.iter().find(|s| s.word.is_some_and(|w| wanted.contains(&w)) && near(s, before, after))
    };
    let stop = word(&[Word::Terminate, Word::Quit], 5, 0).filter(|s| s.second <= window.start + 5);
    let start = host.said.iter().find(|s| {
        matches!(s.word, Some(Word::Version | Word::Workers | Word::AddressInUse))
            && s.second >= window.start
            && s.second <= window.end + 5
    });
    match (stop, start) {
        (Some(stop), start) => Some(Cause {
            category: "process.stop".into(),
            confidence: "certain",
            summary: "nginx was stopped".into(),
            evidence: std::iter::once(stop).chain(start).map(quote).collect(),
        }),
        (None, Some(start)) => Some(Cause {
            category: "process.down".into(),
            confidence: "certain",
            summary: "nginx started again without having said that it stops: it was killed, or its host was"
                .into(),
            evidence: vec![quote(start)],
        }),
        (None, None) => {
            let evidence = host.lines_around(a);
            (!evidence.is_empty()).then(|| Cause {
                category: "traffic.lost".into(),
                confidence: "possible",
                summary: "requests stopped coming; no line says that nginx was down".into(),
                evidence,
            })
        }
    }
}

/// Whether a class of records is about the server's side failing.
pub fn server_side(host: &Host<'_>, class: u16) -> bool {
    let Some(p) = host.catalogue.patterns().get(usize::from(class)).filter(|_| class != UNKNOWN) else {
        return false;
    };
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

/// What armed the incident or set it off: the last word about configuration or running before it.
pub(super) fn trigger(host: &Host<'_>, a: &Anomaly) -> Option<Trigger> {
    let set_off = |s: &&Said| {
        s.second >= a.start - ARMED
            && s.second <= a.start_bounds.1 + 1
            && matches!(
                s.word,
                Some(Word::Emergency | Word::Reconfiguring | Word::Terminate | Word::Quit | Word::Upgrade)
            )
    };
    let words: Vec<&Said> = host.said.iter().filter(set_off).collect();
    // A refused configuration arms what a later restart sets off, so it goes before the restart.
    let chosen = words.iter().rev().find(|s| s.word == Some(Word::Emergency)).or(words.last())?;
    // A reload long before, after which requests were answered well, armed nothing.
    let calm = chosen.word == Some(Word::Reconfiguring)
        && a.start - chosen.second > 60
        && host.has_good(Window { start: chosen.second + 30, end: a.start });
    if calm {
        return None;
    }
    let evidence: Vec<Evidence> = vec![host.evidence(chosen.file, &chosen.sample)];
    let summary = word_summary(chosen.word?).to_owned();
    Some(Trigger { time: chosen.second * 1000, summary, evidence })
}

/// What a word of nginx about itself means, as reports say it.
pub fn word_summary(word: Word) -> &'static str {
    match word {
        Word::Version | Word::Workers => "nginx starts",
        Word::Reconfiguring => "nginx reads its configuration anew",
        Word::Terminate => "nginx is told to stop",
        Word::Quit => "nginx is told to stop when it has finished",
        Word::Reopen => "nginx reopens its logs",
        Word::Upgrade => "a new nginx binary takes over",
        Word::Crash => "a worker process crashed",
        Word::AddressInUse => "an address to listen on is in use",
        Word::Emergency => "nginx refuses its configuration",
    }
}

impl Host<'_> {
    /// What nginx said about itself inside a window.
    pub(super) fn events(&self, window: Window) -> Vec<Event> {
        let mut out: Vec<Event> = Vec::new();
        let mut last = None;
        for s in self.said.iter().filter(|s| window.start - 5 <= s.second && s.second <= window.end + 5) {
            let Some(word) = s.word.filter(|w| *w != Word::Workers && *w != Word::Reopen) else { continue };
            // One act writes many lines of a kind.
            if last.is_some_and(|(w, at)| w == word && s.second - at <= 2) || out.len() >= 40 {
                continue;
            }
            last = Some((word, s.second));
            let evidence = Some(self.evidence(s.file, &s.sample));
            out.push(Event { time: s.second * 1000, what: word_summary(word).into(), evidence });
        }
        out
    }
}
