//! What is kept of one log: how it is read, and the sum of its scans.

use super::serials::{self, Serial};
use crate::error::Result;
use crate::format::framing::Framing;
use crate::format::{AccessFormat, Exclude};
use crate::input::source::Source;
use crate::reading::{Reading, Role};
use crate::scan::{FileScan, Plan};
use crate::time::{Second, parse_error_time};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// Longest example line that is kept.
const EXAMPLE: usize = 4096;

/// Formats by their directives: thousands of logs have the same few, and to read one takes as long as a hundred lines.
#[derive(Debug, Default)]
pub(super) struct Formats {
    known: RefCell<HashMap<Arc<str>, Option<AccessFormat>>>,
    /// The format whose directive was asked for last, with it.
    written: RefCell<Option<(AccessFormat, Arc<str>)>>,
    /// How the log asked for last is read: the next is most often read alike.
    last: RefCell<Option<Plan>>,
}

impl Formats {
    fn get(&self, directive: &str) -> Option<AccessFormat> {
        if let Some(known) = self.known.borrow().get(directive) {
            return known.clone();
        }
        let read = AccessFormat::from_directive("", directive, None).ok();
        self.known.borrow_mut().insert(directive.into(), read.clone());
        read
    }

    /// The directive of a format: one text for all logs that have it.
    fn directive(&self, format: &AccessFormat) -> Arc<str> {
        let mut written = self.written.borrow_mut();
        match &*written {
            Some((last, directive)) if last.is(format) => Arc::clone(directive),
            _ => {
                let directive: Arc<str> = format.definition().into();
                *written = Some((format.clone(), Arc::clone(&directive)));
                directive
            }
        }
    }

    fn plan(&self, formats: Vec<AccessFormat>, framing: Framing) -> Plan {
        let plan = Plan::like(self.last.borrow().as_ref(), formats.clone(), framing);
        self.last.replace(Some(Plan::like(Some(&plan), formats, framing)));
        plan
    }
}

/// A log of which something is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    role: Role,
    /// Access formats as directives, which is how nginx writes them and how they can be read again.
    #[serde(with = "directives")]
    formats: Vec<Arc<str>>,
    framing: Framing,
    confidence: f64,
    reason: String,
    example: Vec<u8>,
    vhosts: BTreeSet<String>,
    peers: BTreeSet<String>,
    /// Shared with the report of a run.
    #[serde(with = "shared")]
    scan: Arc<FileScan>,
    /// The last record with a connection serial.
    serial: Option<Serial>,
}

impl Kept {
    pub(super) fn new(reading: &Reading, formats: &Formats) -> Self {
        let example = &reading.example[..reading.example.len().min(EXAMPLE)];
        Self {
            role: reading.role,
            formats: reading.plan.formats.iter().map(|f| formats.directive(f)).collect(),
            framing: reading.plan.framing,
            confidence: reading.confidence,
            reason: reading.reason.to_string(),
            example: example.to_vec(),
            vhosts: reading.vhosts.clone(),
            peers: reading.peers.clone(),
            scan: Arc::default(),
            serial: None,
        }
    }

    /// What kind of log it is.
    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// The formats of its lines; none when they cannot be read.
    pub(super) fn formats(&self, formats: &Formats) -> Vec<AccessFormat> {
        self.formats.iter().filter_map(|f| formats.get(f)).collect()
    }

    /// How `source` is read; `None` when a format cannot be read back.
    pub(super) fn reading(
        &self,
        source: Arc<Source>,
        exclude: Option<&Arc<Exclude>>,
        formats: &Formats,
    ) -> Option<Box<Reading>> {
        let mine = self.formats(formats);
        (mine.len() == self.formats.len()).then(|| {
            Box::new(Reading {
                source,
                role: self.role,
                plan: formats.plan(mine, self.framing).without(exclude),
                confidence: self.confidence,
                reason: self.reason.as_str().into(),
                example: self.example.as_slice().into(),
                vhosts: self.vhosts.clone(),
                peers: self.peers.clone(),
            })
        })
    }

    /// Looks through new lines for what a later silence may have been; before they are added.
    pub(super) fn listen(&mut self, reading: &Reading, range: Range<u64>) -> Result<()> {
        if reading.source.is_seekable() {
            let falls = serials::falls(reading, range, self.scan.lines, &mut self.serial)?;
            serials::keep(&mut Arc::make_mut(&mut self.scan).falls, falls);
        }
        Ok(())
    }

    /// Adds the scan of the bytes behind those that were scanned before.
    pub(super) fn add(&mut self, mut scan: Arc<FileScan>) {
        if *self.scan == FileScan::default() {
            // Of a hundred thousand files nearly all are read once: no sum is made of one scan.
            Arc::make_mut(&mut scan).join_blocks();
            self.scan = scan;
            return;
        }
        Arc::make_mut(&mut scan).behind(self.scan.lines);
        let sum = Arc::make_mut(&mut self.scan);
        sum.merge(Arc::unwrap_or_clone(scan));
        sum.join_blocks();
    }

    pub(super) fn scan(&self) -> &FileScan {
        &self.scan
    }

    /// The same for a report; nothing is copied as long as neither is changed.
    pub(super) fn shared(&self) -> Arc<FileScan> {
        Arc::clone(&self.scan)
    }

    pub(super) fn forget_before(&mut self, second: Second) {
        Arc::make_mut(&mut self.scan).forget_before(second);
    }

    /// The last second with a line.
    pub(super) fn last(&self) -> Option<Second> {
        self.scan.last.map(|ms| ms.div_euclid(1000)).or(self.scan.error_span.map(|s| s.1))
    }

    /// About the first second of the log, also when that is not kept any more.
    pub(super) fn begins(&self, formats: &Formats) -> Option<Second> {
        let formats = self.formats(formats);
        let request = formats.iter().find_map(|f| Some(f.parse(&self.example).ok()?.time?.second()));
        let kept = self.scan.first.map(|ms| ms.div_euclid(1000)).or(self.scan.error_span.map(|s| s.0));
        request.or_else(|| parse_error_time(&self.example)).into_iter().chain(kept).min()
    }

    /// Whether this can have been written by a run.
    pub(super) fn is_sound(&self) -> bool {
        self.confidence.is_finite() && self.formats.len() <= 64 && self.scan.is_sound()
    }
}

/// Directives as they are written and read: as texts.
mod directives {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::sync::Arc;

    pub(super) fn serialize<S: Serializer>(
        directives: &[Arc<str>],
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(directives.iter().map(|text| &**text))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Vec<Arc<str>>, D::Error> {
        Ok(Vec::<String>::deserialize(deserializer)?.into_iter().map(Arc::from).collect())
    }
}

/// A scan as it is written and read.
mod shared {
    use crate::scan::FileScan;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::sync::Arc;

    pub(super) fn serialize<S: Serializer>(
        scan: &Arc<FileScan>,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        (**scan).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Arc<FileScan>, D::Error> {
        FileScan::deserialize(deserializer).map(Arc::new)
    }
}
