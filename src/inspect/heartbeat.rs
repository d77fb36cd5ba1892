//! Health checks as witnesses of a silence: requests that come by the clock, whatever the users do.
//!
//! A load balancer, an orchestrator or a monitor asks for one page at fixed times. Where it went on being answered while
//! all others stayed away, nginx ran, could be reached from there and wrote its log: what failed is the way that brings
//! the others to it. Where it stopped as well, it is not that the users alone stayed away.

use super::again::{Answer, Look};
use super::host::Host;
use super::incident::window;
use crate::clock;
use crate::detect::{Anomaly, Kind, SilenceKind};
use crate::report::Cause;
use crate::time::{Second, Window};
use std::collections::BTreeMap;

/// Pauses that tell a rhythm, at least,
const TELLING: usize = 8;
/// this part of which lie as far from the usual one as the clock of the log and a tenth of the pause explain.
const REGULAR: f64 = 0.9;
const WOBBLE: f64 = 0.1;
/// Two or three checks of one client for one page may run side by side, each by its own clock.
const SIDE_BY_SIDE: usize = 3;
/// From this part of the expected checks on they went on,
const WENT_ON: f64 = 0.8;
/// and up to this part they stopped.
const STOPPED: f64 = 0.2;
/// A check every two seconds is the quickest that a log of whole seconds can tell from a busy client.
const QUICKEST: f64 = 2.0;

/// Requests of one client for one page that come by the clock.
struct Heartbeat<'l> {
    /// Seconds from one to the next.
    every: f64,
    /// Those inside the silence, in order of time.
    inside: Vec<&'l Answer>,
    /// Those around it.
    around: Vec<&'l Answer>,
}

impl Heartbeat<'_> {
    /// The part of the expected checks that came inside the window.
    fn came(&self, window: Window) -> f64 {
        self.inside.len() as f64 * self.every / (window.end - window.start).max(1) as f64
    }
}

/// Lets the health checks say what they know of a silence that no line explains.
pub(super) fn testify(host: &Host<'_>, look: Option<&Look>, a: &Anomaly, causes: &mut [Cause]) {
    let unexplained = matches!(a.kind, Kind::Silence(SilenceKind::Unknown | SilenceKind::Dip));
    let (Some(look), Some(cause)) = (look.filter(|_| unexplained), causes.first_mut()) else { return };
    if cause.category != "traffic.lost" {
        return;
    }
    let silent = window(a);
    let beats = heartbeats(look, silent);
    let shown = |b: &Heartbeat<'_>, a: &Answer| {
        let page = look.text(a.names[0]).unwrap_or("one page");
        let client = look.text(a.client).map(|c| format!(" from {c}")).unwrap_or_default();
        // The log's seconds tell no more.
        let every = if b.every < 5.0 { (b.every * 10.0).round() * 100.0 } else { b.every.round() * 1000.0 };
        format!("{page} every {}{client}", clock::duration(every as i64))
    };
    // The one that says most: of a silence of many checks.
    let alive = beats.iter().filter(|b| b.came(silent) >= WENT_ON).max_by_key(|b| b.inside.len());
    if let Some(b) = alive
        && let [first, .., last] = b.inside[..]
    {
        let good = b.inside.iter().filter(|a| a.good()).count() as u64;
        let all = b.inside.len() as u64;
        if good * 10 < all * 9 {
            return;
        }
        let answered = if good == all { "all".to_owned() } else { format!("{} of them", clock::count(good)) };
        cause.confidence = "likely";
        cause.summary = format!(
            "requests stopped coming, but {} that come by the clock, as health checks do ({}), went on, and {answered} \
             were answered well: nginx ran; what brings the others to it failed, or they stayed away",
            clock::count(all),
            shown(b, first),
        );
        cause.evidence = [first, last].map(|a| a.evidence(host)).into();
        return;
    }
    let expected = |b: &Heartbeat<'_>| ((silent.end - silent.start) as f64 / b.every) as u64;
    let stopped =
        beats.iter().filter(|b| expected(b) >= 3 && b.came(silent) <= STOPPED).max_by_key(|b| expected(b));
    if let Some(b) = stopped
        && let Some(last) = b.around.iter().rev().find(|a| a.second <= silent.start)
    {
        cause.summary = format!(
            "requests stopped coming, and with them those that come by the clock, as health checks do ({}): it is not \
             that users alone stayed away; no line says that nginx was down",
            shown(b, last),
        );
        let next = b.around.iter().find(|a| a.second >= silent.end - 1);
        cause.evidence = std::iter::once(last).chain(next).map(|a| a.evidence(host)).collect();
    }
}

