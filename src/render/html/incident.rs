//! One incident's section.

use super::{ROWS, anchor, chart, grid, quotes, shown, table};
use crate::clock::Clock;
use crate::render::text::places::Places;
use crate::render::text::{between, duration, impact_words, noticed};
use crate::render::{brief, command, grids};
use crate::report::{Cause, Event, Incident, Report};
use maud::{Markup, html};

pub(super) fn section(report: &Report, at: usize, places: &Places<'_>) -> Markup {
    let Some(i) = report.incidents.get(at) else { return html! {} };
    let clock = places.clock;
    html! {
        section id=(anchor(at)) aria-labelledby={ (anchor(at)) "-name" } {
            h2 id={ (anchor(at)) "-name" } {
                span class={ "badge " (i.severity.name()) } { (i.severity.name()) }
                @if report.incidents.len() > 1 { " " (at + 1) " of " (report.incidents.len()) }
                " · " (shown(&i.title))
            }
            (facts(i, clock))
            @if let Some(chart) = &i.chart { (chart::of_incident(i, chart, clock)) }
            h3 { "Cause" }
            @match &i.cause {
                Some(cause) => (said(cause, places)),
                None => p { "No line of the logs says why." },
            }
            @if !i.other_causes.is_empty() {
                h3 { "Also said" }
                @for cause in &i.other_causes { (said(cause, places)) }
            }
            @if let Some(t) = &i.trigger {
                h3 { "Trigger" }
                p { (clock.full(t.time)) ": " (shown(&t.summary)) }
                (quotes(&t.evidence, places))
            }
            (phases(i, clock))
            (timeline(i, places))
            (context(i, clock))
            @if !i.evidence.is_empty() {
                h3 { "First and last lines" }
                (quotes(&i.evidence, places))
            }
            (budget(i))
            h3 { "All its lines" }
            pre { (shown(&command::lines(report, &i.id))) }
        }
    }
}

/// What it is compared with: other places, other times, other hosts, other incidents.
fn context(i: &Incident, clock: Clock) -> Markup {
    html! {
        @if let Some(table) = grids::places(i, clock) {
            h3 { (table.name) }
            (grid(&table))
            @if let Some(note) = grids::places_note(i) { p class="quiet" { (note) } }
        }
        @if let Some(table) = grids::hosts_of(i, clock) { h3 { (table.name) } (grid(&table)) }
        @if let Some(table) = grids::around(i) { h3 { (table.name) } (grid(&table)) }
        @for remark in &i.context.remarks { p class="quiet" { (shown(remark)) } }
        @if let Some(text) = grids::alike(i) { p { "Has it happened before: " (shown(&text)) "." } }
    }
}

fn facts(i: &Incident, clock: Clock) -> Markup {
    let zone = clock.zone();
    let start = if i.open_start {
        format!("before {} {zone}: it had begun when the log begins", clock.full(i.start))
    } else {
        format!("{} {zone}{}", clock.full(i.start), between(i.start_bounds, i.start, clock))
    };
    let end = match i.end {
        Some(end) => format!("{} {zone}{}", clock.full(end), between(i.end_bounds, end, clock)),
        None => format!("not seen: it goes on when the log ends, {} {zone}", clock.full(i.end_bounds.0)),
    };
    html! {
        dl {
            dt { "Start" } dd { (start) }
            dt { "End" } dd { (end) }
            dt { "Lasted" } dd { (duration(i)) }
            @if i.context.noticed.is_some() {
                dt { "Noticed" } dd { @for (at, words) in noticed(i, clock).iter().enumerate() { @if at > 0 { br; } (shown(words)) } }
            }
            dt { "Impact" } dd { @for (at, words) in impact_words(i).iter().enumerate() { @if at > 0 { br; } (words) } }
            dt { "Scope" } dd { (shown(&brief::scope(i, 20))) }
            dt { "Reason" } dd { (shown(&i.why)) }
            dt { "Id" } dd { code { (shown(&i.id)) } }
        }
    }
}

fn said(cause: &Cause, places: &Places<'_>) -> Markup {
    html! {
        p { (shown(&cause.summary)) " (" code { (shown(&cause.category)) } ", " (cause.confidence) ")" }
        (quotes(&cause.evidence, places))
    }
}

fn phases(i: &Incident, clock: Clock) -> Markup {
    if i.phases.len() < 2 {
        return html! {};
    }
    html! {
        h3 { "Phases" }
        (table("Phases", html! {
            tr { th scope="col" { "from" } th scope="col" { "to" } th scope="col" { "kind" } th scope="col" { "what" } }
        }, html! {
            @for p in i.phases.iter().take(ROWS) {
                tr {
                    td class="t" { (clock.beside(p.start, i.start)) }
                    td class="t" { (p.end.map_or_else(|| "goes on".into(), |end| clock.beside(end, i.start))) }
                    td { (p.kind) }
                    td class="w" { (shown(&p.note)) }
                }
            }
        }))
    }
}

fn timeline(i: &Incident, places: &Places<'_>) -> Markup {
    if i.timeline.is_empty() {
        return html! {};
    }
    let events: Vec<&Event> = i.timeline.iter().collect();
    html! {
        h3 { "Timeline" }
        (table("Timeline", html! {
            tr { th scope="col" { "time" } th scope="col" { "what" } th scope="col" { "line" } }
        }, html! {
            @for e in events.iter().take(ROWS) {
                tr {
                    td class="t" { (places.clock.beside(e.time, i.start)) }
                    td class="w" { (shown(&e.what)) }
                    td { @if let Some(e) = &e.evidence { code { (shown(&places.place(e))) } } }
                }
            }
        }))
        @if events.len() > ROWS { p { "And " (events.len() - ROWS) " more; the JSON report has all." } }
    }
}

fn budget(i: &Incident) -> Markup {
    let Some(budget) = &i.error_budget else { return html! {} };
    html! {
        h3 { "Error budget" }
        p {
            "It spent " @if i.end.is_none() { "at least " } (format!("{:.2}", budget.spent_minutes))
            " minutes: its length times the share that was not answered well."
        }
        (table("Error budget", html! {
            tr { th scope="col" class="n" { "objective" } th scope="col" class="n" { "budget of " (budget.window_days) " days" } th scope="col" class="n" { "spent by this" } }
        }, html! {
            @for o in &budget.objectives {
                tr {
                    td class="n" { (grids::target(o.target)) }
                    td class="n" { (format!("{:.2} min", o.budget_minutes)) }
                    td class="n" { (format!("{:.1} %", o.spent_share * 100.0)) }
                }
            }
        }))
    }
}
