//! Where it struck: which virtual hosts, endpoints or peers failed, and which were well meanwhile.
//!
//! Each name is measured against its own usual share. When nearly all names that could show it are hit, or those hit
//! hold nearly all traffic, it is everything; else the dimension that needs the fewest names tells it best.

use super::again::{Answer, ByKey, Look};
use crate::report::Scope;
use crate::scan::Dimension;
use crate::stats::excess_nats;

/// Nats that a name's excess must bring, and by which it is divided: requests hang together.
const NATS: f64 = 7.0;
const DISPERSION: f64 = 2.5;
/// It is everything when so many of the names that could show it are hit, or they hold so much of the traffic.
const MOST_NAMES: f64 = 0.7;
const MOST_TRAFFIC: f64 = 0.8;
/// A name is hit when it fails at this part of the worst name's share, or more.
const ALIKE: f64 = 0.3;
/// The names given must hold this share of the failures,
const HELD: f64 = 0.85;
/// and be no more than these.
const NAMES: usize = 5;

/// Requests and bad ones of a name, inside and outside.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    n: f64,
    k: f64,
    n0: f64,
    k0: f64,
}

/// The names of one dimension that are hit; `None` when it is everything, or cannot be told.
fn hit(look: &Look, dimension: Dimension, bad: &dyn Fn(&Answer) -> bool) -> Option<Vec<u64>> {
    let mut sums: ByKey<Sums> = ByKey::default();
    for (a, inside) in look.inside().map(|a| (a, true)).chain(look.outside().map(|a| (a, false))) {
        let is_bad = bad(a);
        if !is_bad && !a.good() {
            continue;
        }
        let s = sums.entry(a.names[dimension as usize]).or_default();
        let (n, k) = if inside { (&mut s.n, &mut s.k) } else { (&mut s.n0, &mut s.k0) };
        *n += 1.0;
        *k += f64::from(u8::from(is_bad));
    }
    let (all_n, all_k) = sums.values().fold((0.0, 0.0), |(n, k), s| (n + s.n, k + s.k));
    let usual = |s: &Sums| ((s.k0 + 0.5) / (s.n0 + 1.0)).clamp(1e-3, 0.95);
    let worst = sums.values().filter(|s| s.n >= 5.0).map(|s| s.k / s.n).fold(0.0, f64::max);
    let nats = |s: &Sums, k: f64| excess_nats(s.n, k, usual(s)) / DISPERSION;
    let mut names: Vec<(u64, Sums)> = sums
        .iter()
        .filter(|(_, s)| nats(s, s.k) >= NATS && s.k / s.n >= ALIKE * worst)
        .map(|(k, s)| (*k, *s))
        .collect();
    let testable = sums.values().filter(|s| nats(s, worst * s.n) >= NATS).count();
    let (held_n, held_k) = names.iter().fold((0.0, 0.0), |(n, k), (_, s)| (n + s.n, k + s.k));
    names.sort_by(|a, b| b.1.k.total_cmp(&a.1.k).then(a.0.cmp(&b.0)));
    let everything =
        names.len() as f64 >= MOST_NAMES * testable.max(2) as f64 || held_n > MOST_TRAFFIC * all_n;
    let told = names.len() <= NAMES && held_k >= HELD * all_k && names.iter().all(|(key, _)| *key != 0);
    (!names.is_empty() && !everything && told).then(|| names.into_iter().map(|(key, _)| key).collect())
}

/// Names the places, in every dimension that tells some apart from the rest.
pub(super) fn name(look: &Look, scope: &mut Scope, bad: &dyn Fn(&Answer) -> bool) {
    let [endpoints, vhosts, upstreams] = Dimension::ALL.map(|d| {
        let mut names: Vec<String> = hit(look, d, bad)
            .unwrap_or_default()
            .iter()
            .filter_map(|k| look.text(*k).map(str::to_owned))
            .collect();
        names.sort();
        names
    });
    (scope.endpoints, scope.vhosts, scope.upstreams) = (endpoints, vhosts, upstreams);
    scope.all = scope.endpoints.is_empty() && scope.vhosts.is_empty() && scope.upstreams.is_empty();
}
