//! Runs that go on where the last one stopped: for cron and monitoring, for years.
//!
//! A state is one file. It holds, for every log that was met, how far it was read, and for the last days what the scan
//! of those bytes yielded ([`FileScan`](crate::scan::FileScan), which adds up exactly). So a run reads the new bytes,
//! adds them, and looks for incidents in the sum: an incident over two runs is one. Where a verdict hangs on single
//! requests, a log that still lies there is read again at their place, as a run over everything does it.
//!
//! * [`identity`]: a file is known by its content and not by its name or inode, so that rotation by renaming, by copying
//!   and cutting, and by packing lose no line and count none twice;
//! * [`prints`]: what it is known by;
//! * [`copies`]: lines of a new file that a known log has too;
//! * [`kept`]: what is kept of a log, and for how long;
//! * [`ledger`]: which incidents are known, and what of them is news;
//! * [`serials`]: where connection serials fell back, for restarts that nothing else tells;
//! * [`store`]: the file: locked, checked, replaced whole.
//!
//! [`Session::commit`] comes last, after the news has been printed. A run that is killed in between says it again, and
//! loses nothing.

mod age;
mod beside;
mod copies;
mod identity;
mod kept;
mod ledger;
mod prints;
mod serials;
mod store;

pub use ledger::{Known, Ledger};
pub use store::{MAGIC, VERSION};

use crate::analysis::{self, Counts, Options, Outcome, Progress};
use crate::error::{Error, Result};
use crate::input::discover::Discovered;
use crate::input::source::{Kind, Source};
use crate::parallel::Workers;
use crate::reading::{
    Hints, Looked, Read, Reading, Refused, Role, look, look_all, name_sites, name_sites_beside,
};
use crate::report::News;
use crate::scan::{FileScan, Job, ScanOptions, scan};
use crate::time::{Second, Window};
use beside::Beside;
use copies::{Old, Scanned};
use identity::{Found, Identified, Log, Places, identify};
use kept::{Formats, Kept};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Seconds of log that are kept, and more where an incident reaches further back.
pub const KEEP: i64 = 2 * 86_400;
/// An incident that goes on is kept from its beginning, but no further back than this.
const KEEP_OPEN: i64 = 14 * 86_400;
/// Seconds before an open incident that are kept with it: what is usual is learnt from them.
const BEFORE_OPEN: i64 = 6 * 3600;
/// What is kept is cut where pages of the timeline begin.
const PAGE: i64 = 1024;
/// Logs whose reading is remembered, and more only where more lie there. A log that has been gone for longest is
/// forgotten first.
const LOGS: usize = 4096;
/// Files that are no nginx logs and are not looked at again.
const REFUSED: usize = 1024;

/// The small part of a state, read by every run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Head {
    /// What the next log gets as its number.
    next: u64,
    /// Counts runs: which logs were seen last.
    runs: u64,
    logs: Vec<Log>,
    /// Files that are no logs, by content.
    refused: Vec<prints::Content>,
    ledger: Ledger,
    /// The last second with a line.
    last: Option<Second>,
    /// Lines that no format fitted, by name of the rotated set.
    unparsed: BTreeMap<String, u64>,
}

impl Head {
    /// Where a log stands; they are in the order of their numbers.
    fn place_of(&self, log: u64) -> Option<usize> {
        self.logs.binary_search_by_key(&log, |l| l.number).ok()
    }
}

/// The rest: what is kept of each log, by its number.
type Body = BTreeMap<u64, Box<Kept>>;

/// What a run read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Files looked at.
    pub files: u64,
    /// Bytes of lines that no run had read before, as they lie in the log.
    pub new: u64,
    /// Bytes read to know the files again.
    pub known_by: u64,
    /// Bytes of the state that were read.
    pub state: u64,
}

/// What a run found.
#[derive(Debug)]
pub struct Advance {
    /// The report of everything that is kept, with stable incident ids. [`Report::news`](crate::report::Report::news)
    /// says what is new in it.
    pub outcome: Outcome,
    /// What the ledger has to say, with incidents that are not in the report any more.
    pub news: Vec<News>,
}

/// A state that is held: nobody else can advance it meanwhile.
#[derive(Debug)]
pub struct Session {
    store: store::Store,
    head: Head,
    body: Option<Body>,
    changed: bool,
    remind: bool,
    stats: Stats,
    formats: Formats,
}

