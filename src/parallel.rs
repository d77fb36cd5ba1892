//! The one place where threads are made.
//!
//! Work is a list of independent jobs, taken in their order; each worker folds the jobs it takes into a value of
//! its own. Merging those values is an exact sum, so who took what cannot be seen in the result.
//!
//! Rejected: one heap for all threads (`M_ARENA_MAX`), and keeping what is freed. They saved 1 to 3 % of the CPU of a
//! large log, but eight threads waited 1,335 times for the one lock (33 times without), and 100,000 small files took
//! twice the time.

use crate::error::{Error, Result};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A fixed number of threads.
#[derive(Debug)]
pub struct Workers {
    pool: rayon::ThreadPool,
}

impl Workers {
    /// `threads` of them; 0 means one a processor.
    pub fn new(threads: usize) -> Result<Self> {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map(|pool| Self { pool })
            .map_err(|e| Error::Usage(format!("{threads} threads cannot be started: {e}")))
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Lets every worker fold the jobs it takes into a value made by `start`; one value a worker.
    ///
    /// Jobs are taken one by one from the front rather than split in halves: a file is then read from front to
    /// back by all threads together, which is what a disk likes, and no result waits for another.
    pub fn fold<J: Sync, A: Send>(
        &self,
        jobs: &[J],
        start: impl Fn() -> A + Sync,
        step: impl Fn(&mut A, &J) + Sync,
    ) -> Vec<A> {
        let next = AtomicUsize::new(0);
        self.pool.broadcast(|_| {
            let mut value = start();
            while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                step(&mut value, job);
            }
            value
        })
    }

    /// Runs every job and gives the results in the order of the jobs.
    pub fn map<J: Sync, R: Send>(&self, jobs: &[J], work: impl Fn(&J) -> R + Sync) -> Vec<R> {
        let indexed: Vec<(usize, &J)> = jobs.iter().enumerate().collect();
        let done = self.fold(&indexed, Vec::new, |out, (i, job)| out.push((*i, work(job))));
        let mut all: Vec<Option<R>> = jobs.iter().map(|_| None).collect();
        for (i, result) in done.into_iter().flatten() {
            all[i] = Some(result);
        }
        all.into_iter().flatten().collect()
    }
}

/// Does two things that do not hang on each other: side by side where there are workers, else one after the other.
pub fn both<A: Send, B: Send>(
    workers: Option<&Workers>,
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    match workers {
        Some(workers) => workers.pool.join(one, other),
        None => (one(), other()),
    }
}

/// The same for some jobs of one kind, which may be done inside of another; the results in the order of the jobs.
#[expect(clippy::disallowed_methods, reason = "here threads are made")]
pub fn all<J: Send, R: Send>(
    workers: Option<&Workers>,
    jobs: Vec<J>,
    work: impl Fn(J) -> R + Sync + Send,
) -> Vec<R> {
    match workers {
        Some(workers) => workers.pool.install(|| jobs.into_par_iter().map(work).collect()),
        None => jobs.into_iter().map(work).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_done_once_and_in_order() {
        let jobs: Vec<u32> = (0..1000).collect();
        for threads in [1, 3] {
            let workers = Workers::new(threads).unwrap();
            assert_eq!(workers.count(), threads);
            assert_eq!(workers.map(&jobs, |j| j * 2), jobs.iter().map(|j| j * 2).collect::<Vec<_>>());
            let sums = workers.fold(&jobs, || 0, |sum, j| *sum += j);
            assert_eq!((sums.len(), sums.iter().sum::<u32>()), (threads, 499_500));
        }
    }

    #[test]
    fn side_by_side_is_as_one_after_the_other() {
        let nested = |workers: Option<&Workers>| {
            both(workers, || all(workers, vec![3, 1, 2], |n| n * 10), || both(workers, || 4, || 5))
        };
        let want = nested(None);
        assert_eq!(want, (vec![30, 10, 20], (4, 5)));
        for threads in [1, 3] {
            assert_eq!(nested(Some(&Workers::new(threads).unwrap())), want);
        }
    }
}
