//! The stages in order: from paths to a Report. Each stage lives in its own module; here they are only called.
//!
//! `analysis/series.rs` counts per step, `analysis/formats.rs` says how files are read.

mod formats;
mod series;

pub(crate) mod part;

use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::detect::{self, Signals};
use crate::error::{Error, Result};
use crate::format::{AccessFormat, Escape, Exclude, nginx_conf};
use crate::input::digest;
use crate::input::discover::{DiscoverOptions, Discovered, HostFrom, Reason, Skipped, discover};
use crate::input::source::Kind;
use crate::inspect::{self, Counted, Host};
use crate::lines;
use crate::parallel::Workers;
use crate::reading::{self, Hints, Read, Reading, Refused, Role};
use crate::redact::{self, Redactor};
use crate::report::{Coverage, CoverageState, Report, Totals};
use crate::scan::ScanOptions;
use crate::time::{Second, Window};
use crate::timeline::Timeline;
use crate::zone::{self, ZonePlan};
pub use formats::{FormatReport, formats};
use part::{HostPart, Part};
pub use series::{Series, SeriesRow, series};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The zone in which the stamps of error logs are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorZoneChoice {
    /// Minutes east of UTC.
    Fixed(i16),
    /// A name of the zone database, like `America/Bogota`.
    Named(String),
}

/// What to read, and how.
#[expect(clippy::struct_excessive_bools, reason = "switches that have nothing to do with one another")]
#[derive(Debug, Clone)]
pub struct Options {
    /// Files, folders, or `-`.
    pub paths: Vec<PathBuf>,
    /// The window asked for; see [`Options::window_in`].
    pub window: Window,
    /// `window.start` is civil time, to be read in the zone that is shown.
    pub civil_start: bool,
    /// `window.end` is civil time, to be read in the zone that is shown.
    pub civil_end: bool,
    /// Minutes east of UTC of the zone that is shown; `None`: the log's own.
    pub zone: Option<i16>,
    /// The zone of error logs, when the user knows it.
    pub error_zone: Option<ErrorZoneChoice>,
    /// Names of formats, or `log_format` texts.
    pub log_formats: Vec<String>,
    /// An nginx configuration to learn formats from.
    pub nginx_conf: Option<PathBuf>,
    /// Where the name of the host stands.
    pub host_from: Option<String>,
    /// Paths of requests that shall not count, as [`crate::format::Exclude`] reads them.
    pub exclude: Vec<String>,
    /// User agents of requests that shall not count.
    pub exclude_agent: Vec<String>,
    /// Folders of pattern files.
    pub patterns: Vec<PathBuf>,
    /// Threads; 0 takes all cores.
    pub threads: usize,
    /// Whether to hash the files.
    pub digest: bool,
    /// Whether to hide clients and query strings.
    pub redact: bool,
    /// Whether to keep what can be read only once (standard input, pipes) in a temporary file, to read it as files are:
    /// again where a verdict hangs on single requests. [`lines`] does so always.
    pub keep_streams: bool,
    /// Bytes a chunk, for tests.
    pub chunk_bytes: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            window: Window::ALL,
            civil_start: false,
            civil_end: false,
            zone: None,
            error_zone: None,
            log_formats: Vec::new(),
            nginx_conf: None,
            host_from: None,
            exclude: Vec::new(),
            exclude_agent: Vec::new(),
            patterns: Vec::new(),
            threads: 0,
            digest: false,
            redact: false,
            keep_streams: false,
            chunk_bytes: None,
        }
    }
}

impl Options {
    /// The window in UTC, once the zone that is shown is known: a user who types `18:00` means the log's clock.
    pub fn window_in(&self, zone: i16) -> Window {
        let shift = |second: Second, civil: bool| {
            if civil { second.saturating_sub(i64::from(zone) * 60) } else { second }
        };
        Window {
            start: shift(self.window.start, self.civil_start),
            end: shift(self.window.end, self.civil_end),
        }
    }
}

/// Hears how far the work is.
pub trait Progress: Sync {
    /// Bytes there are.
    fn total(&self, bytes: u64);
    /// Bytes done since the last call.
    fn advance(&self, bytes: u64);
    /// What is done now.
    fn stage(&self, what: &str);
}

/// Nobody asks how far the work is.
impl Progress for () {
    fn total(&self, _: u64) {}
    fn advance(&self, _: u64) {}
    fn stage(&self, _: &str) {}
}

/// What a run yields.
#[derive(Debug)]
pub struct Outcome {
    /// The report.
    pub report: Report,
    /// Files that could not be read.
    pub failures: Vec<Error>,
    /// The requests of all hosts by second.
    pub timeline: Timeline,
}

