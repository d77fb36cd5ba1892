//! Text reports: the same with and without colours, harmless whatever the log says, and bounded in width.

use super::*;
use crate::render::safe;
use crate::report::{Cause, Context, Evidence, Finding, Impact, Input, NotCounted, Notice, Noticed, Scope};

/// An outage of an hour and a quarter, minimal.
pub(crate) fn incident() -> Incident {
    let start = 1_587_856_385_000;
    let end = start + 4_176_000;
    Incident {
        id: "20200425-181305-all".into(),
        severity: Severity::Outage,
        title: "nothing was served".into(),
        why: "47 of 50 requests failed, usually 0.1 %".into(),
        start,
        start_bounds: (start - 1000, start),
        end: Some(end),
        end_bounds: (end - 1000, end),
        open_start: false,
        open_end: false,
        client_visible: true,
        scope: Scope { all: true, ..Scope::default() },
        impact: Impact { requests: 50, failed: 47, failed_share: Some(0.94), ..Impact::default() },
        phases: Vec::new(),
        cause: None,
        other_causes: Vec::new(),
        trigger: None,
        timeline: Vec::new(),
        evidence: Vec::new(),
        chart: None,
        error_budget: None,
        context: Context::default(),
    }
}

fn render(report: &Report, style: Style) -> String {
    let mut out = Vec::new();
    write(report, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

pub(crate) fn hostile() -> Report {
    let bad = "\x1b]0;x\x07\u{9b}2J\u{202e}\r\n<script>\u{200b}".to_owned();
    let line = Evidence { path: bad.clone(), line: 1, byte: 0, text: bad.repeat(500) };
    let mut one = incident();
    (one.title, one.why, one.id) = (bad.clone(), bad.clone(), bad.clone());
    one.scope.vhosts = vec![bad.clone()];
    one.cause = Some(Cause {
        category: bad.clone(),
        confidence: "certain",
        summary: bad.clone(),
        evidence: vec![line.clone()],
    });
    one.evidence = vec![line.clone(); 9];
    let written = Notice { at: Some(one.start), after: (0, 1000) };
    one.context.noticed =
        Some(Noticed { written, mended: Some((written, bad.clone())), evidence: line.clone() });
    Report {
        notes: Some(bad.clone()),
        inputs: vec![Input {
            path: bad.clone(),
            format: bad.clone(),
            host: Some(bad.clone()),
            notes: vec![bad.clone()],
            digest: Some(bad.clone()),
            ..Input::default()
        }],
        incidents: vec![one.clone(), one],
        findings: vec![Finding {
            kind: "x",
            time: 0,
            end: None,
            summary: bad.clone(),
            evidence: vec![line.clone()],
        }],
        not_counted: vec![NotCounted {
            path: bad.clone(),
            reason: bad,
            lines: 1,
            bytes: 1,
            example: Some(line),
        }],
        ..Report::default()
    }
}

#[test]
fn nothing_from_a_log_acts_on_the_terminal() {
    let text = render(&hostile(), Style::default());
    assert!(!text.chars().any(|c| c != '\n' && safe::is_hazard(c)), "{text:?}");
    assert!(text.contains("\\x1b]0;x\\x07"), "{text}");
}

#[test]
fn colours_change_no_word() {
    let report = Report { inputs: vec![Input::default()], incidents: vec![incident()], ..Report::default() };
    let plain = render(&report, Style::default());
    let coloured = render(&report, Style { colour: true, ..Style::default() });
    assert_ne!(plain, coloured);
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        stripped.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    stripped.push_str(rest);
    assert_eq!(plain, stripped);
}

#[test]
fn the_worst_incident_leads_and_the_order_is_of_time() {
    let mut slow = incident();
    (slow.severity, slow.title) = (Severity::Slowdown, "answers came late".into());
    slow.start -= 10_000_000;
    let report =
        Report { inputs: vec![Input::default()], incidents: vec![slow, incident()], ..Report::default() };
    let text = render(&report, Style::default());
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} in {text}"));
    assert!(at("The worst was an outage") < at("SLOWDOWN  incident 1 of 2"));
    assert!(at("SLOWDOWN  incident 1 of 2") < at("OUTAGE  incident 2 of 2"));
}

#[test]
fn an_open_end_is_said_and_no_duration_claimed() {
    let mut open = incident();
    (open.end, open.open_end) = (None, true);
    open.end_bounds = (open.start + 60_000, open.start + 60_000);
    let report = Report { inputs: vec![Input::default()], incidents: vec![open], ..Report::default() };
    let text = render(&report, Style::default());
    assert!(text.contains("goes on when the log ends, 18:14:05") || text.contains("23:14:05"), "{text}");
    assert!(text.contains("Lasted      at least 1 min"), "{text}");
}

#[test]
fn thousands_of_incidents_stay_readable() {
    let many = (0..3000).map(|n| Incident { start: n * 1000, ..incident() });
    let report = Report { inputs: vec![Input::default()], incidents: many.collect(), ..Report::default() };
    assert!(render(&report, Style::default()).lines().count() < 600);
}

#[test]
fn no_dated_line_is_no_good_news() {
    let report = Report { inputs: vec![Input::default()], ..Report::default() };
    let text = render(&report, Style::default());
    assert!(text.starts_with("Nothing can be said"), "{text}");
    assert!(render(&Report::default(), Style::default()).starts_with("Nothing was read"));
}
