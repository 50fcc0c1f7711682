//! What the scripts in `encoder/` ask of the gateway, so that they need no second implementation of it.
//!
//! Reads one JSON value a line and prints one for each. With `--places`, `[text, role]`, answered with the features at each place as
//! `[hash, kind]`; with `--features`, a text, answered with its features, each once; with `--vectors FILE`, a question, answered with its vector. Otherwise
//! a knowledge base with questions, `{"entries": [{"question", "similar", "text"}], "queries": ["..."]}`, answered with the signals of each
//! question's candidates and of the judgement whether it is covered. `--encoder FILE` replaces the shipped encoder's weights.

use std::io::{BufRead, Write};
use std::sync::Arc;

use frontdesk_gateway::knowledge::content::Content;
use frontdesk_gateway::knowledge::encoder::{Encoder, Role, places};
use frontdesk_gateway::knowledge::features::Feature;
use frontdesk_gateway::knowledge::index::{Indexed, Live, Segment, Snapshot};
use frontdesk_gateway::knowledge::ranking::{Query, coverage, coverage_signals, rank};
use frontdesk_gateway::store::Passage;
use serde_json::{Value, json};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (asked, file) = (arguments.next(), arguments.next());
    let given = match (asked.as_deref(), file) {
        (Some("--encoder" | "--vectors"), Some(file)) => Some(Encoder::from_bytes(&std::fs::read(file)?)?),
        _ => None,
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let line: Value = serde_json::from_str(&line?)?;
        let encoder = || given.as_ref().unwrap_or_else(|| Encoder::embedded());
        let result = match asked.as_deref() {
            Some("--features") => listed(&Content::new(line.as_str().unwrap_or_default()).features),
            Some("--places") => {
                let role =
                    [Role::Question, Role::Heading, Role::Text][line[1].as_u64().unwrap_or(0) as usize % 3];
                places(line[0].as_str().unwrap_or_default(), role).iter().map(|place| listed(place)).collect()
            }
            Some("--vectors") => json!(encoder().encode(line.as_str().unwrap_or_default()).as_slice()),
            _ => trial(&line, encoder()),
        };
        writeln!(out, "{result}")?;
    }
    Ok(())
}

/// `[hash, kind]` of each feature.
fn listed(features: &[Feature]) -> Value {
    features.iter().map(|feature| json!([feature.hash, feature.kind as u8])).collect()
}

fn trial(trial: &Value, encoder: &Encoder) -> Value {
    let snapshot = snapshot(trial, encoder);
    let queries = trial["queries"].as_array().into_iter().flatten().filter_map(Value::as_str);
    queries.map(|query| result(&snapshot, query, encoder)).collect()
}

/// A base whose passages have their place in the trial as id.
fn snapshot(trial: &Value, encoder: &Encoder) -> Snapshot {
    let mut live = Live::new();
    for (place, entry) in trial["entries"].as_array().into_iter().flatten().enumerate() {
        let field = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let similar = entry["similar"].as_array().into_iter().flatten();
        let (id, source, title) = (place.to_string(), String::new(), field("question"));
        let passage = Passage {
            id: id.clone(),
            source,
            question: Some(title.clone()),
            similar: similar.filter_map(Value::as_str).map(str::to_owned).collect(),
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
        "coverage_signals": coverage_signals(snapshot, &query, &ranked).as_slice(),
        "coverage": coverage(snapshot, &query, &ranked),
    })
}
