//! What the files of some hosts say, before it is put together with what other hosts say. A report is made of one part or
//! of several, and comes out the same: what is worked out host by host is in the part, and what takes all hosts (the
//! join of their incidents, sums, availability, pictures) is worked out when the parts are there.

use super::{ErrorZoneChoice, Options};
use crate::clock::Clock;
use crate::detect::ErrorTick;
use crate::error::{Error, Result};
use crate::input::discover::{Reason, Skipped};
use crate::input::source::shown;
use crate::inspect::{self, LeftOut, Seen};
use crate::report::{Asked, Coverage, Finding, Incident, Input, NotCounted, Report, Totals};
use crate::time::{Second, Window, zone_name};
use crate::timeline::Timeline;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HostPart<'a> {
    pub(crate) name: Option<String>,
    pub(crate) timeline: Cow<'a, Timeline>,
    pub(crate) errors: Cow<'a, [ErrorTick]>,
    pub(crate) records: u64,
    pub(crate) said: Option<(Second, Second)>,
    /// Empty where there is no other host.
    pub(crate) sightings: Vec<(u64, Second)>,
    pub(crate) incidents: Vec<Incident>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) coverage: Vec<Coverage>,
    /// Its access log keeps failed requests only, and how many came is not known.
    pub(crate) failures_only: bool,
}

/// Some hosts, and the files they were read from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Part<'a> {
    pub(crate) hosts: Vec<HostPart<'a>>,
    pub(crate) inputs: Vec<Input>,
    pub(crate) left_out: LeftOut,
    pub(crate) skipped: BTreeMap<Reason, (u64, Vec<String>)>,
    pub(crate) totals: Totals,
    /// The zone asked for, or that of the first access log that says one.
    pub(crate) zone: Option<i16>,
    pub(crate) zone_asked: bool,
    /// Whether there are error logs alone, of which the zone is only inferred.
    pub(crate) only_errors: bool,
    pub(crate) window: (Second, Second),
    pub(crate) paths: Vec<String>,
    pub(crate) asked: Asked,
    /// What could not be read.
    pub(crate) failures: Vec<String>,
}

/// Paths of each kind of what was passed over that are named.
const NAMED: usize = 3;

/// What the walk left out, as a part keeps it.
pub(crate) fn skipped(all: &BTreeMap<Reason, Skipped>) -> BTreeMap<Reason, (u64, Vec<String>)> {
    let named = |s: &Skipped| (s.count, s.examples.iter().take(NAMED).map(|p| shown(p)).collect());
    all.iter().map(|(reason, s)| (*reason, named(s))).collect()
}

fn passed_over(all: BTreeMap<Reason, (u64, Vec<String>)>) -> impl Iterator<Item = NotCounted> {
    all.into_iter().map(|(reason, (count, paths))| {
        let more = if count > paths.len() as u64 { ", ..." } else { "" };
        let number = if count > 1 { format!(" ({count} of them)") } else { String::new() };
        NotCounted {
            path: format!("{}{more}", paths.join(", ")),
            reason: format!("{reason}{number}"),
            lines: 0,
            bytes: 0,
            example: None,
        }
    })
}

