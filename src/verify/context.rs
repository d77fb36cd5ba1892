//! Which instant a time of day means: its day and zone, from beside it, from elsewhere in the notes, or from the
//! logs; and how wide the claim is.

use super::blocks::{Block, Form, Topic};
use super::clauses::tail;
use super::facts::Facts;
use super::regex;
use super::times::{ClockText, DateText, Mention, Said, Unit};
use super::zones::{self, Zone};
use super::{Basis, Moment};
use chrono::{Datelike, Days, NaiveDate, NaiveDateTime};
use regex::Regex;
use std::sync::LazyLock;

const DAY: i64 = 86_400_000;
/// An entry this much earlier than the one above it is of the next day; less is an entry out of order.
const ROLLS: i64 = 6 * 3_600_000;
/// `by 18:04` and `after 18:00` leave one side open; this much is enough for any incident's hours.
const OPEN_SIDE: i64 = 6 * 3_600_000;

static ABOUT: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)(?:\b(?:around|about|approx(?:imately|\.)?|aprox\.?|circa|ca\.|c\.|roughly|near|close to|or so|some ?time)|[~≈])\s*(?:at\s*)?$",
    )
});
static ABOUT_AFTER: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)^\s?(?:-?ish\b|\(?(?:approx|aprox|about|roughly|or so|ca\b))"));
static BEFORE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)\b(?:(shortly|just|right)\s+before|by|before|no later than|latest)\s*$"));
static AFTER: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)\b(?:(shortly|just|right|soon)\s+(?:after|past)|after|not before)\s*$"));
static BESIDE: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)^[\s,(|]*(?:on|of|at)?(?:\s+the)?[\s,(|]*$"));

/// A weekday and the day it is said of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Weekday {
    /// Days after Monday, as written.
    pub(super) said: u32,
    /// The day it stands with.
    pub(super) day: NaiveDate,
    /// 1-based line.
    pub(super) line: usize,
}

/// What is known of days and zones at a place in the notes.
pub(super) struct Context<'a> {
    facts: &'a Facts<'a>,
    /// The day that times without one are of, and the other reading of its numbers.
    day: Option<(NaiveDate, Option<NaiveDate>)>,
    /// The zone of times without one, stated for all.
    zone: Option<Zone>,
    year: Option<i32>,
    month_first: Option<bool>,
    /// Section and time of the entry above.
    last: Option<(Vec<String>, i64)>,
    pub(super) weekdays: Vec<Weekday>,
    /// Whether a day, a zone had to be taken from the logs.
    pub(super) assumed: (bool, bool),
}

impl<'a> Context<'a> {
    /// Looks over all of the notes once, for what is stated once for all.
    pub(super) fn new(blocks: &[(Block, Vec<Mention>)], facts: &'a Facts<'a>) -> Self {
        let relevant = || blocks.iter().filter(|(b, _)| b.topic != Topic::Actions);
        let mentions = || relevant().flat_map(|(_, m)| m);
        let dates = || {
            mentions().filter_map(|m| match m.what {
                Said::Date(date) => Some(date),
                _ => None,
            })
        };
        let body =
            relevant().filter(|(b, _)| b.form != Form::Heading).find_map(|(b, _)| zones::stated(&b.text));
        let mut beside = mentions().filter_map(|m| match m.what {
            Said::Clock(clock) => clock.zone,
            _ => None,
        });
        let first = beside.next().filter(|first| beside.all(|z| z == *first));
        let headed =
            relevant().filter(|(b, _)| b.form == Form::Heading).find_map(|(b, _)| zone_of_heading(&b.text));
        let dated = relevant()
            .filter(|(_, m)| m.iter().all(|m| !matches!(m.what, Said::Clock(_))))
            .find_map(zone_of_day);
        let month_first = mentions().find_map(|m| match m.what {
            Said::Date(d) if !d.ambiguous => numeric_order(m, relevant()),
            _ => None,
        });
        let mut context = Self {
            facts,
            day: None,
            zone: body.or(dated).or(first).or(headed),
            year: dates().find_map(|d| d.year),
            month_first,
            last: None,
            weekdays: Vec::new(),
            assumed: (false, false),
        };
        context.day = dates().find_map(|d| context.resolve(d, None));
        context
    }

