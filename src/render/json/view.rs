//! The JSON documents field by field, in the order of the contract: views that borrow the Report.

use super::context::{Context, HostSummary, Joint};
use crate::clock::Clock;
use crate::report;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;

/// Shares and seconds to six digits after the point: more is noise of the division.
pub(super) fn number(value: f64) -> f64 {
    if value.is_finite() { (value * 1e6).round() / 1e6 } else { 0.0 }
}

#[derive(Serialize)]
pub(super) struct Tool {
    name: &'static str,
    version: &'static str,
}

pub(super) const TOOL: Tool = Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };

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
    inputs: Vec<Input<'a>>,
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
            inputs: r.inputs.iter().map(|i| Input::of(i, clock)).collect(),
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
struct Chart {
    start: String,
    step_seconds: u32,
    requests: Row,
    failed: Row,
    error_records: Row,
}

impl Chart {
    fn of(c: &report::Chart, clock: Clock) -> Self {
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

#[derive(Serialize)]
struct ErrorBudget {
    window_days: u32,
    spent_minutes: f64,
    objectives: Vec<Objective>,
}

#[derive(Serialize)]
struct Objective {
    target: f64,
    budget_minutes: f64,
    spent_share: f64,
}

impl ErrorBudget {
    fn of(b: &report::ErrorBudget) -> Self {
        let objective = |o: &report::Objective| Objective {
            target: number(o.target),
            budget_minutes: number(o.budget_minutes),
            spent_share: number(o.spent_share),
        };
        Self {
            window_days: b.window_days,
            spent_minutes: number(b.spent_minutes),
            objectives: b.objectives.iter().map(objective).collect(),
        }
    }
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
struct Incident<'a> {
    id: &'a str,
    severity: &'static str,
    title: &'a str,
    why: &'a str,
    start: String,
    start_bounds: [String; 2],
    end: Option<String>,
    end_bounds: [String; 2],
    open_start: bool,
    open_end: bool,
    duration_seconds: Option<f64>,
    client_visible: bool,
    scope: Scope<'a>,
    impact: Impact<'a>,
    phases: Vec<Phase<'a>>,
    cause: Option<Cause<'a>>,
    other_causes: Vec<Cause<'a>>,
    trigger: Option<Trigger<'a>>,
    timeline: Vec<Event<'a>>,
    evidence: Vec<Evidence<'a>>,
    chart: Option<Chart>,
    error_budget: Option<ErrorBudget>,
    context: Context<'a>,
}

impl<'a> Incident<'a> {
    fn of(i: &'a report::Incident, clock: Clock) -> Self {
        let pair = |(low, high)| [clock.rfc3339(low), clock.rfc3339(high)];
        Self {
            id: &i.id,
            severity: i.severity.name(),
            title: &i.title,
            why: &i.why,
            start: clock.rfc3339(i.start),
            start_bounds: pair(i.start_bounds),
            end: i.end.map(|t| clock.rfc3339(t)),
            end_bounds: pair(i.end_bounds),
            open_start: i.open_start,
            open_end: i.open_end,
            duration_seconds: i.end.map(|end| number(end.saturating_sub(i.start).max(0) as f64 / 1000.0)),
            client_visible: i.client_visible,
            scope: Scope {
                hosts: &i.scope.hosts,
                vhosts: &i.scope.vhosts,
                endpoints: &i.scope.endpoints,
                upstreams: &i.scope.upstreams,
                all: i.scope.all,
            },
            impact: Impact {
                requests: i.impact.requests,
                failed: i.impact.failed,
                failed_share: i.impact.failed_share.map(number),
                lost_estimate: i.impact.lost_estimate,
                lost_bounds: i.impact.lost_bounds.map(|(low, high)| [low, high]),
                clients: i.impact.clients,
                statuses: &i.impact.statuses,
                slow: i.impact.slow,
                uncounted: i.impact.uncounted,
            },
            phases: i
                .phases
                .iter()
                .map(|p| Phase {
                    kind: p.kind,
                    start: clock.rfc3339(p.start),
                    end: p.end.map(|t| clock.rfc3339(t)),
                    failed_share: p.failed_share.map(number),
                    note: &p.note,
                })
                .collect(),
            cause: i.cause.as_ref().map(Cause::of),
            other_causes: i.other_causes.iter().map(Cause::of).collect(),
            trigger: i.trigger.as_ref().map(|t| Trigger {
                time: clock.rfc3339(t.time),
                summary: &t.summary,
                evidence: evidence(&t.evidence),
            }),
            timeline: i
                .timeline
                .iter()
                .map(|e| Event {
                    time: clock.rfc3339(e.time),
                    what: &e.what,
                    evidence: e.evidence.as_ref().map(Evidence::of),
                })
                .collect(),
            evidence: evidence(&i.evidence),
            chart: i.chart.as_ref().map(|c| Chart::of(c, clock)),
            error_budget: i.error_budget.as_ref().map(ErrorBudget::of),
            context: Context::of(&i.context, clock),
        }
    }
}

#[derive(Serialize)]
pub(super) struct IncidentLine<'a> {
    schema: &'static str,
    #[serde(flatten)]
    incident: Incident<'a>,
}

impl<'a> IncidentLine<'a> {
    pub(super) fn of(incident: &'a report::Incident, zone: i16) -> Self {
        Self { schema: "downtime.incident/1", incident: Incident::of(incident, Clock::new(zone)) }
    }
}

#[derive(Serialize)]
struct Scope<'a> {
    hosts: &'a [String],
    vhosts: &'a [String],
    endpoints: &'a [String],
    upstreams: &'a [String],
    all: bool,
}

#[derive(Serialize)]
struct Impact<'a> {
    requests: u64,
    failed: u64,
    failed_share: Option<f64>,
    lost_estimate: Option<u64>,
    lost_bounds: Option<[u64; 2]>,
    clients: Option<u64>,
    statuses: &'a BTreeMap<u16, u64>,
    slow: Option<u64>,
    uncounted: u64,
}

#[derive(Serialize)]
struct Phase<'a> {
    kind: &'a str,
    start: String,
    end: Option<String>,
    failed_share: Option<f64>,
    note: &'a str,
}

#[derive(Serialize)]
struct Cause<'a> {
    category: &'a str,
    confidence: &'a str,
    summary: &'a str,
    evidence: Vec<Evidence<'a>>,
}

impl<'a> Cause<'a> {
    fn of(c: &'a report::Cause) -> Self {
        Self {
            category: &c.category,
            confidence: c.confidence,
            summary: &c.summary,
            evidence: evidence(&c.evidence),
        }
    }
}

#[derive(Serialize)]
struct Trigger<'a> {
    time: String,
    summary: &'a str,
    evidence: Vec<Evidence<'a>>,
}

#[derive(Serialize)]
struct Event<'a> {
    time: String,
    what: &'a str,
    evidence: Option<Evidence<'a>>,
}

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

fn evidence(list: &[report::Evidence]) -> Vec<Evidence<'_>> {
    list.iter().map(Evidence::of).collect()
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
