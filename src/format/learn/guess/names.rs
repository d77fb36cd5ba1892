//! Names for columns of values that have none: by label, by shape over all lines, by place.

use crate::format::access::shape::{Item, Shape};
use crate::format::access::store::any_time;
use crate::format::directive::{Field, by_key};
use crate::format::learn::values::{self, is_address, is_list, is_number, is_request, is_seconds, is_status};
use std::collections::HashSet;

/// Addresses with more ports than this are clients, and not the peers of an upstream.
const PORTS: usize = 32;

/// The colon of `host:port`.
pub(super) fn host_port(b: &[u8]) -> Option<usize> {
    let colon = b.iter().rposition(|c| *c == b':')?;
    (values::is_dotted_host(&b[..colon]) && is_number(&b[colon + 1..])).then_some(colon)
}

/// Gives names to columns of values.
pub(super) struct Names<'a> {
    between: &'a [&'a [u8]],
    columns: &'a [Vec<&'a [u8]>],
    fields: Vec<Option<Field>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(between: &'a [&'a [u8]], columns: &'a [Vec<&'a [u8]>]) -> Self {
        Self { between, columns, fields: vec![None; columns.len()] }
    }

    /// Certain things first. `None` unless there are a time, and a request or a status beside a client.
    pub(super) fn give(mut self) -> Option<Vec<Option<Field>>> {
        let n = self.columns.len();
        let time = (0..n).find(|&i| self.all(i, |v| any_time(v).is_some()))?;
        self.fields[time] = Some(self.time_kind(time));
        for i in (0..n).filter(|&i| i != time) {
            if self.fields[i].is_none() && self.all(i, |v| v.len() > 9 && any_time(v).is_some()) {
                self.fields[i] = Some(self.time_kind(i));
            }
        }
        let request = (0..n)
            .filter(|&i| self.free(i))
            .max_by_key(|&i| (self.count(i, is_request), std::cmp::Reverse(i)));
        let request = request.filter(|&i| 3 * self.count(i, is_request) >= self.columns[i].len());
        if let Some(i) = request {
            self.fields[i] = Some(Field::Request);
        }
        self.by_labels();
        self.status_and_bytes(request);
        self.client_and_host(time);
        self.upstream();
        self.quoted(request);
        self.seconds();
        self.small(request);
        let has = |f: &Field| self.fields.iter().flatten().any(|g| g == f);
        let client = has(&Field::RemoteAddr) || has(&Field::RequestMethod) || has(&Field::Protocol);
        (has(&Field::Request) || has(&Field::Status) && client).then_some(self.fields)
    }

    fn free(&self, i: usize) -> bool {
        self.fields[i].is_none()
    }

    fn has(&self, field: &Field) -> bool {
        self.fields.iter().flatten().any(|f| f == field)
    }

    fn count(&self, i: usize, fits: impl Fn(&[u8]) -> bool) -> usize {
        self.columns[i].iter().filter(|v| fits(v)).count()
    }

    fn all(&self, i: usize, fits: impl Fn(&[u8]) -> bool) -> bool {
        self.columns[i].iter().all(|v| fits(v))
    }

    /// All given values fit, and there is one.
    fn given(&self, i: usize, fits: impl Fn(&[u8]) -> bool) -> bool {
        let is_given = |v: &[u8]| !v.is_empty() && v != b"-";
        self.columns[i].iter().any(|v| is_given(v)) && self.all(i, |v| !is_given(v) || fits(v))
    }

    fn is_quoted(&self, i: usize) -> bool {
        self.between[i].ends_with(b"\"") && self.between[i + 1].starts_with(b"\"")
    }

    fn set(&mut self, i: usize, field: Field) {
        self.fields[i] = Some(field);
    }

    fn time_kind(&self, i: usize) -> Field {
        if self.all(i, crate::format::access::shape::is_time_local) {
            Field::TimeLocal
        } else if self.all(i, |v| v.len() == 14 && v[10] == b'.') {
            Field::Msec
        } else if self.all(i, |v| Shape::Iso.len(v) == Some(v.len())) {
            Field::TimeIso8601
        } else {
            Field::Time
        }
    }

    /// The word right before a value, if `=` or `:` binds it.
    fn label(&self, i: usize) -> Option<&'a [u8]> {
        let text = self.between[i];
        let text =
            text.strip_suffix(b"\"").or_else(|| text.strip_suffix(b"[")).unwrap_or(text).trim_ascii_end();
        let text = text.strip_suffix(b"=").or_else(|| text.strip_suffix(b":"))?;
        let start = text
            .iter()
            .rposition(|c| !(c.is_ascii_alphanumeric() || b"_.-".contains(c)))
            .map_or(0, |n| n + 1);
        Some(&text[start..]).filter(|t| !t.is_empty())
    }

    fn by_labels(&mut self) {
        for i in 0..self.columns.len() {
            let Some(label) = self.label(i).filter(|_| self.free(i)) else { continue };
            let field = match label {
                b"ua" | b"upstream"
                    if !self.given(i, |v| v.contains(&b'/') || v.contains(&b' ') && !v.contains(&b':')) =>
                {
                    Some(Field::UpstreamAddr)
                }
                b"to" if self.given(i, |v| is_list(v, Item::Address)) => Some(Field::UpstreamAddr),
                b"S" | b"s" => Some(Field::Status),
                b"T" | b"t" => Some(Field::RequestTime),
                b"R" => Some(Field::ForwardedFor),
                b"kong_request_id" => Some(Field::RequestId),
                _ => by_key(label),
            };
            let Some(field) = field else { continue };
            let nothing = !self.given(i, |_| true);
            let fits = nothing
                || match Shape::of(&field) {
                    Shape::List(Item::Address) | Shape::Text | Shape::Word => true,
                    Shape::List(item) => self.given(i, |v| is_list(v, item)),
                    Shape::Status => self.all(i, is_status),
                    Shape::AnyTime => false,
                    shape => self.given(i, |v| shape.len(v) == Some(v.len())),
                };
            // `time=0.001`, `duration=` and the like without a fraction are milliseconds.
            let field = match field {
                Field::RequestTime if self.given(i, is_number) && self.count(i, |v| v.len() > 1) > 0 => {
                    Field::RequestTimeMs
                }
                Field::ServerProtocol if self.given(i, |v| !v.starts_with(b"HTTP")) => continue,
                Field::Time if self.given(i, is_seconds) && !self.has(&Field::RequestTime) => {
                    Field::RequestTime
                }
                other if fits => other,
                _ => continue,
            };
            if !self.has(&field) {
                self.set(i, field);
            }
        }
    }

    /// The status stands behind the request as a rule, and the bytes behind the status.
    fn status_and_bytes(&mut self, request: Option<usize>) {
        let n = self.columns.len();
        if !self.has(&Field::Status) {
            let after = request.map_or(0, |i| i + 1);
            let order = (after..n).chain(0..after);
            if let Some(i) =
                order.into_iter().find(|&i| self.free(i) && self.all(i, is_status) && self.known_statuses(i))
            {
                self.set(i, Field::Status);
            }
        }
        let Some(status) = self.fields.iter().position(|f| *f == Some(Field::Status)) else { return };
        if self.has(&Field::BytesSent) {
            return;
        }
        // Of two such numbers one is the length of the request, which is short as a rule.
        let sum = |s: &Self, i: usize| -> u64 {
            let numbers =
                s.columns[i].iter().filter_map(|v| std::str::from_utf8(v).ok()?.parse::<u32>().ok());
            numbers.map(u64::from).sum()
        };
        let numbers = (status + 1..n.min(status + 3)).filter(|&i| self.free(i) && self.given(i, is_number));
        if let Some(i) = numbers.max_by_key(|&i| (sum(self, i), std::cmp::Reverse(i))) {
            self.set(i, Field::BytesSent);
        }
    }

    /// Whether most are in use: a port has three digits too, and hardly ever those of a status.
    fn known_statuses(&self, i: usize) -> bool {
        let given = self.count(i, |v| !v.is_empty() && v != b"-");
        2 * self.count(i, |v| v.get(..3).is_some_and(values::is_known_status)) > given
    }

    fn client_and_host(&mut self, time: usize) {
        let n = self.columns.len();
        let mostly_address = |s: &Self, i: usize| {
            let hits = s.count(i, |v| is_address(v) || v.starts_with(b"unix:"));
            10 * hits >= 9 * s.columns[i].len()
        };
        if !self.has(&Field::RemoteAddr)
            && let Some(i) = (0..n).find(|&i| self.free(i) && mostly_address(self, i))
        {
            self.set(i, Field::RemoteAddr);
            // `ADDR - USER [TIME]`: the dash is text, and the user may be any text.
            if i + 3 == time
                && self.free(i + 1)
                && self.all(i + 1, |v| v == b"-")
                && self.free(i + 2)
                && !self.address_like(i + 2)
            {
                self.set(i + 1, Field::Other("-".into()));
                self.set(i + 2, Field::RemoteUser);
            }
        }
        // `$remote_addr:$remote_port`: of many ports, where the peers of an upstream share one or a few.
        let ports = |s: &Self, i: usize| {
            s.columns[i].iter().filter_map(|v| v.rsplit(|c| *c == b':').next()).collect::<HashSet<_>>().len()
        };
        if !self.has(&Field::RemoteAddr)
            && let Some(i) = (0..n).find(|&i| {
                self.free(i)
                    && self
                        .all(i, |v| v.first().is_some_and(u8::is_ascii_digit) && values::is_address_port(v))
                    && ports(self, i) > PORTS
            })
        {
            self.set(i, Field::RemoteAddr);
        }
        if !self.has(&Field::Host)
            && let Some(i) = (0..n).find(|&i| {
                self.free(i)
                    && (self.given(i, values::is_dotted_host) || self.all(i, |v| host_port(v).is_some()))
            })
        {
            self.set(i, Field::Host);
        }
    }

    /// Referer and user agent stand behind one another, in quotes, somewhere behind the request.
    fn quoted(&mut self, request: Option<usize>) {
        let n = self.columns.len();
        let from = request.map_or(0, |i| i + 1);
        let agent = |s: &Self, i: usize| {
            s.count(i, |v| {
                memchr::memchr(b'/', v).is_some_and(|n| n > 0 && v.get(n + 1).is_some_and(u8::is_ascii_digit))
                    && !v.starts_with(b"http")
                    && !v.starts_with(b"HTTP/")
            })
        };
        if !self.has(&Field::UserAgent) {
            let best = (from..n)
                .filter(|&i| self.free(i) && self.is_quoted(i))
                .max_by_key(|&i| (agent(self, i), std::cmp::Reverse(i)));
            if let Some(i) = best.filter(|&i| agent(self, i) > 0) {
                self.set(i, Field::UserAgent);
                let is_referer = |s: &Self, j: usize| {
                    s.free(j)
                        && s.is_quoted(j)
                        && s.all(j, |v| v.is_empty() || v == b"-" || v.contains(&b':') || v.contains(&b'/'))
                };
                if let Some(j) =
                    [i.wrapping_sub(1), i + 1].into_iter().find(|&j| j < n && is_referer(self, j))
                {
                    self.set(j, Field::Referer);
                }
            }
        }
        let user_agent = self.fields.iter().position(|f| *f == Some(Field::UserAgent));
        for i in 0..n {
            let next =
                user_agent == Some(i.wrapping_sub(1)) && self.is_quoted(i) && self.all(i, |v| v == b"-");
            if self.free(i)
                && !self.has(&Field::ForwardedFor)
                && (self.given(i, values::is_address_list) || next)
            {
                self.set(i, Field::ForwardedFor);
            }
        }
    }

    fn upstream(&mut self) {
        for i in 0..self.columns.len() {
            if !self.free(i) {
                continue;
            }
            let status_like = self.given(i, |v| is_list(v, Item::Status)) && self.known_statuses(i);
            if !self.has(&Field::UpstreamAddr) && self.address_like(i) {
                self.set(i, Field::UpstreamAddr);
            } else if status_like && self.has(&Field::Status) && !self.has(&Field::UpstreamStatus) {
                self.set(i, Field::UpstreamStatus);
            }
        }
    }

    /// Lists of `addr:port`, among which group names may stand (no live upstreams).
    fn address_like(&self, i: usize) -> bool {
        let hits = self.count(i, |v| is_list(v, Item::Address));
        hits > 0 && self.given(i, |v| is_list(v, Item::Address) || values::is_host(v))
    }

    /// Times in seconds without labels. Over many lines the request's time is never missing nor a list and never
    /// less than an upstream's; of the rest the largest is the response time.
    fn seconds(&mut self) {
        let list = |v: &[u8]| is_list(v, Item::Seconds);
        let mut columns: Vec<usize> =
            (0..self.columns.len()).filter(|&i| self.free(i) && self.given(i, list)).collect();
        let sum = |s: &Self, i: usize| -> u64 {
            s.columns[i].iter().filter_map(|v| values::list_seconds(v)).map(u64::from).sum()
        };
        if !self.has(&Field::RequestTime) && !self.has(&Field::RequestTimeMs) {
            let always = columns.iter().copied().filter(|&i| self.all(i, is_seconds));
            if let Some(i) = always.max_by_key(|&i| (sum(self, i), std::cmp::Reverse(i))) {
                self.set(i, Field::RequestTime);
                columns.retain(|&c| c != i);
            }
        }
        columns.sort_by_key(|&i| std::cmp::Reverse(sum(self, i)));
        let names = match columns.len() {
            0..=1 => vec![Field::UpstreamResponseTime],
            2 => vec![Field::UpstreamResponseTime, Field::UpstreamConnectTime],
            _ => vec![Field::UpstreamResponseTime, Field::UpstreamHeaderTime, Field::UpstreamConnectTime],
        };
        for (i, field) in columns.into_iter().zip(names) {
            if !self.has(&field) {
                self.set(i, field);
            }
        }
    }

    fn small(&mut self, request: Option<usize>) {
        const CACHE: [&[u8]; 8] =
            [b"HIT", b"MISS", b"BYPASS", b"EXPIRED", b"STALE", b"UPDATING", b"REVALIDATED", b"SCARCE"];
        for i in (0..self.columns.len()).filter(|&i| self.fields[i].is_none()).collect::<Vec<_>>() {
            let tests: [(Field, bool); 7] = [
                (Field::RequestId, self.given(i, values::is_request_id)),
                (Field::Pipe, self.all(i, |v| v == b"." || v == b"p")),
                (Field::CacheStatus, self.given(i, |v| CACHE.contains(&v))),
                (Field::Protocol, self.all(i, |v| v == b"TCP" || v == b"UDP")),
                (Field::ServerProtocol, self.given(i, |v| v.starts_with(b"HTTP/"))),
                (Field::RequestMethod, request.is_none() && self.given(i, values::is_method)),
                (Field::RequestUri, request.is_none() && self.given(i, |v| v.starts_with(b"/"))),
            ];
            let hit = tests.into_iter().find(|(field, fits)| *fits && !self.has(field));
            if let Some((field, _)) = hit {
                self.set(i, field);
            }
        }
        // `$scheme://$host$request_uri`; a referer is missing now and then.
        let url = |s: &Self, i: usize| s.free(i) && s.all(i, values::is_url);
        if request.is_none()
            && !self.has(&Field::RequestUri)
            && let Some(i) = (0..self.columns.len()).find(|&i| url(self, i))
        {
            self.set(i, Field::RequestUri);
        }
    }
}
