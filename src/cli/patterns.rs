//! `downtime patterns`: the catalogue, and the check of a folder of one's own.

use crate::cli::messages::Exit;
use crate::cli::output::write;
use crate::cli::{PatternsArgs, RecordFormat, resolve};
use anyhow::Result;
use downtime::catalogue::Catalogue;
use downtime::catalogue::pattern::Pattern;
use downtime::render::{json, patterns as render};

/// Lists the patterns, or says whether those of a folder are sound.
pub(crate) fn patterns(args: &PatternsArgs) -> Result<Exit> {
    if let Some(dir) = &args.check {
        let alone = Catalogue::load_dir(dir)?;
        // Beside ours they must still take their own lines.
        Catalogue::with_dirs(&[dir])?;
        let lines: usize = alone.patterns().iter().map(|p| p.matches.len() + p.rejects.len()).sum();
        let n = alone.patterns().len();
        write(args.output.output.as_deref(), |out| {
            writeln!(out, "{}: {n} patterns, proven by {lines} lines", dir.display())
        })?;
        return Ok(Exit::Done);
    }
    let catalogue = Catalogue::with_dirs(&resolve::pattern_dirs(&args.patterns))?;
    let wanted = |p: &&Pattern| {
        args.words.is_empty() || args.words.iter().any(|w| p.id.contains(w) || p.category.contains(w))
    };
    let chosen = || catalogue.patterns().iter().filter(wanted);
    write(args.output.output.as_deref(), |out| match args.format {
        RecordFormat::Text => render::write(chosen(), resolve::style(&args.output), out),
        RecordFormat::Json => json::write_patterns(chosen(), out),
    })?;
    Ok(Exit::Done)
}
