//! Claims of shares, counts, statuses and lengths, held against the incident the notes are about.

use super::edges::{end_line, start_line};
use super::judge::{Court, Ruling, undecidable};
use super::{Claim, Judgement, Kind, Value, Verdict};
use crate::clock;
use crate::report::{Evidence, Incident};
use crate::time::Millis;
use std::fmt::Write as _;

fn verdict(right: bool) -> Verdict {
    if right { Verdict::Confirmed } else { Verdict::Contradicted }
}

/// A quoted line with this status, else the first that shows the failure.
fn line_with(incident: &Incident, status: u16, class: bool) -> Option<&Evidence> {
    let wanted = if class { format!(" {}", status / 100) } else { format!(" {status} ") };
    let told = incident.timeline.iter().filter_map(|e| e.evidence.as_ref());
    incident.evidence.iter().chain(told).find(|e| match e.text.split_once("\" ") {
        Some((_, rest)) => format!(" {rest}").starts_with(&wanted),
        None => false,
    })
}

impl Court<'_> {
    /// A claim of a number.
    pub(super) fn number(&self, claim: &Claim) -> Judgement {
        let incident = match &self.subject {
            Ok(incident) => *incident,
            Err(reason) => return undecidable((*reason).into()),
        };
        match claim.value {
            Value::Share { share, slack } => share_of(incident, share, slack),
            Value::Count { count, slack, status } => count_of(incident, count, slack, status),
            Value::Clients { count, slack, people } => clients_of(incident, count, slack, people),
            Value::Status { status, class } => status_of(incident, status, class),
            Value::Length { millis, slack } => self.length(claim.kind, incident, millis, slack),
            Value::None => undecidable("nothing is claimed".into()),
        }
    }

    fn length(&self, kind: Kind, incident: &Incident, millis: Millis, slack: Millis) -> Judgement {
        if kind == Kind::TimeToDetect {
            let noticed = self.noticed.map(|at| at - incident.start).filter(|d| *d >= 0);
            let from_notes = noticed.map_or_else(String::new, |d| {
                format!(
                    "; from the start in the logs to the notice in the notes it is {}",
                    clock::duration(d)
                )
            });
            return undecidable(format!("the logs cannot know when a person noticed{from_notes}"));
        }
        let (end, whole) = match incident.end {
            Some(end) => (end, !incident.open_start),
            None => (incident.end_bounds.0, false),
        };
        let lasted = (end - incident.start).max(0);
        let difference = millis - lasted;
        let words = clock::duration(lasted);
        let right = difference.abs() <= slack;
        let (verdict, reason) = match (whole, right, difference < 0) {
            (true, true, _) => (Verdict::Confirmed, format!("by the logs it lasted {words}")),
            (true, false, _) if kind == Kind::TimeToRepair && difference < 0 => {
                let reason = format!(
                    "by the logs it lasted {words}; a time that counts from the notice cannot be checked"
                );
                (Verdict::Undecidable, reason)
            }
            (true, false, shorter) => {
                let by = clock::duration(difference.abs());
                let side = if shorter { "shorter" } else { "longer" };
                (Verdict::Contradicted, format!("by the logs it lasted {words}: the notes are {by} {side}"))
            }
            (false, false, true) => (
                Verdict::Contradicted,
                format!("by the logs it lasted at least {words}, and they end inside it"),
            ),
            (false, ..) => {
                (Verdict::Undecidable, format!("it lasted at least {words}; the logs do not hold all of it"))
            }
        };
        let difference = (verdict == Verdict::Contradicted).then_some(difference);
        Ruling { verdict, reason, difference, evidence: end_line(incident), incident: Some(incident) }.into()
    }
}

