//! `/v1/knowledge`: import, list, search and remove over HTTP, for tokens with the scope `knowledge`.

use std::sync::Arc;

use http::Uri;

use super::Asked;
use crate::knowledge::{HITS_MAX, ImportReport, Knowledge, KnowledgeError, ProblemKind};
use crate::openai::ApiError;
use crate::reply::{self, Response};
use crate::stack::Gateway;

const HITS_DEFAULT: usize = 3;

/// What was imported.
pub fn list(gateway: &Gateway) -> Result<Response, ApiError> {
    reply::json(&serde_json::json!({
        "object": "list",
        "version": gateway.knowledge.version(),
        "passages": gateway.knowledge.len(),
        "data": gateway.knowledge.list(),
    }))
}

/// Imports the body as the file that `name` says it is. Once this answers 200, searches find it.
pub async fn import(gateway: &Arc<Gateway>, asked: Asked) -> Result<Response, ApiError> {
    let name = parameter(&asked.head.uri, "name").ok_or_else(|| ApiError::missing_parameter("name"))?;
    let gateway = Arc::clone(gateway);
    // Reading and embedding a file takes longer than other requests should wait for a thread.
    let imported = tokio::task::spawn_blocking(move || gateway.knowledge.import_bytes(&name, &asked.body));
    match imported.await {
        Ok(Ok(report)) if report.failed > 0 => Err(ApiError::invalid_value("body", refusal(&report))),
        Ok(Ok(report)) => reply::json(&report),
        Ok(Err(error)) => Err(ApiError::invalid_value("body", error.to_string())),
        Err(_) => Err(ApiError::internal("The import failed; nothing was changed.")),
    }
}

/// Removes one passage. Once this answers 200, no search finds it.
pub async fn remove(gateway: &Arc<Gateway>, id: &str) -> Result<Response, ApiError> {
    let id = decode(id);
    let wanted = id.clone();
    match change(gateway, move |knowledge| knowledge.remove(&wanted)).await? {
        true => reply::json(
            &serde_json::json!({"id": id, "deleted": true, "version": gateway.knowledge.version()}),
        ),
        false => Err(ApiError::no_such_passage("id", format!("No passage has the id '{id}'."))),
    }
}

/// Removes all that the file `source` gave.
pub async fn remove_source(gateway: &Arc<Gateway>, uri: &Uri) -> Result<Response, ApiError> {
    let source = parameter(uri, "source").ok_or_else(|| ApiError::missing_parameter("source"))?;
    let wanted = source.clone();
    match change(gateway, move |knowledge| knowledge.remove_source(&wanted)).await? {
        0 => Err(ApiError::no_such_passage("source", format!("No passage comes from '{source}'."))),
        removed => reply::json(&serde_json::json!({
            "source": source, "deleted": true, "removed": removed, "version": gateway.knowledge.version(),
        })),
    }
}

/// Runs a change of the knowledge base where it makes no other request wait.
async fn change<T: Send + 'static>(
    gateway: &Arc<Gateway>,
    change: impl FnOnce(&Knowledge) -> Result<T, KnowledgeError> + Send + 'static,
) -> Result<T, ApiError> {
    let knowledge = gateway.knowledge.clone();
    let failed = |error: String| {
        tracing::error!(error, "a change of the knowledge base failed");
        ApiError::internal("The change failed; the knowledge base is as it was.")
    };
    let changed = tokio::task::spawn_blocking(move || change(&knowledge)).await;
    changed.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))
}

/// Why nothing of a file was imported.
fn refusal(report: &ImportReport) -> String {
    let error = report.problems.iter().find(|problem| problem.kind == ProblemKind::Error);
    let reason = error.map_or_else(
        || "it cannot be read".to_owned(),
        |error| format!("{}{}: {}", error.file, error.place(), error.message),
    );
    format!("Nothing was imported, and nothing changed. {reason}")
}

/// The passages nearest to `q`.
pub fn search(gateway: &Gateway, uri: &Uri) -> Result<Response, ApiError> {
    let query = parameter(uri, "q").ok_or_else(|| ApiError::missing_parameter("q"))?;
    let count = parameter(uri, "k").map_or(Ok(HITS_DEFAULT), |text| text.parse());
    match count {
        Ok(count @ 1..=HITS_MAX) => reply::json(&gateway.knowledge.search(&query, count)),
        _ => Err(ApiError::invalid_value("k", format!("k must be a number from 1 to {HITS_MAX}."))),
    }
}

/// A parameter of the query string, percent-decoded.
fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let pairs = uri.query()?.split('&');
    let value = pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?.1;
    Some(decode(value)).filter(|value| !value.is_empty())
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        let escaped = tail.get(..2).filter(|_| *first == b'%').and_then(hex);
        bytes.push(escaped.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = if escaped.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let uri: Uri = "/s?k=2&q=%E9%80%80+a%2".parse().unwrap();
        assert_eq!(parameter(&uri, "q").unwrap(), "退 a%2");
        assert_eq!(parameter(&uri, "k").unwrap(), "2");
        assert_eq!(parameter(&uri, "x"), None);
    }
}
