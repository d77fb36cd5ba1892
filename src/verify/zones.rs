//! Zones as people write them: `UTC-5`, `-0500`, `EST`, `Pacific Time`, `America/Bogota`.

use super::regex;
use chrono::{NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;
use regex::Regex;
use std::sync::LazyLock;

/// A zone as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    /// Minutes east of UTC.
    Fixed(i16),
    /// A place, whose offset changes over the year.
    Place(Tz),
    /// `local time`: where the server stands.
    Local,
}

impl Zone {
    /// Minutes east of UTC at a civil time; `None` for the log's own zone.
    pub(super) fn offset(self, civil: NaiveDateTime) -> Option<i16> {
        match self {
            Self::Fixed(offset) => Some(offset),
            Self::Local => None,
            Self::Place(tz) => {
                // In the hour that comes twice the first is meant as likely as the second; in the hour that is
                // skipped the clocks of an hour before are.
                let at = tz.offset_from_local_datetime(&civil).earliest();
                let before =
                    || tz.offset_from_local_datetime(&(civil - chrono::Duration::hours(1))).earliest();
                at.or_else(before).map(|o| (o.fix().local_minus_utc() / 60) as i16)
            }
        }
    }
}

/// Abbreviations in the meaning most people who write English postmortems give them; minutes east of UTC.
const NAMES: [(&str, i16); 37] = [
    ("UTC", 0),
    ("GMT", 0),
    ("WET", 0),
    ("WEST", 60),
    ("BST", 60),
    ("CET", 60),
    ("CEST", 120),
    ("MEZ", 60),
    ("MESZ", 120),
    ("EET", 120),
    ("EEST", 180),
    ("SAST", 120),
    ("MSK", 180),
    ("TRT", 180),
    ("GST", 240),
    ("PKT", 300),
    ("IST", 330),
    ("ICT", 420),
    ("WIB", 420),
    ("SGT", 480),
    ("HKT", 480),
    ("AWST", 480),
    ("JST", 540),
    ("KST", 540),
    ("AEST", 600),
    ("AEDT", 660),
    ("NZST", 720),
    ("NZDT", 780),
    ("BRT", -180),
    ("ART", -180),
    ("COT", -300),
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
];

/// More of them, of the west of America.
const WEST: [(&str, i16); 4] = [("PST", -480), ("PDT", -420), ("AKDT", -480), ("HST", -600)];

/// `ET` and its kind, which mean standard or daylight time as the calendar has it.
const PLACES: [(&str, Tz); 8] = [
    ("ET", Tz::America__New_York),
    ("CT", Tz::America__Chicago),
    ("MT", Tz::America__Denver),
    ("PT", Tz::America__Los_Angeles),
    ("EASTERN", Tz::America__New_York),
    ("CENTRAL", Tz::America__Chicago),
    ("MOUNTAIN", Tz::America__Denver),
    ("PACIFIC", Tz::America__Los_Angeles),
];

struct Patterns {
    utc: Regex,
    offset: Regex,
    place: Regex,
    spoken: Regex,
    name: Regex,
    local: Regex,
    stated: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| Patterns {
    utc: regex(r"^(?i:utc|gmt)\s?([+\-−–±])(\d{1,2})(?::?(\d{2}))?\b"),
    offset: regex(r"^([+\-−])(\d{2}):?(\d{2})\b"),
    place: regex(r"^[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_]+)?"),
    spoken: regex(
        r"^(?i:(?:us\s+)?(eastern|central|mountain|pacific)(?:\s+(standard|daylight))?(?:\s+time)?)\b",
    ),
    name: regex(r"^(?:[A-Z]{2,4}|utc|gmt|Utc)\b"),
    local: regex(r"^(?i:local(?:\s+time)?|server\s+time)\b"),
    stated: regex(
        r"(?i)(?:\b(?:all\s+)?(?:the\s+)?(?:times?|timestamps?|hours|clocks?)\b[^.\n|]{0,40}?(?:\b(?:in|are|is)\b|[:,(=])\s*|\btime\s?zones?\b\s*(?:is|:|=|\||\()?\s*|\btz\s*[:=]\s*|\b(?:time|when|date|start|end)\s*[(\[/]\s*)(?:\b(?:in|are|is)\s+)?",
    ),
});

/// The zone that `text` begins with, and the bytes it takes.
pub(super) fn read(text: &str) -> Option<(Zone, usize)> {
    let p = &*PATTERNS;
    if let Some(c) = p.utc.captures(text) {
        let zone = signed(c.get(1)?.as_str(), c.get(2)?.as_str(), c.get(3).map_or("0", |m| m.as_str()))?;
        return Some((Zone::Fixed(zone), c.get(0)?.end()));
    }
    if let Some(c) = p.offset.captures(text) {
        let zone = signed(c.get(1)?.as_str(), c.get(2)?.as_str(), c.get(3)?.as_str())?;
        return Some((Zone::Fixed(zone), c.get(0)?.end()));
    }
    if let Some(m) = p.place.find(text)
        && let Ok(tz) = m.as_str().parse::<Tz>()
    {
        return Some((Zone::Place(tz), m.end()));
    }
    if let Some(c) = p.spoken.captures(text) {
        let place = c.get(1)?.as_str().to_ascii_uppercase();
        let tz = PLACES.iter().find(|(name, _)| *name == place)?.1;
        let standard =
            [(Tz::America__New_York, -300), (Tz::America__Chicago, -360), (Tz::America__Denver, -420)];
        let zone = c.get(2).map(|half| {
            let base = standard.iter().find(|(t, _)| *t == tz).map_or(-480, |(_, o)| *o);
            Zone::Fixed(base + if half.as_str().eq_ignore_ascii_case("daylight") { 60 } else { 0 })
        });
        return Some((zone.unwrap_or(Zone::Place(tz)), c.get(0)?.end()));
    }
    if let Some(m) = p.local.find(text) {
        return Some((Zone::Local, m.end()));
    }
    if text.starts_with('Z') && !text[1..].starts_with(|c: char| c.is_alphanumeric()) {
        return Some((Zone::Fixed(0), 1));
    }
    let name = p.name.find(text)?;
    let upper = name.as_str().to_ascii_uppercase();
    let fixed = NAMES.iter().chain(&WEST).find(|(n, _)| *n == upper).map(|(_, o)| Zone::Fixed(*o));
    let place = || PLACES.iter().take(4).find(|(n, _)| *n == upper).map(|(_, tz)| Zone::Place(*tz));
    Some((fixed.or_else(place)?, name.end()))
}

