//! Tests of the chat request: what is taken, and for each way to go wrong the field that is named.

use serde_json::{Value, json};

use super::*;
use crate::transcript::small::Random;
use crate::transcript::{Call, Reply};

/// The smallest request, with these fields changed.
fn with(changes: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    if let (Value::Object(body), Value::Object(changes)) = (&mut body, changes) {
        body.extend(changes);
    }
    body
}

fn parse(body: &Value) -> Result<Chat, ApiError> {
    Chat::parse(body.to_string().as_bytes(), &Limits::default())
}

#[test]
fn the_smallest_request_gets_the_defaults() {
    let chat = parse(&with(json!({}))).unwrap();
    assert_eq!(chat.question(), Some("hi"));
    assert_eq!((chat.n, chat.stream, chat.include_usage), (1, false, false));
    assert_eq!((chat.max_tokens, chat.logprobs, chat.user), (None, None, None));
    assert_eq!(chat.effort, Effort::Low);
    let Sampling { temperature, top_p, seed, .. } = chat.sampling;
    assert_eq!((temperature, top_p, seed), (None, 1.0, None));
}

#[test]
fn every_offered_field_is_taken() {
    let chat = parse(&with(json!({
        "frequency_penalty": -2, "presence_penalty": 2, "temperature": 0, "top_p": 0.5, "seed": -1,
        "logit_bias": {"7": -100, "9": 1.5}, "logprobs": true, "top_logprobs": 20,
        "max_completion_tokens": 9, "max_tokens": 9, "metadata": {"k": "v"}, "modalities": ["text"], "n": 8,
        "parallel_tool_calls": false, "prompt_cache_key": "k", "prompt_cache_retention": "24h",
        "reasoning_effort": "xhigh", "response_format": {"type": "text"}, "safety_identifier": "s",
        "service_tier": "auto", "stop": ["a", "b"], "store": false, "stream": true,
        "stream_options": {"include_usage": true, "include_obfuscation": false}, "tool_choice": "auto",
        "tools": [{"type": "function", "function": {
            "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": false}}],
        "user": "u", "verbosity": "medium",
        "audio": null, "function_call": null, "functions": null, "prediction": null, "web_search_options": null,
    })))
    .unwrap();
    let expected = Sampling {
        temperature: Some(0.0),
        top_p: 0.5,
        frequency_penalty: -2.0,
        presence_penalty: 2.0,
        seed: Some(u64::MAX),
        logit_bias: vec![(7, -100.0), (9, 1.5)],
    };
    assert_eq!(chat.sampling, expected);
    assert_eq!((chat.n, chat.max_tokens, chat.logprobs), (8, Some(9), Some(20)));
    assert!(chat.stream && chat.include_usage);
    assert_eq!(chat.stops, ["a", "b"]);
    assert_eq!(chat.effort, Effort::High);
    assert_eq!(chat.user.as_deref(), Some("s"));
    assert_eq!(chat.metadata["k"], "v");
    let parameters = Some(json!({"type": "object"}));
    assert_eq!(chat.tools, [Tool { name: "f".to_owned(), description: "d".to_owned(), parameters }]);
}

