//! The real program as a child process, and a client of plain sockets.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::model;

pub const KEY: &str = "key-of-the-tests";
const PATIENCE: Duration = Duration::from_secs(60);

/// What a server under test is started with.
pub struct Setup<'a> {
    /// What its model says, one token each.
    pub words: &'a [&'a str],
    /// Whether it repeats the last word for ever.
    pub for_ever: bool,
    /// Further flags.
    pub flags: &'a [&'a str],
    /// A knowledge base to import first, as CSV.
    pub knowledge: Option<&'a str>,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self {
            words: &["七天", "内", "可以", "退货。"], for_ever: false, flags: &[], knowledge: None
        }
    }
}

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    folder: TempDir,
    address: String,
}

/// The program with none of the developer's own settings.
pub fn frontdesk() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_frontdesk"));
    std::env::vars().filter(|(name, _)| name.starts_with("FRONTDESK_")).for_each(|(name, _)| {
        command.env_remove(name);
    });
    command
}

impl Server {
    /// Starts a server and waits until it is ready.
    pub fn start(setup: &Setup<'_>) -> Self {
        let server = Self::start_loading(setup);
        let started = Instant::now();
        while server.get("/readyz").status != 200 {
            assert!(started.elapsed() < PATIENCE, "not ready: {}", server.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn start_loading(setup: &Setup<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (model, data) = (folder.path().join("model"), folder.path().join("data"));
        model::write(&model, setup.words, setup.for_ever);
        if let Some(csv) = setup.knowledge {
            let file = folder.path().join("faq.csv");
            std::fs::write(&file, csv).unwrap();
            let import = frontdesk().args(["kb", "import"]).arg(&file).arg("--data-dir").arg(&data).output();
            assert!(import.unwrap().status.success());
        }
        let log = File::create(folder.path().join("log")).unwrap();
        let mut child = frontdesk()
            .args(["serve", "--port", "0", "--threads", "1"])
            .arg("--model-path")
            .arg(&model)
            .arg("--data-dir")
            .arg(&data)
            .args(setup.flags)
            .env("FRONTDESK_API_KEY", KEY)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_default();
        let address = first.strip_prefix("frontdesk listens on http://").unwrap_or_default().to_owned();
        // Somebody must read on, or the server's greeting would end in a broken pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let server = Self { child, folder, address };
        assert!(!server.address.is_empty(), "did not start: {first} {}", server.log());
        server
    }

    /// The folder with everything the server has.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// A GET without a key.
    pub fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"))
    }

    /// A metric's value, labels included in the name; 0 while it was never counted.
    pub fn metric(&self, name: &str) -> f64 {
        let metrics = self.get("/metrics").body;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// A chat request with the key.
    pub fn chat(&self, body: &Value) -> Answer {
        self.chat_with(body, &[])
    }

    /// A chat request with the key and further headers.
    pub fn chat_with(&self, body: &Value, headers: &[(&str, &str)]) -> Answer {
        self.send(&request(&body.to_string(), &[&[("authorization", bearer().as_str())], headers].concat()))
    }

    /// A stream that is read as it comes.
    pub fn stream(&self, body: &Value) -> BufReader<TcpStream> {
        let mut socket = self.connect();
        socket
            .write_all(request(&body.to_string(), &[("authorization", bearer().as_str())]).as_bytes())
            .unwrap();
        BufReader::new(socket)
    }

    /// Sends raw bytes and reads until the server closes.
    pub fn send(&self, raw: &str) -> Answer {
        let mut socket = self.connect();
        // A server that refuses early may close before all was sent.
        let _refused_early = socket.write_all(raw.as_bytes());
        let mut bytes = Vec::new();
        let _reset_after_refusal = socket.read_to_end(&mut bytes);
        Answer::parse(&bytes)
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(&self.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_waited = self.child.wait();
    }
}

/// The Authorization header's value.
pub fn bearer() -> String {
    format!("Bearer {KEY}")
}

/// A POST to the chat route.
pub fn request(body: &str, headers: &[(&str, &str)]) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// A response, whole.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a response");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let chunked = head.contains("transfer-encoding: chunked");
        let body = if chunked { unchunked(&bytes[end + 4..]) } else { bytes[end + 4..].to_vec() };
        Self { status, head, body: String::from_utf8(body).unwrap() }
    }

    /// A header's value; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The data of each event of a stream.
    pub fn events(&self) -> Vec<&str> {
        self.body.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect()
    }

    /// The text of a stream's first choice.
    pub fn text(&self) -> String {
        let chunks = self.events().into_iter().filter_map(|data| serde_json::from_str::<Value>(data).ok());
        let texts =
            chunks.map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().unwrap_or("").to_owned());
        texts.collect()
    }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
    body
}

/// Tries until it holds; fails after a while.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(20), "never came true: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
