//! The answer cache: who gets an answer that was given before.

use serde_json::{Value, json};

use crate::process::{Server, Setup, eventually, frontdesk};

const FAQ: &str = "问题,答案\n收到货后多久可以退货？,自签收之日起七天内可以申请退货。\n营业时间是几点到几点？,每天九点到十八点。\n";

fn question(text: &str, stream: bool) -> Value {
    json!({"model": "model", "stream": stream, "messages": [{"role": "user", "content": text}]})
}

#[test]
fn the_same_question_is_answered_from_the_cache_and_as_a_stream_too() {
    let server = Server::start(&Setup { knowledge: Some(FAQ), ..Setup::default() });
    let asked = "收到货后多久可以退货？";
    let first = server.chat(&question(asked, false));
    assert_eq!(first.header("x-cache"), "miss");
    assert!(!first.header("x-frontdesk-sources").is_empty());
    assert_eq!(first.json()["frontdesk"]["covered"], true);

    let again = server.chat(&question(asked, false));
    assert_eq!(again.header("x-cache"), "hit-exact");
    assert_eq!(again.json()["choices"][0]["message"], first.json()["choices"][0]["message"]);
    assert_eq!(again.json()["usage"]["completion_tokens"], 8);
    assert_eq!(again.header("x-frontdesk-sources"), first.header("x-frontdesk-sources"));

    let streamed = server.chat(&question(asked, true));
    assert_eq!(streamed.header("x-cache"), "hit-exact");
    assert_eq!(streamed.text(), "七天内可以退货。");
    assert!(streamed.body.ends_with("data: [DONE]\n\n"));
    assert_eq!(server.metric(r#"frontdesk_cache_lookups_total{result="hit-exact"}"#), 2.0);

    let fresh = server.chat_with(&question(asked, false), &[("cache-control", "no-store")]);
    assert_eq!(fresh.header("x-cache"), "bypass");
}

#[test]
fn what_may_differ_is_not_kept() {
    let server = Server::start(&Setup { knowledge: Some(FAQ), ..Setup::default() });
    let mut warm = question("营业时间是几点到几点？", false);
    warm["temperature"] = json!(0.7);
    assert_eq!(server.chat(&warm).header("x-cache"), "bypass");
    let uncovered = question("火星上有几座火山？", false);
    server.chat(&uncovered);
    assert_eq!(server.chat(&uncovered).header("x-cache"), "miss");
}

#[test]
fn a_change_of_the_knowledge_base_ends_every_answer() {
    let server = Server::start(&Setup { knowledge: Some(FAQ), ..Setup::default() });
    let asked = question("收到货后多久可以退货？", false);
    server.chat(&asked);
    assert_eq!(server.chat(&asked).header("x-cache"), "hit-exact");
    let csv = "问题,答案\n可以开发票吗？,可以开具电子发票。\n";
    let import = format!(
        "POST /v1/knowledge?name=new.csv HTTP/1.1\r\nhost: t\r\nauthorization: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{csv}",
        crate::process::bearer(),
        csv.len()
    );
    let imported = server.send(&import);
    assert_eq!(imported.status, 200, "{}", imported.body);
    assert_eq!(server.chat(&asked).header("x-cache"), "miss");
}

#[test]
fn an_import_by_another_process_ends_every_answer() {
    let server = Server::start(&Setup { knowledge: Some(FAQ), ..Setup::default() });
    let asked = question("收到货后多久可以退货？", false);
    server.chat(&asked);
    assert_eq!(server.chat(&asked).header("x-cache"), "hit-exact");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("faq.csv");
    std::fs::write(&file, "问题,答案\n收到货后多久可以退货？,自签收之日起十五天内可以申请退货。\n").unwrap();
    let import = frontdesk().args(["kb", "import"]).arg(&file).arg("--data-dir").arg(server.data()).output();
    assert!(import.unwrap().status.success());
    eventually("the old answer is gone", || server.chat(&asked).header("x-kb-version") == "2");
    assert_eq!(server.metric(r#"frontdesk_cache_lookups_total{result="miss"}"#), 2.0);
}
