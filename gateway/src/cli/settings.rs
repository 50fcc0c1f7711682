//! `frontdesk config`: every setting with its value and origin.

use super::say;
use crate::config::{Command, Config, Flags, resolve};

/// How to print.
#[derive(clap::Args)]
pub struct Print {
    /// One JSON object per line
    #[arg(long)]
    json: bool,
    /// As `frontdesk demo` would see them
    #[arg(long)]
    demo: bool,
}

/// Prints them, then complains if they do not validate.
pub fn run(flags: &Flags, print: &Print) -> anyhow::Result<()> {
    let command = if print.demo { Command::Demo } else { Command::Serve };
    let resolved = resolve(flags, command, |name| std::env::var(name).ok())?;
    for line in resolved.lines() {
        let origin = line.origin.to_string();
        say::line(&match print.json {
            true => {
                serde_json::json!({ "name": line.name, "value": line.json, "origin": origin }).to_string()
            }
            false => format!("{} = {}  # {origin}", line.name, line.value),
        });
    }
    Config::load(flags, command)?;
    Ok(())
}
