//! `frontdesk bench`: concurrent streams against a running server, and what they felt.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use http::Uri;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret;
use tokio::net::TcpStream;

use super::say;
use crate::config::Config;

/// What to send.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  frontdesk bench --concurrency 8 --requests 64 --api-key KEY

Every stream asks with the header `Cache-Control: no-store`, so that the engine is measured and not the answer
cache; --cached leaves it out. Times are in milliseconds; tokens are the server's own count.")]
pub struct Bench {
    /// The server
    #[arg(long, default_value = "http://127.0.0.1:6006")]
    url: Uri,
    /// Streams at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=4096))]
    concurrency: u16,
    /// Requests in all
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
    /// What to ask; may be given several times, taken in turn
    #[arg(long = "prompt", default_values = ["收到货后多久可以退货？", "How long does a refund take?"])]
    prompts: Vec<String>,
    /// The most tokens of an answer
    #[arg(long, default_value_t = 128)]
    max_tokens: u32,
    /// Let the answer cache answer
    #[arg(long)]
    cached: bool,
}

/// Measures and prints one JSON object.
pub fn run(config: &Config, bench: Bench) -> anyhow::Result<()> {
    check(&bench.url)?;
    let key = config.access.api_key.as_ref().map(|key| key.expose_secret().to_owned());
    let key = key.context("the server's key is needed: --api-key or FRONTDESK_API_KEY")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let target = Target { model: config.model.name.clone(), key, bench };
    say::line(&runtime.block_on(measure(Arc::new(target)))?.to_string());
    Ok(())
}

/// Only what this program speaks: any other scheme promises what it would not keep, and the key would go out in clear.
fn check(url: &Uri) -> anyhow::Result<()> {
    let plain = url.scheme_str().is_none_or(|scheme| scheme == "http") && url.authority().is_some();
    anyhow::ensure!(
        plain,
        "--url {url}: only plain http:// is spoken, as http://127.0.0.1:6006; measure a server behind TLS on its own machine"
    );
    Ok(())
}

struct Target {
    model: String,
    key: String,
    bench: Bench,
}

/// What one stream felt.
struct Sample {
    first_token: Duration,
    whole: Duration,
    tokens: u64,
}

async fn measure(target: Arc<Target>) -> anyhow::Result<serde_json::Value> {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let streams = (0..target.bench.concurrency)
        .map(|_| tokio::spawn(stream_of_requests(Arc::clone(&target), Arc::clone(&next))));
    let mut samples = Vec::new();
    let mut failures = Vec::new();
    for stream in streams.collect::<Vec<_>>() {
        for outcome in stream.await? {
            match outcome {
                Ok(sample) => samples.push(sample),
                Err(error) => failures.push(format!("{error:#}")),
            }
        }
    }
    if let (true, Some(failure)) = (samples.is_empty(), failures.first()) {
        bail!("no request succeeded; the first said: {failure}");
    }
    Ok(report(&samples, &failures, started.elapsed()))
}

async fn stream_of_requests(target: Arc<Target>, next: Arc<AtomicUsize>) -> Vec<anyhow::Result<Sample>> {
    let mut outcomes = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= target.bench.requests as usize {
            return outcomes;
        }
        outcomes.push(ask(&target, number).await);
    }
}

async fn ask(target: &Target, number: usize) -> anyhow::Result<Sample> {
    let started = Instant::now();
    let authority = target.bench.url.authority().context("--url must look like http://127.0.0.1:6006")?;
    let port = authority.port_u16().unwrap_or(80);
    let stream = TcpStream::connect((authority.host(), port)).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request(target, authority.as_str(), number)?).await?;
    if !response.status().is_success() {
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        bail!("{status}: {}", String::from_utf8_lossy(&body));
    }
    let mut reader = Reader::default();
    let mut body = response.into_body();
    let mut first_token = None;
    while let Some(frame) = body.frame().await {
        reader.push(frame?.data_ref().map(AsRef::as_ref).unwrap_or_default());
        if reader.text && first_token.is_none() {
            first_token = Some(started.elapsed());
        }
    }
    connection.abort();
    anyhow::ensure!(reader.done, "the stream broke off");
    let whole = started.elapsed();
    Ok(Sample { first_token: first_token.unwrap_or(whole), whole, tokens: reader.tokens })
}

