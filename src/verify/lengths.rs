//! Lengths of time as people write them, and times counted from a zero.

use super::regex;
use super::times::{Found, Length, Said, Unit, number};
use regex::Regex;
use std::sync::LazyLock;

struct Patterns {
    length: Regex,
    length_part: Regex,
    length_clock: Regex,
    after: Regex,
    military: Regex,
    later: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| Patterns {
    length: regex(
        r"(?ix)(?:\b|(?:^|[^\w.,:])[~≈]?)
        (?:\d+(?:[.,]\d+)?(?:\s?-?\s?(?:hours?|hrs?|hr|minutes?|mins?|seconds?|secs?|days?|weeks?)|\s?h|[msd])
          |(?:half\s+an|an?\s+half|a\s+quarter\s+of\s+an|an|a|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty-five|twenty|thirty-five|thirty|forty-five|forty|fifty|ninety)[\s-](?:hours?|minutes?|seconds?|days?|weeks?))
        (?:(?:\s*,?\s*(?:and\s+)?)\d+(?:\s?-?\s?(?:hours?|hrs?|hr|minutes?|mins?|seconds?|secs?)|\s?h|[ms])\b)*
        (?:\s+and\s+a\s+half)?
        (?:\b|$)",
    ),
    length_part: regex(
        r"(?ix)(\d+(?:[.,]\d+)?)\s?-?\s?(hours?|hrs?|minutes?|mins?|seconds?|secs?|days?|weeks?|[hmsd])
        |\b(half\s+an|an?\s+half|a\s+quarter\s+of\s+an|an|a|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty-five|twenty|thirty-five|thirty|forty-five|forty|fifty|ninety)[\s-](hours?|minutes?|seconds?|days?|weeks?)",
    ),
    length_clock: regex(r"\b(\d{1,3}):(\d{2})(?::(\d{2}))?\b"),
    after: regex(
        r"\b[Tt]\s?([+-])\s?(?:(\d{1,3}):(\d{2})(?::(\d{2}))?|(\d+\s?(?i:[hms]|min|sec|hrs?|minutes?|hours?|seconds?)\b(?:\s?\d+\s?(?i:[ms]|min|sec)\b)*|\d+\s?[hm]\d+\s?[ms]\b(?:\d+s\b)?)|(\d+)\b)",
    ),
    later: regex(
        r"(?i)^\s+(?:(later|after (?:that|this)|afterwards?|thereafter)|(earlier|before (?:that|this)))\b",
    ),
    military: regex(r"\b(?:[01]\d|2[0-3])[0-5]\d\s?(?i:hrs?|hours|h)\b"),
});

/// `T+5m`, `T+00:05`, `T+5` (minutes).
pub(super) fn after_zero(found: &mut Found<'_>) {
    let p = &*PATTERNS;
    for c in p.after.captures_iter(found.text) {
        let Some(all) = c.get(0) else { continue };
        let parts = number::<i64>(&c, 2).zip(number::<i64>(&c, 3));
        let length = match (parts, c.get(5)) {
            (Some((a, b)), _) => {
                let seconds = number::<i64>(&c, 4);
                let unit = if seconds.is_some() { Unit::Second } else { Unit::Minute };
                Some(Length { millis: ((a * 60 + b) * 60 + seconds.unwrap_or(0)) * 1000, unit })
            }
            (None, Some(text)) => read_length(p, text.as_str()),
            _ => number(&c, 6)
                .filter(|n| *n < 10_000)
                .map(|n: i64| Length { millis: n * 60_000, unit: Unit::Minute }),
        };
        let sign = if c.get(1).is_some_and(|s| s.as_str() == "-") { -1 } else { 1 };
        if let Some(length) = length {
            found.push(
                all.start(),
                all.end(),
                Said::After(Length { millis: sign * length.millis, ..length }),
            );
        }
    }
}

