//! Markdown: the draft of a postmortem. What the logs prove is filled in, each statement with its line; what only
//! people know stays as an empty heading. Reads well on the usual forges: headings, tables, quotes, nothing else.
//!
//! `markdown/incident.rs` is the part of one incident, `markdown/mark.rs` stands between the log and the markup.

mod incident;
mod mark;

use crate::clock::{self, Clock};
use crate::render::grids::{self, Grid};
use crate::render::text::places::Places;
use crate::render::text::{stops, totals, weight};
use crate::report::{CoverageState, Report};
use mark::{code, prose};
use std::io::{self, Write};

/// Incidents in full; lesser ones have their row in the table of all.
const FULL: usize = 10;
/// Findings, holes and files shown of each kind; JSON has all of them.
const ROWS: usize = 30;

/// What only people know.
const PEOPLE: [(&str, &str); 5] = [
    ("What went well", ""),
    ("What went badly", ""),
    ("Where we were lucky", ""),
    ("Contributing factors", ""),
    ("Actions", "| action | owner | due |\n|---|---|---|\n| | | |\n"),
];

/// Writes the draft.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let places = Places::new(report);
    let mut page = String::new();
    title(&mut page, report, &places);
    let mut order: Vec<usize> = (0..report.incidents.len()).collect();
    order.sort_by_key(|&at| weight(&report.incidents[at]));
    order.truncate(FULL);
    order.sort_unstable();
    for &at in &order {
        incident::part(&mut page, report, at, &places);
    }
    if report.incidents.len() > order.len() {
        let (n, all) = (order.len(), clock::count(report.incidents.len() as u64));
        line(&mut page, &format!("The {n} worst of {all} incidents are told in full; the table has all.\n"));
    }
    if !report.incidents.is_empty() {
        if let Some(a) = &report.availability {
            line(&mut page, "## Availability\n");
            line(&mut page, &format!("{}\n", grids::availability(a, &report.incidents)));
        }
        for (heading, body) in PEOPLE {
            line(&mut page, &format!("## {heading}\n"));
            if !body.is_empty() {
                line(&mut page, body);
            }
        }
    }
    hosts(&mut page, report);
    findings(&mut page, report, &places);
    sources(&mut page, report, &places);
    out.write_all(page.trim_end().as_bytes())?;
    out.write_all(b"\n")
}

fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}

/// A row of a table, its cells ready.
fn row(page: &mut String, cells: &[&str]) {
    line(page, &format!("| {} |", cells.join(" | ")));
}

fn heads(page: &mut String, names: &[&str]) {
    row(page, names);
    line(page, &format!("|{}", "---|".repeat(names.len())));
}

fn title(page: &mut String, report: &Report, places: &Places<'_>) {
    let clock = places.clock;
    let version = env!("CARGO_PKG_VERSION");
    let drafted = |page: &mut String| {
        line(
            page,
            &format!(
                "> Drafted by downtime {version} from the logs named at the end. What stands here was in them; times \
                 are {}. The headings without text are for people.\n",
                clock.zone()
            ),
        );
    };
    match report.incidents.as_slice() {
        [] => {
            let nothing = if report.inputs.is_empty() {
                "Nothing was read: no nginx log was found"
            } else {
                "Nothing can be said: no line of the logs has a time"
            };
            let span = report.span.map_or_else(
                || nothing.to_owned(),
                |(from, to)| {
                    format!(
                        "No incident from {} to {} {}",
                        clock.full(from),
                        clock.beside(to, from),
                        clock.zone()
                    )
                },
            );
            line(page, &format!("# {span}\n"));
            line(page, &format!("{}\n", totals(report)));
            stops(report, clock).for_each(|stop| line(page, &format!("{}\n", prose(&stop))));
        }
        [one] => {
            line(page, &format!("# Postmortem: {}\n", incident::name(one, clock)));
            drafted(page);
        }
        many => {
            line(page, &format!("# Postmortem: {} incidents\n", many.len()));
            drafted(page);
            heads(page, &["#", "start", "lasted", "severity", "what", "failed"]);
            for (at, i) in many.iter().enumerate() {
                row(
                    page,
                    &[
                        &(at + 1).to_string(),
                        &clock.full(i.start),
                        &crate::render::text::lasted(i),
                        i.severity.name(),
                        &prose(&i.title),
                        &i.impact.failed_share.map_or_else(|| "-".into(), clock::share),
                    ],
                );
            }
            page.push('\n');
        }
    }
}

/// A table that other outputs have too.
fn grid(page: &mut String, grid: &Grid) {
    heads(page, &grid.heads);
    for cells in &grid.rows {
        let cell = |(at, cell): (usize, &String)| match cell.as_str() {
            "-" => "-".to_owned(),
            // Numbers are the report's own words.
            _ if grid.numbers.contains(&at) => cell.replace('<', "&lt;"),
            _ => prose(cell),
        };
        let cells: Vec<String> = cells.iter().enumerate().map(cell).collect();
        row(page, &cells.iter().map(String::as_str).collect::<Vec<_>>());
    }
    page.push('\n');
}