fn request(target: &Target, host: &str, number: usize) -> anyhow::Result<http::Request<Full<Bytes>>> {
    let Bench { prompts, max_tokens, cached, .. } = &target.bench;
    let prompt = prompts.get(number % prompts.len().max(1)).context("--prompt is empty")?;
    let body = serde_json::json!({
        "model": target.model,
        "messages": [{ "role": "user", "content": prompt }],
        "stream": true,
        "stream_options": { "include_usage": true },
        "max_completion_tokens": max_tokens,
    });
    let request = http::Request::post("/v1/chat/completions")
        .header(HOST, host)
        .header(CONTENT_TYPE, "application/json")
        .header(AUTHORIZATION, format!("Bearer {}", target.key))
        .header("cache-control", if *cached { "max-age=3600" } else { "no-store" });
    Ok(request.body(Full::new(body.to_string().into()))?)
}

/// What a stream of events tells: when there is text, how many tokens, whether it ended well.
#[derive(Default)]
struct Reader {
    rest: Vec<u8>,
    text: bool,
    tokens: u64,
    done: bool,
}

impl Reader {
    fn push(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            if let Some(data) = line.strip_prefix(b"data: ") {
                self.event(data.trim_ascii());
            }
        }
    }

    fn event(&mut self, data: &[u8]) {
        self.done |= data == b"[DONE]";
        let chunk: serde_json::Value = serde_json::from_slice(data).unwrap_or_default();
        let delta = &chunk["choices"][0]["delta"];
        let says = |field: &str| delta[field].as_str().is_some_and(|text| !text.is_empty());
        self.text |= says("content") || says("reasoning_content");
        self.tokens = chunk["usage"]["completion_tokens"].as_u64().unwrap_or(self.tokens);
    }
}

fn report(samples: &[Sample], failures: &[String], took: Duration) -> serde_json::Value {
    let tokens: u64 = samples.iter().map(|sample| sample.tokens).sum();
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    let per_second = |sample: &Sample| {
        let writing = sample.whole.saturating_sub(sample.first_token).as_secs_f64();
        if writing > 0.0 { sample.tokens.saturating_sub(1) as f64 / writing } else { 0.0 }
    };
    serde_json::json!({
        "requests": samples.len(),
        "failed": failures.len(),
        "first_failure": failures.first(),
        "seconds": rounded(took.as_secs_f64()),
        "completion_tokens": tokens,
        "tokens_per_second": rounded(tokens as f64 / took.as_secs_f64().max(1e-9)),
        "time_to_first_token_ms": percentiles(samples.iter().map(|sample| millis(sample.first_token)).collect()),
        "request_ms": percentiles(samples.iter().map(|sample| millis(sample.whole)).collect()),
        "tokens_per_second_per_stream": percentiles(samples.iter().map(per_second).collect()),
    })
}

/// By nearest rank: each is a value that was measured.
fn percentiles(mut values: Vec<f64>) -> serde_json::Value {
    values.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        let rank = (values.len() * percent).div_ceil(100).max(1) - 1;
        values.get(rank).map(|value| rounded(*value))
    };
    serde_json::json!({ "p50": at(50), "p90": at(90), "p99": at(99), "max": at(100) })
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let values = (1..=10).map(f64::from).collect();
        assert_eq!(
            percentiles(values),
            serde_json::json!({"p50": 5.0, "p90": 9.0, "p99": 10.0, "max": 10.0})
        );
        assert!(percentiles(Vec::new())["p50"].is_null());
    }

    #[test]
    fn events_are_read_however_they_arrive() {
        let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"好\"}}]}\n\n: keep-alive\n\ndata: {\"choices\":[],\"usage\":{\"completion_tokens\":7}}\n\ndata: [DONE]\n\n";
        let mut reader = Reader::default();
        stream.as_bytes().iter().for_each(|byte| reader.push(&[*byte]));
        assert!(reader.text && reader.done);
        assert_eq!(reader.tokens, 7);
    }

    #[test]
    fn the_key_goes_nowhere_but_to_plain_http() {
        let verdict = |url: &str| check(&url.parse().unwrap());
        assert!(verdict("http://127.0.0.1:6006").is_ok() && verdict("localhost:6006").is_ok());
        for url in ["https://127.0.0.1:6006", "ftp://shop", "/v1"] {
            assert!(verdict(url).unwrap_err().to_string().contains("http://127.0.0.1"), "{url}");
        }
    }
}
