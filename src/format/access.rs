//! An access-log format, compiled once, that reads lines into [`AccessRecord`]s.
//!
//! It knows three layouts (text, JSON, labels) and hands each line to its own; which format a file has is
//! `learn.rs`' question.

use crate::error::Result;
use crate::format::builtin;
use crate::format::directive::{self, Escape, Field, Piece};
use crate::format::json::JsonKeys;
use crate::format::labelled::Labels;
use crate::format::record::AccessRecord;
use std::sync::Arc;

pub(crate) mod shape;
pub(crate) mod store;
pub(crate) mod text;

pub(crate) use text::Plan;

/// Where a line stops being what its format says: for a caret under the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte {byte}: {wanted} was expected here")]
pub struct Mismatch {
    /// 0-based byte in the line.
    pub byte: usize,
    /// The variable, or the words for what else was wanted.
    pub wanted: &'static str,
}

/// A compiled access-log format. A clone is the same format: thousands of files share one.
#[derive(Debug, Clone)]
pub struct AccessFormat(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    name: String,
    escape: Escape,
    fields: Vec<Field>,
    layout: Layout,
    text: String,
    /// See [`AccessFormat::waits_at_upstream`].
    waits_at_upstream: bool,
}

#[derive(Debug, Clone)]
enum Layout {
    Text { pieces: Vec<Piece>, plan: Plan },
    Json(JsonKeys),
    Labelled(Labels),
}

impl AccessFormat {
    /// From nginx' own text: a whole `log_format` directive, its parameters or the bare text. A name or `escape=`
    /// in the text gives way to a non-empty `name` and a given `escape`. Text that is a JSON object is read by its
    /// keys, text of `label:value` or `key=value` pairs by its labels, all else by position.
    pub fn from_directive(name: &str, text: &str, escape: Option<Escape>) -> Result<Self> {
        let read = directive::read(text)?;
        let name = if name.is_empty() { read.name.as_deref().unwrap_or("given") } else { name };
        let escape = escape.or(read.escape).unwrap_or_default();
        if let Some(keys) = JsonKeys::from_text(&read.text, escape)? {
            return Ok(Self::of_json(name, escape, keys, read.text));
        }
        if let Some(labels) = Labels::from_pieces(&read.pieces, escape) {
            return Ok(Self::of_labels(name, escape, labels, read.text));
        }
        Self::of_pieces(name, escape, read.pieces)
    }

    pub(crate) fn of_pieces(name: &str, escape: Escape, pieces: Vec<Piece>) -> Result<Self> {
        let plan = Plan::new(&pieces, escape)?;
        let fields = fields_of(&pieces);
        let text = directive::write_text(&pieces);
        Ok(Self::of(name, escape, fields, Layout::Text { pieces, plan }, text))
    }

    pub(crate) fn of_json(name: &str, escape: Escape, keys: JsonKeys, text: String) -> Self {
        let fields = keys.fields();
        Self::of(name, escape, fields, Layout::Json(keys), text)
    }

    pub(crate) fn of_labels(name: &str, escape: Escape, labels: Labels, text: String) -> Self {
        let fields = labels.fields();
        Self::of(name, escape, fields, Layout::Labelled(labels), text)
    }

    fn of(name: &str, escape: Escape, fields: Vec<Field>, layout: Layout, text: String) -> Self {
        let has = |f: &Field| fields.contains(f);
        let timed = [Field::RequestTime, Field::RequestTimeMs, Field::SessionTime];
        let waits_at_upstream = has(&Field::UpstreamResponseTime) && !timed.iter().any(has);
        Self(Arc::new(Compiled { name: name.to_owned(), escape, fields, layout, text, waits_at_upstream }))
    }

    /// Whether the time that upstreams took stands for that of the request, which the format does not have: all but what a
    /// slow client adds.
    pub(crate) fn waits_at_upstream(&self) -> bool {
        self.0.waits_at_upstream
    }

