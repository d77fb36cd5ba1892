//! Whose answer a failure was, as far as its body and its time show.
//!
//! nginx makes its own page for each status (`ngx_http_special_response.c`): two times the words of the status, the name
//! of the server, and a frame that has not changed since 2003 but for the colour of its background (until 1.15). For old
//! browsers and Chrome it adds six lines of padding (`msie_padding`). So its length is known but for the name, which is
//! one for a whole log. Pages of 5xx are never packed (`ngx_http_gzip_header_filter`).

use super::super::again::{Answer, Look};
use super::super::host::Host;
use crate::time::Window;
use std::collections::BTreeMap;

/// Kept answers that are looked at.
const MOST: usize = 1000;
/// Fewer answers show nothing.
const LEAST: usize = 5;
/// The part of the answers that must be alike.
const ALIKE: f64 = 0.95;
/// Bytes of the page without the words, which it has twice, and the name of the server.
const FRAME: u32 = 115;
/// ` bgcolor="white"`.
const COLOUR: u32 = 16;
/// `<!-- a padding to disable MSIE and Chrome friendly error page -->`, six times.
const PADDING: u32 = 402;
/// Lengths of the names that are nearly always meant: `nginx`, and `nginx/1.9.9` to `nginx/1.29.10`.
const USUAL: [u32; 4] = [5, 11, 12, 13];
/// Other names, such as `openresty/1.27.1.2` and `nginx/1.18.0 (Ubuntu)`.
const NAMES: std::ops::RangeInclusive<u32> = 5..=24;
/// Bodies of so many lengths are made for each request anew,
const LENGTHS: usize = 4;
/// where no length has this part of them.
const ONE_LENGTH: f64 = 0.8;
/// A time that is this part longer or shorter is the same, but for so many milliseconds.
const SAME: u32 = 50;
const SAME_MS: u32 = 150;
/// The same of timeouts below a second.
const SAME_SHORT: u32 = 30;
/// The part of the answers that must have waited alike.
const WAITED: f64 = 0.9;
/// So many answers, and this part of them, are no chance.
const SOME: usize = 3;
const SOME_PART: f64 = 0.03;
/// Milliseconds of what came at once, and from which on it was waited for.
const AT_ONCE: u32 = 100;
const WAIT: u32 = 1000;

/// Whose page the bodies are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// As long as nginx's own.
    Own,
    /// No page of nginx's: too short for one, or of many lengths.
    NotOwn,
    /// The lengths do not tell, or are not logged.
    Untold,
}

/// How long the answers took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Took {
    /// Nearly no time.
    Nothing,
    /// All the same, in milliseconds: a timeout.
    AllThe(u32),
    /// Now this long and now that, and some less than any timeout: as answers take.
    AsAnswers,
    /// Neither.
    Otherwise,
    /// The log does not tell.
    Untold,
}

/// The words of a status as nginx's page has them; `None` where nginx has no page.
fn words(status: u16) -> Option<&'static str> {
    Some(match status {
        500 => "500 Internal Server Error",
        501 => "501 Not Implemented",
        502 => "502 Bad Gateway",
        503 => "503 Service Temporarily Unavailable",
        504 => "504 Gateway Time-out",
        505 => "505 HTTP Version Not Supported",
        507 => "507 Insufficient Storage",
        _ => return None,
    })
}

/// Whether nginx itself answers with a status where it fails.
pub(super) fn is_nginx_own(status: u16) -> bool {
    words(status).is_some()
}

/// Whose answers those with this status are, and how long they took.
pub(super) fn of(look: &Look, status: u16) -> (Page, Took) {
    let these = || look.inside().filter(|x| x.failed && x.status == status);
    // The answer to HEAD has no body.
    let lengths: Vec<u32> = these().filter_map(|x: &Answer| x.bytes).filter(|n| *n > 0).collect();
    let times: Vec<u32> = these().filter_map(|x| x.took).collect();
    (page(status, &lengths), took(times))
}

/// Whether some of those with this status were waited for: of connections that are refused none is.
pub(super) fn some_waited(look: &Look, status: u16) -> bool {
    let these = || look.inside().filter(|x| x.failed && x.status == status);
    let waited = these().filter(|x| x.took.is_some_and(|ms| ms > AT_ONCE)).count();
    waited >= SOME && waited as f64 >= SOME_PART * these().count() as f64
}

/// Whose answers they are in logs that cannot be read again, by the lines of failures that were kept of them.
pub(super) fn of_kept(host: &Host<'_>, window: Window, status: u16) -> (Page, Took) {
    let (mut lengths, mut times) = (Vec::new(), Vec::new());
    host.each_failed_answer(window, MOST, |_, record| {
        if record.status == Some(status) {
            let short = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
            lengths.extend(record.bytes_sent.map(short).filter(|n| *n > 0));
            times.extend(record.request_time);
        }
    });
    (page(status, &lengths), took(times))
}

