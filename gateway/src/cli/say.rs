//! What the command line says: results on standard output, everything else on standard error.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// One line of result, at once. A reader that left (`| head`) is no error of ours.
pub fn line(text: &str) {
    let mut out = io::stdout().lock();
    let _reader_left = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// One line for people.
pub fn note(text: &str) {
    let _reader_left = writeln!(io::stderr().lock(), "{text}");
}

/// Why the command failed, with its causes.
pub fn complaint(error: &anyhow::Error) {
    note(&format!("error: {error:#}"));
}

/// A step that takes a while: a bar on a terminal, lines elsewhere.
pub struct Step {
    name: &'static str,
    bar: Option<ProgressBar>,
}

impl Step {
    /// A step begins.
    pub fn begin(name: &'static str) -> Self {
        let bar = io::stderr().is_terminal().then(|| ProgressBar::new(0));
        match &bar {
            Some(bar) => {
                let style = ProgressStyle::with_template("{spinner} {prefix} {wide_bar} {pos}/{len} {msg}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                bar.set_prefix(name);
                bar.enable_steady_tick(Duration::from_millis(100));
            }
            None => note(&format!("{name} ...")),
        }
        Self { name, bar }
    }

    /// So much of it is done.
    pub fn at(&self, done: u64, total: u64, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(what.to_owned());
        }
    }

    /// It is done.
    pub fn end(self, result: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        note(&format!("{}: {result}", self.name));
    }
}