/// Files found and looked at.
struct Gathered {
    readings: Vec<Reading>,
    refused: Vec<Refused>,
    skipped: BTreeMap<Reason, Skipped>,
    failures: Vec<Error>,
}

/// Finds the files.
pub(crate) fn find(options: &Options) -> Result<Discovered> {
    let host_from = options.host_from.as_deref().map(HostFrom::parse).transpose()?.unwrap_or(HostFrom::Auto);
    let keep_streams = options.keep_streams;
    discover(&options.paths, &DiscoverOptions { host_from, keep_streams, ..DiscoverOptions::default() })
}

/// Finds the files and learns how each is read.
fn gather(options: &Options, workers: &Workers) -> Result<Gathered> {
    let found = find(options)?;
    let hints = hints(options)?;
    let Discovered { sources, skipped, errors } = found;
    let looks = reading::look_all(&sources, &hints, workers);
    drop(sources);
    let readings = Vec::with_capacity(looks.len());
    let mut out = Gathered { readings, refused: Vec::new(), skipped, failures: errors };
    for look in looks {
        match look {
            Ok(Ok(reading)) => out.readings.push(reading),
            Ok(Err(refused)) => {
                // A file that was named is an error when it cannot be read as asked; one a folder held is not.
                let named = options.paths.contains(&refused.source.path) || refused.source.kind != Kind::File;
                if named && !refused.empty {
                    out.failures
                        .push(Error::Usage(format!("{}: not read: {}", refused.source.shown, refused.why)));
                }
                out.refused.push(refused);
            }
            Err(e) => out.failures.push(e),
        }
    }
    reading::name_sites(&mut out.readings);
    Ok(out)
}

/// What shall not count.
pub(crate) fn excluded(options: &Options) -> Result<Option<Arc<Exclude>>> {
    let exclude = Exclude::new(&options.exclude, &options.exclude_agent)?;
    Ok((!exclude.is_empty()).then(|| Arc::new(exclude)))
}

/// What is known before a file is looked at: the formats that the user or nginx's configuration names, and what shall not
/// count.
pub(crate) fn hints(options: &Options) -> Result<Hints> {
    let mut formats = Vec::new();
    for text in &options.log_formats {
        let format =
            AccessFormat::by_name(text).map_or_else(|| AccessFormat::from_directive("", text, None), Ok)?;
        if !format.is_usable() {
            let what = "has no time, or neither status nor request; nothing can be counted with it";
            return Err(Error::Usage(format!("log format '{text}': {what}")));
        }
        formats.push(format);
    }
    if let Some(path) = &options.nginx_conf {
        for f in &nginx_conf::read(path)?.log_formats {
            let escape = f.escape.as_deref().and_then(Escape::from_name);
            let format = AccessFormat::from_directive(&f.name, &f.text, escape)?;
            // A configuration has formats for other ends too (statistics, `stream`), and they are no mistake.
            if format.is_usable() {
                formats.push(format);
            }
        }
    }
    Ok(Hints { formats, exclude: excluded(options)? })
}

/// The zone that is shown: the one asked for, or that of the first stamp of the first access log that has one.
pub(crate) fn shown_zone(options: &Options, readings: &[Reading]) -> Option<i16> {
    let of_log = || {
        readings
            .iter()
            .filter(|r| r.role == Role::Access)
            .find_map(|r| r.plan.formats.iter().find_map(|f| f.parse(&r.example).ok()?.time?.offset))
    };
    options.zone.or_else(of_log)
}

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

fn count(options: &Options, progress: &dyn Progress) -> Result<Counts> {
    let workers = Workers::new(options.threads)?;
    progress.stage("looking at the files");
    let Gathered { readings, refused, skipped, mut failures } = gather(options, &workers)?;
    if options.redact {
        // The key is made of what is read, while it is read: a stream is there only once.
        readings.iter().filter_map(|r| r.source.reader()).for_each(|once| once.feed(redact::content()));
    }
    let zone = shown_zone(options, &readings);
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
    Ok(Counts { reads, refused, skipped, failures, zone, window })
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
    let counts = count(options, progress)?;
    progress.stage("looking for incidents");
    finish(options, users, counts, then)
}

/// The catalogue with the user's own patterns, where there are any. To be asked before the work, so that a mistake in
/// them is told at once.
pub(crate) fn users_catalogue(options: &Options) -> Result<Option<Catalogue>> {
    (!options.patterns.is_empty()).then(|| Catalogue::with_dirs(&options.patterns)).transpose()
}

