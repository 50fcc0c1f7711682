//! Answers, whole and streamed.

use serde_json::{Value, json};

use crate::process::{Server, Setup};

fn question(more: Value) -> Value {
    let mut body = json!({"model": "model", "messages": [{"role": "user", "content": "几天可以退货？"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// What differs from run to run, taken out.
fn golden(event: &str) -> String {
    let Ok(mut chunk) = serde_json::from_str::<Value>(event) else { return event.to_owned() };
    for member in ["id", "created", "system_fingerprint", "object", "model", "service_tier"] {
        assert!(!chunk[member].is_null(), "{member} is missing in {event}");
        chunk.as_object_mut().unwrap().shift_remove(member);
    }
    chunk.to_string()
}

#[test]
fn a_stream_event_by_event() {
    let server = Server::start(&Setup::default());
    let answer = server.chat(&question(json!({"stream": true, "stream_options": {"include_usage": true}})));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-cache");
    assert_eq!(answer.header("x-accel-buffering"), "no");
    let events: Vec<String> = answer.events().into_iter().map(golden).collect();
    let piece = |text: &str| {
        format!(
            r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}},"logprobs":null,"finish_reason":null}}],"usage":null}}"#
        )
    };
    let opening = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null}"#;
    assert_eq!(events[0], opening);
    assert_eq!(events[1..5], ["七天", "内", "可以", "退货。"].map(piece));
    assert!(events[5].contains(r#""delta":{},"logprobs":null,"finish_reason":"stop""#), "{}", events[5]);
    assert!(events[5].contains(r#""frontdesk":{"sources":[],"covered":false"#), "{}", events[5]);
    assert!(events[6].starts_with(r#"{"choices":[],"usage":{"prompt_tokens":"#), "{}", events[6]);
    assert!(events[6].contains(r#""completion_tokens":8"#), "{}", events[6]);
    assert_eq!(events[7..], ["[DONE]"]);
}

#[test]
fn a_whole_answer() {
    let server = Server::start(&Setup::default());
    let answer = server.chat(&question(json!({})));
    let json = answer.json();
    assert_eq!(json["object"], "chat.completion");
    assert_eq!(json["choices"][0]["message"]["content"], "七天内可以退货。");
    assert_eq!(json["choices"][0]["finish_reason"], "stop");
    assert_eq!(json["usage"]["completion_tokens"], 8);
    assert_eq!(json["frontdesk"]["covered"], false);
    assert_eq!(answer.header("x-cache"), "miss");
    assert_eq!(answer.header("x-kb-version"), "0");
}

#[test]
fn several_choices_each_with_its_index() {
    let server = Server::start(&Setup::default());
    let json = server.chat(&question(json!({"n": 3}))).json();
    let choices = json["choices"].as_array().unwrap();
    let indices: Vec<_> = choices.iter().map(|choice| choice["index"].as_u64().unwrap()).collect();
    assert_eq!(indices, [0, 1, 2]);
    assert!(choices.iter().all(|choice| choice["message"]["content"] == "七天内可以退货。"));
    assert_eq!(json["usage"]["completion_tokens"], 24);
    let streamed = server.chat(&question(json!({"n": 2, "stream": true})));
    assert_eq!(streamed.body.matches(r#""finish_reason":"stop""#).count(), 2);
    assert!(!streamed.text().is_empty());
}

#[test]
fn stop_strings_and_length_end_an_answer() {
    let server = Server::start(&Setup::default());
    let stopped = server.chat(&question(json!({"stop": ["可以退"]}))).json();
    assert_eq!(stopped["choices"][0]["message"]["content"], "七天内");
    assert_eq!(stopped["choices"][0]["finish_reason"], "stop");
    let cut = server.chat(&question(json!({"max_completion_tokens": 5}))).json();
    assert_eq!(cut["choices"][0]["message"]["content"], "七天内");
    assert_eq!(cut["choices"][0]["finish_reason"], "length");
}

#[test]
fn log_probabilities_belong_to_the_content() {
    let server = Server::start(&Setup::default());
    let json = server.chat(&question(json!({"logprobs": true, "top_logprobs": 2}))).json();
    let entries = json["choices"][0]["logprobs"]["content"].as_array().unwrap();
    let tokens: Vec<_> = entries.iter().map(|entry| entry["token"].as_str().unwrap()).collect();
    assert_eq!(tokens, ["七天", "内", "可以", "退货。"]);
    assert_eq!(entries[0]["top_logprobs"].as_array().unwrap().len(), 2);
}

#[test]
fn a_prompt_beyond_the_setting_is_refused_with_the_limit() {
    let server = Server::start(&Setup { flags: &["--max-prompt-tokens", "1000"], ..Setup::default() });
    assert_eq!(server.chat(&question(json!({}))).status, 200);
    let long = "退".repeat(1200);
    let answer = server.chat(&json!({"model": "model", "messages": [{"role": "user", "content": long}]}));
    let error = &answer.json()["error"];
    assert_eq!((answer.status, &error["code"]), (400, &json!("context_length_exceeded")));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("1000 tokens") && message.contains("max_prompt_tokens"), "{message}");
}

#[test]
fn what_does_not_fit_is_refused_before_it_is_computed() {
    let server =
        Server::start(&Setup { flags: &["--kv-blocks", "20", "--block-size", "16"], ..Setup::default() });
    let long = "退".repeat(400);
    let answer = server.chat(&json!({"model": "model", "messages": [{"role": "user", "content": long}]}));
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["code"], "context_length_exceeded");
}
