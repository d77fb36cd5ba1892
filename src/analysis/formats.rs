//! How each file is read.

use super::{Gathered, Options, gather};
use crate::error::{Error, Result};
use crate::format::AccessFormat;
use crate::parallel::Workers;
use crate::reading::{self, Reading};

/// How one file was read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FormatReport {
    /// The file.
    pub path: String,
    /// `access`, `error`, or `other`.
    pub kind: &'static str,
    /// The name of the format.
    pub name: String,
    /// Its `log_format` text.
    pub definition: String,
    /// What the lines are wrapped in: `plain`, `docker`, `syslog`, ...
    pub framing: String,
    /// How sure, 0 to 1.
    pub confidence: f64,
    /// Why this format.
    pub reason: String,
    /// The host it came from.
    pub host: Option<String>,
    /// The fields of one line.
    pub fields: Vec<(String, String)>,
    /// Why it was refused, and what to do.
    pub refused: Option<String>,
}

/// Which format each file is read as.
pub fn formats(options: &Options) -> Result<(Vec<FormatReport>, Vec<Error>)> {
    let workers = Workers::new(options.threads)?;
    let Gathered { readings, refused, failures, .. } = gather(options, &workers)?;
    let mut out: Vec<FormatReport> = readings.iter().map(|r| format_report(r)).collect();
    out.extend(refused.into_iter().map(|r| FormatReport {
        path: r.source.shown.clone(),
        kind: "other",
        host: r.source.host.clone(),
        refused: Some(r.why),
        ..FormatReport::default()
    }));
    out.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((out, failures))
}

fn format_report(r: &Reading) -> FormatReport {
    use crate::format::framing::Framing;
    let definitions: Vec<String> = r.plan.formats.iter().map(AccessFormat::definition).collect();
    FormatReport {
        path: r.source.shown.clone(),
        kind: r.role.name(),
        name: r.format_name(),
        definition: definitions.join("\n"),
        framing: if r.plan.framing == Framing::None { "plain".into() } else { r.plan.framing.name().into() },
        confidence: r.confidence,
        reason: r.reason.to_string(),
        host: r.source.host.clone(),
        fields: reading::sample_fields(r),
        refused: None,
    }
}
