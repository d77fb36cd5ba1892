//! The notes held against themselves; no log is asked.

use super::context::Weekday;
use super::{Claim, Contradiction, Kind, Moment, Sight, Value};
use crate::clock::{self, Clock};
use crate::time::Millis;
use chrono::Datelike;
use std::collections::{BTreeSet, HashMap};

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Beginnings and ends that a length is held against: no postmortem has more.
const MOST_EDGES: usize = 40;

/// A claim with its time.
type Timed<'c> = (&'c Claim, &'c Moment);

fn show(moment: &Moment) -> String {
    let clock = Clock::new(moment.offset);
    let full = clock.full(moment.at);
    // Claims are written to the minute, seldom to the second.
    full.strip_suffix(":00").unwrap_or(&full).to_owned()
}

/// The time alone where the day has been said.
fn show_beside(moment: &Moment, said: &Moment) -> String {
    let clock = Clock::new(moment.offset);
    let text =
        if moment.offset == said.offset { clock.beside(moment.at, said.at) } else { return show(moment) };
    text.strip_suffix(":00").unwrap_or(&text).to_owned()
}

fn apart(a: &Moment, b: &Moment) -> String {
    clock::duration((a.at - b.at).abs())
}

/// What in the notes cannot all be true.
pub(super) fn check(claims: &[Claim], weekdays: &[Weekday], spans: &[(usize, usize)]) -> Vec<Contradiction> {
    let mut out = Vec::new();
    weekday(weekdays, &mut out);
    let of = |kind: Kind| -> Vec<Timed<'_>> {
        let any = |c: &&Claim| c.kind == kind && c.sight != Sight::Silence;
        claims.iter().filter(any).filter_map(|c| Some((c, c.moment.as_ref()?))).collect()
    };
    let (starts, ends, notices) = (of(Kind::Start), of(Kind::End), of(Kind::Detected));
    twice("start", "began", &starts, &mut out);
    twice("end", "ended", &ends, &mut out);
    began_at_the_end(&starts, &ends, &mut out);
    order(&starts, &ends, &notices, &mut out);
    entries(claims, &mut out);
    lengths(claims, spans, &mut out);
    for found in &mut out {
        found.lines.sort_unstable();
        found.lines.dedup();
    }
    out
}

fn weekday(weekdays: &[Weekday], out: &mut Vec<Contradiction>) {
    let mut told: Vec<(u32, chrono::NaiveDate)> = Vec::new();
    for w in weekdays {
        let real = w.day.weekday().num_days_from_monday();
        if real == w.said || told.contains(&(w.said, w.day)) {
            continue;
        }
        told.push((w.said, w.day));
        let name = |day: u32| WEEKDAYS.get(day as usize).copied().unwrap_or_default();
        let what = format!("{} is said to be a {}, and it was a {}", w.day, name(w.said), name(real));
        out.push(Contradiction { kind: "weekday", what, lines: vec![w.line] });
    }
}

/// Sections that date the same thing differently. Inside one section a second start may be a second incident.
fn twice(kind: &'static str, verb: &str, claims: &[Timed<'_>], out: &mut Vec<Contradiction>) {
    let mut told: BTreeSet<(usize, usize)> = BTreeSet::new();
    // Sections by number: of two thousand claims every two are compared.
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let sections: Vec<usize> = claims
        .iter()
        .map(|(c, _)| {
            let next = numbers.len();
            *numbers.entry(&c.section).or_insert(next)
        })
        .collect();
    for ((claim, moment), section) in claims.iter().zip(&sections) {
        let elsewhere = || claims.iter().zip(&sections).filter(move |(_, s)| *s != section).map(|(c, _)| c);
        let others = || elsewhere().filter(|(c, _)| c.sight == claim.sight);
        if others().any(|(_, m)| m.meets(moment)) {
            continue;
        }
        let Some((other, at)) = others().min_by_key(|(_, m)| (m.at - moment.at).abs()) else { continue };
        let pair = (claim.line.min(other.line), claim.line.max(other.line));
        if !told.insert(pair) {
            continue;
        }
        let what = format!(
            "line {} says it {verb} at {}, line {} says at {}: {} apart",
            claim.line,
            show(moment),
            other.line,
            show_beside(at, moment),
            apart(moment, at)
        );
        out.push(Contradiction { kind, what, lines: vec![claim.line, other.line] });
    }
}

fn began_at_the_end(starts: &[Timed<'_>], ends: &[Timed<'_>], out: &mut Vec<Contradiction>) {
    for (start, began) in starts {
        let found = ends.iter().find(|(end, m)| end.section != start.section && m.meets(began));
        if let Some((end, _)) = found {
            let what = format!(
                "line {} says it began at {}, when by line {} it ended",
                start.line,
                show(began),
                end.line
            );
            out.push(Contradiction { kind: "began-at-the-end", what, lines: vec![start.line, end.line] });
        }
    }
}