impl Session {
    /// Opens a state, or begins one. `None`: another run holds it.
    ///
    /// # Errors
    /// A file that is no state, a damaged one, or one of a newer version is an error and stays as it is.
    pub fn open(file: &Path) -> Result<Option<Self>> {
        let Some((store, head)) = store::Store::open(file)? else { return Ok(None) };
        let stats = Stats { state: store.head_bytes(), ..Stats::default() };
        Ok(Some(Self {
            store,
            head,
            body: None,
            changed: false,
            remind: false,
            stats,
            formats: Formats::default(),
        }))
    }

    /// Tells an incident once more when it goes on for an hour.
    pub fn remind(&mut self, remind: bool) {
        self.remind = remind;
    }

    /// What was read.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// The incidents that are known, and the sums over all of them.
    pub fn ledger(&self) -> &Ledger {
        &self.head.ledger
    }

    /// Whether any log was ever read.
    pub fn knows_logs(&self) -> bool {
        !self.head.logs.is_empty()
    }

    /// The last second with a line.
    pub fn last(&self) -> Option<Second> {
        self.head.last
    }

    /// Lines that no format fitted, by the name that the files of a rotated set share.
    pub fn unparsed(&self) -> &BTreeMap<String, u64> {
        &self.head.unparsed
    }

    /// Reads what is new and looks at the sum. `None` when nothing is new, unless `always` asks for the report all
    /// the same.
    pub fn advance(
        &mut self,
        options: &Options,
        keep: i64,
        always: bool,
        progress: &dyn Progress,
    ) -> Result<Option<Advance>> {
        if options.window != Window::ALL {
            let what = "--state goes on where the last run stopped; --since and --until do not fit it";
            return Err(Error::Usage(what.into()));
        }
        let workers = Workers::new(options.threads)?;
        progress.stage("looking at the files");
        let Discovered { sources, skipped, errors: mut failures } = analysis::find(options)?;
        if sources.iter().any(|s| s.kind != Kind::File) {
            let what = "--state needs files: standard input and pipes cannot be known again";
            return Err(Error::Usage(what.into()));
        }
        self.stats.files = sources.len() as u64;
        self.head.runs += 1;
        let mut known = identify(&mut self.head, sources, &mut self.stats, &mut self.changed);
        failures.append(&mut known.errors);
        let mut refused = Vec::new();
        if known.found.is_empty() && !always && failures.is_empty() {
            return Ok(None);
        }
        let users = analysis::users_catalogue(options)?;
        let mut body = self.take_body()?;
        progress.stage("reading");
        let (places, unread) = self.read(&mut body, known, options, &workers, progress, &mut refused)?;
        failures.extend(unread);
        progress.stage("looking for incidents");
        let mut counts = self.counts(&mut body, &places, options, keep)?;
        counts.refused = refused;
        counts.skipped = skipped;
        counts.failures = failures;
        let mut outcome = analysis::conclude(options, users, counts)?;
        let last = outcome.report.span.map(|(_, last)| last.div_euclid(1000));
        self.head.last = self.head.last.max(last);
        let news = self.head.ledger.settle(&mut outcome.report, self.remind);
        self.changed |= !news.is_empty();
        self.forget(&mut body, keep);
        self.body = Some(body);
        Ok(Some(Advance { outcome, news }))
    }

    /// Writes the state: the old one stays until the new one is complete.
    pub fn commit(mut self) -> Result<()> {
        if !self.changed {
            return Ok(());
        }
        let mut body = self.take_body()?;
        // A site with a thousand busy logs keeps a shorter time of them.
        let mut keep = KEEP_OPEN;
        while !self.store.save(&self.head, &body)? {
            keep /= 2;
            let last = body.values().filter_map(|kept| kept.last()).max().unwrap_or(0);
            for kept in body.values_mut() {
                kept.forget_before((last - keep).div_euclid(PAGE) * PAGE);
            }
            if keep == 0 {
                body.clear();
            }
        }
        Ok(())
    }

    fn take_body(&mut self) -> Result<Body> {
        if let Some(body) = self.body.take() {
            return Ok(body);
        }
        let (body, bytes) = self.store.body()?;
        self.stats.state += bytes;
        Ok(body)
    }

