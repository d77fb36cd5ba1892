//! What the files of one host say together, on one clock.

mod zones;

use super::cause::is_server_side;
use super::failures_only;
use super::marks::{self, Word};
use crate::catalogue::{Catalogue, read_line};
use crate::detect::{ErrorTick, Fold, Mark, Tick, Ticks, fold_timeline};
use crate::error::Result;
use crate::format::AccessFormat;
use crate::format::record::ErrorRecord;
use crate::reading::{Read, Role, record_at};
use crate::report::Evidence;
use crate::scan::{Dimension, FailureTally, Sample, Seconds};
use crate::time::{Second, Window};
use crate::timeline::{Classes, Sums, Timeline};
use crate::zone::ZonePlan;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The class of records that the catalogue does not know.
pub(super) const UNKNOWN: u16 = u16::MAX;

/// An error record that stands for others of its shape in its second.
#[derive(Debug, Clone)]
pub struct Said {
    /// When the first of its shape in its bucket was written, in UTC.
    pub second: Second,
    /// All seconds of the bucket that hold one.
    pub seconds: Seconds,
    /// Index of its pattern in the catalogue, or [`UNKNOWN`].
    pub class: u16,
    /// What it says about nginx itself.
    pub word: Option<Word>,
    /// How many of its shape in that second.
    pub count: u32,
    /// Index of its file.
    pub file: usize,
    /// The first of them.
    pub sample: Sample,
}

impl Said {
    /// How many of them fall into a stretch of time: all seconds of a bucket are taken to hold the same share.
    pub(super) fn count_in(&self, window: Window) -> u64 {
        let inside = u64::from(self.seconds.inside(window).len());
        (u64::from(self.count) * inside).div_ceil(u64::from(self.seconds.len().max(1)))
    }
}

/// The files of one host, merged.
#[derive(Debug)]
pub struct Host<'a> {
    /// Its name, where several are told apart.
    pub name: Option<String>,
    /// All files of the run; this host's are those in `files`.
    pub reads: &'a [Read],
    /// Indices of its files.
    pub files: Vec<usize>,
    /// Its requests: of one file as the scan counted them.
    pub timeline: Cow<'a, Timeline>,
    /// Its error records in order of time.
    pub said: Vec<Said>,
    /// The zone of each error log, by file.
    pub zones: BTreeMap<usize, ZonePlan>,
    /// nginx's words about itself.
    pub marks: Vec<Mark>,
    /// What the classes mean.
    pub catalogue: &'a Catalogue,
    /// Where its access log keeps failed requests only: so many that went well are taken for each second.
    pub trials: Option<u32>,
    /// The error records as detection counts them.
    ticks: Vec<ErrorTick>,
    /// Of each class, whether it is about the server's side failing.
    server_side: Vec<bool>,
}

/// Groups the files by host and puts each host's logs on one clock. `zone` overrides what is inferred.
pub fn hosts<'a>(
    reads: &'a [Read],
    catalogue: &'a Catalogue,
    window: Window,
    zone: &dyn Fn(Window) -> Result<Option<ZonePlan>>,
) -> Result<Vec<Host<'a>>> {
    let mut by_name: BTreeMap<Option<String>, Vec<usize>> = BTreeMap::new();
    for (i, read) in reads.iter().enumerate() {
        by_name.entry(read.reading.source.host.clone()).or_default().push(i);
    }
    by_name.into_iter().map(|(name, files)| Host::new(name, files, reads, catalogue, window, zone)).collect()
}

impl<'a> Host<'a> {
    fn new(
        name: Option<String>,
        files: Vec<usize>,
        reads: &'a [Read],
        catalogue: &'a Catalogue,
        window: Window,
        zone: &dyn Fn(Window) -> Result<Option<ZonePlan>>,
    ) -> Result<Self> {
        let mut host = Self {
            name,
            reads,
            files,
            timeline: Cow::default(),
            said: Vec::new(),
            zones: BTreeMap::new(),
            marks: Vec::new(),
            trials: None,
            catalogue,
            ticks: Vec::new(),
            server_side: catalogue.patterns().iter().map(is_server_side).collect(),
        };
        host.timeline = if let [file] = *host.files {
            Cow::Borrowed(&reads[file].scan.timeline)
        } else {
            Cow::Owned(Timeline::sum(host.files.iter().map(|&i| reads[i].scan.timeline.clone())))
        };
        host.trials = failures_only::trials(&host.timeline, |w| host.failures_unnamed(w).clients());
        host.place(zone)?;
        host.listen(window);
        host.marks = marks::marks(&host.said);
        host.ticks = ticks(&host.said);
        Ok(host)
    }