fn share_of(incident: &Incident, share: f64, slack: f64) -> Judgement {
    let impact = &incident.impact;
    let lost = impact.lost_estimate.unwrap_or(0);
    let Some(failed) = impact.failed_share else {
        if impact.requests == 0 && lost > 0 {
            let reason = "no request came at all while it lasted, so that none was served".into();
            let verdict = verdict(share + slack >= 1.0);
            let evidence = start_line(incident);
            return Ruling { verdict, reason, difference: None, evidence, incident: Some(incident) }.into();
        }
        let reason = if impact.failed > 0 {
            "the access log keeps failed requests only, so of how many they failed is not known"
        } else {
            "no request was logged while it lasted"
        };
        return undecidable(reason.into());
    };
    // Who gets no answer at all is not in the log; people count them among the affected.
    let all = impact.requests.saturating_add(lost);
    let with_lost = impact.failed.saturating_add(lost) as f64 / all.max(1) as f64;
    let near = |x: f64| (x - share).abs() <= slack + 1e-9;
    let mut reason = format!(
        "{} of {} that came failed, {}",
        clock::count(impact.failed),
        clock::count_of(impact.requests, "request"),
        clock::share(failed)
    );
    if lost > 0 {
        _ = write!(
            reason,
            "; with about {} that never came it is {}",
            clock::count(lost),
            clock::share(with_lost)
        );
    }
    let verdict = verdict(near(failed) || (lost > 0 && near(with_lost)));
    Ruling {
        verdict,
        reason,
        difference: None,
        evidence: incident.evidence.first(),
        incident: Some(incident),
    }
    .into()
}

fn count_of(incident: &Incident, count: u64, slack: u64, status: Option<u16>) -> Judgement {
    let impact = &incident.impact;
    let (found, what) = match status {
        Some(status) => {
            (impact.statuses.get(&status).copied().unwrap_or(0), format!("answers with {status}"))
        }
        None => (impact.failed, "failed requests".into()),
    };
    let reason = format!("by the logs there were {} {what}", clock::count(found));
    let verdict = verdict(found.abs_diff(count) <= slack);
    Ruling {
        verdict,
        reason,
        difference: None,
        evidence: incident.evidence.first(),
        incident: Some(incident),
    }
    .into()
}

/// Addresses that met a failure are counted (estimated above a few dozen); people are not.
fn clients_of(incident: &Incident, count: u64, slack: u64, people: bool) -> Judgement {
    let impact = &incident.impact;
    let bad = impact.failed.saturating_add(impact.lost_estimate.unwrap_or(0)).max(impact.slow.unwrap_or(0));
    let evidence = incident.evidence.first();
    let told = |verdict, reason| {
        Ruling { verdict, reason, difference: None, evidence, incident: Some(incident) }.into()
    };
    if bad > 0 && count.saturating_sub(slack) > bad {
        let requests = clock::count_of(bad, "request");
        return told(Verdict::Contradicted, format!("no more than {requests} went wrong by the logs"));
    }
    let Some(found) = impact.clients.filter(|n| *n > 0) else {
        return undecidable("the logs do not tell which clients met a failure".into());
    };
    let met = format!("by the logs {} addresses of clients met a failure", clock::count(found));
    if people {
        return undecidable(format!("the logs know addresses and not people; {met}"));
    }
    // Their number is an estimate to a few percent.
    let close = found.abs_diff(count) <= slack.max(found / 10);
    told(verdict(close), met)
}

fn status_of(incident: &Incident, status: u16, class: bool) -> Judgement {
    let same = |s: u16| if class { s / 100 == status / 100 } else { s == status };
    let found: u64 = incident.impact.statuses.iter().filter(|(s, _)| same(**s)).map(|(_, n)| n).sum();
    let name = if class { format!("{}xx", status / 100) } else { status.to_string() };
    let all: Vec<String> =
        incident.impact.statuses.iter().map(|(s, n)| format!("{} × {s:03}", clock::count(*n))).collect();
    let evidence = line_with(incident, status, class).or(incident.evidence.first());
    let (verdict, reason) = if found > 0 {
        (Verdict::Confirmed, format!("{} were answered with {name}", clock::count_of(found, "request")))
    } else if status < 500 && !class {
        // Only failures are counted by status; a 404 is none.
        return undecidable(format!("answers with {name} are not counted as failures"));
    } else if all.is_empty() {
        (
            Verdict::Contradicted,
            format!("no request was answered with {name}: none was answered with an error"),
        )
    } else {
        (
            Verdict::Contradicted,
            format!("no request was answered with {name}; the failures were {}", all.join(", ")),
        )
    };
    Ruling { verdict, reason, difference: None, evidence, incident: Some(incident) }.into()
}
