//! From paths to files of which it is known how each is read.

use super::Options;
use crate::error::{Error, Result};
use crate::format::{AccessFormat, Escape, Exclude, nginx_conf};
use crate::input::discover::{DiscoverOptions, Discovered, HostFrom, Reason, Skipped, discover};
use crate::input::source::{Kind, Source};
use crate::parallel::Workers;
use crate::reading::{self, Hints, Reading, Refused, Role};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Files found and looked at.
pub(super) struct Gathered {
    pub(super) readings: Vec<Box<Reading>>,
    pub(super) refused: Vec<Refused>,
    pub(super) skipped: BTreeMap<Reason, Skipped>,
    pub(super) failures: Vec<Error>,
}

/// Finds the files.
pub(crate) fn find(options: &Options) -> Result<Discovered> {
    let host_from = options.host_from.as_deref().map(HostFrom::parse).transpose()?.unwrap_or(HostFrom::Auto);
    let keep_streams = options.keep_streams;
    discover(&options.paths, &DiscoverOptions { host_from, keep_streams, ..DiscoverOptions::default() })
}

/// Finds the files and learns how each is read.
pub(super) fn gather(options: &Options, workers: &Workers) -> Result<Gathered> {
    let found = find(options)?;
    let hints = hints(options)?;
    let Discovered { sources, skipped, errors } = found;
    let sources: Vec<Arc<Source>> = sources.into_iter().map(Arc::new).collect();
    let looks = reading::look_all(&sources, &hints, workers);
    drop(sources);
    let readings = Vec::with_capacity(looks.len());
    let mut out = Gathered { readings, refused: Vec::new(), skipped, failures: errors };
    for look in looks {
        match look {
            Ok(Ok(reading)) => out.readings.push(reading),
            Ok(Err(refused)) => {
                // A file that was named is an error when it cannot be read as asked; one a folder held is not.
                let named = options.paths.contains(&refused.source.path) || refused.source.kind != Kind::File;
                if named && !refused.empty {
                    out.failures
                        .push(Error::Usage(format!("{}: not read: {}", refused.source.shown, refused.why)));
                }
                out.refused.push(refused);
            }
            Err(e) => out.failures.push(e),
        }
    }
    reading::name_sites(&mut out.readings);
    Ok(out)
}

/// What shall not count.
pub(crate) fn excluded(options: &Options) -> Result<Option<Arc<Exclude>>> {
    let exclude = Exclude::new(&options.exclude, &options.exclude_agent)?;
    Ok((!exclude.is_empty()).then(|| Arc::new(exclude)))
}

/// What is known before a file is looked at: the formats that the user or nginx's configuration names, and what shall not
/// count.
pub(crate) fn hints(options: &Options) -> Result<Hints> {
    let mut formats = Vec::new();
    for text in &options.log_formats {
        let format =
            AccessFormat::by_name(text).map_or_else(|| AccessFormat::from_directive("", text, None), Ok)?;
        if !format.is_usable() {
            let what = "has no time, or neither status nor request; nothing can be counted with it";
            return Err(Error::Usage(format!("log format '{text}': {what}")));
        }
        formats.push(format);
    }
    if let Some(path) = &options.nginx_conf {
        for f in &nginx_conf::read(path)?.log_formats {
            let escape = f.escape.as_deref().and_then(Escape::from_name);
            let format = AccessFormat::from_directive(&f.name, &f.text, escape)?;
            // A configuration has formats for other ends too (statistics, `stream`), and they are no mistake.
            if format.is_usable() {
                formats.push(format);
            }
        }
    }
    Ok(Hints { formats, exclude: excluded(options)? })
}

/// The zone that is shown: the one asked for, or that of the first stamp of the first access log that has one.
pub(crate) fn shown_zone(options: &Options, readings: &[Box<Reading>]) -> Option<i16> {
    let of_log = || {
        readings
            .iter()
            .filter(|r| r.role == Role::Access)
            .find_map(|r| r.plan.formats.iter().find_map(|f| f.parse(&r.example).ok()?.time?.offset))
    };
    options.zone.or_else(of_log)
}
