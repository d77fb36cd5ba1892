//! Reads a pattern file of a user so that every fault has its line: each pattern by itself, for one that cannot be
//! read says nothing about the next.

use super::load::fault;
use super::pattern::Pattern;
use crate::error::Error;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Loose {
    #[serde(default)]
    pattern: Vec<toml::Spanned<toml::Value>>,
}

#[derive(Deserialize)]
struct Line {
    line: String,
}

/// The patterns of one file that can be read; what cannot becomes a fault.
pub(super) fn read(name: &str, text: &str, faults: &mut Vec<Error>) -> Vec<Pattern> {
    let file: Loose = match toml::from_str(text) {
        Ok(file) => file,
        Err(e) => {
            let line = e.span().map_or(1, |span| line_at(text, span.start));
            faults.push(fault(name, line, &format!("no TOML of patterns: {}", one_line(e.message()))));
            return Vec::new();
        }
    };
    let starts = headers(text);
    let mut patterns = Vec::new();
    for (n, value) in file.pattern.into_iter().enumerate() {
        let from = starts.get(n).copied().unwrap_or_else(|| line_at(text, value.span().start));
        let to = starts.get(n + 1).copied().unwrap_or(usize::MAX);
        let value = value.into_inner();
        let id = value.get("id").and_then(toml::Value::as_str).unwrap_or("a pattern").to_string();
        match Pattern::deserialize(value) {
            Ok(mut pattern) => {
                pattern.file = name.to_string();
                pattern.at = from;
                place_proof(&mut pattern, text, from..to);
                patterns.push(pattern);
            }
            Err(e) => {
                let line = about(e.message(), text, from..to).unwrap_or(from);
                faults.push(fault(name, line, &format!("{id}: {}", one_line(e.message()))));
            }
        }
    }
    patterns
}

/// The 1-based line of a byte.
fn line_at(text: &str, byte: usize) -> usize {
    1 + text.bytes().take(byte).filter(|&b| b == b'\n').count()
}

fn one_line(message: &str) -> String {
    message.trim().replace('\n', "; ")
}

/// The lines on which patterns begin.
fn headers(text: &str) -> Vec<usize> {
    let header = |line: &str| line.trim_start().starts_with("[[pattern]]");
    text.lines().enumerate().filter(|(_, line)| header(line)).map(|(n, _)| n + 1).collect()
}

/// The lines of a pattern with their numbers.
fn within(text: &str, lines: std::ops::Range<usize>) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(n, line)| (n + 1, line)).filter(move |(n, _)| lines.contains(n))
}

/// The line that holds the word a message puts between backticks first: the key or value that cannot be read.
fn about(message: &str, text: &str, lines: std::ops::Range<usize>) -> Option<usize> {
    let word = message.split('`').nth(1).filter(|_| !message.starts_with("missing"))?;
    within(text, lines).find(|(_, line)| line.contains(word)).map(|(n, _)| n)
}

/// Gives every line of proof its number.
fn place_proof(pattern: &mut Pattern, text: &str, lines: std::ops::Range<usize>) {
    let (mut matches, mut rejects) = (pattern.matches.iter_mut(), pattern.rejects.iter_mut());
    pattern_proofs(text, lines, &mut |n, reject| {
        let at = if reject { rejects.next().map(|r| &mut r.at) } else { matches.next().map(|m| &mut m.at) };
        if let Some(at) = at {
            *at = n;
        }
    });
}

/// Visits the lines of proof in their order; whether each is one that must not match.
fn pattern_proofs(text: &str, lines: std::ops::Range<usize>, visit: &mut dyn FnMut(usize, bool)) {
    let mut reject = false;
    for (n, line) in within(text, lines) {
        let line = line.trim_start();
        if line.starts_with("[[pattern.") {
            reject = line.starts_with("[[pattern.reject]]");
        } else if line.starts_with("line") && toml::from_str::<Line>(line).is_ok_and(|l| !l.line.is_empty()) {
            visit(n, reject);
        }
    }
}
