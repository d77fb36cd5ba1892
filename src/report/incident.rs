//! One incident: what, when within which bounds, how bad, for whom, why, and the lines that prove it.

use super::{Chart, Context, Evidence, Word, word};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How bad an incident was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Near-total failure, or silence with proof that nginx was down.
    Outage,
    /// A share of requests failed.
    Degradation,
    /// Answers came, late.
    Slowdown,
    /// Upstream failures that did not reach clients: a retry, a fallback or a cache answered, or nobody waited for them.
    Hidden,
    /// Silence without proof.
    Unknown,
}

impl Severity {
    /// The word in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::Degradation => "degradation",
            Self::Slowdown => "slowdown",
            Self::Hidden => "hidden",
            Self::Unknown => "unknown",
        }
    }
}

/// A stretch of time in which the service failed or slowed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Stable name, made of start and scope.
    pub id: String,
    /// How bad.
    pub severity: Severity,
    /// One line: what failed.
    pub title: String,
    /// The sentence of evidence a person can check.
    pub why: String,
    /// First failure.
    pub start: Millis,
    /// The start lies after the first and not after the second.
    pub start_bounds: (Millis, Millis),
    /// End; `None` while it goes on.
    pub end: Option<Millis>,
    /// The end lies not before the first and before the second.
    pub end_bounds: (Millis, Millis),
    /// It had begun when the log begins.
    pub open_start: bool,
    /// It goes on when the log ends.
    pub open_end: bool,
    /// Whether clients saw it.
    pub client_visible: bool,
    /// Where.
    pub scope: Scope,
    /// How many.
    pub impact: Impact,
    /// Its parts.
    pub phases: Vec<Phase>,
    /// What nginx said was the matter; `None` without a quoted line.
    pub cause: Option<Cause>,
    /// Runners-up.
    pub other_causes: Vec<Cause>,
    /// What armed it or set it off.
    pub trigger: Option<Trigger>,
    /// What happened, in order.
    pub timeline: Vec<Event>,
    /// Lines that prove start and end.
    pub evidence: Vec<Evidence>,
    /// Counts over the incident and some time around it, to draw.
    pub chart: Option<Chart>,
    /// What it costs of an error budget; `None` where clients saw nothing of it.
    pub error_budget: Option<ErrorBudget>,
    /// What it is compared with.
    pub context: Context,
}

/// What an incident costs of the error budgets in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBudget {
    /// Days over which a budget is given.
    pub window_days: u32,
    /// Minutes spent: a minute in which half of the requests failed costs half a minute.
    pub spent_minutes: f64,
    /// The usual objectives.
    pub objectives: Vec<Objective>,
}

/// One objective and what is left of its budget.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// Share of requests that should be answered well, 0 to 1.
    pub target: f64,
    /// Minutes that may fail in the window.
    pub budget_minutes: f64,
    /// Share of them that the incident spent; 1 is all of it.
    pub spent_share: f64,
}

impl Incident {
    /// Seconds from start to end, where it ended.
    pub fn duration_seconds(&self) -> Option<f64> {
        self.end.map(|end| (end - self.start) as f64 / 1000.0)
    }
}

/// Where an incident struck; `all`, or what is named.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Scope {
    /// Hosts, where several are told apart.
    pub hosts: Vec<String>,
    /// Virtual hosts.
    pub vhosts: Vec<String>,
    /// Endpoint templates.
    pub endpoints: Vec<String>,
    /// Upstream peers.
    pub upstreams: Vec<String>,
    /// Everything.
    pub all: bool,
}

/// How many were hit.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Impact {
    /// Requests inside the incident.
    pub requests: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Share, 0 to 1; `None` when there was no request.
    pub failed_share: Option<f64>,
    /// Requests that never came, estimated from the rate before and after.
    pub lost_estimate: Option<u64>,
    /// Bounds of that estimate.
    pub lost_bounds: Option<(u64, u64)>,
    /// Distinct clients that saw a failure (estimated above a few dozen).
    pub clients: Option<u64>,
    /// Failed requests by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests that took several times as long as usual, where that was found.
    pub slow: Option<u64>,
    /// Of the failed, those whose status does not show it: content gone, clients gone, bodies cut short.
    pub uncounted: u64,
}

/// A part of an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// `failing`, `silent`, `partial`, `recovery`.
    #[serde(deserialize_with = "word")]
    pub kind: Word,
    /// From.
    pub start: Millis,
    /// To; `None` while it goes on.
    pub end: Option<Millis>,
    /// Share of requests that failed, where there were any.
    pub failed_share: Option<f64>,
    /// A word more.
    pub note: String,
}

/// Why, in nginx's own words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// A category of the taxonomy, like `upstream.refused`.
    pub category: String,
    /// `certain`, `likely` or `possible`.
    #[serde(deserialize_with = "word")]
    pub confidence: Word,
    /// One sentence.
    pub summary: String,
    /// The quoted lines; never empty.
    pub evidence: Vec<Evidence>,
}

/// What armed an incident or set it off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// When.
    pub time: Millis,
    /// One sentence.
    pub summary: String,
    /// The quoted lines.
    pub evidence: Vec<Evidence>,
}

/// One event of an incident's timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub time: Millis,
    /// What.
    pub what: String,
    /// The line that says so, where one does.
    pub evidence: Option<Evidence>,
}
