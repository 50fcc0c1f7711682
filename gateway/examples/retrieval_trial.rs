//! Puts many small knowledge bases to the test: the measuring half of `encoder/calibrate.py` and `encoder/evaluate.py`.
//!
//! Reads one JSON object a line, `{"entries": [{"question", "text"}], "queries": ["..."]}`, and prints one line a base: for each query
//! the candidates' places with their signals, the coverage signals, and what the shipped coefficients say. `--encoder FILE` replaces the
//! shipped encoder's weights, so that topics held out from training can be measured.

use std::io::{BufRead, Write};
use std::sync::Arc;

use frontdesk_gateway::knowledge::Encoder;
use frontdesk_gateway::knowledge::index::{Indexed, Live, Segment, Snapshot};
use frontdesk_gateway::knowledge::ranking::{Query, coverage, coverage_signals, rank};
use frontdesk_gateway::store::Passage;
use serde_json::{Value, json};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let custom = match (arguments.next().as_deref(), arguments.next()) {
        (Some("--encoder"), Some(file)) => Some(Encoder::from_bytes(&std::fs::read(file)?)?),
        _ => None,
    };
    let encoder = custom.as_ref().unwrap_or_else(|| Encoder::embedded());
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let trial: Value = serde_json::from_str(&line?)?;
        let snapshot = snapshot(&trial, encoder);
        let queries = trial["queries"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let results: Vec<Value> = queries.map(|query| result(&snapshot, query, encoder)).collect();
        writeln!(out, "{}", Value::from(results))?;
    }
    Ok(())
}

/// A base whose passages have their place in the trial as id.
fn snapshot(trial: &Value, encoder: &Encoder) -> Snapshot {
    let mut live = Live::new();
    for (place, entry) in trial["entries"].as_array().into_iter().flatten().enumerate() {
        let field = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let (id, source, title) = (place.to_string(), String::new(), field("question"));
        let passage = Passage {
            id: id.clone(),
            source,
            question: Some(title.clone()),
            title,
            text: field("text"),
            updated: None,
        };
        live.insert(id, Arc::new(Indexed::new(passage, encoder)));
    }
    let base = Segment::new(live.values().cloned().collect());
    Snapshot::new(1, Arc::new(live), Arc::new(base))
}

fn result(snapshot: &Snapshot, query: &str, encoder: &Encoder) -> Value {
    let query = Query::new(query, encoder);
    let ranked = rank(snapshot, &query, encoder);
    let candidates: Vec<Value> =
        ranked.iter().map(|one| json!([one.entry.passage.id.parse::<usize>().ok(), one.signals])).collect();
    json!({
        "candidates": candidates,
        "coverage_signals": coverage_signals(snapshot, &query, &ranked),
        "coverage": coverage(snapshot, &query, &ranked),
    })
}
