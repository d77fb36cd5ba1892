//! One incident's part of the draft.

use super::mark::{block, code, prose};
use super::{grid, heads, line, row};
use crate::clock::{self, Clock};
use crate::render::text::places::Places;
use crate::render::text::{between, duration, impact_words, noticed, sentence};
use crate::render::{brief, command, grids};
use crate::report::{Event, Evidence, Incident, Report};
use std::borrow::Cow;

/// Events and quoted lines shown; JSON has all of them.
const EVENTS: usize = 40;
const QUOTES: usize = 3;

/// `outage on Thu 2026-06-18, 18:00:06 to 18:04:14 UTC-05:00`.
pub(super) fn name(i: &Incident, clock: Clock) -> String {
    let (date, zone) = (clock.weekday_date(i.start), clock.zone());
    let start = format!("{}{}", if i.open_start { "before " } else { "" }, clock.time(i.start));
    let when = match i.end {
        Some(end) => format!("{start} to {} {zone}", clock.beside(end, i.start)),
        None => format!("from {start} {zone}, not over when the logs end"),
    };
    format!("{} on {date}, {when}", i.severity.name())
}

/// The whole part.
pub(super) fn part(page: &mut String, report: &Report, at: usize, places: &Places<'_>) {
    let Some(i) = report.incidents.get(at) else { return };
    // A draft about one thing has its parts on the second level, one about several under their names.
    let several = report.incidents.len() > 1;
    let hash = if several { "###" } else { "##" };
    if several {
        line(page, &format!("## {}. {}\n", at + 1, name(i, places.clock)));
    }
    line(page, &format!("{hash} Summary\n"));
    summary(page, i, places.clock);
    line(page, &format!("{hash} Trigger\n"));
    match &i.trigger {
        Some(t) => {
            line(page, &format!("{}: {}.\n", places.clock.full(t.time), prose(&t.summary)));
            quotes(page, &t.evidence, places);
        }
        None => line(page, "Nothing in the logs says what set it off.\n"),
    }
    line(page, &format!("{hash} Cause\n"));
    causes(page, i, places);
    line(page, &format!("{hash} Timeline\n"));
    timeline(page, i, places);
    context(page, i, hash, places.clock);
    line(page, &format!("{hash} Detection\n"));
    detection(page, report, i, places.clock);
    line(page, &format!("{hash} Recovery\n"));
    recovery(page, i, places);
    budget(page, i, hash);
    line(page, &format!("{hash} Lines\n"));
    if !i.evidence.is_empty() {
        quotes(page, &i.evidence, places);
    }
    line(page, "All of them, in order:\n");
    line(page, &block(&[Cow::Owned(command::lines(report, &i.id))]));
}

fn summary(page: &mut String, i: &Incident, clock: Clock) {
    line(page, &format!("{}\n", prose(&sentence(i, false, clock))));
    heads(page, &["", ""]);
    let zone = clock.zone();
    row(page, &["What", &prose(&i.title)]);
    let start = if i.open_start {
        format!("before {} {zone}: it had begun when the log begins", clock.full(i.start))
    } else {
        format!("{} {zone}{}", clock.full(i.start), between(i.start_bounds, i.start, clock))
    };
    row(page, &["Impact began", &start]);
    let end = match i.end {
        Some(end) => format!("{} {zone}{}", clock.full(end), between(i.end_bounds, end, clock)),
        None => format!("not seen: it goes on when the log ends, {} {zone}", clock.full(i.end_bounds.0)),
    };
    row(page, &["Impact ended", &end]);
    row(page, &["Lasted", &duration(i)]);
    row(page, &["Severity", i.severity.name()]);
    for (name, words) in ["Impact", ""].iter().chain(std::iter::repeat(&"")).zip(impact_words(i)) {
        row(page, &[name, &prose(&words)]);
    }
    row(page, &["Who was hit", &prose(&brief::scope(i, 6))]);
    row(page, &["How it is known", &prose(&i.why)]);
    page.push('\n');
}

fn causes(page: &mut String, i: &Incident, places: &Places<'_>) {
    let Some(cause) = &i.cause else {
        line(page, "No line of the logs says why.\n");
        return;
    };
    for (at, c) in std::iter::once(cause).chain(&i.other_causes).take(4).enumerate() {
        let also = if at == 0 { "" } else { "Also: " };
        line(page, &format!("{also}{} ({}, {}).\n", prose(&c.summary), code(&c.category), c.confidence));
        quotes(page, &c.evidence, places);
    }
}

