//! HTML: one file that needs nothing beside it, no network and no script, for a screen in the light or in the dark, a
//! telephone and a printer.
//!
//! The page forbids everything to itself but its own style, by the hash of that style. `maud` escapes what is put
//! into the markup, and every text of a log passes [`shown`] first. `html/chart.rs` draws, `html/incident.rs` is one
//! incident, `html/sources.rs` what all rests on.

mod chart;
mod incident;
mod sources;

use crate::clock::{self, Clock};
use crate::render::grids::{self, Grid};
use crate::render::safe;
use crate::render::text::places::Places;
use crate::render::text::{lasted, sentence, stops, totals, weight};
use crate::report::{Evidence, Report};
use base64::Engine as _;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};

/// The one style of the page.
const STYLE: &str = include_str!("html/style.css");
/// Incidents in full, rows of each table; JSON has all of them.
const FULL: usize = 100;
const ROWS: usize = 200;
/// Longest text of one line of a log.
const LONGEST: usize = 4096;

/// A text of a log or of the report, with whatever acts on a reader's screen as a visible escape.
fn shown(text: &str) -> String {
    safe::cut(text, LONGEST)
}

/// What the page may load and run: its style, and nothing else.
fn policy() -> String {
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
}

/// Writes the page.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(page(report).into_string().as_bytes())?;
    out.write_all(b"\n")
}

fn page(report: &Report) -> Markup {
    let places = Places::new(report);
    let title = title(report, places.clock);
    let mut order: Vec<usize> = (0..report.incidents.len()).collect();
    order.sort_by_key(|&at| weight(&report.incidents[at]));
    order.truncate(FULL);
    order.sort_unstable();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="generator" content=(concat!("downtime ", env!("CARGO_PKG_VERSION")));
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { (headline(report, &title, places.clock)) }
                main {
                    (list(report, &order, places.clock))
                    @for &at in &order { (incident::section(report, at, &places)) }
                    @if report.incidents.len() > order.len() {
                        p { "The " (order.len()) " worst are shown in full; the list has all." }
                    }
                    (hosts(report))
                    @if let Some(a) = report.availability.as_ref().filter(|_| !report.incidents.is_empty()) {
                        h2 { "Availability" }
                        p { (grids::availability(a, &report.incidents)) }
                    }
                    (findings(report, &places))
                    (sources::section(report, &places))
                }
            }
        }
    }
}

fn title(report: &Report, clock: Clock) -> String {
    if report.inputs.is_empty() {
        return "Nothing was read: no nginx log was found".into();
    }
    let Some((from, to)) = report.span else {
        return "Nothing can be said: no line of the logs has a time".into();
    };
    let what = match report.incidents.len() as u64 {
        0 => "No incident".to_owned(),
        n => clock::count_of(n, "incident"),
    };
    format!("{what}, {} to {} {}", clock.full(from), clock.beside(to, from), clock.zone())
}

fn headline(report: &Report, title: &str, clock: Clock) -> Markup {
    let worst = report.incidents.iter().min_by_key(|i| weight(i));
    html! {
        h1 class=[(report.incidents.is_empty() && report.span.is_some()).then_some("calm")] { (title) }
        @if let Some(i) = worst {
            p class={ "headline " (i.severity.name()) } { (sentence(i, report.incidents.len() > 1, clock)) }
            p {
                @match &i.cause {
                    Some(cause) => { "Why: " (shown(&cause.summary)) " (" code { (shown(&cause.category)) } ", " (cause.confidence) ")." }
                    None => { "Why: no line of the logs says so." }
                }
            }
        }
        p class="quiet" { (totals(report)) }
        @for stop in stops(report, clock) { p { (shown(&stop)) } }
        @if let Some(chart) = &report.chart { (chart::of_span(report, chart, clock)) }
    }
}

/// Where an incident stands on the page.
fn anchor(at: usize) -> String {
    format!("incident-{}", at + 1)
}

