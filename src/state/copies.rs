//! Lines of a file that is met for the first time and that stand in another log of the same host too: an excerpt that
//! somebody left beside its log, or several logs put together. They are left out, as a run over everything does it.
//!
//! Only new files are looked at, so that runs in which nothing is rotated pay nothing. The other logs are not read: the
//! seconds that matter are looked up in them. Packed ones have to be unpacked for it, so they are asked only where both
//! scans saw the same failed requests, or the files are small.

use super::identity::Found;
use super::kept::{Formats, Kept};
use crate::error::Result;
use crate::input::duplicates::{Candidate, Overlaps, Skips, find};
use crate::input::source::{PlainFile, Source};
use crate::parallel::Workers;
use crate::reading::{Read, Reading, each_line_between, may_share};
use crate::scan::{Block, FileScan, Job, ScanOptions, scan, seek};
use crate::time::{Second, Window};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// A log that was read before, where it lies now.
pub(super) struct Old<'a> {
    pub(super) number: u64,
    pub(super) source: &'a Arc<Source>,
    pub(super) kept: &'a Kept,
}

/// A file that was scanned in this run, and whether it was met for the first time.
pub(super) struct Scanned {
    pub(super) found: Found,
    pub(super) read: Read,
    pub(super) is_new: bool,
}

/// Scans new files again without the lines that others have.
pub(super) fn leave_out(
    scanned: &mut [Scanned],
    old: &[Old<'_>],
    formats: &Formats,
    options: &ScanOptions,
    workers: &Workers,
) -> Vec<crate::error::Error> {
    if !scanned.iter().any(|s| s.is_new) {
        return Vec::new();
    }
    let mut fresh = Vec::new();
    for (idx, s) in scanned.iter().enumerate().filter(|(_, s)| s.is_new) {
        let Read { reading, scan, .. } = &s.read;
        if let Some((first, last)) = first_of(scan).zip(last_of(scan)) {
            fresh.push(candidate(idx, reading, (first, last), scan.lines));
        }
    }
    // What this run adds to the logs that were known.
    let mut added: HashMap<u64, Vec<&FileScan>> = HashMap::new();
    for s in scanned.iter().filter(|s| !s.is_new) {
        added.entry(s.found.log()).or_default().push(&s.read.scan);
    }
    // Of two files the one with fewer lines is left out, and what is counted cannot be taken back.
    let most = fresh.iter().map(|c: &Candidate| c.lines).max().unwrap_or(0);
    let begin = fresh.iter().map(|c| c.first).min().unwrap_or(Second::MAX);
    let of = |c: &Candidate| &scanned[c.idx].read.scan;
    let met = Overlaps::of(&fresh);
    let mut known: Vec<Candidate> = Vec::new();
    for (at, o) in old.iter().enumerate() {
        let parts = added.get(&o.number).map_or(&[][..], Vec::as_slice);
        let Some(last) = parts.iter().filter_map(|s| last_of(s)).chain(o.kept.last()).max() else { continue };
        // Where the others end says that nearly all of them are over.
        let Some(first) = Some(last).filter(|last| *last >= begin).and_then(|_| o.kept.begins(formats))
        else {
            continue;
        };
        let candidate = Candidate {
            idx: scanned.len() + at,
            host: o.source.host.clone(),
            kind: o.kept.role() as u8,
            first,
            last,
            lines: o.kept.scan().lines.max(most + 1),
            shown: o.source.shown.clone(),
            seekable: o.source.is_seekable(),
        };
        let mut parts = std::iter::once(o.kept.scan()).chain(parts.iter().copied());
        let shares =
            |part: &FileScan| met.any(&candidate, |new| may_share((new, of(new)), (&candidate, part)));
        if parts.any(shares) {
            known.push(candidate);
        }
    }
    let overlaps = Overlaps::of(known.iter().chain(&fresh));
    let alike =
        |new: &Candidate, c: &Candidate| c.idx >= scanned.len() || may_share((new, of(new)), (c, of(c)));
    let suspect = |new: &&Candidate| overlaps.any(new, |c| alike(new, c));
    let candidates: Vec<Candidate> = known.iter().chain(fresh.iter().filter(suspect)).cloned().collect();
    let lines_of = |idx: usize, range: Range<Second>, visit: &mut dyn FnMut(u64, &[u8], Second)| match scanned
        .get(idx)
    {
        Some(s) => each_line_between(&s.read, range, visit),
        None => {
            if let Some(Ok(read)) = old.get(idx - scanned.len()).and_then(|o| o.around(&range, formats)) {
                each_line_between(&read, range, visit);
            }
        }
    };
    let mut by_file: BTreeMap<usize, Vec<Range<u64>>> = BTreeMap::new();
    for Skips { file, ranges, .. } in find(&candidates, &lines_of) {
        by_file.entry(file).or_default().extend(ranges);
    }
    let mut failures = Vec::new();
    for (file, mut skip) in by_file {
        let Some(s) = scanned.get_mut(file) else { continue };
        skip.sort_unstable_by_key(|r| (r.start, r.end));
        let job = Job { skip, ..s.found.job(&s.read.reading) };
        for result in scan(&[job], options, workers, &|_| ()) {
            match result {
                Ok(scan) => s.read.scan = scan,
                Err(error) => failures.push(error),
            }
        }
    }
    failures
}

fn candidate(idx: usize, reading: &Reading, (first, last): (Second, Second), lines: u64) -> Candidate {
    Candidate {
        idx,
        host: reading.source.host.clone(),
        kind: reading.role as u8,
        first,
        last,
        lines,
        shown: reading.source.shown.clone(),
        seekable: reading.source.is_seekable(),
    }
}

fn first_of(scan: &FileScan) -> Option<Second> {
    scan.first.map(|ms| ms.div_euclid(1000)).or(scan.error_span.map(|s| s.0))
}

fn last_of(scan: &FileScan) -> Option<Second> {
    scan.last.map(|ms| ms.div_euclid(1000)).or(scan.error_span.map(|s| s.1))
}

impl Old<'_> {
    /// The file, with the place of some seconds as its only index.
    fn around(&self, range: &Range<Second>, formats: &Formats) -> Option<Result<Read>> {
        let reading = self.kept.reading(Arc::clone(self.source), None, formats)?;
        let window = Window { start: range.start, end: range.end };
        // A packed file has no places: all of it is gone through.
        let place = if self.source.is_seekable() {
            PlainFile::open(self.source).and_then(|plain| seek(&plain, &reading.plan, window))
        } else {
            Ok(0..u64::MAX)
        };
        Some(place.map(|place| {
            let block = Block { start: place.start, end: place.end, first: range.start, last: range.end };
            let scan = FileScan { blocks: vec![block], ..FileScan::default() }.into();
            Read::of(reading, scan)
        }))
    }
}
