//! `frontdesk-engine score` as users run it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens").join(name)
}

fn score(model: &Path, tokens: &str, more: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.json");
    std::fs::write(&file, tokens).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_frontdesk-engine"));
    command
        .arg("score")
        .arg("--model-path")
        .arg(model)
        .arg("--tokens")
        .arg(&file)
        .args(more)
        .output()
        .unwrap()
}

/// Natural-log probabilities of golden logits.
fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f64 = logits.iter().map(|l| f64::from(l - largest).exp()).sum();
    logits.iter().map(|l| f64::from(l - largest) - sum.ln()).collect()
}

#[test]
fn every_position_has_a_line_that_agrees_with_transformers() {
    let text = std::fs::read(golden("dense").join("golden.json")).unwrap();
    let json: Value = serde_json::from_slice(&text).unwrap();
    let tokens: Vec<usize> =
        json["tokens"].as_array().unwrap().iter().map(|t| t.as_u64().unwrap() as usize).collect();
    let bytes = std::fs::read(golden("dense").join("logits.f32")).unwrap();
    let logits: Vec<f32> = bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    for ranks in ["1", "2", "4"] {
        let more = ["--top", "20", "--json", "--tensor-parallel-size", ranks];
        let output = score(&golden("dense"), &json["tokens"].to_string(), &more);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines: Vec<Value> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(lines.len(), tokens.len());
        for (p, (line, logits)) in lines.iter().zip(logits.chunks_exact(300)).enumerate() {
            check_line(line, p, tokens.get(p + 1).copied(), &log_softmax(logits));
        }
    }
}

fn check_line(line: &Value, position: usize, next: Option<usize>, logprobs: &[f64]) {
    assert_eq!(line["position"], position);
    assert_eq!(line["next"].as_u64(), next.map(|t| t as u64));
    let close = |value: &Value, token: usize| (value.as_f64().unwrap() - logprobs[token]).abs() < 1e-3;
    match next {
        Some(token) => assert!(close(&line["logprob"], token)),
        None => assert!(line["logprob"].is_null() && line["next"].is_null()),
    }
    let top = line["top"].as_array().unwrap();
    assert_eq!(top.len(), 20);
    assert!(top.iter().all(|t| close(&t["logprob"], t["id"].as_u64().unwrap() as usize)));
    assert!(top.windows(2).all(|w| w[0]["logprob"].as_f64() >= w[1]["logprob"].as_f64()));
    let best = logprobs.iter().copied().fold(f64::MIN, f64::max);
    assert!((top[0]["logprob"].as_f64().unwrap() - best).abs() < 1e-3);
}

#[test]
fn bad_input_is_a_clear_error() {
    let cases = [
        ("[1, 2, 300]", "token 2 is 300: expected an id below 300"),
        ("[1, -2]", "element 1: expected a token id, found -2"),
        ("[1, \"a\"]", "element 1: expected a token id, found \"a\""),
        ("[1, 2.5]", "element 1: expected a token id, found 2.5"),
        ("[]", "at least one token"),
        ("{\"tokens\": [1]}", "expected a JSON array of token ids, found an object"),
        ("hello", "expected a JSON array of token ids"),
        ("", "expected a JSON array of token ids"),
    ];
    for (tokens, expected) in cases {
        let output = score(&golden("dense"), tokens, &["--json"]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{tokens}");
        assert!(error.contains(expected) && error.contains("tokens.json"), "{tokens}: {error}");
        assert!(output.stdout.is_empty(), "{tokens}");
    }
    let too_long = format!("[1{}]", ",1".repeat(512));
    let error = String::from_utf8(score(&golden("odd"), &too_long, &[]).stderr).unwrap();
    assert!(error.contains("at most 512 tokens, found 513"), "{error}");
    let error = String::from_utf8(score(Path::new("/nowhere"), "[1]", &[]).stderr).unwrap();
    assert!(error.contains("cannot load the model: /nowhere/config.json does not exist"), "{error}");
}

#[test]
fn one_token_and_top_zero_and_the_table_work() {
    let output = score(&golden("odd"), "[5]", &["--top", "0", "--json"]);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "{\"position\":0,\"next\":null,\"logprob\":null,\"top\":[]}\n"
    );
    let output = score(&golden("odd"), "[5, 6]", &["--top", "1000"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && table.lines().count() == 3 && table.starts_with("position"),
        "{table}"
    );
}
