//! Clients that leave, and a server that is told to stop.

use std::io::{BufRead, Read};

use serde_json::{Value, json};

use crate::process::{Server, Setup, eventually};

const ENDLESS: Setup<'static> = Setup {
    words: &["好"],
    for_ever: true,
    flags: &["--kv-blocks", "8192", "--drain-seconds", "30"],
    knowledge: None,
};

fn endless(tokens: u32) -> Value {
    let messages = json!([{"role": "user", "content": "你好"}]);
    json!({"model": "model", "stream": true, "max_completion_tokens": tokens, "messages": messages})
}

#[test]
fn a_client_that_leaves_frees_its_blocks() {
    let server = Server::start(&ENDLESS);
    let mut stream = server.stream(&endless(120_000));
    let mut line = String::new();
    while !line.contains("好") {
        line.clear();
        stream.read_line(&mut line).unwrap();
    }
    assert_eq!(server.metric("frontdesk_engine_running"), 1.0);
    assert!(server.metric("frontdesk_engine_blocks_used") > 0.0);
    drop(stream);
    eventually("the generation is cancelled", || server.metric("frontdesk_engine_in_flight") == 0.0);
    eventually("its blocks are free", || server.metric("frontdesk_engine_blocks_used") == 0.0);
    assert_eq!(server.metric(r#"frontdesk_generations_total{outcome="cancelled"}"#), 1.0);
    assert_eq!(server.metric("frontdesk_requests_in_flight"), 0.0);
    assert_eq!(server.metric("frontdesk_engine_orphans"), 0.0);
}

#[test]
fn an_open_stream_is_finished_before_the_end() {
    let mut server = Server::start(&ENDLESS);
    let mut stream = server.stream(&endless(3000));
    let mut line = String::new();
    while !line.contains("好") {
        line.clear();
        stream.read_line(&mut line).unwrap();
    }
    server.signal("TERM");
    eventually("readyz says no", || server.get("/readyz").status == 503);
    assert_eq!(server.get("/livez").status, 200);
    let refused = server.chat(&endless(1));
    assert_eq!(refused.status, 503);
    assert!(!refused.header("retry-after").is_empty());
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains(r#""finish_reason":"length""#) && rest.contains("[DONE]"));
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut server = Server::start(&ENDLESS);
    let stream = server.stream(&endless(120_000));
    eventually("it generates", || server.metric("frontdesk_engine_running") == 1.0);
    server.signal("INT");
    eventually("it drains", || server.get("/readyz").status == 503);
    server.signal("INT");
    assert_eq!(server.wait().code(), Some(130));
    drop(stream);
}

#[test]
fn a_stream_that_outlasts_the_drain_is_cut_off_and_still_logged() {
    let flags = &["--kv-blocks", "8192", "--drain-seconds", "0"];
    let mut server = Server::start(&Setup { flags, ..ENDLESS });
    let stream = server.stream(&endless(120_000));
    eventually("it generates", || server.metric("frontdesk_engine_running") == 1.0);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    drop(stream);
    let store = frontdesk_gateway::store::Store::open(&server.data()).unwrap();
    assert_eq!(store.exchange_count().unwrap(), 1);
}

#[test]
fn a_request_too_many_at_once_is_told_to_come_back() {
    let flags = &["--kv-blocks", "8192", "--max-concurrent", "1"];
    let server = Server::start(&Setup { flags, ..ENDLESS });
    let stream = server.stream(&endless(120_000));
    eventually("it generates", || server.metric("frontdesk_engine_running") == 1.0);
    let refused = server.chat(&endless(1));
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), "1");
    drop(stream);
    eventually("there is room again", || server.chat(&endless(1)).status == 200);
}
