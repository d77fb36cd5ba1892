//! The catalogue: which message of nginx means what. Its rules are data (`patterns/*.toml`) and carry their proof.
//!
//! A record is held against the beginnings of all rules and, at each of its bytes, against all keywords; only the rules
//! found so are asked further, and a regex is compiled when it is first asked. Where none fits, rules are asked that go by
//! words which name a cause, whoever wrote them. What no rule knows is unknown, and is not guessed: [`shape`] shows its
//! shape.

pub mod category;
mod errno;
pub mod explain;
mod load;
mod pasted;
pub mod pattern;
mod places;
mod plain;
mod prefilter;
pub mod prove;
mod shape;
#[cfg(test)]
mod tests;

pub use shape::shape;

use crate::error::{Error, Result};
use crate::format::errorlog::{parse_angie_json, parse_error, parse_stderr_form};
use crate::format::record::ErrorRecord;
use load::{MOST_PATTERNS, Patterns};
use pattern::Pattern;
use prefilter::Prefilter;
use std::path::Path;

/// A set of patterns, ready to classify.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// By rank: priority, then id.
    patterns: Vec<Pattern>,
    prefilter: Prefilter,
    /// Of the patterns that go by words alone.
    general: Prefilter,
}

/// Reads a line in any form in which nginx and Angie write errors.
pub fn read_line(line: &[u8]) -> Option<ErrorRecord<'_>> {
    parse_error(line).or_else(|| parse_stderr_form(line)).or_else(|| parse_angie_json(line))
}

impl Catalogue {
    /// Our own patterns. Their proof is a test of ours: it need not be read on every start.
    pub fn builtin() -> Result<Self> {
        Self::build(load::builtin()?)
    }

    /// No pattern at all, for a run without an error log: building our own takes as long as reading a few megabytes.
    pub fn none() -> Result<Self> {
        Self::build(Patterns::new())
    }

    /// Our own patterns, then those of the user's folders: the same id replaces, `enabled = false` switches off.
    pub fn with_dirs<P: AsRef<Path>>(dirs: &[P]) -> Result<Self> {
        let mut patterns = load::builtin()?;
        let mut faults = Vec::new();
        dirs.iter().try_for_each(|dir| load::add_dir(&mut patterns, dir.as_ref(), &mut faults))?;
        Self::proven(patterns, faults)
    }

    /// The patterns of one folder alone.
    pub fn load_dir(path: &Path) -> Result<Self> {
        let (mut patterns, mut faults) = (Patterns::new(), Vec::new());
        load::add_dir(&mut patterns, path, &mut faults)?;
        Self::proven(patterns, faults)
    }

    fn proven(patterns: Patterns, faults: Vec<Error>) -> Result<Self> {
        if let Some(fault) = faults.into_iter().next() {
            return Err(fault);
        }
        let catalogue = Self::build(patterns)?;
        prove::prove(&catalogue)?;
        Ok(catalogue)
    }

    fn build(patterns: Patterns) -> Result<Self> {
        let error = |what: String| Error::Pattern { file: "patterns".into(), what };
        let mut patterns: Vec<Pattern> = patterns.into_values().collect();
        if patterns.len() > MOST_PATTERNS {
            return Err(error(format!("{} patterns: at most {MOST_PATTERNS} can be used", patterns.len())));
        }
        patterns.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.id.cmp(&b.id)));
        let prefilter = Prefilter::new(&patterns, |p| !p.is_general());
        let general = Prefilter::new(&patterns, Pattern::is_general);
        Ok(Self { patterns, prefilter, general })
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
    ///
    /// Those that go by words alone are asked last, about the message in small letters.
    pub fn classify(&self, record: &ErrorRecord<'_>) -> Option<&Pattern> {
        self.first(&self.prefilter, record).or_else(|| {
            let message = record.message.to_ascii_lowercase();
            self.first(&self.general, &ErrorRecord { message: &message, ..*record })
        })
    }

    /// The first pattern by rank that fits, of those of a prefilter.
    fn first(&self, prefilter: &Prefilter, record: &ErrorRecord<'_>) -> Option<&Pattern> {
        // Each pattern is asked once, however often its keyword stands in the message.
        let mut asked = [0_u64; MOST_PATTERNS / 64];
        let mut best: Option<u16> = None;
        prefilter.each(record.message, |rank| {
            let (word, bit) = (usize::from(rank) / 64, 1 << (rank % 64));
            if best.is_none_or(|b| rank < b) && asked[word] & bit == 0 {
                asked[word] |= bit;
                if self.patterns[usize::from(rank)].fits(record) {
                    best = Some(rank);
                }
            }
        });
        best.map(|rank| &self.patterns[usize::from(rank)])
    }
}
