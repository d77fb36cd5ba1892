//! What error records mean, for people: one block a meaning, however many records have it.

use crate::catalogue::explain::{Explanation, Meaning};
use crate::catalogue::pattern::Visible;
use crate::clock;
use crate::format::record::Level;
use crate::render::Style;
use crate::render::text::page::{Page, Paint};
use crate::report::Evidence;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Lines that a quoted record may take.
const QUOTED: usize = 3;
/// Shapes of unknown records that are kept apart.
const SHAPES: usize = 1000;

/// Records of one meaning.
#[derive(Debug)]
struct Group {
    first: Explanation,
    input: String,
    /// The gravest level at which it was written.
    level: Option<Level>,
    count: u64,
    last: u64,
}

impl Group {
    /// What it is sorted by, the first to be read first: by level, then those that clients see, then the frequent.
    fn gravity(&self) -> (bool, Option<Level>, u8, Reverse<u64>) {
        let seen = match self.first.meaning.as_ref().map(|m| m.client_visible) {
            Some(Visible::Yes) => 0,
            Some(Visible::Maybe) | None => 1,
            Some(Visible::No) => 2,
        };
        (self.level.is_none(), self.level, seen, Reverse(self.count))
    }
}

/// The level of a record, where it has one: text on standard error can be anything.
fn level(e: &Explanation) -> Option<Level> {
    e.level.filter(|&level| level != Level::Stderr)
}

/// Gathers explanations and writes them by meaning, the gravest first, and equals in the order in which each was first
/// said.
#[derive(Debug, Default)]
pub struct Groups {
    by_meaning: BTreeMap<String, usize>,
    kept: Vec<Group>,
    /// Unknown records beyond those kept apart.
    beyond: u64,
}

impl Groups {
    /// Adds the explanation of one record of `input`.
    pub fn add(&mut self, input: &str, e: Explanation) {
        let key = match &e.meaning {
            Some(m) => m.pattern.clone(),
            // An id has no blank, so a shape is never taken for one.
            None => format!("unknown {} {}", e.level.map_or("", Level::name), e.shape),
        };
        if let Some(&at) = self.by_meaning.get(&key) {
            let group = &mut self.kept[at];
            group.count += 1;
            group.last = e.at;
            group.level = group.level.into_iter().chain(level(&e)).min();
        } else if e.meaning.is_none() && self.kept.len() >= SHAPES {
            self.beyond += 1;
        } else {
            self.by_meaning.insert(key, self.kept.len());
            let (last, level) = (e.at, level(&e));
            self.kept.push(Group { first: e, input: input.to_owned(), level, count: 1, last });
        }
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Writes one block a meaning.
    pub fn write(&self, style: Style, out: &mut dyn Write) -> io::Result<()> {
        let mut page = Page::new(style);
        let mut sorted: Vec<&Group> = self.kept.iter().collect();
        sorted.sort_by_key(|group| group.gravity());
        for (at, group) in sorted.into_iter().enumerate() {
            if at > 0 {
                page.blank();
            }
            block(&mut page, group);
        }
        if self.beyond > 0 {
            page.blank();
            page.line(&format!("{} more unknown, of further shapes", clock::count_of(self.beyond, "record")));
        }
        out.write_all(page.text().as_bytes())
    }
}

/// Whether a client saw it, as a clause. What stands at emerg keeps nginx from starting, not from running on.
fn seen(meaning: &Meaning, level: Option<Level>) -> &'static str {
    match meaning.client_visible {
        Visible::Yes if meaning.category.starts_with("upstream.") => {
            "clients see it, unless another server answered"
        }
        Visible::Yes => "clients see it",
        Visible::Maybe => "clients may see it",
        Visible::No if level == Some(Level::Emerg) && meaning.category.starts_with("config.") => {
            "clients do not see it while the nginx that runs is not restarted"
        }
        Visible::No => "clients do not see it",
    }
}

fn block(page: &mut Page, group: &Group) {
    let e = &group.first;
    let times =
        if group.count > 1 { format!("; {}", clock::count_of(group.count, "record")) } else { String::new() };
    if let Some(m) = &e.meaning {
        page.painted(&format!("{}: {}{times}", m.category, m.title), Paint::Strong);
        page.label("Fault", &format!("{}; {}", m.fault.name(), seen(m, e.level)));
        page.label("Look at", &m.hint);
    } else {
        page.painted(&format!("unknown: no pattern knows this message{times}"), Paint::Strong);
        page.label("Shape", &e.shape);
    }
    if let Some(level) = e.level {
        page.label("Level", level.name());
    }
    if let Some(action) = &e.action {
        page.label("While", action);
    }
    if let Some(errno) = e.errno {
        page.label("errno", &errno.to_string());
    }
    for (name, value) in e.fields.iter().filter(|f| matches!(f.0, "upstream" | "file" | "line")) {
        page.label(name, value);
    }
    if let Some(Meaning { pattern, file, references, .. }) = &e.meaning {
        page.label("Pattern", &format!("{pattern} ({file})"));
        for reference in references {
            page.label("See", reference);
        }
    }
    let place = match (group.input.as_str(), group.count) {
        ("", _) => String::new(),
        (input, 1) => format!("{input}:{}", e.at),
        (input, _) => format!("{input}:{} (last on line {})", e.at, group.last),
    };
    let at = Evidence { path: group.input.clone(), line: e.at, byte: 0, text: e.line.clone() };
    page.quote(2, &place, &at, QUOTED);
}
