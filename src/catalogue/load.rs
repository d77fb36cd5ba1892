//! Loads pattern files, ours and the user's, by the same rules: a pattern without proof is refused.

use super::category::is_category;
use super::errno::numbers;
use super::pattern::{Pattern, compile};
use super::{Catalogue, read_line};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Our own files. A test compares the list with the folder.
pub(super) const EMBEDDED: &[(&str, &str)] = &[
    ("patterns/client.toml", include_str!("../../patterns/client.toml")),
    ("patterns/config.toml", include_str!("../../patterns/config.toml")),
    ("patterns/content.toml", include_str!("../../patterns/content.toml")),
    ("patterns/limit.toml", include_str!("../../patterns/limit.toml")),
    ("patterns/process.toml", include_str!("../../patterns/process.toml")),
    ("patterns/resource.toml", include_str!("../../patterns/resource.toml")),
    ("patterns/script.toml", include_str!("../../patterns/script.toml")),
    ("patterns/upstream.toml", include_str!("../../patterns/upstream.toml")),
];
/// How many patterns a catalogue can hold: the set of those already asked is a fixed array.
pub(super) const MOST_PATTERNS: usize = 1024;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    pattern: Vec<Pattern>,
}

/// Patterns by id; a later one of the same id replaces the one before.
pub(super) type Patterns = BTreeMap<String, Pattern>;

/// Adds the patterns of one file.
pub(super) fn add(patterns: &mut Patterns, name: &str, text: &str) -> Result<()> {
    let error = |what: String| Error::Pattern { file: name.to_string(), what };
    let file: File = toml::from_str(text).map_err(|e| error(e.to_string()))?;
    let mut seen: Vec<String> = Vec::new();
    for mut pattern in file.pattern {
        let id = pattern.id.clone();
        if seen.contains(&id) {
            return Err(error(format!("{id}: this id is used twice")));
        }
        pattern.file = name.to_string();
        if pattern.enabled {
            prepare(&mut pattern).map_err(|what| error(format!("{id}: {what}")))?;
            patterns.insert(id.clone(), pattern);
        } else {
            patterns.remove(&id);
        }
        seen.push(id);
    }
    Ok(())
}

/// Adds the files of a folder, in the order of their names.
pub(super) fn add_dir(patterns: &mut Patterns, dir: &Path) -> Result<()> {
    let entries = std::fs::read_dir(dir).map_err(Error::io(dir))?;
    let mut paths: Vec<_> = entries.flatten().map(|e| e.path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "toml"));
    paths.sort();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        add(patterns, &path.display().to_string(), &text)?;
    }
    Ok(())
}

fn prepare(p: &mut Pattern) -> std::result::Result<(), String> {
    let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if p.id.is_empty() || !p.id.chars().all(kebab) {
        return Err("an id is written in small letters, digits and dashes".into());
    }
    if !is_category(&p.category) {
        return Err(format!("\"{}\" is no category: see patterns/README.md for the list", p.category));
    }
    if p.title.trim().is_empty() || p.hint.trim().is_empty() {
        return Err("title and hint must say something".into());
    }
    if p.matches.is_empty() || p.rejects.is_empty() {
        return Err("a pattern needs at least one [[pattern.match]] and one [[pattern.reject]]".into());
    }
    if p.keywords.is_empty() && p.place != Some(true) {
        return Err("a pattern needs keywords, one of which stands in every match".into());
    }
    if p.keywords.iter().any(|k| k.len() < 4) {
        return Err("a keyword has at least four letters".into());
    }
    for symbol in &p.errno {
        let known = numbers(symbol).ok_or(format!("\"{symbol}\" is no errno that nginx writes"))?;
        p.numbers.extend_from_slice(known);
    }
    if p.regex.as_ref().is_some_and(|regex| regex.starts_with(".*")) {
        return Err("a regex does not start with .*".into());
    }
    Ok(())
}

/// Compiles every regex, holds every pattern against its own lines, and every match line against the whole catalogue.
pub(super) fn prove(catalogue: &Catalogue) -> Result<()> {
    for p in catalogue.patterns() {
        let error = |what: String| Error::Pattern { file: p.file.clone(), what: format!("{}: {what}", p.id) };
        if let Some(Err(e)) = p.regex.as_deref().map(compile) {
            return Err(error(format!("regex: {e}")));
        }
        for m in &p.matches {
            let record =
                read_line(m.line.as_bytes()).ok_or(error(format!("no error-log record: {}", m.line)))?;
            let found = catalogue.classify(&record).map(|f| f.id.as_str());
            if found != Some(p.id.as_str()) {
                let found = found.unwrap_or("no pattern");
                return Err(error(format!(
                    "taken by {found} (keywords, conditions or priority): {}",
                    m.line
                )));
            }
        }
        for r in &p.rejects {
            let record =
                read_line(r.line.as_bytes()).ok_or(error(format!("no error-log record: {}", r.line)))?;
            if catalogue.classify(&record).is_some_and(|f| f.id == p.id) {
                return Err(error(format!("must not match ({}): {}", r.why, r.line)));
            }
        }
    }
    Ok(())
}
