//! Claims of a beginning or an end, held against the bounds of the incidents.

use super::facts::{Facts, Reach};
use super::judge::{Court, Ruling, undecidable};
use super::{Claim, Judgement, Kind, Moment, Sight, Verdict};
use crate::clock;
use crate::report::{Evidence, Incident};
use crate::time::Millis;
use std::fmt::Write as _;

/// A beginning or an end in the logs.
struct Edge<'a> {
    /// The instant the report gives.
    time: Millis,
    /// It lies not before the first and not after the second.
    bounds: (Millis, Millis),
    /// It lies outside the logs.
    open: bool,
    /// Of a part of an incident only.
    part: bool,
    incident: &'a Incident,
}

/// The last millisecond of a second that was counted whole.
fn to_second_end(at: Millis) -> Millis {
    if at.rem_euclid(1000) == 0 { at + 999 } else { at }
}

fn starts(incident: &Incident, sight: Sight) -> Vec<Edge<'_>> {
    let (low, high) = incident.start_bounds;
    let whole = Edge {
        time: incident.start,
        bounds: (incident.start.min(low.saturating_add(1)), to_second_end(high.max(incident.start))),
        open: incident.open_start,
        part: false,
        incident,
    };
    let parts = parts(incident, sight).map(|phase| Edge {
        time: phase.start,
        bounds: (phase.start, to_second_end(phase.start)),
        open: false,
        part: true,
        incident,
    });
    std::iter::once(whole).chain(parts).collect()
}

fn ends(incident: &Incident, sight: Sight) -> Vec<Edge<'_>> {
    let (low, high) = incident.end_bounds;
    let time = incident.end.unwrap_or(high);
    let whole = Edge {
        time,
        bounds: (low.min(time), to_second_end(high.max(time))),
        open: incident.open_end || incident.end.is_none(),
        part: false,
        incident,
    };
    let parts = parts(incident, sight).filter_map(|phase| {
        let time = phase.end?;
        Some(Edge { time, bounds: (time - 1000, to_second_end(time)), open: false, part: true, incident })
    });
    std::iter::once(whole).chain(parts).collect()
}

/// The phases that show the sight a claim names: `first 502s` may come minutes after the silence began.
fn parts(incident: &Incident, sight: Sight) -> impl Iterator<Item = &crate::report::Phase> {
    incident.phases.iter().filter(move |phase| match sight {
        Sight::Any => false,
        Sight::Errors => phase.kind == "failing" || phase.kind == "partial",
        Sight::Silence => phase.kind == "silent",
    })
}

/// The line that shows when an incident began.
pub(super) fn start_line(incident: &Incident) -> Option<&Evidence> {
    let near = |time: Millis| (time - incident.start).abs() <= 1000;
    let trigger = incident.trigger.as_ref().filter(|t| near(t.time)).and_then(|t| t.evidence.first());
    let event = || incident.timeline.iter().filter(|e| near(e.time)).find_map(|e| e.evidence.as_ref());
    trigger.or_else(event).or(incident.evidence.first())
}

/// The line that shows when it ended.
pub(super) fn end_line(incident: &Incident) -> Option<&Evidence> {
    let near = |time: Millis| incident.end.is_some_and(|end| (time - end).abs() <= 1000);
    let event = incident.timeline.iter().rev().filter(|e| near(e.time)).find_map(|e| e.evidence.as_ref());
    event.or(incident.evidence.last())
}

