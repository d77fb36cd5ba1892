//! Looks at packed files: what they need is unpacked once for all that will be looked at, as far as can be foreseen.

use super::super::host::Host;
use super::super::incident::window;
use super::look::{Stretch, readable};
use super::{AROUND, Looks, MOST, SAMPLE, UNPACKED};
use crate::detect::Detection;
use crate::parallel::Workers;
use crate::reading;
use crate::time::Window;
use std::collections::BTreeMap;
use std::ops::Range;

/// Unpacked bytes that are kept for looks, of all files of a host.
const KEPT: u64 = 24 << 20;

/// Unpacks again what the looks at candidates need. It takes no longer than the scan did, and the looks then cost what they
/// cost in a plain file. `workers` are asked for where there is something to unpack.
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
    let mut wanted: BTreeMap<usize, Vec<Range<u64>>> = BTreeMap::new();
    let mut kept = 0;
    for anomaly in &found.anomalies {
        let Some(stretch) = Stretch::around(host, window(anomaly), AROUND, left) else { continue };
        let ranges: Vec<(usize, Vec<Range<u64>>)> =
            packed.iter().map(|&i| (i, stretch.bytes_of(&host.reads[i]))).collect();
        kept += ranges.iter().flat_map(|(_, r)| r).map(|r| r.end - r.start).sum::<u64>();
        if kept > KEPT {
            break;
        }
        for (file, ranges) in ranges.into_iter().filter(|(_, ranges)| !ranges.is_empty()) {
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
        let end = ranges.iter().map(|r| r.end).max().unwrap_or(0);
        let all = Window::ALL.start..Window::ALL.end;
        let near = |p: &Range<u64>| p.end <= end || read.scan.bytes <= UNPACKED;
        ranges.extend(reading::places_between(read, &all, SAMPLE).into_iter().filter(near));
    }
    reading::unpack(host.reads, &wanted, &workers()?);
    Ok(())
}
