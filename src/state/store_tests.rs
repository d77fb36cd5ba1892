use super::*;
use proptest::prelude::*;

/// A state whose digests fit whatever stands in it: what somebody who knows the format would write.
fn forged(head: &[u8], body: &[u8]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&(head.len() as u64).to_le_bytes());
    out.extend_from_slice(&(body.len() as u64).to_le_bytes());
    out.extend_from_slice(&Sha256::digest(head));
    out.extend_from_slice(&Sha256::digest(body));
    out.extend_from_slice(head);
    out.extend_from_slice(body);
    out
}

proptest! {
    /// Bytes of somebody's making are an error and nothing else.
    #[test]
    fn forged_states_do_no_harm(
        head in prop::collection::vec(any::<u8>(), 0..200),
        body in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let packed = zstd::encode_all(&body[..], 1).unwrap();
        super::super::try_bytes(&forged(&head, &packed));
        super::super::try_bytes(&forged(&[0; 8], &packed));
    }
}

/// What the fuzz target once fell over. Its first byte says how many of the others are the head.
#[test]
fn states_found_by_fuzzing_do_no_harm() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds/state");
    let seeds: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|e| std::fs::read(e.unwrap().path()).unwrap()).collect();
    assert!(!seeds.is_empty());
    for seed in seeds {
        let (cut, rest) = seed.split_first().unwrap();
        let (head, body) = rest.split_at(usize::from(*cut).min(rest.len()));
        super::super::try_bytes(&forged(head, &zstd::encode_all(body, 1).unwrap()));
    }
}

#[test]
fn a_bomb_is_refused() {
    let zeros = zstd::encode_all(std::io::repeat(0).take(MOST_BODY + 2), 1).unwrap();
    assert!(zeros.len() < 1 << 20);
    let empty = postcard::to_stdvec(&Head::default()).unwrap();
    let error = decode(Path::new("state"), &forged(&empty, &zeros)).unwrap_err().to_string();
    assert!(error.contains("cannot be unpacked"), "{error}");
}