/// `4 minutes`, `1h09m`, `an hour and a half`, `Duration: 1:09`.
pub(super) fn find(found: &mut Found<'_>) {
    let p = &*PATTERNS;
    for all in p.length.find_iter(found.text) {
        let lead = all.as_str().len() - all.as_str().trim_start_matches(|c: char| !c.is_alphanumeric()).len();
        if p.military.is_match(all.as_str()) || found.text[..all.start() + lead].ends_with([':', '.']) {
            // `1800 hrs` and `18:30 h` are times of day.
            continue;
        }
        let Some(length) = read_length(p, all.as_str()) else { continue };
        let start = all.start() + lead;
        match p.later.captures(&found.text[all.end()..]) {
            Some(c) => {
                let sign = if c.get(2).is_some() { -1 } else { 1 };
                let end = all.end() + c.get(0).map_or(0, |m| m.end());
                found.push(start, end, Said::Later(Length { millis: sign * length.millis, ..length }));
            }
            None => found.push(start, all.end(), Said::Length(length)),
        }
    }
    // `Duration: 1:09` would else be ten in the morning.
    for c in p.length_clock.captures_iter(found.text) {
        let Some(all) = c.get(0) else { continue };
        let before = found.text[..all.start()].to_ascii_lowercase();
        let label = before.trim_end_matches(|c: char| !c.is_alphanumeric()).to_owned();
        let label = label.rsplit(|c: char| c.is_whitespace() || c == '|').next().unwrap_or_default();
        if !["duration", "lasted", "downtime", "length", "ttr", "ttd", "mttr", "mttd"].contains(&label) {
            continue;
        }
        let follows = found.text[all.end()..].trim_start();
        let range = follows.starts_with(['-', '–', '—', '→']) || follows.starts_with("to ");
        let parts = number::<i64>(&c, 1).zip(number::<i64>(&c, 2)).filter(|_| !range);
        if let Some((hours, minutes)) = parts {
            let seconds = number::<i64>(&c, 3);
            let unit = if seconds.is_some() { Unit::Second } else { Unit::Minute };
            let millis = ((hours * 60 + minutes) * 60 + seconds.unwrap_or(0)) * 1000;
            found.push(all.start(), all.end(), Said::Length(Length { millis, unit }));
        }
    }
}

fn read_length(p: &Patterns, text: &str) -> Option<Length> {
    let mut millis = 0.0;
    let mut unit: Option<Unit> = None;
    let lower = text.to_ascii_lowercase();
    for c in p.length_part.captures_iter(&lower) {
        let (Some(amount), Some(name)) = (c.get(1).or(c.get(3)), c.get(2).or(c.get(4))) else { continue };
        let this = match name.as_str().as_bytes()[0] {
            b'h' => Unit::Hour,
            b'm' => Unit::Minute,
            b's' => Unit::Second,
            _ => Unit::Day,
        };
        let weeks = if name.as_str().starts_with('w') { 7.0 } else { 1.0 };
        let (amount, finer) = amount_of(amount.as_str())?;
        millis += amount * weeks * this.millis() as f64;
        // `1.5 hours` is written to the half hour: it counts as written in minutes, ten of them.
        let this = if finer && this == Unit::Hour { Unit::Minute } else { this };
        unit = Some(unit.map_or(this, |u| if this.millis() < u.millis() { this } else { u }));
    }
    let unit = unit?;
    if lower.ends_with("and a half") {
        millis += unit.millis() as f64 / 2.0;
    }
    // Ten years: what is longer is no outage, and sums with it stay in range.
    (millis > 0.0 && millis < 3.2e11).then_some(Length { millis: millis.round() as i64, unit })
}

/// The number, and whether it was written finer than in whole units.
fn amount_of(text: &str) -> Option<(f64, bool)> {
    if let Ok(n) = text.replace(',', ".").parse::<f64>() {
        return Some((n, text.contains(['.', ','])));
    }
    Some(match text.split_whitespace().next()? {
        "half" => (0.5, true),
        "a" if text.contains("quarter") => (0.25, true),
        "a" | "an" if text.contains("half") => (0.5, true),
        "a" | "an" | "one" => (1.0, false),
        "two" => (2.0, false),
        "three" => (3.0, false),
        "four" => (4.0, false),
        "five" => (5.0, false),
        "six" => (6.0, false),
        "seven" => (7.0, false),
        "eight" => (8.0, false),
        "nine" => (9.0, false),
        "ten" => (10.0, false),
        "eleven" => (11.0, false),
        "twelve" => (12.0, false),
        "fifteen" => (15.0, false),
        "twenty" => (20.0, false),
        "twenty-five" => (25.0, false),
        "thirty" => (30.0, false),
        "thirty-five" => (35.0, false),
        "forty" => (40.0, false),
        "forty-five" => (45.0, false),
        "fifty" => (50.0, false),
        "ninety" => (90.0, false),
        _ => return None,
    })
}