    /// Reads what is new in the files found and adds it; returns where each log lies, and what could not be read.
    fn read(
        &mut self,
        body: &mut Body,
        known: Identified,
        options: &Options,
        workers: &Workers,
        progress: &dyn Progress,
        refused: &mut Vec<Refused>,
    ) -> Result<(Places, Vec<Error>)> {
        let mut failures = Vec::new();
        let mut places = known.places;
        let given = analysis::hints(options)?;
        let mut jobs: Vec<(Found, Box<Reading>)> = Vec::new();
        let beside = Beside::of(&self.head.logs, body, &self.formats);
        let mut unknown: Vec<Found> = Vec::new();
        let mut looked: Vec<(Found, Looked)> = Vec::new();
        for found in known.found {
            if let Some(reading) = body.get(&found.log).and_then(|kept| {
                kept.reading(Arc::clone(&found.source), given.exclude.as_ref(), &self.formats)
            }) {
                jobs.push((found, reading));
            } else if let Some(more) = beside.formats(&found) {
                let formats = [&given.formats[..], more].concat();
                let hints = Hints { formats, exclude: given.exclude.clone() };
                let look = look(Arc::clone(&found.source), &hints);
                looked.push((found, look));
            } else {
                unknown.push(found);
            }
        }
        let sources: Vec<Arc<Source>> = unknown.iter().map(|found| Arc::clone(&found.source)).collect();
        looked.extend(unknown.into_iter().zip(look_all(&sources, &given, workers)));
        for (found, look) in looked {
            match look {
                Ok(Ok(reading)) => jobs.push((found, reading)),
                Ok(Err(why)) => {
                    self.refuse(&found, &why);
                    refused.push(why);
                }
                Err(error) => failures.push(error),
            }
        }
        self.name_sites(&mut jobs, body);
        progress.total(jobs.iter().map(|(found, _)| found.end - found.start).sum());
        let chunk = ScanOptions::default().chunk_bytes;
        let chunk_bytes = options.chunk_bytes.map_or(chunk, |n| n.max(1) as u64);
        let scan_options = ScanOptions { window: Window::ALL, chunk_bytes, keep_text: true };
        let scans = {
            let jobs: Vec<Job<'_>> = jobs.iter().map(|(found, reading)| found.job(reading)).collect();
            scan(&jobs, &scan_options, workers, &|n| progress.advance(n))
        };
        let mut scanned = Vec::new();
        for ((found, reading), result) in jobs.into_iter().zip(scans) {
            let is_new = self.head.place_of(found.log).is_some_and(|at| self.head.logs[at].offset == 0);
            match result {
                Ok(scan) => {
                    let read = Read::of(reading, scan);
                    scanned.push(Scanned { found, read, is_new });
                }
                Err(error) => failures.push(error),
            }
        }
        let old: Vec<Old<'_>> = places
            .iter()
            .filter_map(|(&number, source)| Some(Old { number, source, kept: body.get(&number)? }))
            .collect();
        failures.extend(copies::leave_out(&mut scanned, &old, &self.formats, &scan_options, workers));
        drop(old);
        for Scanned { found, read, .. } in scanned {
            // It was cut under the scan: what was counted is not sure, and the next run sees what is there now.
            if !read.scan.was_cut && found.is_still_there(&mut self.stats) {
                self.add(body, found, &read.reading, read.scan, &mut failures);
            } else {
                places.remove(&found.log);
            }
        }
        // What could not be read is a new log again in the next run.
        self.head.logs.retain(|log| log.offset > 0);
        Ok((places, failures))
    }

    /// Names the sites of the logs of this run, which may be one of many.
    fn name_sites(&self, jobs: &mut [(Found, Box<Reading>)], body: &Body) {
        let access = |log: &&Log| body.get(&log.number).is_some_and(|kept| kept.role() == Role::Access);
        let logs = self.head.logs.iter().filter(access);
        name_sites_beside(
            jobs.iter_mut().map(|(_, reading)| &mut **reading).collect(),
            logs.map(|log| (log.host.as_deref(), Path::new(&log.path))),
        );
    }

