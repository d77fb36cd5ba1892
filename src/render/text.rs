//! The report for people: first the answer, then each incident, then what was seen besides, what the files cannot
//! say, what was read, and what was not counted.
//!
//! `text/picture.rs` is the span at a glance, `text/incident.rs` one incident's block, `text/tables.rs` the tables at the end, `text/places.rs` how a place
//! is said, `text/page.rs` the paper.

mod incident;
pub(crate) mod page;
mod picture;
pub(crate) mod places;
mod tables;

use crate::clock::{self, Clock};
use crate::render::{Style, brief, grids};
use crate::report::{CoverageState, Incident, News, NewsKind, Report, STOPPED_AT_END, Severity};
pub(crate) use incident::{between, duration, impact_words, lasted, noticed};
use page::{Page, Paint};
use places::Places;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Incidents that get a block each; the lesser ones beyond get a line each.
const BLOCKS: usize = 20;
/// From so many incidents on the first screen sums them up.
const MANY: usize = 3;
/// Findings in full.
const FINDINGS: usize = 25;

/// Writes the report.
pub fn write(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let places = Places::new(report);
    let mut page = Page::new(style);
    news(&mut page, report);
    headline(&mut page, report, places.clock);
    incidents(&mut page, report, &places);
    hosts(&mut page, report);
    availability(&mut page, report);
    findings(&mut page, report, &places);
    coverage(&mut page, report, places.clock);
    tables::inputs(&mut page, report, &places);
    tables::not_counted(&mut page, report, &places);
    out.write_all(page.text().as_bytes())
}

/// The order of what matters: the worse kind, then the more requests, then the longer.
pub(crate) fn weight(incident: &Incident) -> impl Ord + use<> {
    let lost = incident.impact.lost_estimate.unwrap_or(0);
    let lasted = incident.end.unwrap_or(i64::MAX).saturating_sub(incident.start);
    (incident.severity, std::cmp::Reverse((incident.impact.failed.saturating_add(lost), lasted)))
}

/// What a run says that goes on from another.
fn news(page: &mut Page, report: &Report) {
    let Some(news) = report.news.as_ref().filter(|n| !n.is_empty()) else { return };
    page.painted("Since the last run", Paint::Strong);
    for News { id, kind } in news {
        let more = match kind {
            NewsKind::New => "new; nothing says yet that it is over for good",
            NewsKind::NewAndOver => "new, and over",
            NewsKind::Continues => "goes on",
            NewsKind::Ended => "over",
            NewsKind::Withdrawn => "with more of the log it does not stand out any more",
        };
        page.line(&format!("  {id}  {more}"));
    }
    page.blank();
}

fn headline(page: &mut Page, report: &Report, clock: Clock) {
    if report.inputs.is_empty() {
        page.painted("Nothing was read: no nginx log was found.", Paint::Strong);
        return;
    }
    if report.span.is_none() && report.incidents.is_empty() {
        // Not good news: nothing was seen.
        page.painted("Nothing can be said: no line of the logs has a time.", Paint::Strong);
        page.paragraph(&totals(report), Paint::Plain);
        return;
    }
    let covered = match report.span {
        Some((from, to)) => format!(
            "{} of logs, {} to {} {}",
            clock::duration(to.saturating_sub(from)),
            clock.full(from),
            clock.beside(to, from),
            clock.zone()
        ),
        None => "logs without a single dated line".into(),
    };
    let Some(worst) = report.incidents.iter().min_by_key(|i| weight(i)) else {
        page.paragraph(&format!("No incident in {covered}."), Paint::Calm);
        page.paragraph(&format!("{} {}", totals(report), left_out(report)), Paint::Plain);
        stops(report, clock).for_each(|stop| page.paragraph(&stop, Paint::Strong));
        let holes: i64 = holes(report).map(|c| c.end.saturating_sub(c.start)).fold(0, i64::saturating_add);
        if holes > 0 {
            let text = format!("For {} of it the files cannot speak; see Coverage.", clock::duration(holes));
            page.paragraph(&text, Paint::Plain);
        }
        return;
    };
    let number = clock::count_of(report.incidents.len() as u64, "incident");
    page.paragraph(&format!("{number}{} in {covered}.", kinds(report)), Paint::Strong);
    page.blank();
    page.paragraph(&sentence(worst, report.incidents.len() > 1, clock), incident::paint(worst.severity));
    if let Some(cause) = &worst.cause {
        let sure = if cause.confidence == "certain" { "" } else { cause.confidence };
        let sure = if sure.is_empty() { String::new() } else { format!(" ({sure})") };
        page.paragraph(
            &format!("Why{sure}: {} [{}].", full_stop_off(&cause.summary), cause.category),
            Paint::Plain,
        );
    } else {
        page.paragraph("Why: no line of the logs says so.", Paint::Plain);
    }
    page.paragraph(&totals(report), Paint::Plain);
    stops(report, clock).for_each(|stop| page.paragraph(&stop, Paint::Strong));
    if let Some(a) = report.availability.as_ref().filter(|_| report.incidents.len() >= MANY) {
        let text = format!("Availability: {}", grids::availability(a, &report.incidents));
        page.paragraph(&text, Paint::Plain);
    }
    picture::draw(page, report, incident::paint(worst.severity), clock);
}

