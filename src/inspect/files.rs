//! What the files can speak for, how they were read, and what was not counted.

use super::host::Host;
use crate::input::family::{self, Member, Why};
use crate::input::source::{Kind, Source};
use crate::reading::{Read, Refused, Role};
use crate::report::{Coverage, CoverageState, ErrorZone, Evidence, Input, NotCounted};
use crate::scan::Sample;
use crate::time::{self, Second, Window};
use crate::zone::ZonePlan;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Offsets of one log that are named one by one: more are no clock that is put forward and back.
const CHANGES: usize = 6;
/// Files left out for one reason that are named one by one.
const EACH: usize = 20;

/// First and last second of a file, in UTC.
fn span(read: &Read, hosts: &[Host<'_>], index: usize) -> Option<(Second, Second)> {
    if let (Some(first), Some(last)) = (read.scan.first, read.scan.last) {
        return Some((first.div_euclid(1000), last.div_euclid(1000)));
    }
    hosts.iter().find_map(|h| h.error_span(index))
}

/// The inputs in the order of their times.
pub fn inputs(reads: &[Read], hosts: &[Host<'_>]) -> Vec<Input> {
    let mut out: Vec<Input> = reads.iter().enumerate().map(|(i, r)| input(r, hosts, i)).collect();
    for host in hosts.iter().filter(|h| !h.arrival_known() && !h.timeline.is_empty()) {
        // Said once a host, at its first access log.
        let access = |i: &&usize| reads[**i].reading.role == Role::Access && out[**i].first.is_some();
        if let Some(&i) = host.files.iter().filter(access).min_by_key(|&&i| out[i].first) {
            out[i].notes.push("has no $request_time: good answers that are only late cannot be seen".into());
        }
    }
    for host in hosts.iter().filter(|h| h.trials.is_some()) {
        for &i in host.files.iter().filter(|&&i| reads[i].reading.role == Role::Access) {
            out[i].notes.push("keeps failed requests only: what share of all failed cannot be told".into());
        }
    }
    sort_inputs(&mut out);
    out
}

/// Puts inputs in the order of their times.
pub fn sort_inputs(inputs: &mut [Input]) {
    inputs.sort_by(|a, b| {
        (a.first.is_none(), a.first, a.kind, &a.path).cmp(&(b.first.is_none(), b.first, b.kind, &b.path))
    });
}

fn input(read: &Read, hosts: &[Host<'_>], index: usize) -> Input {
    let Read { reading, scan, .. } = read;
    let span = span(read, hosts, index);
    let ms = |exact: Option<i64>, second: Option<Second>| exact.or(second.map(|s| s * 1000));
    let mut notes = Vec::new();
    if let Some((before, now)) = read.length {
        let what = if now > before { "grew" } else { "was cut" };
        notes.push(format!("{what} while it was read: {before} bytes, then {now}"));
    } else if scan.was_cut {
        notes.push("was cut while it was read".into());
    }
    if let Some(damage) = &scan.damage {
        notes.push(format!("damaged: {damage}; what came before was read"));
    }
    if scan.is_capped() {
        notes.push("more different names or messages than are kept apart; counts are complete".into());
    }
    if matches!(reading.source.kind, Kind::Stdin | Kind::Pipe) {
        notes.push(match reading.role {
            // One client's retries and content that is gone are told by a second look.
            Role::Access => {
                "was read once, from a pipe: who asked for what around an incident was not looked at; \
                             written to a file, it is"
                    .into()
            }
            Role::Error => "was read once, from a pipe".into(),
        });
    }
    if read.pieces.were_too_far() {
        notes.push(
            "is packed and long: not all that was asked for around incidents was looked at; unpacked, it is"
                .into(),
        );
    }
    let mut offsets: Vec<String> = scan.offset_steps().into_iter().map(|s| time::zone_name(s.1)).collect();
    offsets.dedup();
    if (2..=CHANGES).contains(&offsets.len()) {
        let offsets = offsets.join(" to ");
        notes.push(format!("its stamps go from {offsets}; the times of this report stay in one zone"));
    }
    Input {
        path: reading.source.shown.clone(),
        kind: reading.role.name(),
        format: reading.format_name(),
        confidence: reading.confidence,
        bytes: scan.bytes + scan.duplicate_bytes + read.passed_over,
        lines: scan.lines + scan.duplicate,
        unparsed: scan.unparsed,
        first: ms(scan.first, span.map(|s| s.0)),
        last: ms(scan.last, span.map(|s| s.1)),
        digest: None,
        host: reading.source.host.clone(),
        error_zone: hosts
            .iter()
            .find_map(|h| h.zones.get(&index))
            .map(|z| ErrorZone { offset: z.first_offset(), how: how(z, scan.error_span) }),
        notes,
    }
}

/// Where the zone of an error log comes from, and which it is behind a change that lies in its time.
fn how(zone: &ZonePlan, span: Option<(Second, Second)>) -> String {
    let inside = |from: Second| {
        span.is_some_and(|(first, last)| first < from && from <= last || zone.repeats(first, last))
    };
    let later = zone
        .steps
        .iter()
        .skip(1)
        .filter(|s| inside(s.0))
        .map(|s| format!("; {} behind the change", time::zone_name(s.1)));
    zone.how.clone() + &later.collect::<String>()
}

/// Which stretches the files can speak for, host by host: from the first line to the last, without the holes that
/// missing or empty members of a rotated set leave.
pub fn coverage(reads: &[Read], refused: &[Refused], hosts: &[Host<'_>], window: Window) -> Vec<Coverage> {
    let mut out = Vec::new();
    for host in hosts {
        // An error log that can lie hours from where it is put says nothing of the time around the access log.
        let speaks =
            |i: &usize| host.timeline.is_empty() || host.zones.get(i).is_none_or(|zone| !zone.assumed);
        let spans: Vec<(Second, Second)> =
            host.files.iter().copied().filter(speaks).filter_map(|i| span(&reads[i], hosts, i)).collect();
        let (Some(first), Some(last)) = (spans.iter().map(|s| s.0).min(), spans.iter().map(|s| s.1).max())
        else {
            continue;
        };
        let holes = holes(reads, refused, hosts, host);
        let mut at = first;
        // Outside the asked window nothing was counted, so nothing can be said of it.
        let mut push = |start: Second, end: Second, state, note: String| {
            let (start, end) = (start.max(window.start), end.min(window.end));
            if start < end {
                let (start, end) = (start * 1000, end * 1000);
                out.push(Coverage { start, end, state, host: host.name.clone(), note });
            }
        };
        for (window, note) in holes {
            push(at, window.start, CoverageState::Covered, String::new());
            push(window.start.max(at), window.end, CoverageState::Missing, note);
            at = at.max(window.end);
        }
        push(at, last + 1, CoverageState::Covered, String::new());
    }
    out
}

/// The holes of a host's access logs.
fn holes(reads: &[Read], refused: &[Refused], hosts: &[Host<'_>], host: &Host<'_>) -> Vec<(Window, String)> {
    // Empty members take part: they were there and hold nothing.
    let empty: Vec<&Refused> = refused.iter().filter(|r| r.empty && r.source.host == host.name).collect();
    let access: Vec<usize> =
        host.files.iter().copied().filter(|&i| reads[i].reading.role == Role::Access).collect();
    let sources: Vec<&Source> =
        access.iter().map(|&i| &*reads[i].reading.source).chain(empty.iter().map(|r| &*r.source)).collect();
    let mut out = Vec::new();
    for family in family::group(sources.iter().copied()) {
        let members: Vec<Member> = family
            .members
            .iter()
            .map(|&(source, mark)| {
                let times = access.get(source).and_then(|&i| span(&reads[i], hosts, i));
                let lines = access.get(source).map_or(0, |&i| reads[i].scan.lines);
                Member { source, mark, first: times.map(|t| t.0), last: times.map(|t| t.1), lines }
            })
            .collect();
        for hole in family::holes(&members) {
            let name = |i: usize| sources[i].shown.clone();
            let note = match hole.why {
                Why::Missing(n) => format!(
                    "{} of the set missing between {} and {}",
                    if n == 1 { "one file".to_owned() } else { format!("{n} files") },
                    name(hole.after),
                    name(hole.before)
                ),
                Why::Empty(i) => format!("{} is empty", name(i)),
            };
            out.push((hole.window, note));
        }
    }
    // Another access log of the host that went on speaks for it.
    let speaks = |w: &Window| {
        access.iter().any(|&i| span(&reads[i], hosts, i).is_some_and(|(f, l)| f < w.start && l >= w.end))
    };
    out.retain(|(w, _)| !speaks(w));
    out.sort_by_key(|(w, _)| *w);
    out
}

/// What took no part in the counts, and why; what several hosts left out adds up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Lines, file by file.
    lines: Vec<NotCounted>,
    /// What the user left out: the files, lines and bytes.
    excluded: BTreeMap<String, (Vec<String>, u64, u64)>,
    /// Files that were not read at all, by the reason: their paths and sizes.
    files: BTreeMap<String, Vec<(String, u64)>>,
}

/// What took no part in the counts.
pub fn left_out(reads: &[Read], refused: &[Refused]) -> LeftOut {
    let mut out = LeftOut::default();
    for read in reads {
        let scan = &read.scan;
        let path = &read.reading.source.shown;
        let mut push = |reason: &str, lines: u64, bytes: u64, example: Option<&Sample>| {
            if lines > 0 || bytes > 0 {
                let example = example.map(|s| Evidence {
                    path: path.clone(),
                    line: s.line + 1,
                    byte: s.byte,
                    text: s
                        .text
                        .as_deref()
                        .map(|t| String::from_utf8_lossy(t).into_owned())
                        .unwrap_or_default(),
                });
                let reason = reason.into();
                out.lines.push(NotCounted { path: path.clone(), reason, lines, bytes, example });
            }
        };
        push("unparsed", scan.unparsed, scan.unparsed_bytes, scan.examples().next());
        push("longer than any line of nginx", scan.oversized, 0, None);
        push("duplicate", scan.duplicate, scan.duplicate_bytes, None);
        push("outside the window", scan.outside, read.passed_over, None);
        if let Some((before, now)) = read.length.filter(|(before, now)| now < before) {
            push("cut while it was read", 0, before - now, None);
        }
        if let Some(damage) = &scan.damage {
            let reason = format!("damaged from here on: {damage}");
            out.lines.push(NotCounted { path: path.clone(), reason, lines: 0, bytes: 0, example: None });
        }
        for (name, (lines, bytes)) in &scan.excluded {
            out.exclude(name.to_string(), (vec![path.clone()], *lines, *bytes));
        }
    }
    for r in refused {
        let reason = if r.empty { "empty".to_owned() } else { format!("not an nginx log: {}", r.why) };
        out.files.entry(reason).or_default().push((r.source.shown.clone(), r.source.size));
    }
    out
}

impl LeftOut {
    fn exclude(&mut self, name: String, (paths, lines, bytes): (Vec<String>, u64, u64)) {
        let sum = self.excluded.entry(name).or_default();
        sum.0.extend(paths);
        (sum.1, sum.2) = (sum.1.saturating_add(lines), sum.2.saturating_add(bytes));
    }

    /// Adds what other hosts left out.
    pub fn merge(&mut self, other: Self) {
        self.lines.extend(other.lines);
        for (name, sum) in other.excluded {
            self.exclude(name, sum);
        }
        for (reason, files) in other.files {
            self.files.entry(reason).or_default().extend(files);
        }
    }

    /// As the report has it.
    pub fn entries(self) -> Vec<NotCounted> {
        let mut out = self.lines;
        // Once for all files: an entry for each of a year of rotated logs would say no more.
        for (name, (mut paths, lines, bytes)) in self.excluded {
            paths.sort_unstable();
            let path = match paths.as_slice() {
                [one] => one.clone(),
                [first, second] => format!("{first}, {second}"),
                many => format!("{}, ...", many[0]),
            };
            out.push(NotCounted { path, reason: format!("excluded: {name}"), lines, bytes, example: None });
        }
        // A folder can hold thousands of empty logs of unused vhosts: of one reason some are named one by one, the
        // rest by their number.
        for (reason, mut files) in self.files {
            files.sort_unstable();
            let rest = if files.len() > EACH { files.split_off(EACH - 1) } else { Vec::new() };
            let mut push = |path, reason, bytes| {
                out.push(NotCounted { path, reason, lines: 0, bytes, example: None });
            };
            for (path, bytes) in files {
                push(path, reason.clone(), bytes);
            }
            if let Some((first, _)) = rest.first() {
                let bytes = rest.iter().map(|f| f.1).fold(0, u64::saturating_add);
                push(format!("{first}, ..."), format!("{reason} ({} more files)", rest.len()), bytes);
            }
        }
        out
    }
}
