//! Instants, durations, shares and counts in words, never more precise than the log was.

use crate::time::{self, Millis};

/// Shows instants in one zone.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    zone: i16,
}

// Years 1 to 9999: RFC 3339 has four digits. The log parsers cannot yield others, a hand-made Report can.
const FIRST: Millis = -62_135_510_400_000;
const LAST: Millis = 253_402_214_400_000;
const DAY: Millis = 86_400_000;

impl Clock {
    /// A clock for the zone `offset` minutes east of UTC.
    pub fn new(offset: i16) -> Self {
        Self { zone: offset.clamp(-1439, 1439) }
    }

    /// The zone as people write it: `UTC`, `UTC-05:00`.
    pub fn zone(self) -> String {
        if self.zone == 0 { "UTC".into() } else { format!("UTC{}", time::zone_name(self.zone)) }
    }

    /// The zone as RFC 3339 writes it.
    pub fn offset(self) -> String {
        time::zone_name(self.zone)
    }

    /// RFC 3339 with milliseconds.
    pub fn rfc3339(self, at: Millis) -> String {
        time::rfc3339(at.clamp(FIRST, LAST), self.zone)
    }

    /// RFC 3339, with milliseconds only where there are some.
    pub fn rfc3339_short(self, at: Millis) -> String {
        let full = self.rfc3339(at);
        if at.rem_euclid(1000) == 0 { full.replacen(".000", "", 1) } else { full }
    }

    fn local(self, at: Millis) -> Millis {
        at.clamp(FIRST, LAST) + i64::from(self.zone) * 60_000
    }

    /// `18:13:05`, or `18:13:05.250`.
    pub fn time(self, at: Millis) -> String {
        let ms = self.local(at).rem_euclid(DAY);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        let fraction = if ms % 1000 == 0 { String::new() } else { format!(".{:03}", ms % 1000) };
        format!("{hour:02}:{minute:02}:{second:02}{fraction}")
    }

    /// `2020-04-25`.
    pub fn date(self, at: Millis) -> String {
        let (year, month, day) = time::civil_from_days(self.local(at).div_euclid(DAY));
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// `Sat 2020-04-25`: the weekday is computed, since people get it wrong in postmortems.
    pub fn weekday_date(self, at: Millis) -> String {
        const NAMES: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        let day = self.local(at).div_euclid(DAY).rem_euclid(7) as usize;
        format!("{} {}", NAMES[day], self.date(at))
    }

    /// `Sat 2020-04-25 18:13:05`.
    pub fn full(self, at: Millis) -> String {
        format!("{} {}", self.weekday_date(at), self.time(at))
    }

    /// The time alone on the day of `near`, else with its date.
    pub fn beside(self, at: Millis, near: Millis) -> String {
        if self.date(at) == self.date(near) {
            self.time(at)
        } else {
            format!("{} {}", self.date(at), self.time(at))
        }
    }

    /// A span for a table, to the minute: `04-25 17:00-22:10`.
    pub fn short_span(self, from: Millis, to: Millis) -> String {
        let minute = |at| self.time(at)[..5].to_owned();
        let day = |at| self.date(at)[5..].to_owned();
        if self.date(from) == self.date(to) {
            format!("{} {}-{}", day(from), minute(from), minute(to))
        } else {
            format!("{} {}-{} {}", day(from), minute(from), day(to), minute(to))
        }
    }
}

/// `59 min 38 s`, `2 d 3 h 10 min`, `250 ms`.
pub fn duration(ms: Millis) -> String {
    let ms = ms.max(0);
    let (days, hours, minutes, seconds) = (ms / DAY, ms / 3_600_000 % 24, ms / 60_000 % 60, ms / 1000 % 60);
    let rest = ms % 1000;
    match (days, hours, minutes) {
        (0, 0, 0) if ms == 0 => "0 s".into(),
        (0, 0, 0) if ms < 1000 => format!("{ms} ms"),
        (0, 0, 0) if rest != 0 => format!("{seconds}.{rest:03} s"),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, m) => join(&[(m, "min"), (seconds, "s")]),
        (0, h, m) => join(&[(h, "h"), (m, "min"), (seconds, "s")]),
        (d, h, m) => join(&[(d, "d"), (h, "h"), (m, "min")]),
    }
}

/// The parts that are not nought.
fn join(parts: &[(i64, &str)]) -> String {
    let words: Vec<_> =
        parts.iter().filter(|(n, _)| *n != 0).map(|(n, unit)| format!("{n} {unit}")).collect();
    words.join(" ")
}

/// `98.1 %`; never `0 %` or `100 %` of what was not all or nothing.
pub fn share(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        p if !p.is_finite() => "?".into(),
        p if p <= 0.0 => "0 %".into(),
        p if p < 0.1 => "under 0.1 %".into(),
        p if p >= 100.0 => "100 %".into(),
        p if p > 99.9 => "over 99.9 %".into(),
        p => {
            let text = format!("{p:.1}");
            format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
        }
    }
}

/// `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at != 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 request`, `2,000 requests`.
pub fn count_of(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// `812 B`, `4.3 MB`: powers of 1000, as disks and `df -H` count.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_say_no_more_than_the_log() {
        let clock = Clock::new(-300);
        let at = 1_587_856_385_000; // 2020-04-25 18:13:05 -05:00
        assert_eq!(clock.full(at), "Sat 2020-04-25 18:13:05");
        assert_eq!(clock.time(at + 250), "18:13:05.250");
        assert_eq!(clock.rfc3339_short(at), "2020-04-25T18:13:05-05:00");
        assert_eq!(clock.beside(at + DAY, at), "2020-04-26 18:13:05");
        assert_eq!(clock.short_span(at, at + 3_600_000), "04-25 18:13-19:13");
        assert_eq!((clock.zone(), Clock::new(0).zone()), ("UTC-05:00".into(), "UTC".into()));
    }

    #[test]
    fn no_instant_is_out_of_range() {
        for at in [i64::MIN, i64::MAX] {
            for zone in [i16::MIN, 0, i16::MAX] {
                assert_eq!(Clock::new(zone).rfc3339(at).len(), 29);
                assert!(!Clock::new(zone).full(at).is_empty());
            }
        }
    }

    #[test]
    fn durations_are_words() {
        for (ms, want) in [
            (-5, "0 s"),
            (250, "250 ms"),
            (1500, "1.500 s"),
            (38_000, "38 s"),
            (3_578_000, "59 min 38 s"),
            (3_578_400, "59 min 38 s"),
            (3_600_000, "1 h"),
            (4_176_000, "1 h 9 min 36 s"),
            (183_000_000, "2 d 2 h 50 min"),
        ] {
            assert_eq!(duration(ms), want);
        }
    }

    #[test]
    fn shares_and_counts_are_words() {
        let got: Vec<_> = [0.0, 0.0002, 0.05, 0.981, 0.9999, 1.0, f64::NAN].map(share).into();
        assert_eq!(got, ["0 %", "under 0.1 %", "5 %", "98.1 %", "over 99.9 %", "100 %", "?"]);
        assert_eq!((count(999), count(1_234_567)), ("999".into(), "1,234,567".into()));
        assert_eq!(
            (bytes(812), bytes(999_960), bytes(u64::MAX)),
            ("812 B".into(), "1.0 MB".into(), "18.4 EB".into())
        );
    }
}
