//! `frontdesk-engine score`: the log-probability of every token of a text.

use super::ModelArgs;
use anyhow::{Context, bail};
use clap::Args;
use frontdesk_engine::executor::Score as Scored;
use serde_json::{Value, json};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The largest file of tokens that is read.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// For each position p one line: the distribution after token p. `next` is token p + 1 and `logprob` its
/// natural-log probability; both are null at the last position.
#[derive(Debug, Args)]
pub(super) struct Score {
    #[command(flatten)]
    model: ModelArgs,

    /// A JSON array of token ids
    #[arg(long, value_name = "FILE")]
    tokens: PathBuf,

    /// How many of the likeliest tokens to print for each position
    #[arg(long, value_name = "K", default_value_t = 5)]
    top: usize,

    /// Print a JSON object a line instead of a table
    #[arg(long)]
    json: bool,
}

impl Score {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let tokens = read_tokens(&self.tokens)?;
        let (mut executor, _) = self.model.load(1, tokens.len())?;
        let mut out = BufWriter::new(std::io::stdout().lock());
        let mut written =
            if self.json { Ok(()) } else { writeln!(out, "position      next   logprob  likeliest") };
        let scored = executor.score(&tokens, self.top, |score| {
            if written.is_ok() {
                let line = if self.json { line(&score).to_string() } else { row(&score) };
                written = writeln!(out, "{line}");
            }
        });
        scored.with_context(|| format!("{}", self.tokens.display()))?;
        match written.and_then(|()| out.flush()) {
            // The reader has seen enough, as with `| head`.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            result => result.context("cannot write the result"),
        }
    }
}

fn line(score: &Scored) -> Value {
    let top: Vec<Value> =
        score.top.iter().map(|(id, logprob)| json!({ "id": id, "logprob": logprob })).collect();
    json!({
        "position": score.position,
        "next": score.next.map(|(token, _)| token),
        "logprob": score.next.map(|(_, logprob)| logprob),
        "top": top,
    })
}

fn row(score: &Scored) -> String {
    let (next, logprob) =
        score.next.map_or(("-".into(), "-".into()), |(t, l)| (t.to_string(), format!("{l:.4}")));
    let top: Vec<String> = score.top.iter().map(|(id, logprob)| format!("{id} ({logprob:.3})")).collect();
    format!("{:8}  {next:>8}  {logprob:>8}  {}", score.position, top.join("  "))
}

fn read_tokens(path: &Path) -> anyhow::Result<Vec<u32>> {
    let about = || format!("cannot read {}", path.display());
    let length = std::fs::metadata(path).with_context(about)?.len();
    if length > FILE_BYTES_MAX {
        bail!("{}: expected at most {FILE_BYTES_MAX} bytes, found {length}", path.display());
    }
    let text = std::fs::read(path).with_context(about)?;
    let json: Value = serde_json::from_slice(&text)
        .with_context(|| format!("{}: expected a JSON array of token ids", path.display()))?;
    let Some(list) = json.as_array() else {
        bail!("{}: expected a JSON array of token ids, found {}", path.display(), kind(&json));
    };
    if list.is_empty() {
        bail!("{}: expected at least one token, found an empty array", path.display());
    }
    let token = |(i, value): (usize, &Value)| {
        let token = value.as_u64().and_then(|id| u32::try_from(id).ok());
        token.with_context(|| format!("{}: element {i}: expected a token id, found {value}", path.display()))
    };
    list.iter().enumerate().map(token).collect()
}

fn kind(json: &Value) -> &'static str {
    match json {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
