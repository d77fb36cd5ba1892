//! Turns a Report into bytes. Nothing is computed here that the Report could have said: only order, words and
//! layout.
//!
//! One file for each output; [`safe`] stands between every text of a log and every output. A new format is one
//! file and one line in [`report`].

pub mod brief;
pub mod command;
pub mod csv;
pub mod explain;
pub mod formats;
mod grids;
pub mod html;
pub mod json;
pub mod lines;
pub mod markdown;
pub mod patterns;
pub mod prometheus;
pub mod safe;
pub mod series;
pub mod text;
pub mod verify;

use crate::report::Report;
use std::fmt::Write as _;
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
    /// The draft of a postmortem.
    Markdown,
    /// One page, for a browser.
    Html,
    /// One row an incident, for spreadsheets.
    Csv,
    /// One line an incident, for people and grep.
    Brief,
}

/// How text is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// Columns to fill.
    pub columns: usize,
    /// Whether severities and headings are coloured; the text is the same without.
    pub colour: bool,
    /// Where places lead to when they are clicked, on a terminal that can (OSC 8): what stands before a relative
    /// path, like `file://host/folder`. Only for a terminal: the report in a file does not know where it was made.
    pub links: Option<Links>,
}

/// Makes addresses of places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    /// The name of the machine; may be empty.
    pub host: String,
    /// The folder that relative paths are under, absolute.
    pub folder: String,
}

impl Links {
    /// The address of a line. Whatever the path holds, nothing but the safe signs of an address is in it (RFC 3986).
    pub fn to(&self, path: &str, line: u64) -> String {
        let mut out = String::from("file://");
        let folder = if path.starts_with('/') { "" } else { self.folder.as_str() };
        let slash = if folder.is_empty() { "" } else { "/" };
        encode(&self.host, &mut out);
        for part in [folder, slash, path] {
            encode(part, &mut out);
        }
        out.extend(["#", &line.to_string()]);
        out
    }
}

fn encode(text: &str, out: &mut String) {
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~/".contains(&b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
    }
}

impl Default for Style {
    fn default() -> Self {
        Self { columns: 80, colour: false, links: None }
    }
}

/// Writes `report` in one form.
pub fn report(report: &Report, format: OutputFormat, style: Style, out: &mut dyn Write) -> io::Result<()> {
    match format {
        OutputFormat::Text => text::write(report, style, out),
        OutputFormat::Json => json::write(report, out),
        OutputFormat::Ndjson => json::write_lines(report, out),
        OutputFormat::Markdown => markdown::write(report, out),
        OutputFormat::Html => html::write(report, out),
        OutputFormat::Csv => csv::write(report, out),
        OutputFormat::Brief => brief::write(report, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_address_whatever_the_path_holds() {
        let links = Links { host: "web1".into(), folder: "/home/a b".into() };
        assert_eq!(links.to("logs/error.log", 21), "file://web1/home/a%20b/logs/error.log#21");
        assert_eq!(links.to("/var/log/x", 1), "file://web1/var/log/x#1");
        let hostile = links.to("/a\u{1b}\\\u{7}?#\u{9c}é", 1);
        assert_eq!(hostile, "file://web1/a%1B%5C%07%3F%23%C2%9C%C3%A9#1");
    }
}
