//! Input of the commands for scripts: one text as an argument, or one per line of standard input.

use std::io::{self, BufRead};

/// What to look at.
#[derive(clap::Args)]
pub struct Input {
    /// The text; without it, each line of standard input is one
    #[arg(conflicts_with = "stdin")]
    pub text: Option<String>,
    /// Read one text per line of standard input
    #[arg(long)]
    pub stdin: bool,
    /// One JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// Longer lines are refused: a missing line break must not fill the memory.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Calls `each` with every text.
pub fn each(text: Option<&str>, mut each: impl FnMut(&str) -> anyhow::Result<()>) -> anyhow::Result<()> {
    if let Some(text) = text {
        return each(text);
    }
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    while read(&mut input, &mut line)? {
        each(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']))?;
        line.clear();
    }
    Ok(())
}

fn read(input: &mut impl BufRead, line: &mut Vec<u8>) -> anyhow::Result<bool> {
    use io::Read;
    let mut bounded = input.take(LINE_BYTES_MAX as u64 + 1);
    let count = bounded.read_until(b'\n', line)?;
    anyhow::ensure!(count <= LINE_BYTES_MAX, "a line of the input is longer than {LINE_BYTES_MAX} bytes");
    Ok(count > 0)
}
