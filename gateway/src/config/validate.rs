//! From values to a [`Config`]: each rule once, each refusal naming setting, origin, value and what is allowed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use super::{
    AccessConfig, AnswerConfig, CacheConfig, Command, Config, ConfigError, JwtConfig, JwtKey, LimitConfig,
    LogConfig, ModelConfig, Resolved,
};
use crate::mask::Policy;

/// RFC 8725, 3.5: a secret as long as the hash.
const SECRET_BYTES_MIN: usize = 32;
/// A key/value cache that holds less has no room for a framed question and its answer.
const CACHE_TOKENS_MIN: usize = 256;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Checks every value.
pub fn validate(resolved: &Resolved, command: Command) -> Result<Config, ConfigError> {
    let settings = &resolved.settings;
    let access = access(resolved)?;
    let days = settings.conversation_days;
    within(resolved, "conversation_days", days, 1, 3650)?;
    Ok(Config {
        address: address(resolved, command, &access)?,
        data_dir: settings.data_dir.clone(),
        model: model(resolved)?,
        access,
        limits: limits(resolved)?,
        answers: answers(resolved)?,
        mask: mask(resolved)?,
        conversations: settings.conversation_log.then(|| DAY * days),
        log: log(resolved)?,
        drain: seconds(resolved, "drain_seconds", settings.drain_seconds, 0, 3600)?,
    })
}

fn address(resolved: &Resolved, command: Command, access: &AccessConfig) -> Result<SocketAddr, ConfigError> {
    let settings = &resolved.settings;
    let ip = match settings.host.as_str() {
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => host.parse().map_err(|_| resolved.refuse("host", "an IP address, or localhost"))?,
    };
    let closed = access.api_key.is_none() && access.jwt.is_none();
    match command {
        Command::Demo if !ip.is_loopback() => Err(resolved.refuse(
            "host",
            "127.0.0.1, ::1 or localhost: the demo is for this machine only; `frontdesk serve` is for real use",
        )),
        Command::Serve if !ip.is_loopback() && closed => Err(resolved.refuse(
            "host",
            "a loopback address as long as no api_key, jwt_secret or jwt_public_key is set: others could reach it",
        )),
        _ => Ok(SocketAddr::new(ip, settings.port)),
    }
}

fn access(resolved: &Resolved) -> Result<AccessConfig, ConfigError> {
    let settings = &resolved.settings;
    let key = &settings.api_key;
    if !key.is_empty() && (key.len() < 8 || !key.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Err(resolved.refuse("api_key", "at least 8 printable ASCII characters without spaces"));
    }
    let key = (!key.is_empty()).then(|| key.clone().into());
    Ok(AccessConfig { api_key: key, jwt: jwt(resolved)? })
}

fn jwt(resolved: &Resolved) -> Result<Option<JwtConfig>, ConfigError> {
    let settings = &resolved.settings;
    let key = match (settings.jwt_secret.as_str(), filled(&settings.jwt_public_key)) {
        ("", None) => return Ok(None),
        ("", Some(path)) => JwtKey::Public(public_key(resolved, path)?),
        (secret, None) if secret.len() >= SECRET_BYTES_MIN => JwtKey::Secret(secret.into()),
        (_, None) => {
            return Err(
                resolved.refuse("jwt_secret", format!("at least {SECRET_BYTES_MIN} bytes (RFC 8725)"))
            );
        }
        (_, Some(_)) => {
            return Err(resolved.refuse("jwt_public_key", "only one of jwt_secret and jwt_public_key"));
        }
    };
    for (name, value) in [("jwt_issuer", &settings.jwt_issuer), ("jwt_audience", &settings.jwt_audience)] {
        if value.is_empty() {
            return Err(resolved.refuse(name, "a name: tokens for others must not open this door (RFC 8725)"));
        }
    }
    Ok(Some(JwtConfig {
        key,
        issuer: settings.jwt_issuer.clone(),
        audience: settings.jwt_audience.clone(),
        leeway: seconds(resolved, "jwt_leeway_seconds", settings.jwt_leeway_seconds, 0, 60)?,
    }))
}

fn public_key(resolved: &Resolved, path: &Path) -> Result<String, ConfigError> {
    let pem = std::fs::read_to_string(path).map_err(|error| {
        resolved.refuse("jwt_public_key", format!("a PEM file that can be read ({error})"))
    })?;
    crate::auth::algorithm_of(&pem).map(|_| pem).ok_or_else(|| {
        resolved.refuse("jwt_public_key", "a PEM file with an RSA, EC P-256 or Ed25519 public key")
    })
}