    /// A written date as a day of the calendar, and the other reading of its numbers.
    fn resolve(&self, date: DateText, weekday: Option<u32>) -> Option<(NaiveDate, Option<NaiveDate>)> {
        let near = self.facts.day();
        let make = |month: u32, day: u32| {
            if let Some(year) = date.year.or(self.year) {
                return NaiveDate::from_ymd_opt(year, month, day);
            }
            let near = near?;
            (near.year() - 1..=near.year() + 1)
                .filter_map(|year| NaiveDate::from_ymd_opt(year, month, day))
                .min_by_key(|d| (*d - near).num_days().abs())
        };
        let first = make(date.month, date.day);
        let numeric = date.month <= 12 && date.day <= 12 && date.month != date.day;
        let other = if numeric { make(date.day, date.month) } else { None };
        if !date.ambiguous {
            return first.map(|f| (f, other));
        }
        let fits = |d: &Option<NaiveDate>| {
            d.is_some_and(|d| weekday.is_some_and(|w| d.weekday().num_days_from_monday() == w))
        };
        let covered = |d: &Option<NaiveDate>| d.is_some_and(|d| self.facts.touches(d));
        let swap = match (fits(&first), fits(&other)) {
            (false, true) => true,
            (true, false) => false,
            _ => self.month_first.unwrap_or(!covered(&first) && covered(&other)),
        };
        let (one, two) = if swap { (other, first) } else { (first, other) };
        one.map(|d| (d, two))
    }

    /// Takes the days that `block` states for what follows, before its times are placed.
    pub(super) fn enter(&mut self, block: &Block, mentions: &[Mention]) {
        if block.topic == Topic::Actions {
            return;
        }
        for (at, mention) in mentions.iter().enumerate() {
            match mention.what {
                Said::Date(date) => {
                    let beside = weekday_beside(block, mentions, at);
                    let Some((day, other)) = self.resolve(date, beside) else { continue };
                    if let Some(said) = beside {
                        self.weekdays.push(Weekday { said, day, line: block.line(mention.start) });
                    }
                    if block.form != Form::Paragraph {
                        self.day = Some((day, other));
                        self.last = None;
                    }
                }
                Said::Weekday(said) if alone(mentions, at) => self.weekday(block, mentions, mention, said),
                _ => {}
            }
        }
    }

    /// A weekday without a date beside it.
    fn weekday(&mut self, block: &Block, mentions: &[Mention], mention: &Mention, said: u32) {
        let before = block.text[..mention.start].trim_end().to_ascii_lowercase();
        let word = before.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        if ["every", "each", "next", "last", "previous", "by", "until", "since"].contains(&word) {
            return;
        }
        let Some((day, _)) = self.day else { return };
        let of_the_day = day.weekday().num_days_from_monday();
        let ahead = (said + 7 - of_the_day) % 7;
        let clock = mentions.iter().any(|m| matches!(m.what, Said::Clock(_)));
        match block.form {
            // A heading or an entry goes on to that day, as lists over some days do.
            Form::Heading | Form::Entry if block.form == Form::Heading || ahead == 1 => {
                self.day = day.checked_add_days(Days::new(u64::from(ahead))).map(|day| (day, None));
                self.last = None;
            }
            _ if clock || word == "on" || ahead == 0 => {
                self.weekdays.push(Weekday { said, day, line: block.line(mention.start) });
            }
            _ => {}
        }
    }

