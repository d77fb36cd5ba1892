//! How requests ended: the classes that the counts of a second are kept by.

/// How requests ended, as classes of `$status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// 2xx.
    Ok = 0,
    /// 3xx.
    Redirect = 1,
    /// 4xx but for the two classes below.
    ClientError = 2,
    /// What is asked for is not there, or the request is refused whoever it is from: 404 and 410, 401 and 403, and 400,
    /// 405, 421, 429, 431, 444 (nginx closes the connection without an answer) and 451, which a change of configuration gives to everybody as well.
    Missing = 3,
    /// 499: the client went away first.
    Aborted = 4,
    /// 5xx, and 009: what an upstream sent was no HTTP, and went to the client as it was
    /// (`ngx_http_upstream_process_header`, `NGX_HTTP_VERSION_9`).
    ServerError = 5,
    /// 1xx: upgraded connections.
    Info = 6,
    /// 000, 6xx and more: no status, or none that HTTP knows.
    Odd = 7,
}

/// Number of classes.
pub const CLASSES: usize = 8;

impl Class {
    /// The class of a status.
    pub const fn of(status: u16) -> Self {
        match status {
            200..=299 => Self::Ok,
            300..=399 => Self::Redirect,
            400 | 401 | 403..=405 | 410 | 421 | 429 | 431 | 444 | 451 => Self::Missing,
            499 => Self::Aborted,
            400..=498 => Self::ClientError,
            9 | 500..=599 => Self::ServerError,
            100..=199 => Self::Info,
            _ => Self::Odd,
        }
    }
}

/// Counts of one second by [`Class`].
pub type Counts = [u32; CLASSES];
