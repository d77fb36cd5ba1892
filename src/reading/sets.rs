//! Many files looked at. Parts of a rotated set have one format, and most logs of a host do: the largest is learnt from, and
//! the others are only proven to be the same, which says the same of them as learning would.

use super::Hints;
use super::learn::{Looked, Model, look_beside};
use crate::input::family::{home, split_name};
use crate::input::source::{Kind, Source};
use crate::parallel::Workers;
use std::collections::HashMap;
use std::sync::Arc;

/// Looks at files; gives what each is, in their order.
pub fn look_all(sources: &[Arc<Source>], hints: &Hints, workers: &Workers) -> Vec<Looked> {
    type Set<'a> = (Option<&'a str>, String, String);
    // The sets by number, and of each the file that stands for it: most of very many files are of a few.
    let mut numbers: HashMap<Set<'_>, usize> = HashMap::new();
    let mut sets: Vec<usize> = Vec::new();
    let mut hosts: HashMap<Option<&str>, usize> = HashMap::new();
    let larger = |best: &mut usize, at: usize| {
        if sources[at].size > sources[*best].size {
            *best = at;
        }
    };
    // Of each file the number of its set.
    let mut set_of = Vec::with_capacity(sources.len());
    for (at, source) in sources.iter().enumerate() {
        let host = source.host.as_deref();
        // What can be read only once is nobody's model.
        if source.kind != Kind::File {
            set_of.push(None);
            continue;
        }
        let name = source.path.file_name().map(|n| n.to_string_lossy()).unwrap_or_default();
        let set = (host, home(&source.path), split_name(&name).0);
        larger(hosts.entry(host).or_insert(at), at);
        let number = *numbers.entry(set).or_insert(sets.len());
        if number == sets.len() {
            sets.push(at);
        }
        larger(&mut sets[number], at);
        set_of.push(Some(number));
    }
    let mut looked: Vec<Option<Looked>> = sources.iter().map(|_| None).collect();
    let mut models: HashMap<usize, Box<Model>> = HashMap::new();
    let of_set = |at: usize| set_of[at].map(|number| sets[number]);
    let of_host = |at: usize| hosts.get(&sources[at].host.as_deref()).copied();
    let rank = |at: usize| match (of_host(at), of_set(at)) {
        (Some(host), _) if host == at && set_of[at].is_some() => 0,
        (_, Some(set)) if set != at => 2,
        _ => 1,
    };
    for step in 0..3 {
        let now: Vec<usize> = (0..sources.len()).filter(|&at| rank(at) == step).collect();
        let done = workers.map(&now, |&at| {
            let beside = if step == 2 { of_set(at) } else { of_host(at) };
            let model = beside
                .filter(|_| step > 0 && set_of[at].is_some())
                .and_then(|m| models.get(&m))
                .map(|m| &**m);
            let (looked, model) = look_beside(Arc::clone(&sources[at]), hints, model);
            // In a box: nearly all have none, and what a thread has done is a list of all.
            (looked, model.filter(|_| step < 2).map(Box::new))
        });
        for (at, (file, model)) in now.into_iter().zip(done) {
            looked[at] = Some(file);
            models.extend(model.map(|m| (at, m)));
        }
    }
    looked.into_iter().flatten().collect()
}
