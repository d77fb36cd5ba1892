//! Text of a log inside Markdown. A request line is written by whoever sends it, and forges read much more than
//! `CommonMark` into plain text: mentions, issue numbers, addresses, formulas, HTML. So nothing but plain words and
//! numbers stands as plain text; every other word becomes code, in which nothing is read.

use crate::render::safe;
use std::borrow::Cow;

/// Longest text shown of one thing.
const LONGEST: usize = 300;

/// A sentence: plain words as they are, all else as code.
pub(super) fn prose(text: &str) -> String {
    let text = safe::visible(text);
    let mut out = String::with_capacity(text.len() + 16);
    for (at, word) in text.split(' ').filter(|w| !w.is_empty()).enumerate() {
        if at != 0 {
            out.push(' ');
        }
        let (open, core, close) = apart(word);
        if is_plain(core) {
            out.push_str(word);
        } else {
            out.push_str(open);
            out.push_str(&code(core));
            out.push_str(close);
        }
    }
    out
}

/// A word without the signs of the sentence around it.
fn apart(word: &str) -> (&str, &str, &str) {
    let core = word.strip_prefix('(').unwrap_or(word);
    let open = &word[..word.len() - core.len()];
    let bare = core.trim_end_matches(['.', ',', ';', ':', ')']);
    // Signs alone are no word: they stay in the code.
    if bare.is_empty() { ("", word, "") } else { (open, bare, &core[bare.len()..]) }
}

/// Letters and digits, with hyphens or an apostrophe inside; or a number, a time, a date, a share. Nothing that any forge reads.
fn is_plain(word: &str) -> bool {
    let number = word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | ':' | '-' | '^'));
    let letters =
        word.split(['-', '\'']).all(|part| !part.is_empty() && part.chars().all(char::is_alphanumeric));
    // The version of a protocol looks like a date to nobody, but a list may begin with "1.".
    matches!(word, "%" | "×") || number || letters && !word.starts_with("www")
}

/// Code inside a line (or a cell of a table, where a bar would end the cell even in code).
pub(super) fn code(text: &str) -> String {
    let text = safe::cut(text, LONGEST);
    let text = text.replace('|', "\\|");
    if text.trim().is_empty() {
        return if text.is_empty() { "(empty)".into() } else { "(blank)".into() };
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    // A back-tick at an end would join the fence; one blank at each end is taken off again by every reader.
    let blank = text.starts_with('`') || text.ends_with('`') || text.starts_with(' ') && text.ends_with(' ');
    let pad = if blank { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Whole lines as a block of code.
pub(super) fn block(lines: &[Cow<'_, str>]) -> String {
    let lines: Vec<_> = lines.iter().map(|l| safe::cut(l, 2000)).collect();
    let fence = "`".repeat(lines.iter().map(|l| longest_run(l)).max().unwrap_or(0).max(2) + 1);
    format!("{fence}text\n{}\n{fence}\n", lines.join("\n"))
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_stay_and_all_else_is_code() {
        for (raw, want) in [
            ("988 of 1,210 requests failed, usually 0.1 %", "988 of 1,210 requests failed, usually 0.1 %"),
            ("odds less than 1 in 10^300", "odds less than 1 in 10^300"),
            ("at 18:00:06 (between them)", "at 18:00:06 (between them)"),
            ("failed on /api/{n}", "failed on `/api/{n}`"),
            ("@everyone #1 www.x.org", "`@everyone` `#1` `www.x.org`"),
            ("<script>alert(1)</script>", "`<script>alert(1)</script>`"),
            ("[x](javascript:y)", "`[x](javascript:y`)"),
            ("![](http://x)", "`![](http://x`)"),
            ("**b** _i_ $x$ :tada: ~~s~~", "`**b**` `_i_` `$x$` `:tada`: `~~s~~`"),
            ("a`b`c", "``a`b`c``"),
            ("`", "`` ` ``"),
            ("a|b", "`a\\|b`"),
            ("x\n# y", "`x\\n#` y"),
            ("größe 日本", "größe 日本"),
            ("...", "`...`"),
            ("", ""),
        ] {
            assert_eq!(prose(raw), want, "{raw}");
        }
        assert_eq!(code(""), "(empty)");
        assert_eq!(block(&["a ``` b".into()]), "````text\na ``` b\n````\n");
    }

    proptest::proptest! {
        /// Outside of code nothing is left that could be read as markup.
        #[test]
        fn nothing_is_markup(raw in "[ -~é|`<>\\n]{0,60}") {
            let text = prose(&raw);
            let mut rest = text.as_str();
            let mut outside = String::new();
            while let Some(at) = rest.find('`') {
                outside.push_str(&rest[..at]);
                let run = rest[at..].len() - rest[at..].trim_start_matches('`').len();
                let fence = "`".repeat(run);
                let inner = &rest[at + run..];
                // The fence is closed by a run of the same length.
                let mut from = 0;
                let close = loop {
                    let Some(found) = inner[from..].find(&fence).map(|i| from + i) else { break None };
                    let run_here = inner[found..].len() - inner[found..].trim_start_matches('`').len();
                    if run_here == run { break Some(found) }
                    from = found + run_here;
                };
                let close = close.expect("every fence is closed");
                rest = &inner[close + run..];
            }
            outside.push_str(rest);
            let harmless = |c: char| c.is_alphanumeric() || " .,;:()-^%'".contains(c);
            proptest::prop_assert!(outside.chars().all(harmless), "{text}");
            proptest::prop_assert!(!text.contains('\n'));
        }
    }
}
