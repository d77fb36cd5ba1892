//! The requests for one name, all of them, however many others there are.
//!
//! The lines of a small part of a site are few, and that a line is none of them shows as fast as memory is read. So where
//! a stretch holds too many requests to read each, those that name the part can be read all the same.

use super::look::{Reader, readable};
use super::{AROUND, Look, Looks, requests};
use crate::inspect::host::Host;
use crate::reading;
use crate::scan::Dimension;
use crate::time::Window;

/// Bytes of lines that are searched for names, for all looks of a host; or half of what the scan has read. To search costs
/// a tenth of scanning.
const SEARCHED: u64 = 256 << 20;
/// Bytes searched in the time in which one is read.
const AS_MANY: u64 = 16;
/// So many usual pauses between the requests for a name, on each side, tell what is usual.
const PAUSES: i64 = 16;
/// A shorter text stands in most lines.
const SHORTEST: usize = 3;

/// Makes a look, or gives one that was made.
type Made = for<'l> fn(&'l mut Looks, &Host<'_>, Window) -> Option<&'l Look>;

impl Looks {
    /// The look at the requests for one name alone inside a stretch and around it, where `failed` of them failed, which
    /// came one in `pause` seconds. `None` where they cannot be told from the rest by a text, where the lines cannot be read
    /// again, or where too much was searched already.
    pub(in crate::inspect) fn name(
        &mut self,
        host: &Host<'_>,
        inside: Window,
        (dimension, text): (Dimension, &[u8]),
        (failed, pause): (u64, i64),
    ) -> Option<Look> {
        let name = dimension.key(text);
        let span = host.timeline.span()?;
        let reach = AROUND.max(pause.saturating_mul(PAUSES));
        let span = Window {
            start: inside.start.saturating_sub(reach).max(span.start),
            end: inside.end.saturating_add(reach).min(span.end),
        };
        let literal = literal(dimension, text);
        let files: Vec<(usize, Option<&[u8]>)> = readable(host)?
            .into_iter()
            .filter_map(|i| match host.reads[i].reading.plan.site.as_deref() {
                // All of the lines of a site's own log are for it.
                Some(site) if Dimension::Vhost.key(site) == name => Some((i, None)),
                Some(_) if dimension == Dimension::Vhost => None,
                _ => Some((i, Some(literal))),
            })
            .collect();
        // By the requests and not by the blocks that hold them, which depend on how the scan was cut.
        let counted: u64 = host.files.iter().map(|&i| host.reads[i].scan.requests).sum();
        let part = requests(host, span) as f64 / counted.max(1) as f64;
        let mut cost = 0;
        for (i, text) in &files {
            let read = &host.reads[*i];
            let is_there =
                || reading::is_unpacked(read, &reading::spans_between(read, &(span.start..span.end)));
            let stands_everywhere = text.is_some_and(|text| text.len() < SHORTEST);
            if stands_everywhere || reading::is_packed(read) && !is_there() {
                return None;
            }
            let bytes = (read.scan.bytes as f64 * part) as u64;
            cost += if text.is_none() { bytes * AS_MANY } else { bytes };
        }
        let all: u64 = host.files.iter().map(|&i| host.reads[i].scan.bytes).sum();
        if self.searched + cost > SEARCHED.max(all / 2) {
            return None;
        }
        self.searched += cost;
        let usual = self.usual(host);
        // The requests around have mostly been looked at before, and to read a line takes longer than to find it.
        let made: Vec<&Look> = self.made.values().flatten().filter(|l| l.span.overlaps(span)).collect();
        let mut look = Look::empty(inside, span, &usual);
        look.of_name = true;
        for (i, text) in files {
            let read = &host.reads[i];
            let made = made.iter().map(|look| (*look, 0)).collect();
            let mut reader = Reader::new(&mut look, i, read, made, span);
            reading::each_request_with(read, span.start..span.end, text.unwrap_or_default(), &mut reader);
        }
        // A text can stand elsewhere in a line.
        look.answers.retain(|a| a.names.contains(&name));
        look.sort();
        // What the log writes in another way, as `\/`, is not found by its text.
        (look.inside().filter(|a| a.failed).count() as u64 >= failed).then_some(look)
    }

    /// Keeps the look at one name for what is asked of the same stretch later.
    pub(in crate::inspect) fn keep(&mut self, name: u64, look: Look) {
        self.named.push((name, look));
    }

    /// The look that tells of a stretch, and of one name in it where it has one: the one at its requests alone, if that
    /// was kept, else [`Self::at`].
    pub(in crate::inspect) fn of(
        &mut self,
        host: &Host<'_>,
        inside: Window,
        name: Option<u64>,
    ) -> Option<&Look> {
        self.kept_or(host, inside, name, Self::at)
    }

    /// The same, else [`Self::close`].
    pub(in crate::inspect) fn close_of(
        &mut self,
        host: &Host<'_>,
        inside: Window,
        name: Option<u64>,
    ) -> Option<&Look> {
        self.kept_or(host, inside, name, Self::close)
    }

    fn kept_or(&mut self, host: &Host<'_>, inside: Window, name: Option<u64>, other: Made) -> Option<&Look> {
        let kept = self.named.iter().position(|(of, look)| Some(*of) == name && look.inside == inside);
        match kept {
            Some(i) => self.named.get(i).map(|named| &named.1),
            None => other(self, host, inside),
        }
    }

    /// The text of a name that one of the looks has met.
    pub(in crate::inspect) fn text(&self, name: u64) -> Option<&str> {
        let looks = || self.named.iter().map(|named| &named.1).chain(self.made.values().flatten());
        looks().find_map(|look| look.text(name))
    }
}

/// The longest text that stands in each line that names something: of an endpoint what stands between its identifiers.
fn literal(dimension: Dimension, text: &[u8]) -> &[u8] {
    if dimension != Dimension::Endpoint {
        return text;
    }
    let mut longest = &text[..0];
    let mut rest = text;
    loop {
        // What is too long or too deep is not part of the line.
        let end = ["{id}", "..."].iter().filter_map(|cut| memchr::memmem::find(rest, cut.as_bytes())).min();
        let part = &rest[..end.unwrap_or(rest.len())];
        if part.len() > longest.len() {
            longest = part;
        }
        let Some(end) = end else { return longest };
        rest = &rest[end..];
        rest = rest.strip_prefix(b"{id}").or_else(|| rest.strip_prefix(b"...")).unwrap_or(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_endpoint_the_longest_part_is_searched_for() {
        let of = |text: &'static str| String::from_utf8_lossy(literal(Dimension::Endpoint, text.as_bytes()));
        assert_eq!(of("/partner/feed"), "/partner/feed");
        assert_eq!(of("/v2/{id}/orders/{id}.json"), "/orders/");
        assert_eq!(of("/a/b/c/d/e/..."), "/a/b/c/d/e/");
        assert_eq!(of("/"), "/");
        assert_eq!(literal(Dimension::Peer, b"10.0.0.1:80"), b"10.0.0.1:80");
    }
}