    /// The instant of the time of day `mentions[at]`; `None` where no day is known.
    pub(super) fn place(
        &mut self,
        block: &Block,
        mentions: &[Mention],
        at: usize,
        partner: Option<ClockText>,
    ) -> Option<Moment> {
        let mention = &mentions[at];
        let Said::Clock(mut clock) = mention.what else { return None };
        if let Some(partner) = partner {
            lend(&mut clock, partner);
        }
        let (day, other, day_from) = self.day_of(block, mentions, at, clock.millis)?;
        let midnight = day.and_hms_opt(0, 0, 0)?;
        let civil = midnight + chrono::Duration::milliseconds(clock.millis);
        clock.zone = clock.zone.or_else(|| zone_behind(block, mentions, at));
        let (offset, zone_from) = self.offset(block, clock, civil);
        let instant = civil.and_utc().timestamp_millis() - i64::from(offset) * 60_000;
        let swap = other.map(|o| (o - day).num_days() * DAY);
        if block.form == Form::Entry && first_clock(mentions, at) {
            self.last = Some((block.section.clone(), clock.millis));
        }
        self.assumed.0 |= day_from == Basis::Logs;
        self.assumed.1 |= zone_from == Basis::Logs;
        let written = block.text[mention.start..mention.end].trim().to_owned();
        let mut moment = Moment {
            at: instant,
            from: instant,
            to: instant + clock.unit.millis(),
            offset,
            day_from,
            zone_from,
            wider: None,
            written,
            swap,
        };
        widen(&mut moment, tail(&block.text[..mention.start], 48), &block.text[mention.end..], clock);
        Some(moment)
    }

    fn day_of(
        &mut self,
        block: &Block,
        mentions: &[Mention],
        at: usize,
        millis: i64,
    ) -> Option<(NaiveDate, Option<NaiveDate>, Basis)> {
        let gap = |a: &Mention, b: &Mention| block.text.get(a.end..b.start).unwrap_or("");
        let before = mentions[..at].iter().enumerate().rev().find_map(|(i, m)| match m.what {
            Said::Date(date) => Some((i, date)),
            _ => None,
        });
        // `18:00 on June 18`, where no other time stands between.
        let after = mentions[at + 1..].iter().enumerate().find_map(|(i, m)| match m.what {
            Said::Date(date) => Some((at + 1 + i, date, m)),
            _ => None,
        });
        let after = after.filter(|(i, _, m)| {
            let weekday_between = mentions[at + 1..*i].iter().all(|m| matches!(m.what, Said::Weekday(_)));
            let near = mentions[at + 1..*i].first().unwrap_or(m);
            weekday_between && BESIDE.is_match(gap(&mentions[at], near))
        });
        let written = match (before, after) {
            (_, Some((i, date, _))) if before.is_none() => Some((i, date)),
            (before, _) => before,
        };
        if let Some((i, date)) = written {
            let (day, other) = self.resolve(date, weekday_beside(block, mentions, i))?;
            // Of two times behind one date, the second may be past midnight: where it is said, and in ranges.
            let next = i < at && mentions[i..at].iter().any(|m| m.what == Said::NextDay);
            let later = |day: NaiveDate| day.checked_add_days(Days::new(u64::from(next)));
            return Some((later(day)?, other.and_then(later), Basis::Written));
        }
        let next = mentions[..at].iter().any(|m| m.what == Said::NextDay)
            || mentions
                .get(at + 1)
                .is_some_and(|m| m.what == Said::NextDay && m.start <= mentions[at].end + 2);
        if let Some((day, other)) = self.day {
            let rolls = block.form == Form::Entry
                && first_clock(mentions, at)
                && self.last.as_ref().is_some_and(|(s, last)| *s == block.section && *last - millis > ROLLS);
            if !(rolls || next) {
                return Some((day, other, Basis::Notes));
            }
            let later = |day: NaiveDate| day.checked_add_days(Days::new(1));
            let (day, other) = (later(day)?, other.and_then(later));
            self.day = Some((day, other));
            self.last = None;
            return Some((day, other, Basis::Notes));
        }
        // No date anywhere: the day of the logs, and of two days the one that has this time.
        let day = self.facts.day_with(millis)?;
        Some((day, None, Basis::Logs))
    }

