//! Who was late first: the endpoint or peer whose times rose before those of the others.
//!
//! For each name, every request says something at one moment: a late one when it became late, any other when it was
//! answered. The moment from which a name is late divides its requests into two parts with a share of late ones each;
//! it is where their likelihood is greatest (Hinkley, Biometrika 57, 1970), and all moments that are nearly as likely
//! are possible too. One name leads when all of its moments lie before all of those of the others: few requests, or
//! times that rose together, give no order.

use super::super::again::{Answer, Look, Looks};
use super::super::host::Host;
use super::super::incident::window;
use crate::clock;
use crate::detect::{Anomaly, Kind};
use crate::report::Evidence;
use crate::scan::Dimension;
use crate::stats::xlogy;
use crate::time::{Second, Window};
use std::collections::HashMap;

/// Late requests below which a name did not rise.
const LATE: usize = 5;
/// What the rise must explain, in nats.
const ROSE: f64 = 10.0;
/// How much less likely a moment may be to be possible, in nats, for a single name; 95 of 100 intervals hold it.
const POSSIBLE: f64 = 3.0;
/// A request is late when it takes so many times what nine of ten of its name take,
const TIMES: u32 = 3;
/// but at least this part of what is late in this log.
const PART: u32 = 4;
/// Requests of one name that tell what is usual.
const TELLING: usize = 20;
/// A name is alone when the others have at most one of so many late requests.
const ALONE: usize = 10;
/// Seconds after the start in which the order is looked for.
const AFTER: i64 = 300;
/// Stamps are whole seconds.
const STAMP_MS: i64 = 1000;
/// Requests looked at around the start where there are more than one look holds.
const FINE: u64 = 6_000;
/// The longest such stretch on each side of the start, in seconds.
const WIDEST: i64 = 120;

/// Who was late first.
#[derive(Debug)]
pub(in crate::inspect) struct Rose {
    /// For the sentence of the cause.
    pub(in crate::inspect) what: String,
    /// When the first to rise did, what to say of it, and its first late line.
    pub(in crate::inspect) event: Option<(Second, String, Evidence)>,
}

/// Finds who was late first in a slowdown, as far as its requests can be read again.
pub(in crate::inspect) fn rose(host: &Host<'_>, looks: &mut Looks, a: &Anomaly) -> Option<Rose> {
    let slow = a.slow.filter(|_| a.kind == Kind::Slow && !a.open_start)?;
    let look = looks.at(host, window(a))?;
    let limits: Vec<HashMap<u64, u32>> =
        KINDS.iter().map(|(d, _)| limits(look, *d, a.start, slow.limit_ms)).collect();
    if look.complete {
        return told(host, look, a, slow.limit_ms, &limits);
    }
    let fine = looks.at(host, fine(host, a.start)?)?;
    told(host, fine, a, slow.limit_ms, &limits)
}

const KINDS: [(Dimension, &str); 2] = [(Dimension::Endpoint, "endpoint"), (Dimension::Peer, "upstream")];

/// A stretch around the start with as many requests as one look holds. `None` where that is less than a few seconds.
fn fine(host: &Host<'_>, start: Second) -> Option<Window> {
    let around = |w: i64| Window { start: start - w, end: start + w };
    let requests = |w: i64| {
        let mut n = 0u64;
        host.timeline.each(around(w), |m| n += m.counts.iter().map(|&c| u64::from(c)).sum::<u64>());
        n
    };
    let mut widest = WIDEST;
    while widest >= 3 && requests(widest) > FINE {
        widest = widest * 2 / 3;
    }
    (widest >= 3).then(|| around(widest))
}

