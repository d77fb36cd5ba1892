//! `downtime.verify/1`: what became of written notes.

use super::piece::{Evidence, TOOL, Tool, number};
use crate::clock::Clock;
use crate::verify::{self, Value, Verdict};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Verification<'a> {
    schema: &'static str,
    tool: Tool,
    notes: &'a str,
    zone: String,
    span: Option<Span>,
    summary: Summary,
    incidents: Vec<InLogs<'a>>,
    explanations: Vec<Explanation<'a>>,
    contradictions: Vec<Contradiction<'a>>,
    claims: Vec<Claim<'a>>,
    time_to_detect: Times,
    time_to_repair: Times,
    remarks: &'a [String],
}

#[derive(Serialize)]
struct Span {
    start: String,
    end: String,
}

#[derive(Serialize)]
struct Summary {
    confirmed: usize,
    contradicted: usize,
    undecidable: usize,
    self_contradictions: usize,
}

#[derive(Serialize)]
struct InLogs<'a> {
    id: &'a str,
    severity: &'static str,
    start: String,
    end: Option<String>,
}

#[derive(Serialize)]
struct Explanation<'a> {
    what: &'a str,
    section: Option<&'a str>,
    add_seconds: Option<f64>,
    fit: usize,
    of: usize,
}

#[derive(Serialize)]
struct Contradiction<'a> {
    kind: &'static str,
    what: &'a str,
    lines: &'a [usize],
}

#[derive(Serialize)]
struct Claim<'a> {
    line: usize,
    section: &'a str,
    text: &'a str,
    kind: &'static str,
    time: Option<Time<'a>>,
    value: Option<f64>,
    verdict: &'static str,
    reason: &'a str,
    difference_seconds: Option<f64>,
    hint: Option<&'a str>,
    incident: Option<&'a str>,
    evidence: Option<Evidence<'a>>,
}

#[derive(Serialize)]
struct Time<'a> {
    written: &'a str,
    at: String,
    from: String,
    to: String,
    day_from: &'static str,
    zone_from: &'static str,
    wider: Option<&'a str>,
}

#[derive(Serialize)]
struct Times {
    by_logs_seconds: Option<f64>,
    by_notes_seconds: Option<f64>,
}

fn seconds(millis: i64) -> f64 {
    number(millis as f64 / 1000.0)
}

impl<'a> Verification<'a> {
    pub(super) fn of(v: &'a verify::Verification, notes: &'a str) -> Self {
        let clock = Clock::new(v.zone);
        Self {
            schema: "downtime.verify/1",
            tool: TOOL,
            notes,
            zone: clock.offset(),
            span: v.span.map(|(start, end)| Span { start: clock.rfc3339(start), end: clock.rfc3339(end) }),
            summary: Summary {
                confirmed: v.count(Verdict::Confirmed),
                contradicted: v.count(Verdict::Contradicted),
                undecidable: v.count(Verdict::Undecidable),
                self_contradictions: v.contradictions.len(),
            },
            incidents: v
                .incidents
                .iter()
                .map(|i| InLogs {
                    id: &i.id,
                    severity: i.severity.name(),
                    start: clock.rfc3339(i.start),
                    end: i.end.map(|end| clock.rfc3339(end)),
                })
                .collect(),
            explanations: v
                .explanations
                .iter()
                .map(|e| Explanation {
                    what: &e.what,
                    section: e.section.as_deref(),
                    add_seconds: e.add.map(seconds),
                    fit: e.fit,
                    of: e.of,
                })
                .collect(),
            contradictions: v
                .contradictions
                .iter()
                .map(|c| Contradiction { kind: c.kind, what: &c.what, lines: &c.lines })
                .collect(),
            claims: v.claims.iter().map(|c| Claim::of(c, clock)).collect(),
            time_to_detect: Times {
                by_logs_seconds: v.by_logs.detect.map(seconds),
                by_notes_seconds: v.by_notes.detect.map(seconds),
            },
            time_to_repair: Times {
                by_logs_seconds: v.by_logs.repair.map(seconds),
                by_notes_seconds: v.by_notes.repair.map(seconds),
            },
            remarks: &v.remarks,
        }
    }
}

impl<'a> Claim<'a> {
    fn of(judged: &'a verify::Judged, clock: Clock) -> Self {
        let (claim, judgement) = (&judged.claim, &judged.judgement);
        let value = match claim.value {
            Value::None => None,
            Value::Share { share, .. } => Some(number(share)),
            Value::Count { count, .. } | Value::Clients { count, .. } => Some(count as f64),
            Value::Status { status, .. } => Some(f64::from(status)),
            Value::Length { millis, .. } => Some(seconds(millis)),
        };
        Self {
            line: claim.line,
            section: &claim.section,
            text: &claim.text,
            kind: claim.kind.name(),
            time: claim.moment.as_ref().map(|m| Time {
                written: &m.written,
                at: clock.rfc3339(m.at),
                from: clock.rfc3339(m.from),
                to: clock.rfc3339(m.to),
                day_from: m.day_from.name(),
                zone_from: m.zone_from.name(),
                wider: m.wider.as_deref(),
            }),
            value,
            verdict: judgement.verdict.name(),
            reason: &judgement.reason,
            difference_seconds: judgement.difference.map(seconds),
            hint: judged.hint.as_deref(),
            incident: judgement.incident.as_deref(),
            evidence: judgement.evidence.as_ref().map(Evidence::of),
        }
    }
}