/// What it is compared with: other places, other times, other hosts, other incidents.
fn context(page: &mut String, i: &Incident, hash: &str, clock: Clock) {
    let tables = [
        grids::places(i, clock).map(|g| (g, grids::places_note(i).into_iter().collect())),
        grids::hosts_of(i, clock).map(|g| (g, Vec::new())),
        grids::around(i).map(|g| (g, i.context.remarks.clone())),
    ];
    for (table, notes) in tables.into_iter().flatten() {
        line(page, &format!("{hash} {}\n", table.name));
        grid(page, &table);
        for note in &notes {
            line(page, &format!("- {}", prose(note)));
        }
        if !notes.is_empty() {
            page.push('\n');
        }
    }
    if let Some(text) = grids::alike(i) {
        line(page, &format!("Has it happened before: {}.\n", prose(&text)));
    }
}

/// Quoted lines, each under its place.
fn quotes(page: &mut String, evidence: &[Evidence], places: &Places<'_>) {
    for e in evidence.iter().take(QUOTES) {
        line(page, &format!("{}:\n", code(&places.place(e))));
        line(page, &block(&[Cow::Borrowed(&e.text)]));
    }
    if evidence.len() > QUOTES {
        line(page, &format!("And {}.\n", clock::count_of((evidence.len() - QUOTES) as u64, "more line")));
    }
}

fn timeline(page: &mut String, i: &Incident, places: &Places<'_>) {
    if i.timeline.is_empty() {
        line(page, "Nothing but its edges is known.\n");
        return;
    }
    let events: Vec<&Event> = i.timeline.iter().collect();
    heads(page, &["time", "what", "line"]);
    for e in events.iter().take(EVENTS) {
        let place = e.evidence.as_ref().map_or_else(String::new, |e| code(&places.place(e)));
        row(page, &[&places.clock.beside(e.time, i.start), &prose(&e.what), &place]);
    }
    page.push('\n');
    if events.len() > EVENTS {
        line(page, &format!("And {} more events; `--format json` has all.\n", events.len() - EVENTS));
    }
}

fn detection(page: &mut String, report: &Report, i: &Incident, clock: Clock) {
    line(page, &format!("The logs show it from {} {} on.\n", clock.full(i.start), clock.zone()));
    match (&i.context.noticed, &report.notes) {
        (Some(n), _) => {
            let words = noticed(i, clock).join("; ");
            line(page, &format!("Noticed: {}.", prose(&words)));
            page.push('\n');
            if !n.evidence.text.is_empty() {
                line(page, &block(&[Cow::Borrowed(&n.evidence.text)]));
            }
            line(page, "How, and by whom:\n");
        }
        (None, Some(path)) => {
            line(
                page,
                &format!("{} does not say when it was noticed. How, by whom, and when:\n", code(path)),
            );
        }
        (None, None) => line(page, "How it was noticed, by whom, and when:\n"),
    }
}

fn recovery(page: &mut String, i: &Incident, places: &Places<'_>) {
    match i.end {
        Some(end) => {
            // The last two things that happened before it was over are what is known of how.
            let before: Vec<&Event> =
                i.timeline.iter().filter(|e| e.time <= end && e.evidence.is_some()).collect();
            let words: Vec<_> = before
                .iter()
                .rev()
                .take(2)
                .rev()
                .map(|e| format!("{} at {}", prose(&e.what), places.clock.beside(e.time, i.start)))
                .collect();
            let last = if words.is_empty() {
                String::new()
            } else {
                format!(" Last in the logs: {}.", words.join(", then "))
            };
            line(page, &format!("Over at {} {}.{last}\n", places.clock.full(end), places.clock.zone()));
        }
        None => line(page, "The logs end before it does.\n"),
    }
    line(page, "What was done:\n");
}

fn budget(page: &mut String, i: &Incident, hash: &str) {
    let Some(budget) = &i.error_budget else { return };
    line(page, &format!("{hash} Error budget\n"));
    let least = if i.end.is_none() { "at least " } else { "" };
    line(
        page,
        &format!(
            "It spent {least}{:.2} minutes: its length times the share that was not answered well.\n",
            budget.spent_minutes
        ),
    );
    let days = format!("budget of {} days", budget.window_days);
    heads(page, &["objective", &days, "spent by this"]);
    for o in &budget.objectives {
        let target = grids::target(o.target);
        let minutes = format!("{:.2} min", o.budget_minutes);
        row(page, &[&target, &minutes, &format!("{:.1} %", o.spent_share * 100.0)]);
    }
    page.push('\n');
}