    /// Gives every error record its class and its UTC second.
    fn listen(&mut self, window: Window) {
        for &file in &self.files {
            let read = &self.reads[file];
            let Some(zone) = self.zones.get(&file) else { continue };
            let mut known: BTreeMap<u64, (u16, Option<Word>)> = BTreeMap::new();
            for (shape, sample) in read.scan.shapes() {
                known.insert(shape, self.classify(&record_at(read, sample)));
            }
            let from = self.said.len();
            // Records are large, and a list that grows is copied.
            self.said.reserve_exact(read.scan.error_counts());
            let said = &mut self.said;
            read.scan.each_error(|e| {
                let local = e.first.second;
                let second = zone.utc(local, e.first.byte);
                if window.contains(second) {
                    let (class, word) = known.get(&e.shape).copied().unwrap_or((UNKNOWN, None));
                    let seconds = e.seconds().shifted(second - local).inside(window);
                    said.push(Said {
                        second,
                        seconds,
                        class,
                        word,
                        count: e.count,
                        file,
                        sample: e.first.clone(),
                    });
                }
            });
            // Buckets come in order, and what is in one of them does not.
            let one_bucket = |a: &Said, b: &Said| a.seconds.bucket() == b.seconds.bucket();
            self.said[from..].chunk_by_mut(one_bucket).for_each(|said| said.sort_unstable_by_key(order));
        }
        // The logs of one host can lie side by side. Records are large: what is sorted is their keys.
        if !self.said.is_sorted_by_key(order) {
            self.said.sort_by_cached_key(order);
        }
    }

    fn classify(&self, line: &[u8]) -> (u16, Option<Word>) {
        let mut room = Vec::new();
        let payload = crate::format::framing::detect(&[line]).0;
        let line = payload.unwrap(line, &mut room).map_or(line, |u| u.payload);
        let Some(record) = read_line(line) else { return (UNKNOWN, None) };
        (self.class_of(&record), marks::word(&record))
    }

    /// The class of a record.
    pub(super) fn class_of(&self, record: &ErrorRecord<'_>) -> u16 {
        let class = self.catalogue.classify(record).and_then(|p| {
            self.catalogue.patterns().iter().position(|q| q.id == p.id).and_then(|i| u16::try_from(i).ok())
        });
        class.unwrap_or(UNKNOWN)
    }

    /// The category of a class.
    pub fn category(&self, class: u16) -> &str {
        self.catalogue.patterns().get(usize::from(class)).map_or("unknown", |p| p.category.as_str())
    }

    /// The error records as detection counts them.
    pub fn error_ticks(&self) -> &[ErrorTick] {
        &self.ticks
    }

    /// Whether a class of records is about the server's side failing.
    pub fn server_side(&self, class: u16) -> bool {
        self.server_side.get(usize::from(class)).copied().unwrap_or(false)
    }

    /// Failures inside a stretch of time.
    pub fn failures(&self, window: Window) -> FailureTally {
        let mut tally = FailureTally::default();
        for &i in &self.files {
            self.reads[i].scan.add_failures(window, &mut tally);
        }
        tally
    }

    /// The same without their names, which costs far less.
    pub fn failures_unnamed(&self, window: Window) -> FailureTally {
        let mut tally = FailureTally::default();
        for &i in &self.files {
            self.reads[i].scan.add_unnamed(window, &mut tally);
        }
        tally
    }

    /// A line of a file and its place.
    pub fn evidence(&self, file: usize, sample: &Sample) -> Evidence {
        let read = &self.reads[file];
        Evidence {
            path: read.reading.source.shown.clone(),
            line: sample.line + 1,
            byte: sample.byte,
            text: String::from_utf8_lossy(&record_at(read, sample)).into_owned(),
        }
    }

    /// The first and the last failed request that was written inside a stretch of time, from the access logs.
    pub fn failure_evidence(&self, window: Window) -> Vec<Evidence> {
        let mut out: Vec<Evidence> =
            self.failure_edges(window).into_iter().flatten().map(|(_, e)| e).collect();
        out.dedup();
        out
    }

    /// The same with their seconds.
    pub fn failure_edges(&self, window: Window) -> [Option<(Second, Evidence)>; 2] {
        let mut found: Vec<(usize, Sample)> = Vec::new();
        for &i in &self.files {
            found.extend(self.reads[i].scan.failure_edges(window).into_iter().flatten().map(|s| (i, s)));
        }
        found.sort_by(|a, b| a.1.cmp(&b.1));
        [found.first(), found.last()].map(|e| e.map(|(i, s)| (s.second, self.evidence(*i, s))))
    }

