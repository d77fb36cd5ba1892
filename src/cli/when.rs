//! Times, steps and zones as people type them.
//!
//! A time without a zone is the clock the report shows: `--tz`, or else the log's own, which is not known yet when
//! arguments are read. So it stays civil time ([`When::Civil`]) until the analysis knows.

use downtime::time::{self, Second};

const DAY: i64 = 86_400;

/// The moment a command line is read, as the machine's clock and calendar have it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// UTC seconds.
    pub(crate) utc: Second,
    /// The same on the wall: seconds of civil time as if it were UTC. `yesterday` is the user's yesterday.
    pub(crate) civil: Second,
}

impl Now {
    pub(crate) fn read() -> Self {
        let local = chrono::Local::now();
        Self { utc: local.timestamp(), civil: local.naive_local().and_utc().timestamp() }
    }
}

/// An instant, or a time of day whose zone is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// UTC seconds.
    At(Second),
    /// Civil seconds as if they were UTC.
    Civil(Second),
}

/// Which end of a window a time is for: a bare day means the whole day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    Since,
    Until,
}

/// What may be typed; for error messages.
pub(crate) const TIME_FORMS: &str = "2020-04-25T18:00:00-05:00, '2020-04-25 18:00', 2020-04-25, 18:00, '2h ago', \
     yesterday, a stamp copied from a log, or @ and seconds since 1970";

/// Reads a time.
pub(crate) fn parse_time(text: &str, edge: Edge, now: Now) -> Option<When> {
    let text = text.trim().trim_start_matches('[').trim_end_matches(']');
    let today = now.civil.div_euclid(DAY) * DAY;
    let whole_day = |start: Second| When::Civil(if edge == Edge::Until { start + DAY } else { start });
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "now" => return Some(When::At(now.utc)),
        "today" => return Some(whole_day(today)),
        "yesterday" => return Some(whole_day(today - DAY)),
        _ => {}
    }
    if let Some(length) = lower.strip_suffix("ago") {
        return Some(When::At(now.utc.checked_sub(parse_duration(length)?)?));
    }
    if let Some(second) = text.strip_prefix('@') {
        let second: Second = second.parse().ok()?;
        return (0..253_402_300_800).contains(&second).then_some(When::At(second));
    }
    for (word, day) in [("today", today), ("yesterday", today - DAY)] {
        if let Some(clock) = lower.strip_prefix(word).and_then(|rest| rest.strip_prefix([' ', 'T', 't'])) {
            return Some(When::Civil(day + time_of_day(clock.trim())?));
        }
    }
    if let Some(clock) = time_of_day(text) {
        // The last time the clock showed it.
        let at = today + clock;
        return Some(When::Civil(if at > now.civil { at - DAY } else { at }));
    }
    dated(text, &whole_day)
}

/// A text that begins with a date.
fn dated(text: &str, whole_day: &dyn Fn(Second) -> When) -> Option<When> {
    let bytes = text.as_bytes();
    if let Some(stamp) = time::parse_time_local(bytes).filter(|_| bytes.len() == time::TIME_LOCAL_LEN) {
        return Some(When::At(stamp.second()));
    }
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let date = date.replace('/', "-");
    let day = time::parse_iso8601(format!("{date}T00:00:00").as_bytes())?.0.second();
    if rest.is_empty() {
        return Some(whole_day(day));
    }
    let rest = rest.strip_prefix(['T', 't', ' ', '_'])?.trim();
    let zone_at =
        rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | ','))).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    let civil = day + time_of_day(clock)?;
    if zone.is_empty() {
        return Some(When::Civil(civil));
    }
    Some(When::At(civil - i64::from(parse_zone(zone)?) * 60))
}

/// `18:00`, `18:00:05`, `18:00:05.250` (the fraction is dropped: counts are per second).
fn time_of_day(text: &str) -> Option<Second> {
    let text = text.split_once(['.', ',']).map_or(text, |(whole, _)| whole);
    let mut parts = text.split(':');
    let mut next = |limit: i64, needed: bool| match parts.next() {
        Some(p) if (1..=2).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()) => {
            p.parse().ok().filter(|n| *n < limit)
        }
        Some(_) => None,
        None => (!needed).then_some(0),
    };
    let (hour, minute, second) = (next(24, true)?, next(60, true)?, next(60, false)?);
    parts.next().is_none().then_some(hour * 3600 + minute * 60 + second)
}

/// Reads a length of time in seconds: `90s`, `5m`, `1h30m`, `2 days`.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    let mut total: i64 = 0;
    let mut any = false;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: i64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match rest[..letters].to_ascii_lowercase().as_str() {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600,
            "d" | "day" | "days" => DAY,
            "w" | "week" | "weeks" => 7 * DAY,
            _ => return None,
        };
        rest = rest[letters..].trim_start();
        total = total.checked_add(number.checked_mul(unit)?)?;
        any = true;
    }
    any.then_some(total)
}

/// A step of a series: one second to a year.
pub(crate) fn parse_step(text: &str) -> Result<u32, String> {
    let seconds = text.parse().ok().or_else(|| parse_duration(text));
    let step = seconds.filter(|s| (1..=366 * DAY).contains(s)).and_then(|s| u32::try_from(s).ok());
    step.ok_or_else(|| "a step is like 10s, 1m, 1h or 1d".into())
}

/// A fixed zone in minutes east of UTC: `utc`, `Z`, `-05:00`, `-0500`, `UTC-5`.
pub(crate) fn parse_zone(text: &str) -> Option<i16> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let offset = lower.strip_prefix("utc").or(lower.strip_prefix("gmt")).unwrap_or(&lower);
    if offset.is_empty() || offset == "z" {
        return (!lower.is_empty()).then_some(0);
    }
    let sign = match offset.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = &offset[1..];
    let (hour, minute) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "0"),
    };
    let number = |s: &str, limit: i16| -> Option<i16> {
        let digits = (1..=2).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
        s.parse().ok().filter(|n| digits && *n < limit)
    };
    Some(sign * (number(hour, 24)? * 60 + number(minute, 60)?))
}

/// The zone for `--tz`: a fixed one, or the machine's own of this day.
pub(crate) fn parse_shown_zone(text: &str) -> Result<i16, String> {
    if text.eq_ignore_ascii_case("local") {
        return Ok((chrono::Local::now().offset().local_minus_utc() / 60) as i16);
    }
    parse_zone(text).ok_or_else(|| {
        "the zone shown is an offset like -05:00, or utc, or local; the offset of a named zone changes over the \
         year, so give the one of the day in question"
            .into()
    })
}

#[cfg(test)]
#[path = "when/tests.rs"]
mod tests;