fn signed(sign: &str, hours: &str, minutes: &str) -> Option<i16> {
    let (hours, minutes) = (hours.parse::<i16>().ok()?, minutes.parse::<i16>().ok()?);
    let offset = hours * 60 + minutes;
    let real = hours <= 14 && minutes < 60 && minutes % 15 == 0 && offset <= 14 * 60;
    real.then_some(if sign == "+" { offset } else { -offset })
}

/// The zone that stands right after a time of day, and the bytes it takes with what leads to it. `stamp` says
/// that the time has seconds or a date before it, as machines write it: only there a bare `-05:00` is a zone, since
/// `18:00-19:00` is a range.
pub(super) fn after_clock(rest: &str, stamp: bool) -> Option<(Zone, usize)> {
    let inner = rest.trim_start_matches(' ');
    let blanks = rest.len() - inner.len();
    if blanks > 2 {
        return None;
    }
    let (inner, open) = match inner.strip_prefix(['(', '[']) {
        Some(inside) => (inside, 1),
        None => (inner, 0),
    };
    let signed = inner.starts_with(['+', '-', '−']);
    let (zone, used) = read(inner)?;
    let after = &inner[used..];
    if signed {
        // `-18:04:14` or `-19:00 pm` is the end of a range.
        let colon = inner[..used].contains(':');
        let goes_on =
            after.starts_with(':') || after.trim_start().to_ascii_lowercase().starts_with(['a', 'p']);
        let range = inner.starts_with(['-', '−']) && colon && !stamp && blanks == 0;
        if goes_on && colon || range {
            return None;
        }
    }
    let close = usize::from(open == 1 && after.starts_with([')', ']']));
    (open == close).then_some((zone, blanks + open + used + close))
}

/// A zone stated for more than one time: `all times UTC-5`, `Time (UTC)`, `Timezone: America/Bogota`.
pub(super) fn stated(text: &str) -> Option<Zone> {
    PATTERNS
        .stated
        .find_iter(text)
        .find_map(|lead| {
            let rest = &text[lead.end()..];
            read(rest).map(|(zone, _)| zone)
        })
        // `(all times UTC-5)`: nothing but a blank stands between.
        .or_else(|| {
            let lower = text.to_ascii_lowercase();
            ["times ", "time ", "timestamps "].iter().find_map(|lead| {
                let at = lower.find(lead)? + lead.len();
                read(text.get(at..)?).map(|(zone, _)| zone)
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(text: &str) -> Option<i16> {
        match read(text)?.0 {
            Zone::Fixed(offset) => Some(offset),
            _ => None,
        }
    }

    #[test]
    fn zones_in_many_hands() {
        for (text, want) in [
            ("UTC-5", -300),
            ("UTC−05:00)", -300),
            ("GMT+2", 120),
            ("UTC+0530", 330),
            ("utc", 0),
            ("Z", 0),
            ("-0500", -300),
            ("+05:45", 345),
            ("EST", -300),
            ("CEST,", 120),
            ("Eastern Daylight Time", -240),
        ] {
            assert_eq!(fixed(text), Some(want), "{text}");
        }
        for bad in ["UTC-25", "-18:04", "the", "ZONE", "-0507", "Xx/Yy"] {
            assert_eq!(read(bad).filter(|(z, _)| *z != Zone::Fixed(0)), None, "{bad}");
        }
    }

    #[test]
    fn a_place_has_the_offset_of_the_day() {
        let at = |text: &str, month| {
            let civil = chrono::NaiveDate::from_ymd_opt(2026, month, 18)?.and_hms_opt(18, 0, 0)?;
            read(text)?.0.offset(civil)
        };
        assert_eq!((at("PT", 1), at("PT", 7)), (Some(-480), Some(-420)));
        assert_eq!((at("Europe/Berlin", 1), at("Europe/Berlin", 7)), (Some(60), Some(120)));
        assert_eq!(at("local time", 1), None);
    }

    #[test]
    fn a_range_is_no_zone() {
        assert_eq!(after_clock("-19:00", false), None);
        assert_eq!(after_clock("-10:00:00", true), None);
        assert_eq!(after_clock("-05:00", true), Some((Zone::Fixed(-300), 6)));
        assert_eq!(after_clock(" -0500]", true), Some((Zone::Fixed(-300), 6)));
        assert_eq!(after_clock(" (UTC-5)", false), Some((Zone::Fixed(-300), 8)));
        assert_eq!(after_clock(" UTC - 07:00", false), Some((Zone::Fixed(0), 4)));
    }

    #[test]
    fn a_zone_for_all_times() {
        for (text, want) in [
            ("Timeline (all times UTC-5)", -300),
            ("All times are in UTC.", 0),
            ("Timezone: GMT+1", 60),
            ("Time (CET)", 60),
            ("times below are Eastern Standard Time", -300),
        ] {
            assert_eq!(stated(text), Some(Zone::Fixed(want)), "{text}");
        }
        assert_eq!(stated("It took a long time. Ending"), None);
    }
}
