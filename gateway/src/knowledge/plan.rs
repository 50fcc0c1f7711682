//! What an import changes: which passages come, which go, and the report of it.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::import::{self, ImportReport, Parsed, Problem, ProblemKind, Verdict};
use super::index::Live;
use super::{KnowledgeError, MAX_PASSAGES};
use crate::store::{Change, Passage};

/// What an import of `files` changes in `live`, and the report of it.
pub(super) fn plan(
    live: &Live,
    files: Vec<(Parsed, String)>,
) -> Result<(Vec<Change>, ImportReport), KnowledgeError> {
    let mut report = ImportReport::default();
    // A file that gives nothing must not wipe what it gave before: it is rather broken than meant so.
    let replaced: Vec<&str> = files
        .iter()
        .filter(|(parsed, _)| !parsed.passages.is_empty())
        .map(|(_, name)| name.as_str())
        .collect();
    let others: Vec<&Passage> = live
        .values()
        .map(|entry| &entry.passage)
        .filter(|passage| !replaced.contains(&passage.source.as_str()))
        .collect();
    let incoming: Vec<(&Parsed, u64, &Passage)> = files
        .iter()
        .flat_map(|(parsed, _)| {
            parsed.passages.iter().map(move |(number, passage)| (parsed, *number, passage))
        })
        .collect();
    let all: Vec<&Passage> =
        others.iter().copied().chain(incoming.iter().map(|(_, _, passage)| *passage)).collect();
    let verdicts = import::deduplicate(&all);

    let found = |at: usize| at.checked_sub(others.len()).and_then(|at| incoming.get(at));
    let number = |at: usize| found(at).map(|(_, number, _)| *number);
    let mut kept: HashMap<&str, &Passage> = HashMap::new();
    let mut judged = Vec::new();
    for (at, (passage, verdict)) in all.iter().zip(&verdicts).enumerate() {
        let (other, kind, words) = match verdict {
            Verdict::ReplacedBy(other) => (other, ProblemKind::Duplicate, "left out in favour of"),
            Verdict::ConflictsWith(other) => {
                (other, ProblemKind::Conflict, "answers the same question otherwise than")
            }
            Verdict::Kept => {
                kept.insert(&passage.id, passage);
                continue;
            }
        };
        if kind == ProblemKind::Conflict {
            kept.insert(&passage.id, passage);
        }
        let Some(rival) = all.get(*other) else { continue };
        if kind == ProblemKind::Conflict && rival.source == passage.source && number(*other) == number(at) {
            continue; // parts of one long answer
        }
        report.duplicates += usize::from(kind == ProblemKind::Duplicate && number(at).is_some());
        let place = found(*other).map_or_else(
            || rival.source.clone(),
            |(parsed, number, _)| format!("{} {}", rival.source, parsed.place(*number)),
        );
        let of_items = found(at).is_some_and(|(parsed, ..)| parsed.of_items);
        judged.push(Problem {
            file: passage.source.clone(),
            line: number(at).filter(|_| !of_items),
            item: number(at).filter(|_| of_items),
            kind,
            message: format!("\"{}\" {words} {place}", passage.title),
        });
    }
    if kept.len() > MAX_PASSAGES {
        return Err(KnowledgeError::TooLarge { found: kept.len() });
    }

    let gone = live.keys().filter(|id| !kept.contains_key(id.as_str()));
    let mut changes: Vec<Change> = gone.cloned().map(Change::Remove).collect();
    report.removed = changes.len();
    let is_new = |passage: &Passage| live.get(&passage.id).is_none_or(|entry| entry.passage != *passage);
    let mut fresh: Vec<&Passage> = incoming
        .iter()
        .map(|(_, _, passage)| *passage)
        .filter(|passage| kept.get(passage.id.as_str()).is_some_and(|kept| std::ptr::eq(*kept, *passage)))
        .collect();
    report.kept = fresh.len();
    fresh.retain(|passage| is_new(passage));
    changes.extend(fresh.into_iter().cloned().map(Change::Put));

    files.iter().for_each(|(parsed, _)| tally(parsed, &mut report));
    report.problems.extend(judged);
    report.problems.truncate(import::MAX_PROBLEMS);
    Ok((changes, report))
}

/// Adds what reading one file came to.
fn tally(parsed: &Parsed, report: &mut ImportReport) {
    let of_entries = || parsed.problems.iter().filter(|problem| !problem.place().is_empty());
    let count = |kind| of_entries().filter(|problem| problem.kind == kind).count();
    report.read += parsed.read;
    report.failed += usize::from(parsed.has_failed());
    report.quarantined += count(ProblemKind::Quarantined);
    report.skipped += count(ProblemKind::Skipped) + count(ProblemKind::Error);
    report.problems.extend(parsed.problems.iter().cloned());
}

/// The file's name, whatever its folder and its company: a later import of the file must find what this one gave.
pub(super) fn source_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Refuses files of one name: each would take the other's place.
pub(super) fn refuse_same_names(paths: &[PathBuf]) -> Result<(), KnowledgeError> {
    let mut seen: HashMap<String, &Path> = HashMap::new();
    for path in paths {
        if let Some(other) = seen.insert(source_name(path), path) {
            return Err(KnowledgeError::SameName { one: other.to_owned(), other: path.clone() });
        }
    }
    Ok(())
}

/// The file's passages, or why it cannot be read.
pub(super) fn read(path: &Path, name: &str) -> Parsed {
    let size = fs::metadata(path).map(|file| file.len()).unwrap_or(0);
    let complaint = if size > import::MAX_FILE_BYTES as u64 {
        format!("the file has {size} bytes, at most {} are read: split it", import::MAX_FILE_BYTES)
    } else {
        match fs::read(path) {
            Ok(bytes) => return import::parse(name, &bytes),
            Err(error) => format!("cannot read {}: {error}", path.display()),
        }
    };
    Parsed::unreadable(name, complaint)
}