/// Puts parts together. The hosts keep the order of their names, as those of one run have it.
///
/// # Errors
/// Parts that were asked different things, or that hold files of the same host: what one host's files say can only be
/// told from all of them.
pub(crate) fn assemble(parts: Vec<Part<'_>>) -> Result<Report> {
    let mut parts = parts.into_iter();
    let Some(mut all) = parts.next() else {
        return Err(Error::Usage("there is nothing to put together".into()));
    };
    for part in parts {
        all.add(part)?;
    }
    all.hosts.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(twice) = all.hosts.windows(2).find(|w| w[0].name == w[1].name) {
        let what = match &twice[0].name {
            Some(name) => format!("the host {name}"),
            None => "a host without a name".into(),
        };
        return Err(Error::Usage(format!(
            "two of the parts hold logs of {what}; scan all logs of a host at once, and name hosts with --host-from"
        )));
    }
    let Part {
        mut hosts, mut inputs, left_out, skipped, totals, zone, zone_asked, only_errors, window, ..
    } = all;
    let zone = if only_errors && !zone_asked { 0 } else { zone.unwrap_or(0) };
    let mut report = Report { inputs: Vec::new(), totals, zone, ..Report::default() };
    let mut single: Vec<Incident> = Vec::new();
    for host in &mut hosts {
        single.append(&mut host.incidents);
        report.findings.append(&mut host.findings);
        report.coverage.append(&mut host.coverage);
    }
    let seen: Vec<Seen<'_>> = hosts.iter().map(HostPart::seen).collect();
    report.findings.extend(inspect::taken_over(&seen, &mut single));
    report.incidents.clone_from(&single);
    inspect::join_hosts(&mut report.incidents, seen.len());
    report.incidents.sort_by(|a, b| (a.start, &a.id).cmp(&(b.start, &b.id)));
    report.findings.sort_by(|a, b| (a.time, a.kind).cmp(&(b.time, b.kind)));
    inspect::sort_inputs(&mut inputs);
    report.inputs = inputs;
    report.not_counted = left_out.entries();
    report.not_counted.extend(passed_over(skipped));
    if !hosts.iter().any(|host| host.failures_only) {
        report.availability = inspect::availability(&report.incidents, &report.coverage, report.totals);
    }
    let edges = |f: fn(&Input) -> Option<i64>| report.inputs.iter().filter_map(f);
    let (from, to) = (window.0.saturating_mul(1000), window.1.saturating_mul(1000));
    report.span =
        edges(|i| i.first).min().zip(edges(|i| i.last).max()).map(|(f, l)| (f.max(from), l.min(to)));
    report.options = all.asked;
    // Their order changes nothing else in the report either.
    report.options.paths = all.paths;
    report.options.paths.sort();
    compare(&mut report, &seen, &single);
    Ok(report)
}

/// Pictures, and what each incident is compared with. `single` are the incidents before those of several hosts were
/// joined.
fn compare(report: &mut Report, hosts: &[Seen<'_>], single: &[Incident]) {
    let charts = inspect::Charts::new(hosts, report.zone);
    report.chart = charts.of_span();
    report.hosts = inspect::summaries(hosts, single, &report.incidents, &report.coverage);
    report.joint = inspect::joint(hosts, single, &report.coverage);
    for at in 0..report.incidents.len() {
        let incident = &report.incidents[at];
        let (stretches, remarks) = inspect::around(hosts, incident, &report.incidents);
        let parts = inspect::hosts_of(hosts, incident, single);
        let alike = inspect::alike(incident, &report.incidents[..at]);
        let incident = &mut report.incidents[at];
        incident.chart = charts.of_incident(incident);
        incident.error_budget = inspect::error_budget(incident);
        let context = &mut incident.context;
        (context.stretches, context.hosts, context.alike) = (stretches, parts, alike);
        context.remarks.splice(..0, remarks);
    }
}

impl HostPart<'_> {
    fn seen(&self) -> Seen<'_> {
        Seen {
            name: self.name.as_deref(),
            timeline: &self.timeline,
            errors: &self.errors,
            records: self.records,
            said: self.said,
            sightings: &self.sightings,
        }
    }
}

impl Part<'_> {
    fn add(&mut self, other: Self) -> Result<()> {
        if self.asked != other.asked || self.window != other.window || self.zone_asked != other.zone_asked {
            let what = "the parts were scanned with different options; scan all of them alike";
            return Err(Error::Usage(what.into()));
        }
        self.zone = self.zone.or(other.zone);
        self.only_errors &= other.only_errors;
        self.hosts.extend(other.hosts);
        self.inputs.extend(other.inputs);
        self.left_out.merge(other.left_out);
        for (reason, (count, paths)) in other.skipped {
            let mine = self.skipped.entry(reason).or_default();
            mine.0 = mine.0.saturating_add(count);
            mine.1.extend(paths);
            mine.1.truncate(NAMED);
        }
        let (mine, other_sums) = (&mut self.totals, other.totals);
        for (mine, more) in [
            (&mut mine.lines, other_sums.lines),
            (&mut mine.bytes, other_sums.bytes),
            (&mut mine.requests, other_sums.requests),
            (&mut mine.failed, other_sums.failed),
            (&mut mine.error_records, other_sums.error_records),
        ] {
            *mine = mine.saturating_add(more);
        }
        self.paths.extend(other.paths);
        self.failures.extend(other.failures);
        Ok(())
    }
}

