//! Joins the failed requests of all incidents of a host to the records that its error logs have of them.
//!
//! Each log is read once more, and only where incidents are; a packed one from its beginning. What is remembered of the
//! records is in `told.rs`. A flood that would not fit is joined in parts, one stretch of time after the other. Where that would mean to unpack a log again for each, or one second alone is too
//! much, a part is kept that the hash of the request picks, on both sides alike: requests spread over the whole time, and
//! no longer all.

use super::super::host::Host;
use super::super::incident::window;
use super::slices::{self, Part};
use super::told::{By, Classes, LONGEST, MOST, Target, Told};
use crate::catalogue::read_line;
use crate::detect::{Anomaly, Kind};
use crate::format::directive::Field;
use crate::format::record::Level;
use crate::reading::{Read, Role, can_be_read_again, each_line_between_if, each_record_between, line_number};
use crate::report::Evidence;
use crate::time::{Second, Window};
use crate::timeline::Class;
use crate::zone::ZonePlan;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Range;

/// What the failed requests (5xx) of an incident have in the error log.
#[derive(Debug, Default, Clone)]
pub(super) struct Joined {
    /// How many were looked at.
    pub(super) requests: u64,
    /// Those with a record, by the class of the one that decided.
    pub(super) reasons: BTreeMap<u16, u64>,
    /// Those without one, by status.
    pub(super) alone: BTreeMap<u16, u64>,
    /// The first of them.
    pub(super) first: Option<Evidence>,
    /// Every request of the stretch was looked at, and not only a part.
    pub(super) complete: bool,
}

impl Joined {
    /// Adds what a later part of the same incident has.
    fn add(&mut self, part: Self) {
        self.requests += part.requests;
        for (class, n) in part.reasons {
            *self.reasons.entry(class).or_default() += n;
        }
        for (status, n) in part.alone {
            *self.alone.entry(status).or_default() += n;
        }
        self.first = self.first.take().or(part.first);
        self.complete &= part.complete;
    }
}

/// How many requests were looked at in all.
fn asked_of(made: &[Joined]) -> u64 {
    made.iter().map(|j| j.requests).sum()
}

/// How many of them have a record.
fn joined_of(made: &[Joined]) -> u64 {
    made.iter().flat_map(|j| j.reasons.values()).sum()
}

/// The joins of a host's incidents, made when the first is asked for.
pub(in crate::inspect) struct Joins<'h, 'a> {
    host: &'h Host<'a>,
    windows: Vec<Window>,
    made: OnceCell<Vec<Joined>>,
}

impl<'h, 'a> Joins<'h, 'a> {
    /// For the anomalies in which requests fail.
    pub(in crate::inspect) fn of(host: &'h Host<'a>, anomalies: &[Anomaly]) -> Self {
        let mut windows: Vec<Window> =
            anomalies.iter().filter(|a| a.kind == Kind::Failing).map(window).collect();
        windows.sort_by_key(|w| (w.start, w.end));
        windows.dedup();
        Self { host, windows, made: OnceCell::new() }
    }

    /// What the failed requests of a stretch have in the error log. `None` without logs of both kinds that could tell.
    pub(super) fn at(&self, window: Window) -> Option<&Joined> {
        let at = self.windows.iter().position(|w| *w == window)?;
        if self.pairable() != Some(true) {
            return None;
        }
        self.made.get_or_init(|| self.make()).get(at).filter(|j| j.requests > 0)
    }

    /// Whether failed requests can be joined to records, or a log is too long to be unpacked again. `None` without logs
    /// of both kinds.
    pub(super) fn pairable(&self) -> Option<bool> {
        let kind = |access: bool| {
            let told =
                |r: &&Read| if access { r.reading.role == Role::Access } else { r.scan.error_span.is_some() };
            let reads = self.reads().filter(told);
            reads.map(can_be_read_again).reduce(|a, b| a || b)
        };
        let both = kind(true)? && kind(false)?;
        (!self.host.zones.is_empty()).then_some(both)
    }