/// From which time on a request of each name is late.
fn limits(look: &Look, dimension: Dimension, start: Second, limit: u32) -> HashMap<u64, u32> {
    let mut times: HashMap<u64, Vec<u32>> = HashMap::new();
    for x in look.answers.iter().filter(|x| x.arrived() < start && x.names[dimension as usize] != 0) {
        if let Some(took) = x.took {
            times.entry(x.names[dimension as usize]).or_default().push(took);
        }
    }
    let own = |mut took: Vec<u32>| {
        took.sort_unstable();
        took[took.len() * 9 / 10].saturating_mul(TIMES).max(limit / PART)
    };
    times.into_iter().filter(|(_, t)| t.len() >= TELLING).map(|(key, t)| (key, own(t))).collect()
}

fn told(host: &Host<'_>, look: &Look, a: &Anomaly, limit: u32, limits: &[HashMap<u64, u32>]) -> Option<Rose> {
    let until = a.end_or_last().min(a.start + AFTER);
    let mut kinds: Vec<(&str, Risen<'_>)> = KINDS
        .into_iter()
        .zip(limits)
        .map(|((dimension, kind), limits)| (kind, Risen::of(look, dimension, until, limit, limits)))
        .collect();
    // Where a single peer holds all that is late, every endpoint has its share of it, and the other way round.
    let alone = kinds.iter().find_map(|(kind, risen)| risen.alone(look, kind));
    let first = || kinds.iter_mut().find_map(|(kind, risen)| risen.first(host, look, kind));
    if let Some(rose) = alone.or_else(first) {
        return Some(rose);
    }
    kinds.iter().filter(|(_, risen)| risen.names.len() > 1).find_map(|(kind, risen)| {
        let name = look.text(risen.names[0].0)?;
        let what = format!(
            "no {kind} was late before the others by more than chance; more of them were of {name} than of any other"
        );
        Some(Rose { what, event: None })
    })
}

/// The names of one kind whose answers became late, the one with most first.
struct Risen<'l> {
    names: Vec<(u64, Rise<'l>)>,
    /// Late requests of all names, and requests of the other names.
    late: usize,
    others: usize,
}

impl<'l> Risen<'l> {
    fn of(
        look: &'l Look,
        dimension: Dimension,
        until: Second,
        limit: u32,
        limits: &HashMap<u64, u32>,
    ) -> Self {
        let mut courses: HashMap<u64, Course<'l>> = HashMap::new();
        for x in look.answers.iter().filter(|x| x.arrived() < until) {
            let key = x.names[dimension as usize];
            if let (Some(took), true) = (x.took, key != 0) {
                courses.entry(key).or_default().add(x, took, limits.get(&key).copied().unwrap_or(limit));
            }
        }
        let all: usize = courses.values().map(|c| c.0.len()).sum();
        let late = courses.values().map(Course::late).sum();
        let of: HashMap<u64, usize> = courses.iter().map(|(key, c)| (*key, c.0.len())).collect();
        let mut names: Vec<(u64, Rise<'l>)> = courses
            .into_iter()
            .filter_map(|(key, c)| Some((key, c.rise()?)))
            .filter(|(_, r)| r.nats >= ROSE)
            .collect();
        names.sort_by_key(|(key, r)| (std::cmp::Reverse(r.late), *key));
        let others = all - names.first().map_or(0, |(key, _)| of[key]);
        Self { names, late, others }
    }

    /// The only one, where there are others that were as fast as ever.
    fn alone(&self, look: &Look, kind: &str) -> Option<Rose> {
        let [(key, rise)] = self.names.as_slice() else { return None };
        if self.others < TELLING || (self.late - rise.late) * ALONE > self.late {
            return None;
        }
        let (name, late) = (look.text(*key)?, clock::count(rise.late as u64));
        let what = format!(
            "{late} of {} late answers looked at were of {kind} {name}",
            clock::count(self.late as u64)
        );
        Some(Rose { what, event: None })
    }

    /// The one that was late before all others.
    fn first(&mut self, host: &Host<'_>, look: &Look, kind: &str) -> Option<Rose> {
        let (lead, ahead) = leader(&mut self.names)?;
        let (key, rise) = &self.names[lead];
        let name = look.text(*key)?;
        let ahead = clock::duration(ahead / 1000 * 1000);
        Some(Rose {
            what: format!("the first {kind} to be late was {name}, at least {ahead} before any other"),
            event: Some((
                rise.at.div_euclid(1000),
                format!("answers of {name} begin to come late, before those of any other {kind}"),
                rise.first.evidence(host),
            )),
        })
    }
}

/// What one request says of its name, and when, in milliseconds.
#[derive(Debug)]
struct Heard<'l> {
    /// When it became late, or was answered.
    at: i64,
    /// When it came.
    came: i64,
    late: bool,
    answer: &'l Answer,
}

/// The requests of one name.
#[derive(Debug, Default)]
struct Course<'l>(Vec<Heard<'l>>);

