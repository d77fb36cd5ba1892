//! `downtime patterns`: the catalogue, and the check of a folder of one's own.

use crate::cli::messages::{self, Exit};
use crate::cli::output::write;
use crate::cli::{PatternsArgs, RecordFormat, resolve};
use anyhow::Result;
use downtime::catalogue::Catalogue;
use downtime::catalogue::pattern::Pattern;
use downtime::catalogue::prove::Checked;
use downtime::render::{json, patterns as render};
use std::path::Path;

/// Lists the patterns, or says whether those of a folder are sound.
pub(crate) fn patterns(args: &PatternsArgs) -> Result<Exit> {
    if let Some(dir) = &args.check {
        return check(dir, args);
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

/// Says of a folder that its patterns are sound, or every fault with its place.
fn check(dir: &Path, args: &PatternsArgs) -> Result<Exit> {
    let Checked { patterns, lines, faults, .. } = Catalogue::check_dir(dir)?;
    faults.iter().for_each(messages::error);
    if !faults.is_empty() {
        let (n, s) = (faults.len(), if faults.len() == 1 { "" } else { "s" });
        messages::note(&format!("{n} fault{s} in {}", dir.display()));
        return Ok(Exit::Failed);
    }
    write(args.output.output.as_deref(), |out| {
        writeln!(out, "{}: {patterns} patterns, proven by {lines} lines", dir.display())
    })?;
    Ok(Exit::Done)
}
