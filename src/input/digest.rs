//! The SHA-256 of a file as it lies on disk, packed files packed: what `sha256sum` prints beside it years later.
//!
//! Nothing here looks at lines; a pipe has no digest, since its bytes are gone when the report is written.

use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes a read: the hash takes microseconds for so many, so that the cost of the call vanishes beside it.
const BLOCK: usize = 256 * 1024;

/// The SHA-256 of the file at `path` in lower-case hexadecimal, read as a stream.
pub fn sha256(path: &Path) -> Result<String> {
    let failed = |source| Error::io(path)(source);
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut block = vec![0; BLOCK];
    loop {
        match file.read(&mut block) {
            Ok(0) => break,
            Ok(n) => hash.update(&block[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(failed(e)),
        }
    }
    let mut hex = String::with_capacity(64);
    for byte in hash.finalize() {
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_standard() {
        // FIPS 180-4, "SHA-256 examples": no bytes, and "abc".
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        for (bytes, want) in [
            (&b""[..], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(sha256(&path).unwrap(), want);
        }
        // More than one block.
        std::fs::write(&path, vec![b'a'; 1_000_000]).unwrap();
        assert_eq!(
            sha256(&path).unwrap(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
        assert!(sha256(&folder.path().join("absent")).is_err());
    }
}
