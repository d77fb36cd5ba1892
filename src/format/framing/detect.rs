//! Finds the frame of a file from its first lines.

use super::Framing;
use crate::format::errorlog::is_record_start;
use crate::time::{parse_iso8601, parse_time_local};
use memchr::memchr_iter;

/// A frame is believed when this share of the lines has it: other programs write into the same stream.
const BELIEVED: f64 = 0.5;

/// The frame of most of `lines`, and the share of lines that have it (for [`Framing::None`] the share of lines that
/// have no other).
pub fn detect(lines: &[&[u8]]) -> (Framing, f64) {
    let mut out = Vec::new();
    let lines: Vec<&[u8]> = lines.iter().copied().filter(|l| !l.trim_ascii().is_empty()).collect();
    if lines.is_empty() {
        return (Framing::None, 0.0);
    }
    let mut best = (Framing::None, 0);
    for framing in Framing::ALL {
        let (mut hits, mut proof, mut records) = (0, 0, 0);
        for line in &lines {
            let Some(u) = framing.unwrap(line, &mut out) else { continue };
            hits += 1;
            proof += usize::from(!needs_proof(framing) || is_nginx(u.payload, framing));
            records += usize::from(is_record_start(u.payload));
        }
        // A frame that an access log of its own can look like must hold something that is nginx's beyond doubt. No
        // line of an access log goes on as a record of the error log does.
        if (proof * 5 >= hits || records >= 2) && hits > best.1 {
            best = (framing, hits);
        }
    }
    let share = best.1 as f64 / lines.len() as f64;
    if share >= BELIEVED { (best.0, share) } else { (Framing::None, 1.0 - share) }
}

/// Frames whose shape is no proof of itself.
fn needs_proof(framing: Framing) -> bool {
    matches!(
        framing,
        Framing::IsoPrefix | Framing::Stern | Framing::JournalIso | Framing::Svlogd | Framing::Compose
    )
}

/// Whether `payload` is a line of nginx: an error record, or something with a time of its own. Behind a bar a time of any
/// form is; elsewhere one that begins with the year may be the frame's.
fn is_nginx(payload: &[u8], framing: Framing) -> bool {
    let head = &payload[..payload.len().min(300)];
    let iso = |at: usize| at == 0 || !head[at - 1].is_ascii_alphanumeric();
    if framing == Framing::Compose
        && (0..head.len()).any(|at| iso(at) && parse_iso8601(&head[at..]).is_some())
    {
        return true;
    }
    is_record_start(payload)
        || payload.starts_with(b"nginx: [")
        || payload.starts_with(b"{\"")
        || memchr_iter(b'[', head).any(|at| parse_time_local(&head[at + 1..]).is_some())
}
