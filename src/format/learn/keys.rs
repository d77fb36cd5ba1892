//! Formats learned from names in the lines: JSON keys and labels. A name proposes, the values dispose.

use super::values;
use crate::format::access::AccessFormat;
use crate::format::access::shape::{Item, is_time_local};
use crate::format::access::store::any_time;
use crate::format::builtin;
use crate::format::directive::{self, Escape, Field, by_key};
use crate::format::json::{self, JsonKeys, Key, Slot};
use crate::format::labelled::{self, Labels, Style};

/// Values kept of a key; enough to see its shape.
const VALUES: usize = 200;
/// Keys kept; a log with data for keys has no end of them.
const KEYS: usize = 400;

type Seen<'a> = Vec<(Vec<u8>, Vec<&'a [u8]>)>;

/// The format of the JSON, LTSV or labelled lines among `lines`, if these are access lines.
pub(super) fn learn(lines: &[&[u8]]) -> Option<AccessFormat> {
    let json = lines.iter().filter(|l| l.starts_with(b"{")).count();
    let tabs = lines.iter().filter(|l| memchr::memchr_iter(b'\t', l).take(3).count() == 3).count();
    let mut seen = Seen::new();
    if json > 0 && json >= tabs {
        for line in lines {
            let mut order = 0;
            let _ = json::walk(line, |path, value, _| {
                note(&mut seen, &mut order, path, value);
                Ok(())
            });
        }
        let fields = assign(&seen)?;
        let text = json_text(&fields);
        let keys =
            fields.iter().map(|(path, f)| Key { path: path.clone(), slot: Slot::One(f.clone()) }).collect();
        let paths: Vec<Vec<u8>> = seen.into_iter().map(|(p, _)| p).collect();
        let keys = JsonKeys::new(keys, &paths);
        let escape = Escape::Json;
        return Some(AccessFormat::of_json(name_of(&fields, "json"), escape, keys, text));
    }
    let style = if tabs > 0 { Style::Tabs } else { Style::Equals };
    let mut complete = 0;
    for line in lines {
        let mut order = 0;
        let before = seen.len();
        let mut pairs = 0;
        let whole = labelled::walk(style, line, |label, value, _| {
            pairs += 1;
            note(&mut seen, &mut order, label, value);
            Ok(())
        });
        if whole == Ok(true) && pairs >= 3 {
            complete += 1;
        } else if complete == 0 {
            seen.truncate(before);
        }
    }
    if complete == 0 || 2 * complete < lines.len() && complete < 5 {
        return None;
    }
    let fields = assign(&seen)?;
    let (between, equals) = if style == Style::Tabs { ("\t", ":") } else { (", ", "=") };
    let quote = if style == Style::Tabs { "" } else { "\"" };
    let text: Vec<String> = fields
        .iter()
        .map(|(label, f)| {
            format!("{}{equals}{quote}${}{quote}", String::from_utf8_lossy(label), f.variable())
        })
        .collect();
    let text = text.join(between);
    let labels = Labels::from_pieces(&directive::read(&text).ok()?.pieces, Escape::Default)?;
    let name = name_of(&fields, if style == Style::Tabs { "ltsv" } else { "labelled" });
    Some(AccessFormat::of_labels(name, Escape::Default, labels, text)).filter(AccessFormat::is_usable)
}

fn note<'a>(seen: &mut Seen<'a>, order: &mut usize, path: &[u8], value: &'a [u8]) {
    let same = seen.get(*order).is_some_and(|(p, _)| p == path);
    let at = if same { Some(*order) } else { seen.iter().position(|(p, _)| p == path) };
    let at = at.unwrap_or_else(|| {
        if seen.len() < KEYS {
            seen.push((path.to_vec(), Vec::new()));
        }
        seen.len() - 1
    });
    if seen[at].0 == path && seen[at].1.len() < VALUES {
        seen[at].1.push(value);
    }
    *order = at + 1;
}

/// A field for each key that has one, in the order of the keys; `None` unless there are a time, and a status or a
/// request.
fn assign(seen: &Seen) -> Option<Vec<(Vec<u8>, Field)>> {
    let mut out: Vec<(Vec<u8>, Field)> = Vec::new();
    for (path, values) in seen {
        if let Some(field) =
            by_key(path).filter(|_| can_be_written(path)).and_then(|f| confirm(f, path, values))
        {
            out.push((path.clone(), field));
        }
    }
    // LTSV's `host` is the client (ltsv.org), everywhere else the name asked for.
    let has = |out: &[(Vec<u8>, Field)], f: &Field| out.iter().any(|(_, g)| g == f);
    if !has(&out, &Field::RemoteAddr)
        && let Some(at) = out.iter().position(|(_, f)| *f == Field::Host)
    {
        let values = seen.iter().find(|(p, _)| *p == out[at].0).map_or(&[][..], |(_, v)| v);
        if share(values, |v| values::is_address(v) || v.starts_with(b"unix:")) > 0.9 {
            out[at].1 = Field::RemoteAddr;
        }
    }
    let request =
        has(&out, &Field::Request) || has(&out, &Field::RequestMethod) && has(&out, &Field::RequestUri);
    let usable = out.iter().any(|(_, f)| f.is_time()) && (has(&out, &Field::Status) || request);
    usable.then_some(out)
}