    /// Adds what a scan yielded to what is kept of its log.
    fn add(
        &mut self,
        body: &mut Body,
        found: Found,
        reading: &Reading,
        mut scan: Arc<FileScan>,
        failures: &mut Vec<Error>,
    ) {
        let Some(at) = self.head.place_of(found.log) else { return };
        let log = &mut self.head.logs[at];
        let own = Arc::make_mut(&mut scan);
        if let Some(what) = own.damage.take() {
            failures.push(Error::Damaged { path: found.source.shown.clone(), what });
        }
        let set = crate::input::family::split_name(&found.source.shown).0;
        let known = self.head.unparsed.len();
        // A site with a thousand logs needs no thousand counters.
        let set = if known < 256 || self.head.unparsed.contains_key(&set) { set } else { "other".into() };
        *self.head.unparsed.entry(set).or_default() += own.unparsed;
        if !found.source.is_seekable() && found.start > 0 {
            // What was known already was passed over in a packed file.
            (own.duplicate, own.duplicate_bytes) = (0, 0);
        }
        self.stats.new += found.end - found.start;
        let kept = body.entry(found.log).or_insert_with(|| Box::new(Kept::new(reading, &self.formats)));
        if scan.error_span.is_some()
            && let Err(error) = kept.listen(reading, found.start..found.end)
        {
            failures.push(error);
        }
        kept.add(scan);
        found.settle(log);
        self.changed = true;
    }

    /// Remembers a file that is no log, so that it is not looked at in every run.
    fn refuse(&mut self, found: &Found, why: &Refused) {
        if let Some(at) = self.head.place_of(found.log) {
            // Nothing of it is kept, as of what could not be read.
            self.head.logs[at].offset = 0;
        }
        if !why.empty {
            if self.head.refused.len() >= REFUSED {
                self.head.refused.remove(0);
            }
            self.head.refused.push(found.content());
            self.changed = true;
        }
    }

    /// What is kept, as the analysis wants it. Of a log that still lies there lines can be read again.
    fn counts(&self, body: &mut Body, places: &Places, options: &Options, keep: i64) -> Result<Counts> {
        let last = body.values().filter_map(|kept| kept.last()).max();
        let start = last.map_or(Window::ALL.start, |last| self.from(last, keep));
        let exclude = analysis::excluded(options)?;
        let all = self.head.logs.len();
        let (mut readings, mut scans) = (Vec::with_capacity(all), Vec::with_capacity(all));
        for log in &self.head.logs {
            let Some(kept) = body.get_mut(&log.number) else { continue };
            kept.forget_before(start);
            let kept_only = || Source::kept(Path::new(&log.path), None, log.offset).into();
            let mut source = places.get(&log.number).map_or_else(kept_only, Arc::clone);
            if source.host != log.host {
                Arc::make_mut(&mut source).host.clone_from(&log.host);
            }
            let reading = kept
                .reading(source, exclude.as_ref(), &self.formats)
                .ok_or_else(|| self.store.broken("a log format in it cannot be read"))?;
            readings.push(reading);
            scans.push(kept.shared());
        }
        name_sites(&mut readings);
        let zone = analysis::shown_zone(options, &readings);
        let read = |(reading, scan)| Read::of(reading, scan);
        let reads = readings.into_iter().zip(scans).map(read).collect();
        let window = Window { start, end: Window::ALL.end };
        let (refused, skipped, failures) = (Vec::new(), BTreeMap::new(), Vec::new());
        Ok(Counts { reads, refused, skipped, failures, zone, window })
    }

    /// From which second on is kept when `last` is the last: the first of a page, and inside no known incident.
    fn from(&self, last: Second, keep: i64) -> Second {
        let page = |second: Second| second.div_euclid(PAGE) * PAGE;
        let least = page(last.saturating_sub(KEEP_OPEN.max(keep)));
        let mut from = page(last.saturating_sub(keep));
        loop {
            match self.head.ledger.oldest_after(from).filter(|start| *start < from && from > least) {
                Some(start) => from = page(start.saturating_sub(BEFORE_OPEN)).max(least),
                None => return from,
            }
        }
    }
}

/// Reads a state from bytes and uses it, for the fuzzer: whatever they are, nothing but an error may come of it.
#[doc(hidden)]
pub fn try_bytes(bytes: &[u8]) {
    if let Ok((head, body)) = store::decode(Path::new("state"), bytes) {
        for log in &head.logs {
            if let Some(kept) = body.get(&log.number) {
                let mut twice = kept.clone();
                twice.add(kept.shared());
                twice.forget_before(0);
            }
        }
    }
}

#[cfg(test)]
mod tests;
