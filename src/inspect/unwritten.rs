//! Silences in which it was the log that failed: nginx went on and could not write.
//!
//! nginx writes an access line by one `write()` (`ngx_http_log_write`). On a full disk the system takes as many bytes as
//! there is room for: a line ends in its middle, those after it are lost, and the first one that fits again is glued to
//! the rest. A process that is killed never leaves half a line, so such a line at the edge of a silence tells the two
//! apart.

use super::host::Host;
use crate::detect::{Anomaly, Detection, Kind, SilenceKind};
use crate::format::framing::Framing;
use crate::reading;
use crate::report::{Cause, Evidence};
use crate::scan::Plan;
use crate::time::{Second, Stamp};

/// Bytes between the last line before a silence and the first one after it that are looked at.
const MOST: u64 = 64 << 10;
/// No half record and the one behind it are longer.
const LONGEST: usize = 8 << 10;
/// The glued line may have been written so many seconds beside the first whole one.
const NEAR: Second = 2;

/// Finds the silences that are gaps of the log.
pub(super) fn find(host: &Host<'_>, found: &mut Detection) {
    let unexplained = Kind::Silence(SilenceKind::Unknown);
    for a in found.anomalies.iter_mut().filter(|a| a.kind == unexplained) {
        if cut_line(host, a).is_some() {
            a.kind = Kind::Silence(SilenceKind::LoggingStopped);
            for p in a.phases.iter_mut().filter(|p| p.kind == unexplained) {
                p.kind = a.kind;
            }
        }
    }
}

/// Why the log has a gap while nginx went on.
pub(super) fn cause(host: &Host<'_>, a: &Anomaly) -> Option<Cause> {
    if let Some(line) = cut_line(host, a) {
        let summary = "nginx could not write the access log, as when a disk is full: the line written last is cut in \
                       its middle, and the next one is glued to it";
        return Some(Cause {
            category: "logging.failed".into(),
            confidence: "likely",
            summary: summary.into(),
            evidence: vec![line],
        });
    }
    let mut inside =
        host.said.iter().filter(|s| a.start <= s.second && s.second < a.end_or_last()).peekable();
    let other = inside.peek().map(|s| host.evidence(s.file, &s.sample));
    // What says that requests were dropped says why they left no line.
    let dropped = inside.any(|s| host.server_side(s.class));
    let evidence: Vec<Evidence> = host.lines_around(a).into_iter().chain(other).collect();
    (!dropped && !evidence.is_empty()).then(|| Cause {
        category: "logging.stopped".into(),
        confidence: "likely",
        summary: "the access log stopped while another log of the same nginx went on".into(),
        evidence,
    })
}

/// The line at the edge of a silence that was begun before it and goes on with one written after it.
fn cut_line(host: &Host<'_>, a: &Anomaly) -> Option<Evidence> {
    let after = a.first_good_after?;
    let around = host.lines_around(a);
    let [first, last] = around.as_slice() else { return None };
    let same = first.path == last.path && first.byte < last.byte && last.byte - first.byte <= MOST;
    let of_path = |&&i: &&usize| host.reads[i].reading.source.shown == first.path;
    let read = &host.reads[*host.files.iter().find(of_path).filter(|_| same)?];
    // What frames the lines, a container runtime or syslog, wrote them; nginx wrote into a pipe or a socket.
    if read.reading.plan.framing != Framing::None {
        return None;
    }
    let bytes = reading::bytes_between(read, first.byte..last.byte + LONGEST as u64);
    let mut byte = first.byte;
    for (number, line) in (first.line..).zip(bytes.split_inclusive(|b| *b == b'\n')) {
        if byte > last.byte {
            break;
        }
        let record = line.trim_ascii_end();
        if is_glued(&read.reading.plan, record, after) {
            let text = String::from_utf8_lossy(record).into_owned();
            return Some(Evidence { path: first.path.clone(), line: number, byte, text });
        }
        byte += line.len() as u64;
    }
    None
}

/// Whether a line holds half a record, and behind it one that was written after the silence.
fn is_glued(plan: &Plan, line: &[u8], after: Second) -> bool {
    let second = |text: &[u8]| {
        let time = plan.formats.iter().find_map(|f| f.parse(text).ok()?.time)?;
        Some(Stamp::second(time))
    };
    let late = |text: &[u8]| second(text).is_some_and(|s| (s - after).abs() <= NEAR);
    // Of a whole record what begins inside its first field is one too.
    let own = line.iter().position(|b| matches!(b, b' ' | b'\t' | b'{')).map_or(line.len(), |at| at + 1);
    let glued = |at: usize| late(&line[at..]) && second(&line[..at]).is_none();
    line.len() <= LONGEST && (own..line.len()).any(glued)
}
