//! One incident's block: what, when within which bounds, how long, for whom, why, and the lines that say so.

use super::page::{Page, Paint};
use super::places::Places;
use super::tables;
use crate::clock::{self, Clock};
use crate::render::grids::{self, Grid};
use crate::render::{brief, command, safe};
use crate::report::{Cause, Event, Evidence, Incident, Notice, Report, Severity};
use crate::time::Millis;
use std::collections::BTreeSet;

/// Events, lines and names shown of each kind; JSON has all of them.
const EVENTS: usize = 30;
const LINES: usize = 6;
const CAUSES: usize = 4;
const STATUSES: usize = 6;
const NAMES: usize = 6;

pub(super) fn paint(severity: Severity) -> Paint {
    match severity {
        Severity::Outage => Paint::Alarm,
        Severity::Degradation | Severity::Slowdown => Paint::Notice,
        Severity::Hidden | Severity::Unknown => Paint::Strong,
    }
}

/// The lines already quoted in a block: what was read once is referred to afterwards.
type Quoted<'a> = BTreeSet<(&'a str, u64)>;

pub(crate) fn lasted(i: &Incident) -> String {
    i.end.map_or_else(|| "goes on".into(), |end| clock::duration(end.saturating_sub(i.start)))
}

/// Its line in the list of all.
pub(super) fn overview(page: &mut Page, i: &Incident, number: usize, clock: Clock) {
    let start = i.start.saturating_sub(i.start.rem_euclid(1000));
    page.item(
        &format!("{number:>2}  {} {}  {:<11}", clock.date(start), clock.time(start), i.severity.name()),
        &format!("{}: {}", lasted(i), i.title),
    );
}

/// Its block.
pub(super) fn block(page: &mut Page, report: &Report, at: usize, places: &Places<'_>) {
    let Some(i) = report.incidents.get(at) else { return };
    let (number, total) = (at + 1, report.incidents.len());
    page.blank();
    let rule = "─".repeat(page.columns());
    page.line(&rule);
    let severity = i.severity.name().to_uppercase();
    let which = if total > 1 { format!("  incident {number} of {total}") } else { String::new() };
    page.painted(&format!("{severity}{which}  [{}]", i.id), paint(i.severity));
    page.paragraph(&i.title, Paint::Strong);
    page.blank();
    let mut quoted = Quoted::new();
    when(page, i, places.clock);
    page.label("Reason", &i.why);
    impact(page, i);
    page.label("Scope", &brief::scope(i, NAMES));
    if let Some(budget) = i.error_budget.as_ref().filter(|b| b.spent_minutes >= 0.005) {
        page.label("Budget", &grids::budget(budget, i.end.is_none()));
    }
    causes(page, i, places, &mut quoted);
    trigger(page, i, places, &mut quoted);
    phases(page, i, places.clock);
    timeline(page, i, places);
    context(page, i, places.clock);
    let lines: Vec<_> = i.evidence.iter().filter(|e| !quoted.contains(&(e.path.as_str(), e.line))).collect();
    if !lines.is_empty() {
        page.heading("  Evidence");
        for e in lines.iter().take(LINES) {
            page.quote(4, &places.place(e), e, 2);
        }
        more_lines(page, 4, lines.len().saturating_sub(LINES));
    }
    page.blank();
    page.command("Its lines", &command::lines(report, &i.id));
    page.command("In numbers", &command::series(report, i));
}

/// What it is compared with: other places, other times, other hosts, other incidents.
fn context(page: &mut Page, i: &Incident, clock: Clock) {
    let mut table = |grid: &Grid, notes: &[String]| {
        page.heading(&format!("  {}", grid.name));
        tables::grid(page, 4, grid);
        for note in notes {
            page.indented(4, note);
        }
    };
    if let Some(grid) = grids::places(i, clock) {
        table(&grid, grids::places_note(i).as_slice());
    }
    if let Some(grid) = grids::hosts_of(i, clock) {
        table(&grid, &[]);
    }
    match grids::around(i) {
        Some(grid) => table(&grid, &i.context.remarks),
        None => i.context.remarks.iter().for_each(|r| page.indented(4, r)),
    }
    if let Some(text) = grids::alike(i) {
        page.blank();
        page.label("Before", &text);
    }
}

