//! Every error has its status, its envelope and its headers.

use serde_json::json;

use crate::process::{Answer, Server, Setup, bearer, request};

fn check(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    let error = &answer.json()["error"];
    assert_eq!(error["code"], code, "{error}");
    assert!(error["message"].is_string() && error["type"].is_string(), "{error}");
    assert!(error.as_object().unwrap().contains_key("param"));
    assert!(!answer.header("x-request-id").is_empty());
    assert!(!answer.header("openai-processing-ms").is_empty());
}

#[test]
fn refusals() {
    let server = Server::start(&Setup { flags: &["--max-body-bytes", "2048"], ..Setup::default() });
    let key = bearer();
    let hello = json!([{"role": "user", "content": "hi"}]);
    check(&server.chat(&json!({"model": "model"})), 400, "missing_required_parameter");
    check(&server.chat(&json!({"model": "model", "messages": hello, "n": 0})), 400, "invalid_value");
    check(&server.chat(&json!({"model": "other", "messages": hello})), 404, "model_not_found");
    let long = json!({"model": "model", "messages": [{"role": "user", "content": "x".repeat(4096)}]});
    check(&server.chat(&long), 413, "request_too_large");
    check(&server.send(&request("{}", &[])), 401, "invalid_api_key");
    let send = |line: &str| {
        server
            .send(&format!("{line} HTTP/1.1\r\nhost: t\r\nauthorization: {key}\r\nconnection: close\r\n\r\n"))
    };
    check(&send("GET /v1/nothing"), 404, "unknown_url");
    check(&send("GET /v1/chat/completions"), 405, "method_not_supported");
    check(&send("GET /v1/models/other"), 404, "model_not_found");
    assert_eq!(send("GET /v1/models").json()["data"][0]["id"], "model");
}

#[test]
fn too_many_requests_say_when_to_come_back() {
    let server = Server::start(&Setup { flags: &["--requests-per-minute", "1"], ..Setup::default() });
    let body = json!({"model": "model", "messages": [{"role": "user", "content": "hi"}]});
    let first = server.chat(&body);
    assert_eq!(first.status, 200);
    assert_eq!(first.header("x-ratelimit-limit-requests"), "1");
    assert_eq!(first.header("x-ratelimit-remaining-requests"), "0");
    assert!(!first.header("x-ratelimit-reset-tokens").is_empty());
    let second = server.chat(&body);
    check(&second, 429, "rate_limit_exceeded");
    assert!((1..=60).contains(&second.header("retry-after").parse().unwrap()));
}

#[test]
fn tokens_are_reserved_before_they_are_used() {
    let server = Server::start(&Setup { flags: &["--tokens-per-minute", "100"], ..Setup::default() });
    let body = json!({"model": "model", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5000});
    check(&server.chat(&body), 429, "insufficient_quota");
}

#[test]
fn a_clients_own_id_comes_back_unless_it_names_somebody() {
    let server = Server::start(&Setup::default());
    let body = json!({"model": "model", "messages": [{"role": "user", "content": "hi"}]});
    let kept = server.chat_with(&body, &[("x-client-request-id", "order-page-7")]);
    assert_eq!(kept.header("x-request-id"), "order-page-7");
    let number = server.chat_with(&body, &[("x-client-request-id", "13812345678")]);
    assert!(number.header("x-request-id").starts_with("req_"));
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let server = Server::start(&Setup { flags: &["--body-seconds", "1"], ..Setup::default() });
    let stalled = server.send(&format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\nauthorization: {}\r\ncontent-length: 100\r\n\r\n{{",
        bearer()
    ));
    assert_eq!(stalled.status, 408);
    assert!(stalled.json()["error"]["message"].as_str().unwrap().contains("1 seconds"), "{}", stalled.body);
}
