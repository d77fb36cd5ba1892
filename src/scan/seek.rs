//! Finds the bytes of a plain file that hold a window of time, by halving.
//!
//! A log is in order of time but for buffers: two workers swap within a second, `buffer=... flush=` holds blocks
//! back for the flush time. So the window is widened by [`SLACK`] before it is looked for, and every line inside
//! is still judged by its own stamp.

use super::plan::Plan;
use crate::error::Result;
use crate::format::framing::Unwrapped;
use crate::input::source::{Pages, PlainFile};
use crate::time::{Second, Window, parse_error_time};
use std::ops::Range;

/// Seconds by which lines may be out of order. Twice the longest flush time seen in configurations people publish.
const SLACK: i64 = 120;
/// Zone-less stamps can be this far from UTC.
const ANY_ZONE: i64 = 14 * 3600;
/// Bytes of a probe: two dozen lines. Small, for a cold disk is asked for each.
const PROBE: u64 = 16 << 10;
/// When the stretch is this short the halving stops: the rest is read anyway.
const NEAR: u64 = 64 << 10;

/// The range of bytes outside of which no line of `window` can be.
pub fn seek(plain: &PlainFile, plan: &Plan, window: Window) -> Result<Range<u64>> {
    let len = plain.len()?;
    let slack = SLACK + if plan.formats.is_empty() { ANY_ZONE } else { 0 };
    let start = match window.start {
        Second::MIN => 0,
        start => boundary(plain, plan, len, start.saturating_sub(slack))?.0,
    };
    let end = match window.end {
        Second::MAX => len,
        end => boundary(plain, plan, len, end.saturating_add(slack))?.1,
    };
    Ok(start..end.max(start))
}

/// Bytes between which the lines pass `second`.
fn boundary(plain: &PlainFile, plan: &Plan, len: u64, second: Second) -> Result<(u64, u64)> {
    let (mut low, mut high) = (0, len);
    let mut pages = Pages::default();
    while high - low > NEAR {
        let middle = low + (high - low) / 2;
        match time_at(plain, plan, middle, high, &mut pages)? {
            Some((_, time)) if time >= second => high = middle,
            Some((at, _)) => low = at,
            // Nothing readable from here to `high`: whatever is sought lies before.
            None => high = middle,
        }
    }
    Ok((low, high))
}

/// The first line behind `from` and before `to` that has a time: where it starts, and the time.
fn time_at(
    plain: &PlainFile,
    plan: &Plan,
    from: u64,
    to: u64,
    pages: &mut Pages,
) -> Result<Option<(u64, Second)>> {
    let mut at = from;
    let mut room = Vec::new();
    while at < to {
        plain.read_at(at..(at + PROBE).min(to), pages)?;
        let bytes: &[u8] = pages;
        let Some(first) = memchr::memchr(b'\n', bytes) else {
            at += PROBE;
            continue;
        };
        let mut start = first + 1;
        while let Some(end) = memchr::memchr(b'\n', &bytes[start..]) {
            let line = &bytes[start..start + end];
            let frame = plan.framing.unwrap(line, &mut room);
            let payload = frame.as_ref().map_or(line, |u| u.payload);
            if let Some(time) = ordered(plan, payload, frame.as_ref()) {
                return Ok(Some((at + start as u64, time)));
            }
            start += end + 1;
        }
        // The last, unfinished line is looked at again from its start.
        at += (start as u64).saturating_sub(1).max(1);
    }
    Ok(None)
}

/// The second of a line: that of the request, else that of its frame (two copies of a framed line agree on it, and
/// it is there for parts and for the further lines of a record), else that of the error record.
pub(crate) fn time_of(plan: &Plan, line: &[u8], room: &mut Vec<u8>) -> Option<Second> {
    let unwrapped = plan.framing.unwrap(line, room);
    let payload = unwrapped.as_ref().map_or(line, |u| u.payload);
    ordered(plan, payload, unwrapped.as_ref()).or_else(|| parse_error_time(payload))
}

/// The second by which the lines of a file are in order: error records between requests have another clock.
fn ordered(plan: &Plan, payload: &[u8], frame: Option<&Unwrapped<'_>>) -> Option<Second> {
    let request = plan.formats.iter().find_map(|f| Some(f.parse(payload).ok()?.time?.second()));
    let framed = || Some(frame?.time?.second());
    let record = || if plan.formats.is_empty() { parse_error_time(payload) } else { None };
    request.or_else(framed).or_else(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::AccessFormat;
    use crate::format::framing::Framing;
    use crate::input::source::Source;
    use std::io::Write;

    /// Some hours, one line a second; some swapped with a neighbour, some without a time.
    fn log(line: impl Fn(i64) -> String) -> Vec<(i64, String)> {
        let swapped = |i: i64| if i % 7 == 3 { i + 1 } else { i - i64::from(i % 7 == 4) };
        (0..20_000)
            .map(|i| (swapped(i), if i % 50 == 9 { "no time".into() } else { line(swapped(i)) }))
            .collect()
    }

    /// Asks for windows of every place and size; gives the widest share of the file that was to be read for 100 s.
    fn check(lines: &[(i64, String)], plan: &Plan, first: Second) -> f64 {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut starts = Vec::new();
        let mut len = 0;
        for (second, line) in lines {
            starts.push((*second, len));
            writeln!(file, "{line}").unwrap();
            len += line.len() as u64 + 1;
        }
        let plain = PlainFile::open(&Source::file(file.path()).unwrap()).unwrap();
        let mut widest = 0.0f64;
        for (from, to) in [(0, 1), (0, 100), (9_950, 10_050), (19_900, 20_000), (5_000, 15_000)] {
            let range = seek(&plain, plan, Window { start: first + from, end: first + to }).unwrap();
            let inside = |s: &&(i64, u64)| (from..to).contains(&s.0);
            assert!(starts.iter().filter(inside).all(|s| range.contains(&s.1)), "{from}..{to}: {range:?}");
            if to - from <= 100 {
                widest = widest.max((range.end - range.start) as f64 / len as f64);
            }
        }
        assert_eq!(seek(&plain, plan, Window::ALL).unwrap(), 0..len);
        let before = seek(&plain, plan, Window { start: first - 200_000, end: first - 199_000 }).unwrap();
        let after = seek(&plain, plan, Window { start: first + 300_000, end: first + 301_000 }).unwrap();
        assert!(before.end <= NEAR && after.start >= len - NEAR, "{before:?} {after:?}");
        widest
    }

    #[test]
    fn no_line_of_the_window_is_left_out_and_little_else_is_read() {
        let text = |i: i64| {
            let (h, m, s) = (i / 3600, i / 60 % 60, i % 60);
            format!(
                "192.0.2.1 - - [01/Mar/2026:{h:02}:{m:02}:{s:02} +0000] \"GET /{i} HTTP/1.1\" 200 1 \"-\" \"-\""
            )
        };
        let plan = Plan::new(vec![AccessFormat::by_name("combined").unwrap()], Framing::None);
        assert!(check(&log(text), &plan, 1_772_323_200) < 0.15);
    }

    /// Its stamps have no zone, so hours on both sides may hold the window.
    #[test]
    fn an_error_log_is_read_for_every_zone() {
        let text = |i: i64| {
            let (h, m, s) = (i / 3600, i / 60 % 60, i % 60);
            format!("2026/03/01 {h:02}:{m:02}:{s:02} [error] 7#7: *{i} message number {i}")
        };
        let plan = Plan::new(Vec::new(), Framing::None);
        for hours in [-12, 0, 14] {
            check(&log(text), &plan, 1_772_323_200 - hours * 3600);
        }
    }
}