impl Court<'_> {
    /// A claim that the incident began or ended at `moment`.
    pub(super) fn edge(&self, claim: &Claim, moment: &Moment) -> Judgement {
        let began = claim.kind == Kind::Start;
        let edges = |sight| -> Vec<Edge<'_>> {
            let of = if began { starts } else { ends };
            self.facts.incidents().iter().flat_map(|i| of(i, sight)).collect()
        };
        let all = edges(claim.sight);
        let matches = |e: &&Edge<'_>| !e.open && moment.from <= e.bounds.1 && e.bounds.0 < moment.to;
        let best = |e: &&Edge<'_>| (!Facts::visible(e.incident), e.part, (e.time - moment.at).abs());
        if let Some(edge) = all.iter().filter(matches).min_by_key(best) {
            let reason = format!("{}{}", self.say(edge, began), wider(moment));
            return Self::ruled(Verdict::Confirmed, edge, began, reason, None);
        }
        if let Some(reason) = self.not_covered(moment) {
            return undecidable(reason);
        }
        let whole = all.iter().filter(|e| !e.part);
        let Some(edge) = whole.min_by_key(|e| (!Facts::visible(e.incident), (e.time - moment.at).abs()))
        else {
            return self.no_incident();
        };
        let difference = moment.at - edge.time;
        let mut reason = self.say(edge, began);
        if !edge.open {
            let side = if difference < 0 { "earlier" } else { "later" };
            _ = write!(reason, ": the notes are {} {side}", clock::duration(difference.abs()));
        }
        reason.push_str(&wider(moment));
        // What did happen then, where it was a part of the incident.
        let parts = [Sight::Errors, Sight::Silence].into_iter().flat_map(edges);
        let part = parts.filter(|e| e.part).find(|e| moment.from <= e.bounds.1 && e.bounds.0 < moment.to);
        if let Some(part) = part {
            let verb = if began { "began" } else { "ended" };
            _ = write!(reason, "; only a part of it {verb} at {}", self.clock.time(part.time));
        }
        Self::ruled(Verdict::Contradicted, edge, began, reason, (!edge.open).then_some(difference))
    }

    /// A claim that it was failing at `moment`.
    pub(super) fn failing(&self, moment: &Moment) -> Judgement {
        let during =
            |i: &&Incident| i.start_bounds.0 < moment.to && i.end.is_none_or(|end| moment.from < end);
        let incidents = self.facts.incidents();
        if let Some(incident) = incidents.iter().filter(during).min_by_key(|i| !Facts::visible(i)) {
            let what = incident.severity.name();
            let reason = match incident.end {
                Some(end) => format!(
                    "by the logs the {what} lasted from {} to {}",
                    self.clock.full(incident.start),
                    self.clock.beside(end, incident.start)
                ),
                None => format!("by the logs the {what} goes on since {}", self.clock.full(incident.start)),
            };
            // The last line of its story that was told before this time.
            let mut told =
                incident.timeline.iter().filter(|e| e.time < moment.to).filter_map(|e| e.evidence.as_ref());
            let evidence = told.next_back().or_else(|| start_line(incident));
            return Ruling {
                verdict: Verdict::Confirmed,
                reason,
                difference: None,
                evidence,
                incident: Some(incident),
            }
            .into();
        }
        if let Some(reason) = self.not_covered(moment) {
            return undecidable(reason);
        }
        let nearest = incidents.iter().min_by_key(|i| {
            let to_start = (i.start - moment.at).abs();
            (!Facts::visible(i), i.end.map_or(to_start, |end| to_start.min((end - moment.at).abs())))
        });
        let Some(incident) = nearest else { return self.no_incident() };
        let (time, verb, evidence) = match incident.end.filter(|end| *end <= moment.from) {
            Some(end) => (end, "ended", end_line(incident)),
            None => (incident.start, "began", start_line(incident)),
        };
        let difference = moment.at - time;
        let side = if difference < 0 { "later" } else { "before" };
        let reason = format!(
            "by the logs there was no incident then: the {} {verb} {} {side}, at {}",
            incident.severity.name(),
            clock::duration(difference.abs()),
            self.clock.full(time)
        );
        let (verdict, difference) = (Verdict::Contradicted, Some(difference));
        Ruling { verdict, reason, difference, evidence, incident: Some(incident) }.into()
    }

    fn ruled(
        verdict: Verdict,
        edge: &Edge<'_>,
        began: bool,
        reason: String,
        difference: Option<Millis>,
    ) -> Judgement {
        let line = if edge.part {
            let near = |time: Millis| (time - edge.time).abs() <= 1000;
            let mut near: Vec<_> = edge.incident.timeline.iter().filter(|e| near(e.time)).collect();
            // Where requests failed, a failed request shows it better than what nginx says in the same second.
            near.sort_by_key(|e| !e.what.contains(" failed request"));
            near.into_iter().find_map(|e| e.evidence.as_ref())
        } else {
            None
        };
        let line = line.or_else(|| if began { start_line(edge.incident) } else { end_line(edge.incident) });
        Ruling { verdict, reason, difference, evidence: line, incident: Some(edge.incident) }.into()
    }

    fn say(&self, edge: &Edge<'_>, began: bool) -> String {
        let what = edge.incident.severity.name();
        let part = if edge.part { "a part of " } else { "" };
        let time = self.clock.full(edge.time);
        match (began, edge.open) {
            (true, false) => format!("by the logs {part}the {what} began at {time}"),
            (false, false) => format!("by the logs {part}the {what} ended at {time}"),
            (true, true) => format!("by the logs the {what} went on already when they begin, {time}"),
            (false, true) => format!("by the logs the {what} goes on when they end, {time}"),
        }
    }

    pub(super) fn no_incident(&self) -> Judgement {
        let (requests, failed) = self.facts.totals();
        let reason = format!(
            "the logs cover this time and show no incident ({failed} of {} failed in all of them)",
            clock::count_of(requests, "request")
        );
        Ruling { verdict: Verdict::Contradicted, reason, difference: None, evidence: None, incident: None }
            .into()
    }

    /// Why the logs cannot speak for `moment`, when they cannot.
    pub(super) fn not_covered(&self, moment: &Moment) -> Option<String> {
        // The open side of `by` and `after` asks for no proof.
        const NEAR: Millis = 30 * 60_000;
        let from = moment.from.max(moment.at.saturating_sub(NEAR));
        let to = moment.to.min(moment.at.saturating_add(NEAR)).max(from + 1);
        let Some((first, last)) = self.facts.span() else {
            return Some("no line of the logs has a time".into());
        };
        let logs = || format!("{} to {}", self.clock.full(first), self.clock.beside(last, first));
        match self.facts.reach(from, to) {
            Reach::Inside => None,
            Reach::Outside if to <= first || from > last => {
                Some(format!("the time lies outside the logs, which cover {}", logs()))
            }
            _ => Some(format!("the logs speak for a part of that time only; they cover {}", logs())),
        }
    }
}

fn wider(moment: &Moment) -> String {
    moment.wider.as_ref().map_or_else(String::new, |why| format!(" ({why})"))
}
