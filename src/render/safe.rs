//! Makes text out of a log harmless for a terminal and for a spreadsheet.
//!
//! A request line is written by whoever sends it. nginx escapes most control bytes (`ngx_http_log_escape`), but not
//! with `escape=none`, and never bytes above 0x7f. What is shown here is shown as itself or as a visible escape
//! like `\x1b`; JSON has its own escapes (`json/formatter.rs`) over the same list.

use std::borrow::Cow;
use std::fmt::Write as _;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The mark where text was cut.
pub const CUT: char = '…';

/// What a formula begins with, the wide and the small forms too.
const FORMULA: [char; 10] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '﹦', '﹣'];

/// Combining marks that may follow one another: a few are writing, a tower of them smears over other lines.
const MARKS_IN_A_ROW: u32 = 2;

/// Whether a character acts on the reader's screen rather than being seen on it: controls (C0, DEL, C1), line
/// separators, bidirectional overrides ("Trojan Source", CVE-2021-42574), and characters of no width that hide
/// text or stand inside it unseen.
pub fn is_hazard(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}'
        | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Columns that `text` takes on a terminal.
pub fn columns(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

fn char_columns(c: char) -> usize {
    c.width().unwrap_or(0)
}

fn push_escape(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if u32::from(c) < 0x80 => _ = write!(out, "\\x{:02x}", u32::from(c)),
        c => _ = write!(out, "\\u{{{:x}}}", u32::from(c)),
    }
}

/// The characters of `text`, each as it may be shown.
fn shown(text: &str) -> impl Iterator<Item = Shown> {
    let mut marks = 0;
    text.chars().map(move |c| {
        let mark = char_columns(c) == 0;
        marks = if mark { marks + 1 } else { 0 };
        if is_hazard(c) || marks > MARKS_IN_A_ROW { Shown::Escaped(c) } else { Shown::Plain(c) }
    })
}

enum Shown {
    Plain(char),
    Escaped(char),
}

/// `text` with every hazard as a visible escape.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| matches!(b, 0x20..=0x7e)) || shown(text).all(|s| matches!(s, Shown::Plain(_))) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for piece in shown(text) {
        match piece {
            Shown::Plain(c) => out.push(c),
            Shown::Escaped(c) => push_escape(&mut out, c),
        }
    }
    Cow::Owned(out)
}

/// The beginning of `text` in at most `limit` columns, escaped, with [`CUT`] where something is missing. Reads no
/// further than it shows, so that a line of megabytes costs nothing.
pub fn cut(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    // Where to go back to when the mark needs its column: the last length that leaves one free.
    let mut with_mark = 0;
    for piece in shown(text) {
        let before = out.len();
        match piece {
            Shown::Plain(c) => out.push(c),
            Shown::Escaped(c) => push_escape(&mut out, c),
        }
        used += columns(&out[before..]);
        if used > limit {
            out.truncate(with_mark);
            if limit > 0 {
                out.push(CUT);
            }
            return out;
        }
        if used < limit {
            with_mark = out.len();
        }
    }
    out
}

/// The end of `text` in at most `limit` columns, escaped: what tells paths apart stands at their end.
pub fn cut_front(text: &str, limit: usize) -> String {
    let text = visible(text);
    if columns(&text) <= limit {
        return text.into_owned();
    }
    let mut used = 1;
    let mut from = text.len();
    for (at, c) in text.char_indices().rev() {
        used += char_columns(c);
        if used > limit {
            break;
        }
        from = at;
    }
    if limit == 0 { String::new() } else { format!("{CUT}{}", &text[from..]) }
}

/// One CSV cell (RFC 4180): a row stays a line, and no cell is taken for a formula. Spreadsheets read a cell that
/// begins with one of these signs as a formula even inside quotes (OWASP, "CSV Injection"), the wide forms too.
pub fn csv_cell(text: &str) -> String {
    // Some trim a cell before they look at it.
    let formula = text.trim_start().starts_with(FORMULA) || text.starts_with(['\t', '\r', '\n']);
    let shown = visible(text);
    let guarded = if formula { Cow::Owned(format!("'{shown}")) } else { shown };
    if guarded.contains(['"', ',', '\'', ';']) || guarded.starts_with(' ') || guarded.ends_with(' ') {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hazards_become_visible_and_the_rest_stays() {
        for (raw, want) in [
            ("GET /größe?q=日本", "GET /größe?q=日本"),
            ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
            ("a\u{9b}2Jb", "a\\u{9b}2Jb"),
            ("user\u{202e}gpj.exe", "user\\u{202e}gpj.exe"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("tab\tnl\r\n\x7f", "tab\\tnl\\r\\n\\x7f"),
            ("e\u{301}", "e\u{301}"),
            ("e\u{301}\u{301}\u{301}", "e\u{301}\u{301}\\u{301}"),
        ] {
            assert_eq!(visible(raw), want);
            assert_eq!(visible(&visible(raw)), want, "twice is once");
        }
    }

    #[test]
    fn long_text_is_cut_with_a_mark_and_never_inside_an_escape() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("ab\x1b\x1b", 7), "ab\\x1b…");
        assert_eq!(cut("ab\x1b\x1b", 5), "ab…");
        assert_eq!(cut("abc", 0), "");
        assert_eq!(cut_front("/var/log/nginx/access.log", 12), "…/access.log");
        assert_eq!(cut_front("short", 12), "short");
    }

    #[test]
    fn no_cell_is_a_formula_or_breaks_its_row() {
        for (raw, want) in [
            ("plain", "plain"),
            ("a,\"b\"", "\"a,\"\"b\"\"\""),
            ("=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\\t=1\""),
            ("\r=1", "\"'\\r=1\""),
            (" =1", "\"' =1\""),
            ("\u{a0}＝1", "\"'\u{a0}＝1\""),
            ("－1", "\"'－1\""),
            ("two\nlines", "two\\nlines"),
        ] {
            assert_eq!(csv_cell(raw), want);
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_nothing_acts_and_nothing_overflows(raw in ".{0,60}", limit in 0usize..40) {
            proptest::prop_assert!(!visible(&raw).chars().any(is_hazard));
            proptest::prop_assert!(columns(&cut(&raw, limit)) <= limit.max(1));
            proptest::prop_assert!(columns(&cut_front(&raw, limit)) <= limit.max(1));
            let cell = csv_cell(&raw);
            proptest::prop_assert!(!cell.contains(['\n', '\r']) && !cell.starts_with(['=', '+', '-', '@']));
        }
    }
}
