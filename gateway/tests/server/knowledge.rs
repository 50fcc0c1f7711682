//! The knowledge base of a running server, over HTTP and from the command line beside it.

use serde_json::Value;

use crate::process::{Answer, Server, Setup, bearer, eventually, frontdesk};

const FAQ: &str = "问题,答案\n收到货后多久可以退货？,自签收之日起七天内可以申请退货。\n营业时间是几点到几点？,每天九点到十八点。\n";
const RETURNS: &str = "/v1/knowledge/search?q=%E6%94%B6%E5%88%B0%E8%B4%A7%E5%90%8E%E5%A4%9A%E4%B9%85%E5%8F%AF%E4%BB%A5%E9%80%80%E8%B4%A7&k=1";

fn send(server: &Server, line: &str, body: &str) -> Answer {
    let length = body.len();
    server.send(&format!(
        "{line} HTTP/1.1\r\nhost: t\r\nauthorization: {}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}",
        bearer()
    ))
}

fn first_hit(server: &Server) -> Value {
    send(server, &format!("GET {RETURNS}"), "").json()["hits"][0].clone()
}

#[test]
fn a_body_that_gives_nothing_is_refused_and_changes_nothing() {
    let server = Server::start(&Setup { knowledge: Some(FAQ), ..Setup::default() });
    for (name, body, word) in
        [("faq.csv", "", "no text"), ("faq.csv", "问题,答案\n", "no entries"), ("faq.exe", "x", ".csv")]
    {
        let answer = send(&server, &format!("POST /v1/knowledge?name={name}"), body);
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.json()["error"]["message"].as_str().unwrap().contains(word), "{}", answer.body);
    }
    let list = send(&server, "GET /v1/knowledge", "").json();
    assert_eq!((&list["passages"], &list["version"]), (&2.into(), &1.into()));
}

#[test]
fn what_is_deleted_is_never_found_again() {
    let server = Server::start(&Setup { knowledge: Some(FAQ), ..Setup::default() });
    let hit = first_hit(&server);
    let one = format!("DELETE /v1/knowledge/{}", hit["id"].as_str().unwrap());
    assert_eq!(send(&server, &one, "").json()["deleted"], true);
    assert_ne!(first_hit(&server)["id"], hit["id"]);
    let again = send(&server, &one, "");
    assert_eq!((again.status, &again.json()["error"]["code"]), (404, &"passage_not_found".into()));

    assert_eq!(send(&server, "DELETE /v1/knowledge?source=faq.csv", "").json()["removed"], 1);
    assert_eq!(send(&server, "DELETE /v1/knowledge?source=faq.csv", "").status, 404);
    assert_eq!(send(&server, "DELETE /v1/knowledge", "").status, 400);
    assert!(first_hit(&server).is_null());
    let keyless =
        server.send("DELETE /v1/knowledge?source=faq.csv HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n");
    assert_eq!(keyless.status, 401);
}

#[test]
fn the_command_line_lists_and_removes_beside_a_running_server() {
    let server = Server::start(&Setup { knowledge: Some(FAQ), ..Setup::default() });
    let kb = |arguments: &[&str]| {
        let output =
            frontdesk().arg("kb").args(arguments).arg("--data-dir").arg(server.data()).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (_, list, _) = kb(&["list", "--json"]);
    let ids: Vec<String> = list
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 2);
    assert!(kb(&["list"]).1.contains("[faq.csv]  营业时间是几点到几点？"));
    let (code, _, complaint) = kb(&["remove", &ids[0], "nothing"]);
    assert!(code == Some(1) && complaint.contains("'nothing'"), "{complaint}");
    assert_eq!(kb(&["list", "--json"]).1.lines().count(), 1);
    assert_eq!(
        kb(&["remove", "--source", "faq.csv"]),
        (Some(0), "passages removed: 1\n".into(), String::new())
    );
    assert_eq!(kb(&["remove", "--source", "faq.csv"]).0, Some(1));
    assert_eq!(kb(&["remove"]).0, Some(2));
    eventually("the server finds nothing", || first_hit(&server).is_null());
}

#[test]
fn an_import_that_fails_says_so_in_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let [good, empty, broken] = ["good.csv", "empty.csv", "broken.json"].map(|name| folder.path().join(name));
    std::fs::write(&good, FAQ).unwrap();
    std::fs::write(&empty, "问题,答案\n").unwrap();
    std::fs::write(&broken, "{").unwrap();
    let import = |files: &[&std::path::Path]| {
        let output = frontdesk()
            .args(["kb", "import"])
            .args(files)
            .arg("--data-dir")
            .arg(folder.path())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = import(&[&good]);
    assert!(
        code == Some(0) && said.contains("2 kept") && said.contains("0 earlier passages removed"),
        "{said}"
    );
    let (code, said) = import(&[&good, &empty, &broken]);
    assert!(code == Some(1) && said.contains("2 of 3 files") && said.contains("no entries"), "{said}");
    let (code, said) = import(&[&good, &good]);
    assert!(code == Some(1) && said.contains("the same name"), "{said}");
}

#[test]
fn head_is_answered_without_a_body_and_405_says_what_is() {
    let server = Server::start(&Setup::default());
    let head = send(&server, "HEAD /v1/models", "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(server.send("HEAD /livez HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").status, 200);
    assert_eq!(send(&server, "PUT /v1/chat/completions", "").header("allow"), "post");
    assert_eq!(send(&server, "PATCH /v1/knowledge", "").header("allow"), "get, head, post, delete");
}
