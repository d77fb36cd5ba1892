//! Each virtual host, endpoint and peer against its own traffic, and whether one client stands out: from the requests
//! that were read again.

use super::again::{Answer, ByKey, Look};
use super::{shown, stalled};
use crate::clock;
use crate::detect::{Anomaly, Kind, SilenceKind};
use crate::report::{Context, MadeOf, Place, PlaceKind};
use crate::scan::Dimension;
use crate::time::{Second, Window};

/// Places named of each kind: those that failed most, and those with the most traffic that did not.
const FAILED: usize = 6;
const WELL: usize = 2;
/// Requests below which a place that did not fail tells nothing.
const TELLS: u64 = 5;
/// Requests below which the busiest client says nothing.
const REQUESTS: u64 = 50;
/// A client stands out with this share of the requests, when that is so many times its share around the incident.
const STANDS_OUT: f64 = 0.2;
const TIMES: f64 = 3.0;

/// What the requests of a look say about an anomaly.
///
/// Where the log keeps `failures_only`, what is usual is not known.
pub(super) fn context(look: Option<&Look>, a: &Anomaly, failures_only: bool) -> Context {
    let Some(look) = look else {
        // Without the requests the limit of a slowdown is known all the same.
        let made_of = match a.kind {
            Kind::Silence(SilenceKind::Stalled) => stalled::made_of(),
            _ => {
                MadeOf { slow_ms: a.slow.map(|s| s.limit_ms), behind: shown::behind(a), ..MadeOf::default() }
            }
        };
        return Context { made_of, ..Context::default() };
    };
    let bad = shown::bad(look, a);
    let own = a.span();
    let mut places = Vec::new();
    // What the error log alone tells of are peers; where requests failed meanwhile, others did.
    let told = [(PlaceKind::Vhost, Dimension::Vhost), (PlaceKind::Endpoint, Dimension::Endpoint)];
    for (kind, dimension) in told.into_iter().filter(|_| a.kind != Kind::ErrorsOnly) {
        let seen = look.answers.iter().map(|x| (x.names[dimension as usize], x.second, bad(x)));
        places.extend(of_kind(look, kind, own, seen));
    }
    if a.kind == Kind::Failing || a.kind == Kind::ErrorsOnly {
        let tries = look.tries.iter().map(|t| (t.peer, t.second, t.failed));
        places.extend(of_kind(look, PlaceKind::Upstream, own, tries));
    } else {
        // Which of several tries was slow is not told; the peer that answered stands for the request.
        let last = look.answers.iter().map(|x| (x.names[Dimension::Peer as usize], x.second, bad(x)));
        places.extend(of_kind(look, PlaceKind::Upstream, own, last));
    }
    if failures_only {
        for p in &mut places {
            p.usual_share = None;
        }
    }
    let remarks = busiest(look).into_iter().collect();
    let counted = match (a.kind, a.slow) {
        (Kind::Missing, _) => shown::gone_is(look, a),
        (Kind::Slow, Some(_)) => "slow",
        (Kind::Slow, None) => "given up",
        _ => "failed",
    };
    Context {
        places,
        counted,
        sampled: !look.complete,
        remarks,
        made_of: shown::made_of(look, a),
        ..Context::default()
    }
}

#[derive(Debug, Default)]
struct Sums {
    n: u64,
    k: u64,
    first: Option<Second>,
    n0: u64,
    k0: u64,
}

/// The places of one kind; none where there are not several to tell apart. `own` is the incident: what is logged behind it
/// and counts is what failed.
fn of_kind(
    look: &Look,
    kind: PlaceKind,
    own: Window,
    seen: impl Iterator<Item = (u64, Second, bool)>,
) -> Vec<Place> {
    let mut sums: ByKey<Sums> = ByKey::default();
    for (key, second, bad) in seen {
        let s = sums.entry(key).or_default();
        if own.contains(second) || bad && look.inside.contains(second) {
            s.n += 1;
            s.k += u64::from(bad);
            if bad {
                s.first = Some(s.first.map_or(second, |f| f.min(second)));
            }
        } else {
            s.n0 += 1;
            s.k0 += u64::from(bad);
        }
    }
    let mut all: Vec<Place> = sums
        .into_iter()
        .filter_map(|(key, s)| {
            Some(Place {
                kind,
                name: look.text(key)?.to_owned(),
                requests: s.n,
                failed: s.k,
                first_failure: s.first.map(|f| f.saturating_mul(1000)),
                usual_share: (s.n0 > 0).then(|| s.k0 as f64 / s.n0 as f64),
            })
        })
        .collect();
    if all.len() < 2 {
        return Vec::new();
    }
    all.retain(|p| p.requests > 0);
    all.sort_by(|a, b| (b.failed, b.requests, &a.name).cmp(&(a.failed, a.requests, &b.name)));
    let (mut failed, mut well): (Vec<Place>, Vec<Place>) = all.into_iter().partition(|p| p.failed > 0);
    if failed.is_empty() {
        return failed;
    }
    failed.truncate(FAILED);
    well.retain(|p| p.requests >= TELLS);
    well.truncate(WELL);
    failed.extend(well);
    failed
}

/// Whether one client made an uncommon part of the requests.
fn busiest(look: &Look) -> Option<String> {
    let mut clients: ByKey<(u64, u64)> = ByKey::default();
    let (mut n, mut n0) = (0u64, 0u64);
    for Answer { client, second, .. } in &look.answers {
        let counts = clients.entry(*client).or_default();
        let inside = look.inside.contains(*second);
        let (sum, own) = if inside { (&mut n, &mut counts.0) } else { (&mut n0, &mut counts.1) };
        *sum += 1;
        *own += 1;
    }
    let (key, (most, around)) = clients.into_iter().max_by_key(|(key, c)| (c.0, *key))?;
    if n < REQUESTS {
        return None;
    }
    let share = most as f64 / n as f64;
    let usual = if n0 > 0 { around as f64 / n0 as f64 } else { 0.0 };
    let name = look.text(key)?;
    Some(if share >= STANDS_OUT && share >= TIMES * usual {
        format!(
            "One client, {name}, made {} of the requests during it and {} around it.",
            clock::share(share),
            clock::share(usual)
        )
    } else {
        format!("No client stands out: the busiest made {} of the requests.", clock::share(share))
    })
}
