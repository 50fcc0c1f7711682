//! config.json (and the stop tokens of generation_config.json), checked.

use super::{LoadError, Rope};
use serde_json::{Map, Value};
use std::path::Path;

/// The largest value of any dimension: far above every real model, and no product of three overflows.
const DIMENSION_MAX: usize = 1 << 20;
/// The longest context: positions stay exact in `f32`.
const CONTEXT_MAX: usize = 1 << 24;
/// The largest config file that is read.
const CONFIG_BYTES_MAX: u64 = 10_000_000;

/// The shape and the constants of a gpt-oss model.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Tokens that the model knows; ids are below it.
    pub vocab_size: usize,
    /// The longest sequence, in tokens.
    pub context_length: usize,
    /// Tokens that end a sequence, from config.json and generation_config.json.
    pub eos_tokens: Vec<u32>,
    /// Elements of the residual stream.
    pub hidden_size: usize,
    /// What each layer's attention sees, first layer first.
    pub layers: Vec<LayerKind>,
    /// Query heads.
    pub query_heads: usize,
    /// Key/value heads; they divide the query heads.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Whether the attention projections have biases.
    pub attention_bias: bool,
    /// Experts of a layer.
    pub experts: usize,
    /// Experts that a token visits.
    pub experts_per_token: usize,
    /// Elements between an expert's two products.
    pub expert_width: usize,
    /// Sharpness of the experts' sigmoid.
    pub swiglu_alpha: f32,
    /// Where gates (above) and ups (both sides) are cut.
    pub swiglu_limit: f32,
    /// Added to the mean square of a norm.
    pub rms_norm_eps: f32,
    /// Rotary positions.
    pub rope: Rope,
    /// Whether the output head is the embedding table.
    pub tied_embeddings: bool,
}

/// What a layer's attention sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// The last so many tokens, the query's own included.
    Sliding(usize),
    /// All tokens before and the query's own.
    Full,
}

impl Config {
    /// Reads and checks the folder's config.json, and generation_config.json where there is one.
    pub fn read(folder: &Path) -> Result<Self, LoadError> {
        let path = folder.join("config.json");
        if !path.exists() {
            let reason = "a model folder has a config.json; check the model path".to_owned();
            return Err(LoadError::MissingFile { path, reason });
        }
        let json = read_object(&path)?;
        let mut config = Self::parse(&Reader { path: &path, prefix: "", map: &json })?;
        let path = folder.join("generation_config.json");
        if path.exists() {
            let json = read_object(&path)?;
            let reader = Reader { path: &path, prefix: "", map: &json };
            let more = reader.tokens("eos_token_id", config.vocab_size)?;
            config.eos_tokens.extend(more);
            config.eos_tokens.sort_unstable();
            config.eos_tokens.dedup();
        }
        Ok(config)
    }

    fn parse(config: &Reader<'_>) -> Result<Self, LoadError> {
        config.expect_gpt_oss()?;
        config.expect_known_quantization()?;
        let vocab_size = config.dimension("vocab_size")?;
        let hidden_size = config.dimension("hidden_size")?;
        let query_heads = config.dimension("num_attention_heads")?;
        let kv_heads = config.dimension_or("num_key_value_heads", 8, query_heads)?;
        if !query_heads.is_multiple_of(kv_heads) {
            return Err(config
                .error("num_key_value_heads", &format!("a divisor of the {query_heads} attention heads")));
        }
        let head_dim = config.dimension_or("head_dim", 64, hidden_size / query_heads)?;
        if !head_dim.is_multiple_of(2) {
            return Err(config.error("head_dim", "an even number"));
        }
        let experts = config.dimension(config.either("num_local_experts", "num_experts"))?;
        let per_token = config.either("num_experts_per_tok", "experts_per_token");
        let experts_per_token = config.dimension(per_token)?;
        if experts_per_token > experts {
            return Err(config.error(per_token, &format!("at most the {experts} experts")));
        }
        let context_length = config.optional_size("max_position_embeddings", CONTEXT_MAX)?.unwrap_or(131_072);
        Ok(Self {
            vocab_size,
            context_length,
            eos_tokens: config.tokens("eos_token_id", vocab_size)?,
            hidden_size,
            layers: config.layers()?,
            query_heads,
            kv_heads,
            head_dim,
            attention_bias: config.flag("attention_bias")?.unwrap_or(true),
            experts,
            experts_per_token,
            expert_width: config.dimension("intermediate_size")?,
            swiglu_alpha: config.positive("swiglu_alpha")?.unwrap_or(1.702) as f32,
            swiglu_limit: config.positive("swiglu_limit")?.unwrap_or(7.0) as f32,
            rms_norm_eps: config.positive("rms_norm_eps")?.unwrap_or(1e-5) as f32,
            rope: Rope::read(config, context_length)?,
            tied_embeddings: config.flag("tie_word_embeddings")?.unwrap_or(false),
        })
    }
}

