//! The shape of `downtime explain --format json` and `downtime patterns --format json`.

use crate::catalogue::explain::Explanation;
use crate::catalogue::pattern::{Fault, Pattern, Visible};
use crate::format::record::Level;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// What one record means.
#[derive(Serialize)]
pub(super) struct Explained<'a> {
    line: &'a str,
    category: &'a str,
    level: Option<&'static str>,
    fault: Option<Fault>,
    client_visible: Option<Visible>,
    hint: Option<&'a str>,
    action: Option<&'a str>,
    errno: Option<u32>,
    fields: Fields<'a>,
    pattern: Option<&'a str>,
    title: Option<&'a str>,
    references: &'a [String],
    shape: &'a str,
    at: u64,
}

/// Pairs as an object.
struct Fields<'a>(&'a [(&'static str, String)]);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}

impl<'a> Explained<'a> {
    pub(super) fn of(e: &'a Explanation) -> Self {
        let m = e.meaning.as_ref();
        Self {
            line: &e.line,
            category: m.map_or("unknown", |m| &m.category),
            level: e.level.map(Level::name),
            fault: m.map(|m| m.fault),
            client_visible: m.map(|m| m.client_visible),
            hint: m.map(|m| m.hint.as_str()),
            action: e.action.as_deref(),
            errno: e.errno,
            fields: Fields(&e.fields),
            pattern: m.map(|m| m.pattern.as_str()),
            title: m.map(|m| m.title.as_str()),
            references: m.map_or(&[], |m| &m.references),
            shape: &e.shape,
            at: e.at,
        }
    }
}

/// One rule of the catalogue.
#[derive(Serialize)]
pub(super) struct Rule<'a> {
    id: &'a str,
    title: &'a str,
    category: &'a str,
    fault: Fault,
    client_visible: Visible,
    levels: Vec<&'static str>,
    hint: &'a str,
    references: &'a [String],
    file: &'a str,
}

impl<'a> Rule<'a> {
    pub(super) fn of(p: &'a Pattern) -> Self {
        Self {
            id: &p.id,
            title: &p.title,
            category: &p.category,
            fault: p.fault,
            client_visible: p.client_visible,
            levels: p.levels.iter().map(|l| l.name()).collect(),
            hint: &p.hint,
            references: &p.references,
            file: &p.file,
        }
    }
}
