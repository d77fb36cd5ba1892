//! A second look: the requests of a stretch of time, read again line by line.
//!
//! The scan counts every request by second and class; which client, which path, which peer it has for failures alone.
//! Where a verdict hangs on what the others did meanwhile (one client's retries, content that used to be there, one
//! host among several), the lines around the candidate are read again. What is read has a bound; of a stretch that holds
//! more, some lines are read at places spread evenly.

mod answer;
mod look;
mod named;
mod texts;
mod unpack;

pub(super) use answer::{Answer, METHODS};
pub(super) use look::Look;
pub(super) use texts::ByKey;
pub use unpack::unpack;

use super::host::Host;
use crate::format::record::AccessRecord;
use crate::reading::{self, Read, Role, Stamps};
use crate::scan::hash;
use crate::time::{Second, Window};
use crate::timeline::Classes;
use answer::client;
use look::Means;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Requests read for one look at most, in all.
const MOST: u64 = 20_000;
/// Requests read for all looks of a host: this part of those the scan counted, for a line costs ten times as much here as
/// there; but so many, a tenth of a second's work, however small the log.
const PART: u64 = 100;
const LEAST_OF_ALL: u64 = 100_000;
/// Bytes that are unpacked again for a look that was not foreseen; or a quarter of all, where there are many files.
const UNPACKED: u64 = 64 << 20;
/// The same for all of them; or as many as the scan has unpacked.
const UNPACKED_IN_ALL: u64 = 1 << 30;
/// A look is not worth it below this.
const LEAST: u64 = 3_000;
/// Seconds on each side of a candidate that tell what is usual.
const AROUND: i64 = 600;
/// Seconds on each side in which the lines of its own requests stand: a failure is dated at its arrival and written when
/// it ended.
const CLOSE: i64 = 90;
/// A close look at so few requests is always made.
const FEW: u64 = 300;
/// Places over the whole log, and requests at each, that tell who its clients are.
const SAMPLE: (usize, usize) = (12, 150);
/// Files that are asked at most, spread over all.
const FILES: usize = 100;
/// So many requests tell who asks.
const TELLING: u64 = 20;
/// Where a stretch holds too many requests, some are read at so many places,
const PLACES: usize = 4;
/// so many at each.
const EACH: usize = 600;
/// The looks that were made at one host's requests.
#[derive(Debug, Default)]
pub struct Looks {
    made: BTreeMap<(Window, i64), Option<Look>>,
    kept: u64,
    /// Bytes that were unpacked again.
    unpacked: u64,
    /// Bytes that were searched for names.
    searched: u64,
    /// Looks at the requests for one name alone.
    named: Vec<(u64, Look)>,
    /// When the lines that were read for them were written.
    stamps: Stamps,
    usual: Option<Rc<Usual>>,
}

impl Looks {
    /// The look at a stretch and its surroundings, made when it was not made before. `None` where the requests cannot be
    /// read again, or too much was looked at already.
    pub(super) fn at(&mut self, host: &Host<'_>, inside: Window) -> Option<&Look> {
        let left = self.left(host);
        self.made(host, inside, AROUND, Some(left).filter(|n| *n >= LEAST))
    }

    /// The look at the requests of a stretch alone.
    pub(super) fn close(&mut self, host: &Host<'_>, inside: Window) -> Option<&Look> {
        let wide = Window { start: inside.start - CLOSE, end: inside.end + CLOSE };
        let few = requests(host, wide) <= FEW;
        let left = self.left(host);
        self.made(host, inside, CLOSE, if few { Some(3 * FEW) } else { Some(left).filter(|n| *n >= LEAST) })
    }

    fn left(&self, host: &Host<'_>) -> u64 {
        let counted: u64 = host.files.iter().map(|&i| host.reads[i].scan.requests).sum();
        (counted / PART).max(LEAST_OF_ALL).saturating_sub(self.kept).min(MOST)
    }

    fn made(&mut self, host: &Host<'_>, inside: Window, reach: i64, most: Option<u64>) -> Option<&Look> {
        let usual = self.usual(host);
        if !self.made.contains_key(&(inside, reach)) {
            let made = self.made.values().flatten();
            let look = most.and_then(|most| {
                let means = Means { most, unpacked: &mut self.unpacked, stamps: &mut self.stamps };
                Look::around(host, (inside, reach), means, &usual, made)
            });
            self.kept += look.as_ref().map_or(0, |l| l.answers.len() as u64);
            self.made.insert((inside, reach), look);
        }
        self.made.get(&(inside, reach))?.as_ref()
    }

    /// Who asks, from some requests spread over the log; of packed files from what was unpacked again.
    fn usual(&mut self, host: &Host<'_>) -> Rc<Usual> {
        let sample = || {
            let mut usual = Usual::default();
            let mut visit = |_: u64, record: &AccessRecord<'_>, _: Second| usual.add(hash(client(record)));
            let access = host.files.iter().map(|&i| &host.reads[i]);
            let access: Vec<&Read> = access.filter(|read| read.reading.role == Role::Access).collect();
            let all = Window::ALL.start..Window::ALL.end;
            let files = access.len().min(FILES);
            for file in (0..files).map(|i| (2 * i + 1) * access.len() / (2 * files)) {
                reading::some_requests_between(access[file], all.clone(), SAMPLE, &mut visit);
            }
            Rc::new(usual)
        };
        Rc::clone(self.usual.get_or_insert_with(sample))
    }
}

/// How many requests each client made.
#[derive(Debug, Default)]
pub(super) struct Usual {
    by_client: ByKey<u64>,
    all: u64,
}

impl Usual {
    pub(super) fn add(&mut self, client: u64) {
        *self.by_client.entry(client).or_default() += 1;
        self.all += 1;
    }

    /// The part these clients made together; `None` where too few requests were seen.
    pub(super) fn part(&self, clients: &[u64]) -> Option<f64> {
        let theirs: u64 = clients.iter().filter_map(|c| self.by_client.get(c)).sum();
        (self.all >= TELLING).then(|| theirs as f64 / self.all as f64)
    }
}

fn requests(host: &Host<'_>, window: Window) -> u64 {
    let mut n = 0;
    host.timeline.each_sum(window, [Classes::ALL, Classes::NONE], |s| n += u64::from(s.lines[0]));
    n
}
