//! A text in its parts: headings, items, rows of tables, paragraphs, each knowing its lines and its section.
//!
//! No Markdown parser: notes come as Markdown, as plain text, out of a chat or a wiki, and what is needed of their
//! form is little. What is not understood is a paragraph.

use super::regex;
use super::times::{self, Said};
use super::words;
use regex::Regex;
use std::sync::LazyLock;

/// What kind of text a section holds, by its heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    /// Summary, overview, impact, and what stands before any heading.
    Summary,
    /// The list of what happened when.
    Timeline,
    /// Cause, resolution, and all else.
    Story,
    /// What is to be done: its dates are not of the incident.
    Actions,
}

/// The form of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Heading,
    /// An item of a list, a row of a table, a line that begins with a time or a label.
    Entry,
    Paragraph,
}

/// A part of the notes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Block {
    pub(super) form: Form,
    /// Without markup, its lines joined by blanks.
    pub(super) text: String,
    /// Where each line begins in `text`, and its 1-based number in the notes.
    lines: Vec<(usize, usize)>,
    /// The headings above it, the outermost first.
    pub(super) section: Vec<String>,
    pub(super) topic: Topic,
    /// The heads of the table's columns.
    pub(super) header: String,
}

impl Block {
    /// The 1-based line of the notes that holds byte `at` of the text.
    pub(super) fn line(&self, at: usize) -> usize {
        self.lines.iter().rev().find(|(start, _)| *start <= at).or(self.lines.first()).map_or(0, |(_, n)| *n)
    }

    /// The heading it stands under.
    pub(super) fn heading(&self) -> &str {
        self.section.last().map_or("", String::as_str)
    }

    fn append(&mut self, text: &str, line: usize) {
        if !self.text.is_empty() {
            // A short line that stops in the middle of the page and a capital after it: two sentences without a stop.
            let last = self.lines.last().map_or(0, |(start, _)| self.text.len() - start);
            let stops = last < WRAPPED && (text.starts_with(char::is_uppercase) || self.text.ends_with('.'));
            self.text.push(if stops { '\n' } else { ' ' });
        }
        self.lines.push((self.text.len(), line));
        self.text.push_str(text);
    }
}

/// Who wraps lines by hand fills them further than this.
const WRAPPED: usize = 56;
/// A part is not made longer than this: the work stays small whatever the file is.
const LONGEST: usize = 4096;

struct Patterns {
    heading: Regex,
    item: Regex,
    label: Regex,
    rule: Regex,
    link: Regex,
    marks: Regex,
    said_at: Regex,
    log: Regex,
    edge: Regex,
    actions: Regex,
    timeline: Regex,
    summary: Regex,
    story: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| Patterns {
    heading: regex(r"^(?:(#{1,6})\s*|(={1,6})\s+|h([1-6])\.\s+)(.+?)[\s#=]*$"),
    item: regex(r"^\s*(?:[-*+•·–—]|\d{1,3}[.)]|\([a-z0-9]{1,2}\))\s+(?:\[[ xX]\]\s+)?(.*)$"),
    label: regex(r"^[A-Za-z][\w /()'-]{0,40}:(?:\s|$)"),
    rule: regex(r"^\s*\|?[\s:|+-]*-{2,}[\s:|+-]*\|?\s*$"),
    link: regex(r"!?\[([^\]\[]*)\]\([^)\s]*(?:\s[^)]*)?\)"),
    marks: regex(r"\*{1,3}|_{2,3}|`+|~~|<[a-zA-Z/][^>]{0,200}>"),
    said_at: regex(
        r"^(@?[\w.'-]+|[A-Z][\w.'-]*(?: [A-Z(][\w.'()-]*){1,3})\s+\[?(\d{1,2}:\d{2}(?:\s?(?i:[ap])\.?(?i:m)\.?)?)\]?:?$",
    ),
    log: regex(
        r#"\[(?:emerg|alert|crit|error|warn|notice|info|debug)\] \d|" [1-5]\d\d \d|HTTP/[123](?:\.\d)?""#,
    ),
    edge: regex(
        r"(?i)^(?:start|began|begin|beg|end|finish|detect|notic|resol|duration|from|to$|until|recover|restor|impact|lasted|mitigat)",
    ),
    actions: regex(
        r"(?i)action|correct|prevent|follow.?up|next step|lesson|to.?do|improve|what (?:went|we)|learn|reference|appendix|glossary",
    ),
    timeline: regex(r"(?i)time.?line|chronolog|sequence of|events|play.?by.?play|log of"),
    summary: regex(r"(?i)summary|overview|abstract|tl;?dr|impact|at a glance|metadata|details|report"),
    story: regex(
        r"(?i)cause|resolution|recovery|analysis|what happened|background|trigger|detection|response|story",
    ),
});

/// `text` without its markup.
fn plain(text: &str) -> String {
    let p = &*PATTERNS;
    let text = p.link.replace_all(text, "$1");
    let text = p.marks.replace_all(&text, "");
    text.replace("&nbsp;", " ").replace("\\|", "/").replace('\u{a0}', " ").trim().to_owned()
}

