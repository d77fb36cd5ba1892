//! What the page rests on: the files, what they cannot speak for, what was not counted, what was asked for.

use super::{ROWS, shown, table};
use crate::clock::{self, Clock};
use crate::render::text::places::Places;
use crate::report::{CoverageState, Input, Report};
use maud::{Markup, html};

pub(super) fn section(report: &Report, places: &Places<'_>) -> Markup {
    html! {
        h2 { "Sources" }
        @if let Some(folder) = places.folder() { p class="quiet" { "Paths are under " code { (shown(folder)) } "." } }
        (inputs(report, places))
        @if report.inputs.len() > ROWS { p { "And " (report.inputs.len() - ROWS) " more files." } }
        @for input in report.inputs.iter().take(ROWS) { (doubts(input, places)) }
        (holes(report, places.clock))
        h3 { "Not counted" }
        @if report.not_counted.is_empty() {
            p { "Nothing: every line took part." }
        } @else {
            (not_counted(report, places))
        }
        (asked(report))
    }
}

fn inputs(report: &Report, places: &Places<'_>) -> Markup {
    let clock = places.clock;
    let hosts = report.inputs.iter().any(|i| i.host.is_some());
    let time = |at: Option<i64>| at.map_or_else(|| "-".into(), |at| clock.full(at));
    table(
        "Inputs",
        html! {
            tr {
                th scope="col" { "file" }
                @if hosts { th scope="col" { "host" } }
                th scope="col" { "kind" } th scope="col" { "format" } th scope="col" class="n" { "sure" }
                th scope="col" class="n" { "lines" } th scope="col" class="n" { "size" }
                th scope="col" { "first" } th scope="col" { "last" }
            }
        },
        html! {
            @for i in report.inputs.iter().take(ROWS) {
                tr {
                    td class="t" { code { (shown(places.short(&i.path))) } }
                    @if hosts { td { (shown(i.host.as_deref().unwrap_or("-"))) } }
                    td { (i.kind) }
                    td { (shown(&i.format)) }
                    td class="n t" { (format!("{:.0} %", (i.confidence * 100.0).clamp(0.0, 100.0).floor())) }
                    td class="n" { (clock::count(i.lines)) }
                    td class="n t" { (clock::bytes(i.bytes)) }
                    td class="t" { (time(i.first)) }
                    td class="t" { (time(i.last)) }
                }
            }
        },
    )
}

/// The zone that was inferred, notes, digest.
fn doubts(i: &Input, places: &Places<'_>) -> Markup {
    let name = shown(places.short(&i.path));
    html! {
        @if let Some(zone) = &i.error_zone {
            p class="quiet" { "Times of " code { (name) } " have no zone; read as " (Clock::new(zone.offset).zone()) ": " (shown(&zone.how)) "." }
        }
        @for note in &i.notes { p { code { (name) } ": " (shown(note)) "." } }
        @if let Some(digest) = &i.digest { p class="quiet" { "SHA-256 of " code { (name) } ": " code { (shown(digest)) } } }
    }
}

fn holes(report: &Report, clock: Clock) -> Markup {
    let holes: Vec<_> = report.coverage.iter().filter(|c| c.state != CoverageState::Covered).collect();
    if holes.is_empty() {
        return html! {};
    }
    html! {
        h3 { "What no file speaks for" }
        ul {
            @for c in holes.iter().take(ROWS) {
                li {
                    (clock.full(c.start)) " to " (clock.beside(c.end, c.start)) ": " (c.state.name())
                    @if let Some(host) = &c.host { " on " (shown(host)) }
                    @if !c.note.is_empty() { ", " (shown(&c.note)) }
                }
            }
        }
    }
}

fn not_counted(report: &Report, places: &Places<'_>) -> Markup {
    table(
        "Not counted",
        html! { tr { th scope="col" { "file" } th scope="col" { "why" } th scope="col" class="n" { "lines" } th scope="col" { "example" } } },
        html! {
            @for n in report.not_counted.iter().take(ROWS) {
                tr {
                    td { code { (shown(&places.short_list(&n.path))) } }
                    td class="w" { (shown(&n.reason)) }
                    td class="n" { @if n.lines > 0 { (clock::count(n.lines)) } @else { "-" } }
                    td class="w" { @if let Some(e) = &n.example { code { (shown(&places.place(e))) } " " code { (crate::render::safe::cut(&e.text, 200)) } } }
                }
            }
        },
    )
}

fn asked(report: &Report) -> Markup {
    html! {
        h3 { "Asked for" }
        dl {
            dt { "Program" } dd { (concat!("downtime ", env!("CARGO_PKG_VERSION"))) }
            dt { "Paths" } dd { @for path in &report.options.paths { code { (shown(path)) } " " } }
            @for (name, value) in &report.options.options { dt { (name) } dd { code { (shown(value)) } } }
        }
    }
}