fn list(report: &Report, full: &[usize], clock: Clock) -> Markup {
    if report.incidents.len() < 2 {
        return html! {};
    }
    html! {
        h2 { "Incidents" }
        (table("Incidents", html! {
            tr { th scope="col" class="n" { "#" } th scope="col" { "start" } th scope="col" { "lasted" } th scope="col" { "severity" } th scope="col" { "what" } th scope="col" class="n" { "failed" } }
        }, html! {
            @for (at, i) in report.incidents.iter().enumerate() {
                tr {
                    td class="n" { @if full.contains(&at) { a href={ "#" (anchor(at)) } { (at + 1) } } @else { (at + 1) } }
                    td class="t" { (clock.full(i.start)) }
                    td class="t" { (lasted(i)) }
                    td class=(i.severity.name()) { (i.severity.name()) }
                    td class="w" { (shown(&i.title)) }
                    td class="n t" { (i.impact.failed_share.map_or_else(|| "-".into(), clock::share)) }
                }
            }
        }))
    }
}

/// A table that scrolls by itself where the screen is narrow; with the keyboard too.
#[expect(clippy::needless_pass_by_value, reason = "both are made for the call")]
fn table(name: &str, heads: Markup, rows: Markup) -> Markup {
    html! {
        div class="scroll" role="region" aria-label=(name) tabindex="0" {
            table { thead { (heads) } tbody { (rows) } }
        }
    }
}

/// A table that other outputs have too.
fn grid(grid: &Grid) -> Markup {
    let class = |at: usize| if grid.numbers.contains(&at) { "n t" } else { "t" };
    table(
        grid.name,
        html! {
            tr {
                @for (at, head) in grid.heads.iter().enumerate() {
                    // A header without a word heads nothing.
                    @if head.is_empty() { td class=(class(at)) {} } @else { th scope="col" class=(class(at)) { (head) } }
                }
            }
        },
        html! {
            @for row in &grid.rows {
                tr { @for (at, cell) in row.iter().enumerate() { td class=(class(at)) { (shown(cell)) } } }
            }
        },
    )
}

/// The hosts beside one another, and what they say together.
fn hosts(report: &Report) -> Markup {
    let Some(table) = grids::hosts(report) else { return html! {} };
    html! {
        h2 { "Hosts" }
        @if let Some(joint) = &report.joint { p { "Together: " (shown(&joint.verdict)) "." } }
        (grid(&table))
        @for text in grids::clocks(report) { p class="quiet" { (shown(&text)) } }
    }
}

/// Quoted lines, each under its place.
fn quotes(evidence: &[Evidence], places: &Places<'_>) -> Markup {
    html! {
        @for e in evidence {
            p class="place" { code { (shown(&places.place(e))) } }
            pre { (shown(&e.text)) }
        }
    }
}

fn findings(report: &Report, places: &Places<'_>) -> Markup {
    if report.findings.is_empty() {
        return html! {};
    }
    html! {
        h2 { "Also seen, and no incident" }
        (table("Also seen", html! {
            tr { th scope="col" { "time" } th scope="col" { "what" } th scope="col" { "line" } }
        }, html! {
            @for f in report.findings.iter().take(ROWS) {
                tr {
                    td class="t" { (places.clock.full(f.time)) }
                    td class="w" { (shown(&f.summary)) }
                    td { @if let Some(e) = f.evidence.first() { code { (shown(&places.place(e))) } } }
                }
            }
        }))
        @if report.findings.len() > ROWS {
            p { "And " (report.findings.len() - ROWS) " more; the JSON report has all." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::text::tests::hostile;

    fn drawn(report: &Report) -> String {
        let mut out = Vec::new();
        write(report, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nothing_of_a_log_becomes_markup() {
        let mut report = hostile();
        for i in &mut report.incidents {
            i.title = "</style></title><img src=x onerror=alert(1)> \" onload=\"x' &lt; ]]>".into();
            i.scope.endpoints = vec!["<svg/onload=1>".into(), "javascript:1".into()];
        }
        let page = drawn(&report);
        assert!(!page.chars().any(|c| c != '\n' && safe::is_hazard(c)), "{page}");
        for bad in ["<script", "<img", "<svg/", "onload=\"", "</style></title>", "href=\"javascript"] {
            assert!(!page.contains(bad), "{bad} in {page}");
        }
        assert_eq!(page.matches("<style>").count(), 1);
        // Attributes that the policy would refuse, and addresses that lead away.
        assert!(!page.contains(" style=") && !page.contains("http://"), "{page}");
    }

    #[test]
    fn the_policy_allows_the_style_of_the_page_and_nothing_else() {
        let page = drawn(&Report::default());
        let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(style.as_bytes()));
        let wanted = format!("content=\"default-src 'none'; style-src 'sha256-{hash}'; ");
        assert!(page.contains(&wanted), "{page}");
    }
}
