//! Times as people write them, found in a text: dates, weekdays, times of day, lengths of time.
//!
//! Pure reading: what a time of day without a date or a zone means is worked out in [`super::context`].

use super::lengths;
use super::regex;
use super::zones::{self, Zone};
use regex::{Captures, Regex};
use std::sync::LazyLock;

/// A time in a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mention {
    /// First byte.
    pub(super) start: usize,
    /// First byte after.
    pub(super) end: usize,
    /// What it says.
    pub(super) what: Said,
}

/// What a time in a text says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// A day.
    Date(DateText),
    /// A weekday alone, days after Monday.
    Weekday(u32),
    /// `the next day`.
    NextDay,
    /// A time of day.
    Clock(ClockText),
    /// A length of time.
    Length(Length),
    /// A time counted from the one before it: `five minutes later`.
    Later(Length),
    /// A time counted from a zero that the notes give elsewhere: `T+5m`.
    After(Length),
}

/// A day as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DateText {
    pub(super) year: Option<i32>,
    pub(super) month: u32,
    pub(super) day: u32,
    /// Written in numbers of which each could be the month: `03/04/2026`, read as the day first.
    pub(super) ambiguous: bool,
}

/// The unit a time was written in: it can be right or wrong by no less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
}

impl Unit {
    /// In milliseconds.
    pub(super) fn millis(self) -> i64 {
        match self {
            Self::Millisecond => 1,
            Self::Second => 1000,
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }
}

/// Half of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Morning,
    Afternoon,
}

/// A time of day as it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ClockText {
    /// Milliseconds after midnight, am and pm worked in where they were said.
    pub(super) millis: i64,
    pub(super) unit: Unit,
    /// am or pm, where it was said.
    pub(super) half: Option<Half>,
    pub(super) zone: Option<Zone>,
}

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Length {
    pub(super) millis: i64,
    /// The smallest unit it was written in.
    pub(super) unit: Unit,
}

const MONTH: &str = "(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?\
                     |sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\\.?";

struct Patterns {
    iso: Regex,
    nginx: Regex,
    year_first: Regex,
    day_month: Regex,
    month_day: Regex,
    numeric: Regex,
    weekday: Regex,
    next_day: Regex,
    clock: Regex,
    dotted: Regex,
    hour: Regex,
    french: Regex,
    military: Regex,
    noon: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| Patterns {
    iso: regex(
        r"\b(\d{4})-(\d{2})-(\d{2})(?:[Tt_]|[ ]{1,2})(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?:\s?(?i:(am|pm)\b))?",
    ),
    nginx: regex(
        r"\b(\d{1,2})/(?i:(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))/(\d{4})(?::(\d{2}):(\d{2}):(\d{2}))?",
    ),
    year_first: regex(r"\b(\d{4})([-/.])(\d{1,2})([-/.])(\d{1,2})\b"),
    day_month: regex(&format!(
        r"(?i)\b(\d{{1,2}})(?:st|nd|rd|th)?(?:\s+of)?[\s-]+{MONTH}(?:,?[\s-]+(\d{{4}})\b|\b|$|[^\w])"
    )),
    month_day: regex(&format!(r"(?i)\b{MONTH}\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(\d{{4}})\b)?")),
    numeric: regex(r"\b(\d{1,2})([-/.])(\d{1,2})([-/.])(\d{4}|\d{2})\b"),
    weekday: regex(
        r"\b(?:(?i:(mon|tues|wednes|thurs|fri|satur|sun)day)|(Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun|MON|TUE|WED|THU|FRI|SAT|SUN)\b\.?)",
    ),
    next_day: regex(r"(?i)\b(?:the\s+)?(?:next|following)\s+(?:day|morning)\b|\(\+1\s?d(?:ay)?\)"),
    clock: regex(
        r"\b(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?:\s?h(?:rs?)?\b)?(?:\s?(?i:([ap])\.?m\b\.?))?",
    ),
    dotted: regex(r"\b(\d{1,2})\.(\d{2})\s?(?i:([ap])\.?m\b\.?|(?:uhr|h|hrs)\b)"),
    hour: regex(r"\b(\d{1,2})\s?(?i:([ap])\.?m\b\.?)"),
    french: regex(r"\b(\d{2})[hH](\d{2})\b"),
    military: regex(r"\b([01]\d|2[0-3])([0-5]\d)(?:\s?(?i:hrs?|hours|h)\b|\s?(Z|UTC|GMT)\b)"),
    noon: regex(r"(?i)\b(?:(noon|midday)|midnight)\b"),
});

