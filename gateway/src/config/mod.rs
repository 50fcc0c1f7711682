//! Configuration in three types: [`Flags`] is what was typed, [`Resolved`] what the sources add up to, [`Config`]
//! what the program runs on. Everything is validated before a port is opened.

mod resolve;
mod settings;
mod validate;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

pub use resolve::{DEMO_DATA_DIR, Line, Origin, Resolved, resolve};
pub use settings::{Flags, Settings, TABLE};

/// What the configuration is for: the commands differ in what they allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// The demonstration: loopback only, sample knowledge.
    Demo,
    /// Real use.
    Serve,
    /// Anything that opens no port.
    Local,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value that cannot be.
    #[error("{setting} = {value} ({origin}) is refused; allowed: {allowed}")]
    Refused {
        /// The setting's name.
        setting: String,
        /// What was found; `***` for a secret.
        value: String,
        /// Where it came from.
        origin: Origin,
        /// What may stand there.
        allowed: String,
    },
    /// A name that is no setting.
    #[error("{setting} ({origin}) is no setting; `frontdesk config` lists all of them")]
    Unknown {
        /// The name found.
        setting: String,
        /// Where it came from.
        origin: Origin,
    },
    /// A file that cannot be read or is not TOML.
    #[error("settings file {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A validated configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub address: SocketAddr,
    /// Where data is kept.
    pub data_dir: PathBuf,
    /// The model and how it is run.
    pub model: ModelConfig,
    /// Who may ask.
    pub access: AccessConfig,
    /// How much they may ask.
    pub limits: LimitConfig,
    /// How they are answered.
    pub answers: AnswerConfig,
    /// Which kinds of personal data are masked.
    pub mask: crate::mask::Policy,
    /// How long masked conversations are kept; `None`: not at all.
    pub conversations: Option<Duration>,
    /// What is logged and how.
    pub log: LogConfig,
    /// How long open streams get to finish.
    pub drain: Duration,
}

/// The model and how it is run.
#[derive(Debug, Clone)]
pub struct ModelConfig {
    /// A checkpoint folder; `None`: the demo model.
    pub path: Option<PathBuf>,
    /// Its name in the API.
    pub name: String,
    /// Ranks.
    pub tensor_parallel_size: usize,
    /// Threads of all ranks together; `None`: one per core.
    pub threads: Option<usize>,
    /// Tokens per block.
    pub block_size: usize,
    /// Blocks; `None`: as many as fit in `kv_bytes`.
    pub kv_blocks: Option<usize>,
    /// Memory of the key/value cache, in bytes.
    pub kv_bytes: u64,
    /// Tokens per step.
    pub batch_tokens: usize,
    /// Sequences per step.
    pub batch_sequences: usize,
    /// Places in the queue.
    pub queue: usize,
    /// Tokens of a prompt; `None`: as many as the context holds.
    pub max_prompt_tokens: Option<usize>,
}

/// Who may ask. Both `None`: the development key alone (loopback only).
#[derive(Debug, Clone)]
pub struct AccessConfig {
    /// The API key.
    pub api_key: Option<SecretString>,
    /// What a JWT must fulfil.
    pub jwt: Option<JwtConfig>,
}

/// What a JWT must fulfil.
#[derive(Debug, Clone)]
pub struct JwtConfig {
    /// What verifies its signature.
    pub key: JwtKey,
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// How far clocks may differ.
    pub leeway: Duration,
}

/// One kind of key per verifier, so that a public key is never taken for an HMAC secret.
#[derive(Debug, Clone)]
pub enum JwtKey {
    /// HS256.
    Secret(SecretString),
    /// A public key in PEM: RS256, ES256 or EdDSA, by its type.
    Public(String),
}

/// How much may be asked.
#[derive(Debug, Clone)]
pub struct LimitConfig {
    /// Requests per minute and caller; `None`: no limit.
    pub requests_per_minute: Option<u64>,
    /// Tokens per minute and caller; `None`: no limit.
    pub tokens_per_minute: Option<u64>,
    /// Bytes of a body.
    pub max_body_bytes: usize,
    /// Chat requests in flight.
    pub max_concurrent: usize,
    /// Connections.
    pub max_connections: usize,
    /// Time for a request's head.
    pub header_timeout: Duration,
    /// How long a client may take to send its request's body.
    pub body_timeout: Duration,
}

/// How requests are answered.
#[derive(Debug, Clone)]
pub struct AnswerConfig {
    /// Temperature when the request names none.
    pub default_temperature: f32,
    /// Limit when the request names none.
    pub default_max_tokens: usize,
    /// Passages for a question.
    pub passages: usize,
    /// The answer cache; `None`: off.
    pub cache: Option<CacheConfig>,
    /// Silence after which a stream carries a comment.
    pub keep_alive: Duration,
}

/// The answer cache.
#[derive(Debug, Clone)]
pub struct CacheConfig {
    /// Answers held.
    pub entries: u64,
    /// How long one is good for.
    pub lifetime: Duration,
}

/// What is logged and how.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// A filter.
    pub level: String,
    /// JSON instead of text.
    pub json: bool,
}

impl Config {
    /// Resolves and validates.
    ///
    /// # Errors
    /// The first [`ConfigError`].
    pub fn load(flags: &Flags, command: Command) -> Result<Self, ConfigError> {
        let resolved = resolve(flags, command, |name| std::env::var(name).ok())?;
        validate::validate(&resolved, command)
    }
}