fn page(status: u16, lengths: &[u32]) -> Page {
    let Some(words) = words(status).filter(|_| lengths.len() >= LEAST) else { return Page::Untold };
    let frame = FRAME + 2 * words.len() as u32;
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for n in lengths {
        *counts.entry(*n).or_default() += 1;
    }
    let count = |n: u32| counts.get(&n).copied().unwrap_or(0);
    let all = lengths.len() as f64;
    // Lengths with the header (`$bytes_sent`) are of any size, and still differ by the padding.
    let padded = |n: u32| count(n) >= 2 && count(n + PADDING) >= 2;
    if counts.keys().any(|&n| padded(n) && (count(n) + count(n + PADDING)) as f64 >= ALIKE * all) {
        return Page::Own;
    }
    let mut possible = false;
    for name in NAMES {
        for colour in [0, COLOUR] {
            let (short, padded) = (count(frame + name + colour), count(frame + name + colour + PADDING));
            possible |= short + padded > 0;
            // With and without padding by the browser that asked, it can be nothing else.
            let sure = USUAL.contains(&name) || short.min(padded) >= 2;
            if sure && (short + padded) as f64 >= ALIKE * all {
                return Page::Own;
            }
        }
    }
    let most = counts.values().max().copied().unwrap_or(0) as f64;
    let many = counts.len() >= LENGTHS && most < ONE_LENGTH * all;
    let short = counts.keys().all(|n| *n < frame + NAMES.start());
    if short || many && (!possible || most < all / 2.0) { Page::NotOwn } else { Page::Untold }
}

fn took(mut times: Vec<u32>) -> Took {
    if times.len() < LEAST {
        return Took::Untold;
    }
    times.sort_unstable();
    let middle = times[times.len() / 2];
    let part = |is: &dyn Fn(u32) -> bool| {
        times.iter().filter(|t| is(**t)).count() as f64 >= WAITED * times.len() as f64
    };
    if part(&|t| t <= AT_ONCE) {
        Took::Nothing
    } else if middle >= WAIT && part(&|t| t.abs_diff(middle) <= (middle / SAME).max(SAME_MS)) {
        Took::AllThe(middle)
    } else if times[times.len() / 10] < WAIT
        && !part(&|t| t.abs_diff(middle) <= (middle / SAME).max(SAME_SHORT))
    {
        Took::AsAnswers
    } else {
        Took::Otherwise
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(status: u16, lengths: &[(u32, usize)]) -> Page {
        let all: Vec<u32> = lengths.iter().flat_map(|(n, times)| vec![*n; *times]).collect();
        page(status, &all)
    }

    #[test]
    fn the_page_of_nginx_is_known_by_its_length() {
        // `nginx/1.22.1`, `nginx`, and both as Chrome gets them.
        assert_eq!(bodies(502, &[(157, 20)]), Page::Own);
        assert_eq!(bodies(504, &[(167, 20)]), Page::Own);
        assert_eq!(bodies(503, &[(197, 20)]), Page::Own);
        assert_eq!(bodies(502, &[(150, 20), (552, 9)]), Page::Own);
        // With the colour of before 1.15.
        assert_eq!(bodies(500, &[(193, 20)]), Page::Own);
        // `openresty/1.21.4.1`: only with the padding can it be told from another body of this length.
        assert_eq!(bodies(502, &[(163, 20), (565, 9)]), Page::Own);
        assert_eq!(bodies(502, &[(163, 20)]), Page::Untold);
        // With the header before it.
        assert_eq!(bodies(502, &[(309, 40), (711, 15)]), Page::Own);
        assert_eq!(bodies(502, &[(309, 40), (712, 15)]), Page::Untold);
        assert_eq!(bodies(502, &[(157, 3)]), Page::Untold);
    }

    #[test]
    fn other_bodies_are_told_from_it() {
        assert_eq!(bodies(500, &[(4, 50)]), Page::NotOwn);
        assert_eq!(bodies(502, &[(18, 5)]), Page::NotOwn);
        assert_eq!(bodies(500, &[(612, 3), (700, 3), (1299, 2), (516, 3)]), Page::NotOwn);
        // A page of its own for all: nginx can have been told to send it.
        assert_eq!(bodies(502, &[(497, 50)]), Page::Untold);
        assert_eq!(bodies(502, &[(157, 50), (497, 50)]), Page::Untold);
        // A status that nginx does not answer with has no page of its.
        assert_eq!(bodies(520, &[(157, 50)]), Page::Untold);
    }

    #[test]
    fn a_timeout_is_the_same_for_all() {
        assert_eq!(took(vec![60_001, 60_000, 60_012, 60_003, 60_060, 60_001]), Took::AllThe(60_003));
        assert_eq!(took(vec![0, 1, 0, 2, 0, 1, 40]), Took::Nothing);
        assert_eq!(took(vec![1000, 2000, 3000, 4000, 5000]), Took::Otherwise);
        assert_eq!(took(vec![210, 350, 940, 1400, 520, 800]), Took::AsAnswers);
        // `proxy_read_timeout 300ms`.
        assert_eq!(took(vec![300, 301, 300, 302, 305, 300]), Took::Otherwise);
        assert_eq!(took(vec![1, 2]), Took::Untold);
    }
}