/// When a name began to be late.
#[derive(Debug)]
struct Rise<'l> {
    /// The likeliest moment, and the first and the last that are possible.
    at: i64,
    from: i64,
    to: i64,
    /// For each moment, between which times it lies and how much less likely it is than the likeliest.
    moments: Vec<(i64, i64, f64)>,
    /// How much better it explains the late ones than a share that stays the same.
    nats: f64,
    late: usize,
    first: &'l Answer,
}

impl<'l> Course<'l> {
    fn add(&mut self, answer: &'l Answer, took: u32, limit: u32) {
        let came = answer.arrived() * 1000;
        let late = took >= limit;
        let at = came + i64::from(if late { limit } else { took });
        self.0.push(Heard { at, came, late, answer });
    }

    fn late(&self) -> usize {
        self.0.iter().filter(|h| h.late).count()
    }

    fn rise(mut self) -> Option<Rise<'l>> {
        self.0.sort_by_key(|h| (h.at, h.late, h.came));
        let late = self.late();
        if late < LATE {
            return None;
        }
        let all = self.0.len();
        let mut moments = Vec::new();
        let (mut before, mut best) = (0, f64::NEG_INFINITY);
        for (i, heard) in self.0.iter().enumerate() {
            // Only a late request can be the first after the change.
            if heard.late {
                let l = likelihood(before, i) + likelihood(late - before, all - i);
                let rises = before * (all - i) < (late - before) * i.max(1);
                if rises {
                    let from = self.0[..i].last().map_or(i64::MIN, |h| h.at).min(heard.came);
                    best = best.max(l);
                    moments.push((from, heard.at, l, i));
                }
                before += 1;
            }
        }
        let &(from, at, _, i) = moments.iter().find(|m| m.2 >= best)?;
        let moments = moments.into_iter().map(|(from, to, l, _)| (from, to, best - l)).collect();
        let nats = best - likelihood(late, all);
        Some(Rise { at, from, to: at, moments, nats, late, first: self.0[i].answer })
    }
}

impl Rise<'_> {
    /// Widens it to all moments that are less likely by so much at most.
    fn widen(&mut self, nats: f64) {
        for &(from, to, less) in self.moments.iter().filter(|m| m.2 <= nats) {
            debug_assert!(less >= 0.0);
            (self.from, self.to) = (self.from.min(from), self.to.max(to));
        }
    }
}

/// The greatest log-likelihood of `k` late requests of `n`.
fn likelihood(k: usize, n: usize) -> f64 {
    let (k, n) = (k as f64, n as f64);
    xlogy(k, k) + xlogy(n - k, n - k) - xlogy(n, n)
}

/// Which one rose before all others, and by how many milliseconds at least.
fn leader(risen: &mut [(u64, Rise<'_>)]) -> Option<(usize, i64)> {
    let nats = POSSIBLE + (risen.len() as f64).ln();
    for (_, rise) in risen.iter_mut() {
        rise.widen(nats);
    }
    let lead = (0..risen.len()).min_by_key(|&i| risen[i].1.to)?;
    let next = (0..risen.len()).filter(|&i| i != lead).map(|i| risen[i].1.from).min()?;
    let ahead = next.saturating_sub(risen[lead].1.to.saturating_add(STAMP_MS));
    (ahead >= 1000).then_some((lead, ahead))
}
