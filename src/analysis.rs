//! The stages in order: from paths to a Report. Each stage lives in its own module; here they are only called.
//!
//! `analysis/options.rs` has what is asked, `analysis/sources.rs` the files, `analysis/host.rs` what is made of one host,
//! `analysis/series.rs` counts per step, `analysis/formats.rs` says how files are read.

mod formats;
mod host;
mod options;
mod series;
mod sources;

pub(crate) mod part;

use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::format::AccessFormat;
use crate::input::digest;
use crate::input::discover::{Reason, Skipped};
use crate::input::source::Kind;
use crate::inspect::{self, Host};
use crate::lines;
use crate::parallel::Workers;
use crate::reading::{self, Read, Refused, Role};
use crate::redact::{self, Redactor};
use crate::report::{Report, Totals};
use crate::scan::ScanOptions;
use crate::time::Window;
use crate::timeline::Timeline;
use crate::zone::{self, ZonePlan};
pub use formats::{FormatReport, formats};
use host::host_part;
pub use options::{ErrorZoneChoice, Options, Progress};
use part::Part;
pub use series::{Series, SeriesRow, series};
use sources::{Gathered, gather};
pub(crate) use sources::{excluded, find, hints, shown_zone};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What a run yields.
#[derive(Debug)]
pub struct Outcome {
    /// The report.
    pub report: Report,
    /// Files that could not be read.
    pub failures: Vec<Error>,
    /// The requests of all hosts by second.
    pub timeline: Timeline,
    /// What else was read, to be taken apart with the outcome and not before: a program that ends with it can leave that
    /// to the system.
    #[expect(dead_code, reason = "kept for its end alone")]
    rest: Vec<Read>,
}

/// Of more files what was read is taken apart at once.
const MANY: usize = 10_000;

fn given_zone(options: &Options, span: Window) -> Result<Option<ZonePlan>> {
    Ok(match &options.error_zone {
        None => None,
        Some(ErrorZoneChoice::Fixed(offset)) => Some(ZonePlan::fixed(*offset, "given", true)),
        Some(ErrorZoneChoice::Named(name)) => Some(zone::named(name, span)?),
    })
}

/// Files read, and what it takes to speak of them.
pub(crate) struct Counts {
    pub(crate) reads: Vec<Read>,
    pub(crate) refused: Vec<Refused>,
    pub(crate) skipped: BTreeMap<Reason, Skipped>,
    pub(crate) failures: Vec<Error>,
    pub(crate) zone: Option<i16>,
    pub(crate) window: Window,
}

/// Reads what is to be read; with who did it, to be asked again.
fn count(options: &Options, progress: &dyn Progress) -> Result<(Counts, Workers)> {
    let workers = Workers::new(options.threads)?;
    progress.stage("looking at the files");
    let Gathered { mut readings, refused, skipped, mut failures } = gather(options, &workers)?;
    if options.redact {
        // The key is made of what is read, while it is read: a stream is there only once.
        readings.iter().filter_map(|r| r.source.reader()).for_each(|once| once.feed(redact::content()));
    }
    let zone = shown_zone(options, &readings);
    // They have said all that is asked of them, and of a hundred thousand files they are 10 MB.
    for reading in &mut readings {
        reading.example = Box::default();
    }
    let window = options.window_in(zone.unwrap_or(0));
    let defaults = ScanOptions::default();
    let chunk_bytes = options.chunk_bytes.map_or(defaults.chunk_bytes, |n| n.max(1) as u64);
    progress.stage("reading");
    progress.total(readings.iter().map(|r| r.source.size).sum());
    let scan_options = ScanOptions { window, chunk_bytes, ..defaults };
    let (reads, errors) = reading::read(readings, &scan_options, &workers, &|n| progress.advance(n));
    failures.extend(errors);
    failures.extend(reads.iter().filter_map(|r| {
        let what = r.scan.damage.clone()?;
        Some(Error::Damaged { path: r.reading.source.shown.clone(), what })
    }));
    Ok((Counts { reads, refused, skipped, failures, zone, window }, workers))
}

