//! Lines of a file that is met for the first time and that stand in another log of the same host too: an excerpt that
//! somebody left beside its log, or several logs put together. They are left out, as a run over everything does it.
//!
//! Only new files are looked at, so that runs in which nothing is rotated pay nothing. The other logs are not read: the
//! seconds that matter are looked up in them. Packed ones have to be unpacked for it, so they are asked only where both
//! scans saw the same failed requests, or the files are small.

use super::identity::Found;
use super::kept::Kept;
use crate::error::Result;
use crate::input::duplicates::{Candidate, Skips, find};
use crate::input::source::{PlainFile, Source};
use crate::parallel::Workers;
use crate::reading::{Read, Reading, each_line_between, may_share};
use crate::scan::{Block, FileScan, Job, ScanOptions, scan, seek};
use crate::time::{Second, Window};
use std::collections::BTreeMap;
use std::ops::Range;

/// A log that was read before, where it lies now.
pub(super) struct Old<'a> {
    pub(super) number: u64,
    pub(super) source: Source,
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
    options: &ScanOptions,
    workers: &Workers,
) -> Vec<crate::error::Error> {
    if !scanned.iter().any(|s| s.is_new) {
        return Vec::new();
    }
    let mut fresh = Vec::new();
    for (idx, s) in scanned.iter().enumerate().filter(|(_, s)| s.is_new) {
        let Read { reading, scan, .. } = &s.read;
        let span = scan.first.zip(scan.last).map(|(a, b)| (a.div_euclid(1000), b.div_euclid(1000)));
        if let Some((first, last)) = span.or(scan.error_span) {
            fresh.push(candidate(idx, reading, (first, last), scan.lines));
        }
    }
    let span = |o: &Old<'_>| {
        // It may have grown in this run.
        let now = scanned.iter().filter(|s| s.read.reading.source.path == o.source.path);
        let now = now
            .filter_map(|s| Some(s.read.scan.last?.div_euclid(1000)).or(s.read.scan.error_span.map(|e| e.1)));
        Some((o.kept.begins()?, o.kept.last().into_iter().chain(now).max()?))
    };
    // Of two files the one with fewer lines is left out, and what is counted cannot be taken back.
    let most = fresh.iter().map(|c: &Candidate| c.lines).max().unwrap_or(0);
    let mut candidates: Vec<Candidate> = Vec::new();
    for (at, o) in old.iter().enumerate() {
        if let (Some(span), Some(reading)) = (span(o), o.kept.reading(o.source.clone(), None)) {
            let lines = o.kept.scan().lines.max(most + 1);
            let known = candidate(scanned.len() + at, &reading, span, lines);
            // What it holds, and what this run adds to it.
            let mut parts = vec![o.kept.scan()];
            parts.extend(scanned.iter().filter(|s| s.found.log() == o.number).map(|s| &s.read.scan));
            let shares = |new: &Candidate| {
                parts.iter().any(|part| may_share((new, &scanned[new.idx].read.scan), (&known, part)))
            };
            if fresh.iter().any(shares) {
                candidates.push(known);
            }
        }
    }
    let suspect = |new: &&Candidate| {
        let scan = |c: &Candidate| &scanned[c.idx].read.scan;
        let alike = |c: &Candidate| c.idx >= scanned.len() || may_share((new, scan(new)), (c, scan(c)));
        candidates.iter().chain(&fresh).any(|c| c.idx != new.idx && alike(c))
    };
    let suspects: Vec<Candidate> = fresh.iter().filter(suspect).cloned().collect();
    candidates.extend(suspects);
    let lines_of = |idx: usize, range: Range<Second>, visit: &mut dyn FnMut(u64, &[u8], Second)| match scanned
        .get(idx)
    {
        Some(s) => each_line_between(&s.read, range, visit),
        None => {
            if let Some(Ok(read)) = old.get(idx - scanned.len()).and_then(|o| o.around(&range)) {
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

impl Old<'_> {
    /// The file, with the place of some seconds as its only index.
    fn around(&self, range: &Range<Second>) -> Option<Result<Read>> {
        let reading = self.kept.reading(self.source.clone(), None)?;
        let window = Window { start: range.start, end: range.end };
        // A packed file has no places: all of it is gone through.
        let place = if self.source.is_seekable() {
            PlainFile::open(&self.source).and_then(|plain| seek(&plain, &reading.plan, window))
        } else {
            Ok(0..u64::MAX)
        };
        Some(place.map(|place| {
            let block = Block { start: place.start, end: place.end, first: range.start, last: range.end };
            let scan = FileScan { blocks: vec![block], ..FileScan::default() };
            Read { reading, scan, passed_over: 0, length: None, twin: None }
        }))
    }
}
