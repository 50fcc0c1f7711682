//! Golden JSON: names, order and absence of keys are what clients rely on.

use super::*;
use crate::transcript::Call;

fn answer(include_usage: bool) -> Answer {
    Answer { id: "chatcmpl-1".to_owned(), created: 7, model: "m".to_owned(), include_usage }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap().replace(FINGERPRINT, "FINGERPRINT")
}

fn desk() -> FrontDesk {
    let source = Source {
        id: "faq-3".to_owned(),
        title: "退货".to_owned(),
        source: "faq.csv".to_owned(),
        score: Some(0.5),
    };
    FrontDesk {
        sources: vec![source, Source::default()],
        covered: true,
        intent: Some("after_sales".to_owned()),
        cache: "miss".to_owned(),
        handoff: false,
    }
}

const DESK: &str = r#","frontdesk":{"sources":[{"id":"faq-3","title":"退货","source":"faq.csv","score":0.5},{"id":"","title":"","source":""}],"covered":true,"intent":"after_sales","cache":"miss","handoff":false}"#;

const USAGE: Usage = Usage { prompt_tokens: 5, cached_tokens: 4, completion_tokens: 3, reasoning_tokens: 2 };

const USAGE_JSON: &str = r#"{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":2,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"#;

fn choice(reply: Reply, finish_reason: FinishReason) -> Choice {
    Choice { index: 0, message: reply.into(), logprobs: None, finish_reason }
}

#[test]
fn a_whole_answer() {
    let reply = Reply { reasoning: "[1]".to_owned(), content: "七天。".to_owned(), calls: vec![] };
    let whole = answer(false).completion(vec![choice(reply, FinishReason::Stop)], USAGE, Some(desk()));
    let expected = format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":7,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"七天。","refusal":null,"reasoning_content":"[1]","annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{USAGE_JSON},"service_tier":"default","system_fingerprint":"FINGERPRINT"{DESK}}}"#
    );
    assert_eq!(json(&whole), expected);
}

#[test]
fn an_answer_that_calls_a_tool_has_no_content() {
    let call = Call { id: "call_1".to_owned(), name: "f".to_owned(), arguments: "{}".to_owned() };
    let reply = Reply { calls: vec![call], ..Reply::default() };
    let expected = r#"{"index":0,"message":{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}],"annotations":[]},"logprobs":null,"finish_reason":"tool_calls"}"#;
    assert_eq!(json(&choice(reply, FinishReason::ToolCalls)), expected);
    assert_eq!(Message::from(Reply::default()).content.as_deref(), Some(""));
}

fn chunk(choices: &str, tail: &str) -> String {
    let head = r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,"model":"m""#;
    let (usage, tail) = tail.split_once('|').unwrap_or(("", tail));
    format!(
        r#"{head},"choices":{choices}{usage},"service_tier":"default","system_fingerprint":"FINGERPRINT"{tail}}}"#
    )
}

fn delta(delta: &str, finish: &str) -> String {
    format!(r#"[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}]"#)
}

#[test]
fn a_stream_from_its_opening_to_its_closing() {
    let answer = answer(false);
    let opening = delta(r#"{"role":"assistant","content":""}"#, "null");
    assert_eq!(json(&answer.opening(0)), chunk(&opening, ""));
    let deltas = [
        (Piece::Reasoning("hm".to_owned()), r#"{"reasoning_content":"hm"}"#),
        (Piece::Content("Hi".to_owned()), r#"{"content":"Hi"}"#),
        (
            Piece::ToolCallStart { index: 0, id: "call_1".to_owned(), name: "f".to_owned() },
            r#"{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]}"#,
        ),
        (
            Piece::ToolCallArguments { index: 0, fragment: "{}".to_owned() },
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#,
        ),
    ];
    for (piece, expected) in deltas {
        assert_eq!(json(&answer.chunk(0, piece.into())), chunk(&delta(expected, "null"), ""));
    }
    let closing = answer.closing(0, FinishReason::Length, Some(desk()));
    assert_eq!(json(&closing), chunk(&delta("{}", r#""length""#), DESK));
}

#[test]
fn with_usage_every_chunk_says_null_but_the_last() {
    let answer = answer(true);
    let closing = answer.closing(0, FinishReason::Stop, None);
    assert_eq!(json(&closing), chunk(&delta("{}", r#""stop""#), r#","usage":null|"#));
    assert_eq!(json(&answer.usage(USAGE)), chunk("[]", &format!(r#","usage":{USAGE_JSON}|"#)));
}

#[test]
fn log_probabilities() {
    let half: &[u8] = &[0xE9, 0x80];
    let entry = TokenLogprob::new(b"a", -0.5, [(&b"a"[..], -0.5), (half, f32::NEG_INFINITY)]);
    let expected = r#"{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{"token":"a","logprob":-0.5,"bytes":[97]},{"token":"�","logprob":-9999.0,"bytes":[233,128]}]}],"refusal":null}"#;
    assert_eq!(json(&Logprobs::new(vec![entry])), expected);
}
