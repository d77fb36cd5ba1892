//! The verification as Markdown: a table of claims, then the lines that give the verdicts.

use super::{headline, incidents, lines, place, read_as, result, sentence, times};
use crate::clock::Clock;
use crate::render::safe;
use crate::verify::{Verdict, Verification};
use std::io::{self, Write};

/// Writes the verification of the notes called `name`.
pub fn write(v: &Verification, name: &str, out: &mut dyn Write) -> io::Result<()> {
    let clock = Clock::new(v.zone);
    writeln!(out, "# {}\n", plain(&headline(v, name)))?;
    writeln!(out, "{}\n\n{}", plain(&result(v)), plain(&incidents(v)))?;
    for remark in &v.remarks {
        writeln!(out, "\nNote: {}.", plain(remark))?;
    }
    if !v.explanations.is_empty() {
        writeln!(out, "\n## What would explain it\n")?;
        for e in &v.explanations {
            writeln!(out, "* {}", plain(&e.what))?;
        }
    }
    if !v.contradictions.is_empty() {
        writeln!(out, "\n## The notes against themselves\n")?;
        for c in &v.contradictions {
            writeln!(out, "* {}: {}", lines(c), plain(&sentence(&c.what)))?;
        }
    }
    if !v.claims.is_empty() {
        writeln!(out, "\n## The notes against the logs\n")?;
        writeln!(out, "| Line | Claim | Read as | Verdict | Why |\n|---:|---|---|---|---|")?;
        for judged in &v.claims {
            let why = match &judged.hint {
                Some(hint) => format!("{} {}", sentence(&judged.judgement.reason), sentence(hint)),
                None => sentence(&judged.judgement.reason),
            };
            let verdict = match judged.judgement.verdict {
                Verdict::Contradicted => "**contradicted**",
                other => other.name(),
            };
            let as_read = read_as(judged, clock);
            let kind = judged.claim.kind.name().replace('_', " ");
            writeln!(
                out,
                "| {} | {} | {kind}{} | {verdict} | {} |",
                judged.claim.line,
                plain(&judged.claim.text),
                plain(&as_read),
                plain(&why)
            )?;
        }
        writeln!(out, "\n## The lines\n")?;
        let mut told: Vec<String> = Vec::new();
        for judged in &v.claims {
            let Some(e) = &judged.judgement.evidence else { continue };
            let place = place(e);
            if !told.contains(&place) {
                writeln!(out, "* {}: {}", plain(&place), code(&e.text))?;
                told.push(place);
            }
        }
    }
    writeln!(out, "\n## How long it took\n")?;
    for (name, text) in times(v) {
        writeln!(out, "* {name}: {text}")?;
    }
    Ok(())
}

/// Text in which nothing acts as markup: `CommonMark` lets every ASCII sign be escaped.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in safe::visible(text).chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&' | '$' => {
                out.push('\\');
                out.push(c);
            }
            '@' => out.push_str("&#64;"),
            c => out.push(c),
        }
    }
    // A bare address becomes a link in many renderings.
    out.replace("://", ":&#47;/").replace("www.", "www&#46;")
}

/// A line of a log as code, behind more back-ticks than it has itself.
fn code(text: &str) -> String {
    let text = safe::visible(text);
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    let pad = if longest > 0 { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_log_is_markup() {
        assert_eq!(plain("<b> | [x](y) *z* `q`"), "\\<b\\> \\| \\[x\\](y) \\*z\\* \\`q\\`");
        assert_eq!(plain("a\u{1b}[2J\n| x"), "a\\\\x1b\\[2J\\\\n\\| x");
        assert_eq!(code("a `b` ``c"), "``` a `b` ``c ```");
        assert!(!plain("see http://evil.example www.x @all").contains("://"));
    }
}
