//! The timeline of an incident: what happened, in order, each with its line where one says so.

use super::super::host::{Host, Said};
use super::super::incident::window;
use super::super::marks::Word;
use super::super::phases::apart;
use super::super::words::lower;
use super::rose::Rose;
use super::voice::peer;
use super::word_summary;
use crate::clock;
use crate::detect::{Anomaly, AnomalyPhase, Kind, SilenceKind};
use crate::report::{Event, Evidence, Trigger};
use crate::time::Window;
use crate::timeline::Class;
use std::collections::{BTreeMap, BTreeSet};

/// Words of nginx told one by one.
const WORDS: usize = 40;
/// Peers whose first failure is told.
const PEERS: usize = 6;
/// Records looked at for them.
const LOOKED_AT: usize = 64;
/// Pauses between failing stretches told one by one.
const PAUSES: usize = 12;
/// Shares of failed requests above and below which the service is called failing and working again.
const MOST: f64 = 0.5;
const FEW: f64 = 0.1;
/// Seconds after the end whose answers say that it is over.
const AFTER: i64 = 600;

/// An event and its place among those of one second: what sets off before what follows.
struct Told {
    rank: u8,
    event: Event,
}

/// The events of an incident in order of time. `next`: when another begins behind it. `failures`: the failed requests of
/// the access log are its own.
pub(in crate::inspect) fn story(
    host: &Host<'_>,
    (a, next): (&Anomaly, Option<i64>),
    statuses: &BTreeMap<u16, u64>,
    trigger: Option<&Trigger>,
    rose: Option<&Rose>,
    first_line: Option<&Evidence>,
    failures: bool,
) -> Vec<Event> {
    let window = window(a);
    let mut told = Vec::new();
    let mut tell = |rank: u8, second: i64, what: String, evidence: Option<Evidence>| {
        told.push(Told { rank, event: Event { time: second * 1000, what, evidence } });
    };
    // A refusal long before is in no window of words.
    if let Some(t) = trigger.filter(|t| t.time < (window.start - 5) * 1000) {
        tell(0, t.time.div_euclid(1000), t.summary.clone(), t.evidence.first().cloned());
    }
    words(host, window, &mut tell);
    for p in apart(a).into_iter().filter(|p| matches!(p.kind, Kind::Silence(_))) {
        // A request that hangs came, and has no line yet.
        let what = match p.kind {
            Kind::Silence(SilenceKind::Down) => "requests stop coming",
            Kind::Silence(SilenceKind::LoggingStopped) => "the access log stops",
            Kind::Silence(SilenceKind::Stalled) => "no line is written any more",
            Kind::Silence(SilenceKind::Dip) => "most requests stay away from here on",
            _ => "no request is logged from here on",
        };
        tell(2, p.start, what.into(), None);
    }
    if a.waited.is_some() && !a.open_start {
        tell(2, a.start, "good answers cease".into(), None);
    }
    if let Some(p) = a.phases.iter().find(|p| p.kind == Kind::Slow && a.slow.is_some()) {
        // Where one name led, its first late line is for that.
        let led = |line: &Evidence| rose.and_then(|r| r.event.as_ref()).is_some_and(|e| e.2 == *line);
        let first = first_line.filter(|line| p.start == a.start && !a.open_start && !led(line));
        tell(3, p.start, "answers take several times as long as usual".into(), first.cloned());
    }
    if let (Kind::Missing, Some(line)) = (a.kind, first_line) {
        tell(3, a.start, gone(statuses), Some(line.clone()));
    }
    if let Some((second, what, line)) = rose.and_then(|r| r.event.as_ref()) {
        tell(2, *second, what.clone(), Some(line.clone()));
    }
    let [first, last] = if failures { host.failure_edges(a.failures_logged()) } else { [None, None] };
    let only = first.as_ref().map(|f| f.0) == last.as_ref().map(|l| l.0);
    if let Some((second, evidence)) = first {
        let what = if a.open_start {
            "failing already at the first failed request of the logs"
        } else {
            "first failed request"
        };
        // It failed when it timed out, and had come before.
        let dated = a.kind == Kind::Failing && !a.open_start && host.arrival_known();
        let waited = a.waited.is_some() || dated && second > a.start + 1;
        let what = if waited { "first failed request is logged" } else { what };
        let why = host.reason(&evidence, second);
        let what = why.as_ref().map_or(what.to_owned(), |why| format!("{what}: {}", why.0));
        tell(5, second, what, Some(evidence));
        if let Some((_, line)) = why {
            tell(7, second, "the error log on that request".into(), Some(line));
        }
    }
    peers(host, window, &mut tell);
    if host.trials.is_none() {
        pauses(a, &mut tell);
    }
    giving_up(host, window, statuses, &mut tell);
    if let Some((second, evidence)) = last {
        let behind = a.waited.is_some() || a.end.is_some_and(|end| second > end);
        let what = if behind { "last failed request is logged" } else { "last failed request" };
        tell(if only { 7 } else { 0 }, second, what.into(), Some(evidence));
    }
    if let Some(good) = a.first_good_after.filter(|_| !a.open_end).and_then(|s| first_good(host, s)) {
        tell(8, good, format!("first good answer after{}", since(host, good, a.logged().end, next)), None);
    }
    told.sort_by_key(|t| (t.event.time, t.rank));
    let mut seen = BTreeSet::new();
    told.retain(|t| seen.insert((t.event.time, t.event.what.clone())));
    // One line tells one event.
    let mut quoted = BTreeSet::new();
    told.retain(|t| t.event.evidence.as_ref().is_none_or(|e| quoted.insert((e.path.clone(), e.byte))));
    told.into_iter().map(|t| t.event).collect()
}