/// Whether a key can stand in the text of a `log_format`, which is shown to the user and must read the same.
fn can_be_written(path: &[u8]) -> bool {
    std::str::from_utf8(path).is_ok_and(|p| !p.contains(|c: char| c.is_control() || "\"$\\".contains(c)))
}

/// The share of the given values (neither empty nor `-`) that fit; 1 where none is given.
fn share(values: &[&[u8]], fits: impl Fn(&[u8]) -> bool) -> f64 {
    let given: Vec<&&[u8]> = values.iter().filter(|v| !v.is_empty() && **v != b"-").collect();
    if given.is_empty() { 1.0 } else { given.iter().filter(|v| fits(v)).count() as f64 / given.len() as f64 }
}

/// What the values let stand of the field that the name proposes.
fn confirm(field: Field, path: &[u8], values: &[&[u8]]) -> Option<Field> {
    let some = values.iter().any(|v| !v.is_empty() && *v != b"-");
    let mostly = |fits: fn(&[u8]) -> bool| share(values, fits) > 0.8;
    let number = |v: &[u8]| v.iter().all(|b| b.is_ascii_digit() || b".,-: ".contains(b));
    let seconds = |v: &[u8]| {
        let bare = values::without_unit(v);
        values::is_seconds(bare) || bare == b"-"
    };
    let stamp = |v: &[u8]| any_time(v).is_some();
    match field {
        Field::Time | Field::RequestTime | Field::RequestTimeMs if some && mostly(stamp) => {
            Some(if mostly(is_time_local) {
                Field::TimeLocal
            } else if mostly(|v| crate::time::parse_iso8601(v).is_some_and(|(_, n)| n == v.len())) {
                Field::TimeIso8601
            } else if mostly(|v| crate::time::parse_msec(v).is_some()) {
                Field::Msec
            } else {
                Field::Time
            })
        }
        Field::Time => None,
        Field::Status => (some && mostly(|v| v.len() <= 3 && values::is_number(v))).then_some(Field::Status),
        Field::RequestTime => {
            let integers = share(values, |v| values::is_number(v) || v == b"0") == 1.0;
            // nginx writes three decimals always; whole numbers come from a map or from Lua, in milliseconds.
            let ms = some && integers && values.iter().any(|v| v.len() > 1 || *v > b"0".as_slice());
            (mostly(number) || mostly(seconds)).then_some(if ms {
                Field::RequestTimeMs
            } else {
                Field::RequestTime
            })
        }
        Field::RequestTimeMs
        | Field::UpstreamStatus
        | Field::BytesSent
        | Field::Connection
        | Field::UpstreamResponseTime
        | Field::UpstreamConnectTime
        | Field::UpstreamHeaderTime => mostly(number).then_some(field),
        Field::Request if some && mostly(|v| v.starts_with(b"/")) => Some(Field::RequestUri),
        Field::Request => (!some || share(values, values::is_request) > 0.3).then_some(field),
        Field::RequestMethod => {
            mostly(|v| v.iter().all(|b| b.is_ascii_uppercase() || b"-_".contains(b))).then_some(field)
        }
        Field::RemoteAddr if mostly(|v| values::is_address(v) || v.starts_with(b"unix:")) => Some(field),
        Field::RemoteAddr if mostly(values::is_address_list) => Some(Field::ForwardedFor),
        Field::RemoteAddr => (path != b"client" && mostly(values::is_host)).then_some(field),
        Field::UpstreamAddr => (!some || !mostly(values::is_number) && !mostly(seconds)).then_some(field),
        Field::UserAgent if some && mostly(|v| values::is_list(v, Item::Address)) => {
            Some(Field::UpstreamAddr)
        }
        _ => Some(field),
    }
}

fn json_text(fields: &[(Vec<u8>, Field)]) -> String {
    let pairs: Vec<String> = fields
        .iter()
        .map(|(path, f)| format!("\"{}\":\"${}\"", String::from_utf8_lossy(path), f.variable()))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

/// The name of the known format with the same keys, or `kind`.
fn name_of<'n>(fields: &[(Vec<u8>, Field)], kind: &'n str) -> &'n str {
    let same = |format: &AccessFormat| {
        let Some(keys) = format.json_keys() else { return false };
        let paths: Vec<&Vec<u8>> = keys.keys.0.iter().map(|k| &k.path).collect();
        let found = fields.iter().filter(|(p, _)| paths.contains(&p)).count();
        found == fields.len() && found * 4 >= paths.len() * 3
    };
    builtin::all().iter().find(|f| same(f)).map_or(kind, AccessFormat::name)
}
