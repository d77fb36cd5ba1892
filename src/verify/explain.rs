//! The usual mistakes with times: whether one of them makes the claims fit that do not.

use super::judge::{Court, decidable};
use super::{Claim, Explanation, Judgement, Kind, Moment, Verdict};
use crate::clock::{self, Clock};
use crate::time::Millis;

const HOUR: Millis = 3_600_000;
/// A claim wider than this fits too easily to be a proof of anything.
const WIDEST: Millis = 2 * HOUR;

/// One mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    /// Read as UTC what is local, or the other way.
    Utc,
    /// Written in the zone of the logs, though the notes say another.
    LogZone,
    /// The clocks of summer and winter.
    Daylight(i64),
    /// Morning and afternoon.
    Half(i64),
    /// The day before or after.
    Day(i64),
    /// Day and month have changed places.
    Swap,
    /// Some other zone.
    Zone(i64),
}

impl Mistake {
    /// All of them, the likeliest first; `wide` adds zones at large, which a single claim would fit by chance.
    fn all(wide: bool) -> Vec<Self> {
        let mut all = vec![Self::LogZone, Self::Utc];
        all.extend([-1, 1].map(Self::Daylight));
        all.extend([-1, 1].map(Self::Half));
        all.extend([-1, 1].map(Self::Day));
        all.push(Self::Swap);
        if wide {
            let mut zones: Vec<i64> = (-28..=28).map(|half_hours| half_hours * HOUR / 2).collect();
            zones.retain(|z| *z != 0);
            zones.sort_by_key(|z| (z % HOUR != 0, z.abs()));
            all.extend(zones.into_iter().map(Self::Zone));
        }
        all
    }

    /// What it adds to a time as it was read; `None` where it cannot be made.
    fn add(self, moment: &Moment, zone: i16) -> Option<Millis> {
        let minutes = |m: i16| i64::from(m) * 60_000;
        let add = match self {
            Self::Utc => minutes(moment.offset),
            Self::LogZone => minutes(moment.offset) - minutes(zone),
            Self::Daylight(sign) => sign * HOUR,
            Self::Half(sign) => sign * 12 * HOUR,
            Self::Day(sign) => sign * 24 * HOUR,
            Self::Swap => moment.swap?,
            Self::Zone(add) => add,
        };
        (add != 0).then_some(add)
    }

    fn say(self, moment: &Moment, zone: i16) -> String {
        let named = |offset: i16| Clock::new(offset).zone();
        match self {
            Self::Utc => format!("the times are UTC and not {}", named(moment.offset)),
            Self::LogZone => {
                format!("the times are {}, as the logs are, and not {}", named(zone), named(moment.offset))
            }
            Self::Daylight(sign) => format!("1 h is {} (daylight saving time)", added(sign)),
            Self::Half(sign) => format!("12 h are {} (am and pm)", added(sign)),
            Self::Day(sign) => format!("a day is {}", added(sign)),
            Self::Swap => "day and month of the date change places".into(),
            Self::Zone(add) => {
                let as_if = moment.offset - (add / 60_000) as i16;
                let is = if add.abs() == HOUR { "is" } else { "are" };
                let time = clock::duration(add.abs());
                let zone = if as_if.abs() <= 14 * 60 {
                    format!(" (as if written in {})", named(as_if))
                } else {
                    String::new()
                };
                format!("{time} {is} {}{zone}", added(add))
            }
        }
    }
}

fn added(sign: i64) -> &'static str {
    if sign < 0 { "taken off" } else { "added" }
}

/// Claims that can be a proof: decided by their time, and narrow.
fn telling<'c>(claims: impl Iterator<Item = &'c Claim>) -> Vec<(&'c Claim, &'c Moment)> {
    claims
        .filter(|c| decidable(c) && !matches!(c.kind, Kind::Change | Kind::Rollback))
        .filter_map(|c| Some((c, c.moment.as_ref()?)))
        .filter(|(_, m)| m.to - m.from <= WIDEST)
        .collect()
}

fn fits(court: &Court<'_>, claims: &[(&Claim, &Moment)], mistake: Option<Mistake>) -> usize {
    let zone = court.facts.zone();
    let fits = |(claim, moment): &&(&Claim, &Moment)| {
        let moved = match mistake {
            None => Some((*moment).clone()),
            Some(mistake) => mistake.add(moment, zone).map(|add| moment.moved(add)),
        };
        moved.is_some_and(|m| court.at(claim, &m).verdict == Verdict::Confirmed)
    };
    claims.iter().filter(fits).count()
}

