//! What the logs of a rotated set are known to be, for those of it that are new.

use super::Body;
use super::identity::{Found, Log};
use super::kept::Formats;
use crate::format::AccessFormat;
use crate::input::family::split_name;
use std::collections::BTreeMap;

/// The formats of the logs of a rotated set, by its name: a young file has too few lines to learn from.
pub(super) struct Beside(BTreeMap<String, Vec<AccessFormat>>);

impl Beside {
    pub(super) fn of(logs: &[Log], body: &Body, formats: &Formats) -> Self {
        let mut sets = BTreeMap::new();
        // The latest has the last word.
        for (log, kept) in logs.iter().filter_map(|l| Some((l, body.get(&l.number)?))) {
            sets.insert(split_name(&log.path).0, kept);
        }
        Self(sets.into_iter().map(|(set, kept)| (set, kept.formats(formats))).collect())
    }

    /// Where there are any.
    pub(super) fn formats(&self, found: &Found) -> Option<&[AccessFormat]> {
        let formats = self.0.get(&split_name(&found.source.shown).0)?;
        Some(formats.as_slice()).filter(|formats| !formats.is_empty())
    }
}