    /// The day of the date `mentions[at]`, and the other reading of its numbers.
    pub(super) fn day_at(
        &self,
        block: &Block,
        mentions: &[Mention],
        at: usize,
    ) -> Option<(NaiveDate, Option<NaiveDate>)> {
        let Said::Date(date) = mentions[at].what else { return None };
        self.resolve(date, weekday_beside(block, mentions, at))
    }

    fn offset(&self, block: &Block, clock: ClockText, civil: NaiveDateTime) -> (i16, Basis) {
        if let Some(offset) = clock.zone.and_then(|z| z.offset(civil)) {
            return (offset, Basis::Written);
        }
        let headed = || block.section.iter().rev().find_map(|heading| zone_of_heading(heading));
        let stated = zone_of_heading(&block.header).or_else(headed).or(self.zone);
        let stated = clock.zone.or(stated);
        match stated.and_then(|zone| zone.offset(civil)) {
            Some(offset) => (offset, Basis::Notes),
            // `local time` is that of the server, and so of its logs.
            None if stated == Some(Zone::Local) => (self.facts.zone(), Basis::Notes),
            None => (self.facts.zone(), Basis::Logs),
        }
    }
}

/// Whether the numeric date of `mention` was written month first, where its numbers tell.
fn numeric_order<'b>(
    mention: &Mention,
    blocks: impl Iterator<Item = &'b (Block, Vec<Mention>)>,
) -> Option<bool> {
    let Said::Date(date) = mention.what else { return None };
    let mut blocks = blocks;
    let (block, _) = blocks.find(|(_, mentions)| mentions.iter().any(|m| std::ptr::eq(m, mention)))?;
    let text = block.text.get(mention.start..mention.end)?;
    let mut numbers = text.split('/').filter_map(|n| n.parse::<u32>().ok());
    let (a, b) = (numbers.next()?, numbers.next()?);
    if a == date.day && b == date.month && a > 12 {
        Some(false)
    } else if a == date.month && b == date.day && b > 12 && a <= 12 {
        Some(true)
    } else {
        None
    }
}

/// The zone a heading or the head of a table states for what stands below it.
fn zone_of_heading(text: &str) -> Option<Zone> {
    zones::stated(text).or_else(|| {
        let places = text.match_indices(['(', ',', '[', '/']).map(|(at, sign)| at + sign.len());
        places.chain(text.match_indices(" in ").map(|(at, sign)| at + sign.len())).find_map(|at| {
            let rest = text[at..].trim_start();
            zones::read(rest)
                .filter(|(_, used)| !rest[*used..].starts_with(char::is_alphanumeric))
                .map(|(z, _)| z)
        })
    })
}

/// The weekday right beside the date `mentions[at]`.
fn weekday_beside(block: &Block, mentions: &[Mention], at: usize) -> Option<u32> {
    let near = |a: &Mention, b: &Mention| {
        block.text.get(a.end..b.start).is_some_and(|gap| BESIDE.is_match(gap) && gap.len() <= 6)
    };
    let mut sides = Vec::new();
    if at > 0 {
        sides.push((&mentions[at - 1], &mentions[at], at - 1));
    }
    if at + 1 < mentions.len() {
        sides.push((&mentions[at], &mentions[at + 1], at + 1));
    }
    sides.into_iter().find_map(|(a, b, which)| match mentions[which].what {
        Said::Weekday(day) if near(a, b) => Some(day),
        _ => None,
    })
}

/// `2026-06-18 (UTC-5)`: the zone behind a date that no time stands with.
fn zone_of_day((block, mentions): &(Block, Vec<Mention>)) -> Option<Zone> {
    let day = mentions.iter().find(|m| matches!(m.what, Said::Date(_)))?;
    let rest = block.text.get(day.end..)?.trim_start_matches([',', ' ', ';']);
    zones::after_clock(rest, false).map(|(zone, _)| zone)
}