#[test]
fn messages_become_turns() {
    let chat = parse(&with(json!({"messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "name": "n"},
        {"role": "assistant", "content": null, "reasoning_content": "hm", "refusal": null, "annotations": [],
            "tool_calls": [{"id": "c1", "type": "function", "index": 0,
                "function": {"name": "order", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "sent"},
        {"role": "assistant", "content": "Sent.", "reasoning": "ok", "audio": null, "function_call": null},
        {"role": "assistant", "refusal": "No."},
    ]})))
    .unwrap();
    let call = Call { id: "c1".to_owned(), name: "order".to_owned(), arguments: "{}".to_owned() };
    let says = |reasoning: &str, content: &str, calls| {
        Turn::Assistant(Reply { reasoning: reasoning.to_owned(), content: content.to_owned(), calls })
    };
    let expected = [
        Turn::User("a\nb".to_owned()),
        says("hm", "", vec![call]),
        Turn::Tool { name: "order".to_owned(), content: "sent".to_owned() },
        says("ok", "Sent.", vec![]),
        says("", "No.", vec![]),
    ];
    assert_eq!(chat.instructions.as_deref(), Some("Be kind.\n\nBe brief."));
    assert_eq!(chat.turns, expected);
    assert_eq!(chat.question(), None);
}

#[test]
fn tools_are_hidden_under_tool_choice_none() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    assert_eq!(parse(&with(json!({"tools": tools, "tool_choice": "none"}))).unwrap().tools, []);
}

#[test]
fn a_wrong_field_is_named_with_its_case() {
    let function = |extra: Value| {
        let mut function = json!({"name": "f"});
        if let (Value::Object(function), Value::Object(extra)) = (&mut function, extra) {
            function.extend(extra);
        }
        json!({"tools": [{"type": "function", "function": function}]})
    };
    let cases = [
        (json!({"temperature": 2.1}), "temperature", "invalid_value"),
        (json!({"temperature": -0.1}), "temperature", "invalid_value"),
        (json!({"temperature": 1e300}), "temperature", "invalid_value"),
        (json!({"temperature": "hot"}), "temperature", "invalid_value"),
        (json!({"top_p": 1.5}), "top_p", "invalid_value"),
        (json!({"frequency_penalty": 3}), "frequency_penalty", "invalid_value"),
        (json!({"presence_penalty": -3}), "presence_penalty", "invalid_value"),
        (json!({"n": 0}), "n", "invalid_value"),
        (json!({"n": 9}), "n", "invalid_value"),
        (json!({"n": -1}), "n", "invalid_value"),
        (json!({"n": 1.5}), "n", "invalid_value"),
        (json!({"seed": 1.5}), "seed", "invalid_value"),
        (json!({"logit_bias": {"x": 1}}), "logit_bias", "invalid_value"),
        (json!({"logit_bias": {"1": 101}}), "logit_bias", "invalid_value"),
        (json!({"top_logprobs": 1}), "top_logprobs", "invalid_value"),
        (json!({"logprobs": true, "top_logprobs": 21}), "top_logprobs", "invalid_value"),
        (json!({"stream_options": {}}), "stream_options", "invalid_value"),
        (
            json!({"stream": true, "stream_options": {"include_obfuscation": true}}),
            "stream_options.include_obfuscation",
            "unsupported_value",
        ),
        (json!({"stream": true, "stream_options": {"x": 1}}), "stream_options.x", "unknown_parameter"),
        (json!({"stop": ["a", "b", "c", "d", "e"]}), "stop", "invalid_value"),
        (json!({"stop": ""}), "stop", "invalid_value"),
        (json!({"stop": 5}), "stop", "invalid_value"),
        (json!({"stop": [5]}), "stop[0]", "invalid_value"),
        (json!({"max_tokens": 0}), "max_tokens", "invalid_value"),
        (json!({"max_completion_tokens": 0}), "max_completion_tokens", "invalid_value"),
        (json!({"max_completion_tokens": 1, "max_tokens": 2}), "max_tokens", "invalid_value"),
        (json!({"reasoning_effort": "huge"}), "reasoning_effort", "invalid_value"),
        (json!({"response_format": {"type": "json_object"}}), "response_format", "unsupported_parameter"),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}),
            "response_format",
            "unsupported_parameter",
        ),
        (json!({"response_format": {"type": "xml"}}), "response_format.type", "invalid_value"),
        (json!({"modalities": ["text", "audio"]}), "modalities", "unsupported_value"),
        (json!({"audio": {}}), "audio", "unsupported_parameter"),
        (json!({"functions": []}), "functions", "unsupported_parameter"),
        (json!({"function_call": "auto"}), "function_call", "unsupported_parameter"),
        (json!({"prediction": {}}), "prediction", "unsupported_parameter"),
        (json!({"web_search_options": {}}), "web_search_options", "unsupported_parameter"),
        (json!({"store": true}), "store", "unsupported_parameter"),
        (json!({"verbosity": "low"}), "verbosity", "unsupported_value"),
        (json!({"service_tier": "flex"}), "service_tier", "unsupported_value"),
        (json!({"tool_choice": "required"}), "tool_choice", "unsupported_value"),
        (json!({"tool_choice": {"type": "function"}}), "tool_choice", "unsupported_value"),
        (json!({"tool_choice": "maybe"}), "tool_choice", "invalid_value"),
        (json!({"tools": [{"type": "custom"}]}), "tools[0].type", "unsupported_value"),
        (json!({"tools": [{"type": "function"}]}), "tools[0].function", "missing_required_parameter"),
        (function(json!({"name": "a<|end|>"})), "tools[0].function.name", "invalid_value"),
        (function(json!({"name": ""})), "tools[0].function.name", "invalid_value"),
        (function(json!({"strict": true})), "tools[0].function.strict", "unsupported_value"),
        (function(json!({"parameters": 3})), "tools[0].function.parameters", "invalid_value"),
        (json!({"metadata": {"k": "v".repeat(513)}}), "metadata", "invalid_value"),
        (json!({"user": "u".repeat(513)}), "user", "invalid_value"),
        (json!({"top_k": 5}), "top_k", "unknown_parameter"),
        (json!({"model": ""}), "model", "missing_required_parameter"),
        (json!({"model": null}), "model", "invalid_value"),
    ];
    for (changes, param, code) in cases {
        let error = parse(&with(changes.clone())).unwrap_err();
        let found = (error.status, error.param.as_deref(), error.code);
        assert_eq!(found, (400, Some(param), Some(code)), "{changes}: {error}");
    }
}

