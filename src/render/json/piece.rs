//! What several documents hold alike: numbers, the name of the tool, quoted lines, charts.

use crate::clock::Clock;
use crate::report;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// Shares and seconds to six digits after the point: more is noise of the division.
pub(super) fn number(value: f64) -> f64 {
    if value.is_finite() { (value * 1e6).round() / 1e6 } else { 0.0 }
}

/// A list of which each entry becomes a view when it is written, and none before: the views of a hundred thousand inputs
/// were a tenth of the memory of a run.
pub(super) struct Each<'a, T, V> {
    pub(super) of: &'a [T],
    pub(super) clock: Clock,
    pub(super) view: fn(&'a T, Clock) -> V,
}

impl<T, V: Serialize> Serialize for Each<'_, T, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.of.iter().map(|entry| (self.view)(entry, self.clock)))
    }
}

#[derive(Serialize)]
pub(super) struct Tool {
    name: &'static str,
    version: &'static str,
}

pub(super) const TOOL: Tool = Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };

#[derive(Serialize)]
pub(super) struct Evidence<'a> {
    path: &'a str,
    line: u64,
    byte: u64,
    text: &'a str,
}

impl<'a> Evidence<'a> {
    pub(super) fn of(e: &'a report::Evidence) -> Self {
        Self { path: &e.path, line: e.line, byte: e.byte, text: &e.text }
    }
}

pub(super) fn evidence(list: &[report::Evidence]) -> Vec<Evidence<'_>> {
    list.iter().map(Evidence::of).collect()
}

#[derive(Serialize)]
pub(super) struct Chart {
    start: String,
    step_seconds: u32,
    requests: Row,
    failed: Row,
    error_records: Row,
}

impl Chart {
    pub(super) fn of(c: &report::Chart, clock: Clock) -> Self {
        Self {
            start: clock.rfc3339(c.start),
            step_seconds: c.step_seconds,
            requests: row(&c.requests),
            failed: row(&c.failed),
            error_records: row(&c.error_records),
        }
    }
}

/// Some hundred numbers on one line of a document that has one value on each.
type Row = Option<Box<RawValue>>;

fn row(numbers: &[u64]) -> Row {
    to_raw_value(numbers).ok()
}