fn read_object(path: &Path) -> Result<Map<String, Value>, LoadError> {
    let length = std::fs::metadata(path).map_err(|e| LoadError::io(path, e))?.len();
    if length > CONFIG_BYTES_MAX {
        let problem = format!("expected at most {CONFIG_BYTES_MAX} bytes, found {length}");
        return Err(LoadError::malformed(path, problem));
    }
    let text = std::fs::read(path).map_err(|e| LoadError::io(path, e))?;
    serde_json::from_slice(&text).map_err(|e| LoadError::malformed(path, format!("not a JSON object: {e}")))
}

/// A JSON object of a file, whose errors name file and key. A `null` is the same as no value.
pub(super) struct Reader<'a> {
    path: &'a Path,
    /// Keys of the objects around this one, each with a dot.
    prefix: &'static str,
    map: &'a Map<String, Value>,
}

impl<'a> Reader<'a> {
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|v| !v.is_null())
    }

    /// An error about this key's value.
    pub(super) fn error(&self, key: &str, expected: &str) -> LoadError {
        let found = self.get(key).map_or_else(|| "nothing".to_owned(), |v| shorten(&v.to_string()));
        let key = format!("{}{key}", self.prefix);
        LoadError::Setting { path: self.path.to_owned(), key, expected: expected.to_owned(), found }
    }

    fn expect_gpt_oss(&self) -> Result<(), LoadError> {
        let model_type = self.text("model_type")?;
        let class = self.get("architectures").and_then(|a| a.get(0)).and_then(Value::as_str);
        match (model_type, class) {
            (Some("gpt_oss"), _) | (None, Some("GptOssForCausalLM")) => Ok(()),
            (found, class) => {
                let found = found.or(class).map_or_else(|| "none".to_owned(), shorten);
                Err(LoadError::Architecture { path: self.path.to_owned(), found })
            }
        }
    }

    /// MXFP4, or no quantization: weights of another kind may have the same names and types.
    fn expect_known_quantization(&self) -> Result<(), LoadError> {
        let Some(section) = self.object("quantization_config")? else { return Ok(()) };
        match section.text("quant_method")? {
            Some("mxfp4") => Ok(()),
            _ => Err(section.error("quant_method", "mxfp4, or no quantization_config")),
        }
    }

    /// Whichever of two spellings is there; the first if none.
    fn either(&self, one: &'static str, other: &'static str) -> &'static str {
        if self.get(one).is_none() && self.get(other).is_some() { other } else { one }
    }

    fn dimension(&self, key: &str) -> Result<usize, LoadError> {
        self.optional_dimension(key)?.ok_or_else(|| self.error(key, "a whole number"))
    }

    /// A dimension with transformers' defaults: one for a key that is not there, another for null.
    fn dimension_or(&self, key: &str, absent: usize, null: usize) -> Result<usize, LoadError> {
        let default = if self.map.contains_key(key) { null } else { absent };
        Ok(self.optional_dimension(key)?.unwrap_or(default).max(1))
    }

    fn optional_dimension(&self, key: &str) -> Result<Option<usize>, LoadError> {
        self.optional_size(key, DIMENSION_MAX)
    }

    fn optional_size(&self, key: &str, most: usize) -> Result<Option<usize>, LoadError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let size = value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| (1..=most).contains(n));
        size.map(Some).ok_or_else(|| self.error(key, &format!("a whole number from 1 to {most}")))
    }

    /// A number that is positive and finite, also as `f32`.
    pub(super) fn positive(&self, key: &str) -> Result<Option<f64>, LoadError> {
        match self.number(key)? {
            Some(number) if number > 0.0 && (number as f32) > 0.0 && (number as f32).is_finite() => {
                Ok(Some(number))
            }
            Some(_) => Err(self.error(key, "a number above 0")),
            None => Ok(None),
        }
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, LoadError> {
        let number =
            |v: &Value| v.as_f64().filter(|n| n.is_finite()).ok_or_else(|| self.error(key, "a number"));
        self.get(key).map(number).transpose()
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, LoadError> {
        self.get(key).map(|v| v.as_bool().ok_or_else(|| self.error(key, "true or false"))).transpose()
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, LoadError> {
        self.get(key).map(|v| v.as_str().ok_or_else(|| self.error(key, "a string"))).transpose()
    }

    pub(super) fn object(&self, key: &'static str) -> Result<Option<Reader<'a>>, LoadError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let map = value.as_object().ok_or_else(|| self.error(key, "an object"))?;
        let prefix = match key {
            "quantization_config" => "quantization_config.",
            "rope_parameters" => "rope_parameters.",
            _ => "rope_scaling.",
        };
        Ok((!map.is_empty()).then_some(Reader { path: self.path, prefix, map }))
    }

    /// One token or a list of them. Those beyond the vocabulary cannot come up, and are left out: small models are
    /// often made with the stop tokens of a large one.
    fn tokens(&self, key: &str, vocab_size: usize) -> Result<Vec<u32>, LoadError> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let list = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
        let tokens: Option<Vec<i64>> = list.iter().map(Value::as_i64).collect();
        let tokens = tokens.ok_or_else(|| self.error(key, "a token id or a list of them"))?;
        let known = tokens.into_iter().filter_map(|token| u32::try_from(token).ok());
        Ok(known.filter(|&token| (token as usize) < vocab_size).collect())
    }

    /// `layer_types` where given; otherwise the first layer slides and every other one after it.
    fn layers(&self) -> Result<Vec<LayerKind>, LoadError> {
        const LAYERS_MAX: usize = 1024;
        let count = self.optional_size("num_hidden_layers", LAYERS_MAX)?;
        let count = count.ok_or_else(|| self.error("num_hidden_layers", "a whole number"))?;
        // A window of null is no window.
        let window = self.optional_size("sliding_window", CONTEXT_MAX)?;
        let window = if self.map.contains_key("sliding_window") { window } else { Some(128) };
        let sliding = window.map_or(LayerKind::Full, LayerKind::Sliding);
        let Some(types) = self.get("layer_types") else {
            return Ok((0..count)
                .map(|i| if i.is_multiple_of(2) { sliding } else { LayerKind::Full })
                .collect());
        };
        let expected = format!("{count} times \"sliding_attention\" or \"full_attention\"");
        let kind = |v: &Value| match v.as_str() {
            Some("sliding_attention") => Some(sliding),
            Some("full_attention") => Some(LayerKind::Full),
            _ => None,
        };
        let layers: Option<Vec<_>> = types.as_array().and_then(|list| list.iter().map(kind).collect());
        layers.filter(|l| l.len() == count).ok_or_else(|| self.error("layer_types", &expected))
    }
}

/// Values in messages stay short, whatever a file holds.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
impl Config {
    /// A small shape for tests of parts that only need some shape.
    pub(crate) fn tiny() -> Self {
        let json = serde_json::json!({
            "model_type": "gpt_oss", "vocab_size": 50, "hidden_size": 32, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 8, "num_local_experts": 4, "num_experts_per_tok": 2,
            "intermediate_size": 32, "num_hidden_layers": 2, "max_position_embeddings": 100,
        });
        let map = json.as_object().unwrap();
        Self::parse(&Reader { path: Path::new("config.json"), prefix: "", map }).unwrap()
    }
}
