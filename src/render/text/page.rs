//! A page of text: wrapping, hanging indents, and the few colours. Every text passes through
//! [`safe::visible`](crate::render::safe::visible) here, so that no caller can forget it.

use crate::render::{Style, safe};
use crate::report::Evidence;

/// Where the text after a label begins.
const HANG: usize = 14;
/// Words are not squeezed into less, however narrow the terminal.
const NARROWEST: usize = 20;

/// How a line is shown on a terminal with colours. Only the 16 colours of the user's own theme, never yellow or
/// dim, which vanish on light or on dark grounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// As it is.
    Plain,
    /// A heading: bold.
    Strong,
    /// An outage: bold red.
    Alarm,
    /// Another incident: bold magenta.
    Notice,
    /// All well: green.
    Calm,
}

impl Paint {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Strong => Some("1"),
            Self::Alarm => Some("1;31"),
            Self::Notice => Some("1;35"),
            Self::Calm => Some("32"),
        }
    }
}

/// Text under construction.
#[derive(Debug)]
pub(crate) struct Page {
    style: Style,
    text: String,
}

impl Page {
    pub(crate) fn new(style: Style) -> Self {
        Self { style: Style { columns: style.columns.max(NARROWEST), ..style }, text: String::new() }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn columns(&self) -> usize {
        self.style.columns
    }

    fn push(&mut self, line: &str, paint: Paint) {
        let line = line.trim_end();
        match paint.code().filter(|_| self.style.colour && !line.is_empty()) {
            Some(code) => {
                self.text.push_str("\x1b[");
                self.text.push_str(code);
                self.text.push('m');
                self.text.push_str(line);
                self.text.push_str("\x1b[0m");
            }
            None => self.text.push_str(line),
        }
        self.text.push('\n');
    }

    /// An empty line.
    pub(crate) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// One line as it is, however long.
    pub(crate) fn line(&mut self, text: &str) {
        self.painted(text, Paint::Plain);
    }

    /// One line as it is, in a colour.
    pub(crate) fn painted(&mut self, text: &str, paint: Paint) {
        self.push(&safe::visible(text), paint);
    }

    /// A heading after an empty line.
    pub(crate) fn heading(&mut self, text: &str) {
        self.blank();
        self.painted(text, Paint::Strong);
    }

    /// A wrapped paragraph.
    pub(crate) fn paragraph(&mut self, text: &str, paint: Paint) {
        self.hanging("", 0, text, paint);
    }

    /// A label and its wrapped text beside it.
    pub(crate) fn label(&mut self, name: &str, text: &str) {
        self.hanging(&format!("  {name}"), HANG, text, Paint::Plain);
    }

    /// A label and a command to copy, which is never broken: on a line of its own where it has no room.
    pub(crate) fn command(&mut self, name: &str, command: &str) {
        let command = safe::visible(command);
        if HANG + safe::columns(&command) <= self.style.columns {
            self.push(&format!("  {name:<width$}{command}", width = HANG - 2), Paint::Plain);
        } else {
            self.push(&format!("  {name}"), Paint::Plain);
            self.push(&format!("    {command}"), Paint::Plain);
        }
    }

    /// A wrapped text set in by some columns.
    pub(crate) fn indented(&mut self, indent: usize, text: &str) {
        self.hanging(&" ".repeat(indent), indent, text, Paint::Plain);
    }

    /// A wrapped list item whose further lines stand under its text.
    pub(crate) fn item(&mut self, lead: &str, text: &str) {
        let lead = format!("  {lead}  ");
        let wide = safe::columns(&lead);
        let indent = if wide <= self.style.columns * 3 / 5 { wide } else { 6 };
        self.hanging(&lead, indent, text, Paint::Plain);
    }

    /// A line with a second text in a column of its own, `what` columns to the right; on further lines where the
    /// page is too narrow for that.
    pub(crate) fn row(&mut self, lead: &str, text: &str, what: usize, tail: &str, to: Option<&Evidence>) {
        let (shown, tail) = (safe::visible(text), safe::visible(tail));
        let gap = what.saturating_sub(safe::columns(&shown));
        let wide =
            6 + safe::columns(&safe::visible(lead)) + what.max(safe::columns(&shown)) + safe::columns(&tail);
        if tail.is_empty() || wide > self.style.columns {
            let tail = if tail.is_empty() { String::new() } else { format!(" ({tail})") };
            self.item(lead, &format!("{text}{tail}"));
        } else {
            let lead = safe::visible(lead);
            let tail = self.linked(&tail, to);
            self.push(&format!("  {lead}  {shown}{}  {tail}", " ".repeat(gap)), Paint::Plain);
        }
    }

    /// A quoted line of a log behind its place, on at most so many lines; blanks stay as they are in the log.
    pub(crate) fn quote(&mut self, indent: usize, place: &str, to: &Evidence, lines: usize) {
        let text = to.text.as_str();
        let room = self.style.columns.saturating_sub(indent + 2).max(NARROWEST);
        let place = safe::cut_front(place, room.max(NARROWEST * 3));
        let text = safe::cut(text, room * lines);
        if safe::columns(&place) * 2 > room {
            // A long path would leave the line no room beside it.
            let place = self.linked(&place, Some(to));
            self.push(&format!("{}{place}", " ".repeat(indent)), Paint::Plain);
            for line in quoted(&text, room - 2, lines) {
                self.push(&format!("{}{line}", " ".repeat(indent + 2)), Paint::Plain);
            }
            return;
        }
        let text = format!("{place}  {text}");
        for (at, line) in quoted(&text, room, lines).iter().enumerate() {
            let line = match line.strip_prefix(place.as_str()).filter(|_| at == 0) {
                Some(rest) => format!("{}{rest}", self.linked(&place, Some(to))),
                None => line.clone(),
            };
            self.push(
                &format!("{}{line}", " ".repeat(if at == 0 { indent } else { indent + 2 })),
                Paint::Plain,
            );
        }
    }

    /// A place that opens its file where the terminal can (OSC 8); it takes no more columns than its words.
    fn linked(&self, shown: &str, to: Option<&Evidence>) -> String {
        match (&self.style.links, to) {
            (Some(links), Some(e)) if !shown.is_empty() => {
                format!("\x1b]8;;{}\x1b\\{shown}\x1b]8;;\x1b\\", links.to(&e.path, e.line))
            }
            _ => shown.to_owned(),
        }
    }

    fn hanging(&mut self, lead: &str, indent: usize, text: &str, paint: Paint) {
        let lead = safe::visible(lead);
        let text = safe::visible(text);
        let mut lines = wrap(&text, self.style.columns.saturating_sub(indent).max(NARROWEST)).into_iter();
        if safe::columns(&lead) > indent {
            // No room beside it: the text stands under its lead.
            self.push(&lead, Paint::Plain);
            for line in lines {
                self.push(&format!("{}{line}", " ".repeat(indent)), paint);
            }
            return;
        }
        let gap = indent - safe::columns(&lead);
        let first = lines.next().unwrap_or_default();
        self.push(&format!("{lead}{}{first}", " ".repeat(gap)), paint);
        for line in lines {
            self.push(&format!("{}{line}", " ".repeat(indent)), paint);
        }
    }
}

/// Breaks visible text into at most so many lines without changing a blank inside a line; the last is cut. The first
/// line may be longer by the two columns that the others are set in.
fn quoted(text: &str, room: usize, lines: usize) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        let limit = if out.is_empty() { room + 2 } else { room };
        if out.len() + 1 >= lines || safe::columns(rest) <= limit {
            out.push(safe::cut(rest, limit));
            return out;
        }
        let (mut used, mut end, mut blank) = (0, rest.len(), None);
        for (at, c) in rest.char_indices() {
            used += safe::columns(c.encode_utf8(&mut [0; 4]));
            if c == ' ' && used * 2 > limit {
                blank = Some(at);
            }
            if used > limit {
                end = at;
                break;
            }
        }
        // At a blank where there is one in the second half, else inside the word.
        let (head, tail) = match blank {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => rest.split_at(end.max(rest.chars().next().map_or(1, char::len_utf8))),
        };
        out.push(head.to_owned());
        rest = tail;
        if rest.is_empty() {
            return out;
        }
    }
}

