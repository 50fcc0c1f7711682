//! Personal data leaves no trace: not in the answer, the database, the log or the metrics.

use std::path::Path;

use serde_json::json;

use crate::process::{Server, Setup};

const PHONE: &str = "13812345678";
const ID_CARD: &str = "11010519491231002X";

fn holds(folder: &Path, needle: &str) -> bool {
    std::fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds(&path, needle);
        }
        let bytes = std::fs::read(&path).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
    })
}

#[test]
fn raw_numbers_are_nowhere() {
    let setup = Setup { flags: &["--log-level", "trace"], ..Setup::default() };
    let mut server = Server::start(&setup);
    let body = json!({
        "model": "model", "user": PHONE, "metadata": {"who": PHONE},
        "messages": [
            {"role": "system", "content": format!("客户电话{PHONE}")},
            {"role": "user", "content": format!("我的手机号是{PHONE}，身份证{ID_CARD}，几天可以退货？")},
        ],
    });
    let answer = server.chat(&body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("x-redactions"), "id_card=1,phone=3");
    assert_eq!(answer.header("x-cache"), "bypass");
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains(r#"frontdesk_redactions_total{kind="id_card",direction="in"} 1"#), "{metrics}");
    server.signal("TERM");
    assert!(server.wait().success());
    for needle in [PHONE, ID_CARD] {
        assert!(!holds(&server.data(), needle), "{needle} is in the data directory");
        assert!(!server.log().contains(needle) && !metrics.contains(needle) && !answer.head.contains(needle));
    }
    assert!(holds(&server.data(), "138****5678"), "the masked conversation was not logged");
}

#[test]
fn what_tools_are_told_of_a_person_is_masked() {
    let server = Server::start(&Setup::default());
    let tool = json!({"type": "function", "function": {
        "name": "call_back", "description": format!("calls {PHONE}"),
        "parameters": {"type": "object", "properties": {"who": {"type": "string", "default": ID_CARD}}},
    }});
    let body = json!({"model": "model", "tools": [tool], "messages": [{"role": "user", "content": "几天可以退货？"}]});
    let answer = server.chat(&body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("x-redactions"), "id_card=1,phone=1");
}

#[test]
fn a_number_split_over_tokens_is_masked_in_the_stream() {
    let words = &["请拨打", "138", "1234", "5678", "，谢谢", "。"];
    let server = Server::start(&Setup { words, ..Setup::default() });
    let body = json!({"model": "model", "stream": true, "logprobs": true,
        "messages": [{"role": "user", "content": "怎么联系你们？"}]});
    let answer = server.chat(&body);
    assert_eq!(answer.text(), "请拨打138****5678，谢谢。");
    assert!(!answer.body.contains("1234"), "the log-probabilities spell it out: {}", answer.body);
    assert_eq!(server.metric(r#"frontdesk_redactions_total{kind="phone",direction="out"}"#), 1.0);
}

#[test]
fn what_the_shop_publishes_may_be_told() {
    let setup = Setup {
        words: &["请拨打", "0571-", "88000132", "。"],
        knowledge: Some("问题,答案\n门店电话是多少？,门店电话0571-88000132。\n"),
        ..Setup::default()
    };
    let server = Server::start(&setup);
    let ask =
        |text: &str| server.chat(&json!({"model": "model", "messages": [{"role": "user", "content": text}]}));
    let covered = ask("门店电话是多少？");
    assert_eq!(covered.json()["choices"][0]["message"]["content"], "请拨打0571-88000132。");
    let uncovered = ask("火星上有几座火山？");
    assert_eq!(uncovered.json()["choices"][0]["message"]["content"], "请拨打0571****0132。");
}