/// How many of each severity, where there are several incidents.
pub(crate) fn kinds(report: &Report) -> String {
    let mut counts: BTreeMap<Severity, u64> = BTreeMap::new();
    for i in &report.incidents {
        *counts.entry(i.severity).or_default() += 1;
    }
    if report.incidents.len() < MANY {
        return String::new();
    }
    let words = counts.iter().map(|(severity, n)| match severity {
        Severity::Hidden | Severity::Unknown => format!("{} {}", clock::count(*n), severity.name()),
        _ => clock::count_of(*n, severity.name()),
    });
    format!(" ({})", words.collect::<Vec<_>>().join(", "))
}

fn full_stop_off(text: &str) -> &str {
    text.trim_end().trim_end_matches('.')
}

/// The worst incident in one sentence.
pub(crate) fn sentence(i: &Incident, one_of_many: bool, clock: Clock) -> String {
    let kind = match i.severity {
        Severity::Outage => "an outage",
        Severity::Degradation => "a degradation",
        Severity::Slowdown => "a slowdown",
        Severity::Hidden => "a spell of upstream failures that did not reach clients,",
        Severity::Unknown if !i.client_visible => "a gap in the access log,",
        Severity::Unknown if i.impact.requests > 0 => "a loss of traffic,",
        Severity::Unknown => "a silence that nothing explains,",
    };
    let which = if one_of_many { "The worst was" } else { "It was" };
    let begun = if i.open_start { "from before " } else { "from " };
    let lasted = match i.end {
        Some(end) => format!("to {}, {}", clock.beside(end, i.start), incident::duration(i)),
        None => "and it goes on when the logs end".into(),
    };
    let failed = match i.impact.failed_share {
        Some(share) if i.impact.failed > 0 => {
            let of = clock::count_of(i.impact.requests, "request");
            format!("; {} of {of} failed{}", clock::share(share), at(i))
        }
        None if i.impact.failed > 0 => {
            format!("; {} failed{}", clock::count_of(i.impact.failed, "request"), at(i))
        }
        _ => String::new(),
    };
    let lost = match i.impact.lost_estimate {
        Some(lost) if lost > 0 => format!("; about {} are missing", clock::count_of(lost, "request")),
        _ => String::new(),
    };
    let late = match i.impact.slow {
        Some(late) if late > 0 => format!("; {} came late", clock::count_of(late, "answer")),
        _ => String::new(),
    };
    let comma = if i.end.is_none() { "," } else { "" };
    format!("{which} {kind} {begun}{}{comma} {lasted}{failed}{late}{lost}.", clock.full(i.start))
}

/// Where the failures were, as the end of a sentence, in the dimension that people know best; empty where it was all over.
fn at(i: &Incident) -> String {
    let dimensions =
        [("vhost", &i.scope.vhosts), ("endpoint", &i.scope.endpoints), ("upstream", &i.scope.upstreams)];
    let named = dimensions.into_iter().find(|d| !d.1.is_empty());
    named.map_or_else(String::new, |(noun, names)| {
        format!(", most of them at {}", brief::listed(noun, names, 2))
    })
}

/// Where the logs end with words that nginx stops: no incident can be told from that, and no good news.
pub(crate) fn stops(report: &Report, clock: Clock) -> impl Iterator<Item = String> {
    let stops = report.findings.iter().filter(|f| f.kind == STOPPED_AT_END);
    stops.map(move |stop| format!("At {} {}.", clock.full(stop.time), stop.summary))
}

pub(crate) fn totals(report: &Report) -> String {
    let t = &report.totals;
    let mut parts = Vec::new();
    if t.requests > 0 {
        let share = t.failed as f64 / t.requests as f64;
        parts.push(format!("{} ({} failed)", clock::count_of(t.requests, "request"), clock::share(share)));
    }
    if t.error_records > 0 {
        parts.push(clock::count_of(t.error_records, "error-log record"));
    }
    let what = if parts.is_empty() { "nothing to count".into() } else { parts.join(" and ") };
    let files = clock::count_of(report.inputs.len() as u64, "file");
    format!("Read: {} in {files}, {what}.", clock::count_of(t.lines, "line"))
}