/// What became of paths that were answered well before, by the statuses they get now.
fn gone(statuses: &BTreeMap<u16, u64>) -> String {
    let of = |found: fn(u16) -> bool| -> Vec<(u16, u64)> {
        statuses
            .iter()
            .filter(|(s, _)| (400..499).contains(*s) && found(**s))
            .map(|(s, n)| (*s, *n))
            .collect()
    };
    let (missing, refused) = (of(|s| matches!(s, 404 | 410)), of(|s| !matches!(s, 404 | 410)));
    let count = |all: &[(u16, u64)]| all.iter().map(|s| s.1).sum::<u64>();
    let all = count(&missing) + count(&refused);
    // What a few others get is not what happened.
    let told = |part: &[(u16, u64)], what: &str| {
        let names: Vec<String> =
            part.iter().filter(|s| s.1 as f64 >= FEW * all as f64).map(|s| s.0.to_string()).collect();
        (!names.is_empty()).then(|| format!("{what} ({})", names.join(", ")))
    };
    let mut parts = [
        told(&missing, "not there").map(|what| (count(&missing), what)),
        told(&refused, "refused").map(|what| (count(&refused), what)),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>();
    parts.sort_by_key(|p| std::cmp::Reverse(p.0));
    let parts: Vec<String> = parts.into_iter().map(|p| p.1).collect();
    if parts.is_empty() {
        return "paths that were answered well before are not answered so any more".into();
    }
    format!("paths that were answered well before are {}", parts.join(", others "))
}

type Tell<'t> = dyn FnMut(u8, i64, String, Option<Evidence>) + 't;

/// What nginx said about itself: each stop, each try to start, each crash.
fn words(host: &Host<'_>, window: Window, tell: &mut Tell<'_>) {
    let mut last: Option<(Word, i64)> = None;
    let mut told = 0;
    let mut tries: BTreeMap<String, u32> = BTreeMap::new();
    let mut crashed: Option<&Said> = None;
    for s in host.said.iter().filter(|s| window.start - 5 <= s.second && s.second <= window.end + 5) {
        let Some(word) = s.word.filter(|w| *w != Word::Workers && *w != Word::Reopen) else { continue };
        // One act writes many lines of a kind.
        if last.is_some_and(|(w, at)| w == word && s.second - at <= 2) || told >= WORDS {
            continue;
        }
        // That an address is in use was told.
        if !std::ptr::eq(host.reason_of(s), s) {
            continue;
        }
        last = Some((word, s.second));
        // Workers that crash on and on differ by their numbers alone.
        if word == Word::Crash && crashed.replace(s).is_some() {
            continue;
        }
        told += 1;
        let (rank, what) = match word {
            Word::Terminate | Word::Quit | Word::Upgrade | Word::StopAccepting => {
                (1, word_summary(word).to_owned())
            }
            Word::Emergency | Word::AddressInUse | Word::Crash | Word::NewBinaryFailed => {
                let said = host.message(s).unwrap_or_default();
                let times = tries.entry(said.clone()).or_insert(0);
                *times += 1;
                let config =
                    host.category(s.class).starts_with("config.") || host.category(s.class) == "unknown";
                let what = match word {
                    Word::Emergency if !config => "nginx or a process of it cannot go on",
                    _ => word_summary(word),
                };
                (3, if *times > 1 { format!("{what} again, try {times}") } else { format!("{what}: {said}") })
            }
            // What is read anew when requests begin to fail set it off.
            Word::Reconfiguring if s.second <= window.start => (1, word_summary(word).to_owned()),
            _ => (4, word_summary(word).to_owned()),
        };
        tell(rank, s.second, what, Some(host.evidence(s.file, &s.sample)));
    }
    if let Some(s) = crashed {
        let what = "worker processes crash again and again until here";
        tell(3, s.second, what.into(), Some(host.evidence(s.file, &s.sample)));
    }
}

/// The first failure of each peer or limit, and the moment at which none was left.
fn peers(host: &Host<'_>, window: Window, tell: &mut Tell<'_>) {
    let wide = Window { start: window.start - 30, end: window.end };
    let failing = |s: &&Said| wide.contains(s.second) && host.server_side(s.class);
    let mut known: Vec<String> = Vec::new();
    let mut none_left = false;
    for s in host.said.iter().filter(failing).take(LOOKED_AT) {
        let title = &host.catalogue.patterns()[usize::from(s.class)].title;
        if host.category(s.class) == "upstream.no_live" {
            if !std::mem::replace(&mut none_left, true) {
                let what = format!("no server is left: {}", lower(title));
                tell(6, s.second, what, Some(host.evidence(s.file, &s.sample)));
            }
            continue;
        }
        // A limit or a crash is no peer's, though its record may name the one that was asked: it is told once by its name.
        let of_peer = host.category(s.class).starts_with("upstream.");
        let named = if of_peer { host.record(s, peer).flatten() } else { None };
        let (key, what) = match named {
            Some(peer) => (peer.clone(), format!("{peer} fails: {}", lower(title))),
            None => (title.clone(), lower(title)),
        };
        if known.len() < PEERS && !known.contains(&key) {
            tell(6, s.second, what, Some(host.evidence(s.file, &s.sample)));
            known.push(key);
        }
    }
}

/// Flaps and partial recovery: the stretches between and behind its failing parts.
fn pauses(a: &Anomaly, tell: &mut Tell<'_>) {
    let phases = apart(a);
    let part = |p: &AnomalyPhase| p.failed as f64 / p.requests.max(1) as f64;
    let share = |p: &AnomalyPhase| (p.requests > 0).then(|| clock::share(part(p)));
    for (p, next) in phases.iter().zip(phases.iter().skip(1)).take(PAUSES) {
        let failing = next.kind == Kind::Failing;
        if next.start - p.end >= 2 {
            let length = clock::duration((next.start - p.end) * 1000);
            tell(6, p.end, format!("answers are good again, for {length}"), None);
            if failing {
                tell(6, next.start, "requests fail again".into(), None);
            }
        } else if let (true, Some(share)) = (failing && p.kind == Kind::Failing, share(next)) {
            let what = match (part(p) >= MOST, part(next)) {
                (true, now) if now <= FEW => format!("most answers are good again; {share} fail"),
                (false, now) if now >= MOST && part(p) <= FEW => {
                    format!("requests fail again: {share} of them")
                }
                _ => format!("from here on {share} of requests fail"),
            };
            tell(6, next.start, what, None);
        } else if let (true, Some(share)) = (failing && p.kind != Kind::Failing, share(next)) {
            let what = match p.kind {
                Kind::Silence(SilenceKind::Down) => format!("requests come again, and {share} of them fail"),
                Kind::Silence(_) => format!("requests are logged again, and {share} of them fail"),
                _ => format!("{share} of requests fail"),
            };
            tell(6, next.start, what, None);
        }
    }
}

/// When clients began to give up, where they did so more than in as long a time before.
fn giving_up(host: &Host<'_>, window: Window, statuses: &BTreeMap<u16, u64>, tell: &mut Tell<'_>) {
    let length = window.end - window.start;
    let (mut before, mut inside, mut first) = (0_u64, 0_u64, None);
    host.timeline.each(Window { start: window.start - length, end: window.start }, |m| {
        before += u64::from(m.counts[Class::Aborted as usize]);
    });
    host.timeline.each(window, |m| {
        let n = u64::from(m.counts[Class::Aborted as usize]);
        inside += n;
        if n > 0 && first.is_none() {
            first = Some(m.second);
        }
    });
    if let Some(first) = first.filter(|_| inside >= 10 && inside >= 3 * before) {
        // Of those that came inside some are logged behind it.
        let n = clock::count_of(statuses.get(&499).copied().unwrap_or(0).max(inside), "time");
        tell(6, first, format!("clients give up waiting (499), {n} in all"), None);
    }
}

/// The first good answer from a second on; the line that ends a silence may be none.
fn first_good(host: &Host<'_>, from: i64) -> Option<i64> {
    let mut first = None;
    host.timeline.each(Window { start: from, end: from + AFTER }, |m| {
        let good = m.counts[Class::Ok as usize]
            + m.counts[Class::Redirect as usize]
            + m.counts[Class::Info as usize];
        if good > 0 && first.is_none() {
            first = Some(m.second);
        }
    });
    first
}

/// What followed the first good answer; of what failed, only what was logged from `over` on, and before the `next`
/// incident: that one's failures are told there.
fn since(host: &Host<'_>, good: i64, over: i64, next: Option<i64>) -> String {
    let Some(span) = host.timeline.span() else { return String::new() };
    let next = next.filter(|n| *n < (good + AFTER).min(span.end));
    let end = next.unwrap_or((good + AFTER).min(span.end));
    if end - good < 60 {
        return String::new();
    }
    let (mut well, mut failed) = (0_u64, 0_u64);
    host.timeline.each(Window { start: good, end }, |m| {
        well += u64::from(m.counts[Class::Ok as usize]) + u64::from(m.counts[Class::Redirect as usize]);
        failed += if m.second < over { 0 } else { u64::from(m.failed) };
    });
    let length = clock::duration((end - good) * 1000);
    let until = if next.is_some() { "until the next incident" } else { "that follow" };
    format!("; {} good and {} failed in the {length} {until}", clock::count(well), clock::count(failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_that_is_gone_says_how() {
        for (statuses, want) in [
            (vec![(200, 900), (404, 100), (403, 3)], "not there (404)"),
            (vec![(403, 100), (500, 70)], "refused (403)"),
            (vec![(401, 60), (403, 50), (404, 20)], "refused (401, 403), others not there (404)"),
            (vec![(499, 10)], "not answered so any more"),
        ] {
            let statuses: BTreeMap<u16, u64> = statuses.into_iter().collect();
            assert_eq!(gone(&statuses), format!("paths that were answered well before are {want}"));
        }
    }
}
