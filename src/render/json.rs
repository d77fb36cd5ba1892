//! JSON: the contract `downtime.report/1`, one document; and `downtime.incident/1`, one incident a line.
//!
//! The structs of `json/view.rs`, `json/incident.rs` and `json/listing.rs` are the order of the fields. The contract in the
//! language of machines is `report.schema.json`, which is printed by `downtime --schema`; tests hold every output
//! against it.

mod context;
mod explained;
mod formatter;
mod incident;
mod listing;
mod piece;
mod verify;
mod view;

use crate::analysis::{FormatReport, Series};
use crate::catalogue::explain::Explanation;
use crate::catalogue::pattern::Pattern;
use crate::report::Report;
use crate::verify::Verification;
use formatter::Escaping;
use serde::Serialize;
use std::io::{self, Write};

/// JSON Schema (2020-12) of all that is printed as JSON.
pub const SCHEMA: &str = include_str!("report.schema.json");

fn pretty(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, Escaping::pretty()))?;
    out.write_all(b"\n")
}

/// The whole report as one document.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    pretty(&view::Report::of(report), out)
}

/// The incidents, one a line; nothing when there is none.
pub fn write_lines(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for incident in &report.incidents {
        compact(&incident::IncidentLine::of(incident, report.zone), out)?;
    }
    Ok(())
}

/// Counts per step.
pub fn write_series(series: &Series, out: &mut dyn Write) -> io::Result<()> {
    pretty(&listing::Series::of(series), out)
}

/// How each file was read.
pub fn write_formats(formats: &[FormatReport], out: &mut dyn Write) -> io::Result<()> {
    pretty(&listing::Formats::of(formats), out)
}

fn compact(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, Escaping::compact()))?;
    out.write_all(b"\n")
}

/// What one record means, on one line.
pub fn write_explanation(explanation: &Explanation, out: &mut dyn Write) -> io::Result<()> {
    compact(&explained::Explained::of(explanation), out)
}

/// The rules of a catalogue, one a line.
pub fn write_patterns<'a>(
    mut patterns: impl Iterator<Item = &'a Pattern>,
    out: &mut dyn Write,
) -> io::Result<()> {
    patterns.try_for_each(|p| compact(&explained::Rule::of(p), out))
}

/// What became of the notes called `name`.
pub fn write_verification(v: &Verification, name: &str, out: &mut dyn Write) -> io::Result<()> {
    pretty(&verify::Verification::of(v, name), out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Input;

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_reads_back() {
        let path = "a\u{1b}[2J\u{9b}2J\u{202e}\u{e0041}\u{7f}é\"\\".to_owned();
        let report =
            Report { inputs: vec![Input { path: path.clone(), ..Input::default() }], ..Report::default() };
        let mut out = Vec::new();
        write(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.chars().any(|c| c != '\n' && crate::render::safe::is_hazard(c)), "{text}");
        let back: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["inputs"][0]["path"], path);
    }
}