    /// Whether access logs tell how long requests took, so that failures are dated at their arrival.
    pub fn arrival_known(&self) -> bool {
        let mut access =
            self.files.iter().map(|&i| &self.reads[i]).filter(|r| r.reading.role == Role::Access);
        access.all(|r| r.reading.plan.formats.first().is_some_and(AccessFormat::tells_wait))
    }
}

/// The order of what was said.
fn order(s: &Said) -> (Second, usize, u64) {
    (s.second, s.file, s.sample.byte)
}

/// How many of the first records share a stretch of time: up to one that begins behind the seconds of all before it.
fn stretch(said: &[Said]) -> usize {
    let mut until = Second::MIN;
    let apart = |s: &Said| {
        let behind = s.second > until && until != Second::MIN;
        until = until.max(s.second).max(s.seconds.last().unwrap_or(Second::MIN));
        behind
    };
    said.iter().position(apart).unwrap_or(said.len())
}

/// One tick for each class and second, in the order of seconds, and within one in that of `said`.
fn ticks(said: &[Said]) -> Vec<ErrorTick> {
    /// Seconds of a stretch that are counted out; a longer one is sorted.
    const NEAR: usize = 128;
    let mut ticks: Vec<ErrorTick> = Vec::with_capacity(said.iter().map(|s| s.seconds.len() as usize).sum());
    let mut found: Vec<ErrorTick> = Vec::new();
    let mut rest = said;
    while !rest.is_empty() {
        let (together, behind) = rest.split_at(stretch(rest));
        rest = behind;
        found.clear();
        for s in together {
            // How many fell into which second of a wide bucket was not counted: they are spread evenly, and the first
            // has what is left over.
            let n = s.seconds.len().max(1);
            let share = s.count / n;
            let mut count = s.count - share * n + share;
            for second in s.seconds.iter() {
                found.push(ErrorTick { second, class: s.class, count });
                count = share;
            }
        }
        let (first, last) = found
            .iter()
            .fold((Second::MAX, Second::MIN), |(first, last), t| (first.min(t.second), last.max(t.second)));
        if found.is_empty() || last.abs_diff(first) >= NEAR as u64 {
            found.sort_by_key(|t| t.second);
            ticks.extend_from_slice(&found);
            continue;
        }
        // Where the ticks of each second begin.
        let at = |t: &ErrorTick| (t.second - first) as usize & (NEAR - 1);
        let mut begin = [0_usize; NEAR];
        for t in &found {
            begin[at(t)] += 1;
        }
        let mut next = ticks.len();
        for n in &mut begin {
            (*n, next) = (next, next + *n);
        }
        ticks.extend_from_slice(&found);
        for t in &found {
            let place = &mut begin[at(t)];
            ticks[*place] = *t;
            *place += 1;
        }
    }
    ticks
}

/// Of what kinds a host's access logs name more than one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Several {
    pub(super) vhosts: bool,
    pub(super) peers: bool,
}

