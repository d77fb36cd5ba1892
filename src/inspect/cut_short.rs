//! Answers that were cut short under a good status.
//!
//! Once the header of an answer is on its way the status is sent and no other server can be tried
//! (`ngx_http_upstream_process_request` finalizes; only what runs before the header is sent calls
//! `ngx_http_upstream_next`). What then
//! fails while nginx is `reading upstream` leaves a 200 in the access log and a torn body with the client.

use super::host::{Host, Said};
use crate::catalogue::read_line;
use crate::reading::record_at;
use crate::time::Window;

/// Records read to tell what nginx was doing.
const READ: usize = 40;
/// Fewer such records prove nothing.
const LEAST: u64 = 3;

/// How many answers were cut short in a stretch, by the error log. `None` when most of its server-side records are about
/// something else.
pub(super) fn answers(host: &Host<'_>, window: Window) -> Option<u64> {
    // A bucket begins with its first second, so what begins behind the stretch is outside.
    let before = host.said.partition_point(|s| s.second < window.end);
    let inside: Vec<(&Said, u64)> = host.said[..before]
        .iter()
        .filter(|s| host.server_side(s.class))
        .map(|s| (s, s.count_in(window)))
        .filter(|(_, n)| *n > 0)
        .collect();
    let stride = inside.len().div_ceil(READ).max(1);
    let (mut all, mut cut) = (0u64, 0u64);
    for &(s, n) in inside.iter().step_by(stride) {
        let line = record_at(&host.reads[s.file], &s.sample);
        let mut room = Vec::new();
        let framed = host.reads[s.file].reading.plan.framing.unwrap(&line, &mut room);
        let line = framed.as_ref().map_or(line.as_slice(), |u| u.payload);
        let torn = read_line(line).is_some_and(|r| r.action == Some(b"reading upstream".as_slice()));
        all += n;
        cut += if torn { n } else { 0 };
    }
    let records: u64 = inside.iter().map(|(_, n)| n).sum();
    let share = cut as f64 / all.max(1) as f64;
    let cut = (share * records as f64).round() as u64;
    (share >= 0.5 && cut >= LEAST).then_some(cut)
}
