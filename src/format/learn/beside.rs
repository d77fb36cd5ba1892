//! What lines are, told from another log of the same set: rotation does not change a format, and to prove one takes a
//! tenth of the work of finding it.

use super::{Candidate, Learned, LogKind, Source, builtin, foreign, is_odd, learned, parted, reads, sampled};
use crate::format::access::AccessFormat;

/// What [`learn`](super::learn) would say of `lines`, where one format of `model` reads every one of them with no odd
/// value, and none that goes before it may do so too; `None` where that takes learning. `known` are the formats that were
/// given.
pub fn learn_beside(lines: &[&[u8]], known: &[AccessFormat], model: &Learned) -> Option<Learned> {
    if model.kind != LogKind::Access {
        return None;
    }
    let sample = sampled(lines);
    let (errors, rest) = parted(&sample);
    let first = *rest.first()?;
    let fits = |f: &AccessFormat, line: &[u8]| {
        f.parse(line).is_ok_and(|record| record.time.is_some() && !is_odd(f, &record))
    };
    let at = model.formats.iter().position(|f| rest.iter().all(|line| fits(f, line)))?;
    let (format, source) = (&model.formats[at], *model.sources.get(at)?);
    // Of formats that read the same lines the surer one is chosen, and of two that are as sure the first.
    let before = |f: &&AccessFormat| !f.is(format);
    let rival = match source {
        Source::Given => known.iter().take_while(before).any(|f| reads(f, first)),
        Source::Builtin => {
            let named = builtin::all().iter().filter(|f| f.pieces().is_some());
            known.iter().chain(named.take_while(before)).any(|f| reads(f, first))
        }
        // The keys and shapes of these lines may name more than those of others did.
        Source::Keys | Source::Guessed | Source::Start => true,
    };
    if rival || source != Source::Given && foreign::recognise(&rest).is_some() {
        return None;
    }
    let found = vec![Candidate { format: format.clone(), source, matched: rest.len() }];
    learned(found, &rest, &errors, &sample)
}
