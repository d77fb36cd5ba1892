//! A small part of a site that fails while all else goes on: a virtual host, an endpoint, a peer with so little of the
//! traffic that its failures are nothing among all requests.
//!
//! The scan keeps the names of what failed, second by second. Where the failures of one name lie together, the requests
//! around are read again, and those for that name alone are put to the test that all requests were put to.

use super::again::{Answer, ByKey, Look, Looks};
use super::host::Host;
use super::incident::window;
use crate::clock;
use crate::detect::{self, Anomaly, Cluster, Detection, Kind, Options, Reason};
use crate::report::Finding;
use crate::scan::Dimension;
use crate::time::{Second, Window};
use crate::timeline::Classes;
use std::collections::HashSet;

/// Fewer failures of a name are not looked at.
const FAILURES: u32 = 5;
/// Nats of a cluster that is worth a look, divided as the evidence of requests is,
const WORTH: f64 = 8.0;
/// and in a log short enough to be read again as a whole: that failures lie in a third of it says little by itself.
const WORTH_OF_FEW: f64 = 3.0;
/// Such a log has so many requests.
const FEW_REQUESTS: u64 = 20_000;
/// Clusters of one name that are tried,
const EACH: usize = 3;
/// and looks made, the most evident first.
const LOOKS: usize = 6;
/// Good answers around that show that the part is one that works,
const WORKS: u64 = 4;
/// and failed ones inside that show that it did not, where some are read.
const FAILED: u64 = 4;
/// Of the requests of a part that is called out, at least this share failed: of less it cannot be said that the part fails.
const SHARE: f64 = 0.2;
/// A name with a greater share of the requests is no part of the site but the site.
const MOST: f64 = 0.8;
/// So many clients met the failures, and so many a failure, where each is a witness of its own.
const CLIENTS: usize = 5;
const ALONE: f64 = 0.8;
/// By which the evidence of clients is divided.
const OF_CLIENTS: f64 = 1.25;
/// A part with a greater share of the requests that were read needs no look of its own.
const FEW: f64 = 0.1;
/// Bins of time in which all requests are counted.
const BINS: i64 = 1 << 12;

/// A cluster of failures of one name.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    name: u64,
    cluster: Cluster,
}

/// Adds the small parts that failed to a detection; gives the findings about those whose requests cannot be read again.
pub(super) fn find(host: &Host<'_>, looks: &mut Looks, found: &mut Detection) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let Some(span) = host.timeline.span().filter(|_| host.trials.is_none()) else { return findings };
    let known = Known::of(found);
    let named = by_name(host, &known);
    // By the clock alone first: to count all requests once more takes longer, and hardly any log needs it.
    let clock = |s: Second| s.saturating_sub(span.start).max(0) as f64;
    let length = span.end.saturating_sub(span.start) as f64;
    let counted: u64 = host.files.iter().map(|&i| host.reads[i].scan.requests).sum();
    let worth = if counted <= FEW_REQUESTS { WORTH_OF_FEW } else { WORTH };
    let is_worth = |c: &Cluster| c.nats / Options::default().least_dispersion >= worth;
    let lies_together =
        |of: &[(Second, u32)]| detect::densest(of, clock, length).is_some_and(|c| is_worth(&c));
    let scopes = named.len();
    let named: Vec<_> = named.into_iter().filter(|(_, failures)| lies_together(failures)).collect();
    if named.is_empty() {
        return findings;
    }
    let traffic = Traffic::of(host, span);
    let mut candidates: Vec<Candidate> =
        named.into_iter().flat_map(|(name, failures)| clusters(name, failures, &traffic, is_worth)).collect();
    // Where a site has one page the site tells more than the page.
    let rank = |c: &Candidate| (Dimension::of_key(c.name) != Dimension::Vhost, c.name);
    candidates.sort_by(|a, b| b.cluster.nats.total_cmp(&a.cluster.nats).then_with(|| rank(a).cmp(&rank(b))));
    let (mut made, mut new): (_, Vec<Anomaly>) = (0, Vec::new());
    for c in candidates {
        let at = during(c.cluster);
        let is_told = findings.iter().any(|f| f.time < at.end * 1000 && f.end > Some(at.start * 1000));
        let is_known = is_told || known.overlaps(at) || new.iter().any(|a| window(a).overlaps(at));
        if is_known || as_limited(host, at, c.cluster.failed) {
            continue;
        }
        if let Some(mut look) = alone(host, looks, c) {
            if let Some(a) = failing(&look, c, scopes, span, &known) {
                look.inside = window(&a);
                looks.keep(c.name, look);
                new.push(a);
            }
        } else if let Some(look) = looks.at(host, at) {
            new.extend(failing(look, c, scopes, span, &known));
        } else {
            findings.extend(unread(host, c, scopes));
        }
        made += 1;
        if made == LOOKS {
            break;
        }
    }
    found.anomalies.append(&mut new);
    found.anomalies.sort_by_key(|a| (a.start, a.end_or_last()));
    findings
}

