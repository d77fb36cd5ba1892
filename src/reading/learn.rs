//! What a file is: its framing, its formats, and whether it is an nginx log at all.

use crate::error::Result;
use crate::format::framing::{self, Framing, Joiner};
use crate::format::{AccessFormat, Exclude, Field, Learned, LogKind, errorlog, learn, learn_beside};
use crate::input::source::{Kind, Sample, Source, sample};
use crate::scan::{Plan, last_peer};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Bytes of a file that are looked at to learn what it is: a few hundred lines spread over it.
const SAMPLE_BYTES: usize = 96 << 10;

/// Access formats that are tried in a pipe that begins with an error log; nothing can be learnt of what follows.
const USUAL: [&str; 2] = ["combined", "main"];

/// What kind of log a file is. A container's stream that holds both is an access log with error records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Role {
    /// Requests.
    Access,
    /// nginx's messages.
    Error,
}

impl Role {
    /// The word in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Error => "error",
        }
    }
}

/// A file and how it is read.
#[derive(Debug)]
pub struct Reading {
    /// The file.
    pub source: Arc<Source>,
    /// What it is.
    pub role: Role,
    /// How its lines are read.
    pub plan: Plan,
    /// How sure that is, 0 to 1.
    pub confidence: f64,
    /// The same in words.
    pub reason: Arc<str>,
    /// One payload line, for `formats`.
    pub example: Box<[u8]>,
    /// Virtual hosts that the lines looked at name.
    pub vhosts: BTreeSet<String>,
    /// Upstream peers that the lines looked at name.
    pub peers: BTreeSet<String>,
}

impl Reading {
    /// The name of the format.
    pub fn format_name(&self) -> String {
        let names: Vec<&str> = self.plan.formats.iter().map(AccessFormat::name).collect();
        match (self.role, names.as_slice()) {
            (Role::Error, _) => "nginx error log".into(),
            (Role::Access, [one]) => (*one).to_owned(),
            (Role::Access, many) => many.join(", "),
        }
    }
}

/// A file that is no nginx log, or an empty one.
#[derive(Debug)]
pub struct Refused {
    /// The file.
    pub source: Arc<Source>,
    /// What it is, and what to do.
    pub why: String,
    /// There is nothing in it.
    pub empty: bool,
}

/// What is known before a file is looked at.
#[derive(Debug, Default)]
pub struct Hints {
    /// Formats given by the user or by nginx's configuration; tried first.
    pub formats: Vec<AccessFormat>,
    /// What shall not count.
    pub exclude: Option<Arc<Exclude>>,
}

/// What was learnt of a file, for others like it.
#[derive(Debug)]
pub(super) struct Model {
    framing: Framing,
    learned: Learned,
    /// How it is read.
    plan: Option<Plan>,
}

/// A file looked at: how it is read, or why it is not. In a box: there may be a hundred thousand, and lists of them are
/// moved from stage to stage.
pub type Looked = Result<std::result::Result<Box<Reading>, Refused>>;

/// Looks at a file.
pub fn look(source: Arc<Source>, hints: &Hints) -> Looked {
    look_beside(source, hints, None).0
}

/// Looks at a file that may be like another; also gives what was learnt of it.
pub(super) fn look_beside(
    source: Arc<Source>,
    hints: &Hints,
    model: Option<&Model>,
) -> (Looked, Option<Model>) {
    let sample = match sample(&source, SAMPLE_BYTES) {
        Ok(sample) => sample,
        Err(e) => return (Err(e), None),
    };
    let raw: Vec<&[u8]> = (0..sample.lines.len()).map(|i| sample.line(i)).collect();
    if raw.is_empty() {
        return (Ok(Err(Refused { source, why: "empty".into(), empty: true })), None);
    }
    // Lines that are read as they stand have no frame.
    let plain = model.filter(|m| m.framing == Framing::None);
    if let Some(learned) = plain.and_then(|m| learn_beside(&raw, &hints.formats, &m.learned)) {
        return modelled(source, hints, &raw, (Framing::None, learned), model);
    }
    let (framing, _) = framing::detect(&raw);
    let payloads = unwrap_all(framing, &sample);
    let lines: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    let known = model.and_then(|m| learn_beside(&lines, &hints.formats, &m.learned));
    let learned = known.unwrap_or_else(|| learn(&lines, &hints.formats));
    modelled(source, hints, &lines, (framing, learned), model)
}

/// A file of these lines, and what was learnt of it.
fn modelled(
    source: Arc<Source>,
    hints: &Hints,
    lines: &[&[u8]],
    (framing, learned): (Framing, Learned),
    beside: Option<&Model>,
) -> (Looked, Option<Model>) {
    let reading = told(source, hints, lines, (framing, &learned), beside);
    let plan = reading.as_ref().ok().map(|reading| {
        let Plan { formats, framing, .. } = &reading.plan;
        Plan::like(Some(&reading.plan), formats.clone(), *framing)
    });
    (Ok(reading), Some(Model { framing, learned, plan }))
}

