//! Why nginx was not running: what refused to start, who stopped it, which upgrade failed, and restarts that only the
//! numbers of connections show.

use super::super::host::{Host, Said};
use super::super::marks::Word;
use super::super::{stalled, unwritten};
use super::{LOOKED_AT, QUOTED};
use crate::clock;
use crate::detect::{Anomaly, Kind, Mark, MarkKind, SilenceKind};
use crate::report::Cause;
use crate::time::Window;

/// Why nginx was not running, in its own words.
pub(super) fn cause(host: &Host<'_>, a: &Anomaly, window: Window) -> Option<Cause> {
    let near = |s: &&Said, before: i64, after: i64| {
        window.start - before <= s.second && s.second <= window.end + after
    };
    let quote = |s: &Said| host.evidence(s.file, &s.sample);
    // Refused while nginx was not running; what is refused while it runs stops nothing.
    let silent = |s: &&Said| {
        let silences = a.phases.iter().filter(|p| matches!(p.kind, Kind::Silence(_)));
        silences.into_iter().any(|p| p.start - 2 <= s.second && s.second <= p.end + 2)
    };
    let emergencies: Vec<&Said> =
        host.said.iter().filter(|s| s.word == Some(Word::Emergency) && silent(s)).collect();
    if let Some(first) = emergencies.first() {
        let tries = emergencies.len() as u64;
        let mut messages: Vec<String> = Vec::new();
        let mut evidence = Vec::new();
        for s in emergencies.iter().map(|s| host.reason_of(s)) {
            let message = host.message(s).unwrap_or_default();
            if messages.len() < QUOTED && !messages.contains(&message) {
                messages.push(message);
                evidence.push(quote(s));
            }
        }
        let category = match host.category(first.class) {
            "unknown" => "config.invalid",
            known => known,
        };
        return Some(Cause {
            category: category.into(),
            confidence: "certain",
            summary: format!(
                "nginx could not start ({} refused): {}",
                if tries == 1 { "1 try".to_owned() } else { format!("{} tries", clock::count(tries)) },
                messages.join("; later ")
            ),
            evidence,
        });
    }
    let word = |wanted: &[Word], before, after| {
        host.said.iter().find(|s| s.word.is_some_and(|w| wanted.contains(&w)) && near(s, before, after))
    };
    let stop = word(&[Word::Terminate, Word::Quit], 5, 0).filter(|s| s.second <= window.start + 5);
    let start = host.said.iter().find(|s| {
        // Workers are started anew by a reload as well, which stops nothing.
        let reload = Mark { second: s.second, kind: MarkKind::Reload };
        matches!(s.word, Some(Word::Version | Word::Workers | Word::AddressInUse))
            && !host.marks.contains(&reload)
            && s.second >= window.start
            && s.second <= window.end + 5
    });
    let failed = failed_upgrade(host, window.start);
    match (stop, start) {
        (Some(stop), start) if failed.is_some_and(|f| f.second <= stop.second) => {
            let failed = failed.unwrap_or(stop);
            Some(Cause {
                category: "process.stop".into(),
                confidence: "certain",
                summary: format!(
                    "a new binary did not start ({}), and the nginx that ran was stopped",
                    host.message(failed).unwrap_or_default()
                ),
                evidence: [failed, stop].into_iter().chain(start).map(quote).collect(),
            })
        }
        (Some(stop), start) => Some(Cause {
            category: "process.stop".into(),
            confidence: "certain",
            summary: "nginx was stopped".into(),
            evidence: std::iter::once(stop).chain(start).map(quote).collect(),
        }),
        (None, Some(start)) => Some(Cause {
            category: "process.down".into(),
            confidence: "certain",
            summary: "nginx started again without having said that it stops: it was killed, or its host was"
                .into(),
            evidence: vec![quote(start)],
        }),
        (None, None) if let Some(cause) = started_anew(host, window) => Some(cause),
        (None, None) if a.kind == Kind::Silence(SilenceKind::Stalled) => stalled::cause(host, a),
        (None, None) if a.kind == Kind::Silence(SilenceKind::LoggingStopped) => unwritten::cause(host, a),
        // At this level of the log nothing says that the old one was stopped.
        (None, None) if let Some(failed) = failed => Some(Cause {
            category: "process.upgrade".into(),
            confidence: "possible",
            summary: format!(
                "a new binary did not start right before ({}); no line says that the nginx that ran was stopped",
                host.message(failed).unwrap_or_default()
            ),
            evidence: vec![quote(failed)],
        }),
        (None, None) => {
            let evidence = host.lines_around(a);
            (!evidence.is_empty()).then(|| Cause {
                category: "traffic.lost".into(),
                confidence: "possible",
                summary: "requests stopped coming; no line says that nginx was down".into(),
                evidence,
            })
        }
    }
}

/// Seconds from a binary that did not start to the stop of the nginx that should have given way to it.
const UPGRADING: i64 = 300;

/// The binary that did not start before `second`, if no nginx started since.
pub(super) fn failed_upgrade<'h>(host: &'h Host<'_>, second: i64) -> Option<&'h Said> {
    let before = host.said.iter().filter(|s| second - UPGRADING <= s.second && s.second <= second + 1);
    let mut failed = None;
    for s in before {
        match s.word {
            // The call that failed says more than the process that ended with it.
            Some(Word::NewBinaryFailed) => failed = failed.or(Some(s)),
            Some(Word::Version | Word::Workers) => failed = None,
            _ => {}
        }
    }
    failed
}

/// Restarts of an nginx whose log does not tell of them: the numbers of connections (`*N`) begin again at 1, and all
/// processes are others (`ngx_connection_counter`, `ngx_cycle.c`).
fn started_anew(host: &Host<'_>, window: Window) -> Option<Cause> {
    let numbers = |s: &Said| host.record(s, |r| Some((r.connection?, r.pid))).flatten();
    let before = host.said.iter().rev().filter(|s| s.second <= window.start);
    let (old, (last, old_pid)) = before.take(LOOKED_AT).find_map(|s| Some((s, numbers(s)?)))?;
    let after = host.said.iter().filter(|s| s.second >= window.end - 5);
    let (new, (first, new_pid)) = after.take(LOOKED_AT).find_map(|s| Some((s, numbers(s)?)))?;
    (first < last / 2 && new_pid != old_pid).then(|| Cause {
        category: "process.down".into(),
        confidence: "likely",
        summary: format!(
            "nginx was started anew in between: its connections were numbered up to {last} and then from {first} on, \
             by other processes"
        ),
        evidence: [old, new].map(|s| host.evidence(s.file, &s.sample)).into(),
    })
}
