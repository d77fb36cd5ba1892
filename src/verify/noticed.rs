//! The detection gap: tells the incidents of a report when people noticed them, by their notes.

use super::judge::NEAR;
use super::{Claim, Judged, Kind, Value, Verification, verify};
use crate::report::{Evidence, Incident, Notice, Noticed, Report};
use crate::time::Millis;

/// Lays `notes`, which were read from `path`, beside `report`.
///
/// An incident gets the first notice that the notes tell of it, or else the time to detect that they claim.
pub fn tell(report: &mut Report, path: &str, notes: &str) {
    let found = verify(notes, report);
    for incident in &mut report.incidents {
        let times = found.claims.iter().filter_map(|j| Some((j, notice(j, incident, &found)?)));
        let first = times.min_by_key(|(_, n)| (n.at.is_none(), n.after));
        incident.context.noticed = first.map(|(judged, written)| Noticed {
            written,
            mended: mended(&judged.claim, written, &found),
            evidence: line(notes, path, judged.claim.line),
        });
    }
    report.notes = Some(path.to_owned());
}

/// What one claim says of when `incident` was noticed.
fn notice(judged: &Judged, incident: &Incident, found: &Verification) -> Option<Notice> {
    let is_subject = found.subject.as_ref() == Some(&incident.id);
    let (low, high) = incident.start_bounds;
    match (&judged.claim.moment, &judged.claim.value) {
        (Some(moment), _) if judged.claim.kind == Kind::Detected => {
            let near = (moment.at - incident.start).abs() < NEAR;
            let meant = match &judged.judgement.incident {
                Some(id) => *id == incident.id,
                None => is_subject && near,
            };
            // The bounds of the start lie around it where it is open too.
            let after = (moment.from - high.max(incident.start), moment.to - low.min(incident.start));
            meant.then_some(Notice { at: Some(moment.at), after })
        }
        (None, Value::Length { millis, slack }) if judged.claim.kind == Kind::TimeToDetect => {
            is_subject.then_some(Notice { at: None, after: ((millis - slack).max(0), millis + slack) })
        }
        _ => None,
    }
}

/// The notice moved by what explains the other times of its part of the notes.
fn mended(claim: &Claim, written: Notice, found: &Verification) -> Option<(Notice, String)> {
    let at = written.at?;
    let of_section = |s: &Option<String>| s.as_ref().is_none_or(|s| *s == claim.section);
    let (add, what) = found
        .explanations
        .iter()
        .filter(|e| of_section(&e.section))
        .find_map(|e| Some((e.add?, e.what.clone())))?;
    let moved = |millis: Millis| millis + add;
    let after = (moved(written.after.0), moved(written.after.1));
    Some((Notice { at: Some(moved(at)), after }, what))
}

/// A line of the notes as it stands there.
fn line(notes: &str, path: &str, number: usize) -> Evidence {
    let mut byte = 0;
    let mut lines = notes.split_inclusive('\n');
    for before in lines.by_ref().take(number.saturating_sub(1)) {
        byte += before.len();
    }
    let text = lines.next().unwrap_or_default().trim_end_matches(['\n', '\r']);
    Evidence { path: path.to_owned(), line: number as u64, byte: byte as u64, text: text.to_owned() }
}
