//! What the report says, in the order in which claims ask for it.

use super::InLogs;
use crate::inspect::{Word, word_summary};
use crate::report::{CoverageState, Evidence, Incident, Report, Severity};
use crate::time::Millis;
use chrono::{Days, NaiveDate};

const DAY: i64 = 86_400_000;
/// A report tells at most so many events of an incident and findings of a kind: where it told as many, one that is
/// not told may still have been.
const TOLD_AT_MOST: usize = 20;

/// What nginx did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Start,
    Refused,
    Stop,
    Reload,
}

/// One act of nginx that the logs tell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark<'a> {
    pub(super) act: Act,
    pub(super) time: Millis,
    pub(super) what: &'a str,
    pub(super) evidence: Option<&'a Evidence>,
}

/// How much of a stretch of time the logs speak for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    Inside,
    Partly,
    Outside,
}

/// A report, asked.
pub(super) struct Facts<'a> {
    report: &'a Report,
    marks: Vec<Mark<'a>>,
    capped: bool,
}

/// An event says the word, and may say after it which message or which try it was.
fn act_of_event(what: &str) -> Option<Act> {
    let says = |word: Word| {
        let rest = what.strip_prefix(word_summary(word));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(": ") || rest.starts_with(" again, try"))
    };
    [
        (Word::Version, Act::Start),
        (Word::Upgrade, Act::Start),
        (Word::Emergency, Act::Refused),
        (Word::Terminate, Act::Stop),
        (Word::Quit, Act::Stop),
        (Word::Reconfiguring, Act::Reload),
    ]
    .into_iter()
    .find_map(|(word, act)| says(word).then_some(act))
}

fn act_of_finding(kind: &str) -> Option<Act> {
    Some(match kind {
        "start" | "upgrade" | "restart" => Act::Start,
        "refused-start" | "refused-reload" => Act::Refused,
        "stop" => Act::Stop,
        "reload" => Act::Reload,
        _ => return None,
    })
}

impl<'a> Facts<'a> {
    pub(super) fn of(report: &'a Report) -> Self {
        let events = report.incidents.iter().flat_map(|i| {
            let told = i.timeline.iter().filter_map(|e| {
                let act = act_of_event(&e.what)?;
                Some(Mark { act, time: e.time, what: &e.what, evidence: e.evidence.as_ref() })
            });
            let trigger = i.trigger.iter().filter_map(|t| {
                let act = act_of_event(&t.summary)?;
                Some(Mark { act, time: t.time, what: &t.summary, evidence: t.evidence.first() })
            });
            told.chain(trigger)
        });
        let findings = report.findings.iter().filter_map(|f| {
            let act = act_of_finding(f.kind)?;
            Some(Mark { act, time: f.time, what: &f.summary, evidence: f.evidence.first() })
        });
        let mut marks: Vec<Mark<'a>> = events.chain(findings).collect();
        marks.sort_by_key(|m| (m.time, m.act as u8, m.evidence.is_none()));
        marks.dedup_by_key(|m| (m.time, m.act as u8));
        let capped = report.incidents.iter().any(|i| i.timeline.len() >= 2 * TOLD_AT_MOST)
            || report.findings.iter().any(|f| {
                act_of_finding(f.kind).is_some()
                    && report.findings.iter().filter(|g| g.kind == f.kind).count() >= TOLD_AT_MOST
            });
        Self { report, marks, capped }
    }

    /// Minutes east of UTC of the logs.
    pub(super) fn zone(&self) -> i16 {
        self.report.zone
    }

    pub(super) fn span(&self) -> Option<(Millis, Millis)> {
        self.report.span
    }

