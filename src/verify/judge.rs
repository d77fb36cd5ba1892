//! One claim held against the logs.

use super::edges::{end_line, start_line};
use super::facts::{Act, Facts, Mark, Reach};
use super::{Claim, Judgement, Kind, Moment, Spans, Value, Verdict};
use crate::clock::{self, Clock};
use crate::report::{Evidence, Incident};
use crate::time::Millis;
use std::fmt::Write as _;

/// A notice or an end is of an incident that is no further away than this.
pub(super) const NEAR: Millis = 24 * 3_600_000;

/// Where claims are judged: the facts, and which incident the notes are about.
pub(super) struct Court<'a> {
    pub(super) facts: &'a Facts<'a>,
    pub(super) clock: Clock,
    /// The incident the notes are about, or why there is none.
    pub(super) subject: Result<&'a Incident, &'static str>,
    /// The first notice in the notes.
    pub(super) noticed: Option<Millis>,
}

/// A judgement whose line and incident are still the report's.
pub(super) struct Ruling<'a> {
    pub(super) verdict: Verdict,
    pub(super) reason: String,
    pub(super) difference: Option<Millis>,
    pub(super) evidence: Option<&'a Evidence>,
    pub(super) incident: Option<&'a Incident>,
}

impl From<Ruling<'_>> for Judgement {
    fn from(ruling: Ruling<'_>) -> Self {
        Self {
            verdict: ruling.verdict,
            reason: ruling.reason,
            difference: ruling.difference,
            evidence: ruling.evidence.cloned(),
            incident: ruling.incident.map(|i| i.id.clone()),
        }
    }
}

/// The logs cannot say.
pub(super) fn undecidable(reason: String) -> Judgement {
    Ruling { verdict: Verdict::Undecidable, reason, difference: None, evidence: None, incident: None }.into()
}

impl<'a> Court<'a> {
    pub(super) fn new(facts: &'a Facts<'a>, claims: &[Claim]) -> Self {
        let noticed = claims.iter().filter(|c| c.kind == Kind::Detected).filter_map(|c| c.moment.as_ref());
        Self {
            facts,
            clock: Clock::new(facts.zone()),
            subject: subject(facts, claims),
            noticed: noticed.map(|m| m.at).min(),
        }
    }

    /// What the logs say to `claim`.
    pub(super) fn judge(&self, claim: &Claim) -> Judgement {
        match &claim.moment {
            Some(moment) => self.at(claim, moment),
            None => self.number(claim),
        }
    }

    /// What they would say if it were of this time.
    pub(super) fn at(&self, claim: &Claim, moment: &Moment) -> Judgement {
        match claim.kind {
            Kind::Start | Kind::End => self.edge(claim, moment),
            Kind::Failing => self.failing(moment),
            Kind::Occurred => self.day(moment),
            Kind::Detected => self.detected(moment),
            Kind::Declared => self.declared(moment),
            Kind::Restart | Kind::Stop | Kind::Reload => self.act(claim, moment),
            Kind::Change | Kind::Rollback => self.changed(claim, moment),
            Kind::Deploy => self.deployed(moment),
            Kind::Action => undecidable("what people did and tried is not in the logs of nginx".into()),
            _ => undecidable("the words say nothing that logs of nginx can know".into()),
        }
    }

    fn day(&self, moment: &Moment) -> Judgement {
        let on = |i: &&Incident| i.start < moment.to && i.end.is_none_or(|end| moment.from <= end);
        let incidents = self.facts.incidents();
        if let Some(incident) = incidents.iter().filter(on).min_by_key(|i| !Facts::visible(i)) {
            let reason = format!(
                "by the logs the {} began at {}",
                incident.severity.name(),
                self.clock.full(incident.start)
            );
            let evidence = start_line(incident);
            return Ruling {
                verdict: Verdict::Confirmed,
                reason,
                difference: None,
                evidence,
                incident: Some(incident),
            }
            .into();
        }
        if self.facts.reach(moment.from, moment.to) == Reach::Outside {
            return undecidable(self.not_covered(moment).unwrap_or_default());
        }
        if self.facts.reach(moment.from, moment.to) != Reach::Inside {
            return undecidable(
                "the logs do not cover all of that day, and show no incident in what they cover".into(),
            );
        }
        self.no_incident()
    }

