//! JSON arrays and JSON lines of objects with a question and an answer, under any of their usual names.

use serde_json::{Map, Value};

use super::{Entry, Found};

const QUESTION: [&str; 7] = ["question", "q", "query", "prompt", "问题", "instruction", "问"];
const ANSWER: [&str; 9] = ["answer", "a", "response", "reply", "答案", "回答", "output", "text", "content"];
const SIMILAR: [&str; 7] =
    ["similar", "similar_questions", "alternatives", "aliases", "variants", "相似问", "相似问题"];
const UPDATED: [&str; 5] = ["updated", "updated_at", "date", "更新时间", "更新日期"];

/// The objects of one JSON document, or of one a line; and whether they are numbered as items, not by their lines.
pub(super) fn parse(text: &str) -> Result<(Found, bool), String> {
    let document = serde_json::from_str::<Value>(text);
    let alone = matches!(&document, Ok(Value::Object(object)) if entry(1, object).is_some());
    let of_items = document.is_ok() && !alone;
    found(text, document).map(|found| (found, of_items))
}

fn found(text: &str, document: serde_json::Result<Value>) -> Result<Found, String> {
    match document {
        Ok(Value::Array(items)) => {
            Ok(collect(items.into_iter().enumerate().map(|(at, item)| (at as u64 + 1, Ok(item)))))
        }
        Ok(Value::Object(object)) if entry(1, &object).is_none() => {
            let list = object
                .into_iter()
                .find_map(|(_, value)| if let Value::Array(items) = value { Some(items) } else { None });
            let items = list.ok_or("expected a list of objects with \"question\" and \"answer\"")?;
            Ok(collect(items.into_iter().enumerate().map(|(at, item)| (at as u64 + 1, Ok(item)))))
        }
        Ok(single) => Ok(collect([(1, Ok(single))])),
        Err(error) if error.line() <= 1 || text.lines().count() > 1 => {
            let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            let found = collect(lines.map(|(at, line)| (at as u64 + 1, serde_json::from_str(line))));
            if found.0.is_empty() { Err(format!("neither JSON nor JSON lines: {error}")) } else { Ok(found) }
        }
        Err(error) => Err(format!("not JSON: {error}")),
    }
}

fn collect(items: impl IntoIterator<Item = (u64, serde_json::Result<Value>)>) -> Found {
    let (mut entries, mut complaints) = (Vec::new(), Vec::new());
    for (line, item) in items {
        let found = match &item {
            Ok(Value::Object(object)) => {
                entry(line, object).ok_or_else(|| "no \"answer\" text in this object".to_owned())
            }
            Ok(_) => Err("expected an object with \"question\" and \"answer\"".to_owned()),
            Err(error) => Err(format!("not JSON: {error}")),
        };
        match found {
            Ok(entry) => entries.push(entry),
            Err(message) => complaints.push((Some(line), message)),
        }
    }
    (entries, complaints)
}

fn entry(line: u64, object: &Map<String, Value>) -> Option<Entry> {
    let find = |names: &[&str]| {
        let field = |name: &&str| object.iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        names.iter().filter_map(field).find_map(|(_, value)| value.as_str()).map(str::to_owned)
    };
    let list = |names: &[&str]| {
        let field = |name: &&str| object.iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        let found = names.iter().find_map(field).and_then(|(_, value)| value.as_array());
        found.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let title = find(&["title", "标题"]).unwrap_or_default();
    let (question, updated, similar) = (find(&QUESTION), find(&UPDATED), list(&SIMILAR));
    Some(Entry { line, title, question, similar, text: find(&ANSWER)?, updated })
}