/// The words of a text; a number and its unit are one.
fn words(text: &str) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
    const UNITS: [&str; 6] = ["%", "ms", "s", "min", "h", "d"];
    let mut words = text.split(' ').filter(|w| !w.is_empty()).peekable();
    std::iter::from_fn(move || {
        let word = words.next()?;
        let unit = |next: &&str| UNITS.contains(&next.trim_end_matches([',', '.', ';', ':', ')']));
        if word.ends_with(|c: char| c.is_ascii_digit())
            && let Some(unit) = words.next_if(unit)
        {
            return Some(format!("{word} {unit}").into());
        }
        Some(word.into())
    })
}

/// Breaks `text` at blanks into lines of at most `limit` columns; a longer word is broken where it must be.
fn wrap(text: &str, limit: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in words(text) {
        let wide = safe::columns(&word);
        if used != 0 && used + 1 + wide <= limit {
            line.push(' ');
            line.push_str(&word);
            used += 1 + wide;
            continue;
        }
        if used != 0 {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        for c in word.chars() {
            let wide = safe::columns(c.encode_utf8(&mut [0; 4]));
            if used + wide > limit {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += wide;
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Links;

    #[test]
    fn words_wrap_and_long_words_break() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(wrap("", 4), [""; 0]);
    }

    #[test]
    fn a_number_keeps_its_unit() {
        assert_eq!(wrap("took 4 min 8 s; 81.3 % failed", 10), ["took 4 min", "8 s;", "81.3 %", "failed"]);
    }

    #[test]
    fn quotes_keep_their_blanks_and_end_in_time() {
        assert_eq!(quoted("a:1  x  y", 20, 2), ["a:1  x  y"]);
        assert_eq!(quoted("Mar  1 10:00:57 web1 nginx", 16, 2), ["Mar  1 10:00:57", "web1 nginx"]);
        assert_eq!(quoted("abcdefghijkl", 4, 2), ["abcdef", "ghi…"]);
        assert_eq!(quoted("日本語日本語", 1, 9).len(), 6);
        assert_eq!(quoted("", 4, 2), [""]);
    }

    #[test]
    fn rows_stand_in_columns_where_they_fit() {
        let mut page = Page::new(Style { columns: 30, ..Style::default() });
        page.row("18:00", "starts", 8, "a.log:1", None);
        page.row("18:00", "starts and goes on", 8, "a.log:1", None);
        assert_eq!(
            page.text(),
            "  18:00  starts    a.log:1\n  18:00  starts and goes on\n         (a.log:1)\n"
        );
    }

    #[test]
    fn labels_hang() {
        let mut page = Page::new(Style { columns: 30, ..Style::default() });
        page.label("Start", "Sat 2020-04-25 18:13:05 and more");
        assert_eq!(page.text(), "  Start       Sat 2020-04-25\n              18:13:05 and more\n");
    }

    #[test]
    fn nothing_raw_passes_any_door() {
        let mut page = Page::new(Style::default());
        let raw = "\x1b[2J\u{202e}\r\n\u{9b}";
        let line = Evidence { path: raw.into(), line: 1, byte: 0, text: raw.into() };
        page.line(raw);
        page.heading(raw);
        page.paragraph(raw, Paint::Alarm);
        page.label(raw, raw);
        page.item(raw, raw);
        page.row(raw, raw, 3, raw, Some(&line));
        page.row("", raw, 3, raw, None);
        page.command("x", raw);
        page.quote(2, raw, &line, 1);
        page.quote(2, raw, &line, 3);
        assert!(!page.text().chars().any(|c| c != '\n' && safe::is_hazard(c)), "{:?}", page.text());
    }

    #[test]
    fn links_take_no_room_and_change_no_word() {
        let line = Evidence { path: "a/x\u{1b}.log".into(), line: 7, byte: 0, text: "some words".repeat(9) };
        let drawn = |links: Option<Links>| {
            let mut page = Page::new(Style { columns: 40, links, ..Style::default() });
            page.quote(2, "x.log:7", &line, 2);
            page.quote(2, &"long/".repeat(6), &line, 2);
            page.row("18:00", "starts", 8, "x.log:7", Some(&line));
            page.text().to_owned()
        };
        let linked = drawn(Some(Links { host: "h".into(), folder: "/f".into() }));
        assert_eq!(linked.matches("\x1b]8;;file://h/f/a/x%1B.log#7\x1b\\").count(), 3, "{linked:?}");
        let plain = linked.replace("\x1b]8;;file://h/f/a/x%1B.log#7\x1b\\", "").replace("\x1b]8;;\x1b\\", "");
        assert_eq!(plain, drawn(None));
    }
}
