//! Access lines of a host, read again to be quoted.

use super::host::Host;
use crate::detect::Anomaly;
use crate::format::AccessFormat;
use crate::format::record::AccessRecord;
use crate::reading::{Role, record_at};
use crate::report::Evidence;
use crate::scan::{FailureTally, Sample};
use crate::time::Window;
use crate::timeline::Class;

impl Host<'_> {
    /// The last line before and the first line after a silence.
    pub(super) fn lines_around(&self, a: &Anomaly) -> Vec<Evidence> {
        let edges = [a.last_good_before.or(Some(a.start - 1)), a.first_good_after];
        let mut out = Vec::new();
        for (i, second) in edges.into_iter().enumerate() {
            let Some(second) = second else { continue };
            let found = self.line_at(second, i == 0);
            out.extend(found);
        }
        out
    }

    /// The first or last access line of a second.
    fn line_at(&self, second: i64, last: bool) -> Option<Evidence> {
        for &i in &self.files {
            let read = &self.reads[i];
            if read.reading.role != Role::Access || !crate::reading::can_be_read_again(read) {
                continue;
            }
            let mut found: Option<(u64, Vec<u8>)> = None;
            crate::reading::each_line_between(read, second..second + 1, &mut |byte, line, _| {
                if last || found.is_none() {
                    found = Some((byte, line.to_vec()));
                }
            });
            if let Some((byte, line)) = found {
                return Some(Evidence {
                    path: read.reading.source.shown.clone(),
                    line: crate::reading::line_number(read, byte),
                    byte,
                    text: String::from_utf8_lossy(&line).into_owned(),
                });
            }
        }
        None
    }

    /// What the first failed request of a stretch logged, read again.
    pub(super) fn first_failed_answer<T>(
        &self,
        window: Window,
        read: impl FnOnce(&AccessFormat, &AccessRecord<'_>) -> T,
    ) -> Option<T> {
        let first = |i: &usize| {
            let mut tally = FailureTally::default();
            self.reads[*i].scan.add_failures(window, &mut tally);
            Some((tally.first?, *i))
        };
        let (sample, file) = self.files.iter().filter_map(first).min_by(|a, b| a.0.cmp(&b.0))?;
        self.answer_at(file, &sample, read)
    }

    /// What failed requests of a stretch logged, read again: the first and the last of each of its moments, of `most` of
    /// those at even distances.
    pub(super) fn each_failed_answer(
        &self,
        window: Window,
        most: usize,
        mut visit: impl FnMut(&AccessFormat, &AccessRecord<'_>),
    ) {
        let all = || {
            let files = self.files.iter().copied();
            files.flat_map(|i| self.reads[i].scan.failure_samples(window).map(move |sample| (i, sample)))
        };
        let step = all().count().div_ceil(most).max(1);
        for (file, sample) in all().step_by(step) {
            self.answer_at(file, sample, &mut visit);
        }
    }

    /// An access line that was kept by its place.
    fn answer_at<T>(
        &self,
        file: usize,
        sample: &Sample,
        read: impl FnOnce(&AccessFormat, &AccessRecord<'_>) -> T,
    ) -> Option<T> {
        let line = record_at(&self.reads[file], sample);
        let plan = &self.reads[file].reading.plan;
        let mut room = Vec::new();
        let unwrapped = plan.framing.unwrap(&line, &mut room);
        let payload = unwrapped.as_ref().map_or(line.as_slice(), |u| u.payload);
        plan.formats.iter().find_map(|f| Some((f, f.parse(payload).ok()?))).map(|(f, r)| read(f, &r))
    }

    /// An access line by its place.
    pub(super) fn access_line(&self, file: usize, byte: u64, second: i64) -> Evidence {
        let read = &self.reads[file];
        let mut text = None;
        if read.reading.source.is_seekable() {
            let sample = Sample { second, byte, line: 0, text: None };
            text = Some(crate::reading::record_at(read, &sample));
        } else {
            crate::reading::each_line_between(read, second..second + 1, &mut |at, line, _| {
                if at == byte {
                    text = Some(line.to_vec());
                }
            });
        }
        Evidence {
            path: read.reading.source.shown.clone(),
            line: crate::reading::line_number(read, byte),
            byte,
            text: String::from_utf8_lossy(&text.unwrap_or_default()).into_owned(),
        }
    }

    /// Whether any request of a stretch was answered well.
    pub(super) fn has_good(&self, window: Window) -> bool {
        let mut good = false;
        self.timeline.each(window, |m| good |= m.counts[Class::Ok as usize] > 0);
        good
    }
}