    fn reads(&self) -> impl Iterator<Item = &'a Read> {
        self.host.files.iter().map(|&i| &self.host.reads[i])
    }

    fn make(&self) -> Vec<Joined> {
        let access: Vec<&Read> =
            self.reads().filter(|r| r.reading.role == Role::Access && can_be_read_again(r)).collect();
        let formats = || access.iter().flat_map(|r| &r.reading.plan.formats);
        let target = match formats().filter(|f| f.has(&Field::Request)).count() {
            0 => Target::Path,
            n if n == formats().count() => Target::Line,
            _ => Target::Either,
        };
        let by = By {
            clients: formats().all(|f| f.has(&Field::RemoteAddr)),
            connections: formats().any(|f| f.has(&Field::Connection)),
            target,
        };
        let made = self.make_by(by, &access);
        if !self.are_strangers(&made) {
            return made;
        }
        // What stands where a request line is looked for can be a method and a path, of which the error log has more.
        // Behind a proxy the access log can have whom it names, where the error log has the proxy.
        let by_path = By { target: Target::Path, ..by };
        let other = [by_path, By { clients: false, ..by }, By { clients: false, ..by_path }];
        let found =
            other.into_iter().map(|by| self.make_by(by, &access)).find(|m| joined_of(m) * 2 > asked_of(m));
        // Where nothing joins them it cannot be said of any request that it has no record.
        found.unwrap_or_default()
    }

    /// Whether requests and records hardly ever have the same client and request, though there are enough of both.
    fn are_strangers(&self, made: &[Joined]) -> bool {
        let told = |w: &Window| {
            let said = self.host.said.iter().filter(|s| self.host.server_side(s.class));
            said.map(|s| s.count_in(*w)).sum::<u64>()
        };
        let requests = asked_of(made);
        joined_of(made) * 10 < requests && self.windows.iter().map(told).sum::<u64>() * 2 >= requests
    }

    fn make_by(&self, by: By, access: &[&Read]) -> Vec<Joined> {
        let thin = || {
            let whole: Part = self.windows.iter().copied().enumerate().collect();
            self.join(&whole, access, Told::new(by))
        };
        let Some(parts) = self.parts(by.keys()) else { return thin() };
        let mut out = vec![Joined { complete: true, ..Joined::default() }; self.windows.len()];
        for part in parts {
            let joined = self.join(&part, access, Told::new(by));
            if joined.iter().any(|j| !j.complete) {
                // Parts of which one is not complete tell less than a part of everything.
                return thin();
            }
            for ((at, _), joined) in part.into_iter().zip(joined) {
                out[at].add(joined);
            }
        }
        out
    }

    /// The windows in parts that fit, where all logs can be read from any place.
    fn parts(&self, keys: u64) -> Option<Vec<Part>> {
        if self.reads().any(|r| !r.reading.source.is_seekable()) {
            return None;
        }
        let records: Vec<(Second, u64)> =
            self.host.said.iter().map(|s| (s.second, u64::from(s.count))).collect();
        // Buckets of several seconds are counted at the first of them.
        Some(slices::parts(&self.windows, &records, LONGEST + 1, MOST as u64 / keys / 2))
    }

    /// Joins the requests of some pieces of time; of too many records a part.
    fn join(&self, pieces: &[(usize, Window)], access: &[&Read], mut told: Told) -> Vec<Joined> {
        let windows: Vec<Window> = pieces.iter().map(|p| p.1).collect();
        for (&file, zone) in &self.host.zones {
            let read = &self.host.reads[file];
            if can_be_read_again(read) {
                self.listen(read, zone, &windows, &mut told);
            }
        }
        let mut out = vec![Joined { complete: told.is_whole(), ..Joined::default() }; windows.len()];
        for read in access {
            Self::ask(read, &told, &windows, &mut out);
        }
        out
    }

    /// Remembers the records of one error log.
    fn listen(&self, read: &Read, zone: &ZonePlan, windows: &[Window], told: &mut Told) {
        let mut classes = Classes::new(self.host);
        let wide = |w: &Window| {
            let (start, end) = (w.start.saturating_sub(LONGEST + 1), w.end.saturating_add(1));
            zone.local_window(Window { start, end })
        };
        each_inside(read, windows, wide, each_record_between, &mut |_, byte, raw, local| {
            if let Some(record) = read_line(raw).filter(|r| r.level <= Level::Error) {
                told.remember(&record, zone.utc(local, byte), &mut classes);
            }
        });
    }

    /// Looks for the record of each failed request of one access log.
    fn ask(read: &Read, told: &Told, windows: &[Window], out: &mut [Joined]) {
        let mut room = Vec::new();
        let mut alone: BTreeMap<usize, (u64, Vec<u8>)> = BTreeMap::new();
        let same = |w: &Window| *w;
        each_inside(read, windows, same, each_possible_failure, &mut |at, byte, raw, second| {
            let payload = read.reading.plan.framing.unwrap(raw, &mut room).map_or(raw, |u| u.payload);
            let parsed = read.reading.plan.formats.iter().find_map(|f| f.parse(payload).ok());
            let failed = |s: &u16| Class::of(*s) == Class::ServerError;
            let Some((status, r)) = parsed.and_then(|r| Some((r.status.filter(failed)?, r))) else {
                return;
            };
            if !told.has_picked(&r) {
                return;
            }
            out[at].requests += 1;
            if let Some(class) = told.reason(&r, second) {
                *out[at].reasons.entry(class).or_default() += 1;
            } else {
                *out[at].alone.entry(status).or_default() += 1;
                alone.entry(at).or_insert_with(|| (byte, raw.to_vec()));
            }
        });
        for (at, (byte, raw)) in alone {
            if out[at].first.is_none() {
                out[at].first = Some(Evidence {
                    path: read.reading.source.shown.clone(),
                    line: line_number(read, byte),
                    byte,
                    text: String::from_utf8_lossy(&raw).into_owned(),
                });
            }
        }
    }
}

