//! Where a line stands, said shortly: paths without the folder that all inputs share, which the table of inputs
//! names once. JSON and the other outputs keep whole paths.

use crate::clock::Clock;
use crate::report::{Event, Evidence, Report};
use std::collections::BTreeSet;

/// How times and places of one report are said.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    /// The zone.
    pub(crate) clock: Clock,
    /// With its slash at the end; empty where there is none.
    folder: &'a str,
    /// The error logs, to order what happened within one second.
    error_logs: BTreeSet<&'a str>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(report: &'a Report) -> Self {
        let inputs = report.inputs.iter().map(|i| folder_of(&i.path)).reduce(common);
        // Where nothing was read, what was refused has a folder too.
        let refused = || report.not_counted.iter().map(|n| folder_of(&n.path)).reduce(common);
        let folder = inputs.or_else(refused).unwrap_or_default();
        let errors = report.inputs.iter().filter(|i| i.kind == "error");
        Self {
            clock: Clock::new(report.zone),
            // To leave the root out would make an absolute path look relative.
            folder: if folder == "/" { "" } else { folder },
            error_logs: errors.map(|i| i.path.as_str()).collect(),
        }
    }

    /// The folder that is left out.
    pub(crate) fn folder(&self) -> Option<&str> {
        (!self.folder.is_empty()).then(|| self.folder.trim_end_matches('/'))
    }

    /// A path without the folder.
    pub(crate) fn short<'p>(&self, path: &'p str) -> &'p str {
        path.strip_prefix(self.folder).unwrap_or(path)
    }

    /// Paths in a list, each without the folder.
    pub(crate) fn short_list(&self, paths: &str) -> String {
        paths.split(", ").map(|p| self.short(p)).collect::<Vec<_>>().join(", ")
    }

    /// `error.log:17`.
    pub(crate) fn place(&self, e: &Evidence) -> String {
        format!("{}:{}", self.short(&e.path), e.line)
    }

    /// The order of events. A log knows no more than seconds, so within one the lines of the error log come first,
    /// in their order: nginx says that it starts before the first request is answered.
    pub(crate) fn order<'e>(&self, event: &'e Event) -> (i64, u8, &'e str, u64) {
        match &event.evidence {
            Some(e) if self.error_logs.contains(e.path.as_str()) => (event.time, 0, &e.path, e.line),
            Some(e) => (event.time, 1, &e.path, e.line),
            None => (event.time, 2, "", 0),
        }
    }
}

fn folder_of(path: &str) -> &str {
    path.rfind('/').map_or("", |slash| &path[..=slash])
}

/// The folder of both; each ends with a slash.
fn common<'a>(a: &'a str, b: &'a str) -> &'a str {
    let same = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    a.as_bytes()[..same].iter().rposition(|b| *b == b'/').map_or("", |slash| &a[..=slash])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Input;

    fn folder(paths: &[&str]) -> Option<String> {
        let inputs = paths.iter().map(|p| Input { path: (*p).into(), ..Input::default() }).collect();
        let report = Report { inputs, ..Report::default() };
        Places::new(&report).folder().map(str::to_owned)
    }

    #[test]
    fn the_folder_is_what_all_inputs_share() {
        for (paths, want) in [
            (&["logs/web1/access.log", "logs/web1/error.log"][..], Some("logs/web1")),
            (&["logs/web1/access.log", "logs/web2/access.log"], Some("logs")),
            (&["logs/web1/access.log", "logs/web10/access.log"], Some("logs")),
            (&["/var/log/nginx/access.log"], Some("/var/log/nginx")),
            (&["access.log", "old/access.log"], None),
            (&["/a.log", "/var/b.log"], None),
            (&["größe/a", "größer/a"], None),
            (&[], None),
        ] {
            assert_eq!(folder(paths).as_deref(), want, "{paths:?}");
        }
    }
}
