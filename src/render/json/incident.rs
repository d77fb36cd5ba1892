//! An incident as JSON, field by field in the order of the contract: views that borrow the Report.

use super::context::Context;
use super::piece::{Chart, Evidence, evidence, number};
use crate::clock::Clock;
use crate::report;
use serde::Serialize;
use std::collections::BTreeMap;
#[derive(Serialize)]
pub(super) struct Incident<'a> {
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
    pub(super) fn of(i: &'a report::Incident, clock: Clock) -> Self {
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
