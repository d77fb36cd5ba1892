//! Any bytes as a state, with digests that fit: what somebody who knows the format would write. Nothing but an error may
//! come of it, and what is taken can be added to itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

fuzz_target!(|bytes: &[u8]| {
    let Some((&cut, rest)) = bytes.split_first() else { return };
    let (head, body) = rest.split_at(usize::from(cut).min(rest.len()));
    let body = zstd::encode_all(body, 1).expect("memory can be written to");
    let mut state = downtime::state::MAGIC.to_vec();
    state.extend_from_slice(&downtime::state::VERSION.to_le_bytes());
    state.extend_from_slice(&(head.len() as u64).to_le_bytes());
    state.extend_from_slice(&(body.len() as u64).to_le_bytes());
    state.extend_from_slice(&Sha256::digest(head));
    state.extend_from_slice(&Sha256::digest(&body));
    state.extend_from_slice(head);
    state.extend_from_slice(&body);
    downtime::state::try_bytes(&state);
});