fn topic(heading: &str, above: Topic) -> Topic {
    let p = &*PATTERNS;
    if p.timeline.is_match(heading) {
        Topic::Timeline
    } else if p.summary.is_match(heading) && !p.actions.is_match(heading) {
        Topic::Summary
    } else if p.story.is_match(heading) {
        Topic::Story
    } else if p.actions.is_match(heading) {
        Topic::Actions
    } else {
        above
    }
}

/// Whether a line begins with a time, so that it is an entry of its own.
fn begins_with_time(text: &str) -> bool {
    let inner = text.trim_start_matches(|c: char| !c.is_alphanumeric());
    let prefix = text.len() - inner.len();
    // The first times of a line stand in its first characters; the rest need not be read.
    let head: String = text.chars().take(60).collect();
    times::scan(&head).first().is_some_and(|m| m.start <= prefix + 1 && !matches!(m.what, Said::Length(_)))
}

struct Reader {
    blocks: Vec<Block>,
    /// Level, text and topic of the headings above.
    above: Vec<(usize, String, Topic)>,
    /// Whether the next plain line goes on with the last block.
    open: bool,
    header: String,
    heads: Vec<String>,
    /// Whether that line must be set in or go on in lower case: the entry was a plain line with its own text.
    strict: bool,
}

impl Reader {
    fn topic(&self) -> Topic {
        self.above.last().map_or(Topic::Summary, |(_, _, topic)| *topic)
    }

    fn push(&mut self, form: Form, text: &str, line: usize) {
        let mut block = Block {
            form,
            text: String::new(),
            lines: Vec::new(),
            section: self.above.iter().map(|(_, text, _)| text.clone()).collect(),
            topic: self.topic(),
            header: self.header.clone(),
        };
        block.append(text, line);
        self.blocks.push(block);
        self.open = form != Form::Heading;
        self.strict = false;
    }

    /// The part that a plain line goes on with, if it does.
    fn goes_on(&mut self, text: &str, set_in: bool) -> Option<&mut Block> {
        let open = self.open && (!self.strict || set_in || text.starts_with(char::is_lowercase));
        self.blocks.last_mut().filter(|last| open && last.text.len() + text.len() < LONGEST)
    }

    fn heading(&mut self, level: usize, text: &str, line: usize) {
        self.header.clear();
        self.above.retain(|(l, _, _)| *l < level);
        // The title is no parent in topic: `Summary of the outage` heads everything.
        let inherited = if level <= 1 { Topic::Summary } else { self.topic() };
        let inherited = if self.above.len() == 1 && self.above[0].0 == 1 { Topic::Story } else { inherited };
        let own = if level <= 1 { Topic::Summary } else { topic(text, inherited) };
        self.above.push((level, text.to_owned(), own));
        self.push(Form::Heading, text, line);
    }

    fn row(&mut self, cells: &[&str], line: usize) {
        let mut text = String::new();
        // Two columns of which the first is no time: names and values, where the head of the table says nothing.
        let named = cells.len() == 2 && !begins_with_time(cells[0].trim());
        for (at, cell) in cells.iter().enumerate() {
            let cell = plain(cell);
            if cell.is_empty() || cell == "-" {
                continue;
            }
            if !text.is_empty() {
                text.push_str(" | ");
            }
            if let Some(head) = self.heads.get(at).filter(|h| !named && PATTERNS.edge.is_match(h)) {
                text.push_str(head);
                text.push_str(": ");
            }
            text.push_str(&cell);
        }
        if !text.is_empty() {
            self.push(Form::Entry, &text, line);
            self.open = false;
        }
    }

