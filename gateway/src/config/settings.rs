//! Every setting, once: its name, type, default and help. Flags, environment variables and the file all
//! come from this table.

use std::path::PathBuf;

use figment::value::{Dict, Value};

/// One row of the table.
pub struct Setting {
    /// As the file spells it: `data_dir`. The flag is `--data-dir`, the variable `FRONTDESK_DATA_DIR`.
    pub name: &'static str,
    /// The type of its value, as Rust spells it.
    pub kind: &'static str,
    /// Never printed.
    pub secret: bool,
}

impl Setting {
    /// `--data-dir`
    pub fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }

    /// `FRONTDESK_DATA_DIR`
    pub fn variable(&self) -> String {
        format!("FRONTDESK_{}", self.name.to_ascii_uppercase())
    }

    /// Text is taken as it stands (an API key may look like a number); other values are parsed.
    pub fn parse(&self, raw: &str) -> Value {
        match self.kind {
            "String" | "PathBuf" => Value::from(raw),
            _ => raw.parse().unwrap_or_else(|_| Value::from(raw)),
        }
    }
}

macro_rules! settings {
    ($( $heading:literal { $(
        $(#[doc = $doc:literal])+ $(#[alias = $alias:literal])? $(@$secret:ident)? $name:ident : $type:ident = $default:expr;
    )+ } )+) => {
        /// What was typed: a flag that was not given is `None`.
        #[derive(Clone, Default, clap::Args)]
        pub struct Flags {
            /// A TOML file with settings (names as in `frontdesk config`). [env: FRONTDESK_CONFIG]
            #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
            pub config: Option<PathBuf>,
            $($(
                $(#[doc = $doc])+
                #[arg(long, global = true, hide_short_help = true, help_heading = $heading $(, alias = $alias)?)]
                pub $name: Option<$type>,
            )+)+
        }

        impl Flags {
            /// The flags that were given, by the names of the table.
            pub fn given(&self) -> Dict {
                let mut given = Dict::new();
                $($(
                    if let Some(Ok(value)) = self.$name.as_ref().map(Value::serialize) {
                        given.insert(stringify!($name).to_owned(), value);
                    }
                )+)+
                given
            }
        }

        /// Every setting with the value that won, before validation.
        #[derive(Clone, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Settings {
            $($( $(#[doc = $doc])+ pub $name: $type, )+)+
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($( $name: $default.into(), )+)+ }
            }
        }

        /// The table.
        pub const TABLE: &[Setting] = &[
            $($( Setting {
                name: stringify!($name),
                kind: stringify!($type),
                secret: !stringify!($($secret)?).is_empty(),
            }, )+)+
        ];
    };
}

settings! {
    "Listening" {
        /// The address to listen on; beyond loopback a key or a JWT setting is required.
        host: String = "127.0.0.1";
        /// The port; 0 takes any free one.
        port: u16 = 6006u16;
        /// Where knowledge, conversations and the development key are kept.
        data_dir: PathBuf = "./data";
        /// Seconds that open streams get to finish after SIGTERM.
        drain_seconds: u64 = 30u64;
        /// Connections held at once; further ones wait in the system's queue.
        max_connections: usize = 1024usize;
        /// Seconds a client may take to send its request's head.
        header_seconds: u64 = 10u64;
        /// Seconds a client may take to send its request's body.
        body_seconds: u64 = 30u64;
        /// Seconds of silence after which a stream carries a comment, so that proxies keep it open.
        keep_alive_seconds: u64 = 15u64;
    }
    "Model" {
        /// A checkpoint folder of the gpt-oss architecture; empty: the demo model.
        #[alias = "model_path"]
        model_path: PathBuf = "";
        /// The model's name in the API; empty: the folder's name.
        model_name: String = "";
        /// Ranks the model is split over: 1, 2, 4 or 8.
        tensor_parallel_size: usize = 1usize;
        /// Threads of all ranks together; 0: one per core.
        threads: usize = 0usize;
        /// Tokens per block of the key/value cache.
        block_size: usize = 16usize;
        /// Blocks of the key/value cache; 0: as many as fit in kv_mebibytes.
        kv_blocks: usize = 0usize;
        /// Memory of the key/value cache, where kv_blocks is 0.
        kv_mebibytes: u64 = 512u64;
        /// Tokens computed in one step at most.
        batch_tokens: usize = 512usize;
        /// Sequences computed in one step at most.
        batch_sequences: usize = 32usize;
        /// Requests that may wait in the engine; further ones get a 429.
        queue: usize = 128usize;
    }
    "Access" {
        /// The API key that clients send as `Authorization: Bearer KEY`.
        @secret api_key: String = "";
        /// Accept JWTs signed with this HS256 secret; at least 32 bytes.
        @secret jwt_secret: String = "";
        /// Accept JWTs signed by the owner of this public key: a PEM file (RSA, EC or Ed25519).
        jwt_public_key: PathBuf = "";
        /// The issuer (`iss`) that a JWT must name.
        jwt_issuer: String = "frontdesk";
        /// The audience (`aud`) that a JWT must name.
        jwt_audience: String = "frontdesk";
        /// Seconds that clocks may differ by; at most 60.
        jwt_leeway_seconds: u64 = 30u64;
    }
    "Limits" {
        /// Requests per minute and caller; 0: no limit.
        requests_per_minute: u64 = 6000u64;
        /// Tokens (prompt and answer) per minute and caller; 0: no limit.
        tokens_per_minute: u64 = 6_000_000u64;
        /// Tokens of a prompt at most, with its passages; 0: as many as the model's context holds.
        max_prompt_tokens: usize = 0usize;
        /// Bytes of a request's body at most.
        max_body_bytes: usize = 2_097_152usize;
        /// Chat requests in flight at once; further ones get a 429.
        max_concurrent: usize = 160usize;
    }
    "Answers" {
        /// The sampling temperature of requests that name none; 0 gives the same answer every time.
        default_temperature: f32 = 0.0f32;
        /// The most tokens of an answer when the request names no limit.
        default_max_tokens: usize = 1024usize;
        /// Passages retrieved for a question.
        passages: usize = 3usize;
        /// Answer repeated questions from a cache.
        cache: bool = true;
        /// Answers the cache holds at most.
        cache_entries: u64 = 10_000u64;
        /// Seconds that a cached answer is good for.
        cache_seconds: u64 = 3600u64;
    }
    "Personal data" {
        /// Kinds to mask, separated by commas; `default`: those that name a person; `all`; `none`.
        mask_kinds: String = "default";
        /// Keep masked conversations.
        conversation_log: bool = true;
        /// Days that a conversation is kept.
        conversation_days: u32 = 30u32;
    }
    "Telemetry" {
        /// What to log: error, warn, info, debug, trace, or a filter such as `info,frontdesk_engine=debug`.
        log_level: String = "info";
        /// How to log: text or json.
        log_format: String = "text";
    }
}