fn order(starts: &[Timed<'_>], ends: &[Timed<'_>], notices: &[Timed<'_>], out: &mut Vec<Contradiction>) {
    let first = starts.iter().min_by_key(|(_, m)| m.from);
    let last = ends.iter().max_by_key(|(_, m)| m.to);
    if let (Some((s, began)), Some((e, ended))) = (first, last)
        && ended.to <= began.from
    {
        let what =
            format!("it ends (line {}) {} before it begins (line {})", e.line, apart(began, ended), s.line);
        out.push(Contradiction { kind: "order", what, lines: vec![s.line, e.line] });
    }
    let Some((notice, noticed)) = notices.iter().min_by_key(|(_, m)| m.from) else { return };
    if let Some((s, began)) = first.filter(|(_, began)| noticed.to <= began.from) {
        let what = format!(
            "it was noticed at {} (line {}), {} before it began (line {})",
            show(noticed),
            notice.line,
            apart(noticed, began),
            s.line
        );
        out.push(Contradiction { kind: "order", what, lines: vec![notice.line, s.line] });
    }
    for (e, ended) in ends.iter().filter(|(e, m)| e.section != notice.section && m.to <= noticed.from) {
        let what = format!(
            "it was noticed at {} (line {}), {} after it had ended (line {})",
            show(noticed),
            notice.line,
            apart(noticed, ended),
            e.line
        );
        out.push(Contradiction { kind: "order", what, lines: vec![notice.line, e.line] });
    }
}

/// Entries of one list that go back in time. A list with its newest entry first goes back all the way.
fn entries(claims: &[Claim], out: &mut Vec<Contradiction>) {
    let leading: Vec<Timed<'_>> =
        claims.iter().filter(|c| c.leads).filter_map(|c| Some((c, c.moment.as_ref()?))).collect();
    let mut from = 0;
    while from < leading.len() {
        let section = &leading[from].0.section;
        let length = leading[from..].iter().take_while(|(c, _)| c.section == *section).count();
        let list = &leading[from..from + length];
        let back = |pair: &&[Timed<'_>]| pair[1].1.to <= pair[0].1.from;
        let steps = list.windows(2).filter(|p| p[0].1.at != p[1].1.at).count();
        let backward = list.windows(2).filter(back).count();
        if backward * 2 <= steps {
            for pair in list.windows(2).filter(back) {
                let what = format!(
                    "line {} ({}) stands after line {} ({}), and is earlier",
                    pair[1].0.line,
                    show(pair[1].1),
                    pair[0].0.line,
                    show_beside(pair[0].1, pair[1].1)
                );
                out.push(Contradiction { kind: "order", what, lines: vec![pair[0].0.line, pair[1].0.line] });
            }
        }
        from += length;
    }
}

/// Lengths that are written out, against the times they are said to lie between.
fn lengths(claims: &[Claim], spans: &[(usize, usize)], out: &mut Vec<Contradiction>) {
    for claim in claims {
        let Value::Length { millis, slack } = claim.value else { continue };
        let pairs = match claim.kind {
            Kind::Duration => pairs(claims, spans, &claim.section, Kind::Start, Kind::End),
            Kind::TimeToDetect => pairs(claims, &[], &claim.section, Kind::Start, Kind::Detected),
            Kind::TimeToRepair => {
                let mut both = pairs(claims, spans, &claim.section, Kind::Start, Kind::End);
                both.extend(pairs(claims, &[], &claim.section, Kind::Detected, Kind::End));
                both
            }
            _ => continue,
        };
        // An instant written to the minute may lie anywhere in it.
        let fits = |(a, b): &(Timed<'_>, Timed<'_>)| {
            b.1.from - a.1.to <= millis + slack && millis - slack <= b.1.to - a.1.from
        };
        if pairs.is_empty() || pairs.iter().any(fits) {
            continue;
        }
        let nearest = pairs.iter().min_by_key(|(a, b)| (b.1.at - a.1.at - millis).abs());
        let Some(((a, from), (b, to))) = nearest else { continue };
        let lasted: Millis = to.at - from.at;
        let lines = if a.line == b.line {
            format!("the times of line {}", a.line)
        } else {
            format!("the times of lines {} and {}", a.line, b.line)
        };
        let what = format!(
            "line {} says {}, and between {lines} there are {}",
            claim.line,
            clock::duration(millis),
            clock::duration(lasted)
        );
        out.push(Contradiction { kind: "duration", what, lines: vec![claim.line, a.line, b.line] });
    }
}

/// What a length can lie between: ranges, else beginnings and ends of its own section, else of all of the notes.
fn pairs<'c>(
    claims: &'c [Claim],
    spans: &[(usize, usize)],
    section: &str,
    first: Kind,
    last: Kind,
) -> Vec<(Timed<'c>, Timed<'c>)> {
    let timed = |at: usize| claims.get(at).and_then(|c: &'c Claim| Some((c, c.moment.as_ref()?)));
    let ranges: Vec<_> =
        spans.iter().take(MOST_EDGES).filter_map(|&(a, b)| Some((timed(a)?, timed(b)?))).collect();
    let between = |inside: bool| -> Vec<(Timed<'c>, Timed<'c>)> {
        let of = |kind: Kind| {
            let here = move |c: &&Claim| c.kind == kind && (!inside || c.section == section);
            claims.iter().filter(here).filter_map(|c| Some((c, c.moment.as_ref()?))).take(MOST_EDGES)
        };
        of(first).flat_map(|a| of(last).map(move |b| (a, b))).filter(|((_, a), (_, b))| a.at < b.to).collect()
    };
    let own: Vec<_> = ranges.iter().copied().filter(|((c, _), _)| c.section == section).collect();
    if !own.is_empty() {
        return own;
    }
    let own = between(true);
    if own.is_empty() { between(false) } else { own }
}
