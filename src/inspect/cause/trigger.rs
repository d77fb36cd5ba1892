//! What armed an incident and what set it off.
//!
//! nginx that refuses a new configuration goes on with the old one: nothing is seen until the next start, which fails.
//! The refusal arms, the stop sets off, and both belong to the trigger however far apart they are.

use super::super::host::{Host, Said};
use super::super::incident::window;
use super::super::marks::Word;
use crate::clock;
use crate::detect::{Anomaly, Kind};
use crate::report::Trigger;
use crate::time::Window;

/// Seconds before the start in which a stop or a reload sets something off.
const SET_OFF: i64 = 60;
/// Seconds after the start in which the start that fails is looked for: an operator's first try.
const TRIED: i64 = 120;

/// What armed the incident or set it off.
pub(in crate::inspect) fn trigger(host: &Host<'_>, a: &Anomaly) -> Option<Trigger> {
    let near = |s: &&Said, after: i64| {
        a.start - SET_OFF <= s.second && s.second <= a.start_bounds.1.max(a.start) + after
    };
    let is = |s: &Said, wanted: &[Word]| s.word.is_some_and(|w| wanted.contains(&w));
    let silent = a.phases.first().is_some_and(|p| matches!(p.kind, Kind::Silence(_)));
    let stop = host.said.iter().rfind(|s| is(s, &[Word::Terminate, Word::Quit, Word::Upgrade]) && near(s, 1));
    let refused = host
        .said
        .iter()
        .find(|s| {
            is(s, &[Word::Emergency]) && near(s, TRIED) && stop.is_none_or(|stop| s.second >= stop.second)
        })
        .filter(|_| silent || stop.is_some());
    let armed = refused.and_then(|r| armed(host, r));
    let quote = |s: &Said| {
        let s = host.reason_of(s);
        host.evidence(s.file, &s.sample)
    };
    let says = |s: &Said| host.message(host.reason_of(s)).unwrap_or_default();
    let failed = super::stopped::failed_upgrade(host, a.start)
        .filter(|_| stop.is_none_or(|s| s.word != Some(Word::Upgrade)));
    if let (None, Some(failed), Some(stop)) = (&armed, failed, stop)
        && failed.second <= stop.second
    {
        return Some(Trigger {
            time: failed.second * 1000,
            summary: format!(
                "a new binary did not start ({}), and {} later the nginx that ran was told to stop",
                says(failed),
                clock::duration((stop.second - failed.second) * 1000)
            ),
            evidence: [failed, stop].map(quote).into(),
        });
    }
    match (armed, refused, stop) {
        (Some(armed), Some(refused), _) => Some(Trigger {
            time: armed.second * 1000,
            summary: format!(
                "a configuration was refused ({}) and nginx went on with the old one; {} later a start met it and failed",
                says(armed),
                clock::duration((refused.second - armed.second) * 1000)
            ),
            evidence: [Some(armed), stop, Some(refused)].into_iter().flatten().map(quote).collect(),
        }),
        (None, Some(refused), stop) => Some(Trigger {
            time: stop.map_or(refused.second, |s| s.second) * 1000,
            summary: match stop {
                Some(_) => format!("nginx was stopped and could not start again: {}", says(refused)),
                None => format!("nginx could not start: {}", says(refused)),
            },
            evidence: [Some(refused), stop].into_iter().flatten().map(quote).collect(),
        }),
        // What the new binary's processes do is what failed.
        (_, None, Some(stop))
            if stop.word == Some(Word::Upgrade) && crashes(host, stop.second, a).is_some() =>
        {
            changed(host, a)
        }
        (_, None, Some(stop)) => Some(Trigger {
            time: stop.second * 1000,
            summary: super::word_summary(stop.word?).to_owned(),
            evidence: vec![quote(stop)],
        }),
        (_, None, None) => changed(host, a).or_else(|| ended(host, a)),
    }
}

/// The refusal before `refused` that says the same and was not put right in between: no configuration was read well
/// after it.
fn armed<'h>(host: &'h Host<'_>, refused: &Said) -> Option<&'h Said> {
    let text = host.message(refused)?;
    let mut found = None;
    for s in host.said.iter().take_while(|s| s.second < refused.second) {
        match s.word {
            Some(Word::Emergency) if found.is_none() && host.message(s).as_deref() == Some(&text) => {
                found = Some(s);
            }
            // New workers mean that a configuration was taken.
            Some(Word::Version | Word::Workers) => found = None,
            _ => {}
        }
    }
    // Tries of the same minute are one event, not a trap that was armed.
    found.filter(|s| refused.second - s.second > SET_OFF)
}

/// The first worker that died within a minute after `since`.
fn crashes<'h>(host: &'h Host<'_>, since: i64, a: &Anomaly) -> Option<&'h Said> {
    let end = (since + SET_OFF).min(window(a).end);
    host.said.iter().find(|s| s.word == Some(Word::Crash) && (since..=end).contains(&s.second))
}