pub(crate) fn between(bounds: (Millis, Millis), at: Millis, clock: Clock) -> String {
    let (low, high) = bounds;
    if low >= high {
        return String::new();
    }
    format!(" (between {} and {})", clock.beside(low, at), clock.beside(high, at))
}

fn when(page: &mut Page, i: &Incident, clock: Clock) {
    if i.open_start {
        let text =
            format!("before {} {}: it had begun when the log begins", clock.full(i.start), clock.zone());
        page.label("Start", &text);
    } else {
        let text =
            format!("{} {}{}", clock.full(i.start), clock.zone(), between(i.start_bounds, i.start, clock));
        page.label("Start", &text);
    }
    match i.end {
        Some(end) => {
            let open = if i.open_end { "  the log ends inside it" } else { "" };
            let text =
                format!("{} {}{}{open}", clock.full(end), clock.zone(), between(i.end_bounds, end, clock));
            page.label("End", &text);
        }
        None => page.label(
            "End",
            &format!("not seen: it goes on when the log ends, {}", clock.beside(i.end_bounds.0, i.start)),
        ),
    }
    page.label("Lasted", &duration(i));
    for (at, words) in noticed(i, clock).iter().enumerate() {
        page.label(if at == 0 { "Noticed" } else { "" }, words);
    }
}

/// When people noticed, by their notes: as written, and with a mistake mended where one shows.
pub(crate) fn noticed(i: &Incident, clock: Clock) -> Vec<String> {
    let Some(noticed) = &i.context.noticed else { return Vec::new() };
    let Evidence { path, line, .. } = &noticed.evidence;
    let mut out = vec![format!("{} (by {path}:{line})", notice(noticed.written, i, clock))];
    if let Some((mended, why)) = &noticed.mended {
        let why = why.trim_end_matches('.');
        out.push(format!("or {}, if the notes are wrong ({why})", notice(*mended, i, clock)));
    }
    out
}

fn notice(n: Notice, i: &Incident, clock: Clock) -> String {
    let (least, most) = n.after;
    let [first, last] = [least, most].map(|ms| clock::duration(ms.abs()));
    let gap = match () {
        () if i.open_start => format!("at least {first} after the start, which the logs do not show"),
        () if most <= 0 => format!("{last} to {first} before the start in the logs"),
        () if least <= 0 => format!("at most {last} after the start in the logs"),
        () if first == last => format!("{first} after the start in the logs"),
        () => format!("{first} to {last} after the start in the logs"),
    };
    let over = n.at.zip(i.end).is_some_and(|(at, end)| end <= at);
    let over = if over { ", when it was over" } else { "" };
    let at = n.at.map_or_else(String::new, |at| format!("{}, ", clock.beside(at, i.start)));
    format!("{at}{gap}{over}")
}

/// How long, with the least and the most that the bounds leave open.
pub(crate) fn duration(i: &Incident) -> String {
    let least = i.end_bounds.0.saturating_sub(i.start_bounds.1).max(0);
    let most = i.end_bounds.1.saturating_sub(i.start_bounds.0).max(0);
    let Some(end) = i.end else {
        return format!("at least {}", clock::duration(least));
    };
    let lasted = end.saturating_sub(i.start).max(0);
    if i.open_start || i.open_end {
        return format!("at least {}", clock::duration(lasted));
    }
    let (shown, least, most) = (clock::duration(lasted), clock::duration(least), clock::duration(most));
    if least == most { shown } else { format!("{shown} (at least {least}, at most {most})") }
}

fn impact(page: &mut Page, i: &Incident) {
    for (at, words) in impact_words(i).iter().enumerate() {
        page.label(if at == 0 { "Impact" } else { "" }, words);
    }
}

