//! Angie's `error_log ... format=json`: one object a line. Values are borrowed as they stand, escapes included.
//!
//! Only what an [`ErrorRecord`] has is read; this is no JSON validator.

use super::blank;
use crate::format::framing::members::{Members, Value};
use crate::format::record::{ErrorRecord, Level};
use crate::time::parse_iso8601;

/// Reads one line of Angie's JSON error log.
pub fn parse_angie_json(line: &[u8]) -> Option<ErrorRecord<'_>> {
    let mut out = blank(Level::Debug);
    let (mut level, mut time, mut message) = (None, None, None);
    for (key, value) in Members::new(line)? {
        match (key, value) {
            (b"level", Value::Text(v)) => level = Level::from_name(v),
            (b"time", Value::Text(v)) => time = parse_iso8601(v),
            (b"message", Value::Text(v)) => message = Some(v),
            (b"pid", Value::Bare(v)) => out.pid = decimal(v).and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
            (b"tid", Value::Bare(v)) => out.tid = decimal(v).unwrap_or(0),
            (b"connection", Value::Bare(v)) => out.connection = decimal(v),
            (b"truncated", Value::Bare(b"true")) => out.cut = true,
            (b"error", Value::Nested(v)) => read_error(v, &mut out),
            (b"context", Value::Nested(v)) => read_context(v, &mut out),
            _ => {}
        }
    }
    let (stamp, _) = time?;
    (out.level, out.message) = (level?, message?);
    (out.time, out.utc) = (stamp.second(), stamp.offset.is_some());
    Some(out)
}

fn decimal(v: &[u8]) -> Option<u64> {
    super::number(v).and_then(|(n, rest)| rest.is_empty().then_some(n))
}

fn read_error(object: &[u8], out: &mut ErrorRecord<'_>) {
    for (key, value) in Members::new(object).into_iter().flatten() {
        if let (b"code", Value::Bare(v)) = (key, value) {
            out.errno = decimal(v).and_then(|n| u32::try_from(n).ok());
        }
    }
}

fn read_context<'a>(object: &'a [u8], out: &mut ErrorRecord<'a>) {
    for (key, value) in Members::new(object).into_iter().flatten() {
        match (key, value) {
            (b"action" | b"while", Value::Text(v)) => out.action = Some(v),
            (b"client", Value::Text(v)) => out.client = Some(v),
            (b"server", Value::Text(v)) => out.server = Some(v),
            (b"request", Value::Text(v)) => out.request = Some(v),
            (b"subrequest", Value::Text(v)) => out.subrequest = Some(v),
            (b"upstream", Value::Text(v)) => out.upstream = Some(v),
            (b"host", Value::Text(v)) => out.host = Some(v),
            (b"referrer" | b"referer", Value::Text(v)) => out.referrer = Some(v),
            (b"file", Value::Text(v)) => out.config_file = Some(v),
            (b"line", Value::Bare(v)) => out.config_line = decimal(v).and_then(|n| u32::try_from(n).ok()),
            _ => {}
        }
    }
}