/// The month that begins so, 1 to 12.
fn month(name: &str) -> Option<u32> {
    const NAMES: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let name = name.get(..3)?.to_ascii_lowercase();
    NAMES.iter().position(|n| *n == name).and_then(|at| u32::try_from(at + 1).ok())
}

pub(super) fn number<T: std::str::FromStr>(found: &Captures<'_>, group: usize) -> Option<T> {
    found.get(group)?.as_str().parse().ok()
}

/// Whether there is such a day in some year.
fn possible(year: Option<i32>, month: u32, day: u32) -> bool {
    chrono::NaiveDate::from_ymd_opt(year.unwrap_or(2024), month, day).is_some()
        && year.is_none_or(|y| (1990..2100).contains(&y))
}

fn date(year: Option<i32>, month: u32, day: u32, ambiguous: bool) -> Option<Said> {
    possible(year, month, day).then_some(Said::Date(DateText { year, month, day, ambiguous }))
}

/// A time of day from its parts; `None` when one is out of range.
fn clock(
    hour: i64,
    minute: i64,
    second: Option<i64>,
    fraction: Option<&str>,
    half: Option<Half>,
) -> Option<ClockText> {
    if hour > 24 || minute > 59 || second.is_some_and(|s| s > 60) || (hour == 24 && minute != 0) {
        return None;
    }
    let hour = match half {
        Some(Half::Afternoon) if hour < 12 => hour + 12,
        Some(Half::Morning) if hour == 12 => 0,
        _ => hour,
    };
    let millis: i64 = fraction.map_or(0, |f| {
        let digits: String = f.chars().chain("000".chars()).take(3).collect();
        digits.parse().unwrap_or(0)
    });
    let unit = match (second, fraction) {
        (_, Some(_)) => Unit::Millisecond,
        (Some(_), None) => Unit::Second,
        _ => Unit::Minute,
    };
    let millis = ((hour * 60 + minute) * 60 + second.unwrap_or(0)) * 1000 + millis;
    Some(ClockText { millis, unit, half, zone: None })
}

fn half(found: &Captures<'_>, group: usize) -> Option<Half> {
    let letter = found.get(group)?.as_str().chars().next()?;
    Some(if letter.eq_ignore_ascii_case(&'a') { Half::Morning } else { Half::Afternoon })
}

/// What was found so far, and the bytes it took.
pub(super) struct Found<'a> {
    pub(super) text: &'a str,
    mentions: Vec<Mention>,
}

impl Found<'_> {
    fn free(&self, start: usize, end: usize) -> bool {
        self.mentions.iter().all(|m| end <= m.start || m.end <= start)
    }

    pub(super) fn push(&mut self, start: usize, end: usize, what: Said) {
        if start < end && self.free(start, end) {
            self.mentions.push(Mention { start, end, what });
        }
    }

    /// A time of day with the zone that may follow it.
    fn push_clock(&mut self, start: usize, end: usize, mut clock: ClockText, stamp: bool) {
        if !self.free(start, end) {
            return;
        }
        let zone = self.text.get(end..).and_then(|rest| zones::after_clock(rest, stamp));
        let end = end + zone.map_or(0, |(_, used)| used);
        clock.zone = clock.zone.or(zone.map(|(zone, _)| zone));
        self.push(start, end, Said::Clock(clock));
    }
}

