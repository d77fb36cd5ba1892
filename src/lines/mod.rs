//! The raw lines behind a statement: those of an incident, or the one at a place, in the true order of time over all
//! files and hosts, whatever zone each was written in.
//!
//! This file says which lines are wanted; `lines/reader.rs` reads one file's, `lines/merge.rs` puts them in order and
//! adds their neighbours.

mod merge;
mod reader;

use crate::error::{Error, Result};
use crate::inspect::Host;
use crate::reading::{Read, byte_of_line};
use crate::render::safe;
use crate::report::{Evidence, Incident, MadeOf, Report};
use crate::time::{Millis, Second, Window};
use reader::Reader;
use std::collections::BTreeSet;

/// Seconds after an incident in which its requests may still be written: a line is written when a request ends.
const LATE: Second = 600;
/// Seconds around what is wanted in which its neighbours are looked for.
const NEAR: Second = 600;
/// Incidents named when the one asked for is not there.
const NAMED: usize = 10;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The id of an incident, or a unique beginning of one; or a place, `error.log:21`.
    pub what: String,
    /// Lines shown before and after each.
    pub context: usize,
    /// Of an incident every line of its time, and not only what it is made of: failed requests, what else it counts as
    /// bad (late answers, missing content, clients that gave up), error records and its evidence.
    pub all: bool,
}

/// One line.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// When it was written; of a line without a time, that of the line before it.
    pub time: Millis,
    /// The file.
    pub path: &'a str,
    /// 1-based.
    pub line: u64,
    /// Its bytes, without the line feed.
    pub text: &'a [u8],
    /// Whether it was asked for, or stands beside one that was.
    pub wanted: bool,
    /// Whether lines were left out before it.
    pub gap: bool,
}

/// Which lines are wanted.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// By file and byte.
    places: BTreeSet<(usize, u64)>,
    /// By time: failed requests that arrived in it, records that were written in it.
    window: Option<Window>,
    /// By kind: what was bad without having failed, when it was written in the window.
    made_of: MadeOf,
    all: bool,
    context: usize,
    /// The files that are looked at.
    files: Vec<usize>,
}

/// Finds what `request` asks for and gives the lines to `out`, in order of time.
pub(crate) fn lines(
    report: &Report,
    reads: &[Read],
    hosts: &[Host<'_>],
    request: &Request,
    out: &mut dyn FnMut(&Line<'_>) -> std::io::Result<()>,
) -> Result<()> {
    let wanted = wanted(report, reads, request)?;
    let near = if wanted.context > 0 { NEAR } else { 0 };
    let readers = wanted.files.iter().map(|&file| {
        let zone = hosts.iter().find_map(|h| h.zones.get(&file));
        let window = wanted.window.map(|w| Window { start: w.start - near, end: w.end + LATE.max(near) });
        Reader::new(file, &reads[file], zone, window, &wanted)
    });
    let merged = merge::Merge::new(readers.collect(), reads, &wanted);
    merged.run(out).map_err(Error::io("the lines"))
}

fn wanted(report: &Report, reads: &[Read], request: &Request) -> Result<Wanted> {
    let what = request.what.trim();
    let named: Vec<&Incident> = report.incidents.iter().filter(|i| i.id == what).collect();
    let begun = || report.incidents.iter().filter(|i| !what.is_empty() && i.id.starts_with(what)).collect();
    let found = if named.is_empty() { begun() } else { named };
    match found.as_slice() {
        [one] => Ok(of_incident(one, reads, request)),
        [] => match what.rsplit_once(':').and_then(|(path, line)| Some((path, line.parse().ok()?))) {
            Some((path, line)) => of_place(path, line, reads, request),
            None => Err(Error::Usage(unknown(report, what))),
        },
        many => {
            let ids: Vec<_> = many.iter().take(NAMED).map(|i| i.id.as_str()).collect();
            Err(Error::Usage(format!("'{what}' begins several incidents: {}", ids.join(", "))))
        }
    }
}

fn unknown(report: &Report, what: &str) -> String {
    let what = safe::cut(what, 80);
    let ids: Vec<_> = report.incidents.iter().take(NAMED).map(|i| i.id.as_str()).collect();
    let more = if report.incidents.len() > NAMED { ", ..." } else { "" };
    if ids.is_empty() {
        format!(
            "there is no incident '{what}': these logs have none; a line is named by its place, like error.log:21"
        )
    } else {
        format!(
            "there is no incident '{what}'; there is {}{more}; a line is named by its place, like error.log:21",
            ids.join(", ")
        )
    }
}

fn of_incident(i: &Incident, reads: &[Read], request: &Request) -> Wanted {
    let mine = |r: &Read| {
        let hosts = &i.scope.hosts;
        hosts.is_empty() || r.reading.source.host.as_ref().is_none_or(|h| hosts.contains(h))
    };
    let end = i.end.unwrap_or(i.end_bounds.1).max(i.start.saturating_add(1));
    let mut places = BTreeSet::new();
    for e in evidence(i) {
        let file = reads.iter().position(|r| r.reading.source.shown == e.path);
        places.extend(file.map(|file| (file, e.byte)));
    }
    Wanted {
        places,
        window: Some(Window {
            start: i.start.div_euclid(1000),
            end: end.saturating_add(999).div_euclid(1000),
        }),
        made_of: i.context.made_of.clone(),
        all: request.all,
        context: request.context,
        files: (0..reads.len()).filter(|&f| mine(&reads[f])).collect(),
    }
}

/// Every line that the incident's block quotes or refers to.
fn evidence(i: &Incident) -> impl Iterator<Item = &Evidence> {
    let causes = i.cause.iter().chain(&i.other_causes).flat_map(|c| &c.evidence);
    let trigger = i.trigger.iter().flat_map(|t| &t.evidence);
    let events = i.timeline.iter().filter_map(|e| e.evidence.as_ref());
    i.evidence.iter().chain(causes).chain(trigger).chain(events)
}

fn of_place(path: &str, line: u64, reads: &[Read], request: &Request) -> Result<Wanted> {
    let same = |shown: &str| {
        shown == path
            || shown.strip_suffix(path).is_some_and(|folder| folder.is_empty() || folder.ends_with('/'))
    };
    let exact = reads.iter().position(|r| r.reading.source.shown == path);
    let found: Vec<usize> = match exact {
        Some(file) => vec![file],
        None => (0..reads.len()).filter(|&f| same(&reads[f].reading.source.shown)).collect(),
    };
    let shown = |f: &usize| reads[*f].reading.source.shown.as_str();
    let named = safe::cut(path, 80);
    match found.as_slice() {
        [file] => {
            let byte = byte_of_line(&reads[*file], line).ok_or_else(|| {
                let lines = reads[*file].scan.lines + reads[*file].scan.duplicate;
                Error::Usage(format!("{} has no line {line}: it has {lines}", shown(file)))
            })?;
            Ok(Wanted {
                places: [(*file, byte)].into(),
                window: None,
                made_of: MadeOf::default(),
                all: false,
                context: request.context,
                files: vec![*file],
            })
        }
        [] => Err(Error::Usage(format!("no file of these logs is '{named}'; `downtime formats` lists them"))),
        many => {
            let names: Vec<_> = many.iter().take(NAMED).map(shown).collect();
            Err(Error::Usage(format!("'{named}' is the end of several paths: {}", names.join(", "))))
        }
    }
}
