//! Turns a Report into bytes. Nothing is computed here that the Report could have said: only order, words and
//! layout.
//!
//! One file for each output; [`safe`] stands between every text of a log and every output. A new format is one
//! file and one line in [`report`].

pub mod brief;

pub mod csv;
pub mod formats;
pub mod json;
pub mod prometheus;
pub mod safe;
pub mod series;
pub mod text;

use crate::report::Report;
use std::io::{self, Write};

/// The forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OutputFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON document, `downtime.report/1`.
    Json,
    /// One JSON object a line and incident, `downtime.incident/1`.
    Ndjson,
    /// One row an incident, for spreadsheets.
    Csv,
    /// One line an incident, for people and grep.
    Brief,
}

/// How text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns to fill.
    pub columns: usize,
    /// Whether severities and headings are coloured; the text is the same without.
    pub colour: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { columns: 80, colour: false }
    }
}

/// Writes `report` in one form.
pub fn report(report: &Report, format: OutputFormat, style: Style, out: &mut dyn Write) -> io::Result<()> {
    match format {
        OutputFormat::Text => text::write(report, style, out),
        OutputFormat::Json => json::write(report, out),
        OutputFormat::Ndjson => json::write_lines(report, out),
        OutputFormat::Csv => csv::write(report, out),
        OutputFormat::Brief => brief::write(report, out),
    }
}