    /// The mark nearest to a time, of some acts.
    fn mark(&self, acts: &[Act], at: Millis) -> Option<&Mark<'a>> {
        self.facts.marks().iter().filter(|m| acts.contains(&m.act)).min_by_key(|m| (m.time - at).abs())
    }

    /// The mark that a claim can mean.
    fn mark_in(&self, acts: &[Act], moment: &Moment) -> Option<&Mark<'a>> {
        let inside = |m: &&Mark<'_>| moment.from <= m.time && m.time < moment.to;
        let order = |m: &&Mark<'_>| (acts.iter().position(|a| *a == m.act), (m.time - moment.at).abs());
        self.facts.marks().iter().filter(|m| acts.contains(&m.act)).filter(inside).min_by_key(order)
    }

    fn told(verdict: Verdict, mark: &Mark<'_>, reason: String, difference: Option<Millis>) -> Judgement {
        Ruling { verdict, reason, difference, evidence: mark.evidence, incident: None }.into()
    }

    fn detected(&self, moment: &Moment) -> Judgement {
        const WHY: &str = "the logs cannot know when a person noticed";
        let incidents = self.facts.incidents();
        let before = incidents.iter().filter(|i| i.start < moment.to && moment.at - i.start < NEAR);
        if let Some(incident) = before.max_by_key(|i| (Facts::visible(i), i.start)) {
            let after = clock::duration((moment.at - incident.start).max(0));
            let over = incident.end.filter(|end| *end <= moment.from).map_or_else(String::new, |end| {
                format!(", and {} after its end", clock::duration(moment.at - end))
            });
            let mut judgement =
                undecidable(format!("{WHY}; this is {after} after the start in the logs{over}"));
            judgement.incident = Some(incident.id.clone());
            return judgement;
        }
        let later =
            incidents.iter().filter(|i| i.start >= moment.to && !i.open_start).min_by_key(|i| i.start);
        let armed = self.facts.marks().iter().any(|m| m.act == Act::Refused && m.time < moment.to);
        match later {
            Some(incident) if !armed && self.not_covered(moment).is_none() => {
                let difference = moment.at - incident.start;
                let reason = format!(
                    "nothing had failed yet: by the logs the {} began {} later, at {}",
                    incident.severity.name(),
                    clock::duration(-difference),
                    self.clock.full(incident.start)
                );
                let (verdict, evidence) = (Verdict::Contradicted, start_line(incident));
                Ruling { verdict, reason, difference: Some(difference), evidence, incident: Some(incident) }
                    .into()
            }
            _ => undecidable(WHY.into()),
        }
    }

    fn declared(&self, moment: &Moment) -> Judgement {
        const WHY: &str = "the logs cannot know when people said so";
        let during = |i: &&Incident| {
            i.start < moment.from && Facts::visible(i) && i.end.is_none_or(|_| i.end_bounds.0 > moment.to)
        };
        let incidents = self.facts.incidents();
        if let Some(incident) = incidents.iter().find(during).filter(|_| self.not_covered(moment).is_none()) {
            let end = incident.end.unwrap_or(incident.end_bounds.1);
            let reason = format!("by the logs it was not over: it went on until {}", self.clock.full(end));
            let (verdict, evidence) = (Verdict::Contradicted, end_line(incident));
            let difference = Some(moment.at - end);
            return Ruling { verdict, reason, difference, evidence, incident: Some(incident) }.into();
        }
        let ended = incidents
            .iter()
            .filter_map(|i| i.end)
            .filter(|end| *end < moment.to && moment.at - end < NEAR)
            .max();
        undecidable(ended.map_or_else(
            || WHY.into(),
            |end| format!("{WHY}; the incident of the logs was over at {}", self.clock.full(end)),
        ))
    }

    /// Starts, stops and reloads are nginx's own words.
    fn act(&self, claim: &Claim, moment: &Moment) -> Judgement {
        let acts: &[Act] = match claim.kind {
            Kind::Restart => &[Act::Start, Act::Refused, Act::Stop],
            Kind::Stop => &[Act::Stop],
            _ => &[Act::Reload, Act::Refused],
        };
        if claim.nginx == Some(false) {
            return undecidable("it is not about nginx, and the logs know nginx only".into());
        }
        if let Some(mark) = self.mark_in(acts, moment) {
            let reason = format!("at {} {}", self.clock.full(mark.time), mark.what);
            return Self::told(Verdict::Confirmed, mark, reason, None);
        }
        if let Some(reason) = self.not_covered(moment) {
            return undecidable(reason);
        }
        if let Err(reason) = self.facts.would_tell(moment.from, moment.to) {
            return undecidable(reason.into());
        }
        let nearest = self.mark(acts, moment.at);
        let difference = nearest.map(|m| moment.at - m.time);
        let said = nearest.map_or_else(
            || "the error log tells of none at any time".to_owned(),
            |m| {
                let by = clock::duration((moment.at - m.time).abs());
                let side = if m.time > moment.at { "after" } else { "before" };
                format!("the nearest is {by} {side}: at {} {}", self.clock.full(m.time), m.what)
            },
        );
        // `The service was restarted` may mean anything; only nginx is known here.
        let (verdict, reason) = match claim.nginx {
            Some(true) => (Verdict::Contradicted, format!("nginx did no such thing then; {said}")),
            _ => (Verdict::Undecidable, format!("if nginx is meant, it did no such thing then; {said}")),
        };
        let difference = difference.filter(|_| verdict == Verdict::Contradicted);
        let evidence = nearest.and_then(|m| m.evidence);
        Ruling { verdict, reason, difference, evidence, incident: None }.into()
    }

    /// A file changes without a word; nginx speaks when it reads it.
    fn changed(&self, claim: &Claim, moment: &Moment) -> Judgement {
        let back = claim.kind == Kind::Rollback;
        let acts: &[Act] = if back { &[Act::Start, Act::Reload] } else { &[Act::Refused, Act::Reload] };
        if back && claim.succeeded {
            let within = |m: &&Mark<'_>| m.act == Act::Refused && m.time >= moment.to;
            let open = |i: &&Incident| i.start <= moment.at && i.end.is_none_or(|end| moment.to <= end);
            let incident = self.facts.incidents().iter().find(open);
            let later = incident.and_then(|i| {
                self.facts.marks().iter().filter(within).find(|m| i.end.is_none_or(|end| m.time <= end))
            });
            if let Some(mark) = later {
                let reason = format!("after that, at {}, {}", self.clock.full(mark.time), mark.what);
                return Self::told(Verdict::Contradicted, mark, reason, None);
            }
        }
        if let Some(mark) = self.mark_in(acts, moment) {
            let reason = format!("at {} {}", self.clock.full(mark.time), mark.what);
            return Self::told(Verdict::Confirmed, mark, reason, None);
        }
        let reads = [Act::Start, Act::Reload, Act::Refused];
        let next =
            self.facts.marks().iter().filter(|m| reads.contains(&m.act)).find(|m| m.time >= moment.from);
        let mut reason = "a file can be changed without a word of nginx".to_owned();
        let next = next.filter(|m| m.time - moment.at < NEAR);
        if let Some(mark) = next {
            _ = write!(
                reason,
                "; it read its configuration next at {}: {}",
                self.clock.full(mark.time),
                mark.what
            );
        }
        let mut judgement = undecidable(reason);
        judgement.evidence = next.and_then(|m| m.evidence).cloned();
        judgement
    }

    fn deployed(&self, moment: &Moment) -> Judgement {
        let mut judgement = undecidable("a deployment is not in the logs of nginx".into());
        if let Some(mark) = self.mark_in(&[Act::Reload, Act::Start, Act::Refused], moment) {
            _ = write!(judgement.reason, "; at {} {}", self.clock.full(mark.time), mark.what);
            judgement.evidence = mark.evidence.cloned();
        }
        judgement
    }

    /// How long it took, by the logs and by the notes.
    pub(super) fn spans(&self, claims: &[Claim]) -> (Spans, Spans) {
        let times = |kind: Kind| {
            claims.iter().filter(move |c| c.kind == kind).filter_map(|c| Some(c.moment.as_ref()?.at))
        };
        let start = times(Kind::Start).min().or_else(|| times(Kind::Failing).min());
        let end = times(Kind::End).max();
        let by_notes = Spans {
            detect: start.zip(self.noticed).map(|(s, d)| d - s),
            repair: start.zip(end).map(|(s, e)| e - s),
        };
        let by_logs = self.subject.map_or_else(
            |_| Spans::default(),
            |incident| Spans {
                detect: self.noticed.map(|at| at - incident.start).filter(|d| d.abs() < NEAR),
                repair: incident.end.filter(|_| !incident.open_start).map(|end| end - incident.start),
            },
        );
        (by_logs, by_notes)
    }
}

