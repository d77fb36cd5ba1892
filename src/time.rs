//! Instants and the fixed-width stamps that nginx writes.
//!
//! Inside the program time is UTC: whole seconds ([`Second`]) where counting is done, milliseconds ([`Millis`])
//! where the log has them. Zones exist only at the edges. nginx writes fixed columns
//! (`ngx_http_log_module.c`, `ngx_times.c`), so they are read by hand; a property test holds them against chrono.

/// Seconds since 1970-01-01T00:00:00Z.
pub type Second = i64;
/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Millis = i64;

/// A half-open stretch of time, `start..end`, in UTC seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// First second inside.
    pub start: Second,
    /// First second after.
    pub end: Second,
}

impl Window {
    /// Everything.
    pub const ALL: Self = Self { start: i64::MIN, end: i64::MAX };

    /// Whether `second` lies inside.
    pub fn contains(self, second: Second) -> bool {
        self.start <= second && second < self.end
    }

    /// Whether the two share at least one second.
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// One instant as a log wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// UTC milliseconds; for a stamp without a zone, milliseconds as if its local time were UTC.
    pub millis: Millis,
    /// Minutes east of UTC, where the stamp said so.
    pub offset: Option<i16>,
    /// Whether the stamp had a fraction of a second.
    pub sub_second: bool,
}

impl Stamp {
    /// The whole second.
    pub fn second(self) -> Second {
        self.millis.div_euclid(1000)
    }

    /// The second in which a request came that was answered now, after `waited` milliseconds. A stamp of whole seconds
    /// stands for any instant of its second: half a second in is right more often than any other, and as often too early as
    /// too late (its first instant dated starts and ends half a second early).
    pub fn arrival(self, waited: u32) -> Second {
        let within = if self.sub_second { 0 } else { 500 };
        (self.millis + within - i64::from(waited)).div_euclid(1000)
    }

    /// A stamp of a whole second.
    pub(crate) fn of_second(second: Second) -> Self {
        Self { millis: second * 1000, offset: None, sub_second: false }
    }
}

/// Days from 1970-01-01 to a civil date of the proleptic Gregorian calendar
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
#[inline]
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = i64::from((month + 9) % 12);
    let doy = (153 * mp + 2) / 5 + i64::from(day) - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

/// The civil date (year, month, day) of a day number: the inverse of [`days_from_civil`].
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = (if mp < 10 { mp + 3 } else { mp - 9 }) as u32;
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Seconds of a civil local time as if it were UTC; `None` when a part is out of range. A leap second (`:60`) is
/// read as the second after `:59`.
pub fn civil_second(year: i64, month: u32, day: u32, hour: u32, minute: u32, second: u32) -> Option<Second> {
    let valid = (1..=12).contains(&month)
        && day >= 1
        && day <= days_in_month(year, month)
        && hour < 24
        && minute < 60
        && second <= 60;
    valid.then(|| days_from_civil(year, month, day) * 86_400 + i64::from(hour * 3600 + minute * 60 + second))
}

#[inline]
fn digits<const N: usize>(b: &[u8], at: usize) -> Option<u32> {
    // One branch and not one a digit.
    let (mut n, mut all) = (0, true);
    for c in b.get(at..)?.first_chunk::<N>()? {
        let d = c.wrapping_sub(b'0');
        all &= d < 10;
        n = n * 10 + u32::from(d);
    }
    all.then_some(n)
}

/// The number (1 to 12) of an English month abbreviation, as nginx and syslog write it.
pub fn month_number(name: &[u8]) -> Option<u32> {
    Some(match name {
        [b'J', b'a', b'n'] => 1,
        [b'F', b'e', b'b'] => 2,
        [b'M', b'a', b'r'] => 3,
        [b'A', b'p', b'r'] => 4,
        [b'M', b'a', b'y'] => 5,
        [b'J', b'u', b'n'] => 6,
        [b'J', b'u', b'l'] => 7,
        [b'A', b'u', b'g'] => 8,
        [b'S', b'e', b'p'] => 9,
        [b'O', b'c', b't'] => 10,
        [b'N', b'o', b'v'] => 11,
        [b'D', b'e', b'c'] => 12,
        _ => return None,
    })
}