/// Finds the times of a text, in its order. They do not overlap.
pub(super) fn scan(text: &str) -> Vec<Mention> {
    let p = &*PATTERNS;
    let mut found = Found { text, mentions: Vec::new() };
    stamps(p, &mut found);
    lengths::after_zero(&mut found);
    dates(p, &mut found);
    lengths::find(&mut found);
    clocks(p, &mut found);
    found.mentions.sort_by_key(|m| m.start);
    found.mentions
}

/// Stamps that join a date and a time of day.
fn stamps(p: &Patterns, found: &mut Found<'_>) {
    for c in p.iso.captures_iter(found.text) {
        let Some(all) = c.get(0) else { continue };
        let day = number(&c, 2).zip(number(&c, 3)).and_then(|(m, d)| date(number(&c, 1), m, d, false));
        let time = number(&c, 4)
            .zip(number(&c, 5))
            .and_then(|(h, m)| clock(h, m, number(&c, 6), c.get(7).map(|f| f.as_str()), half(&c, 8)));
        if let (Some(day), Some(time)) = (day, time) {
            found.push(all.start(), all.start() + 10, day);
            found.push_clock(all.start() + 11, all.end(), time, true);
        }
    }
    for c in p.nginx.captures_iter(found.text) {
        let (Some(all), Some(year)) = (c.get(0), c.get(3)) else { continue };
        let day = c.get(2).and_then(|m| month(m.as_str())).zip(number(&c, 1));
        let Some(day) = day.and_then(|(m, d)| date(number(&c, 3), m, d, false)) else { continue };
        found.push(all.start(), year.end(), day);
        let time = number(&c, 4).zip(number(&c, 5));
        if let Some(time) = time.and_then(|(h, m)| clock(h, m, number(&c, 6), None, None)) {
            found.push_clock(year.end() + 1, all.end(), time, true);
        }
    }
}

/// The weekdays by their first letters.
const WEEKDAYS: [&str; 7] = ["mo", "tu", "we", "th", "fr", "sa", "su"];

fn dates(p: &Patterns, found: &mut Found<'_>) {
    for c in p.year_first.captures_iter(found.text) {
        let Some(all) = c.get(0).filter(|_| c.get(2).map(|s| s.as_str()) == c.get(4).map(|s| s.as_str()))
        else {
            continue;
        };
        if let Some(day) =
            number(&c, 3).zip(number(&c, 5)).and_then(|(m, d)| date(number(&c, 1), m, d, false))
        {
            found.push(all.start(), all.end(), day);
        }
    }
    for c in p.day_month.captures_iter(found.text) {
        let (Some(all), Some(name)) = (c.get(0), c.get(2)) else { continue };
        let end = c.get(3).map_or(name.end(), |year| year.end());
        let day = month(name.as_str()).zip(number(&c, 1)).and_then(|(m, d)| date(number(&c, 3), m, d, false));
        if let Some(day) = day {
            found.push(all.start(), end, day);
        }
    }
    for c in p.month_day.captures_iter(found.text) {
        let (Some(all), Some(name)) = (c.get(0), c.get(1)) else { continue };
        let day = month(name.as_str()).zip(number(&c, 2)).and_then(|(m, d)| date(number(&c, 3), m, d, false));
        if let Some(day) = day {
            found.push(all.start(), all.end(), day);
        }
    }
    for c in p.numeric.captures_iter(found.text) {
        let (Some(all), Some(sign), Some(year)) = (c.get(0), c.get(2), c.get(5)) else { continue };
        // 1.22.1 is a version and 10-20-30 anything: two digits are a year only behind slashes.
        let short = year.len() == 2;
        if c.get(4).is_none_or(|s| s.as_str() != sign.as_str()) || (short && sign.as_str() != "/") {
            continue;
        }
        let Some((a, b)) = number::<u32>(&c, 1).zip(number::<u32>(&c, 3)) else { continue };
        let year = number::<i32>(&c, 5).map(|y| if short { y + 2000 } else { y });
        let day = if b > 12 { date(year, a, b, false) } else { date(year, b, a, a <= 12 && a != b) };
        if let Some(day) = day {
            found.push(all.start(), all.end(), day);
        }
    }
    for c in p.weekday.captures_iter(found.text) {
        let (Some(all), Some(name)) = (c.get(0), c.get(1).or(c.get(2))) else { continue };
        let name = name.as_str().to_ascii_lowercase();
        if let Some(day) = WEEKDAYS.iter().position(|n| name.starts_with(n)) {
            found.push(all.start(), all.end(), Said::Weekday(day as u32));
        }
    }
    for all in p.next_day.find_iter(found.text) {
        found.push(all.start(), all.end(), Said::NextDay);
    }
}

