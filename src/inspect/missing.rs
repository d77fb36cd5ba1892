//! Content that is suddenly gone or refused: 404, 403, 401 and the like on paths that used to be answered well.
//!
//! The scan counts such answers a second, whatever was asked for. Where their share rises, the requests around are read
//! again: what counts are paths, and families of paths, that were answered well before or after, and are not any more:
//! good answers to them are lacking. What scanners ask for never was; passwords that are tried at a login leave those
//! who know theirs alone; and one client's tour through old links is one client's.

use super::again::{Answer, ByKey, Look, Looks};
use super::host::{Counted, Host};
use super::incident::window;
use super::{limited, one_client};
use crate::clock;
use crate::detect::{self, Anomaly, Detection, Kind, Options, Ticks};
use crate::report::Finding;
use crate::scan::Dimension;
use crate::time::Window;
use crate::timeline::Class;
use std::collections::HashSet;

/// Rises of missing answers that are looked at, the most evident first,
const CANDIDATES: usize = 12;
/// and how many of them may be slight ones: they are told only where something is gone.
const SLIGHT: usize = 4;
/// A family of paths is known when so many of its requests were answered well outside the candidate,
const FAMILY: u32 = 10;
/// and of all of them at most this share was missing.
const STALE: f64 = 0.1;
/// Good answers that are lacking make up at least this part of the missing ones: failed requests may be tried again.
const LACKING: f64 = 0.3;
/// So many pages can be a scope of their own.
const PAGES: usize = 3;
/// Of requests of which only some are there, the rest shows what is usual when it is this part of those that are lost.
const REST: f64 = 0.1;
/// Fewer distinct clients than these are no public.
const CLIENTS: usize = 3;

/// Adds what went missing to a detection, of the stretches in which more than usual did; gives the findings about what was
/// missing and never there.
pub(super) fn find(
    host: &Host<'_>,
    looks: &mut Looks,
    mut candidates: Vec<Anomaly>,
    found: &mut Detection,
) -> Vec<Finding> {
    candidates.sort_by(|a, b| b.evidence_nats.total_cmp(&a.evidence_nats).then(a.start.cmp(&b.start)));
    let evident = detect::Options::default().least_nats;
    let slight = candidates.partition_point(|c| c.evidence_nats >= evident);
    candidates.truncate(CANDIDATES.min(slight + SLIGHT));
    let mut findings = Vec::new();
    for c in candidates {
        let at = window(&c);
        let Some(look) = looks.at(host, at) else {
            if c.evidence_nats >= evident {
                findings.push(unread(&c));
            }
            continue;
        };
        match gone(host, look, &c) {
            Some(mut a) => {
                a.kind = Kind::Missing;
                for p in &mut a.phases {
                    p.kind = Kind::Missing;
                }
                found.anomalies.push(a);
            }
            None if c.evidence_nats >= evident => findings.push(never_there(host, look, &c)),
            None => {}
        }
    }
    findings
}

/// The time that tells what used to be there: all that was looked at, but for the candidate and for other stretches in which
/// as much was missing. What is gone twice was there before, between and after.
struct Usually<'a> {
    look: &'a Look,
    apart: Vec<Window>,
}

impl<'a> Usually<'a> {
    fn of(look: &'a Look) -> Self {
        let seen = |a: &Answer| (a.good() || a.class == Class::Missing).then_some(a.class == Class::Missing);
        let rises = detect::stretches(&look.ticks(seen), &Options::candidates()).anomalies;
        let apart = rises.iter().map(window).filter(|w| !w.overlaps(look.inside)).collect();
        Self { look, apart }
    }

    fn answers(&self) -> impl Iterator<Item = &'a Answer> {
        self.look.outside().filter(|a| !self.apart.iter().any(|w| w.contains(a.second)))
    }

    fn seconds(&self) -> f64 {
        let length = |w: &Window| w.end.saturating_sub(w.start) as f64;
        let apart: f64 = self.apart.iter().map(length).sum();
        length(&self.look.span) - length(&self.look.inside) - apart
    }
}

/// What was known of a path or a family of paths outside the candidate: good answers, missing ones.
type Known = ByKey<(u32, u32)>;