/// What was asked for, in the form in which it can be asked again: the clock is out of it, and so is what changes
/// no byte of the report (threads, chunks). Paths come later, with those of the other parts.
pub(crate) fn asked(options: &Options, window: Window, zone: i16) -> Asked {
    let time = |second: Second| Clock::new(zone).rfc3339_short(second.saturating_mul(1000));
    let mut out = Vec::new();
    out.extend((window.start != i64::MIN).then(|| ("since", time(window.start))));
    out.extend((window.end != i64::MAX).then(|| ("until", time(window.end))));
    out.extend(options.zone.map(|z| ("tz", zone_name(z))));
    out.extend(options.error_zone.as_ref().map(|z| match z {
        ErrorZoneChoice::Fixed(offset) => ("error-tz", zone_name(*offset)),
        ErrorZoneChoice::Named(name) => ("error-tz", name.clone()),
    }));
    out.extend(options.log_formats.iter().map(|f| ("log-format", f.clone())));
    out.extend(options.nginx_conf.iter().map(|p| ("nginx-conf", shown(p))));
    out.extend(options.host_from.iter().map(|h| ("host-from", h.clone())));
    out.extend(options.exclude.iter().map(|p| ("exclude", p.clone())));
    out.extend(options.exclude_agent.iter().map(|a| ("exclude-agent", a.clone())));
    out.extend(options.patterns.iter().map(|p| ("patterns", shown(p))));
    out.extend(options.redact.then(|| ("redact", String::new())));
    Asked { paths: Vec::new(), options: out }
}

/// The paths that were given, as they are shown.
pub(crate) fn paths(options: &Options) -> Vec<String> {
    options.paths.iter().map(|p: &PathBuf| shown(p)).collect()
}

impl Part<'_> {
    /// Whether this can have come from a scan: what was read from a file that anybody may have written must not make
    /// a sum overflow.
    pub(crate) fn is_sound(&self) -> bool {
        let time = |t: i64| t.unsigned_abs() < 1 << 53;
        let small = |n: u64| n < 1 << 50;
        let span = |a: i64, b: Option<i64>| time(a) && b.is_none_or(time);
        let pair = |(a, b): (i64, i64)| time(a) && time(b);
        let coverage = |c: &Coverage| time(c.start) && time(c.end);
        let finding = |f: &Finding| span(f.time, f.end);
        let incident = |i: &Incident| {
            let impact = &i.impact;
            let lost = impact.lost_bounds.into_iter().flat_map(|(a, b)| [a, b]);
            let counts = [impact.requests, impact.failed, impact.uncounted];
            span(i.start, i.end)
                && pair(i.start_bounds)
                && pair(i.end_bounds)
                && i.phases.iter().all(|p| span(p.start, p.end))
                && i.timeline.iter().all(|e| time(e.time))
                && i.trigger.as_ref().is_none_or(|t| time(t.time))
                && counts.into_iter().chain(lost).all(small)
                && impact.lost_estimate.into_iter().chain(impact.clients).chain(impact.slow).all(small)
                && impact.statuses.values().all(|n| small(*n))
        };
        let host = |h: &HostPart<'_>| {
            h.timeline.is_sound()
                && h.errors.is_sorted_by_key(|t| t.second)
                && h.sightings.is_sorted()
                && h.sightings.iter().all(|s| s.1.unsigned_abs() < 1 << 40)
                && small(h.records)
                && h.said.is_none_or(|(a, b)| time(a) && time(b))
                && h.errors.iter().all(|t| t.second.unsigned_abs() < 1 << 40)
                && h.incidents.iter().all(incident)
                && h.findings.iter().all(finding)
                && h.coverage.iter().all(coverage)
        };
        self.hosts.iter().all(host)
            && self.inputs.iter().all(|i| i.first.is_none_or(time) && i.last.is_none_or(time))
            && self.zone.is_none_or(|z| z.unsigned_abs() <= 24 * 60)
    }
}