fn clocks(p: &Patterns, found: &mut Found<'_>) {
    for c in p.clock.captures_iter(found.text) {
        let Some(all) = c.get(0) else { continue };
        let follows = found.text[all.end()..].chars().next();
        let before = found.text[..all.start()].chars().next_back();
        // The hours of `UTC+02:00`.
        let lead = found.text[..all.start()].trim_end_matches(['+', '-', '−']);
        let offset = lead.len() < all.start() && (lead.ends_with("UTC") || lead.ends_with("GMT"));
        if offset || before == Some('+') {
            continue;
        }
        // A port (`10.0.3.21:18080`, `conf:2`), a ratio, a part of an address.
        if matches!(follows, Some(':'))
            && found.text[all.end() + 1..].starts_with(|c: char| c.is_ascii_digit())
            || matches!(before, Some('.' | ':' | '/'))
        {
            continue;
        }
        let fraction = c.get(4).map(|f| f.as_str());
        let time = number(&c, 1).zip(number(&c, 2));
        if let Some(time) = time.and_then(|(h, m)| clock(h, m, number(&c, 3), fraction, half(&c, 5))) {
            let stamp = time.unit == Unit::Second || time.unit == Unit::Millisecond;
            found.push_clock(all.start(), all.end(), time, stamp);
        }
    }
    for c in p.dotted.captures_iter(found.text) {
        let Some(all) = c.get(0) else { continue };
        let time = number(&c, 1).zip(number(&c, 2));
        if let Some(time) = time.and_then(|(h, m)| clock(h, m, None, None, half(&c, 3))) {
            found.push_clock(all.start(), all.end(), time, false);
        }
    }
    for c in p.hour.captures_iter(found.text) {
        let Some(all) = c.get(0) else { continue };
        let time =
            number(&c, 1).filter(|h| (1..=12).contains(h)).and_then(|h| clock(h, 0, None, None, half(&c, 2)));
        if let Some(time) = time {
            found.push_clock(all.start(), all.end(), ClockText { unit: Unit::Hour, ..time }, false);
        }
    }
    for c in p.french.captures_iter(found.text).chain(p.military.captures_iter(found.text)) {
        let (Some(all), Some(minute)) = (c.get(0), c.get(2)) else { continue };
        let zoned = c.get(3).is_some();
        let time = number(&c, 1).zip(number(&c, 2)).and_then(|(h, m)| clock(h, m, None, None, None));
        if let Some(time) = time {
            found.push_clock(all.start(), if zoned { minute.end() } else { all.end() }, time, false);
        }
    }
    for c in p.noon.captures_iter(found.text) {
        let Some(all) = c.get(0) else { continue };
        if let Some(time) = clock(if c.get(1).is_some() { 12 } else { 0 }, 0, None, None, None) {
            found.push_clock(all.start(), all.end(), time, false);
        }
    }
}

#[cfg(test)]
#[path = "times/tests.rs"]
mod tests;
