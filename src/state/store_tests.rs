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

#[test]
fn a_bomb_is_refused() {
    let zeros = zstd::encode_all(std::io::repeat(0).take(MOST_BODY + 2), 1).unwrap();
    assert!(zeros.len() < 1 << 20);
    let empty = postcard::to_stdvec(&Head::default()).unwrap();
    let error = decode(Path::new("state"), &forged(&empty, &zeros)).unwrap_err().to_string();
    assert!(error.contains("cannot be unpacked"), "{error}");
}