/// Who and how many were hit, a line each.
pub(crate) fn impact_words(i: &Incident) -> Vec<String> {
    let n = &i.impact;
    let mut text = match n.failed_share {
        Some(_) if n.failed == 0 => {
            format!("{}, of which none failed", clock::count_of(n.requests, "request"))
        }
        Some(share) => format!(
            "{} of {} failed ({})",
            clock::count(n.failed),
            clock::count_of(n.requests, "request"),
            clock::share(share)
        ),
        None if n.failed > 0 => {
            format!("{} failed; of how many is not known", clock::count_of(n.failed, "request"))
        }
        None => "no request was logged".into(),
    };
    if !n.statuses.is_empty() {
        let mut statuses: Vec<_> = n.statuses.iter().collect();
        statuses.sort_by_key(|&(status, count)| (std::cmp::Reverse(*count), *status));
        let more = statuses.len().saturating_sub(STATUSES);
        let shown = statuses
            .iter()
            .take(STATUSES)
            .map(|(status, count)| format!("{} × {status:03}", clock::count(**count)));
        let shown = shown.collect::<Vec<_>>().join(", ");
        let more = if more == 0 { String::new() } else { format!(" and {more} other statuses") };
        text = format!("{text}: {shown}{more}");
    }
    let mut out = vec![text];
    if let Some(late) = n.slow.filter(|&late| late > 0) {
        out.push(format!("{} took several times as long as usual", clock::count_of(late, "request")));
    }
    if let Some(lost) = n.lost_estimate.filter(|&lost| lost > 0) {
        let bounds = n.lost_bounds.map_or_else(String::new, |(low, high)| {
            format!(", {} to {}", clock::count(low), clock::count(high))
        });
        out.push(format!("about {} are missing (estimate{bounds})", clock::count_of(lost, "request")));
    }
    let clients = n.clients.filter(|&c| c > 0);
    match (i.client_visible, clients) {
        (true, Some(clients)) => out.push(format!("{} saw a failure", clock::count_of(clients, "client"))),
        (true, None)
            if i.severity == Severity::Unknown || i.severity == Severity::Degradation && n.requests == 0 =>
        {
            out.push("whether clients met it is not in the logs".into());
        }
        (true, None) => out.push("seen by clients".into()),
        (false, _) if i.severity == Severity::Hidden => {
            out.push("the upstream failures themselves did not reach clients".into());
        }
        (false, _) => out.push("not seen by clients".into()),
    }
    out
}

fn causes<'a>(page: &mut Page, i: &'a Incident, places: &Places<'_>, quoted: &mut Quoted<'a>) {
    let name = |c: &Cause| format!("{} [{}, {}]", c.summary, c.category, c.confidence);
    match &i.cause {
        Some(cause) => {
            page.label("Cause", &name(cause));
            quotes(page, &cause.evidence, &[5, 1], places, quoted);
        }
        None => page
            .label("Cause", "no line of the logs says so; an error log of this time, at level notice, could"),
    }
    for (at, cause) in i.other_causes.iter().take(CAUSES).enumerate() {
        page.label(if at == 0 { "Also" } else { "" }, &name(cause));
        quotes(page, &cause.evidence, &[2], places, quoted);
    }
    if i.other_causes.len() > CAUSES {
        page.label("", &format!("and {} more", i.other_causes.len() - CAUSES));
    }
}

/// What set it off; where its line stands above, its place is enough.
fn trigger<'a>(page: &mut Page, i: &'a Incident, places: &Places<'_>, quoted: &mut Quoted<'a>) {
    let Some(trigger) = &i.trigger else {
        page.label("Trigger", "nothing in the logs says what set it off");
        return;
    };
    let new: Vec<&Evidence> =
        trigger.evidence.iter().filter(|e| !quoted.contains(&(e.path.as_str(), e.line))).collect();
    let text = format!("{}, {}", places.clock.beside(trigger.time, i.start), trigger.summary);
    match (trigger.evidence.first(), new.is_empty()) {
        (Some(e), true) => page.label("Trigger", &format!("{text} ({})", places.place(e))),
        _ => page.label("Trigger", &text),
    }
    quotes(page, new, &[2, 1], places, quoted);
}

/// Quotes one line for each entry of `lines`, on at most so many lines of the page.
fn quotes<'a>(
    page: &mut Page,
    evidence: impl IntoIterator<Item = &'a Evidence>,
    lines: &[usize],
    places: &Places<'_>,
    quoted: &mut Quoted<'a>,
) {
    let mut lines = lines.iter();
    let mut more = 0;
    for e in evidence {
        match lines.next() {
            Some(&lines) => {
                page.quote(14, &places.place(e), e, lines);
                quoted.insert((&e.path, e.line));
            }
            None => more += 1,
        }
    }
    more_lines(page, 14, more);
}

