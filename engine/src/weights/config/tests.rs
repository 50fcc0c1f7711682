//! What config.json says, in the spellings that are around.

use super::*;
use crate::weights::Yarn;
use serde_json::json;

fn parse(json: &Value) -> Result<Config, LoadError> {
    Config::parse(&Reader { path: Path::new("config.json"), prefix: "", map: json.as_object().unwrap() })
}

/// As on the Hub.
fn gpt_oss_20b() -> Value {
    json!({
        "architectures": ["GptOssForCausalLM"], "attention_bias": true, "eos_token_id": 200_002,
        "experts_per_token": 4, "head_dim": 64, "hidden_size": 2880, "initial_context_length": 4096,
        "intermediate_size": 2880, "max_position_embeddings": 131_072, "model_type": "gpt_oss",
        "num_attention_heads": 64, "num_experts_per_tok": 4, "num_hidden_layers": 24, "num_key_value_heads": 8,
        "num_local_experts": 32, "pad_token_id": 199_999, "rms_norm_eps": 1e-05, "rope_theta": 150_000,
        "rope_scaling": {
            "beta_fast": 32.0, "beta_slow": 1.0, "factor": 32.0, "original_max_position_embeddings": 4096,
            "rope_type": "yarn", "truncate": false,
        },
        "sliding_window": 128, "swiglu_limit": 7.0, "tie_word_embeddings": false, "vocab_size": 201_088,
    })
}

#[test]
fn the_config_of_gpt_oss_20b() {
    let config = parse(&gpt_oss_20b()).unwrap();
    let kinds = [LayerKind::Sliding(128), LayerKind::Full].repeat(12);
    assert_eq!(config.layers, kinds);
    assert_eq!((config.vocab_size, config.context_length, config.hidden_size), (201_088, 131_072, 2880));
    assert_eq!((config.query_heads, config.kv_heads, config.head_dim), (64, 8, 64));
    assert_eq!((config.experts, config.experts_per_token, config.expert_width), (32, 4, 2880));
    assert_eq!(
        (config.eos_tokens, config.tied_embeddings, config.attention_bias),
        (vec![200_002], false, true)
    );
    let yarn = config.rope.yarn.unwrap();
    assert!(config.rope.theta == 150_000.0 && !yarn.truncate && yarn.factor == 32.0);
    assert!((yarn.attention_factor - 1.346_573_6).abs() < 1e-6);
}

#[test]
fn both_spellings_and_no_spelling_of_rope_are_the_same() {
    let hub = parse(&gpt_oss_20b()).unwrap().rope;
    let mut json = gpt_oss_20b();
    let object = json.as_object_mut().unwrap();
    let (theta, mut section) = (object.remove("rope_theta").unwrap(), object.remove("rope_scaling").unwrap());
    assert_eq!(parse(&json).unwrap().rope, hub);
    section["rope_theta"] = theta;
    json["rope_parameters"] = section;
    assert_eq!(parse(&json).unwrap().rope, hub);
    json["rope_parameters"] = json!({ "rope_type": "default", "rope_theta": 5000.0 });
    assert_eq!(parse(&json).unwrap().rope, Rope { theta: 5000.0, yarn: None });
    json["rope_parameters"] = json!({ "full_attention": { "rope_type": "default" } });
    assert!(parse(&json).unwrap_err().to_string().contains("one set of parameters"));
}

#[test]
fn yarn_has_the_defaults_of_transformers() {
    let mut json = gpt_oss_20b();
    json["rope_scaling"] = json!({ "type": "yarn", "factor": 4.0 });
    let expected = Yarn {
        factor: 4.0,
        beta_fast: 32.0,
        beta_slow: 1.0,
        original_context: 131_072.0,
        truncate: true,
        attention_factor: 0.1 * 4f64.ln() + 1.0,
    };
    assert_eq!(parse(&json).unwrap().rope.yarn, Some(expected));
    json["rope_scaling"] = json!({ "rope_type": "yarn", "factor": 4.0, "attention_factor": 1.25 });
    assert_eq!(parse(&json).unwrap().rope.yarn.unwrap().attention_factor, 1.25);
}

#[test]
fn other_spellings_and_absent_keys() {
    let mut json = gpt_oss_20b();
    let object = json.as_object_mut().unwrap();
    for key in ["num_experts_per_tok", "head_dim", "num_key_value_heads", "sliding_window"] {
        object.remove(key);
    }
    let experts = object.remove("num_local_experts").unwrap();
    json["num_experts"] = experts;
    assert_eq!(parse(&json).unwrap(), parse(&gpt_oss_20b()).unwrap());
    json["hidden_size"] = json!(64 * 32);
    json["head_dim"] = Value::Null;
    json["num_key_value_heads"] = Value::Null;
    json["sliding_window"] = Value::Null;
    // A stop token of a larger vocabulary cannot come up.
    json["eos_token_id"] = json!([7, 999_999]);
    let config = parse(&json).unwrap();
    assert_eq!((config.head_dim, config.kv_heads), (32, 64));
    assert!(config.layers.iter().all(|&kind| kind == LayerKind::Full));
    assert_eq!(config.eos_tokens, [7]);
}
