//! What became of written notes: for people, and as Markdown to put beside the notes. JSON is in `json/verify.rs`.

pub mod markdown;

use crate::clock::{self, Clock};
use crate::render::Style;
use crate::render::text::page::{Page, Paint};
use crate::report::Evidence;
use crate::verify::{Basis, Contradiction, Judged, Spans, Verdict, Verification};
use std::fmt::Write as _;
use std::io::{self, Write};

/// Lines of a log that are quoted with a claim take at most so many lines.
const QUOTE: usize = 2;

/// Writes the verification of the notes called `name`.
pub fn write(v: &Verification, name: &str, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(style);
    page.paragraph(&headline(v, name), Paint::Strong);
    let paint = if v.is_contradicted() { Paint::Alarm } else { Paint::Calm };
    page.paragraph(&result(v), paint);
    page.blank();
    page.paragraph(&incidents(v), Paint::Plain);
    for remark in &v.remarks {
        page.paragraph(&format!("Note: {remark}."), Paint::Plain);
    }
    if !v.explanations.is_empty() {
        page.heading("What would explain it");
        for e in &v.explanations {
            page.item("*", &e.what);
        }
    }
    if !v.contradictions.is_empty() {
        page.heading("The notes against themselves");
        for c in &v.contradictions {
            page.item(&lines(c), &sentence(&c.what));
        }
    }
    if !v.claims.is_empty() {
        page.heading("The notes against the logs");
        for judged in &v.claims {
            claim(&mut page, judged, Clock::new(v.zone));
        }
    }
    page.heading("How long it took");
    for (name, text) in times(v) {
        page.label(name, &text);
    }
    out.write_all(page.text().as_bytes())
}

fn claim(page: &mut Page, judged: &Judged, clock: Clock) {
    let (claim, judgement) = (&judged.claim, &judged.judgement);
    let paint = match judgement.verdict {
        Verdict::Confirmed => Paint::Calm,
        Verdict::Contradicted => Paint::Alarm,
        Verdict::Undecidable => Paint::Plain,
    };
    page.blank();
    let lead = format!("line {}  {}  {}", claim.line, judgement.verdict.name(), kind(judged));
    page.painted(&format!("  {}{}", lead, read_as(judged, clock)), paint);
    page.indented(4, &format!("\"{}\"", claim.text));
    page.indented(4, &sentence(&judgement.reason));
    if let Some(hint) = &judged.hint {
        page.indented(4, &sentence(hint));
    }
    if let Some(e) = &judgement.evidence {
        page.quote(4, &place(e), e, QUOTE);
    }
}

/// Where a line stands: file, line, first byte.
fn place(e: &Evidence) -> String {
    format!("{}:{} (byte {})", e.path, e.line, e.byte)
}

fn kind(judged: &Judged) -> String {
    judged.claim.kind.name().replace('_', " ")
}

/// The instant a time was read as, where the notes leave something of it open.
fn read_as(judged: &Judged, clock: Clock) -> String {
    let Some(moment) = judged.claim.moment.as_ref() else { return String::new() };
    if judged.claim.kind == crate::verify::Kind::Occurred {
        return format!(", {}", clock.weekday_date(moment.at));
    }
    let full = clock.full(moment.at);
    // Who writes minutes claims no second.
    let minutes = full.strip_suffix(":00").filter(|_| moment.to - moment.from >= 60_000);
    let mut text = format!(", {}", minutes.unwrap_or(&full));
    if moment.day_from == Basis::Logs || moment.zone_from == Basis::Logs {
        let what = match (moment.day_from, moment.zone_from) {
            (Basis::Logs, Basis::Logs) => "day and zone",
            (Basis::Logs, _) => "day",
            _ => "zone",
        };
        _ = write!(text, " ({what} of the logs)");
    }
    text
}

fn headline(v: &Verification, name: &str) -> String {
    let clock = Clock::new(v.zone);
    let logs = v.span.map_or_else(
        || "logs without a time".to_owned(),
        |(from, to)| {
            format!("the logs of {} to {} {}", clock.full(from), clock.beside(to, from), clock.zone())
        },
    );
    format!("{name} against {logs}")
}

fn result(v: &Verification) -> String {
    if v.claims.is_empty() && v.contradictions.is_empty() {
        return "No dated claim was understood: nothing in the notes was checked. Times are read in English, like \
                18:00, 6:13 PM or 2020-04-25T18:13:05Z, and with words like 'outage began' or 'back to normal'."
            .into();
    }
    let mut text = format!(
        "{}: {} confirmed, {} contradicted, {} undecidable",
        clock::count_of(v.claims.len() as u64, "claim"),
        v.count(Verdict::Confirmed),
        v.count(Verdict::Contradicted),
        v.count(Verdict::Undecidable)
    );
    match v.contradictions.len() {
        0 => text.push('.'),
        1 => text.push_str("; the notes contradict themselves once."),
        n => _ = write!(text, "; the notes contradict themselves {n} times."),
    }
    text
}

fn incidents(v: &Verification) -> String {
    const SHOWN: usize = 5;
    let clock = Clock::new(v.zone);
    let said: Vec<String> = v
        .incidents
        .iter()
        .take(SHOWN)
        .map(|i| {
            let until = match i.end {
                Some(end) => format!("to {}, {}", clock.beside(end, i.start), clock::duration(end - i.start)),
                None => "on, past the end of the logs".into(),
            };
            format!("{} from {} {until}", i.severity.name(), clock.full(i.start))
        })
        .collect();
    let more = v.incidents.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    if said.is_empty() {
        "The logs show no incident.".into()
    } else {
        format!("The logs show: {}{more}.", said.join("; "))
    }
}

fn lines(c: &Contradiction) -> String {
    let numbers: Vec<String> = c.lines.iter().map(ToString::to_string).collect();
    let word = if numbers.len() == 1 { "line" } else { "lines" };
    format!("{word} {}", numbers.join(", "))
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{}{stop}", first.to_uppercase(), chars.as_str())
}

/// The lengths of time, each with what it was taken from.
fn times(v: &Verification) -> Vec<(&'static str, String)> {
    let detect = |s: &Spans| s.detect.map_or_else(|| "not known".to_owned(), signed);
    let repair = |s: &Spans| s.repair.map_or_else(|| "not known".to_owned(), signed);
    vec![
        (
            "To detect",
            format!(
                "{} from the start in the logs to the first notice in the notes; {} by the notes alone",
                detect(&v.by_logs),
                detect(&v.by_notes)
            ),
        ),
        (
            "To repair",
            format!(
                "{} from start to end by the logs; {} from the first start to the last end by the notes alone",
                repair(&v.by_logs),
                repair(&v.by_notes)
            ),
        ),
    ]
}

fn signed(millis: i64) -> String {
    if millis < 0 { format!("minus {}", clock::duration(-millis)) } else { clock::duration(millis) }
}