/// Whether a line can have a status of 500 or more, or the 009 of an answer in HTTP/0.9: three digits by themselves, the
/// first of them 5 or more, or 0. To ask costs a fifth of what reading the line costs, and most lines need not be read.
fn can_have_failed(line: &[u8]) -> bool {
    let mut digits = 0;
    let mut first = 0;
    let failed = |digits: u32, first: u8| digits == 3 && (first >= b'5' || first == b'0');
    for &b in line {
        if b.is_ascii_digit() {
            if digits == 0 {
                first = b;
            }
            digits += 1;
        } else {
            if failed(digits, first) {
                return true;
            }
            digits = 0;
        }
    }
    failed(digits, first)
}

/// Visits the lines of a stretch of time that can be failures.
fn each_possible_failure(read: &Read, range: Range<Second>, visit: &mut dyn FnMut(u64, &[u8], Second)) {
    each_line_between_if(read, range, &can_have_failed, visit);
}

/// Reads the lines or records of a stretch of time: byte, text, second by the file's clock.
type Reader = fn(&Read, Range<Second>, &mut dyn FnMut(u64, &[u8], Second));
/// Takes one: number of its stretch, byte, text, second by the file's clock.
type Inside<'v> = dyn FnMut(usize, u64, &[u8], Second) + 'v;

/// Visits a file in some stretches of time that stand in order and do not overlap.
fn each_inside(
    read: &Read,
    windows: &[Window],
    of: impl Fn(&Window) -> Window,
    reader: Reader,
    visit: &mut Inside<'_>,
) {
    if read.reading.source.is_seekable() {
        for (at, w) in windows.iter().map(of).enumerate() {
            reader(read, w.start..w.end, &mut |byte, raw, second| visit(at, byte, raw, second));
        }
        return;
    }
    // A packed file is read once, whatever the number of stretches.
    let windows: Vec<Window> = windows.iter().map(of).collect();
    let (start, end) = (windows.iter().map(|w| w.start).min(), windows.iter().map(|w| w.end).max());
    let (Some(start), Some(end)) = (start, end) else { return };
    // By the clock on the wall they are out of order where it was put back.
    let in_order = windows.is_sorted_by_key(|w| w.end);
    reader(read, start..end, &mut |byte, raw, second| {
        let at = if in_order {
            Some(windows.partition_point(|w| w.end <= second))
                .filter(|at| windows.get(*at).is_some_and(|w| w.contains(second)))
        } else {
            windows.iter().position(|w| w.contains(second))
        };
        if let Some(at) = at {
            visit(at, byte, raw, second);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_with_a_number_of_three_digits_from_500_on_are_read() {
        for (line, may) in [
            (r#"192.0.2.1 - - [01/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 502 157"#, true),
            (r#"192.0.2.1 - - [01/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 15"#, false),
            (r#"{"status":"504"}"#, true),
            ("status=499 bytes=5000", false),
            ("599", true),
            ("", false),
        ] {
            assert_eq!(can_have_failed(line.as_bytes()), may, "{line}");
        }
    }
}
