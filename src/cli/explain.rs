//! `downtime explain`: what error records mean.

use crate::cli::messages::{self, Exit};
use crate::cli::output::write;
use crate::cli::{ExplainArgs, RecordFormat, resolve};
use anyhow::Result;
use downtime::catalogue::Catalogue;
use downtime::catalogue::explain::Explanation;
use downtime::error::Error;
use downtime::input::inflate::Stream;
use downtime::input::source::{Source, open_stream};
use downtime::input::stdin;
use downtime::reading::each_record;
use downtime::render::explain::Groups;
use downtime::render::json;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Explains lines, files and standard input, in the order given.
pub(crate) fn explain(args: &ExplainArgs) -> Result<Exit> {
    let catalogue = Catalogue::with_dirs(&resolve::pattern_dirs(&args.patterns))?;
    let inputs = inputs(&args.inputs)?;
    let mut explainer = Explainer { catalogue: &catalogue, records: 0, other: 0 };
    write(args.output.output.as_deref(), |out| match args.format {
        RecordFormat::Json => explainer.all(inputs, &mut |_, e| json::write_explanation(&e, out)),
        RecordFormat::Text => {
            let mut groups = Groups::default();
            explainer.all(inputs, &mut |input, e| {
                groups.add(input, e);
                Ok(())
            })?;
            groups.write(resolve::style(&args.output), out)
        }
    })?;
    if explainer.other > 0 {
        messages::warn(&Error::Usage(format!(
            "{} of {} lines or records are no error records of nginx and were passed over",
            explainer.other,
            explainer.records + explainer.other
        )));
    }
    if explainer.records + explainer.other == 0 {
        messages::warn(&Error::Usage("nothing to explain: what was given is empty".into()));
    }
    Ok(if explainer.records == 0 { Exit::Failed } else { Exit::Done })
}

/// What is read: a line as it was typed, or a stream with its name.
enum Input {
    Line(Vec<u8>),
    Stream(String, Box<Stream>),
}

/// Opens everything before anything is written. What is no file and has a blank is a line.
fn inputs(given: &[OsString]) -> Result<Vec<Input>> {
    let standard = [OsString::from("-")];
    let given = if given.is_empty() { &standard[..] } else { given };
    given.iter().map(|input| Ok(open(input)?)).collect()
}

fn open(input: &OsStr) -> downtime::error::Result<Input> {
    if input != "-" && !Path::new(input).exists() && input.as_bytes().contains(&b' ') {
        return Ok(Input::Line(input.as_bytes().to_vec()));
    }
    let source = if input == "-" { stdin::source()? } else { Source::file(Path::new(input))? };
    Ok(Input::Stream(source.shown.clone(), Box::new(open_stream(&source)?)))
}

struct Explainer<'a> {
    catalogue: &'a Catalogue,
    records: u64,
    other: u64,
}

type Sink<'s> = dyn FnMut(&str, Explanation) -> io::Result<()> + 's;

impl Explainer<'_> {
    fn all(&mut self, inputs: Vec<Input>, sink: &mut Sink<'_>) -> io::Result<()> {
        inputs.into_iter().try_for_each(|input| match input {
            Input::Line(line) => self.read("", line.as_slice(), true, sink),
            Input::Stream(name, stream) => self.read(&name, stream, false, sink),
        })
    }

    /// What is `typed` can be a message alone: whoever types it says that it is nginx's.
    fn read(&mut self, name: &str, from: impl io::Read, typed: bool, sink: &mut Sink<'_>) -> io::Result<()> {
        each_record(from, &mut |whole| {
            let message = || self.catalogue.read_message(whole.bytes).filter(|_| typed).map(|r| (r, None));
            let Some((record, level)) = self.catalogue.read_pasted(whole.bytes).or_else(message) else {
                self.other += 1;
                return Ok(());
            };
            self.records += 1;
            sink(name, Explanation { level, ..self.catalogue.explain(whole.bytes, &record, whole.line) })
        })
    }
}