/// `18:00 on 2026-06-18 (UTC-5)`: the zone behind the date that follows.
pub(super) fn zone_behind(block: &Block, mentions: &[Mention], at: usize) -> Option<Zone> {
    let mut last = at;
    while let Some(next) = mentions.get(last + 1) {
        let gap = block.text.get(mentions[last].end..next.start)?;
        if !(matches!(next.what, Said::Date(_) | Said::Weekday(_)) && BESIDE.is_match(gap)) {
            break;
        }
        last += 1;
    }
    let rest = block.text.get(mentions[last].end..).filter(|_| last > at)?;
    zones::after_clock(rest, false).map(|(zone, _)| zone)
}

/// Whether this is the first time of an entry, whose order in the list says when midnight passed.
fn first_clock(mentions: &[Mention], at: usize) -> bool {
    mentions[..at].iter().all(|m| !matches!(m.what, Said::Clock(_)))
}

/// Whether a weekday has no date beside it.
fn alone(mentions: &[Mention], at: usize) -> bool {
    let date = |m: Option<&Mention>| m.is_some_and(|m| matches!(m.what, Said::Date(_)));
    !date(mentions.get(at + 1)) && !date(at.checked_sub(1).and_then(|i| mentions.get(i)))
}

/// `6:13 to 7:22 pm UTC-5`: the first takes half of the day and zone from the second.
fn lend(clock: &mut ClockText, partner: ClockText) {
    clock.zone = clock.zone.or(partner.zone);
    let noon = 12 * 3_600_000;
    let plain = clock.half.is_none() && (3_600_000..13 * 3_600_000).contains(&clock.millis);
    if partner.half.is_some() && plain {
        let shifted = clock.millis % noon + if partner.millis >= noon { noon } else { 0 };
        clock.millis = if shifted <= partner.millis { shifted } else { clock.millis % noon };
        clock.half = partner.half;
    }
}

/// Makes the claim as wide as its words say.
fn widen(moment: &mut Moment, before: &str, after: &str, clock: ClockText) {
    if clock.unit == Unit::Hour {
        moment.from -= Unit::Hour.millis() / 2;
        moment.to -= Unit::Hour.millis() / 2;
        moment.wider = Some("written to the hour: half an hour either way".into());
    }
    if ABOUT.is_match(before) || ABOUT_AFTER.is_match(after) {
        // Who writes `around` has rounded, and as far as the number is round.
        let minute = clock.millis / 60_000 % 60;
        let (minutes, why) = match minute {
            _ if matches!(clock.unit, Unit::Second | Unit::Millisecond) => (1, "it is written to the second"),
            0 | 30 => (15, "the time is round to half an hour"),
            m if m % 15 == 0 || m % 10 == 0 => (10, "the time is round to ten minutes or a quarter"),
            m if m % 5 == 0 => (5, "the time is round to five minutes"),
            _ => (3, "the time is not round"),
        };
        moment.from -= minutes * 60_000;
        moment.to += minutes * 60_000;
        moment.wider = Some(format!("\"around\" is read as {minutes} min either way, since {why}"));
    } else if let Some(c) = BEFORE.captures(before) {
        let short = c.get(1).is_some();
        moment.from -= if short { 15 * 60_000 } else { OPEN_SIDE };
        moment.wider =
            Some(if short { "\"shortly before\": up to 15 min" } else { "\"by\": up to 6 h before" }.into());
    } else if let Some(c) = AFTER.captures(before) {
        let short = c.get(1).is_some();
        moment.to += if short { 15 * 60_000 } else { OPEN_SIDE };
        moment.wider =
            Some(if short { "\"shortly after\": up to 15 min" } else { "\"after\": up to 6 h later" }.into());
    }
}