    pub(super) fn incidents(&self) -> &'a [Incident] {
        &self.report.incidents
    }

    pub(super) fn marks(&self) -> &[Mark<'a>] {
        &self.marks
    }

    pub(super) fn totals(&self) -> (u64, u64) {
        (self.report.totals.requests, self.report.totals.failed)
    }

    pub(super) fn in_short(&self) -> Vec<InLogs> {
        let short =
            |i: &Incident| InLogs { id: i.id.clone(), severity: i.severity, start: i.start, end: i.end };
        self.incidents().iter().map(short).collect()
    }

    fn civil_day(&self, at: Millis) -> Option<NaiveDate> {
        let local = at.checked_add(i64::from(self.zone()) * 60_000)?;
        Some(chrono::DateTime::from_timestamp_millis(local)?.date_naive())
    }

    /// The day of the logs: of their worst incident, or their first.
    pub(super) fn day(&self) -> Option<NaiveDate> {
        let worst = self.worst().map(|i| i.start);
        self.civil_day(worst.or(self.span().map(|(from, _)| from))?)
    }

    /// The day of the logs on which a time of day is inside them, or else their day.
    pub(super) fn day_with(&self, millis: i64) -> Option<NaiveDate> {
        let (from, to) = self.span()?;
        let main = self.day()?;
        let inside = |day: &NaiveDate| {
            let civil = day.and_hms_opt(0, 0, 0).map(|d| d.and_utc().timestamp_millis() + millis);
            let at = civil.map(|c| c - i64::from(self.zone()) * 60_000);
            at.is_some_and(|at| from - 60_000 < at && at <= to)
        };
        if inside(&main) {
            return Some(main);
        }
        let (next, before) = (main.checked_add_days(Days::new(1)), main.checked_sub_days(Days::new(1)));
        next.into_iter().chain(before).find(inside).or(Some(main))
    }

    /// Whether the logs say anything of a day of their zone.
    pub(super) fn touches(&self, day: NaiveDate) -> bool {
        let Some((from, to)) = self.span() else { return false };
        let (begin, end) = self.day_window(day);
        begin <= to && from < end
    }

    /// A day of the logs' zone as instants.
    pub(super) fn day_window(&self, day: NaiveDate) -> (Millis, Millis) {
        let civil = day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis();
        let begin = civil - i64::from(self.zone()) * 60_000;
        (begin, begin + DAY)
    }

    /// The incident that most deserves to be written about.
    pub(super) fn worst(&self) -> Option<&'a Incident> {
        self.incidents().iter().min_by_key(|i| {
            let lost = i.impact.lost_estimate.unwrap_or(0);
            (!i.client_visible, i.severity, std::cmp::Reverse(i.impact.failed.saturating_add(lost)))
        })
    }

    /// How much of a stretch the logs speak for.
    pub(super) fn reach(&self, from: Millis, to: Millis) -> Reach {
        let overlaps = |c: &&crate::report::Coverage| c.start < to && from < c.end;
        let mut covered = 0;
        let mut reached = from;
        let mut stretches: Vec<_> = self
            .report
            .coverage
            .iter()
            .filter(|c| c.state == CoverageState::Covered)
            .filter(overlaps)
            .map(|c| (c.start.max(from), c.end.min(to)))
            .collect();
        stretches.sort_unstable();
        for (start, end) in stretches {
            covered += (end - start.max(reached)).max(0);
            reached = reached.max(end);
        }
        let hole =
            self.report.coverage.iter().filter(|c| c.state != CoverageState::Covered).any(|c| overlaps(&c));
        match (covered, hole) {
            (0, false) => Reach::Outside,
            (n, false) if n >= to - from => Reach::Inside,
            _ => Reach::Partly,
        }
    }

    /// Whether the error log would have told of nginx starting or stopping then: it covers the time, and tells such
    /// things at other times (`error_log` at `notice`).
    pub(super) fn would_tell(&self, from: Millis, to: Millis) -> Result<(), &'static str> {
        let logs = || self.report.inputs.iter().filter(|i| i.kind == "error");
        let first = logs().filter_map(|i| i.first).min();
        let last = logs().filter_map(|i| i.last).max();
        let (Some(first), Some(last)) = (first, last) else {
            return Err("there is no error log among the files, and only it tells what nginx does");
        };
        // Quiet error logs begin and end with their records, so that the access log says how far they reach.
        let inside = first <= to && from <= last || self.reach(from, to) == Reach::Inside;
        let told = self.marks.iter().any(|m| m.act != Act::Refused);
        if !inside {
            Err("the error log does not cover that time")
        } else if !told {
            Err("the error log tells of no start, stop or reload at all: it is not kept at notice")
        } else if self.capped {
            Err("there were more such acts than the report tells one by one")
        } else {
            Ok(())
        }
    }

    /// Whether an incident is one that people outside could see.
    pub(super) fn visible(incident: &Incident) -> bool {
        incident.client_visible && incident.severity != Severity::Hidden
    }
}
