//! Puts the zone-less stamps of error logs on the clock of the access log.
//!
//! Pure: it is given pairs of failures that both logs saw, and finds the offset at which they fall together, stretch
//! by stretch, so that a change of daylight saving time inside the log is seen. It reads no file and no clock.

mod repeated;
#[cfg(test)]
mod tests;
mod times;

use crate::error::{Error, Result};
use crate::time::{Second, Window, parse_offset, zone_name};
use chrono::{DateTime, Offset, TimeZone};
use std::collections::{BTreeMap, HashMap};
pub use times::Times;

/// All civil offsets are multiples of a quarter of an hour.
const QUARTER: i64 = 900;
/// The westmost and eastmost offsets in minutes.
const OFFSETS: std::ops::RangeInclusive<i64> = -12 * 60..=14 * 60;
/// An error record stands in the second of its access line, or shortly before it; the stamp is a cached clock.
const CLOSE: std::ops::RangeInclusive<i64> = -2..=2;
/// The first failed try of a long request can precede the line by this much.
const LONG: i64 = 120;
/// A request that repeats more than this is a probe: its pairs fit every offset.
const MOST_PAIRS: usize = 256;
/// This many pairs, each of a request seen once, are believed.
const ENOUGH: f64 = 2.5;
/// nginx speaks of its start before the first request comes, and of its stop after the last.
const AROUND: i64 = 60;
/// What a change of offset must gain, in pairs, to be believed: two coincidences do not make a change.
const CHANGE_COST: f64 = 3.0;

/// One failed request as one of the logs saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// A hash of client, request and class of the status.
    pub key: u64,
    /// When: UTC in the access log, local time as if it were UTC in the error log.
    pub time: Second,
}

/// How the stamps of an error log become UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZonePlan {
    /// From which local time on which offset in minutes counts; the first starts at the beginning of time. Where
    /// clocks went back, the step starts with the first second of the repeated hour.
    pub steps: Vec<(Second, i16)>,
    /// For a step back, from which byte of the file on its stamps are of the second time of the repeated hour.
    repeated_from: BTreeMap<usize, u64>,
    /// Where the offset comes from, for the reader of the report.
    pub how: String,
    /// Whether the logs prove it (or the user said it).
    pub sure: bool,
    /// Whether nothing at all tells it: the records can lie hours from where they are put.
    pub assumed: bool,
}

impl ZonePlan {
    /// One offset for all times.
    pub fn fixed(offset: i16, how: impl Into<String>, sure: bool) -> Self {
        Self {
            steps: vec![(i64::MIN, offset)],
            repeated_from: BTreeMap::new(),
            how: how.into(),
            sure,
            assumed: false,
        }
    }

    /// From UTC instants at which an offset began. The first counts for all times before it too.
    fn from_utc_steps(steps: &[(Second, i16)], how: String, sure: bool) -> Self {
        let mut out: Vec<(Second, i16)> = Vec::new();
        for &(from, offset) in steps {
            match out.last() {
                None => out.push((i64::MIN, offset)),
                Some(&(_, last)) if last == offset => {}
                Some(&(begun, _)) => {
                    let local = from.saturating_add(i64::from(offset) * 60);
                    out.push((local.max(begun.saturating_add(1)), offset));
                }
            }
        }
        if out.is_empty() {
            out.push((i64::MIN, 0));
        }
        Self { steps: out, repeated_from: BTreeMap::new(), how, sure, assumed: false }
    }

    /// The UTC second of a local stamp at `byte` of its file. In the hour that repeats when clocks go back the byte
    /// decides (see [`Self::repeat`]), and it is the first time where nothing tells; a stamp in the hour that clocks skip
    /// keeps the old offset.
    pub fn utc(&self, local: Second, byte: u64) -> Second {
        let at = self.steps.partition_point(|&(from, _)| from <= local).saturating_sub(1);
        let Some(&(_, offset)) = self.steps.get(at) else { return local };
        let first = self.repeated(at).filter(|r| r.hour.contains(local));
        let again = self.repeated_from.get(&at).is_some_and(|from| *from <= byte);
        let offset = first.filter(|_| !again).map_or(offset, |r| r.old);
        local.saturating_sub(i64::from(offset) * 60)
    }

