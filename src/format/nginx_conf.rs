//! What an nginx configuration says about logs: `log_format`, `access_log`, `error_log`, over all includes.
//!
//! It does not check a configuration; what it does not know it reads over. It never asks the network or runs nginx.

mod include;
mod lexer;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use include::Sources;
use lexer::Directive;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The predefined format (`ngx_http_log_module.c`).
const COMBINED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;
/// Includes of includes end here.
const DEEPEST_INCLUDE: usize = 32;
/// Files of one configuration: more is a glob that went astray.
const MOST_FILES: usize = 10_000;

/// A `log_format`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFormat {
    /// Its name.
    pub name: String,
    /// `escape=`: `default`, `json` or `none`.
    pub escape: Option<String>,
    /// Its text, the pieces joined.
    pub text: String,
    /// Whether it is a format of a `stream` block.
    pub stream: bool,
}

/// An `access_log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLog {
    /// The path as written, variables kept; `off` where logging is off, `syslog:...` where it goes elsewhere.
    pub path: String,
    /// The name of its format.
    pub format: String,
    /// What else stands there: `buffer=`, `gzip`, `flush=`, `if=`.
    pub options: Vec<String>,
    /// The names of the `server` block around it.
    pub server_names: Vec<String>,
}

impl AccessLog {
    /// Whether this turns logging off.
    pub fn is_off(&self) -> bool {
        self.path == "off"
    }
}

/// An `error_log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorLog {
    /// The path as written.
    pub path: String,
    /// The level; nginx's default is `error`.
    pub level: String,
    /// The names of the `server` block around it.
    pub server_names: Vec<String>,
}

/// What a configuration says about logs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conf {
    /// The formats, `combined` first.
    pub log_formats: Vec<LogFormat>,
    /// The access logs, in the order of the configuration.
    pub access_logs: Vec<AccessLog>,
    /// The error logs, in the order of the configuration.
    pub error_logs: Vec<ErrorLog>,
    /// The files that were read.
    pub files: Vec<PathBuf>,
    /// What could not be followed: missing includes, cycles.
    pub notes: Vec<String>,
}

impl Conf {
    fn new() -> Self {
        let combined =
            LogFormat { name: "combined".into(), escape: None, text: COMBINED.into(), stream: false };
        Self { log_formats: vec![combined], ..Self::default() }
    }

    /// The format of that name; one of an `http` block before one of a `stream` block.
    pub fn log_format(&self, name: &str) -> Option<&LogFormat> {
        let mut named = self.log_formats.iter().filter(|f| f.name == name);
        let first = named.next()?;
        if first.stream { Some(named.find(|f| !f.stream).unwrap_or(first)) } else { Some(first) }
    }
}

/// Reads a configuration file and what it includes. Relative includes start at the folder of `path`, as nginx does
/// for its main file.
pub fn read(path: &Path) -> Result<Conf> {
    let text = std::fs::read(path).map_err(Error::io(path))?;
    // A saved `nginx -T` is a configuration too.
    if text.starts_with(include::DUMP_HEADER)
        || memchr::memmem::find(&text, b"\n# configuration file /").is_some()
    {
        return read_dump(&text);
    }
    let prefix = path.parent().unwrap_or(Path::new("")).to_path_buf();
    walk(&text, path, &Sources::Disk { prefix })
}

/// Reads the output of `nginx -T`: every file behind a `# configuration file PATH:` line.
pub fn read_dump(dump: &[u8]) -> Result<Conf> {
    let files = include::split_dump(dump);
    let Some((main, text)) = files.first().cloned() else {
        return walk(
            dump,
            Path::new("nginx.conf"),
            &Sources::Dump { prefix: PathBuf::new(), files: BTreeMap::new() },
        );
    };
    let prefix = main.parent().unwrap_or(Path::new("")).to_path_buf();
    walk(text, &main, &Sources::Dump { prefix, files: files.into_iter().collect() })
}

/// Where a directive stands.
#[derive(Debug, Clone, Default)]
struct Place {
    server_names: Vec<String>,
    stream: bool,
}

struct Walk<'a, 'b> {
    sources: &'a Sources<'b>,
    conf: Conf,
    open: Vec<PathBuf>,
}

fn walk(text: &[u8], path: &Path, sources: &Sources<'_>) -> Result<Conf> {
    let mut walk = Walk { sources, conf: Conf::new(), open: Vec::new() };
    walk.file(text, path, &Place::default())?;
    Ok(walk.conf)
}