    fn line(&mut self, raw: &str, next: Option<&str>, line: usize) {
        let p = &*PATTERNS;
        let raw = raw.trim_start_matches('>').trim_end();
        let set_in = raw.starts_with("  ") || raw.starts_with('\t');
        let raw = raw.trim_start();
        let cells: Vec<&str> = match raw.trim().strip_prefix('|') {
            Some(inner) => inner.strip_suffix('|').unwrap_or(inner).split('|').collect(),
            None => Vec::new(),
        };
        if p.rule.is_match(raw) {
            return;
        }
        if !cells.is_empty() {
            let head = next.is_some_and(|n| n.contains('-') && p.rule.is_match(n));
            if head || raw.starts_with("||") {
                self.heads = cells.iter().map(|c| plain(c)).collect();
                self.header = self.heads.join(" | ");
                // Where names and values have no head, the first of them stands in its place.
                if self.heads.iter().any(|h| times::scan(h).iter().any(|m| matches!(m.what, Said::Clock(_))))
                {
                    self.row(&cells, line);
                }
                return;
            }
            self.row(&cells, line);
            return;
        }
        self.heads.clear();
        if let Some(c) = p.heading.captures(raw) {
            let level = [1, 2, 3]
                .iter()
                .find_map(|g| c.get(*g))
                .map_or(2, |m| m.as_str().parse().unwrap_or_else(|_| m.len()));
            self.heading(level, &plain(c.get(4).map_or("", |m| m.as_str())), line);
            return;
        }
        self.header.clear();
        if let Some(item) = p.item.captures(raw).and_then(|c| c.get(1)) {
            self.push(Form::Entry, &plain(item.as_str()), line);
            return;
        }
        let text = plain(raw);
        let bold = raw.trim().starts_with("**") && raw.trim().ends_with("**");
        let title = text.ends_with(':') && text.len() < 60 || bold && text.len() < 60;
        let underlined = next.is_some_and(|n| n.trim().len() >= 3 && n.trim().bytes().all(|b| b == b'='))
            || next.is_some_and(|n| n.trim().len() >= 3 && n.trim().bytes().all(|b| b == b'-')) && !self.open;
        if underlined && !text.is_empty() {
            self.heading(2, &text, line);
        } else if title && !begins_with_time(&text) {
            self.heading(5, text.trim_end_matches(':'), line);
        } else if let Some(c) = p.said_at.captures(&text).filter(|c| words::kind(&c[1]).is_none()) {
            // A chat that was copied: name and time, the words on the lines below.
            self.push(Form::Entry, c.get(2).map_or("", |m| m.as_str()), line);
        } else if begins_with_time(&text) || p.label.is_match(&text) {
            self.push(Form::Entry, &text, line);
            self.strict = times::scan(&text).last().is_none_or(|m| m.end < text.len());
        } else if let Some(last) = self.goes_on(&text, set_in) {
            last.append(&text, line);
        } else {
            self.push(Form::Paragraph, &text, line);
        }
    }
}

/// Where to break a line that is too long: at its last blank that is early enough.
fn break_of(line: &str) -> usize {
    let mut limit = LONGEST;
    while !line.is_char_boundary(limit) {
        limit -= 1;
    }
    line[..limit].rfind(' ').filter(|at| *at > 0).unwrap_or(limit)
}

/// The parts of `notes`, in their order.
pub(super) fn read(notes: &str) -> Vec<Block> {
    let mut reader = Reader {
        blocks: Vec::new(),
        above: Vec::new(),
        open: false,
        header: String::new(),
        heads: Vec::new(),
        strict: false,
    };
    let lines: Vec<&str> = notes.lines().collect();
    for (at, raw) in lines.iter().enumerate() {
        let fence = raw.trim_start().starts_with("```") || raw.trim_start().starts_with("~~~");
        let quoted = PATTERNS.log.is_match(raw);
        let empty = raw.trim().trim_matches(['>', ' ', '=']).is_empty();
        if fence || quoted || empty {
            // Lines of a log are quoted, not claimed.
            reader.open = false;
            continue;
        }
        let mut rest = *raw;
        while rest.len() > LONGEST {
            let (head, tail) = rest.split_at(break_of(rest));
            reader.open = false;
            reader.line(head, None, at + 1);
            rest = tail;
        }
        reader.line(rest, lines.get(at + 1).copied(), at + 1);
    }
    reader.blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(notes: &str) -> Vec<(Form, String, usize)> {
        read(notes).into_iter().map(|b| (b.form, b.text.clone(), b.line(b.text.len()))).collect()
    }

    #[test]
    fn headings_items_rows_and_wrapped_prose() {
        let notes = "# Report\n\nThe site\nwas down.\n\n## Timeline (UTC)\n* 18:00: **down**\n  for all\n- 18:04 up\n\n\
                     | Time | What |\n|------|---|\n| 18:00 | down |\n";
        assert_eq!(
            parts(notes),
            [
                (Form::Heading, "Report".into(), 1),
                (Form::Paragraph, "The site was down.".into(), 4),
                (Form::Heading, "Timeline (UTC)".into(), 6),
                (Form::Entry, "18:00: down for all".into(), 8),
                (Form::Entry, "18:04 up".into(), 9),
                (Form::Entry, "18:00 | down".into(), 13),
            ]
        );
        assert_eq!(read(notes)[3].topic, Topic::Timeline);
        assert_eq!(read(notes)[5].header, "Time | What");
    }

    #[test]
    fn plain_text_has_sections_and_entries_too() {
        let notes = "Timeline\n========\n\n18:00 down\n18:04 up\n\nFollow-ups:\nFix it by 2026-07-01\n";
        let found = read(notes);
        assert_eq!(found.iter().filter(|b| b.topic == Topic::Timeline && b.form == Form::Entry).count(), 2);
        assert_eq!(found.last().map(|b| b.topic), Some(Topic::Actions));
    }

    #[test]
    fn log_lines_and_fences_are_no_claims() {
        let notes = "```\n2026/06/18 18:00:06 [emerg] 4870#4870: invalid parameter\n```\n18:00 down\n";
        assert_eq!(parts(notes), [(Form::Entry, "18:00 down".into(), 4)]);
    }

    #[test]
    fn columns_named_after_an_edge_say_so_in_each_row() {
        let notes = "| Start | End |\n|---|---|\n| 18:00 | 18:04 |\n";
        assert_eq!(parts(notes), [(Form::Entry, "Start: 18:00 | End: 18:04".into(), 3)]);
    }
}