/// The mistakes that explain all of the notes, or a section of them.
pub(super) fn explain(claims: &[Claim], court: &Court<'_>) -> Vec<Explanation> {
    let all = telling(claims.iter());
    let mut out: Vec<Explanation> = Vec::new();
    if let Some(found) = one(&all, None, court) {
        let whole = found.fit == found.of;
        out.push(found);
        if whole {
            return out;
        }
    }
    let mut sections: Vec<&str> = Vec::new();
    for (claim, _) in &all {
        if !sections.contains(&claim.section.as_str()) {
            sections.push(&claim.section);
        }
    }
    if sections.len() < 2 {
        return out;
    }
    for section in sections {
        let of: Vec<_> = all.iter().copied().filter(|(c, _)| c.section == section).collect();
        out.extend(one(&of, Some(section), court).filter(|found| found.fit == found.of));
    }
    // A mistake of one section says more than the same for a part of the whole.
    if out.iter().any(|e| e.section.is_some()) {
        out.retain(|e| e.section.is_some() || e.fit == e.of);
    }
    out
}

fn one(claims: &[(&Claim, &Moment)], section: Option<&str>, court: &Court<'_>) -> Option<Explanation> {
    let of = claims.len();
    let as_written = fits(court, claims, None);
    if of == 0 || as_written == of {
        return None;
    }
    let mut times: Vec<Millis> = claims.iter().map(|(_, m)| m.at).collect();
    times.sort_unstable();
    times.dedup();
    let distinct = times.len();
    let mut best: Option<(usize, Mistake)> = None;
    for mistake in Mistake::all(distinct >= 2) {
        let fit = fits(court, claims, Some(mistake));
        if best.is_none_or(|(b, _)| fit > b) {
            best = Some((fit, mistake));
        }
    }
    let (fit, mistake) = best?;
    // Half of the claims may fit a wrong hour by chance; more than half, and two, seldom do.
    if fit <= as_written || (fit < of && (fit < 2 || fit * 2 <= of)) {
        return None;
    }
    let zone = court.facts.zone();
    let (_, first) = claims.iter().find(|(_, m)| mistake.add(m, zone).is_some())?;
    let mut adds = claims.iter().filter_map(|(_, m)| mistake.add(m, zone));
    let add = adds.next().filter(|first| adds.all(|a| a == *first));
    let number = if fit == of && of == 1 {
        "the one time that can be checked fits".to_owned()
    } else if fit == of {
        format!("all {of} times that can be checked fit")
    } else {
        format!("{fit} of {of} times that can be checked fit")
    };
    let instead = if as_written > 0 { format!(" instead of {as_written}") } else { String::new() };
    let place = section.filter(|s| !s.is_empty()).map_or_else(String::new, |s| format!("In \"{s}\": "));
    let what = format!("{place}{number}{instead} when {}.", mistake.say(first, zone));
    Some(Explanation { what, section: section.map(str::to_owned), add, fit, of })
}

/// What would make one claim fit: what explains its section, or a mistake that one claim does not fit by chance.
pub(super) fn hint(
    claim: &Claim,
    judgement: &Judgement,
    explanations: &[Explanation],
    court: &Court<'_>,
) -> Option<String> {
    let moment = claim.moment.as_ref().filter(|m| m.to - m.from <= WIDEST || claim.kind == Kind::Occurred)?;
    if judgement.verdict == Verdict::Confirmed || !(decidable(claim) || claim.kind == Kind::Occurred) {
        return None;
    }
    let of_section = explanations.iter().filter(|e| e.section.as_ref().is_none_or(|s| *s == claim.section));
    for add in of_section.filter_map(|e| e.add) {
        let moved = court.at(claim, &moment.moved(add));
        if moved.verdict == Verdict::Confirmed {
            let time = clock::duration(add.abs());
            return Some(format!("with {time} {} it fits: {}", added(add), moved.reason));
        }
    }
    if matches!(claim.kind, Kind::Change | Kind::Rollback) {
        return None;
    }
    let zone = court.facts.zone();
    let occurred = claim.kind == Kind::Occurred;
    let fitting = |m: &&Mistake| {
        let usable = !occurred || matches!(m, Mistake::Day(_) | Mistake::Swap);
        usable
            && m.add(moment, zone)
                .is_some_and(|add| court.at(claim, &moment.moved(add)).verdict == Verdict::Confirmed)
    };
    Mistake::all(false).iter().find(fitting).map(|m| format!("it fits when {}", m.say(moment, zone)))
}