    /// Whether it says how long requests took.
    pub(crate) fn tells_wait(&self) -> bool {
        self.has(&Field::RequestTime) || self.has(&Field::RequestTimeMs) || self.waits_at_upstream()
    }

    /// Whether `other` is a clone of this.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A format known by name ([`builtin::names`]).
    pub fn by_name(name: &str) -> Option<Self> {
        builtin::by_name(name)
    }

    /// Its name: nginx', ours, or `learned`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The whole directive, as nginx and [`AccessFormat::from_directive`] read it.
    pub fn definition(&self) -> String {
        directive::write(&self.0.name, self.0.escape, &self.0.text)
    }

    /// How values are escaped.
    pub fn escape(&self) -> Escape {
        self.0.escape
    }

    /// The pieces of a text format; `None` for JSON and labels, which have no fixed order.
    pub fn pieces(&self) -> Option<&[Piece]> {
        match &self.0.layout {
            Layout::Text { pieces, .. } => Some(pieces),
            _ => None,
        }
    }

    /// The keys of a JSON format.
    pub fn json_keys(&self) -> Option<&JsonKeys> {
        match &self.0.layout {
            Layout::Json(keys) => Some(keys),
            _ => None,
        }
    }

    /// The known fields it carries, each once, in order. What it reads over is not among them.
    pub fn fields(&self) -> &[Field] {
        &self.0.fields
    }

    /// Whether it carries a field.
    pub fn has(&self, field: &Field) -> bool {
        self.0.fields.contains(field)
    }

    /// Whether a report can be made from it: a time, and a status or a request.
    pub fn is_usable(&self) -> bool {
        let any = |f: &[Field]| f.iter().any(|f| self.has(f));
        self.0.fields.iter().any(Field::is_time) && any(&[Field::Status, Field::Request, Field::RequestUri])
    }

    /// Reads one line, without its newline. A trailing carriage return is allowed.
    #[inline]
    pub fn parse<'a>(&self, line: &'a [u8]) -> Result<AccessRecord<'a>, Mismatch> {
        self.read(line, false)
    }

    /// The same, but only what is told of a request must be read: not which program asked, from which page, and how many
    /// bytes went out.
    pub(crate) fn parse_in_brief<'a>(&self, line: &'a [u8]) -> Result<AccessRecord<'a>, Mismatch> {
        self.read(line, true)
    }

    /// Whether a line may be one of this format, asked before it is read by who does not want to know where it stops being
    /// what the format says. Of the lines of a log that were cut or are of another of its formats this tells most, at a
    /// tenth of what it costs to read them.
    pub(crate) fn may_read(&self, line: &[u8]) -> bool {
        match &self.0.layout {
            Layout::Text { plan, .. } => plan.may_read(line.strip_suffix(b"\r").unwrap_or(line)),
            _ => true,
        }
    }

    fn read<'a>(&self, line: &'a [u8], brief: bool) -> Result<AccessRecord<'a>, Mismatch> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut record = AccessRecord::default();
        match &self.0.layout {
            Layout::Text { plan, .. } => plan.run(line, (0, brief), &mut record)?,
            Layout::Json(keys) => keys.read(line, brief, &mut record)?,
            Layout::Labelled(labels) => labels.read(line, &mut record)?,
        }
        if self.0.waits_at_upstream {
            record.request_time = record.upstream_response_time.and_then(store::sum_of_seconds);
        }
        Ok(record)
    }

    /// The same text format with values that may hold raw quotes.
    pub(crate) fn unescaped(&self) -> Option<Self> {
        let pieces = self.pieces().filter(|_| self.0.escape != Escape::None)?;
        Self::of_pieces(&self.0.name, Escape::None, pieces.to_vec()).ok()
    }
}

/// The fields among pieces, each once.
pub(crate) fn fields_of(pieces: &[Piece]) -> Vec<Field> {
    let mut out = Vec::new();
    for piece in pieces {
        if let Piece::Var(field) = piece
            && !field.is_other()
            && !out.contains(field)
        {
            out.push(field.clone());
        }
    }
    out
}

#[cfg(test)]
mod tests;