#[test]
fn a_wrong_message_is_named_with_its_place() {
    let user = json!({"role": "user", "content": "hi"});
    let cases = [
        (json!({"role": "user"}), "messages[1].content", "missing_required_parameter"),
        (json!({"role": "user", "content": null}), "messages[1].content", "missing_required_parameter"),
        (json!({"role": "user", "content": 5}), "messages[1].content", "invalid_value"),
        (json!({"role": "user", "content": [5]}), "messages[1].content[0]", "invalid_value"),
        (
            json!({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}),
            "messages[1].content[0].type",
            "unsupported_value",
        ),
        (
            json!({"role": "user", "content": [{"type": "text"}]}),
            "messages[1].content[0].text",
            "missing_required_parameter",
        ),
        (
            json!({"role": "user", "content": [{"type": "poem"}]}),
            "messages[1].content[0].type",
            "invalid_value",
        ),
        (
            json!({"role": "user", "content": "x", "tool_calls": []}),
            "messages[1].tool_calls",
            "invalid_value",
        ),
        (json!({"role": "user", "content": "x", "mood": 1}), "messages[1].mood", "unknown_parameter"),
        (json!({"content": "x"}), "messages[1].role", "missing_required_parameter"),
        (json!({"role": "robot", "content": "x"}), "messages[1].role", "invalid_value"),
        (json!({"role": "function", "content": "x", "name": "f"}), "messages[1].role", "unsupported_value"),
        (json!({"role": "assistant"}), "messages[1].content", "missing_required_parameter"),
        (
            json!({"role": "assistant", "content": "x", "audio": {"id": "a"}}),
            "messages[1].audio",
            "unsupported_parameter",
        ),
        (
            json!({"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "a b", "arguments": ""}}]}),
            "messages[1].tool_calls[0].function.name",
            "invalid_value",
        ),
        (json!({"role": "tool", "content": "x"}), "messages[1].tool_call_id", "missing_required_parameter"),
        (
            json!({"role": "tool", "content": "x", "tool_call_id": "?"}),
            "messages[1].tool_call_id",
            "invalid_value",
        ),
    ];
    for (message, param, code) in cases {
        let error = parse(&with(json!({"messages": [user, message]}))).unwrap_err();
        assert_eq!((error.param.as_deref(), error.code), (Some(param), Some(code)), "{message}: {error}");
    }
}

#[test]
fn too_much_is_refused() {
    let limits = Limits { messages: 2, text_bytes: 10, tools: 1, n: 1 };
    let user = |text: &str| json!({"role": "user", "content": text});
    let system = |text: &str| json!({"role": "system", "content": text});
    let function = |name: &str| json!({"type": "function", "function": {"name": name}});
    let cases = [
        (json!({"messages": []}), "messages"),
        (json!({"messages": [user("a"), user("b"), user("c")]}), "messages"),
        (json!({"messages": [user("123456"), user("12345")]}), "messages"),
        (json!({"messages": [system("123456"), user("12345")]}), "messages"),
        (json!({"tools": [function("f"), function("g")]}), "tools"),
        (json!({"n": 2}), "n"),
    ];
    for (changes, param) in cases {
        let body = with(changes.clone()).to_string();
        let error = Chat::parse(body.as_bytes(), &limits).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{changes}");
    }
    let full = with(json!({"messages": [system("12345"), user("12345")]})).to_string();
    assert!(Chat::parse(full.as_bytes(), &limits).is_ok());
}

#[test]
fn two_tools_of_one_name_are_refused() {
    let function = json!({"type": "function", "function": {"name": "f"}});
    let error = parse(&with(json!({"tools": [function, function]}))).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("tools[1].function.name"));
}

#[test]
fn a_key_that_is_there_twice_is_refused() {
    let body = br#"{"model":"m","n":1,"n":2,"messages":[]}"#;
    let error = Chat::parse(body, &Limits::default()).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("n"));
}

#[test]
fn no_body_makes_it_panic_and_every_refusal_is_a_400() {
    let whole = with(json!({
        "stop": ["a"], "logit_bias": {"7": 1}, "stream": true, "stream_options": {"include_usage": true},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "messages": [{"role": "system", "content": "退货"},
            {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "x"}]}],
    }))
    .to_string();
    assert!(Chat::parse(whole.as_bytes(), &Limits::default()).is_ok());
    for seed in 0..5000 {
        let mut random = Random(seed);
        let mut body = whole.clone().into_bytes();
        for _ in 0..=random.below(3) {
            let at = random.below(body.len());
            match random.below(4) {
                0 => body[at] = random.next() as u8,
                1 => drop(body.remove(at)),
                2 => body.truncate(at + 1),
                _ => body[at] = b"[]{},:\"0n"[random.below(9)],
            }
        }
        if let Err(error) = Chat::parse(&body, &Limits::default()) {
            assert_eq!(error.status, 400, "seed {seed}");
        }
    }
}
