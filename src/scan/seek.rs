//! Finds the bytes of a plain file that hold a window of time, by halving.
//!
//! A log is in order of time but for buffers: two workers swap within a second, `buffer=... flush=` holds blocks
//! back for the flush time. So the window is widened by [`SLACK`] before it is looked for, and every line inside
//! is still judged by its own stamp.

use super::plan::Plan;
use crate::error::Result;
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
            if let Some(time) = time_of(plan, line) {
                return Ok(Some((at + start as u64, time)));
            }
            start += end + 1;
        }
        // The last, unfinished line is looked at again from its start.
        at += (start as u64).saturating_sub(1).max(1);
    }
    Ok(None)
}

fn time_of(plan: &Plan, line: &[u8]) -> Option<Second> {
    let access = plan.formats.iter().find_map(|f| Some(f.parse(line).ok()?.time?.second()));
    access.or_else(|| plan.errors.then(|| parse_error_time(line))?)
}