/// `+hhmm` or `+hh:mm` or `Z` at the start of `b`: minutes east of UTC and the bytes used.
pub fn parse_offset(b: &[u8]) -> Option<(i16, usize)> {
    let sign = match b.first()? {
        b'Z' | b'z' => return Some((0, 1)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let colon = usize::from(b.get(3) == Some(&b':'));
    let (hour, minute) = (digits::<2>(b, 1)?, digits::<2>(b, 3 + colon)?);
    (hour < 24 && minute < 60).then(|| (sign * (hour * 60 + minute) as i16, 5 + colon))
}

/// Length of a `$time_local` stamp.
pub const TIME_LOCAL_LEN: usize = 26;

/// Reads `$time_local`, `01/Mar/2026:10:00:00 +0100`, at the start of `b`.
pub fn parse_time_local(b: &[u8]) -> Option<Stamp> {
    let b = b.first_chunk::<TIME_LOCAL_LEN>()?;
    let signs = [b[2], b[6], b[11], b[14], b[17], b[20]];
    if signs != *b"//::: " {
        return None;
    }
    let month = month_number(&b[3..6])?;
    // All digits are looked at together, for they nearly always are digits.
    let digit = |at: usize| b[at].wrapping_sub(b'0');
    if ![0, 1, 7, 8, 9, 10, 12, 13, 15, 16, 18, 19].iter().fold(true, |all, at| all & (digit(*at) < 10)) {
        return None;
    }
    let two = |at: usize| u32::from(10 * digit(at) + digit(at + 1));
    let local = civil_second(i64::from(two(7) * 100 + two(9)), month, two(0), two(12), two(15), two(18))?;
    let (offset, used) = parse_offset(&b[21..])?;
    (used == 5).then(|| Stamp {
        millis: (local - i64::from(offset) * 60) * 1000,
        offset: Some(offset),
        sub_second: false,
    })
}

/// Reads an ISO 8601 stamp at the start of `b` (`T` or a blank in the middle, optional fraction, optional offset)
/// and says how many bytes it took. Without an offset the stamp is zone-less.
pub fn parse_iso8601(b: &[u8]) -> Option<(Stamp, usize)> {
    // Of known length, so that the bounds are looked at once.
    let front = b.first_chunk::<19>()?;
    let signs = [front[4], front[7], front[13], front[16]];
    if signs != *b"--::" || !matches!(front[10], b'T' | b' ' | b't' | b'_') {
        return None;
    }
    let local = civil_second(
        i64::from(digits::<4>(front, 0)?),
        digits::<2>(front, 5)?,
        digits::<2>(front, 8)?,
        digits::<2>(front, 11)?,
        digits::<2>(front, 14)?,
        digits::<2>(front, 17)?,
    )?;
    let mut at = front.len();
    let (mut fraction, mut sub_second) = (0, false);
    if matches!(b.get(at), Some(b'.' | b',')) && b.get(at + 1).is_some_and(u8::is_ascii_digit) {
        at += 1;
        let mut scale = 100;
        sub_second = true;
        while let Some(d) = b.get(at).filter(|c| c.is_ascii_digit()) {
            fraction += i64::from(d - b'0') * scale;
            scale /= 10;
            at += 1;
        }
    }
    let offset = parse_offset(&b[at..]);
    let (offset, used) = offset.map_or((None, 0), |(o, n)| (Some(o), n));
    let utc = local - i64::from(offset.unwrap_or(0)) * 60;
    Some((Stamp { millis: utc * 1000 + fraction, offset, sub_second }, at + used))
}

/// Reads `$msec`, `1772355600.123`, which must fill `b`. Only the years 1990 to 2100 are believed, so that a byte
/// count is not taken for a time.
pub fn parse_msec(b: &[u8]) -> Option<Stamp> {
    if !(b.len() == 10 || b.len() == 14 && b[10] == b'.') {
        return None;
    }
    let second = i64::from(digits::<5>(b, 0)?) * 100_000 + i64::from(digits::<5>(b, 5)?);
    let milli = if b.len() == 14 { i64::from(digits::<3>(b, 11)?) } else { 0 };
    (631_152_000..4_102_444_800).contains(&second).then(|| Stamp {
        millis: second * 1000 + milli,
        offset: Some(0),
        sub_second: b.len() == 14,
    })
}

/// Length of an error-log stamp.
pub const ERROR_TIME_LEN: usize = 19;

/// Reads the zone-less stamp of an error log, `2026/03/01 10:00:00`, at the start of `b`, as if it were UTC.
pub fn parse_error_time(b: &[u8]) -> Option<Second> {
    if b.len() < ERROR_TIME_LEN
        || b[4] != b'/'
        || b[7] != b'/'
        || b[10] != b' '
        || b[13] != b':'
        || b[16] != b':'
    {
        return None;
    }
    civil_second(
        i64::from(digits::<4>(b, 0)?),
        digits::<2>(b, 5)?,
        digits::<2>(b, 8)?,
        digits::<2>(b, 11)?,
        digits::<2>(b, 14)?,
        digits::<2>(b, 17)?,
    )
}

/// Writes an instant as RFC 3339 with milliseconds, in a zone `offset` minutes east of UTC.
pub fn rfc3339(millis: Millis, offset: i16) -> String {
    let local = millis + i64::from(offset) * 60_000;
    let (year, month, day) = civil_from_days(local.div_euclid(86_400_000));
    let ms = local.rem_euclid(86_400_000);
    let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{:03}{}", ms % 1000, zone_name(offset))
}

/// An offset as RFC 3339 writes it: `-05:00`, `+00:00`.
pub fn zone_name(offset: i16) -> String {
    let (sign, o) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
    format!("{sign}{:02}:{:02}", o / 60, o % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_of_one_instant_agree() {
        let want = 1_772_355_600_000;
        assert_eq!(parse_time_local(b"01/Mar/2026:10:00:00 +0100").unwrap().millis, want);
        assert_eq!(parse_iso8601(b"2026-03-01T09:00:00Z").unwrap().0.millis, want);
        assert_eq!(
            parse_iso8601(b"2026-03-01T10:00:00.250+01:00 x").unwrap(),
            (Stamp { millis: want + 250, offset: Some(60), sub_second: true }, 29)
        );
        assert_eq!(parse_msec(b"1772355600.123").unwrap().millis, want + 123);
        assert_eq!(parse_error_time(b"2026/03/01 09:00:00 [error]").unwrap() * 1000, want);
        assert_eq!(rfc3339(want + 5, -300), "2026-03-01T04:00:00.005-05:00");
    }

    #[test]
    fn impossible_stamps_are_refused() {
        for bad in ["32/Mar/2026:10:00:00 +0100", "01/Mrz/2026:10:00:00 +0100", "30/Feb/2026:10:00:00 +0000"]
        {
            assert_eq!(parse_time_local(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse_error_time(b"2026/13/01 10:00:00"), None);
        assert_eq!(parse_msec(b"0000000157"), None);
    }

    proptest::proptest! {
        #[test]
        fn civil_arithmetic_is_chronos(second in -62_000_000_000i64..100_000_000_000) {
            let t = chrono::DateTime::from_timestamp(second, 0).unwrap();
            let (y, m, d) = civil_from_days(second.div_euclid(86_400));
            let date = chrono::NaiveDate::from_ymd_opt(y as i32, m, d).unwrap();
            proptest::prop_assert_eq!(t.date_naive(), date);
            proptest::prop_assert_eq!(days_from_civil(y, m, d), second.div_euclid(86_400));
        }

        #[test]
        fn time_local_is_chronos(second in 0i64..4_000_000_000, quarter in -48i16..56) {
            let zone = chrono::FixedOffset::east_opt(i32::from(quarter) * 900).unwrap();
            let text = chrono::DateTime::from_timestamp(second, 0).unwrap().with_timezone(&zone);
            let text = text.format("%d/%b/%Y:%H:%M:%S %z").to_string();
            let stamp = parse_time_local(text.as_bytes()).unwrap();
            proptest::prop_assert_eq!((stamp.second(), stamp.offset), (second, Some(quarter * 15)));
        }
    }
}
