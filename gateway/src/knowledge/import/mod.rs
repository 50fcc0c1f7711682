//! From a file as people export it to clean passages: decode, parse, clean, scan, and what of it is new.
//!
//! A file that cannot be read, or a row that makes no sense, is a [`Problem`] in the report and stops nothing else.

mod clean;
mod decode;
mod document;
mod duplicates;
mod injection;
mod json;
mod sentences;
mod table;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::store::Passage;
pub(super) use duplicates::{Verdict, deduplicate};

/// Largest file, in bytes.
pub const MAX_FILE_BYTES: usize = 32 << 20;
/// Most passages of one file.
const MAX_PASSAGES_PER_FILE: usize = 100_000;
/// Problems reported one by one; the rest are only counted.
pub(super) const MAX_PROBLEMS: usize = 1_000;
/// Longest question or title, in characters.
const MAX_QUESTION: usize = 500;
/// Most similar questions of one entry; those after it add nothing.
const MAX_SIMILAR: usize = 50;

/// How far an import is.
#[derive(Clone, Debug, Serialize)]
pub struct Progress {
    /// The file at hand.
    pub file: String,
    /// Files finished before this one.
    pub done: usize,
    /// Files in this import.
    pub total: usize,
}

/// What an import did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ImportReport {
    /// Rows and passages found in the files.
    pub read: usize,
    /// Of these, now in the knowledge base.
    pub kept: usize,
    /// Left out because the base has the same, or a newer or fuller version.
    pub duplicates: usize,
    /// Left out because they read like orders to the model.
    pub quarantined: usize,
    /// Left out because they hold no text, are tests, or cannot be read.
    pub skipped: usize,
    /// Passages that the base had before and has no longer: their file does not hold them now, or a newer one replaced them.
    pub removed: usize,
    /// Files of which nothing could be used because of errors; what they gave before is still there.
    pub failed: usize,
    /// Version of the knowledge base after the import.
    pub version: u64,
    /// What was left out or looks wrong, with file and line; the first 1,000.
    pub problems: Vec<Problem>,
}

/// One thing that the author of a file may want to look at.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Problem {
    /// The file's name.
    pub file: String,
    /// Line in the file, from 1; `None` where it is about the whole file.
    pub line: Option<u64>,
    /// Place in the file's JSON list, from 1, instead of a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<u64>,
    /// What sort of thing it is.
    pub kind: ProblemKind,
    /// What was found and what to do.
    pub message: String,
}

impl Problem {
    /// Where in the file: " line 3", " item 2", or nothing where it is about the whole file.
    pub fn place(&self) -> String {
        match (self.line, self.item) {
            (Some(line), _) => format!(" line {line}"),
            (None, Some(item)) => format!(" item {item}"),
            (None, None) => String::new(),
        }
    }
}

/// Sorts of [`Problem`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// The file or row could not be read.
    Error,
    /// Left out: no text, or a test row.
    Skipped,
    /// Left out: the base has it already, or something newer.
    Duplicate,
    /// Left out: reads like an order to the model.
    Quarantined,
    /// Kept, but two sources disagree.
    Conflict,
}

/// A passage as a parser found it, before cleaning.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Entry {
    line: u64,
    title: String,
    question: Option<String>,
    similar: Vec<String>,
    text: String,
    updated: Option<String>,
}

/// What one file gave.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// Whether entries are numbered as items of a JSON list, not by their lines.
    pub(super) of_items: bool,
    /// Clean passages with the numbers of their lines or items.
    pub(super) passages: Vec<(u64, Passage)>,
    /// Rows and passages found.
    pub(super) read: usize,
    /// Why some were left out.
    pub(super) problems: Vec<Problem>,
}

impl Parsed {
    /// Nothing, and why.
    pub(super) fn unreadable(name: &str, message: String) -> Self {
        let kind = ProblemKind::Error;
        let problem = Problem { file: name.to_owned(), line: None, item: None, kind, message };
        Self { problems: vec![problem], ..Self::default() }
    }

    /// How the author finds the entry of this number.
    pub(super) fn place(&self, number: u64) -> String {
        if self.of_items { format!("item {number}") } else { format!("line {number}") }
    }

    /// Whether errors left nothing of the file.
    pub(super) fn has_failed(&self) -> bool {
        self.passages.is_empty() && self.problems.iter().any(|problem| problem.kind == ProblemKind::Error)
    }
}

