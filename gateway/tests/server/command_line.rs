//! The commands for scripts and people.

use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::process::frontdesk;

fn run(arguments: &[&str]) -> Output {
    frontdesk().args(arguments).output().unwrap()
}

fn run_with_input(arguments: &[&str], input: &str) -> Vec<Value> {
    let mut child = frontdesk().args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn mask_answers_line_by_line_with_offsets_in_characters() {
    let lines = run_with_input(&["mask", "--json", "--stdin"], "我的手机号是13812345678请联系\n\n你好\n");
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["masked"], "我的手机号是138****5678请联系");
    assert_eq!(lines[0]["spans"], serde_json::json!([{"kind": "phone", "start": 6, "end": 17}]));
    assert_eq!(lines[2]["spans"], serde_json::json!([]));
}

#[test]
fn intent_answers_line_by_line() {
    let lines = run_with_input(&["intent", "--json", "--stdin"], "我的订单到哪了\n你好\n");
    assert_eq!(lines.len(), 2);
    for line in lines {
        let probability = line["probability"].as_f64().unwrap();
        assert!(
            line["intent"].is_string()
                && line["abstained"].is_boolean()
                && (0.0..=1.0).contains(&probability)
        );
    }
}

#[test]
fn what_was_imported_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("faq.csv");
    std::fs::write(&file, "question,answer\nWhen are you open?,Every day from nine to six.\n").unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    assert!(run(&["kb", "import", file.to_str().unwrap(), "--data-dir", data]).status.success());
    let found = run(&["kb", "search", "When are you open?", "-k", "1", "--json", "--data-dir", data]);
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(found["query"], "When are you open?");
    assert_eq!(found["hits"][0]["question"], "When are you open?");
    assert_eq!(found["hits"][0]["source"], "faq.csv");
    assert_eq!(found["covered"], true);
}

#[test]
fn config_says_where_each_value_came_from_and_keeps_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("frontdesk.toml");
    std::fs::write(&file, "queue = 7\nport = 1\n").unwrap();
    let output = frontdesk()
        .args(["config", "--port", "7000", "--config", file.to_str().unwrap()])
        .env("FRONTDESK_API_KEY", "very-secret-key")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "port = 7000  # flag --port".to_owned(),
        format!("queue = 7  # file {}", file.display()),
        "api_key = ***  # environment variable FRONTDESK_API_KEY".to_owned(),
        "host = \"127.0.0.1\"  # default".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("very-secret-key"));
}

#[test]
fn errors_come_before_a_port_is_opened() {
    let complaints = [
        (vec!["demo", "--host", "0.0.0.0"], "this machine only"),
        (vec!["serve", "--host", "0.0.0.0"], "api_key"),
        (vec!["serve", "--jwt-secret", "short"], "at least 32 bytes"),
        (vec!["serve", "--model-path", "no-such-folder"], "config.json"),
        (vec!["serve", "--log-format", "xml"], "text or json"),
        (vec!["serve", "--log-level", "bogus"], "error, warn, info, debug, trace, off"),
        (vec!["bench", "--url", "https://127.0.0.1:6006", "--api-key", "12345678"], "only plain http://"),
        (
            vec![
                "token",
                "--sub",
                "me",
                "--scope",
                "foo",
                "--jwt-secret",
                "0123456789abcdef0123456789abcdef",
            ],
            "there is no such scope",
        ),
    ];
    for (arguments, complaint) in complaints {
        let output = run(&arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        assert!(text.contains(complaint) && !text.contains("short\""), "{arguments:?}: {text}");
    }
}

#[test]
fn a_search_of_an_empty_base_says_where_the_demo_s_is() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["kb", "search", "hello", "--json", "--data-dir", folder.path().to_str().unwrap()]);
    assert!(output.status.success());
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["covered"], false);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("empty") && said.contains("--data-dir ./data/demo"), "{said}");
}
