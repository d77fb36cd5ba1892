//! The zone of each error log of a host, and where that puts the first and last of its records.

use super::Host;
use crate::error::Result;
use crate::format::access::AccessFormat;
use crate::format::directive::Field;
use crate::reading::Read;
use crate::time::{Second, Window};
use crate::zone::{self, ZonePlan};

/// Whether the stamps of an access log are written in its server's zone: `$msec` counts in UTC wherever it is.
fn tells_zone(read: &Read) -> bool {
    let local = |f: &AccessFormat| f.has(&Field::TimeLocal) || f.has(&Field::TimeIso8601);
    read.reading.plan.formats.iter().any(local)
}

impl Host<'_> {
    /// Finds the zone of each error log.
    pub(super) fn place(&mut self, given: &dyn Fn(Window) -> Result<Option<ZonePlan>>) -> Result<()> {
        let access: Vec<zone::Sighting> =
            self.files.iter().flat_map(|&i| self.reads[i].scan.access_sightings()).collect();
        let mut steps: Vec<(Second, i16)> = self
            .files
            .iter()
            .flat_map(|&i| {
                let read = &self.reads[i];
                let tells = tells_zone(read);
                read.scan.offset_steps().into_iter().filter(move |s| tells || s.1 != 0)
            })
            .collect();
        steps.sort_unstable();
        steps.dedup_by_key(|s| s.1);
        // All error logs of a host are written by one nginx in one zone: they are matched together.
        let errors: Vec<zone::Sighting> =
            self.files.iter().flat_map(|&i| self.reads[i].scan.error_sightings()).collect();
        let mut inferred = None;
        for &i in &self.files {
            let scan = &self.reads[i].scan;
            let Some((first, last)) = scan.error_span else { continue };
            let span = Window { start: first - 86_400, end: last + 86_400 };
            let plan = if scan.error_utc {
                ZonePlan::fixed(0, "the stamps are UTC", true)
            } else if let Some(plan) = given(span)? {
                plan
            } else {
                inferred.get_or_insert_with(|| zone::infer(&access, &errors, &steps, || self.times())).clone()
            };
            self.zones.insert(i, self.repeat(plan, i, (first, last), &access));
        }
        Ok(())
    }

    /// When the logs speak, in the clocks of each.
    fn times(&self) -> zone::Times {
        let zoneless = || self.files.iter().map(|&i| &self.reads[i].scan).filter(|scan| !scan.error_utc);
        let local = zoneless().filter_map(|scan| scan.error_span);
        let local = local.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let until = |(start, last): (Second, Second)| Window { start, end: last.saturating_add(1) };
        let mut failing = Vec::new();
        self.timeline.each_outcome(Window::ALL, |o| failing.extend((o.failed > 0).then_some(o.second)));
        let mut records = Vec::new();
        // What is compared with nothing is not put in order: that was a tenth of the report on an error log by itself.
        for scan in zoneless().filter(|_| !failing.is_empty()) {
            scan.each_error(|e| records.extend(e.seconds().iter()));
        }
        records.sort_unstable();
        records.dedup();
        zone::Times { spans: self.timeline.span().zip(local.map(until)), failing, records }
    }

    /// Tells the hours that come twice in one error log apart. Records of one shape and second of the wall's clock are one
    /// count, also where they are an hour apart; the first of them places it.
    fn repeat(
        &self,
        mut plan: ZonePlan,
        file: usize,
        (first, last): (Second, Second),
        access: &[zone::Sighting],
    ) -> ZonePlan {
        if plan.repeats(first, last) {
            let (scan, mut stamps) = (&self.reads[file].scan, Vec::new());
            scan.each_error(|e| stamps.push((e.first.byte, e.first.second)));
            stamps.sort_unstable();
            plan.repeat(&stamps, access, &scan.error_sightings());
        }
        plan
    }

    /// First and last second of an error log, in UTC.
    pub fn error_span(&self, file: usize) -> Option<(Second, Second)> {
        let (zone, scan) = (self.zones.get(&file)?, &self.reads[file].scan);
        let (first, last) = scan.error_span?;
        let mut span = (zone.utc(first, 0), zone.utc(last, 0));
        // Neither the earliest nor the latest stamp by the clock on the wall need be that of the first or last record.
        if zone.repeats(first, last) {
            span = (Second::MAX, Second::MIN);
            scan.each_error(|e| {
                let second = zone.utc(e.first.second, e.first.byte);
                let last = e.seconds().shifted(second - e.first.second).last().unwrap_or(second);
                span = (span.0.min(second), span.1.max(last));
            });
        }
        Some(span)
    }
}
