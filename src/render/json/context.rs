//! What an incident is compared with, and what several hosts say, field by field.

use super::piece::{Evidence, number};
use crate::clock::Clock;
use crate::report;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Context<'a> {
    stretches: Vec<Stretch>,
    remarks: &'a [String],
    counted: &'a str,
    sampled: bool,
    places: Vec<Place<'a>>,
    hosts: Vec<HostPart<'a>>,
    alike: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    noticed: Option<Noticed<'a>>,
}

impl<'a> Context<'a> {
    pub(super) fn of(c: &'a report::Context, clock: Clock) -> Self {
        Self {
            stretches: c.stretches.iter().map(|s| Stretch::of(s, clock)).collect(),
            remarks: &c.remarks,
            counted: c.counted,
            sampled: c.sampled,
            places: c.places.iter().map(|p| Place::of(p, clock)).collect(),
            hosts: c.hosts.iter().map(|h| HostPart::of(h, clock)).collect(),
            alike: &c.alike,
            noticed: c.noticed.as_ref().map(|n| Noticed {
                written: Notice::of(n.written, clock),
                mended: n.mended.as_ref().map(|(notice, _)| Notice::of(*notice, clock)),
                mistake: n.mended.as_ref().map(|(_, why)| why.as_str()),
                evidence: Evidence::of(&n.evidence),
            }),
        }
    }
}

#[derive(Serialize)]
struct Noticed<'a> {
    written: Notice,
    mended: Option<Notice>,
    mistake: Option<&'a str>,
    evidence: Evidence<'a>,
}

#[derive(Serialize)]
struct Notice {
    time: Option<String>,
    after_seconds: [f64; 2],
}

impl Notice {
    fn of(n: report::Notice, clock: Clock) -> Self {
        let seconds = |millis: i64| number(millis as f64 / 1000.0);
        Self { time: n.at.map(|t| clock.rfc3339(t)), after_seconds: [seconds(n.after.0), seconds(n.after.1)] }
    }
}

#[derive(Serialize)]
struct Stretch {
    kind: &'static str,
    start: String,
    end: String,
    requests: u64,
    failed: u64,
    good: u64,
    client_errors: u64,
    aborted: u64,
    server_errors: u64,
    p50_seconds: Option<f64>,
    p95_seconds: Option<f64>,
}

impl Stretch {
    fn of(s: &report::Stretch, clock: Clock) -> Self {
        Self {
            kind: s.kind.name(),
            start: clock.rfc3339(s.start),
            end: clock.rfc3339(s.end),
            requests: s.requests,
            failed: s.failed,
            good: s.good,
            client_errors: s.client_errors,
            aborted: s.aborted,
            server_errors: s.server_errors,
            p50_seconds: s.p50.map(number),
            p95_seconds: s.p95.map(number),
        }
    }
}

#[derive(Serialize)]
struct Place<'a> {
    kind: &'static str,
    name: &'a str,
    requests: u64,
    failed: u64,
    first_failure: Option<String>,
    usual_share: Option<f64>,
}

impl<'a> Place<'a> {
    fn of(p: &'a report::Place, clock: Clock) -> Self {
        Self {
            kind: p.kind.name(),
            name: &p.name,
            requests: p.requests,
            failed: p.failed,
            first_failure: p.first_failure.map(|t| clock.rfc3339(t)),
            usual_share: p.usual_share.map(number),
        }
    }
}

#[derive(Serialize)]
struct HostPart<'a> {
    host: &'a str,
    requests: u64,
    failed: u64,
    first_failure: Option<String>,
    last_failure: Option<String>,
    severity: Option<&'static str>,
    verdict: &'a str,
}

impl<'a> HostPart<'a> {
    fn of(h: &'a report::HostPart, clock: Clock) -> Self {
        Self {
            host: &h.host,
            requests: h.requests,
            failed: h.failed,
            first_failure: h.first_failure.map(|t| clock.rfc3339(t)),
            last_failure: h.last_failure.map(|t| clock.rfc3339(t)),
            severity: h.severity.map(report::Severity::name),
            verdict: &h.verdict,
        }
    }
}

#[derive(Serialize)]
pub(super) struct HostSummary<'a> {
    host: &'a str,
    requests: u64,
    failed: u64,
    error_records: u64,
    first: Option<String>,
    last: Option<String>,
    incidents: u64,
    bad_seconds: f64,
    skew: Skew<'a>,
}

#[derive(Serialize)]
struct Skew<'a> {
    against: Option<&'a str>,
    seconds: Option<[f64; 2]>,
    how: &'a str,
}

impl<'a> HostSummary<'a> {
    pub(super) fn of(h: &'a report::HostSummary, clock: Clock) -> Self {
        Self {
            host: &h.host,
            requests: h.requests,
            failed: h.failed,
            error_records: h.error_records,
            first: h.first.map(|t| clock.rfc3339(t)),
            last: h.last.map(|t| clock.rfc3339(t)),
            incidents: h.incidents,
            bad_seconds: number(h.bad_seconds),
            skew: Skew {
                against: h.skew.against.as_deref(),
                seconds: h.skew.seconds.map(|(low, high)| [number(low), number(high)]),
                how: &h.skew.how,
            },
        }
    }
}

#[derive(Serialize)]
pub(super) struct Joint<'a> {
    pub(super) verdict: &'a str,
    pub(super) all_bad_seconds: f64,
    pub(super) any_bad_seconds: f64,
}
