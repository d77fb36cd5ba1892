//! Lines that stand in two files are counted once: finds them and scans the smaller file again without them.

use super::{Read, Role, again, each_line_between};
use crate::input::duplicates::{Candidate, Overlaps, Skips, find, shared};
use crate::input::source::Kind;
use crate::parallel::Workers;
use crate::ranges::joined;
use crate::scan::{FileScan, ScanOptions};
use crate::time::{Second, Window};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Leaves out of each file what another has too.
pub(super) fn leave_out(reads: &mut [Read], options: &ScanOptions, workers: &Workers) {
    leave_out_whole(reads);
    let rest = reads.iter().enumerate().filter(|(_, r)| r.twin.is_none());
    let mut candidates: Vec<Candidate> = rest.filter_map(|(idx, r)| candidate(idx, r)).collect();
    let overlaps = Overlaps::of(&candidates);
    let suspect = |c: &Candidate| {
        let scan = |c: &Candidate| &reads[c.idx].scan;
        overlaps.any(c, |d| may_share((c, scan(c)), (d, scan(d))))
    };
    let suspects: Vec<bool> = candidates.iter().map(suspect).collect();
    let mut suspects = suspects.into_iter();
    candidates.retain(|_| suspects.next() == Some(true));
    let lines_of = |idx: usize, range: Range<Second>, visit: &mut dyn FnMut(u64, &[u8], Second)| {
        each_line_between(&reads[idx], range, visit);
    };
    let found = find(&candidates, &lines_of);
    if found.is_empty() {
        return;
    }
    let mut by_file: BTreeMap<usize, (usize, Vec<Range<u64>>)> = BTreeMap::new();
    for Skips { file, ranges, of, .. } in found {
        by_file.entry(file).or_insert((of, Vec::new())).1.extend(ranges);
    }
    let files: Vec<_> =
        by_file.iter().map(|(&file, (_, skip))| (&*reads[file].reading, joined(skip.clone()))).collect();
    let scans = again(&files, options, workers);
    for ((file, (of, _)), scan) in by_file.into_iter().zip(scans) {
        if let Ok(scan) = scan {
            reads[file].scan = scan;
            reads[file].twin = Some(of);
        }
    }
}

/// Unpacked bytes up to which a packed file is read again just to be sure.
const SMALL: u64 = 32 << 20;

/// Whether it is worth looking for lines that two files share. Plain files are cheap to look into. A packed one has to
/// be unpacked again for every look (measured: 6 s for two of 256 MiB that share nothing), so the failed requests that
/// both scans kept are asked first. Asked of files of one host and kind ([`Overlaps`]).
pub(crate) fn may_share((a, x): (&Candidate, &FileScan), (b, y): (&Candidate, &FileScan)) -> bool {
    let Some((from, to)) = shared(a, b) else { return false };
    a.seekable && b.seekable || x.saw_the_same(y, from, to).unwrap_or(x.bytes.max(y.bytes) <= SMALL)
}

/// Seconds of so many kinds are no monitor's: a log of nothing but checks has one or two.
const KINDS: usize = 8;

/// Leaves out access logs that are the whole of another, usually a rotated file beside its packed copy: as many lines
/// and bytes, and in each second the same counts. To compare what the scan knows costs nothing; to join two packed
/// files line by line unpacks them again for every stretch of time (20 times for 1.2 million lines).
fn leave_out_whole(reads: &mut [Read]) {
    let facts = |i: usize| {
        let Read { reading, scan, .. } = &reads[i];
        (&reading.source.host, reading.role, scan.lines, scan.bytes, scan.first, scan.last)
    };
    let mut files: Vec<usize> =
        (0..reads.len()).filter(|&i| reads[i].reading.source.kind == Kind::File).collect();
    files.sort_by(|&a, &b| facts(a).cmp(&facts(b)));
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for alike in files.chunk_by_mut(|&a, &b| facts(a) == facts(b)).filter(|alike| alike.len() > 1) {
        // A plain file is kept before a packed one, for its lines can be quoted.
        alike.sort_by_key(|&i| (!reads[i].reading.source.is_seekable(), &reads[i].reading.source.shown));
        let kept = alike[0];
        if varied(&reads[kept]) {
            let same = |i: &&usize| reads[**i].scan.timeline == reads[kept].scan.timeline;
            pairs.extend(alike[1..].iter().filter(same).map(|&i| (i, kept)));
        }
    }
    for (copy, of) in pairs {
        let FileScan { lines, bytes, first, last, .. } = *reads[copy].scan;
        let left = FileScan { duplicate: lines, duplicate_bytes: bytes, first, last, ..FileScan::default() };
        reads[copy].scan = left.into();
        reads[copy].twin = Some(of);
    }
}

/// Whether the seconds of an access log differ enough that another log with the same ones is a copy.
fn varied(read: &Read) -> bool {
    let mut kinds = BTreeSet::new();
    read.scan.timeline.each(Window::ALL, |m| {
        if kinds.len() < KINDS {
            kinds.insert((m.counts, m.failed));
        }
    });
    kinds.len() >= KINDS
}

fn candidate(idx: usize, read: &Read) -> Option<Candidate> {
    let role = read.reading.role;
    let (first, last) = match role {
        Role::Access => (read.scan.first?.div_euclid(1000), read.scan.last?.div_euclid(1000)),
        Role::Error => read.scan.error_span?,
    };
    // What was read once only cannot be compared.
    let again = read.reading.source.kind == Kind::File;
    again.then(|| Candidate {
        idx,
        host: read.reading.source.host.clone(),
        kind: role as u8,
        first,
        last,
        lines: read.scan.lines,
        shown: read.reading.source.shown.clone(),
        seekable: read.reading.source.is_seekable(),
    })
}
