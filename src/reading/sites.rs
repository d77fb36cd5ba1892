//! Logs that are kept apart by virtual host: of which site a log is, where its lines do not say so.
//!
//! `access_log` stands in each `server` block as often as not, and then the name of the file is the only name that the
//! site has. It is taken as it is, without the marks of rotation.

use super::{Reading, Role};
use crate::format::{AccessFormat, Field};
use crate::input::family::{home, split_name};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Names the sites of logs whose format has no virtual host, where a host has several such logs.
pub fn name_sites(readings: &mut [Box<Reading>]) {
    name_sites_beside(readings.iter_mut().map(|r| &mut **r).collect(), std::iter::empty());
}

/// The same, where other access logs are known too: their hosts and paths.
pub fn name_sites_beside<'a>(
    mut readings: Vec<&mut Reading>,
    others: impl Iterator<Item = (Option<&'a str>, &'a Path)>,
) {
    let name = |path: &Path| {
        let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        (split_name(&file).0, home(path))
    };
    readings.retain(|r| r.role == Role::Access);
    // Of each host the names, each with its folders.
    let mut logs: HashMap<Option<String>, HashMap<String, HashSet<String>>> = HashMap::new();
    let known = readings.iter().map(|r| (r.source.host.clone(), name(&r.source.path)));
    let others = others.map(|(host, path)| (host.map(str::to_owned), name(path)));
    for (host, (stem, folder)) in known.chain(others) {
        logs.entry(host).or_default().entry(stem).or_default().insert(folder);
    }
    for r in readings {
        let (stem, folder) = name(&r.source.path);
        let Some(of_host) = logs.get(&r.source.host) else { continue };
        let twice = of_host.get(&stem).is_some_and(|folders| folders.len() > 1);
        let tells = |f: &AccessFormat| f.has(&Field::Host) || f.has(&Field::ServerName);
        if of_host.len() == 1 && !twice || r.plan.formats.iter().any(tells) {
            continue;
        }
        let site = if twice { format!("{folder}/{stem}") } else { stem };
        r.plan.site = Some(site.into_bytes().into());
    }
}