/// What good news does not rest on.
fn left_out(report: &Report) -> String {
    let lines = report.not_counted.iter().map(|n| n.lines).fold(0, u64::saturating_add);
    let files = report.not_counted.iter().filter(|n| n.lines == 0).count() as u64;
    let parts: Vec<_> = [(lines, "line"), (files, "file")]
        .into_iter()
        .filter(|p| p.0 > 0)
        .map(|p| clock::count_of(p.0, p.1))
        .collect();
    if parts.is_empty() {
        "Every line was counted.".into()
    } else {
        format!("Not counted: {}.", parts.join(", "))
    }
}

fn incidents(page: &mut Page, report: &Report, places: &Places<'_>) {
    let total = report.incidents.len();
    if total > 1 {
        page.heading("Incidents");
        for (at, incident) in report.incidents.iter().enumerate().take(BLOCKS * 5) {
            incident::overview(page, incident, at + 1, places.clock);
        }
        if total > BLOCKS * 5 {
            page.line(&format!("  and {} more (--format brief lists all)", total - BLOCKS * 5));
        }
    }
    let mut order: Vec<usize> = (0..total).collect();
    order.sort_by_key(|&at| weight(&report.incidents[at]));
    order.truncate(BLOCKS);
    order.sort_unstable();
    for &at in &order {
        incident::block(page, report, at, places);
    }
    if total > order.len() {
        page.blank();
        page.line(&format!(
            "The {} worst are shown in full; --format json has all {}.",
            order.len(),
            clock::count(total as u64)
        ));
    }
}

/// The hosts beside one another, and what they say together.
fn hosts(page: &mut Page, report: &Report) {
    let Some(grid) = grids::hosts(report) else { return };
    page.heading(grid.name);
    if let Some(joint) = &report.joint {
        page.indented(2, &format!("Together: {}.", joint.verdict));
    }
    tables::grid(page, 2, &grid);
    for text in grids::clocks(report) {
        page.indented(2, &text);
    }
}

fn availability(page: &mut Page, report: &Report) {
    let told = report.incidents.is_empty() || report.incidents.len() >= MANY;
    if let Some(a) = report.availability.as_ref().filter(|_| !told) {
        page.heading("Availability");
        page.indented(2, &grids::availability(a, &report.incidents));
    }
}

fn findings(page: &mut Page, report: &Report, places: &Places<'_>) {
    let clock = places.clock;
    if report.findings.is_empty() {
        return;
    }
    page.heading("Also seen (not counted as incidents)");
    for finding in report.findings.iter().take(FINDINGS) {
        let until =
            finding.end.map_or_else(String::new, |end| format!(" to {}", clock.beside(end, finding.time)));
        page.item(
            &format!("{} {}{until}", clock.date(finding.time), clock.time(finding.time)),
            &finding.summary,
        );
        if let Some(e) = finding.evidence.first() {
            page.quote(4, &places.place(e), e, 2);
        }
    }
    if report.findings.len() > FINDINGS {
        page.line(&format!("  and {} more (--format json has all)", report.findings.len() - FINDINGS));
    }
}

fn holes(report: &Report) -> impl Iterator<Item = &crate::report::Coverage> {
    report.coverage.iter().filter(|c| c.state != CoverageState::Covered)
}

fn coverage(page: &mut Page, report: &Report, clock: Clock) {
    let mut holes = holes(report).peekable();
    if holes.peek().is_none() {
        return;
    }
    page.heading("Coverage: stretches the files cannot speak for");
    let mut shown = 0;
    for hole in holes.by_ref().take(FINDINGS) {
        let host = hole.host.as_ref().map_or_else(String::new, |h| format!(" on {h}"));
        let note = if hole.note.is_empty() { String::new() } else { format!(": {}", hole.note) };
        page.item(
            &format!(
                "{} {} to {}",
                clock.date(hole.start),
                clock.time(hole.start),
                clock.beside(hole.end, hole.start)
            ),
            &format!("{}{host}{note}", hole.state.name()),
        );
        shown += 1;
    }
    let more = holes.count();
    if more > 0 {
        page.line(&format!("  and {more} more beyond these {shown}"));
    }
}

#[cfg(test)]
pub(crate) mod tests;
