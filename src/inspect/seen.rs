//! A host as the parts of a report that speak of all hosts see it: from this run, or from a part scanned elsewhere.

use super::host::Host;
use crate::detect::ErrorTick;
use crate::time::Second;
use crate::timeline::Timeline;
use std::collections::BTreeMap;

/// What is kept of a host beside its incidents.
#[derive(Debug)]
pub struct Seen<'a> {
    /// Its name, where several are told apart.
    pub name: Option<&'a str>,
    /// Its requests.
    pub timeline: &'a Timeline,
    /// Its error records, in order of time.
    pub errors: &'a [ErrorTick],
    /// Records its error logs hold.
    pub records: u64,
    /// First and last second of what they say.
    pub said: Option<(Second, Second)>,
    /// When each failed request was seen, by a hash of client and request; those seen once, sorted.
    pub sightings: &'a [(u64, Second)],
}

impl Seen<'_> {
    /// The name of the host; files of no named host stand together.
    pub(super) fn shown(&self) -> String {
        self.name.unwrap_or("-").to_owned()
    }
}

/// When each failed request of a host was seen, of those seen once.
pub fn sightings(host: &Host<'_>) -> Vec<(u64, Second)> {
    let mut all: BTreeMap<u64, Option<Second>> = BTreeMap::new();
    for &i in &host.files {
        for s in host.reads[i].scan.access_sightings() {
            all.entry(s.key).and_modify(|t| *t = None).or_insert(Some(s.time));
        }
    }
    all.into_iter().filter_map(|(key, second)| Some((key, second?))).collect()
}

/// Error records of a host, and the first and last second they carry.
pub fn records(host: &Host<'_>) -> (u64, Option<(Second, Second)>) {
    let records = host.files.iter().map(|&i| host.reads[i].scan.error_records).sum();
    (records, host.said.first().zip(host.said.last()).map(|(a, b)| (a.second, b.second)))
}