fn known(usually: &Usually<'_>, key: impl Fn(&Answer) -> u64) -> Known {
    let mut known = Known::default();
    for a in usually.answers() {
        let counts = known.entry(key(a)).or_default();
        counts.0 += u32::from(a.good());
        counts.1 += u32::from(a.class == Class::Missing);
    }
    known
}

fn there(known: &Known, key: u64, least: u32) -> bool {
    known.get(&key).is_some_and(|&(good, missing)| {
        good >= least && f64::from(missing) <= STALE * f64::from(good + missing)
    })
}

/// Whether a request was for something that used to be there.
fn used_to_be(usually: &Usually<'_>) -> impl Fn(&Answer) -> bool + use<> {
    let paths = known(usually, |a| a.path);
    let families = known(usually, endpoint);
    move |a| there(&paths, a.path, 1) || there(&families, endpoint(a), FAMILY)
}

fn endpoint(a: &Answer) -> u64 {
    a.names[Dimension::Endpoint as usize]
}

/// The anomaly of content that used to be there, if the candidate is one.
fn gone(host: &Host<'_>, look: &Look, candidate: &Anomaly) -> Option<Anomaly> {
    let usually = Usually::of(look);
    let used = used_to_be(&usually);
    let lost = |a: &Answer| a.class == Class::Missing && used(a);
    let out: HashSet<u64> = one_client::worst(look, lost).into_iter().map(|w| w.0).collect();
    let theirs = |a: &Answer| !out.contains(&a.client);
    let clients: HashSet<u64> = look.inside().filter(|a| lost(a) && theirs(a)).map(|a| a.client).collect();
    let hidden = out.is_empty() && look.text(look.answers.first()?.client).is_none();
    if clients.len() < CLIENTS && !hidden {
        return None;
    }
    let lacking = is_lacking(&usually, |a| lost(a) && theirs(a));
    if !lacking.unwrap_or_else(|| lacks_altogether(host, look, candidate)) {
        return None;
    }
    // A limit that only those meet who ask too much is meant so.
    let limited = look.inside().filter(|a| lost(a) && a.status == 429).count();
    if 2 * limited > look.inside().filter(|a| lost(a)).count()
        && !limited::meets_the_public(host, look, window(candidate))
    {
        return None;
    }
    let in_scope = |a: &Answer| (a.good() || a.class == Class::Missing) && theirs(a) && used(a);
    let worst = |of: &dyn Fn(&Answer) -> bool, scopes: usize| {
        let ticks = look.ticks(|a| of(a).then_some(a.class == Class::Missing));
        let mut found = detect::stretches(&ticks, &Options { scopes, ..Options::default() }).anomalies;
        let own = window(candidate);
        found.retain(|b| window(b).overlaps(own));
        found.into_iter().max_by(|a, b| a.evidence_nats.total_cmp(&b.evidence_nats))
    };
    // Among all requests the few for one page say little, among those for that page much; but pages were chosen from.
    let mut first = worst(&in_scope, 1).or_else(|| {
        let (pages, scopes) = few_pages(look, |a| in_scope(a) && a.class == Class::Missing)?;
        worst(&|a| in_scope(a) && pages.contains(&endpoint(a)), scopes)
    })?;
    if !look.complete {
        // Some requests date nothing: the edges are those of the counts, which hold every second.
        let Anomaly { start, start_bounds, start_interval, end, end_bounds, end_interval, .. } = *candidate;
        let (first_bad, last_bad) = (candidate.first_bad, candidate.last_bad);
        first = Anomaly {
            start,
            start_bounds,
            start_interval,
            end,
            end_bounds,
            end_interval,
            first_bad,
            last_bad,
            open_start: candidate.open_start,
            open_end: candidate.open_end,
            phases: candidate.phases.clone(),
            requests: candidate.requests,
            failed: candidate.failed,
            ..first
        };
    }
    Some(first)
}

/// The endpoints to which all answers inside that were lost belong, if they are few, and in how many ways so many can be
/// chosen of those that were asked for.
fn few_pages(look: &Look, lost: impl Fn(&Answer) -> bool) -> Option<(HashSet<u64>, usize)> {
    let pages: HashSet<u64> = look.inside().filter(|a| lost(a)).map(endpoint).collect();
    let all: HashSet<u64> = look.answers.iter().map(endpoint).collect();
    let ways = all.len().saturating_pow(u32::try_from(pages.len()).ok()?);
    (pages.len() <= PAGES).then_some((pages, ways))
}

