//! The command line: parse, resolve, run.

mod bench;
mod intent;
mod kb;
mod lines;
mod mask;
mod say;
mod serve;
mod settings;
mod snippet;
mod token;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{self, Config, Flags};

const EXAMPLES: &str = "\
Examples:
  frontdesk                                    try it: demo model, sample knowledge, this machine only
  frontdesk serve --model-path ./gpt-oss-20b   real use; set FRONTDESK_API_KEY first
  frontdesk kb import faq.csv handbook.md      teach it what the shop knows
  frontdesk kb search \"几天可以退货\" -k 3        what it would answer from
  frontdesk config --port 7000                 every setting, its value and where that came from
  frontdesk help bench                         more about a command

Every setting can be a flag (--data-dir), a variable (FRONTDESK_DATA_DIR) or a line in a TOML file
(data_dir, with --config FILE); flags win over variables, variables over the file. --help shows all of them.";

/// A shop's own customer service behind the OpenAI API.
#[derive(Parser)]
#[command(name = "frontdesk", version, after_help = EXAMPLES, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Subcommand)]
enum Command {
    /// Try it: the demo model and a sample shop's knowledge, on this machine only (the default)
    Demo,
    /// Serve a model and your own knowledge
    Serve,
    /// Import, list, search and remove knowledge
    #[command(subcommand)]
    Kb(kb::Kb),
    /// Show how personal data in a text is found and masked
    Mask(lines::Input),
    /// Show what a customer wants: one of eight classes, or an abstention
    Intent(lines::Input),
    /// Issue a JSON Web Token signed with the configured jwt_secret
    Token(token::Token),
    /// Measure a running server with concurrent streams
    Bench(bench::Bench),
    /// Print every setting with its value and origin
    Config(settings::Print),
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let matches = with_origins(Cli::command()).get_matches();
    let outcome = Cli::from_arg_matches(&matches).map_err(anyhow::Error::from).and_then(run);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::complaint(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let flags = &cli.flags;
    let local = || Config::load(flags, config::Command::Local);
    match cli.command.unwrap_or(Command::Demo) {
        Command::Demo => serve::run(Config::load(flags, config::Command::Demo)?, config::Command::Demo),
        Command::Serve => serve::run(Config::load(flags, config::Command::Serve)?, config::Command::Serve),
        Command::Kb(kb) => kb::run(&local()?, kb),
        Command::Mask(input) => mask::run(&local()?, &input),
        Command::Intent(input) => intent::run(&input),
        Command::Token(token) => token::run(&local()?, &token),
        Command::Bench(bench) => bench::run(&local()?, bench),
        Command::Config(print) => settings::run(flags, &print),
    }
}

/// The help of every setting says its default and its variable.
fn with_origins(mut command: clap::Command) -> clap::Command {
    let defaults = serde_json::to_value(config::Settings::default()).unwrap_or_default();
    for setting in config::TABLE {
        command = command.mut_arg(setting.name, |argument| {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            argument.help(format!(
                "{help} [default: {}] [env: {}]",
                defaults[setting.name],
                setting.variable()
            ))
        });
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        with_origins(Cli::command()).debug_assert();
    }

    #[test]
    fn settings_may_stand_before_and_after_the_command() {
        for line in [["frontdesk", "--port", "1", "serve"], ["frontdesk", "serve", "--port", "1"]] {
            assert_eq!(Cli::try_parse_from(line).unwrap().flags.port, Some(1));
        }
        assert!(Cli::try_parse_from(["frontdesk"]).unwrap().command.is_none());
    }
}
