//! Logs that are kept apart by virtual host: of which site a log is, where its lines do not say so.
//!
//! `access_log` stands in each `server` block as often as not, and then the name of the file is the only name that the
//! site has. It is taken as it is, without the marks of rotation.

use super::{Reading, Role};
use crate::format::{AccessFormat, Field};
use crate::input::family::{home, split_name};
use std::collections::{BTreeMap, BTreeSet};

/// Names the sites of logs whose format has no virtual host, where a host has several such logs.
pub fn name_sites(readings: &mut [Reading]) {
    type Name = (String, String);
    let name = |r: &Reading| -> Name {
        let file = r.source.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        (home(&r.source.path), split_name(&file).0)
    };
    let mut logs: BTreeMap<Option<String>, BTreeSet<Name>> = BTreeMap::new();
    for r in readings.iter().filter(|r| r.role == Role::Access) {
        logs.entry(r.source.host.clone()).or_default().insert(name(r));
    }
    for r in readings.iter_mut().filter(|r| r.role == Role::Access) {
        let Some(of_host) = logs.get(&r.source.host).filter(|names| names.len() > 1) else { continue };
        let tells = |f: &AccessFormat| f.has(&Field::Host) || f.has(&Field::ServerName);
        if r.plan.formats.iter().any(tells) {
            continue;
        }
        let (folder, stem) = name(r);
        let twice = of_host.iter().filter(|(_, s)| *s == stem).count() > 1;
        let site = if twice { format!("{folder}/{stem}") } else { stem };
        r.plan.site = Some(site.into_bytes().into());
    }
}
