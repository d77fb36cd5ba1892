//! Restarts that nothing announces: the connection serial of the error log (`*N`) falling back.
//!
//! The serial is one counter of all workers in shared memory (`ngx_connection_counter`, `ngx_event.c`). It survives
//! reloads and dead workers, and begins anew only when nginx does. At level `error` a killed nginx leaves no other
//! trace in its own words.

use super::host::Host;
use crate::catalogue::read_line;
use crate::detect::{Anomaly, Detection, Kind, SilenceKind};
use crate::reading;
use crate::report::{Cause, Evidence};
use crate::scan::Sample;
use crate::time::Window;

/// Seconds on each side of a silence in which a serial is looked for, the near ones first.
const REACH: [i64; 3] = [60, 600, 7200];

/// A record with its serial and process.
struct Serial {
    number: u64,
    pid: u32,
    file: usize,
    byte: u64,
    /// Its line as it was kept, of a log that is not read again.
    kept: Option<Sample>,
}

/// The serial nearest to one end of a stretch: the last before it, or the first after it.
fn nearest(host: &Host<'_>, file: usize, second: i64, before: bool) -> Option<Serial> {
    let read = &host.reads[file];
    let zone = host.zones.get(&file)?;
    let local = zone.local(second);
    for reach in REACH {
        let range = if before { local - reach..local + 1 } else { local..local + reach };
        let mut found: Option<Serial> = None;
        reading::each_record_between(read, range, &mut |byte, record, _| {
            if found.is_some() && !before {
                return;
            }
            if let Some(record) = read_line(record)
                && let Some(number) = record.connection
            {
                found = Some(Serial { number, pid: record.pid, file, byte, kept: None });
            }
        });
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The same of a log that is not read again, from what was written down when its lines went by.
fn kept(host: &Host<'_>, file: usize, silence: Window) -> Option<[Serial; 2]> {
    let reach = REACH.into_iter().max().unwrap_or(0);
    let falls = &host.reads[file].scan.falls;
    let zone = host.zones.get(&file).filter(|_| !falls.is_empty())?;
    let fall = falls.iter().find(|fall| {
        let before = zone.utc(fall.before.second, fall.before.byte);
        let after = zone.utc(fall.after.second, fall.after.byte);
        (silence.start.saturating_sub(reach)..=silence.start.saturating_add(1)).contains(&before)
            && (silence.end.saturating_sub(1)..=silence.end.saturating_add(reach)).contains(&after)
    })?;
    let serial = |sample: &Sample, number| {
        // That the process is another was seen when it was written down.
        Serial { number, pid: 0, file, byte: sample.byte, kept: Some(sample.clone()) }
    };
    Some([serial(&fall.before, fall.numbers.0), serial(&fall.after, fall.numbers.1)])
}

/// The records on both sides of a silence that show that nginx began anew in it.
fn seen(host: &Host<'_>, silence: Window) -> Option<[Serial; 2]> {
    for &file in &host.files {
        let read = &host.reads[file];
        if let Some(pair) = kept(host, file, silence) {
            return Some(pair);
        }
        if read.scan.error_span.is_none() || !read.reading.source.is_seekable() {
            continue;
        }
        // A request that was under way when the lines stopped may be logged a moment later.
        if let Some(before) = nearest(host, file, silence.start.saturating_add(1), true)
            && let Some(after) = nearest(host, file, silence.end.saturating_sub(1), false)
            && after.byte > before.byte
            && after.number < before.number
            && after.pid != before.pid
        {
            return Some([before, after]);
        }
    }
    None
}

/// Silences in which nginx began anew were its own: it was not running.
pub(super) fn prove(host: &Host<'_>, found: &mut Detection) {
    for a in &mut found.anomalies {
        let unproven = |k: Kind| matches!(k, Kind::Silence(SilenceKind::Unknown));
        for i in 0..a.phases.len() {
            let p = a.phases[i];
            if unproven(p.kind) && seen(host, Window { start: p.start, end: p.end }).is_some() {
                a.phases[i].kind = Kind::Silence(SilenceKind::Down);
                if unproven(a.kind) {
                    a.kind = Kind::Silence(SilenceKind::Down);
                }
            }
        }
    }
}

/// The cause that the serials show, where nginx's own words show none.
pub(super) fn cause(host: &Host<'_>, a: &Anomaly) -> Option<Cause> {
    if a.stopped_at.is_some() || a.started_at.is_some() {
        return None;
    }
    let down = a.phases.iter().find(|p| p.kind == Kind::Silence(SilenceKind::Down))?;
    let [before, after] = seen(host, Window { start: down.start, end: down.end })?;
    let summary = format!(
        "nginx began anew in the silence: its connections were numbered {} before and {} after",
        before.number, after.number
    );
    let line = |s: &Serial| -> Evidence {
        if let Some(sample) = &s.kept {
            return host.evidence(s.file, sample);
        }
        let sample = Sample { second: 0, byte: s.byte, line: 0, text: None };
        let line = reading::line_number(&host.reads[s.file], s.byte);
        Evidence { line, ..host.evidence(s.file, &sample) }
    };
    let evidence = vec![line(&before), line(&after)];
    Some(Cause { category: "process.down".into(), confidence: "likely", summary, evidence })
}
