//! What config.json says about rotary positions, in either spelling.

use super::LoadError;
use super::config::Reader;

/// Rotary positions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rope {
    /// Base of the wavelengths.
    pub theta: f64,
    /// Stretched to longer contexts, or plain.
    pub yarn: Option<Yarn>,
}

/// YaRN: slow pairs are interpolated, fast ones kept, with a ramp between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Yarn {
    /// How many times longer the context became.
    pub factor: f64,
    /// Rotations over the original context above which a pair is kept.
    pub beta_fast: f64,
    /// Rotations below which it is interpolated.
    pub beta_slow: f64,
    /// Tokens of the original context.
    pub original_context: f64,
    /// Whether the ramp's ends are rounded outwards to whole pairs.
    pub truncate: bool,
    /// Factor on cosines and sines.
    pub attention_factor: f64,
}

/// Without any setting: what transformers' GptOssConfig uses.
const DEFAULT: Yarn = Yarn {
    factor: 32.0,
    beta_fast: 32.0,
    beta_slow: 1.0,
    original_context: 4096.0,
    truncate: false,
    attention_factor: 1.346_573_590_279_972_8,
};

const DEFAULT_THETA: f64 = 150_000.0;

impl Rope {
    /// From `rope_parameters` (transformers 5) or `rope_scaling` with `rope_theta` beside it (the Hub).
    pub(super) fn read(config: &Reader<'_>, context: usize) -> Result<Self, LoadError> {
        let outer = config.positive("rope_theta")?.unwrap_or(DEFAULT_THETA);
        let section = match config.object("rope_parameters")? {
            Some(section) => Some(section),
            None => config.object("rope_scaling")?,
        };
        let Some(section) = section else {
            return Ok(Self { theta: outer, yarn: Some(DEFAULT) });
        };
        if section.object("full_attention")?.is_some() || section.object("sliding_attention")?.is_some() {
            return Err(config.error("rope_parameters", "one set of parameters for all layers"));
        }
        let theta = section.positive("rope_theta")?.unwrap_or(outer);
        if theta <= 1.0 {
            return Err(section.error("rope_theta", "a number above 1"));
        }
        let kind = section.text("rope_type")?.or(section.text("type")?).unwrap_or("default");
        if section.positive("partial_rotary_factor")?.is_some_and(|f| f != 1.0) {
            return Err(section.error("partial_rotary_factor", "1"));
        }
        match kind {
            "default" => Ok(Self { theta, yarn: None }),
            "yarn" => Ok(Self { theta, yarn: Some(Yarn::read(&section, config, context)?) }),
            _ => Err(section.error("rope_type", "\"yarn\" or \"default\"")),
        }
    }
}

impl Yarn {
    fn read(section: &Reader<'_>, config: &Reader<'_>, context: usize) -> Result<Self, LoadError> {
        let key = "original_max_position_embeddings";
        let original = config.positive(key)?.or(section.positive(key)?).unwrap_or(context as f64);
        let factor = section.positive("factor")?.unwrap_or(context as f64 / original);
        if factor < 1.0 {
            return Err(section.error("factor", "a number of at least 1"));
        }
        let (mscale, all) = (section.number("mscale")?, section.number("mscale_all_dim")?);
        let scale = |m: f64| if factor <= 1.0 { 1.0 } else { 0.1 * m * factor.ln() + 1.0 };
        let inferred = match (mscale, all) {
            (Some(m), Some(all)) if m != 0.0 && all != 0.0 => scale(m) / scale(all),
            _ => scale(1.0),
        };
        Ok(Self {
            factor,
            beta_fast: section.positive("beta_fast")?.unwrap_or(32.0),
            beta_slow: section.positive("beta_slow")?.unwrap_or(1.0),
            original_context: original,
            // transformers rounds unless told otherwise; gpt-oss tells it otherwise.
            truncate: section.flag("truncate")?.unwrap_or(true),
            attention_factor: section.positive("attention_factor")?.unwrap_or(inferred),
        })
    }
}