/// The incident the notes are about: the one nearest to a start they name on a day of the logs, else the worst.
fn subject<'a>(facts: &Facts<'a>, claims: &[Claim]) -> Result<&'a Incident, &'static str> {
    let Some(worst) = facts.worst() else { return Err("the logs show no incident that it could be of") };
    let moments = || claims.iter().filter_map(|c| Some((c, c.moment.as_ref()?)));
    let near = |m: &Moment| facts.span().is_some_and(|(from, to)| m.from < to + NEAR && from - NEAR < m.to);
    if moments().next().is_some() && !moments().any(|(_, m)| near(m)) {
        return Err("the logs are of other days than the notes");
    }
    let named = moments().find(|(c, m)| c.kind == Kind::Start && facts.reach(m.from, m.to) != Reach::Outside);
    let nearest = named.and_then(|(_, m)| {
        let visible = facts.incidents().iter().filter(|i| Facts::visible(i));
        visible.min_by_key(|i| (i.start - m.at).abs())
    });
    Ok(nearest.unwrap_or(worst))
}

/// Whether a claim is of a kind the logs can decide by its time.
pub(super) fn decidable(claim: &Claim) -> bool {
    claim.moment.is_some()
        && claim.value == Value::None
        && match claim.kind {
            Kind::Start | Kind::End | Kind::Change | Kind::Rollback => true,
            Kind::Restart | Kind::Stop | Kind::Reload => claim.nginx != Some(false),
            _ => false,
        }
}
