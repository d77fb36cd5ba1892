//! Where the connection serials of an error log (`*N`) fall back from one record to the next, under another process: the
//! trace of a restart that nothing else tells. Inspection looks for it around a silence, and a log of which a state keeps
//! the counts is not read again, so what it would find is written down when the lines go by.

use crate::error::{Error, Result};
use crate::format::errorlog;
use crate::input::source::open_range;
use crate::reading::Reading;
use crate::scan::{Sample, SerialFall};
use crate::time::Second;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Read};
use std::ops::Range;

/// A pause so short is none that detection calls a silence; workers that log in turn are this close.
const PAUSE: Second = 3;
/// A record farther away says nothing of a silence; inspection looks no farther.
const REACH: Second = 7200;
/// Falls that are kept of one log, the latest.
const MOST: usize = 256;
/// Bytes of a line that are kept.
const KEPT: usize = 2048;
/// Longest line that is looked at.
const LONGEST: u64 = 64 << 10;

/// A record with a serial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Serial {
    number: u64,
    pid: u32,
    sample: Sample,
}

/// Goes through the new lines of a plain error log behind `lines` others; `last` is the last record with a serial, and
/// becomes it.
pub(super) fn falls(
    reading: &Reading,
    range: Range<u64>,
    lines: u64,
    last: &mut Option<Serial>,
) -> Result<Vec<SerialFall>> {
    let io = |e| Error::io(&reading.source.path)(e);
    let mut input = BufReader::with_capacity(256 << 10, open_range(&reading.source, range.clone())?);
    let (mut byte, mut line_no) = (range.start, lines);
    let (mut line, mut room, mut out) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        line.clear();
        let mut n = input.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(io)? as u64;
        if n == 0 {
            return Ok(out);
        }
        let whole = line.pop_if(|b| *b == b'\n').is_some();
        let framed = reading.plan.framing.unwrap(&line, &mut room);
        let payload = framed.as_ref().map_or(line.as_slice(), |u| u.payload);
        if let Some((second, pid, number)) = errorlog::serial(payload) {
            let text = Some(line[..line.len().min(KEPT)].into());
            let now = Serial { number, pid, sample: Sample { second, byte, line: line_no, text } };
            if let Some(before) = last.replace(now.clone())
                && number < before.number
                && pid != before.pid
                && (before.sample.second.saturating_add(PAUSE)
                    ..=before.sample.second.saturating_add(2 * REACH))
                    .contains(&second)
            {
                out.push(SerialFall {
                    before: before.sample,
                    after: now.sample,
                    numbers: (before.number, number),
                });
                if out.len() > MOST {
                    out.remove(0);
                }
            }
        }
        if !whole {
            // The rest of a line that is longer than any of nginx's.
            n += input.skip_until(b'\n').map_err(io)? as u64;
        }
        byte += n;
        line_no += 1;
    }
}

/// Adds falls to those that are kept, the latest of all.
pub(super) fn keep(kept: &mut Vec<SerialFall>, more: Vec<SerialFall>) {
    kept.extend(more);
    let over = kept.len().saturating_sub(MOST);
    kept.drain(..over);
}