fn more_lines(page: &mut Page, indent: usize, more: usize) {
    if more > 0 {
        page.line(&format!("{}and {}", " ".repeat(indent), clock::count_of(more as u64, "more line")));
    }
}

/// Something to show, or how many alike are passed over: of a long run of the same the first two and the last are
/// enough to see it.
enum Piece<'a, T> {
    One(&'a T),
    Alike(usize),
}

fn pieces<'a, T>(all: &[&'a T], alike: impl Fn(&T, &T) -> bool) -> Vec<Piece<'a, T>> {
    let mut out = Vec::new();
    for run in all.chunk_by(|a, b| alike(a, b)) {
        match run {
            [first, second, between @ .., last] if between.len() > 1 => {
                out.extend([
                    Piece::One(*first),
                    Piece::One(second),
                    Piece::Alike(between.len()),
                    Piece::One(last),
                ]);
            }
            run => out.extend(run.iter().map(|one| Piece::One(*one))),
        }
    }
    out
}

fn phases(page: &mut Page, i: &Incident, clock: Clock) {
    if i.phases.len() < 2 {
        return;
    }
    page.heading("  Phases");
    let all: Vec<_> = i.phases.iter().collect();
    let pieces = pieces(&all, |a, b| a.kind == b.kind && a.note == b.note);
    for piece in pieces.iter().take(EVENTS) {
        let phase = match piece {
            Piece::One(phase) => phase,
            Piece::Alike(n) => {
                page.line(&format!("    ... {n} more like these"));
                continue;
            }
        };
        let lasted =
            phase.end.map_or_else(|| "goes on".into(), |e| clock::duration(e.saturating_sub(phase.start)));
        let failed =
            phase.failed_share.map(clock::share).filter(|share| !phase.note.contains(share.as_str()));
        let failed = failed.map(|share| format!("{share} failed"));
        let note = (!phase.note.is_empty()).then(|| phase.note.clone());
        let words: Vec<_> = [failed, note].into_iter().flatten().collect();
        let colon = if words.is_empty() { "" } else { ": " };
        page.item(
            &format!("  {}  {lasted:<10}", clock.beside(phase.start, i.start)),
            &format!("{}{colon}{}", phase.kind, words.join(", ")),
        );
    }
    if pieces.len() > EVENTS {
        page.line(&format!("    and {} more", pieces.len() - EVENTS));
    }
}

fn timeline(page: &mut Page, i: &Incident, places: &Places<'_>) {
    if i.timeline.is_empty() {
        return;
    }
    page.heading("  Timeline");
    let all: Vec<_> = i.timeline.iter().collect();
    let pieces = pieces(&all, |a, b| a.what == b.what);
    let place = |event: &Event| event.evidence.as_ref().map_or_else(String::new, |e| places.place(e));
    // The places stand in a column of their own where they fit beside the widest event.
    let shown = pieces.iter().take(EVENTS);
    let widest = shown.clone().filter_map(|piece| match piece {
        Piece::One(event) if event.evidence.is_some() => Some(safe::columns(&safe::visible(&event.what))),
        _ => None,
    });
    let widest = widest.max().unwrap_or(0).min(page.columns() / 2);
    for piece in shown {
        match piece {
            Piece::One(event) => {
                let lead = format!("  {}", places.clock.beside(event.time, i.start));
                page.row(&lead, &event.what, widest, &place(event), event.evidence.as_ref());
            }
            Piece::Alike(n) => page.line(&format!("    ... {n} more like these")),
        }
    }
    if pieces.len() > EVENTS {
        page.line(&format!("    and {} more", pieces.len() - EVENTS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_are_told_by_their_ends() {
        let count = |all: &[char]| {
            let refs: Vec<_> = all.iter().collect();
            pieces(&refs, |a, b| a == b)
                .iter()
                .map(|p| match p {
                    Piece::One(c) => c.to_string(),
                    Piece::Alike(n) => n.to_string(),
                })
                .collect::<String>()
        };
        assert_eq!(count(&['a', 'a', 'a', 'a']), "aaaa");
        assert_eq!(count(&['a', 'a', 'a', 'a', 'a', 'b']), "aa2ab");
        assert_eq!(count(&[]), "");
    }
}