/// Who asks by the clock. Inside the silence alone where too much came around it to be read.
fn heartbeats(look: &Look, silent: Window) -> Vec<Heartbeat<'_>> {
    if !look.complete_inside {
        return Vec::new();
    }
    let mut by_page: BTreeMap<(u64, u64), Vec<&Answer>> = BTreeMap::new();
    for a in look.answers.iter().filter(|a| look.complete || silent.contains(a.second)) {
        by_page.entry((a.client, a.path)).or_default().push(a);
    }
    by_page
        .into_values()
        .filter(|answers| answers.len() > TELLING)
        .filter_map(|answers| heartbeat(answers, silent))
        .collect()
}

fn heartbeat(answers: Vec<&Answer>, silent: Window) -> Option<Heartbeat<'_>> {
    let (inside, around): (Vec<&Answer>, Vec<&Answer>) =
        answers.into_iter().partition(|a| silent.contains(a.second));
    let before = seconds(&around, |s| s < silent.start);
    let after = seconds(&around, |s| s >= silent.end);
    let own = seconds(&inside, |_| true);
    let every = rhythm(&[&before, &after]).or_else(|| rhythm(&[&own]))?;
    Some(Heartbeat { every, inside, around })
}

fn seconds(answers: &[&Answer], which: impl Fn(Second) -> bool) -> Vec<Second> {
    answers.iter().map(|a| a.second).filter(|s| which(*s)).collect()
}

/// Seconds between requests that come by the clock; `None` where they do not.
fn rhythm(stretches: &[&[Second]]) -> Option<f64> {
    (1..=SIDE_BY_SIDE).find_map(|lag| {
        let mut pauses: Vec<i64> =
            stretches.iter().flat_map(|s| s.iter().zip(s.iter().skip(lag)).map(|(a, b)| b - a)).collect();
        if pauses.len() < TELLING {
            return None;
        }
        pauses.sort_unstable();
        let usual = pauses[pauses.len() / 2] as f64;
        let near = pauses.iter().filter(|p| (**p as f64 - usual).abs() <= 1f64.max(WOBBLE * usual)).count();
        let regular = usual >= QUICKEST * lag as f64 && near as f64 >= REGULAR * pauses.len() as f64;
        // The mean of those near it, for a check every 2.5 s has pauses of 2 and 3.
        let mean = |near: Vec<i64>| near.iter().sum::<i64>() as f64 / near.len().max(1) as f64;
        regular.then(|| {
            let near = |p: &i64| (*p as f64 - usual).abs() <= 1f64.max(WOBBLE * usual);
            mean(pauses.into_iter().filter(near).collect()) / lag as f64
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_by_the_clock_has_a_rhythm() {
        let every = |p: f64, n: usize| (0..n).map(|i| (i as f64 * p) as Second).collect::<Vec<_>>();
        assert_eq!(rhythm(&[&every(10.0, 12)]), Some(10.0));
        assert!(rhythm(&[&every(2.5, 30)]).is_some_and(|p| (p - 2.5).abs() < 0.1));
        // A pause between two stretches is no pause of the rhythm.
        let later: Vec<_> = every(10.0, 6).into_iter().map(|s| s + 1003).collect();
        assert_eq!(rhythm(&[&every(10.0, 6), &later]), Some(10.0));
        // Two checks side by side, three seconds apart.
        let mut two = every(10.0, 12);
        two.extend(every(10.0, 12).into_iter().map(|s| s + 3));
        two.sort_unstable();
        assert_eq!(rhythm(&[&two]), Some(5.0));
    }

    #[test]
    fn what_comes_by_chance_has_none() {
        // Squares modulo a prime are as good as chance.
        let mut at = 0;
        let chance: Vec<Second> = (1i64..60)
            .map(|i| {
                at += i * i % 23;
                at
            })
            .collect();
        assert_eq!(rhythm(&[&chance]), None);
        assert_eq!(rhythm(&[&[0, 10, 20, 30]]), None, "too few");
        let busy: Vec<Second> = (0..100).collect();
        assert_eq!(rhythm(&[&busy]), None, "as quick as the clock of the log");
    }
}
