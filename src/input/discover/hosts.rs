//! Which host each input comes from, by where it lies. Not for hosts that the lines themselves name (syslog).
//!
//! A wrong host is worse than none: it keeps duplicates apart and splits one outage in two. So folders become hosts
//! only where sibling folders hold files of the same name, or the user gave several folders; archive folders
//! (`old/`, `2026-03/`) and folders beside which the parent holds the same names (one per vhost, say) never do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::error::{Error, Result};
use crate::input::family::{is_archive_folder, split_name};
use crate::input::source::{Kind, Source, shown};

/// Folders that every host has and that name none.
const GENERIC: [&str; 5] = ["var", "log", "logs", "nginx", "."];

/// How hosts are told apart.
#[derive(Debug, Clone, Default)]
pub enum HostFrom {
    /// By folders, where they plainly are hosts.
    #[default]
    Auto,
    /// Not at all: everything comes from one host.
    None,
    /// The folder a file lies in names its host.
    Folder,
    /// The first group (or the one called `host`) of this expression, searched in the path.
    Path(Regex),
    /// The syslog frame of each line names it; nothing is told here.
    Syslog,
}

impl HostFrom {
    /// Reads an option's value: `auto`, `none`, `folder`, `syslog`, a path with `{host}` in it (`*` stands for
    /// anything in one name, `**` for anything), or a regular expression with a group.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "auto" => return Ok(Self::Auto),
            "none" => return Ok(Self::None),
            "folder" => return Ok(Self::Folder),
            "syslog" => return Ok(Self::Syslog),
            _ => {}
        }
        let usage = |what: &str| {
            let known = "auto, none, folder, syslog, a path like /logs/{host}/access.log, or an expression with a group";
            Error::Usage(format!("host from '{text}': {what}; known are {known}"))
        };
        let expression = if text.contains("{host}") {
            let escaped = regex::escape(text);
            let body = escaped.replacen("\\{host\\}", "(?P<host>[^/]+?)", 1).replace("\\{host\\}", "[^/]+");
            let body = body.replace("\\*\\*", ".*").replace("\\*", "[^/]*");
            // A template may begin above or below where the user's path does, and end at a folder.
            let body = body.strip_prefix('/').unwrap_or(&body).trim_end_matches('/').to_owned();
            format!("(?:^|/){body}(?:/|$)")
        } else {
            text.to_owned()
        };
        let regex = Regex::new(&expression).map_err(|e| usage(&e.to_string()))?;
        if regex.captures_len() < 2 {
            return Err(usage("there is no group in it"));
        }
        Ok(Self::Path(regex))
    }
}

/// Gives each source its host. `roots` says under which folder argument each was found.
pub(super) fn assign(
    sources: &mut [Source],
    roots: &[Option<usize>],
    arguments: &[PathBuf],
    from: &HostFrom,
) {
    match from {
        HostFrom::None | HostFrom::Syslog => {}
        HostFrom::Folder => {
            for source in sources.iter_mut().filter(|s| s.kind == Kind::File) {
                let folder = source.path.parent().and_then(Path::file_name);
                source.host = folder.map(|f| shown(Path::new(f)));
            }
        }
        HostFrom::Path(regex) => {
            for source in sources.iter_mut() {
                let path = source.path.to_string_lossy();
                let found = regex.captures(&path);
                let host = found.and_then(|c| c.name("host").or_else(|| c.get(1)));
                source.host = host.map(|m| shown(Path::new(m.as_str())));
            }
        }
        HostFrom::Auto => auto(sources, roots, arguments),
    }
}

fn auto(sources: &mut [Source], roots: &[Option<usize>], arguments: &[PathBuf]) {
    let used: BTreeSet<usize> = roots.iter().flatten().copied().collect();
    let several =
        used.len() > 1 && sources.iter().zip(roots).all(|(s, r)| r.is_some() || s.kind != Kind::File);
    if several {
        // A host for each folder given, unless one is an archive or lies inside another.
        let folders: Vec<Vec<String>> = used.iter().map(|&r| parts(&arguments[r])).collect();
        let labels = labels(&folders);
        let distinct: BTreeSet<&Option<String>> = labels.iter().collect();
        if distinct.len() == labels.len() && !distinct.contains(&None) {
            let by_root: BTreeMap<usize, &Option<String>> = used.into_iter().zip(&labels).collect();
            for (source, root) in sources.iter_mut().zip(roots) {
                source.host = root.and_then(|r| by_root.get(&r).and_then(|l| (*l).clone()));
            }
            return;
        }
    }
    let files: Vec<usize> = (0..sources.len()).filter(|&i| sources[i].kind == Kind::File).collect();
    let folder = |i: &usize| parts(sources[*i].path.parent().unwrap_or(Path::new("")));
    let folders: Vec<Vec<String>> = files.iter().map(folder).collect();
    let labels = labels(&folders);
    // Which folders hold each name.
    let mut holders: BTreeMap<String, BTreeSet<&Option<String>>> = BTreeMap::new();
    for (&i, label) in files.iter().zip(&labels) {
        let name = sources[i].path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        holders.entry(split_name(&name).0).or_default().insert(label);
    }
    let shared: Vec<&BTreeSet<&Option<String>>> = holders.values().filter(|h| h.len() > 1).collect();
    // The parent holds the same names as its sub-folders: one host, with a folder for this or that.
    if shared.iter().any(|h| h.contains(&None)) {
        return;
    }
    let hosts: BTreeSet<&Option<String>> = shared.into_iter().flatten().copied().collect();
    for (&i, label) in files.iter().zip(&labels) {
        if hosts.contains(label) {
            sources[i].host.clone_from(label);
        }
    }
}

fn parts(path: &Path) -> Vec<String> {
    path.components().map(|c| shown(Path::new(c.as_os_str()))).collect()
}

/// For each folder what tells it from the others: the parts between those that all have in front and all have
/// behind, less archives, and less what every host has. `None` where nothing is left.
fn labels(folders: &[Vec<String>]) -> Vec<Option<String>> {
    let Some(first) = folders.first() else { return Vec::new() };
    let front = folders
        .iter()
        .fold(first.len(), |n, folder| n.min(first.iter().zip(folder).take_while(|(a, b)| a == b).count()));
    let mut own: Vec<Vec<&str>> =
        folders.iter().map(|f| f[front..].iter().map(String::as_str).collect()).collect();
    for parts in &mut own {
        parts.retain(|part| !is_archive_folder(part));
        while parts.last().is_some_and(|part| GENERIC.contains(part)) {
            parts.pop();
        }
    }
    // What all have behind, such as `web1/app` and `web2/app`; each keeps at least one part.
    while own.iter().all(|o| o.len() > 1 && o.last() == own[0].last()) {
        for o in &mut own {
            o.pop();
        }
    }
    own.into_iter().map(|o| (!o.is_empty()).then(|| o.join("/"))).collect()
}
