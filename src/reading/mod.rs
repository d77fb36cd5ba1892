//! From inputs to counts: what each file is, how it is read, and what the scan made of it.
//!
//! [`learn`] decides how a file is read, [`sets`] how many are, [`twice`] leaves out what two files share, and [`read`] runs the stages.

mod learn;
mod lines;
mod pieces;
mod records;
mod sets;
mod sites;
mod stamps;
mod twice;

pub use learn::{Hints, Looked, Reading, Refused, Role, look, sample_fields};
pub use lines::{
    Requests, byte_of_line, bytes_between, can_be_read_again, each_line_between, each_line_between_if,
    each_record_between, each_request_between, each_request_with, line_number, places_between, record_at,
    some_requests_between, spans_between,
};
pub use pieces::{Pieces, is_packed, is_unpacked, unpack, unpack_now};
pub use records::{Whole, each_record};
pub use sets::look_all;
pub use sites::{name_sites, name_sites_beside};
pub use stamps::Stamps;
pub(crate) use twice::may_share;

use crate::error::{Error, Result};
use crate::input::source::PlainFile;
use crate::parallel::Workers;
use crate::scan::{FileScan, Job, ScanOptions, scan, seek};
use crate::time::Window;
use crate::timeline::Timeline;
use std::ops::Range;
use std::sync::Arc;

/// What became of one file.
#[derive(Debug)]
pub struct Read {
    /// How it was read.
    pub reading: Box<Reading>,
    /// What the scan counted; shared with who keeps it for a later run.
    pub scan: Arc<FileScan>,
    /// Bytes outside the asked window that were not looked at.
    pub passed_over: u64,
    /// The file grew or was cut while it was read: its length before and after.
    pub length: Option<(u64, u64)>,
    /// Lines left out because this file (by index) has them too.
    pub twin: Option<usize>,
    /// Of a packed file, what was unpacked again.
    pub pieces: Pieces,
}

impl Read {
    /// A file of which all was read, and which stayed as it was meanwhile.
    pub fn of(reading: Box<Reading>, scan: Arc<FileScan>) -> Self {
        Self { reading, scan, passed_over: 0, length: None, twin: None, pieces: Pieces::default() }
    }

    /// The requests by second.
    pub fn take_timeline(&mut self) -> Timeline {
        let own = Arc::get_mut(&mut self.scan).map(|scan| std::mem::take(&mut scan.timeline));
        own.unwrap_or_else(|| self.scan.timeline.clone())
    }
}

/// Scans all files; those that fail on the way are given back as errors.
pub fn read(
    readings: Vec<Box<Reading>>,
    options: &ScanOptions,
    workers: &Workers,
    progress: &(dyn Fn(u64) + Sync),
) -> (Vec<Read>, Vec<Error>) {
    let lengths: Vec<Option<u64>> =
        readings.iter().map(|r| r.source.is_seekable().then_some(r.source.size)).collect();
    let ranges: Vec<Option<Range<u64>>> = readings.iter().map(|r| range_of(r, options.window)).collect();
    let jobs: Vec<Job<'_>> = readings
        .iter()
        .zip(&ranges)
        .map(|(r, range)| Job { source: &r.source, plan: &r.plan, range: range.clone(), skip: Vec::new() })
        .collect();
    let scans = scan(&jobs, options, workers, progress);
    drop(jobs);
    let mut done = Vec::with_capacity(readings.len());
    let mut failed = Vec::new();
    for (((reading, result), range), length) in readings.into_iter().zip(scans).zip(&ranges).zip(lengths) {
        match result {
            Ok(scan) => {
                let looked_at = range.as_ref().map(|r| r.end - r.start);
                let now = length.and_then(|_| std::fs::metadata(&reading.source.path).ok());
                let length = length.zip(now.map(|now| now.len())).filter(|(before, now)| before != now);
                let size = reading.source.size;
                let passed_over = looked_at.map_or(0, |n| size.saturating_sub(n));
                done.push(Read { passed_over, length, ..Read::of(reading, scan) });
            }
            Err(e) => failed.push(e),
        }
    }
    twice::leave_out(&mut done, options, workers);
    (done, failed)
}

/// The bytes of a plain file that a window needs; `None` for all.
fn range_of(reading: &Reading, window: Window) -> Option<Range<u64>> {
    use crate::format::framing::Framing;
    if window == Window::ALL || !reading.source.is_seekable() || reading.plan.framing != Framing::None {
        return None;
    }
    // A file that cannot be searched is read whole; the scan will meet the same error and name it.
    let plain = PlainFile::open(&reading.source).ok()?;
    seek(&plain, &reading.plan, window).ok()
}

/// Runs the files of a list again, each without the ranges given.
fn again(
    files: &[(&Reading, Vec<Range<u64>>)],
    options: &ScanOptions,
    workers: &Workers,
) -> Vec<Result<Arc<FileScan>>> {
    let jobs: Vec<Job<'_>> = files
        .iter()
        .map(|(r, skip)| Job {
            source: &r.source,
            plan: &r.plan,
            range: range_of(r, options.window),
            skip: skip.clone(),
        })
        .collect();
    scan(&jobs, options, workers, &|_| ())
}
