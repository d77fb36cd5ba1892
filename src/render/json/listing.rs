//! The JSON documents beside the report: counts per step, and how each file was read.

use super::piece::{TOOL, Tool, number};
use crate::analysis;
use crate::clock::Clock;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Series {
    schema: &'static str,
    tool: Tool,
    zone: String,
    step_seconds: u32,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    start: String,
    requests: u64,
    classes: Classes,
    aborted: u64,
    failed: u64,
    failed_share: Option<f64>,
    latency_seconds: Option<Latency>,
}

#[derive(Serialize)]
struct Classes {
    #[serde(rename = "1xx")]
    c1: u64,
    #[serde(rename = "2xx")]
    c2: u64,
    #[serde(rename = "3xx")]
    c3: u64,
    #[serde(rename = "4xx")]
    c4: u64,
    #[serde(rename = "5xx")]
    c5: u64,
    other: u64,
}

#[derive(Serialize)]
struct Latency {
    p50: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
}

impl Series {
    pub(super) fn of(s: &analysis::Series) -> Self {
        let clock = Clock::new(s.zone);
        let row = |r: &analysis::SeriesRow| {
            let [c1, c2, c3, c4, c5, other] = r.class;
            let timed = r.p50.is_some() || r.p90.is_some() || r.p99.is_some();
            Row {
                start: clock.rfc3339(r.start.saturating_mul(1000)),
                requests: r.requests,
                classes: Classes { c1, c2, c3, c4, c5, other },
                aborted: r.aborted,
                failed: r.failed,
                failed_share: r.failed_share.map(number),
                latency_seconds: timed.then(|| Latency {
                    p50: r.p50.map(number),
                    p90: r.p90.map(number),
                    p99: r.p99.map(number),
                }),
            }
        };
        Self {
            schema: "downtime.series/1",
            tool: TOOL,
            zone: clock.offset(),
            step_seconds: s.step,
            rows: s.rows.iter().map(row).collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Formats<'a> {
    schema: &'static str,
    tool: Tool,
    files: Vec<Format<'a>>,
}

#[expect(clippy::struct_field_names, reason = "the names are the contract")]
#[derive(Serialize)]
struct Format<'a> {
    path: &'a str,
    kind: &'a str,
    format: &'a str,
    definition: &'a str,
    framing: &'a str,
    confidence: f64,
    reason: &'a str,
    host: Option<&'a str>,
    fields: Vec<Field<'a>>,
    refused: Option<&'a str>,
}

/// A list and not an object: nginx lets a format name a variable twice.
#[derive(Serialize)]
struct Field<'a> {
    name: &'a str,
    value: &'a str,
}

impl<'a> Formats<'a> {
    pub(super) fn of(formats: &'a [analysis::FormatReport]) -> Self {
        let file = |f: &'a analysis::FormatReport| Format {
            path: &f.path,
            kind: f.kind,
            format: &f.name,
            definition: &f.definition,
            framing: &f.framing,
            confidence: number(f.confidence),
            reason: &f.reason,
            host: f.host.as_deref(),
            fields: f.fields.iter().map(|(name, value)| Field { name, value }).collect(),
            refused: f.refused.as_deref(),
        };
        Self { schema: "downtime.formats/1", tool: TOOL, files: formats.iter().map(file).collect() }
    }
}
