//! The report as JSON, field by field in the order of the contract: views that borrow the Report.

use super::context::{HostSummary, Joint};
use super::incident::Incident;
use super::piece::{Chart, Each, Evidence, TOOL, Tool, evidence, number};
use crate::clock::Clock;
use crate::report;
use serde::Serialize;

#[derive(Serialize)]
struct Span {
    start: String,
    end: String,
}

#[derive(Serialize)]
pub(super) struct Report<'a> {
    schema: &'static str,
    tool: Tool,
    span: Option<Span>,
    zone: String,
    inputs: Each<'a, report::Input, Input<'a>>,
    incidents: Vec<Incident<'a>>,
    findings: Vec<Finding<'a>>,
    coverage: Vec<Coverage<'a>>,
    not_counted: Vec<NotCounted<'a>>,
    totals: Totals,
    options: Options<'a>,
    chart: Option<Chart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    availability: Option<Availability>,
    hosts: Vec<HostSummary<'a>>,
    joint: Option<Joint<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    news: Option<Vec<News<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<&'a str>,
}

#[derive(Serialize)]
struct News<'a> {
    id: &'a str,
    what: &'static str,
}

impl<'a> Report<'a> {
    pub(super) fn of(r: &'a report::Report) -> Self {
        let clock = Clock::new(r.zone);
        Self {
            schema: "downtime.report/1",
            tool: TOOL,
            span: r.span.map(|(start, end)| Span { start: clock.rfc3339(start), end: clock.rfc3339(end) }),
            zone: clock.offset(),
            inputs: Each { of: &r.inputs, clock, view: Input::of },
            incidents: r.incidents.iter().map(|i| Incident::of(i, clock)).collect(),
            findings: r.findings.iter().map(|f| Finding::of(f, clock)).collect(),
            coverage: r.coverage.iter().map(|c| Coverage::of(c, clock)).collect(),
            not_counted: r.not_counted.iter().map(NotCounted::of).collect(),
            totals: Totals {
                lines: r.totals.lines,
                bytes: r.totals.bytes,
                requests: r.totals.requests,
                failed: r.totals.failed,
                error_records: r.totals.error_records,
            },
            options: Options {
                paths: &r.options.paths,
                given: r.options.options.iter().map(|(name, value)| Given { name, value }).collect(),
            },
            chart: r.chart.as_ref().map(|c| Chart::of(c, clock)),
            availability: r.availability.map(|a| Availability {
                requests: number(a.requests),
                time: number(a.time),
                covered_seconds: number(a.covered_seconds),
                bad_seconds: number(a.bad_seconds),
                unknown_seconds: number(a.unknown_seconds),
            }),
            hosts: r.hosts.iter().map(|h| HostSummary::of(h, clock)).collect(),
            joint: r.joint.as_ref().map(|j| Joint {
                verdict: &j.verdict,
                all_bad_seconds: number(j.all_bad_seconds),
                any_bad_seconds: number(j.any_bad_seconds),
            }),
            news: r
                .news
                .as_ref()
                .map(|all| all.iter().map(|n| News { id: &n.id, what: n.kind.name() }).collect()),
            notes: r.notes.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct Options<'a> {
    paths: &'a [String],
    given: Vec<Given<'a>>,
}

/// A list and not an object: some options may be given more than once.
#[derive(Serialize)]
struct Given<'a> {
    name: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct Totals {
    lines: u64,
    bytes: u64,
    requests: u64,
    failed: u64,
    error_records: u64,
}

#[derive(Serialize)]
struct Availability {
    requests: f64,
    time: f64,
    covered_seconds: f64,
    bad_seconds: f64,
    unknown_seconds: f64,
}

#[derive(Serialize)]
struct ErrorZone<'a> {
    offset: String,
    how: &'a str,
}

#[derive(Serialize)]
struct Input<'a> {
    path: &'a str,
    kind: &'a str,
    format: &'a str,
    confidence: f64,
    bytes: u64,
    lines: u64,
    unparsed: u64,
    first: Option<String>,
    last: Option<String>,
    digest: Option<&'a str>,
    host: Option<&'a str>,
    error_zone: Option<ErrorZone<'a>>,
    notes: &'a [String],
}

impl<'a> Input<'a> {
    fn of(i: &'a report::Input, clock: Clock) -> Self {
        Self {
            path: &i.path,
            kind: i.kind,
            format: &i.format,
            confidence: number(i.confidence),
            bytes: i.bytes,
            lines: i.lines,
            unparsed: i.unparsed,
            first: i.first.map(|t| clock.rfc3339(t)),
            last: i.last.map(|t| clock.rfc3339(t)),
            digest: i.digest.as_deref(),
            host: i.host.as_deref(),
            error_zone: i
                .error_zone
                .as_ref()
                .map(|z| ErrorZone { offset: Clock::new(z.offset).offset(), how: &z.how }),
            notes: &i.notes,
        }
    }
}

#[derive(Serialize)]
struct Finding<'a> {
    kind: &'a str,
    time: String,
    end: Option<String>,
    summary: &'a str,
    evidence: Vec<Evidence<'a>>,
}

impl<'a> Finding<'a> {
    fn of(f: &'a report::Finding, clock: Clock) -> Self {
        Self {
            kind: f.kind,
            time: clock.rfc3339(f.time),
            end: f.end.map(|t| clock.rfc3339(t)),
            summary: &f.summary,
            evidence: evidence(&f.evidence),
        }
    }
}

#[derive(Serialize)]
struct Coverage<'a> {
    start: String,
    end: String,
    state: &'static str,
    host: Option<&'a str>,
    note: &'a str,
}

impl<'a> Coverage<'a> {
    fn of(c: &'a report::Coverage, clock: Clock) -> Self {
        Self {
            start: clock.rfc3339(c.start),
            end: clock.rfc3339(c.end),
            state: c.state.name(),
            host: c.host.as_deref(),
            note: &c.note,
        }
    }
}

#[derive(Serialize)]
struct NotCounted<'a> {
    path: &'a str,
    reason: &'a str,
    lines: u64,
    bytes: u64,
    example: Option<Evidence<'a>>,
}

impl<'a> NotCounted<'a> {
    fn of(n: &'a report::NotCounted) -> Self {
        Self {
            path: &n.path,
            reason: &n.reason,
            lines: n.lines,
            bytes: n.bytes,
            example: n.example.as_ref().map(Evidence::of),
        }
    }
}
