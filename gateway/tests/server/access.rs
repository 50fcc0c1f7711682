//! Who may ask: keys and tokens at the front door.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::process::{Server, Setup, frontdesk, request};

const SECRET: &str = "a secret of thirty-two bytes....";

fn ask(server: &Server, authorization: &str) -> u16 {
    let body = json!({"model": "model", "messages": [{"role": "user", "content": "hi"}]}).to_string();
    let answer = server.send(&request(&body, &[("authorization", authorization)]));
    if answer.status == 401 {
        assert_eq!(answer.json()["error"]["code"], "invalid_api_key");
        assert_eq!(answer.header("www-authenticate"), "bearer");
    }
    answer.status
}

fn token(algorithm: Algorithm, secret: &str, change: (&str, Value)) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let mut claims = json!({"sub": "shop", "iss": "frontdesk", "aud": "frontdesk", "exp": now + 600});
    claims[change.0] = change.1;
    format!(
        "Bearer {}",
        encode(&Header::new(algorithm), &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    )
}

#[test]
fn keys_and_tokens() {
    let server = Server::start(&Setup { flags: &["--jwt-secret", SECRET], ..Setup::default() });
    assert_eq!(ask(&server, &crate::process::bearer()), 200);
    assert_eq!(ask(&server, "Bearer wrong"), 401);
    assert_eq!(ask(&server, "Basic wrong"), 401);
    assert_eq!(server.send(&request("{}", &[])).status, 401);

    let good = ("scope", json!("chat"));
    assert_eq!(ask(&server, &token(Algorithm::HS256, SECRET, good.clone())), 200);
    assert_eq!(ask(&server, &token(Algorithm::HS512, SECRET, good.clone())), 401);
    assert_eq!(ask(&server, &token(Algorithm::HS256, "another secret of 32 bytes......", good)), 401);
    for change in [("exp", json!(1)), ("aud", json!("other")), ("iss", json!("other")), ("sub", json!(""))] {
        assert_eq!(ask(&server, &token(Algorithm::HS256, SECRET, change)), 401);
    }
    let unsigned = token(Algorithm::HS256, SECRET, ("scope", json!("chat")));
    let payload = unsigned.split('.').nth(1).unwrap();
    assert_eq!(ask(&server, &format!("Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.")), 401);
    let powerless = token(Algorithm::HS256, SECRET, ("scope", json!("knowledge")));
    assert_eq!(ask(&server, &powerless), 403);
}

#[test]
fn an_issued_token_opens() {
    let server = Server::start(&Setup { flags: &["--jwt-secret", SECRET], ..Setup::default() });
    let issued = frontdesk().args(["token", "--sub", "shop", "--ttl", "60", "--jwt-secret", SECRET]).output();
    let token = String::from_utf8(issued.unwrap().stdout).unwrap();
    assert_eq!(ask(&server, &format!("Bearer {}", token.trim())), 200);
}
