//! `frontdesk kb`: import, list, search and remove what the shop knows.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{lines, say};
use crate::config::{self, Config};
use crate::knowledge::{HITS_MAX, ImportReport, Knowledge, SearchResult};
use crate::store::Store;

/// What to do with the knowledge base.
#[derive(clap::Subcommand)]
pub enum Kb {
    /// Import CSV, Markdown or text files; a file of the same name is replaced
    ///
    /// A running server finds what is imported within a second.
    /// Example: frontdesk kb import faq.csv handbook.md
    Import {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The report as one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show every passage with its id and the file it came from
    ///
    /// Example: frontdesk kb list --json
    List {
        /// One JSON object per passage and line
        #[arg(long)]
        json: bool,
    },
    /// Remove passages for good, by their ids or all of a file
    ///
    /// A running server no longer finds them after a second. Example: frontdesk kb remove --source faq.csv
    Remove {
        /// Ids, as `kb list` and `kb search` show them
        #[arg(required_unless_present = "source")]
        ids: Vec<String>,
        /// The name of a file: everything that it gave
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
    },
    /// Show the passages nearest to a question
    ///
    /// Example: frontdesk kb search "How long do refunds take?" -k 3 --json
    Search {
        #[command(flatten)]
        input: lines::Input,
        /// How many passages
        #[arg(short, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=HITS_MAX as i64))]
        k: u8,
    },
}

/// Does it.
pub fn run(config: &Config, kb: Kb) -> anyhow::Result<()> {
    let knowledge = Knowledge::open(Store::open(&config.data_dir)?)?;
    match kb {
        Kb::Import { files, json } => import(&knowledge, &files, json),
        Kb::List { json } => {
            mention_empty(config, &knowledge);
            list(&knowledge, json)
        }
        Kb::Remove { ids, source } => remove(&knowledge, &ids, source.as_deref()),
        Kb::Search { input, k } => {
            mention_empty(config, &knowledge);
            lines::each(input.text.as_deref(), |text| {
                let result = knowledge.search(text, usize::from(k));
                match input.json {
                    true => say::line(&serde_json::to_string(&result)?),
                    false => show(&result),
                }
                Ok(())
            })
        }
    }
}

fn import(knowledge: &Knowledge, files: &[PathBuf], json: bool) -> anyhow::Result<()> {
    for file in files {
        std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    let step = say::Step::begin("Importing");
    let report = knowledge.import_files(files, &mut |progress| {
        step.at(progress.done as u64, progress.total as u64, &progress.file);
    })?;
    step.end(&summary(&report));
    report.problems.iter().for_each(|problem| {
        say::note(&format!("  {}{}: {}", problem.file, problem.place(), problem.message));
    });
    if json {
        say::line(&serde_json::to_string(&report)?);
    }
    anyhow::ensure!(
        report.failed == 0,
        "nothing of {} of {} files could be imported, for the reasons above; what they gave before is still there",
        report.failed,
        files.len()
    );
    Ok(())
}

/// Whoever looks into an empty base most likely looks into the wrong one.
fn mention_empty(config: &Config, knowledge: &Knowledge) {
    if !knowledge.is_empty() {
        return;
    }
    say::note(&format!(
        "The knowledge base in {} is empty: `frontdesk kb import FILE` fills it.",
        config.data_dir.display()
    ));
    if config.data_dir != Path::new(config::DEMO_DATA_DIR) {
        say::note(&format!("The demo keeps its own: --data-dir {}", config::DEMO_DATA_DIR));
    }
}

fn list(knowledge: &Knowledge, json: bool) -> anyhow::Result<()> {
    for passage in knowledge.list() {
        say::line(&match json {
            true => serde_json::to_string(&passage)?,
            false => format!("{}  [{}]  {}", passage.id, passage.source, passage.title),
        });
    }
    Ok(())
}

/// Removes what is there, and then complains about what is not.
fn remove(knowledge: &Knowledge, ids: &[String], source: Option<&str>) -> anyhow::Result<()> {
    let mut missing = Vec::new();
    let mut removed = 0;
    if let Some(source) = source {
        let count = knowledge.remove_source(source)?;
        removed += count;
        missing.extend((count == 0).then(|| format!("no passage comes from '{source}'")));
    }
    for id in ids {
        let found = knowledge.remove(id)?;
        removed += usize::from(found);
        missing.extend((!found).then(|| format!("no passage has the id '{id}'")));
    }
    say::line(&format!("passages removed: {removed}"));
    anyhow::ensure!(missing.is_empty(), "{}; `frontdesk kb list` shows what there is", missing.join(", "));
    Ok(())
}

/// An import in one sentence.
pub fn summary(report: &ImportReport) -> String {
    format!(
        "{} entries read, {} kept, {} duplicates, {} set aside, {} skipped; {} earlier passages removed",
        report.read, report.kept, report.duplicates, report.quarantined, report.skipped, report.removed
    )
}

fn show(result: &SearchResult) {
    say::line(if result.covered { "covered" } else { "not covered" });
    for hit in &result.hits {
        say::line(&format!(
            "{:.3}  {}  [{} {}]\n       {}",
            hit.score, hit.title, hit.source, hit.id, hit.text
        ));
    }
}