fn model(resolved: &Resolved) -> Result<ModelConfig, ConfigError> {
    let settings = &resolved.settings;
    let ranks = settings.tensor_parallel_size;
    if ![1, 2, 4, 8].contains(&ranks) {
        return Err(resolved.refuse("tensor_parallel_size", "1, 2, 4 or 8"));
    }
    let path = filled(&settings.model_path).map(Path::to_owned);
    if path.as_ref().is_some_and(|path| !path.join("config.json").is_file()) {
        return Err(resolved.refuse("model_path", "a folder that holds config.json and *.safetensors"));
    }
    within(resolved, "threads", settings.threads, 0, 1024)?;
    within(resolved, "block_size", settings.block_size, 1, 1024)?;
    within(resolved, "kv_blocks", settings.kv_blocks, 0, 1 << 24)?;
    if settings.kv_blocks > 0 && settings.kv_blocks * settings.block_size < CACHE_TOKENS_MIN {
        let rule = format!("0, or blocks for at least {CACHE_TOKENS_MIN} tokens: no request would fit");
        return Err(resolved.refuse("kv_blocks", rule));
    }
    within(resolved, "kv_mebibytes", settings.kv_mebibytes, 1, 1 << 24)?;
    within(resolved, "batch_tokens", settings.batch_tokens, 1, 1 << 17)?;
    within(resolved, "batch_sequences", settings.batch_sequences, 1, 4096)?;
    within(resolved, "queue", settings.queue, 1, 100_000)?;
    within(resolved, "max_prompt_tokens", settings.max_prompt_tokens, 0, 1 << 24)?;
    Ok(ModelConfig {
        name: model_name(&settings.model_name, path.as_deref()),
        path,
        tensor_parallel_size: ranks,
        threads: (settings.threads > 0).then_some(settings.threads),
        block_size: settings.block_size,
        kv_blocks: (settings.kv_blocks > 0).then_some(settings.kv_blocks),
        kv_bytes: settings.kv_mebibytes << 20,
        batch_tokens: settings.batch_tokens,
        batch_sequences: settings.batch_sequences,
        queue: settings.queue,
        max_prompt_tokens: (settings.max_prompt_tokens > 0).then_some(settings.max_prompt_tokens),
    })
}

fn model_name(configured: &str, path: Option<&Path>) -> String {
    let folder = path.and_then(Path::file_name).and_then(|name| name.to_str());
    match (configured, folder) {
        ("", Some(folder)) => folder.to_owned(),
        ("", None) => "frontdesk-demo".to_owned(),
        (name, _) => name.to_owned(),
    }
}

fn mask(resolved: &Resolved) -> Result<Policy, ConfigError> {
    let names: Vec<&str> =
        resolved.settings.mask_kinds.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        // A variable that was set to nothing by accident must not switch masking off.
        return Err(resolved.refuse("mask_kinds", "default, all, none, or kinds separated by commas"));
    }
    Policy::from_names(names).map_err(|error| {
        resolved.refuse("mask_kinds", format!("default, all, none, or kinds separated by commas ({error})"))
    })
}

fn limits(resolved: &Resolved) -> Result<LimitConfig, ConfigError> {
    let settings = &resolved.settings;
    within(resolved, "max_body_bytes", settings.max_body_bytes, 1024, 64 << 20)?;
    within(resolved, "max_concurrent", settings.max_concurrent, 1, 100_000)?;
    within(resolved, "max_connections", settings.max_connections, 1, 100_000)?;
    let unless_zero = |limit: u64| (limit > 0).then_some(limit);
    Ok(LimitConfig {
        requests_per_minute: unless_zero(settings.requests_per_minute),
        tokens_per_minute: unless_zero(settings.tokens_per_minute),
        max_body_bytes: settings.max_body_bytes,
        max_concurrent: settings.max_concurrent,
        max_connections: settings.max_connections,
        header_timeout: seconds(resolved, "header_seconds", settings.header_seconds, 1, 300)?,
        body_timeout: seconds(resolved, "body_seconds", settings.body_seconds, 1, 3600)?,
    })
}

fn answers(resolved: &Resolved) -> Result<AnswerConfig, ConfigError> {
    let settings = &resolved.settings;
    if !(0.0..=2.0).contains(&settings.default_temperature) {
        return Err(resolved.refuse("default_temperature", "0 to 2"));
    }
    within(resolved, "default_max_tokens", settings.default_max_tokens, 1, 131_072)?;
    within(resolved, "passages", settings.passages, 1, 20)?;
    within(resolved, "cache_entries", settings.cache_entries, 1, 10_000_000)?;
    let lifetime = seconds(resolved, "cache_seconds", settings.cache_seconds, 1, 30 * 86_400)?;
    Ok(AnswerConfig {
        default_temperature: settings.default_temperature,
        default_max_tokens: settings.default_max_tokens,
        passages: settings.passages,
        cache: settings.cache.then_some(CacheConfig { entries: settings.cache_entries, lifetime }),
        keep_alive: seconds(resolved, "keep_alive_seconds", settings.keep_alive_seconds, 1, 300)?,
    })
}

fn log(resolved: &Resolved) -> Result<LogConfig, ConfigError> {
    let settings = &resolved.settings;
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    // A lone word is a target to the filter, which would take a misspelt level for one.
    let is_level = |part: &str| LEVELS.iter().any(|level| part.trim().eq_ignore_ascii_case(level));
    let known = settings.log_level.split(',').all(|part| part.contains('=') || is_level(part));
    if !known || tracing_subscriber::EnvFilter::try_new(&settings.log_level).is_err() {
        return Err(
            resolved.refuse("log_level", "error, warn, info, debug, trace, off, or a list of target=level")
        );
    }
    match settings.log_format.as_str() {
        "text" | "json" => {
            Ok(LogConfig { level: settings.log_level.clone(), json: settings.log_format == "json" })
        }
        _ => Err(resolved.refuse("log_format", "text or json")),
    }
}

fn seconds(
    resolved: &Resolved,
    name: &str,
    value: u64,
    least: u64,
    most: u64,
) -> Result<Duration, ConfigError> {
    within(resolved, name, value, least, most).map(|()| Duration::from_secs(value))
}

fn within<T: PartialOrd + std::fmt::Display>(
    resolved: &Resolved,
    name: &str,
    value: T,
    least: T,
    most: T,
) -> Result<(), ConfigError> {
    if value >= least && value <= most {
        return Ok(());
    }
    Err(resolved.refuse(name, format!("{least} to {most}")))
}

fn filled(path: &Path) -> Option<&Path> {
    (!path.as_os_str().is_empty()).then_some(path)
}