/// How a file of these lines is read, by what was learnt of them.
fn told(
    source: Arc<Source>,
    hints: &Hints,
    lines: &[&[u8]],
    (framing, learned): (Framing, &Learned),
    beside: Option<&Model>,
) -> std::result::Result<Box<Reading>, Refused> {
    // A few damaged records of an error log look alike and would be learnt as a format of their own, and then be
    // counted as requests. What is mostly records holds an access log only when that is read well.
    let records = lines.iter().filter(|l| errorlog::is_record_start(l)).count();
    let well = learned.confidence >= 0.5 && learned.formats.iter().any(|f| f.has(&Field::Status));
    let damaged = records * 2 > lines.len() && !well;
    let role = match &learned.kind {
        LogKind::Access if damaged => Role::Error,
        LogKind::Access => Role::Access,
        LogKind::Error => Role::Error,
        LogKind::Foreign(f) => {
            let why = format!("{}: {}", f.name, f.advice);
            return Err(Refused { source, why, empty: false });
        }
        LogKind::Unknown(why) => return Err(Refused { source, why: why.clone(), empty: false }),
        LogKind::Empty => return Err(Refused { source, why: "empty".into(), empty: true }),
    };
    // Only the beginning of a pipe can be looked at: what comes behind it may be the other kind of log
    // (`cat access.log error.log | downtime -`). What stands in frames is a stream to which both can be written.
    let both = source.kind != Kind::File || framing != Framing::None;
    let fits = |l: &[u8]| match role {
        Role::Error => errorlog::is_record_start(l),
        Role::Access => learned.formats.first().is_none_or(|f| f.parse(l).is_ok()),
    };
    let example = lines.iter().find(|l| fits(l));
    let example = example.map_or_else(Box::default, |l| Box::from(*l));
    let formats = match role {
        Role::Access => learned.formats.clone(),
        Role::Error if both => {
            let usual = USUAL.iter().filter_map(|name| AccessFormat::by_name(name));
            hints.formats.iter().cloned().chain(usual).collect()
        }
        Role::Error => Vec::new(),
    };
    let (mut vhosts, mut peers) = (BTreeSet::new(), BTreeSet::new());
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    let names = [Field::Host, Field::ServerName, Field::UpstreamAddr];
    let named = formats.iter().any(|f| names.iter().any(|name| f.has(name)));
    let looked_at = if named { lines } else { &[] };
    for record in looked_at.iter().filter_map(|l| formats.iter().find_map(|f| f.parse(l).ok())) {
        vhosts.extend(record.vhost.map(text));
        peers.extend(record.upstream_addr.and_then(last_peer).map(text));
    }
    let reason: Arc<str> = if damaged {
        format!("{records} of {} lines are records of nginx's error log", lines.len()).into()
    } else {
        // Of files read alike it is the same text.
        let same = beside.map(|m| &m.learned.reason).filter(|reason| **reason == learned.reason);
        Arc::clone(same.unwrap_or(&learned.reason))
    };
    let beside = beside.and_then(|m| m.plan.as_ref());
    Ok(Box::new(Reading {
        role,
        plan: Plan::like(beside, formats, framing).without(hints.exclude.as_ref()),
        confidence: if damaged { records as f64 / lines.len() as f64 } else { learned.confidence },
        reason,
        example,
        vhosts,
        peers,
        source,
    }))
}

fn unwrap_all(framing: Framing, sample: &Sample) -> Vec<Vec<u8>> {
    let mut joiner = Joiner::default();
    let mut room = Vec::new();
    let mut out = Vec::new();
    for i in 0..sample.lines.len() {
        let line = sample.line(i);
        match framing.unwrap(line, &mut room) {
            Some(part) => out.extend(joiner.push(&part).map(|(payload, _)| payload.to_vec())),
            None => out.push(line.to_vec()),
        }
    }
    out
}

/// The fields of one line of a file, as they were read.
pub fn sample_fields(reading: &Reading) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    let mut push = |name: &str, value: Option<String>| out.extend(value.map(|v| (name.to_owned(), v)));
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    if reading.role == Role::Error {
        let Some(r) = crate::catalogue::read_line(&reading.example) else { return out };
        push("level", Some(r.level.name().to_owned()));
        push("pid", Some(r.pid.to_string()));
        push("connection", r.connection.map(|n| n.to_string()));
        push("message", Some(text(r.message)));
        push("errno", r.errno.map(|n| n.to_string()));
        for (name, value) in [
            ("action", r.action),
            ("client", r.client),
            ("server", r.server),
            ("request", r.request),
            ("upstream", r.upstream),
            ("host", r.host),
        ] {
            push(name, value.map(text));
        }
        return out;
    }
    let Some(r) = reading.plan.formats.iter().find_map(|f| f.parse(&reading.example).ok()) else {
        return out;
    };
    push("time", r.time.map(|t| crate::time::rfc3339(t.millis, t.offset.unwrap_or(0))));
    push("status", r.status.map(|s| format!("{s:03}")));
    for (name, value) in [
        ("client", r.client),
        ("request", r.request),
        ("method", r.method),
        ("uri", r.uri),
        ("vhost", r.vhost),
        ("upstream_addr", r.upstream_addr),
        ("upstream_status", r.upstream_status),
        ("upstream_response_time", r.upstream_response_time),
        ("user_agent", r.user_agent),
        ("forwarded", r.forwarded),
    ] {
        push(name, value.map(text));
    }
    push("request_time", r.request_time.map(|ms| format!("{}.{:03}", ms / 1000, ms % 1000)));
    push("bytes_sent", r.bytes_sent.map(|n| n.to_string()));
    push("connection", r.connection.map(|n| n.to_string()));
    out
}