/// Whether what was lost took the place of good answers, and did not come beside them: whether the paths (families,
/// where a path was not seen before) that lost answers have so many good ones fewer than their share of the rest tells.
/// `None` where only some requests are there, and next to none of the rest.
fn is_lacking(usually: &Usually<'_>, lost: impl Fn(&Answer) -> bool) -> Option<bool> {
    let look = usually.look;
    let seen: HashSet<u64> = usually.answers().filter(|a| a.good()).map(|a| a.path).collect();
    let (mut paths, mut families, mut gone) = (HashSet::new(), HashSet::new(), 0.0);
    for a in look.inside().filter(|a| lost(a)) {
        gone += 1.0;
        if seen.contains(&a.path) {
            paths.insert(a.path)
        } else {
            families.insert(endpoint(a))
        };
    }
    let theirs = |a: &&Answer| paths.contains(&a.path) || families.contains(&endpoint(a));
    // Of theirs, and of the rest.
    let good = |answers: &mut dyn Iterator<Item = &Answer>| {
        answers
            .filter(|a| a.good())
            .fold((0.0, 0.0), |(own, rest), a| if theirs(&a) { (own + 1.0, rest) } else { (own, rest + 1.0) })
    };
    let length = look.inside.end.saturating_sub(look.inside.start) as f64;
    let around = usually.seconds();
    let ((expected, rest), (came, others)) = (good(&mut usually.answers()), good(&mut look.inside()));
    let scale = match () {
        () if look.complete && around > 0.0 => length / around,
        () if rest < REST * expected => return None,
        () => others / rest.max(1.0),
    };
    let expected = expected * scale;
    Some(expected - came + expected.sqrt() >= LACKING * gone)
}

/// Whether good answers are lacking altogether, by the counts of every second.
fn lacks_altogether(host: &Host<'_>, look: &Look, candidate: &Anomaly) -> bool {
    let (mut inside, mut outside) = (0.0, 0.0);
    Counted::of(host).each(look.span, |tick| {
        let side = if look.inside.contains(tick.second) { &mut inside } else { &mut outside };
        *side += f64::from(tick.good);
    });
    let length = |w: Window| w.end.saturating_sub(w.start) as f64;
    let around = length(look.span) - length(look.inside);
    let expected = outside * length(look.inside) / around.max(1.0);
    expected - inside + expected.sqrt() >= LACKING * candidate.failed as f64
}

/// Whether a missing answer inside a missing-content anomaly counts as a failure of it.
pub(super) fn counts(look: &Look) -> impl Fn(&Answer) -> bool {
    let used = used_to_be(&Usually::of(look));
    move |a| a.class == Class::Missing && used(a)
}

fn finding(c: &Anomaly, kind: &'static str, summary: String) -> Finding {
    Finding { kind, time: c.start * 1000, end: c.end.map(|e| e * 1000), summary, evidence: Vec::new() }
}

fn rise(c: &Anomaly) -> String {
    format!(
        "{} in {} were refused or not found",
        clock::count_of(c.failed, "request"),
        clock::duration((c.end_or_last() - c.start) * 1000)
    )
}

fn unread(c: &Anomaly) -> Finding {
    let why = "whether their paths used to be there cannot be told: these lines cannot be read again";
    finding(c, "missing-content", format!("{}; {why}", rise(c)))
}

fn never_there(host: &Host<'_>, look: &Look, c: &Anomaly) -> Finding {
    let missing = || look.inside().filter(|a| a.class == Class::Missing);
    let clients: HashSet<u64> = missing().map(|a| a.client).collect();
    let from = match one_client::worst(look, |a| a.class == Class::Missing).first() {
        Some((key, _)) => format!("most of them of {}", look.text(*key).unwrap_or("one client")),
        None => format!("of {}", clock::count_of(clients.len() as u64, "client")),
    };
    let summary = format!("{}, {from}; what used to be there still is", rise(c));
    let evidence = missing().next().map(|a| a.evidence(host)).into_iter().collect();
    Finding { evidence, ..finding(c, "scan", summary) }
}
