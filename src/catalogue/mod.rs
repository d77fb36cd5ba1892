//! The catalogue: which message of nginx means what. Its rules are data (`patterns/*.toml`) and carry their proof.
//!
//! A record is held against all keywords in one pass (Aho-Corasick); only the rules whose keyword was seen are asked
//! further. What no rule knows is unknown, and is not guessed.

pub mod category;
mod errno;
mod load;
pub mod pattern;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::format::errorlog::{parse_angie_json, parse_error, parse_stderr_form};
use crate::format::record::ErrorRecord;
use aho_corasick::AhoCorasick;
use load::{MOST_PATTERNS, Patterns};
use pattern::Pattern;
use std::path::Path;

/// A set of patterns, ready to classify.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// By rank: priority, then id.
    patterns: Vec<Pattern>,
    keywords: AhoCorasick,
    /// For each keyword the patterns that have it.
    owners: Vec<Vec<u16>>,
    /// Patterns without a keyword.
    unkeyed: Vec<u16>,
}

/// Reads a line in any form in which nginx and Angie write errors.
pub fn read_line(line: &[u8]) -> Option<ErrorRecord<'_>> {
    parse_error(line).or_else(|| parse_stderr_form(line)).or_else(|| parse_angie_json(line))
}

impl Catalogue {
    /// Our own patterns.
    pub fn embedded() -> Result<Self> {
        let mut patterns = Patterns::new();
        load::EMBEDDED.iter().try_for_each(|(name, text)| load::add(&mut patterns, name, text))?;
        // Their proof is a test of ours: it need not be run on every start.
        Self::build(patterns)
    }

    /// Our own patterns, then those of the user's folders: the same id replaces, `enabled = false` switches off.
    pub fn with_dirs<P: AsRef<Path>>(dirs: &[P]) -> Result<Self> {
        let mut patterns = Patterns::new();
        load::EMBEDDED.iter().try_for_each(|(name, text)| load::add(&mut patterns, name, text))?;
        dirs.iter().try_for_each(|dir| load::add_dir(&mut patterns, dir.as_ref()))?;
        let catalogue = Self::build(patterns)?;
        if !dirs.is_empty() {
            load::prove(&catalogue)?;
        }
        Ok(catalogue)
    }

    /// The patterns of one folder alone.
    pub fn load_dir(path: &Path) -> Result<Self> {
        let mut patterns = Patterns::new();
        load::add_dir(&mut patterns, path)?;
        let catalogue = Self::build(patterns)?;
        load::prove(&catalogue)?;
        Ok(catalogue)
    }

    fn build(patterns: Patterns) -> Result<Self> {
        let error = |what: String| Error::Pattern { file: "patterns".into(), what };
        let mut patterns: Vec<Pattern> = patterns.into_values().collect();
        if patterns.len() > MOST_PATTERNS {
            return Err(error(format!("{} patterns: at most {MOST_PATTERNS} can be used", patterns.len())));
        }
        patterns.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.id.cmp(&b.id)));
        let mut words: Vec<&str> = Vec::new();
        let mut owners: Vec<Vec<u16>> = Vec::new();
        let mut unkeyed = Vec::new();
        for (rank, p) in patterns.iter().enumerate() {
            if p.keywords.is_empty() {
                unkeyed.push(rank as u16);
            }
            for word in &p.keywords {
                let at = words.iter().position(|w| w == word).unwrap_or_else(|| {
                    words.push(word);
                    owners.push(Vec::new());
                    words.len() - 1
                });
                owners[at].push(rank as u16);
            }
        }
        let keywords = AhoCorasick::new(&words).map_err(|e| error(e.to_string()))?;
        Ok(Self { patterns, keywords, owners, unkeyed })
    }

    /// The patterns, by rank.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// The pattern of that id.
    pub fn get(&self, id: &str) -> Option<&Pattern> {
        self.patterns.iter().find(|p| p.id == id)
    }

    /// The first pattern by rank that fits; `None` is "unknown".
    pub fn classify(&self, record: &ErrorRecord<'_>) -> Option<&Pattern> {
        // Each pattern is asked once, however often its keyword stands in the message.
        let mut asked = [0_u64; MOST_PATTERNS / 64];
        let mut best: Option<u16> = None;
        let mut ask = |rank: u16| {
            let (word, bit) = (usize::from(rank) / 64, 1 << (rank % 64));
            if best.is_none_or(|b| rank < b) && asked[word] & bit == 0 {
                asked[word] |= bit;
                if self.patterns[usize::from(rank)].fits(record) {
                    best = Some(rank);
                }
            }
        };
        for found in self.keywords.find_overlapping_iter(record.message) {
            self.owners[found.pattern().as_usize()].iter().for_each(|&rank| ask(rank));
        }
        self.unkeyed.iter().for_each(|&rank| ask(rank));
        best.map(|rank| &self.patterns[usize::from(rank)])
    }
}
