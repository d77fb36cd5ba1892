//! Where a line stands, said shortly: paths without the folder that all inputs share, which the table of inputs
//! names once. JSON and the other outputs keep whole paths.

use crate::clock::Clock;
use crate::report::{Evidence, Report};

/// How times and places of one report are said.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    /// The zone.
    pub(crate) clock: Clock,
    /// With its slash at the end; empty where there is none.
    folder: &'a str,
}

impl<'a> Places<'a> {
    pub(crate) fn new(report: &'a Report) -> Self {
        let inputs = report.inputs.iter().map(|i| folder_of(&i.path)).reduce(common);
        // Where nothing was read, what was refused has a folder too.
        let refused = || report.not_counted.iter().map(|n| folder_of(&n.path)).reduce(common);
        let folder = inputs.or_else(refused).unwrap_or_default();
        Self {
            clock: Clock::new(report.zone),
            // To leave the root out would make an absolute path look relative.
            folder: if folder == "/" { "" } else { folder },
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