/// Everything that the file named `name` says, cleaned and scanned; never fails as a whole without a problem that says why.
pub(super) fn parse(name: &str, bytes: &[u8]) -> Parsed {
    let ((entries, complaints), of_items) = match entries(name, bytes) {
        Ok(found) => found,
        Err(message) => return Parsed::unreadable(name, message),
    };
    let mut parsed = Parsed { of_items, ..Parsed::default() };
    let problem = |number: Option<u64>, kind, message| {
        let (line, item) = if of_items { (None, number) } else { (number, None) };
        Problem { file: name.to_owned(), line, item, kind, message }
    };
    parsed.read = entries.len() + complaints.iter().filter(|(line, _)| line.is_some()).count();
    parsed
        .problems
        .extend(complaints.into_iter().map(|(line, message)| problem(line, ProblemKind::Error, message)));
    for entry in entries {
        let line = entry.line;
        match passages(name, entry) {
            Ok(passages) => parsed.passages.extend(passages.into_iter().map(|passage| (line, passage))),
            Err((kind, message)) => parsed.problems.push(problem(Some(line), kind, message)),
        }
    }
    if parsed.read == 0 {
        let message = "the file holds no entries; what it gave before stays until that is removed".to_owned();
        parsed.problems.push(problem(None, ProblemKind::Error, message));
    }
    parsed
}

/// Entries, and complaints as (line, message).
type Found = (Vec<Entry>, Vec<(Option<u64>, String)>);

/// Also whether the entries are numbered as items.
fn entries(name: &str, bytes: &[u8]) -> Result<(Found, bool), String> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(format!(
            "the file has {} bytes, at most {MAX_FILE_BYTES} are read: split it",
            bytes.len()
        ));
    }
    let (text, complaint) = decode::decode(bytes)?;
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let stem = stem.rsplit(['/', '\\']).next().unwrap_or(stem);
    let mut of_items = false;
    let (mut entries, mut complaints) = match extension.to_ascii_lowercase().as_str() {
        "csv" | "tsv" => table::parse(&text)?,
        "md" | "markdown" => (document::markdown(stem, &text), Vec::new()),
        "txt" | "text" => (document::plain(stem, &text), Vec::new()),
        "json" | "jsonl" | "ndjson" => {
            let (found, items) = json::parse(&text)?;
            of_items = items;
            found
        }
        other => {
            return Err(format!(
                "'.{other}' files are not read; export as .csv, .tsv, .md, .txt, .json or .jsonl"
            ));
        }
    };
    complaints.extend(complaint.map(|message| (None, message)));
    if entries.len() > MAX_PASSAGES_PER_FILE {
        complaints.push((
            None,
            format!(
                "only the first {MAX_PASSAGES_PER_FILE} of {} passages are read: split the file",
                entries.len()
            ),
        ));
        entries.truncate(MAX_PASSAGES_PER_FILE);
    }
    Ok(((entries, complaints), of_items))
}

/// Cleans one entry; a long answer becomes several passages under the same question.
fn passages(source: &str, entry: Entry) -> Result<Vec<Passage>, (ProblemKind, String)> {
    let question = entry.question.as_deref().map(clean::clean).filter(|question| !question.is_empty());
    let text = clean::clean(&entry.text);
    if text.is_empty() || (entry.question.is_some() && question.is_none()) {
        return Err((ProblemKind::Skipped, "the question or the answer is empty".into()));
    }
    if clean::is_test(&text) || question.as_deref().is_some_and(clean::is_test) {
        return Err((ProblemKind::Skipped, format!("looks like a test row: {}", excerpt(&text))));
    }
    if question.as_ref().is_some_and(|question| question.chars().count() > MAX_QUESTION) {
        return Err((ProblemKind::Error, format!("the question is longer than {MAX_QUESTION} characters")));
    }
    let title =
        question.clone().unwrap_or_else(|| clean::clean(&entry.title).chars().take(MAX_QUESTION).collect());
    if let Some(order) = [&title, &text].into_iter().find_map(|text| injection::find_order(text)) {
        return Err((
            ProblemKind::Quarantined,
            format!("reads like an order to the model: {}", excerpt(order)),
        ));
    }
    let similar = similar(&title, &entry.similar);
    Ok(sentences::split_answer(&text)
        .into_iter()
        .map(|text| passage(source, &title, question.as_deref(), text, entry.updated.as_deref()))
        .map(|passage| Passage { similar: similar.clone(), ..passage })
        .collect())
}

/// The other ways to ask `question`, cleaned, each once. They are searched and never shown, so orders to the model are only left out.
fn similar(question: &str, given: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for text in given.iter().map(|text| clean::clean(text)) {
        let wanted = !text.is_empty() && text != question && !kept.contains(&text);
        if wanted && text.chars().count() <= MAX_QUESTION && injection::find_order(&text).is_none() {
            kept.push(text);
        }
    }
    kept.truncate(MAX_SIMILAR);
    kept
}

fn passage(
    source: &str,
    title: &str,
    question: Option<&str>,
    text: String,
    updated: Option<&str>,
) -> Passage {
    let mut hash = Sha256::new();
    for part in [source, title, question.unwrap_or("\u{1}"), &text] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let id = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let updated = updated.and_then(clean::iso_date);
    Passage {
        id,
        source: source.to_owned(),
        title: title.to_owned(),
        question: question.map(str::to_owned),
        similar: Vec::new(),
        text,
        updated,
    }
}

/// The start of a text, short enough for one line of a report.
fn excerpt(text: &str) -> String {
    let start: String = text.chars().take(40).collect();
    if start.len() < text.len() { format!("{start}…") } else { start }
}

#[cfg(test)]
mod tests;