/// The hosts beside one another, and what they say together.
fn hosts(page: &mut String, report: &Report) {
    let Some(table) = grids::hosts(report) else { return };
    line(page, "## Hosts\n");
    if let Some(joint) = &report.joint {
        line(page, &format!("Together: {}.\n", prose(&joint.verdict)));
    }
    grid(page, &table);
    for text in grids::clocks(report) {
        line(page, &format!("- {}", prose(&text)));
    }
    page.push('\n');
}

fn findings(page: &mut String, report: &Report, places: &Places<'_>) {
    if report.findings.is_empty() {
        return;
    }
    line(page, "## Also seen, and no incident\n");
    heads(page, &["time", "what", "line"]);
    for f in report.findings.iter().take(ROWS) {
        let place = f.evidence.first().map_or_else(|| "-".into(), |e| code(&places.place(e)));
        row(page, &[&places.clock.full(f.time), &prose(&f.summary), &place]);
    }
    page.push('\n');
    more(page, report.findings.len());
}

fn more(page: &mut String, all: usize) {
    if all > ROWS {
        line(page, &format!("And {} more; `--format json` has all.\n", all - ROWS));
    }
}

/// What all of this rests on: the files, what was not counted, what they cannot speak for, and how to do it again.
fn sources(page: &mut String, report: &Report, places: &Places<'_>) {
    let clock = places.clock;
    line(page, "## Sources\n");
    if !report.incidents.is_empty() {
        line(page, &format!("{}\n", totals(report)));
    }
    if let Some(folder) = places.folder() {
        line(page, &format!("Paths are under {}.\n", code(folder)));
    }
    heads(page, &["file", "kind", "format", "sure", "lines", "first", "last"]);
    let time = |at: Option<i64>| at.map_or_else(|| "-".into(), |at| clock.rfc3339_short(at));
    for i in report.inputs.iter().take(ROWS) {
        let sure = format!("{:.0} %", (i.confidence * 100.0).clamp(0.0, 100.0).floor());
        let file = code(places.short(&i.path));
        let file = i.host.as_ref().map_or_else(|| file.clone(), |h| format!("{file} on {}", code(h)));
        let (format, lines) = (code(&i.format), clock::count(i.lines));
        row(page, &[&file, i.kind, &format, &sure, &lines, &time(i.first), &time(i.last)]);
    }
    page.push('\n');
    more(page, report.inputs.len());
    for i in report.inputs.iter().take(ROWS) {
        let name = code(places.short(&i.path));
        if let Some(zone) = &i.error_zone {
            let zone_name = Clock::new(zone.offset).zone();
            line(
                page,
                &format!("- Times of {name} have no zone; read as {zone_name}: {}.", prose(&zone.how)),
            );
        }
        for note in &i.notes {
            line(page, &format!("- {name}: {}.", prose(note)));
        }
        if let Some(digest) = &i.digest {
            line(page, &format!("- SHA-256 of {name}: {}.", code(digest)));
        }
    }
    for c in report.coverage.iter().filter(|c| c.state != CoverageState::Covered).take(ROWS) {
        let (from, to) = (clock.full(c.start), clock.beside(c.end, c.start));
        let note = if c.note.is_empty() { String::new() } else { format!(": {}", prose(&c.note)) };
        line(page, &format!("- No file speaks for {from} to {to} ({}){note}.", c.state.name()));
    }
    for n in report.not_counted.iter().take(ROWS) {
        let lines =
            if n.lines == 0 { String::new() } else { format!(" ({})", clock::count_of(n.lines, "line")) };
        line(
            page,
            &format!(
                "- Not counted: {}, {}{lines}.",
                code(&places.short_list(&n.path)),
                prose(n.reason.trim_end_matches('.'))
            ),
        );
    }
    if report.not_counted.is_empty() {
        line(page, "- Every line was counted.");
    }
    let given = report.options.options.iter().map(|(name, value)| match value.as_str() {
        "" => code(&format!("--{name}")),
        value => code(&format!("--{name} {value}")),
    });
    let given: Vec<_> = given.collect();
    let given = if given.is_empty() { String::new() } else { format!(", with {}", given.join(", ")) };
    let paths: Vec<_> = report.options.paths.iter().map(|p| code(p)).collect();
    if !paths.is_empty() {
        line(page, &format!("- Asked for: {}{given}.", paths.join(", ")));
    }
    if let Some(notes) = &report.notes {
        line(page, &format!("- Laid beside it: the notes {}.", code(notes)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::text::tests::hostile;

    #[test]
    fn nothing_of_a_log_becomes_markup() {
        let mut report = hostile();
        for i in &mut report.incidents {
            i.title = "[x](javascript:1) <img src=x> @all | a\n# b".into();
        }
        let mut out = Vec::new();
        write(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.chars().any(|c| c != '\n' && crate::render::safe::is_hazard(c)), "{text}");
        // What is outside of code has no tag, no link and no mention in it.
        let mut in_block = false;
        for line in text.lines() {
            if line.starts_with("```") {
                in_block = !in_block;
            } else if !in_block {
                let outside: String = line.split('`').step_by(2).collect();
                assert!(!outside.contains(['<', '[', '@', '#']) || line.starts_with(['#', '|']), "{line}");
                assert!(!outside.contains(['<', '[', '@']), "{line}");
            }
        }
        assert!(!in_block);
    }
}