/// The look at the requests of a part alone, where a stretch holds too many others to read them all and what is read of
/// them tells that those of the part are few.
fn alone(host: &Host<'_>, looks: &mut Looks, c: Candidate) -> Option<Look> {
    let at = during(c.cluster);
    let look = looks.at(host, at).filter(|look| !look.complete)?;
    let theirs = look.answers.iter().filter(|a| a.names.contains(&c.name)).count();
    let few = theirs as f64 <= FEW * look.answers.len() as f64;
    let name = host.files.iter().find_map(|&i| host.reads[i].scan.failed_name(c.name)).filter(|_| few)?;
    let Cluster { first, last, failed, .. } = c.cluster;
    let each = (failed, pause((first, last), failed).ceil() as i64);
    looks.name(host, at, (Dimension::of_key(c.name), name), each)
}

/// The usual time between two of `n` requests that came from second `first` to second `last`, in seconds.
fn pause((first, last): (Second, Second), n: u64) -> f64 {
    last.saturating_sub(first) as f64 / n.saturating_sub(1).max(1) as f64
}

/// The pause between two such requests that is longer than all but one in forty, where they come by chance, in seconds:
/// within it a next one may come, and what is longer says that none did.
pub(super) fn reach(between: (Second, Second), n: u64) -> i64 {
    ((pause(between, n) * 40f64.ln()).ceil() as i64).max(1)
}

/// What is known of a part whose requests cannot be read again, if chance does not explain it.
fn unread(host: &Host<'_>, c: Candidate, scopes: usize) -> Option<Finding> {
    let options = Options { scopes, ..Options::default() };
    let name = host.files.iter().find_map(|&i| host.reads[i].scan.failed_name(c.name))?;
    let Window { start, end } = during(c.cluster);
    (c.cluster.nats / options.least_dispersion >= threshold(&options)).then(|| Finding {
        kind: "not-enough-evidence",
        time: start * 1000,
        end: Some(end * 1000),
        summary: format!(
            "{} on {} failed in {}, far more than at other times; what it answered meanwhile and who asked cannot be \
             told, these lines cannot be read again: not enough to call",
            clock::count_of(c.cluster.failed, "request"),
            String::from_utf8_lossy(name),
            clock::duration((end - start) * 1000),
        ),
        evidence: Vec::new(),
    })
}

fn during(c: Cluster) -> Window {
    Window { start: c.first, end: c.last.saturating_add(1) }
}

/// The least evidence of a verdict among so many names, in nats.
fn threshold(options: &Options) -> f64 {
    (options.scopes.max(1) as f64 / options.false_findings).ln().max(options.least_nats)
}

/// Requests found to fail already, and what was too short to call and stays so: stretches apart from each other, in order.
/// That the error log tells of failures, or that answers are late, does not say who met them.
struct Known(Vec<Window>);

impl Known {
    fn of(found: &Detection) -> Self {
        let blips = found.remarks.iter().filter(|r| r.reason == Reason::Blip);
        let blips = blips.map(|r| Window { start: r.start, end: r.end.max(r.start.saturating_add(1)) });
        let failing = found.anomalies.iter().filter(|a| !matches!(a.kind, Kind::ErrorsOnly | Kind::Slow));
        let mut all: Vec<Window> = failing.map(window).chain(blips).collect();
        all.sort_by_key(|w| (w.start, w.end));
        let mut apart: Vec<Window> = Vec::new();
        for w in all {
            match apart.last_mut() {
                Some(last) if w.start <= last.end => last.end = last.end.max(w.end),
                _ => apart.push(w),
            }
        }
        Self(apart)
    }