impl Walk<'_, '_> {
    fn file(&mut self, text: &[u8], path: &Path, place: &Place) -> Result<()> {
        self.conf.files.push(path.to_path_buf());
        let directives = lexer::read(text, path)?;
        self.open.push(path.to_path_buf());
        let done = self.block(&directives, path, place);
        self.open.pop();
        done
    }

    fn block(&mut self, directives: &[Directive], path: &Path, place: &Place) -> Result<()> {
        for d in directives {
            let arguments = d.words.get(1..).unwrap_or_default();
            match (d.name(), &d.block) {
                ("include", None) => self.include(arguments, path, d.line, place)?,
                ("log_format", None) => self.log_format(arguments, path, d.line, place)?,
                ("access_log", None) => self.access_log(arguments, place),
                ("error_log", None) => self.error_log(arguments, place),
                ("stream", Some(block)) => {
                    self.block(block, path, &Place { stream: true, ..place.clone() })?;
                }
                ("server", Some(block)) => {
                    let server_names = server_names(block);
                    self.block(block, path, &Place { server_names, ..place.clone() })?;
                }
                // A map's or a types block's lines are values, not directives.
                ("map" | "types" | "geo" | "split_clients" | "charset_map", Some(_)) => {}
                (_, Some(block)) => self.block(block, path, place)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn include(&mut self, arguments: &[String], path: &Path, line: usize, place: &Place) -> Result<()> {
        let Some(pattern) = arguments.first() else { return Ok(()) };
        let here = format!("{}:{line}", path.display());
        let found = self.sources.find(pattern);
        if found.is_empty() && !include::is_glob(pattern) {
            self.conf
                .notes
                .push(format!("{here}: include {pattern}: no such file; what it says is not known"));
        }
        for file in found {
            if self.open.contains(&file) {
                self.conf
                    .notes
                    .push(format!("{here}: include {pattern}: {} includes itself", file.display()));
            } else if self.open.len() >= DEEPEST_INCLUDE || self.conf.files.len() >= MOST_FILES {
                self.conf.notes.push(format!("{here}: include {pattern}: too many includes, not read"));
                return Ok(());
            } else {
                match self.sources.text(&file) {
                    Ok(text) => self.file(&text, &file, place)?,
                    Err(e) => self.conf.notes.push(format!("{here}: include {}: {e}", file.display())),
                }
            }
        }
        Ok(())
    }

    fn log_format(&mut self, arguments: &[String], path: &Path, line: usize, place: &Place) -> Result<()> {
        let what = "log_format needs a name and a text: log_format NAME '$remote_addr ...';";
        let error = || Error::Config { path: path.to_path_buf(), line, what: what.into() };
        let (name, rest) = arguments.split_first().ok_or_else(error)?;
        let escape = rest.first().and_then(|w| w.strip_prefix("escape=")).map(String::from);
        let text = super::directive::join(&rest[usize::from(escape.is_some())..]);
        if text.is_empty() {
            return Err(error());
        }
        self.conf.log_formats.push(LogFormat { name: name.clone(), escape, text, stream: place.stream });
        Ok(())
    }

    fn access_log(&mut self, arguments: &[String], place: &Place) {
        let Some((path, rest)) = arguments.split_first() else { return };
        // The format comes right behind the path; an option there means `combined`.
        let named = rest.first().filter(|w| !is_option(w));
        self.conf.access_logs.push(AccessLog {
            path: path.clone(),
            format: named.map_or_else(|| "combined".into(), Clone::clone),
            options: rest[usize::from(named.is_some())..].to_vec(),
            server_names: place.server_names.clone(),
        });
    }

    fn error_log(&mut self, arguments: &[String], place: &Place) {
        let Some((path, rest)) = arguments.split_first() else { return };
        self.conf.error_logs.push(ErrorLog {
            path: path.clone(),
            level: rest.first().map_or_else(|| "error".into(), Clone::clone),
            server_names: place.server_names.clone(),
        });
    }
}

fn is_option(word: &str) -> bool {
    word == "gzip" || ["buffer=", "gzip=", "flush=", "if="].iter().any(|o| word.starts_with(o))
}

fn server_names(block: &[Directive]) -> Vec<String> {
    let named = block.iter().filter(|d| d.name() == "server_name");
    named.flat_map(|d| d.words.iter().skip(1).cloned()).collect()
}
