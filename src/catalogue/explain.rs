//! What one record means, as `downtime explain` says it.

use super::pattern::{Fault, Pattern, Visible};
use super::{Catalogue, shape};
use crate::format::record::{ErrorRecord, Level};

/// A record and its meaning.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The record as it stands in the log, without its frame; bytes that are not UTF-8 are replaced.
    pub line: String,
    /// 1-based line of the input on which it begins.
    pub at: u64,
    /// How grave nginx took it to be; `None` where the line does not say.
    pub level: Option<Level>,
    /// What it means; `None` where no pattern knows it.
    pub meaning: Option<Meaning>,
    /// The message with its variable parts masked.
    pub shape: String,
    /// What nginx was doing.
    pub action: Option<String>,
    /// The number of the system's error.
    pub errno: Option<u32>,
    /// What the record names: `client`, `server`, `request`, `upstream`, `file`, ... in the order of the log.
    pub fields: Vec<(&'static str, String)>,
}

/// What a pattern says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// The id of the pattern.
    pub pattern: String,
    /// The file the pattern is from.
    pub file: String,
    /// What happened, in a few words.
    pub title: String,
    /// A category of the taxonomy.
    pub category: String,
    /// Whose fault it is.
    pub fault: Fault,
    /// Whether a client sees it.
    pub client_visible: Visible,
    /// What to look at.
    pub hint: String,
    /// Where it is documented.
    pub references: Vec<String>,
}

impl Meaning {
    fn of(p: &Pattern) -> Self {
        Self {
            pattern: p.id.clone(),
            file: p.file.clone(),
            title: p.title.clone(),
            category: p.category.clone(),
            fault: p.fault,
            client_visible: p.client_visible,
            hint: p.hint.clone(),
            references: p.references.clone(),
        }
    }
}

impl Catalogue {
    /// Explains a record. `line` is the whole of it, `at` the 1-based line on which it begins.
    pub fn explain(&self, line: &[u8], record: &ErrorRecord<'_>, at: u64) -> Explanation {
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        let named = [
            ("client", record.client),
            ("server", record.server),
            ("request", record.request),
            ("subrequest", record.subrequest),
            ("upstream", record.upstream),
            ("host", record.host),
            ("referrer", record.referrer),
            ("file", record.config_file),
        ];
        let mut fields: Vec<(&'static str, String)> = vec![("message", text(record.message))];
        fields.extend(named.into_iter().filter_map(|(name, value)| Some((name, text(value?)))));
        fields.extend(record.config_line.map(|n| ("line", n.to_string())));
        fields.extend(record.connection.map(|n| ("connection", n.to_string())));
        if record.pid > 0 {
            fields.push(("pid", record.pid.to_string()));
        }
        Explanation {
            line: text(line),
            at,
            level: Some(record.level),
            meaning: self.classify(record).map(Meaning::of),
            shape: shape(record.message),
            action: record.action.map(text),
            errno: record.errno,
            fields,
        }
    }
}