    /// The local stamp of a UTC second.
    pub fn local(&self, utc: Second) -> Second {
        let stamp = |offset: i16| utc.saturating_add(i64::from(offset) * 60);
        let begun = |step: &&(Second, i16)| step.0 <= stamp(step.1);
        let step = self.steps.iter().rev().find(begun).or_else(|| self.steps.first());
        step.map_or(utc, |s| stamp(s.1))
    }

    /// The offset at the start, for a report.
    pub fn first_offset(&self) -> i16 {
        self.steps.first().map_or(0, |s| s.1)
    }
}

/// One pair of sightings that fits an offset.
#[derive(Debug, Clone, Copy)]
struct Vote {
    utc: Second,
    offset: i16,
    weight: f64,
}

/// Finds the zone of an error log from what it and the access log both saw, with the offsets that the access log's
/// own stamps showed (`access_steps`, from which UTC second on which offset in minutes) to fall back on. Where there are
/// none, as with `$msec`, the times of which both logs speak may tell.
pub fn infer(
    access: &[Sighting],
    error: &[Sighting],
    access_steps: &[(Second, i16)],
    times: impl FnOnce() -> Times,
) -> ZonePlan {
    let votes = votes(access, error);
    let total: f64 = votes.iter().map(|v| v.weight).sum();
    let pairs = |n: f64| format!("{} failures that both logs saw", n.round());

    if !access_steps.is_empty() {
        let agree: f64 =
            votes.iter().filter(|v| offset_at(access_steps, v.utc) == v.offset).map(|v| v.weight).sum();
        if agree >= ENOUGH && agree >= 0.8 * total {
            let how = format!("the access log's own offsets, confirmed by {}", pairs(agree));
            return ZonePlan::from_utc_steps(access_steps, how, true);
        }
    }
    let (path, explained) = best_path(&votes);
    if !path.is_empty() && explained >= ENOUGH && explained >= 0.6 * total {
        let steps = utc_steps(&path, access_steps);
        let how = format!("found by {}", pairs(explained));
        return ZonePlan::from_utc_steps(&steps, how, true);
    }
    if access_steps.is_empty() {
        if let Some((offset, how)) = times().offset() {
            return ZonePlan::fixed(offset, how, false);
        }
        return ZonePlan {
            assumed: true,
            ..ZonePlan::fixed(0, "assumed UTC: nothing in the logs tells", false)
        };
    }
    ZonePlan::from_utc_steps(access_steps, "taken from the access log's own offsets".into(), false)
}

fn offset_at(steps: &[(Second, i16)], utc: Second) -> i16 {
    let at = steps.partition_point(|&(from, _)| from <= utc).saturating_sub(1);
    steps.get(at).map_or(0, |s| s.1)
}

/// All pairs that fit an offset, in UTC order. A pair counts the less the more often its request was seen.
fn votes(access: &[Sighting], error: &[Sighting]) -> Vec<Vote> {
    let (access, error) = (by_key(access), by_key(error));
    let mut votes = Vec::new();
    for (key, locals) in &error {
        let Some(times) = access.get(key) else { continue };
        let pairs = times.len() * locals.len();
        if pairs > MOST_PAIRS {
            continue;
        }
        for &local in locals {
            for &utc in times {
                let apart = local.saturating_sub(utc);
                let quarters = apart.saturating_add(LONG).div_euclid(QUARTER);
                let late = apart.saturating_sub(quarters.saturating_mul(QUARTER));
                let offset = quarters.saturating_mul(15);
                if late > *CLOSE.end() || !OFFSETS.contains(&offset) {
                    continue;
                }
                let weight = if CLOSE.contains(&late) { 1.0 } else { 0.1 } / pairs as f64;
                votes.push(Vote { utc, offset: offset as i16, weight });
            }
        }
    }
    votes.sort_by_key(|v| (v.utc, v.offset));
    votes
}

/// Times by key, in order, without those that repeat within the length of a retry.
fn by_key(sightings: &[Sighting]) -> HashMap<u64, Vec<Second>> {
    let mut out: HashMap<u64, Vec<Second>> = HashMap::new();
    for s in sightings {
        out.entry(s.key).or_default().push(s.time);
    }
    for times in out.values_mut() {
        times.sort_unstable();
        // The last of a run of retries is the one nearest to the access line.
        times.reverse();
        times.dedup_by(|earlier, later| later.abs_diff(*earlier) <= 2);
        times.reverse();
    }
    out
}