/// Workers that die, from the first of a row on; and the act that they follow, since processes of another binary or
/// configuration that die one after another die of it.
fn crashed(host: &Host<'_>, a: &Anomaly, last: &Said) -> Option<Trigger> {
    let words = || host.said.iter().rev().filter(|s| s.second <= last.second);
    let mut first = last;
    for s in words().filter(|s| s.word == Some(Word::Crash)) {
        if first.second - s.second > SET_OFF {
            break;
        }
        first = s;
    }
    let told = |s: &&Said| s.second <= first.second && first.second - s.second <= SET_OFF;
    let act = |wanted: &[Word]| {
        let near = words().take_while(|s| first.second - s.second <= SET_OFF).filter(told);
        near.into_iter().find(|s| s.word.is_some_and(|w| wanted.contains(&w)))
    };
    // A new binary writes its version, too.
    let act = act(&[Word::Upgrade, Word::Reconfiguring]).or_else(|| act(&[Word::Version]));
    let dies = host.message(first).unwrap_or_default();
    let crashes = host.said.iter().filter(|s| s.word == Some(Word::Crash) && s.second >= first.second);
    let n: u64 = crashes.map(|s| s.count_in(Window { start: first.second, end: window(a).end + 1 })).sum();
    let again = if n > 1 { format!("; {} in all", clock::count_of(n, "such record")) } else { String::new() };
    let (from, summary) = match act {
        Some(act) => {
            (act, format!("{}, and then processes of it die: {dies}{again}", super::word_summary(act.word?)))
        }
        None => (first, format!("{dies}{again}")),
    };
    let evidence = if std::ptr::eq(from, first) { vec![first] } else { vec![from, first] };
    Some(Trigger {
        time: from.second * 1000,
        summary,
        evidence: evidence.into_iter().map(|s| host.evidence(s.file, &s.sample)).collect(),
    })
}

/// Seconds from the connections that an ending process cuts to the first that nobody takes.
const CUT: i64 = 3;
/// Records looked at for that.
const LOOKED_AT: usize = 64;

/// An application that ended: requests that were with it are cut off, and right after nobody listens.
fn ended(host: &Host<'_>, a: &Anomaly) -> Option<Trigger> {
    let wide = Window { start: a.start - super::BEFORE, end: a.start_bounds.1.max(a.start) + CUT };
    let is = |s: &&Said, wanted: &[&str]| wanted.contains(&host.category(s.class));
    let near = || host.said.iter().filter(|s| wide.contains(s.second)).take(LOOKED_AT);
    let gone = ["upstream.refused", "upstream.socket_missing"];
    let refused = near().find(|s| is(s, &gone))?;
    let peer = host.record(refused, super::voice::peer).flatten()?;
    // One that was refused before had ended before.
    let earlier = host.said.iter().take_while(|s| s.second < wide.start);
    let just = |s: &&Said| s.second >= wide.start - SET_OFF && is(s, &gone);
    if earlier.filter(just).any(|s| host.record(s, super::voice::peer).flatten().as_ref() == Some(&peer)) {
        return None;
    }
    let cut = near().find(|s| {
        is(s, &["upstream.reset", "upstream.closed_early"])
            && (0..=CUT).contains(&(refused.second - s.second))
            && host.record(s, super::voice::peer).flatten().as_ref() == Some(&peer)
    })?;
    Some(Trigger {
        time: cut.second * 1000,
        summary: format!(
            "what served {peer} ended: requests that were with it were cut off, and from then on nothing listens there"
        ),
        evidence: [cut, refused].map(|s| host.evidence(s.file, &s.sample)).into(),
    })
}

/// A reload, or a worker that died, right before the start.
fn changed(host: &Host<'_>, a: &Anomaly) -> Option<Trigger> {
    let quick = |s: &&Said| a.start - SET_OFF <= s.second && s.second <= a.start_bounds.1.max(a.start) + 1;
    let last = host
        .said
        .iter()
        .filter(quick)
        .rfind(|s| matches!(s.word, Some(Word::Reconfiguring | Word::Crash)))?;
    // Requests that were answered well after it speak for it; a worker that died does not wait.
    let calm = match last.word {
        Some(Word::Crash) => a.start - last.second > 5,
        _ => a.start - last.second > 30 && host.has_good(Window { start: last.second + 30, end: a.start }),
    };
    if calm || window(a).start < last.second - 5 {
        return None;
    }
    if last.word == Some(Word::Crash) {
        return crashed(host, a, last);
    }
    let summary = format!("{}, and failures begin", super::word_summary(last.word?));
    Some(Trigger {
        time: last.second * 1000,
        summary,
        evidence: vec![host.evidence(last.file, &last.sample)],
    })
}
