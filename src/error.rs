//! What can go wrong, with the place and the remedy.
//!
//! Damaged *lines* are not errors: they are counted and reported (`not_counted`). An [`Error`] stops one file or
//! the whole run, and always names the place.

use std::path::PathBuf;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done. Each message says where and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, read or mapped.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A compressed file is damaged or cut.
    #[error("{path}: damaged: {what}; what came before was read")]
    Damaged {
        /// The file, as it is shown.
        path: String,
        /// What the decoder said, and where.
        what: String,
    },
    /// A `log_format` text that cannot be understood.
    #[error("log_format, column {column}: {what}")]
    Directive {
        /// What is wrong and what would be right.
        what: String,
        /// 1-based column in the text.
        column: usize,
    },
    /// An nginx configuration file that cannot be understood.
    #[error("{}:{line}: {what}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// 1-based line.
        line: usize,
        /// What is wrong and what would be right.
        what: String,
    },
    /// A pattern file of the catalogue that breaks a rule.
    #[error("{file}: {what}")]
    Pattern {
        /// The pattern file, with the line where it is known.
        file: String,
        /// What is wrong and what would be right.
        what: String,
    },
    /// A value given by the user that cannot be used.
    #[error("{0}")]
    Usage(String),
}

impl Error {
    /// An [`Error::Io`] about `path`; for `map_err`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