    fn overlaps(&self, window: Window) -> bool {
        let next = self.0.partition_point(|k| k.end <= window.start);
        self.0.get(next).is_some_and(|k| k.overlaps(window))
    }
}

/// The failures of each name outside what is known, in order of time. Names are many and each fails often where all of a
/// site does: a list of each name's own, into which its failures come in their order, is made in a tenth of the time that
/// sorting all of them by name takes.
fn by_name(host: &Host<'_>, known: &Known) -> Vec<(u64, Vec<(Second, u32)>)> {
    let mut named: Vec<(u64, Vec<(Second, u32)>)> = Vec::new();
    let mut places: ByKey<usize> = ByKey::default();
    for &i in &host.files {
        // The names of one second come one after the other.
        let mut last = (Second::MIN, true);
        host.reads[i].scan.each_failed_name(|second, name, n| {
            if last.0 != second {
                last = (second, known.overlaps(Window { start: second, end: second.saturating_add(1) }));
            }
            if !last.1 {
                let place = *places.entry(name).or_insert_with(|| {
                    named.push((name, Vec::new()));
                    named.len() - 1
                });
                named[place].1.push((second, n));
            }
        });
    }
    named.retain(|of| of.1.iter().map(|f| f.1).sum::<u32>() >= FAILURES);
    // Files can lie side by side in time.
    for (_, failures) in named.iter_mut().filter(|of| !of.1.is_sorted()) {
        failures.sort_unstable();
    }
    named.sort_unstable_by_key(|of| of.0);
    named
}

/// The clusters of one name's failures that are worth a look, the densest taken out before the next is looked for.
fn clusters(
    name: u64,
    mut failures: Vec<(Second, u32)>,
    traffic: &Traffic,
    is_worth: impl Fn(&Cluster) -> bool,
) -> Vec<Candidate> {
    let mut found = Vec::new();
    while found.len() < EACH
        && let Some(cluster) = detect::densest(&failures, |s| traffic.until(s), traffic.all())
        && is_worth(&cluster)
    {
        found.push(Candidate { name, cluster });
        failures.retain(|f| f.0 < cluster.first || f.0 > cluster.last);
    }
    found
}

/// All requests over time.
struct Traffic {
    start: Second,
    width: i64,
    /// Requests before each bin.
    before: Vec<f64>,
}

impl Traffic {
    fn of(host: &Host<'_>, span: Window) -> Self {
        let width = (span.end.saturating_sub(span.start) / BINS).saturating_add(1);
        let bins = span.end.saturating_sub(span.start) / width + 1;
        let mut before = vec![0.0; usize::try_from(bins).unwrap_or(0) + 1];
        host.timeline.each_sum(span, [Classes::ALL, Classes::NONE], |s| {
            let bin = s.second.saturating_sub(span.start) / width;
            if let Some(sum) = usize::try_from(bin).ok().and_then(|bin| before.get_mut(bin + 1)) {
                *sum += f64::from(s.lines[0]);
            }
        });
        for i in 1..before.len() {
            before[i] += before[i - 1];
        }
        Self { start: span.start, width, before }
    }

    fn all(&self) -> f64 {
        self.before.last().copied().unwrap_or(0.0)
    }

    fn until(&self, second: Second) -> f64 {
        let into = second.saturating_sub(self.start).max(0);
        let bin = usize::try_from(into / self.width).unwrap_or(usize::MAX).min(self.before.len() - 1);
        let next = self.before.get(bin + 1).copied().unwrap_or(self.before[bin]);
        let part = (into % self.width) as f64 / self.width as f64;
        self.before[bin] + part * (next - self.before[bin])
    }
}

/// Whether most of it was refused by a limit, as the error log says: that is meant so.
fn as_limited(host: &Host<'_>, at: Window, failed: u64) -> bool {
    let limits = host.said.iter().filter(|s| host.category(s.class).starts_with("limit."));
    2 * limits.map(|s| s.count_in(at)).sum::<u64>() >= failed
}

