//! Looks at packed files: what they need is unpacked once for all that will be looked at, as far as can be foreseen.

use super::super::host::Host;
use super::super::incident::window;
use super::look::{Stretch, readable};
use super::{AROUND, Looks, MOST, SAMPLE, UNPACKED};
use crate::detect::{Anomaly, Detection, Kind};
use crate::parallel::Workers;
use crate::reading;
use crate::scan::Dimension;
use crate::time::Window;
use std::collections::BTreeMap;
use std::ops::Range;

/// What is told beside the verdict of one candidate is worth this part of the scan: a look that was not foreseen unpacks as
/// much, from the beginning and by itself.
const PART: u64 = 4;
/// Unpacked bytes that are kept for looks, of all files of a host.
const KEPT: u64 = 24 << 20;

/// Where each client of a candidate met at least this part of a failure, none met much of it, and likewise no page.
const EACH_ONE: f64 = 0.8;
const MUCH: f64 = 0.4;
/// So many clients are a public, beside so many times as many as usually meet a failure.
const PUBLIC: f64 = 30.0;
const OVER: f64 = 3.0;

/// Unpacks again what the looks at candidates need; they then cost what they cost in a plain file. Where a verdict hangs
/// on it that may take as long as the scan did; for what else a look tells of an incident a quarter of that. Incidents in
/// several files are unpacked at once. `workers` are asked for where there is something to unpack.
pub fn unpack<E>(
    host: &Host<'_>,
    found: &Detection,
    workers: impl FnOnce() -> Result<Workers, E>,
) -> Result<(), E> {
    let packed: Vec<usize> =
        readable(host).into_iter().flatten().filter(|&i| reading::is_packed(&host.reads[i])).collect();
    if packed.is_empty() {
        return Ok(());
    }
    let left = Looks::default().left(host).min(MOST);
    let all: u64 = host.files.iter().map(|&i| host.reads[i].scan.bytes).sum();
    let mut wanted: BTreeMap<usize, Vec<Range<u64>>> = BTreeMap::new();
    let mut kept = 0;
    let (hang, other): (Vec<&Anomaly>, Vec<&Anomaly>) =
        found.anomalies.iter().partition(|a| hangs_on_requests(host, a));
    let many = hang.len();
    for (i, anomaly) in hang.into_iter().chain(other).enumerate() {
        let Some(stretch) = Stretch::around(host, window(anomaly), AROUND, left) else { continue };
        let ranges: Vec<(usize, Vec<Range<u64>>)> = packed
            .iter()
            .map(|&file| (file, stretch.bytes_of(&host.reads[file])))
            .filter(|(_, ranges)| !ranges.is_empty())
            .collect();
        let more: u64 = ranges.iter().flat_map(|(_, r)| r).map(|r| r.end - r.start).sum();
        let is_further = |(file, ranges): &(usize, Vec<Range<u64>>)| {
            wanted.get(file).is_none_or(|passed| end(passed) < end(ranges))
        };
        let own: u64 = ranges.iter().map(|(_, ranges)| end(ranges)).sum();
        let too_far = i >= many && own > UNPACKED.max(all / PART) && ranges.iter().any(is_further);
        if kept + more > KEPT || too_far {
            continue;
        }
        kept += more;
        for (file, ranges) in ranges {
            wanted.entry(file).or_default().extend(ranges);
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let mut wanted: Vec<(usize, Vec<Range<u64>>)> = wanted.into_iter().collect();
    for (file, ranges) in &mut wanted {
        // Who asks usually, as far as that lies on the way.
        let read = &host.reads[*file];
        let end = end(ranges);
        let all = Window::ALL.start..Window::ALL.end;
        let near = |p: &Range<u64>| p.end <= end || read.scan.bytes <= UNPACKED;
        ranges.extend(reading::places_between(read, &all, SAMPLE).into_iter().filter(near));
    }
    reading::unpack(host.reads, &wanted, &workers()?);
    Ok(())
}

fn end(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end).max().unwrap_or(0)
}

/// Whether one client or one page may have met most of a candidate, as far as the scan has counted them.
fn hangs_on_requests(host: &Host<'_>, anomaly: &Anomaly) -> bool {
    if anomaly.kind != Kind::Failing {
        return anomaly.kind == Kind::Slow;
    }
    let failures = host.failures(window(anomaly));
    let (failed, clients) = (failures.failed as f64, failures.clients() as f64);
    let page = failures.ranked(Dimension::Endpoint).first().map_or(0, |page| page.1) as f64;
    // So many clients met it that the others met it too, whatever one of them did.
    let public = clients >= PUBLIC + OVER * anomaly.usual_share * anomaly.requests as f64;
    clients < EACH_ONE * failed && !public || page > MUCH * failed
}