/// Reads, counts, detects, inspects.
pub fn run(options: &Options, progress: &dyn Progress) -> Result<Outcome> {
    examine(options, progress, |_, _, _| ()).map(|(outcome, ())| outcome)
}

/// The raw lines behind an incident or a place, in order of time over all files; gives each to `out`, with the
/// clock of the report.
pub fn lines(
    options: &Options,
    request: &lines::Request,
    progress: &dyn Progress,
    out: &mut dyn FnMut(&lines::Line<'_>, Clock) -> std::io::Result<()>,
) -> Result<Outcome> {
    let options = Options { keep_streams: true, ..options.clone() };
    let (outcome, done) = examine(&options, progress, |report, reads, hosts| {
        let clock = Clock::new(report.zone);
        lines::lines(report, reads, hosts, request, &mut |line| out(line, clock))
    })?;
    done.map(|()| outcome)
}

/// Runs all stages; `then` sees what they left behind.
fn examine<R>(
    options: &Options,
    progress: &dyn Progress,
    then: impl FnOnce(&Report, &[Read], &[Host<'_>]) -> R,
) -> Result<(Outcome, R)> {
    let users = users_catalogue(options)?;
    let (counts, workers) = count(options, progress)?;
    progress.stage("looking for incidents");
    finish(options, users, counts, Some(&workers), then)
}

/// The catalogue with the user's own patterns, where there are any. To be asked before the work, so that a mistake in
/// them is told at once.
pub(crate) fn users_catalogue(options: &Options) -> Result<Option<Catalogue>> {
    (!options.patterns.is_empty()).then(|| Catalogue::with_dirs(&options.patterns)).transpose()
}

/// Detects and inspects what was counted.
pub(crate) fn conclude(options: &Options, users: Option<Catalogue>, counts: Counts) -> Result<Outcome> {
    finish(options, users, counts, None, |_, _, _| ()).map(|(outcome, ())| outcome)
}

fn finish<R>(
    options: &Options,
    users: Option<Catalogue>,
    counts: Counts,
    workers: Option<&Workers>,
    then: impl FnOnce(&Report, &[Read], &[Host<'_>]) -> R,
) -> Result<(Outcome, R)> {
    let catalogue = catalogue(users, &counts.reads)?;
    let zone = |span| given_zone(options, span);
    let hosts = inspect::hosts(&counts.reads, &catalogue, counts.window, &zone)?;
    let (part, failures) = part_of(options, &counts, &hosts, hosts.len() > 1, workers)?;
    let mut report = part::assemble(vec![part])?;
    let more = then(&report, &counts.reads, &hosts);
    if options.redact {
        hide(&mut report, &counts.reads)?;
    }
    let mut timeline = Timeline::default();
    let mut borrowed = Vec::new();
    for host in hosts {
        match host.timeline {
            Cow::Owned(own) => timeline.merge(own),
            Cow::Borrowed(_) => borrowed.extend(host.files),
        }
    }
    let mut rest = counts.reads;
    for (_, read) in rest.iter_mut().enumerate().filter(|(i, _)| borrowed.contains(i)) {
        timeline.merge(read.take_timeline());
    }
    // Of very many files that is more than the report, and a report is not yet written.
    if rest.len() > MANY {
        rest = Vec::new();
    }
    let failures = counts.failures.into_iter().chain(failures).collect();
    Ok((Outcome { report, failures, timeline, rest }, more))
}

fn catalogue(users: Option<Catalogue>, reads: &[Read]) -> Result<Catalogue> {
    match users {
        Some(catalogue) => Ok(catalogue),
        // Records can stand in an access log too: one stream of a container carries both.
        None if reads.iter().any(|r| r.scan.error_records > 0) => Catalogue::builtin(),
        None => Catalogue::none(),
    }
}

/// Reads, counts, detects and inspects, and gives what the hosts say to `then`, to be put together elsewhere.
pub(crate) fn part<R>(
    options: &Options,
    progress: &dyn Progress,
    then: impl FnOnce(&Part<'_>) -> Result<R>,
) -> Result<(R, Vec<Error>)> {
    let users = users_catalogue(options)?;
    let (counts, workers) = count(options, progress)?;
    progress.stage("looking for incidents");
    let catalogue = catalogue(users, &counts.reads)?;
    let zone = |span| given_zone(options, span);
    let hosts = inspect::hosts(&counts.reads, &catalogue, counts.window, &zone)?;
    let (part, failures) = part_of(options, &counts, &hosts, true, Some(&workers))?;
    let done = then(&part)?;
    Ok((done, counts.failures.into_iter().chain(failures).collect()))
}

/// What the hosts say, and which files could not be hashed.
fn part_of<'a>(
    options: &Options,
    counts: &Counts,
    hosts: &'a [Host<'_>],
    apart: bool,
    workers: Option<&Workers>,
) -> Result<(Part<'a>, Vec<Error>)> {
    let Counts { reads, refused, skipped, failures, zone, window } = counts;
    let coverage = inspect::coverage(reads, refused, hosts, *window);
    let more = || Workers::new(options.threads);
    let hosts_of =
        hosts.iter().map(|host| host_part(host, &coverage, apart, workers, more)).collect::<Result<_>>()?;
    // Behind the hosts: whether a packed file was long is known when it was to be read again.
    let mut inputs = inspect::inputs(reads, hosts);
    let mut failed = Vec::new();
    for input in inputs.iter_mut().filter(|_| options.digest) {
        let file =
            reads.iter().map(|r| &r.reading.source).find(|s| s.kind == Kind::File && s.shown == input.path);
        input.digest = file.and_then(|s| digest::sha256(&s.path).map_err(|e| failed.push(e)).ok());
    }
    let only_errors = reads.iter().all(|r| r.reading.role == Role::Error);
    let shown = if only_errors && options.zone.is_none() { 0 } else { zone.unwrap_or(0) };
    let part = Part {
        hosts: hosts_of,
        inputs,
        left_out: inspect::left_out(reads, refused),
        skipped: part::skipped(skipped),
        totals: totals(reads),
        zone: *zone,
        zone_asked: options.zone.is_some(),
        only_errors,
        window: (window.start, window.end),
        paths: part::paths(options),
        asked: part::asked(options, *window, shown),
        failures: failures.iter().chain(&failed).map(ToString::to_string).collect(),
    };
    Ok((part, failed))
}

/// Hides clients and query strings, under a key made of the inputs.
fn hide(report: &mut Report, reads: &[Read]) -> Result<()> {
    let mut contents = Vec::new();
    for source in reads.iter().map(|r| &r.reading.source) {
        contents.push(match (source.kind, source.reader()) {
            (_, Some(once)) => once.fed().ok_or_else(|| {
                Error::Usage(format!(
                    "{}: --redact makes its key of all that is read, and it was not",
                    source.shown
                ))
            })?,
            (Kind::Kept, None) => {
                let what = "--redact makes its key of all of the logs, and earlier runs read this";
                return Err(Error::Usage(format!("{}: {what}", source.shown)));
            }
            (_, None) => redact::of_file(&source.path)?,
        });
    }
    let mut redactor = Redactor::of_contents(contents);
    for read in reads {
        let formats = read.reading.plan.formats.iter().map(AccessFormat::definition);
        redactor.format(&read.reading.source.shown, formats);
    }
    redactor.report(report);
    Ok(())
}

fn totals(reads: &[Read]) -> Totals {
    let mut t = Totals::default();
    for r in reads {
        t.lines += r.scan.lines;
        t.bytes += r.scan.bytes;
        t.requests += r.scan.requests;
        t.error_records += r.scan.error_records;
        t.failed += r.scan.failed();
    }
    t
}