/// The anomaly of a part that failed, if it did. What failed while all of the site is known to have failed is no evidence
/// for the part, and would make one of two such times and of what lies between them.
fn failing(look: &Look, c: Candidate, scopes: usize, span: Window, known: &Known) -> Option<Anomaly> {
    let is_known = |second: Second| known.overlaps(Window { start: second, end: second.saturating_add(1) });
    let own = |a: &&Answer| a.names.contains(&c.name) && (a.failed || a.good()) && !is_known(a.second);
    let count = |inside: bool| {
        let all = || look.answers.iter().filter(own).filter(|a| look.inside.contains(a.second) == inside);
        (all().count() as u64, all().filter(|a| a.failed).count() as u64)
    };
    let outside = count(false);
    if outside.0 - outside.1 < WORKS.max(outside.1) {
        return None;
    }
    let mut options = Options { scopes, ..Options::default() };
    let found = if look.complete {
        if met_one_by_one(look, c.name) {
            options.least_dispersion = OF_CLIENTS;
        }
        let ticks = look.ticks(|a| own(&a).then_some(a.failed));
        let mut found = detect::stretches(&ticks, &options).anomalies;
        found.retain(|a| window(a).overlaps(look.inside));
        found.into_iter().max_by(|a, b| a.evidence_nats.total_cmp(&b.evidence_nats))
    } else {
        sampled(c.cluster, count(true), outside, &options).map(|a| opened(a, span))
    };
    let mut a = found.filter(|a| a.failed_share().is_some_and(|s| s >= SHARE))?;
    // What nearly everybody asks for is no part.
    let is_part = look.of_name || outside.0 as f64 <= MOST * look.outside().count() as f64;
    a.within = is_part.then_some(c.name);
    Some(a)
}

/// Whether hardly any client met two failures of the part: then they are as good as counts of clients.
fn met_one_by_one(look: &Look, name: u64) -> bool {
    let met = || look.inside().filter(|a| a.failed && a.names.contains(&name));
    let clients: HashSet<u64> = met().map(|a| a.client).collect();
    clients.len() >= CLIENTS && clients.len() as f64 >= ALONE * met().count() as f64
}

/// The anomaly where some of the requests were read: those inside and outside, each with how many failed. They tell that
/// the part failed and did not before; how unlikely that is, and when it was, is told by its failures, which are all
/// known. Requests for the part came every so often: the first that failed need not have been the first that would have.
fn sampled(c: Cluster, inside: (u64, u64), outside: (u64, u64), options: &Options) -> Option<Anomaly> {
    let share = |(n, k): (u64, u64)| k as f64 / n.max(1) as f64;
    let nats = c.nats / options.least_dispersion;
    let reach = reach((c.first, c.last), c.failed);
    let long = c.last.saturating_sub(c.first) >= options.least_seconds - 1;
    let stands =
        long && inside.1 >= FAILED && share(inside) >= 2.0 * share(outside) && nats >= threshold(options);
    stands.then(|| Anomaly {
        start_bounds: (c.first.saturating_sub(reach), c.first),
        start_interval: (c.first.saturating_sub(reach), c.first),
        end_bounds: (c.last, c.last.saturating_add(reach)),
        end_interval: (c.last.saturating_add(1), c.last.saturating_add(reach)),
        usual_share: share(outside),
        evidence_nats: nats,
        dispersion: options.least_dispersion,
        ..Anomaly::between(Kind::Failing, during(c), (inside.1, inside.0))
    })
}

/// The anomaly open at the ends of the log that it may reach past, by what its own bounds allow: while the log goes on a
/// request for the part may fail next.
fn opened(mut a: Anomaly, span: Window) -> Anomaly {
    let last = span.end.saturating_sub(1);
    if a.start_bounds.0 < span.start {
        (a.start, a.open_start, a.start_bounds) = (span.start, true, (span.start, span.start));
    }
    if a.end_bounds.1 > last {
        (a.end, a.open_end, a.end_bounds) = (None, true, (a.last_bad, last));
    }
    let (start, end) = (a.start, a.end_or_last());
    for phase in &mut a.phases {
        (phase.start, phase.end) = (start, end);
    }
    a
}