/// The sequence of offsets over time that explains most votes, where each change costs (Viterbi's algorithm over the
/// offsets that got the most votes). Gives the votes it explains and their weight.
fn best_path(votes: &[Vote]) -> (Vec<Vote>, f64) {
    let mut tally: HashMap<i16, f64> = HashMap::new();
    for v in votes {
        *tally.entry(v.offset).or_default() += v.weight;
    }
    let mut states: Vec<(i16, f64)> = tally.into_iter().collect();
    states.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    states.truncate(4);
    let mut score = vec![0.0; states.len()];
    let mut came = Vec::with_capacity(votes.len());
    for v in votes {
        let leader = (0..score.len()).fold(0, |best, s| if score[s] > score[best] { s } else { best });
        let entry = score.get(leader).copied().unwrap_or(0.0) - CHANGE_COST;
        let mut from = [0_u8; 4];
        for (s, &(offset, _)) in states.iter().enumerate() {
            let changes = entry > score[s];
            from[s] = if changes { leader } else { s } as u8;
            score[s] = score[s].max(entry) + if offset == v.offset { v.weight } else { 0.0 };
        }
        came.push(from);
    }
    let mut state = (0..score.len()).fold(0, |best, s| if score[s] > score[best] { s } else { best });
    let mut path = Vec::new();
    for (v, from) in votes.iter().zip(&came).rev() {
        if states.get(state).is_some_and(|s| s.0 == v.offset) {
            path.push(*v);
        }
        state = usize::from(from[state]);
    }
    path.reverse();
    let explained = path.iter().map(|v| v.weight).sum();
    (path, explained)
}

/// From which UTC second on which offset: a change lies between two votes, at a change of the access log's own where
/// there is one, else at a full hour.
fn utc_steps(path: &[Vote], access_steps: &[(Second, i16)]) -> Vec<(Second, i16)> {
    let mut steps: Vec<(Second, i16)> = path.first().map(|v| (i64::MIN, v.offset)).into_iter().collect();
    for pair in path.windows(2).filter(|p| p[0].offset != p[1].offset) {
        let (last, first) = (pair[0].utc, pair[1].utc);
        let known = access_steps.iter().skip(1).map(|s| s.0).find(|t| last < *t && *t <= first);
        let hour = last.saturating_add(3600).div_euclid(3600).saturating_mul(3600);
        steps.push((known.unwrap_or(hour.min(first)), pair[1].offset));
    }
    steps
}

/// A zone that the user names: `+02:00`, `UTC`, or a name of the IANA database, whose changes within `span` are
/// looked up.
pub fn named(text: &str, span: Window) -> Result<ZonePlan> {
    let how = format!("given as {text}");
    if text.eq_ignore_ascii_case("utc") || text.eq_ignore_ascii_case("gmt") {
        return Ok(ZonePlan::fixed(0, how, true));
    }
    if let Some((offset, used)) = parse_offset(text.as_bytes())
        && used == text.len()
    {
        return Ok(ZonePlan::fixed(offset, how, true));
    }
    let Ok(zone) = text.parse::<chrono_tz::Tz>() else {
        let what =
            format!("\"{text}\" is no time zone: write an offset (+02:00), UTC, or a name (Europe/Berlin)");
        return Err(Error::Usage(what));
    };
    let offset = |utc: Second| {
        let at = DateTime::from_timestamp(utc, 0).unwrap_or_default().naive_utc();
        (zone.offset_from_utc_datetime(&at).fix().local_minus_utc() / 60) as i16
    };
    // 1990 to 2100, the years in which stamps are believed.
    let (from, to) =
        (span.start.clamp(631_152_000, 4_102_444_800), span.end.clamp(631_152_000, 4_102_444_800));
    let (from, to) = (from - 2 * 86_400, to + 2 * 86_400);
    let mut steps = vec![(i64::MIN, offset(from))];
    let mut at = from;
    while at < to {
        let next = at + 86_400;
        if offset(next) != offset(at) {
            let (mut low, mut high) = (at, next);
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if offset(middle) == offset(at) { low = middle } else { high = middle }
            }
            steps.push((high, offset(high)));
        }
        at = next;
    }
    Ok(ZonePlan::from_utc_steps(&steps, how, true))
}

/// The plan in a few words: `-05:00`, or `+01:00, +02:00 from ...` is left to the renderer.
pub fn describe(plan: &ZonePlan) -> String {
    let names: Vec<String> = plan.steps.iter().map(|s| zone_name(s.1)).collect();
    format!("{} ({})", names.join(", then "), plan.how)
}
