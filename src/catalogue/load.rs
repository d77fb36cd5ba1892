//! Loads pattern files, ours and the user's, by the same rules: a pattern without proof is refused.

use super::category::is_category;
use super::errno::{numbers, windows_numbers};
use super::pattern::{Pattern, compile};
use super::{places, plain};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Our own files. A test compares the list with the folder.
pub(super) const EMBEDDED: &[(&str, &str)] = &[
    ("patterns/auth.toml", include_str!("../../patterns/auth.toml")),
    ("patterns/cache.toml", include_str!("../../patterns/cache.toml")),
    ("patterns/client.toml", include_str!("../../patterns/client.toml")),
    ("patterns/config.toml", include_str!("../../patterns/config.toml")),
    ("patterns/content.toml", include_str!("../../patterns/content.toml")),
    ("patterns/dns.toml", include_str!("../../patterns/dns.toml")),
    ("patterns/general.toml", include_str!("../../patterns/general.toml")),
    ("patterns/info.toml", include_str!("../../patterns/info.toml")),
    ("patterns/limit.toml", include_str!("../../patterns/limit.toml")),
    ("patterns/logging.toml", include_str!("../../patterns/logging.toml")),
    ("patterns/mail.toml", include_str!("../../patterns/mail.toml")),
    ("patterns/modules.toml", include_str!("../../patterns/modules.toml")),
    ("patterns/process.toml", include_str!("../../patterns/process.toml")),
    ("patterns/resource.toml", include_str!("../../patterns/resource.toml")),
    ("patterns/script.toml", include_str!("../../patterns/script.toml")),
    ("patterns/stream.toml", include_str!("../../patterns/stream.toml")),
    ("patterns/tls.toml", include_str!("../../patterns/tls.toml")),
    ("patterns/upstream.toml", include_str!("../../patterns/upstream.toml")),
    ("patterns/waf.toml", include_str!("../../patterns/waf.toml")),
];
/// How many patterns a catalogue can hold: the set of those already asked is a fixed array.
pub(super) const MOST_PATTERNS: usize = 1024;

/// Patterns by id; a later one of the same id replaces the one before.
pub(super) type Patterns = BTreeMap<String, Pattern>;

/// Where a file of patterns comes from, which says how far it is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Our own file: its proof is left out and its regexes are not tried, for tests have done both.
    Ours,
    /// Anybody's.
    Users,
}

/// Our own patterns, without their proof.
pub(super) fn builtin() -> Result<Patterns> {
    let mut patterns = Patterns::new();
    for (name, text) in EMBEDDED {
        let error = |what: String| Error::Pattern { file: (*name).to_string(), what };
        for mut pattern in plain::read(text).map_err(error)? {
            pattern.file = (*name).to_string();
            prepare(&mut pattern, Source::Ours).map_err(|what| error(format!("{}: {what}", pattern.id)))?;
            patterns.insert(pattern.id.clone(), pattern);
        }
    }
    Ok(patterns)
}

/// Our own patterns with their proof.
#[cfg(test)]
pub(super) fn builtin_with_proof() -> Result<Patterns> {
    let (mut patterns, mut faults) = (Patterns::new(), Vec::new());
    for (name, text) in EMBEDDED {
        add(&mut patterns, name, text, &mut faults);
    }
    faults.into_iter().next().map_or(Ok(patterns), Err)
}

/// Adds the patterns of one file of a user; a pattern with a fault is left out, and every fault is named.
pub(super) fn add(patterns: &mut Patterns, name: &str, text: &str, faults: &mut Vec<Error>) {
    let mut seen: Vec<String> = Vec::new();
    for mut pattern in places::read(name, text, faults) {
        let id = pattern.id.clone();
        let what = if seen.contains(&id) {
            Err("this id is used twice: each pattern has its own".to_string())
        } else {
            prepare(&mut pattern, Source::Users)
        };
        match what {
            Err(what) => faults.push(fault(name, pattern.at, &format!("{id}: {what}"))),
            Ok(()) if pattern.enabled => _ = patterns.insert(id.clone(), pattern),
            Ok(()) => _ = patterns.remove(&id),
        }
        seen.push(id);
    }
}

/// Adds the files of a folder, in the order of their names.
pub(super) fn add_dir(patterns: &mut Patterns, dir: &Path, faults: &mut Vec<Error>) -> Result<()> {
    let entries = std::fs::read_dir(dir).map_err(Error::io(dir))?;
    let mut paths: Vec<_> = entries.flatten().map(|e| e.path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "toml"));
    paths.sort();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        add(patterns, &path.display().to_string(), &text, faults);
    }
    Ok(())
}

/// A fault with its place.
pub(super) fn fault(file: &str, line: usize, what: &str) -> Error {
    Error::Pattern { file: format!("{file}:{line}"), what: what.to_string() }
}

fn prepare(p: &mut Pattern, source: Source) -> std::result::Result<(), String> {
    let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if p.id.is_empty() || !p.id.chars().all(kebab) {
        return Err("an id is written in small letters, digits and dashes".into());
    }
    if !is_category(&p.category) {
        return Err(format!("\"{}\" is no category: see patterns/README.md for the list", p.category));
    }
    if p.title.trim().is_empty() || p.hint.trim().is_empty() {
        return Err("title and hint must say something: what happened, and what to look at".into());
    }
    if source == Source::Users && (p.matches.is_empty() || p.rejects.is_empty()) {
        return Err("a pattern needs at least one [[pattern.match]] and one [[pattern.reject]]".into());
    }
    if p.keywords.is_empty() && p.starts.is_empty() && p.place != Some(true) && !p.is_general() {
        return Err("a pattern needs starts or keywords, one of which every match has".into());
    }
    if p.starts.iter().any(|k| k.len() < 3) {
        return Err("a start has at least three letters".into());
    }
    if p.keywords.iter().any(|k| k.len() < 3) {
        return Err("a keyword has at least three letters".into());
    }
    for symbol in &p.errno {
        let known = numbers(symbol).ok_or(format!(
            "\"{symbol}\" is no errno that nginx writes: use a symbol such as ECONNREFUSED"
        ))?;
        p.numbers.extend_from_slice(known);
        p.windows.extend_from_slice(windows_numbers(symbol));
    }
    if let Some(regex) = &p.regex {
        if regex.starts_with(".*") {
            return Err("a regex does not start with .*: it is looked for anywhere, so leave that out".into());
        }
        if source == Source::Users {
            compile(regex).map_err(|e| format!("regex: {e}"))?;
        }
    }
    Ok(())
}
