//! What one host's logs say, as a file that is put together with those of other hosts elsewhere: for many machines, and
//! for engines that spread work over them. The report of the parts is that of one run over everything, byte for byte.
//!
//! ```text
//! downtime-part\n   version u16   length u8 and the version of downtime   length u64 and SHA-256 of the rest
//! the rest: zstd of postcard
//! ```
//!
//! A part is whole for its hosts: the logs of one host are scanned together, for what was going on is read from all of
//! them. Detection differs between versions, so parts of another version are refused and not mixed.

use crate::analysis::part::{Part, assemble};
use crate::analysis::{self, Options, Progress};
use crate::error::{Error, Result};
use crate::report::Report;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

const MAGIC: &[u8] = b"downtime-part\n";
const VERSION: u16 = 4;
/// The version of this program.
const TOOL: &str = env!("CARGO_PKG_VERSION");
/// Largest part that is read, unpacked: a bomb must not fill the memory.
const MOST: u64 = 512 << 20;
/// How hard a part is packed: 3 is zstd's own choice.
const LEVEL: i32 = 3;

/// Scans, detects and inspects, and gives the part as the bytes of a file, with what could not be read.
///
/// # Errors
/// As [`analysis::run`]; and `--redact`, which wants the logs of all hosts for its key.
pub fn scan(options: &Options, progress: &dyn Progress) -> Result<(Vec<u8>, Vec<Error>)> {
    if options.redact {
        return Err(Error::Usage(
            "--redact wants the logs of all hosts at once; a part has those of some".into(),
        ));
    }
    analysis::part(options, progress, |part| {
        let failed = |e: &dyn std::fmt::Display| Error::Usage(format!("the part cannot be packed: {e}"));
        let plain = postcard::to_stdvec(part).map_err(|e| failed(&e))?;
        if plain.len() as u64 > MOST {
            return Err(failed(&"it is larger than may be read again; scan shorter stretches with --since"));
        }
        let packed = zstd::encode_all(&plain[..], LEVEL).map_err(|e| failed(&e))?;
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.push(TOOL.len() as u8);
        out.extend_from_slice(TOOL.as_bytes());
        out.extend_from_slice(&(packed.len() as u64).to_le_bytes());
        out.extend_from_slice(&Sha256::digest(&packed));
        out.extend_from_slice(&packed);
        Ok(out)
    })
}

/// A report of parts, and what their scans could not read.
///
/// # Errors
/// A file that is no part, a damaged one, one of another version; parts that do not fit together.
pub fn merge(files: &[PathBuf]) -> Result<(Report, Vec<String>)> {
    let parts: Vec<Part<'static>> = files.iter().map(|file| read(file)).collect::<Result<_>>()?;
    let failures = parts.iter().flat_map(|p| p.failures.iter().cloned()).collect();
    Ok((assemble(parts)?, failures))
}

fn broken(file: &Path, what: &str) -> Error {
    Error::Usage(format!("{}: {what}", file.display()))
}

fn read(file: &Path) -> Result<Part<'static>> {
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(Error::io(file))?;
    opened.take(MOST).read_to_end(&mut bytes).map_err(Error::io(file))?;
    decode(file, &bytes)
}

fn decode(file: &Path, bytes: &[u8]) -> Result<Part<'static>> {
    let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
        return Err(broken(file, "is no part written by 'downtime scan'"));
    };
    let cut = || broken(file, "damaged: its end is missing");
    let mut next = |n: usize| rest.split_off(..n).ok_or_else(cut);
    let version = next(2)?.iter().rev().fold(0u16, |v, b| v << 8 | u16::from(*b));
    let length = usize::from(next(1)?[0]);
    let tool = String::from_utf8_lossy(next(length)?).into_owned();
    if version != VERSION || tool != TOOL {
        let tool = crate::input::source::shown(Path::new(&tool));
        let what = format!(
            "written by downtime {tool} (parts of version {version}), this is {TOOL} (version {VERSION}); their \
             verdicts differ: scan and merge with one version"
        );
        return Err(broken(file, &what));
    }
    let length = next(8)?.iter().rev().fold(0u64, |v, b| v << 8 | u64::from(*b));
    let digest: [u8; 32] = next(32)?.try_into().map_err(|_| cut())?;
    if rest.len() as u64 != length || Sha256::digest(rest).as_slice() != digest {
        return Err(broken(file, "damaged: its length or digest is another"));
    }
    let mut plain = Vec::new();
    let unpacked = zstd::Decoder::new(rest).and_then(|d| d.take(MOST + 1).read_to_end(&mut plain));
    if unpacked.is_err() || plain.len() as u64 > MOST {
        return Err(broken(file, "damaged: it cannot be unpacked"));
    }
    match postcard::take_from_bytes::<Part<'static>>(&plain) {
        Ok((part, [])) if part.is_sound() => Ok(part),
        _ => Err(broken(file, "damaged: it holds what no scan writes")),
    }
}
