//! The heap of the process: large pages for its first part, and what is freed of it is kept. Not for what is on it.
//!
//! A page of fresh memory costs a fault and its clearing, on a virtual machine often a visit to the host as well, and a
//! report of a large log takes some five thousand. Where the kernel gives large pages to those who ask (the default of most
//! distributions) half of them are saved, with 2 MiB more at the peak: 0.935 of the CPU on an error log, 0.96 on JSON, 0.97
//! on a log with upstreams and nothing that could be told from chance on combined (medians of 41 pairs).
//!
//! Rejected: `GLIBC_TUNABLES`, which is read before a program can set it; the same settings without large pages, which
//! gained nothing that could be told from chance; and vectors of up to 4 MiB only, which are mapped and cleared each time.

/// Prepares it. For a program, as the first thing it does and before it has other threads: a library has no business here.
pub fn prepare() {
    crate::machine::prepare_heap();
}
