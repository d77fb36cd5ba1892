//! nginx's words about itself, read as a sequence: the same line is part of a start and of a reload.

use super::host::Said;
use crate::detect::{Mark, MarkKind};
use crate::format::record::{ErrorRecord, Level};
use memchr::memmem::find;

/// What one record says about nginx itself (`ngx_cycle.c`, `ngx_process_cycle.c`, `ngx_process.c`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Word {
    /// The version line: only a start writes it, a reload does not.
    Version,
    /// `reconfiguring`, or the signal for it.
    Reconfiguring,
    /// `start worker processes`.
    Workers,
    /// SIGTERM or SIGINT.
    Terminate,
    /// SIGQUIT.
    Quit,
    /// SIGUSR1.
    Reopen,
    /// SIGUSR2.
    Upgrade,
    /// The binary that SIGUSR2 asked for did not start, or died (`ngx_exec_new_binary`, `ngx_process_get_status`).
    NewBinaryFailed,
    /// SIGWINCH: the old workers of an upgrade finish.
    StopAccepting,
    /// A worker died of a signal.
    Crash,
    /// An address is in use.
    AddressInUse,
    /// An emergency: the configuration is refused, or nginx cannot start.
    Emergency,
}

/// What a record says about nginx itself, if it does.
pub(super) fn word(record: &ErrorRecord<'_>) -> Option<Word> {
    let m = record.message;
    let has = |needle: &str| find(m, needle.as_bytes()).is_some();
    match record.level {
        // A new binary that ends with code 0 was taken back by its operator.
        Level::Alert if has("executing new binary process") => Some(Word::NewBinaryFailed),
        Level::Alert | Level::Notice
            if m.starts_with(b"new binary process ")
                && (has(" exited on signal ") || has(" exited with code ") && !m.ends_with(b" code 0")) =>
        {
            Some(Word::NewBinaryFailed)
        }
        Level::Emerg if has("bind() to") && matches!(record.errno, Some(98 | 48)) => Some(Word::AddressInUse),
        Level::Emerg if record.connection.is_none() => Some(Word::Emergency),
        Level::Alert if has(" exited on signal ") => Some(Word::Crash),
        Level::Notice if has("(SIGHUP)") || m == b"reconfiguring" => Some(Word::Reconfiguring),
        Level::Notice if has("(SIGTERM)") || has("(SIGINT)") => Some(Word::Terminate),
        Level::Notice if has("(SIGQUIT)") => Some(Word::Quit),
        Level::Notice if has("(SIGUSR1)") => Some(Word::Reopen),
        Level::Notice if has(", changing binary") => Some(Word::Upgrade),
        Level::Notice if has(", stop accepting connections") => Some(Word::StopAccepting),
        Level::Notice if m == b"start worker processes" => Some(Word::Workers),
        Level::Notice if version(m) => Some(Word::Version),
        _ => None,
    }
}

/// `nginx/1.22.1`, `openresty/1.25`, `Tengine/3.1`, `Angie/1.8`: a name, a slash, a digit, and no blank.
fn version(m: &[u8]) -> bool {
    let m = m.split(|b| *b == b' ').next().unwrap_or(m);
    let slash = m.iter().position(|b| *b == b'/');
    slash.is_some_and(|i| {
        i > 0 && m[..i].iter().all(u8::is_ascii_alphabetic) && m.get(i + 1).is_some_and(u8::is_ascii_digit)
    })
}

/// Seconds within which the emergency or the new workers follow the signal to reload.
const SOON: i64 = 30;

/// The marks of a host's records, in order of time.
pub(super) fn marks(said: &[Said]) -> Vec<Mark> {
    let words: Vec<(i64, Word)> = said.iter().filter_map(|s| Some((s.second, s.word?))).collect();
    let mut marks: Vec<Mark> = Vec::new();
    let mut reload: Option<i64> = None;
    for &(second, word) in &words {
        let reloading = reload.is_some_and(|r| second - r <= SOON);
        let kind = match word {
            Word::Reconfiguring => {
                reload = Some(second);
                continue;
            }
            Word::Workers if reloading => {
                reload = None;
                MarkKind::Reload
            }
            // A start has the version line, at notice; workers without it are a start at some other level.
            Word::Workers => {
                let versioned =
                    marks.last().is_some_and(|m| m.kind == MarkKind::Start && second - m.second <= SOON);
                if versioned {
                    continue;
                }
                MarkKind::Start
            }
            Word::Version => MarkKind::Start,
            Word::Terminate => MarkKind::Stop,
            Word::Quit => MarkKind::GracefulStop,
            Word::Reopen => MarkKind::Reopen,
            Word::Upgrade => MarkKind::Upgrade,
            Word::StopAccepting => continue,
            Word::NewBinaryFailed => {
                // The call that failed and the process that ends with it are one event.
                let soon = |m: &&mut Mark| second - m.second <= SOON;
                let tried = |m: &Mark| matches!(m.kind, MarkKind::Upgrade | MarkKind::UpgradeFailed);
                if let Some(mark) = marks.iter_mut().rev().take_while(soon).find(|m| tried(m)) {
                    *mark = Mark { second, kind: MarkKind::UpgradeFailed };
                    continue;
                }
                MarkKind::UpgradeFailed
            }
            Word::Crash => MarkKind::WorkerCrash,
            Word::AddressInUse => MarkKind::BindFailed,
            Word::Emergency if reloading => {
                reload = None;
                MarkKind::ReloadFailed
            }
            Word::Emergency => MarkKind::StartFailed,
        };
        let mark = Mark { second, kind };
        if marks.last() != Some(&mark) {
            marks.push(mark);
        }
    }
    marks.sort_by_key(|m| m.second);
    marks
}