/// Detects and inspects what was counted.
pub(crate) fn conclude(options: &Options, users: Option<Catalogue>, counts: Counts) -> Result<Outcome> {
    finish(options, users, counts, |_, _, _| ()).map(|(outcome, ())| outcome)
}

fn finish<R>(
    options: &Options,
    users: Option<Catalogue>,
    counts: Counts,
    then: impl FnOnce(&Report, &[Read], &[Host<'_>]) -> R,
) -> Result<(Outcome, R)> {
    let catalogue = catalogue(users, &counts.reads)?;
    let zone = |span| given_zone(options, span);
    let hosts = inspect::hosts(&counts.reads, &catalogue, counts.window, &zone)?;
    let (part, failures) = part_of(options, &counts, &hosts, hosts.len() > 1);
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
    for (_, read) in counts.reads.into_iter().enumerate().filter(|(i, _)| borrowed.contains(i)) {
        timeline.merge(read.scan.timeline);
    }
    Ok((Outcome { report, failures: counts.failures.into_iter().chain(failures).collect(), timeline }, more))
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
    let counts = count(options, progress)?;
    progress.stage("looking for incidents");
    let catalogue = catalogue(users, &counts.reads)?;
    let zone = |span| given_zone(options, span);
    let hosts = inspect::hosts(&counts.reads, &catalogue, counts.window, &zone)?;
    let (part, failures) = part_of(options, &counts, &hosts, true);
    let done = then(&part)?;
    Ok((done, counts.failures.into_iter().chain(failures).collect()))
}

/// What the hosts say, and which files could not be hashed.
fn part_of<'a>(
    options: &Options,
    counts: &Counts,
    hosts: &'a [Host<'_>],
    apart: bool,
) -> (Part<'a>, Vec<Error>) {
    let Counts { reads, refused, skipped, failures, zone, window } = counts;
    let coverage = inspect::coverage(reads, refused, hosts, *window);
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
        hosts: hosts.iter().map(|host| host_part(host, &coverage, apart)).collect(),
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
    (part, failed)
}

/// What one host says; `apart` where there are others to compare it with.
fn host_part<'a>(host: &'a Host<'_>, coverage: &[Coverage], apart: bool) -> HostPart<'a> {
    let (records, said) = inspect::records(host);
    let coverage: Vec<Coverage> = coverage.iter().filter(|c| c.host == host.name).cloned().collect();
    let mut found = detect_host(host, &coverage);
    let mut looks = inspect::Looks::default();
    let mut findings = inspect::settle(host, &mut looks, &mut found);
    let incidents = inspect::incidents(host, &mut looks, &found.anomalies);
    findings.extend(inspect::findings(host, &found.anomalies, &found.remarks));
    HostPart {
        name: host.name.clone(),
        timeline: Cow::Borrowed(&host.timeline),
        errors: Cow::Borrowed(host.error_ticks()),
        records,
        said,
        sightings: if apart { inspect::sightings(host) } else { Vec::new() },
        incidents,
        findings,
        coverage,
        failures_only: host.trials.is_some(),
    }
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

fn detect_host(host: &Host<'_>, coverage: &[Coverage]) -> detect::Detection {
    let mine = coverage.iter().filter(|c| c.state == CoverageState::Covered);
    let covered: Vec<Window> =
        mine.map(|c| Window { start: c.start.div_euclid(1000), end: c.end.div_euclid(1000) }).collect();
    // Asked for every record, so worked out once for every class.
    let classes = u16::try_from(host.catalogue.patterns().len()).unwrap_or(u16::MAX);
    let excused: Vec<bool> = (0..classes).map(|c| host.category(c).starts_with("limit.")).collect();
    let is = |of: &[bool], class: u16| of.get(usize::from(class)).copied().unwrap_or(false);
    let counted = Counted::of(host);
    let timed_out = |window: Window| {
        let all = host.failures(window);
        let late: u64 = [504, 408, 499].iter().filter_map(|s| all.statuses.get(s)).sum();
        late * 2 > all.failed
    };
    let detect_options =
        detect::Options { arrival_known: host.arrival_known(), ..detect::Options::default() };
    detect::find(
        &Signals {
            access: (!host.timeline.is_empty()).then_some(&counted),
            timings: host.trials.is_none().then_some(&host.timeline),
            errors: host.error_ticks(),
            server_side: &|class| host.server_side(class),
            excused: &|class| is(&excused, class),
            timed_out: &timed_out,
            marks: &host.marks,
            other_activity: &host.error_activity(),
            covered: &covered,
        },
        &detect_options,
    )
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