impl Host<'_> {
    /// Whether the logs name several virtual hosts and several peers, as the lines looked at to learn the formats
    /// and all failures show.
    pub(super) fn several(&self) -> Several {
        let failures = self.failures(Window::ALL);
        let (mut vhosts, mut peers) = (BTreeSet::new(), BTreeSet::new());
        for &i in &self.files {
            vhosts.extend(self.reads[i].reading.vhosts.iter().cloned());
            peers.extend(self.reads[i].reading.peers.iter().cloned());
        }
        if !vhosts.is_empty() || self.has_logs_of_several_sites() {
            vhosts.extend(failures.ranked(Dimension::Vhost).into_iter().map(|v| v.0.to_owned()));
            vhosts.extend(self.sites().map(|s| s.0));
        }
        peers.extend(failures.ranked(Dimension::Peer).into_iter().map(|p| p.0.to_owned()));
        Several { vhosts: vhosts.len() > 1, peers: peers.len() > 1 }
    }

    /// The logs that are one site's each, by name, with the seconds each speaks for.
    fn sites(&self) -> impl Iterator<Item = (String, Window)> {
        self.files.iter().filter_map(|&i| {
            let read = &self.reads[i];
            let site = read.reading.plan.site.as_deref()?;
            let (blocks, scan) = (&read.scan.blocks, &read.scan);
            // What earlier runs have read has no index.
            let second = |at: Option<i64>| at.map(|ms| ms.div_euclid(1000));
            let start = blocks.iter().map(|b| b.first).min().or(second(scan.first))?;
            let end = blocks.iter().map(|b| b.last).max().or(second(scan.last))?.saturating_add(1);
            Some((String::from_utf8_lossy(site).into_owned(), Window { start, end }))
        })
    }

    /// Whether such logs speak for the same time: parts of one log with names of their own do not.
    fn has_logs_of_several_sites(&self) -> bool {
        let mut all: Vec<_> = self.sites().collect();
        all.sort_by_key(|(_, window)| window.start);
        // Of each name the one that reaches furthest, of the two that do so most.
        let mut furthest: [Option<&(String, Window)>; 2] = [None, None];
        for site in &all {
            if furthest.iter().flatten().any(|(name, w)| *name != site.0 && w.overlaps(site.1)) {
                return true;
            }
            if furthest[0].is_none_or(|f| f.1.end < site.1.end) {
                if furthest[0].is_some_and(|f| f.0 != site.0) {
                    furthest[1] = furthest[0];
                }
                furthest[0] = Some(site);
            } else if furthest[0].is_some_and(|f| f.0 != site.0)
                && furthest[1].is_none_or(|f| f.1.end < site.1.end)
            {
                furthest[1] = Some(site);
            }
        }
        false
    }
}

/// A timeline as detection walks through it.
#[derive(Debug)]
pub struct Counted<'a> {
    timeline: &'a Timeline,
    trials: Option<u32>,
}

impl<'a> Counted<'a> {
    /// The requests of a host.
    pub fn of(host: &'a Host<'_>) -> Self {
        Self { timeline: &host.timeline, trials: host.trials }
    }

    /// Every second of a log that keeps failures only.
    fn each_trial(&self, window: Window, good: u32, mut visit: impl FnMut(Tick)) {
        let Some(span) = self.timeline.span() else { return };
        let mut next = window.start.max(span.start);
        let quiet = |second| Tick { second, good, ..Tick::default() };
        self.timeline.each_outcome(window, |o| {
            (next..o.second).for_each(|second| visit(quiet(second)));
            visit(Tick { neutral: o.neutral, failed: o.failed, ..quiet(o.second) });
            next = o.second + 1;
        });
        (next..window.end.min(span.end)).for_each(|second| visit(quiet(second)));
    }
}

impl Ticks for Counted<'_> {
    #[inline]
    fn each(&self, window: Window, mut visit: impl FnMut(Tick)) {
        if let Some(good) = self.trials {
            return self.each_trial(window, good, visit);
        }
        self.timeline.each_outcome(window, |o| {
            visit(Tick { second: o.second, good: o.good, neutral: o.neutral, failed: o.failed });
        });
    }

    #[inline]
    fn each_run(&self, window: Window, fold: &mut impl Fold) {
        if self.trials.is_some() {
            return self.each(window, |tick| fold.tick(tick));
        }
        let tick =
            |s: Sums| Tick { second: s.second, good: s.lines[0], neutral: s.lines[1], failed: s.failed };
        fold_timeline(self.timeline, window, [Classes::GOOD, Classes::NEUTRAL], tick, fold);
    }

    fn span(&self) -> Option<Window> {
        self.timeline.span()
    }
}

impl Host<'_> {
    /// Stretches in which the error log shows that requests went on: from a record about requests to the next, where
    /// these are ten seconds apart at most.
    pub fn error_activity(&self) -> Vec<Window> {
        let mut out: Vec<Window> = Vec::new();
        // Who breaks off a handshake asks for nothing, and has no access line; that a process ended is no request's doing.
        let asks = |class: u16| {
            let category = if class == UNKNOWN { "process" } else { self.category(class) };
            let family = category.split('.').next().unwrap_or_default();
            category != "client.tls" && !matches!(family, "process" | "config" | "logging")
        };
        for s in self.said.iter().filter(|s| s.word.is_none() && asks(s.class)) {
            // Nearly all of what stands in a bucket lies where its first records do.
            if let (Some(last), Some(end)) = (out.last(), s.seconds.last())
                && end < last.end
            {
                continue;
            }
            for second in s.seconds.iter() {
                match out.last_mut() {
                    Some(last) if second <= last.end + 10 => last.end = last.end.max(second + 1),
                    _ => out.push(Window { start: second, end: second + 1 }),
                }
            }
        }
        out
    }
}
