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
    let quote = |s: &Said| host.evidence(s.file, &s.sample);
    let says = |s: &Said| host.message(s).unwrap_or_default();
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
        (_, None, Some(stop)) => Some(Trigger {
            time: stop.second * 1000,
            summary: super::word_summary(stop.word?).to_owned(),
            evidence: vec![quote(stop)],
        }),
        (_, None, None) => changed(host, a),
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
    let summary = match last.word {
        Some(Word::Crash) => host.message(last).unwrap_or_default(),
        word => format!("{}, and failures begin", super::word_summary(word?)),
    };
    Some(Trigger {
        time: last.second * 1000,
        summary,
        evidence: vec![host.evidence(last.file, &last.sample)],
    })
}
