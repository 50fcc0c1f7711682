//! A tiny checkpoint whose answer is known: each token leads to the next by construction, through the real engine.

use std::path::Path;

use serde_json::{Map, Value, json};

const HIDDEN: usize = 64;
const WIDTH: usize = 32;
const HEADS: usize = 2;
const HEAD_DIM: usize = 16;
const CONTEXT: usize = 131_072;
const CONTROLS: [&str; 8] = [
    "<|endoftext|>",
    "<|return|>",
    "<|constrain|>",
    "<|channel|>",
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|call|>",
];

/// Writes a model that answers with these words, one token each, and then ends, or repeats the last for ever.
pub fn write(folder: &Path, words: &[&str], for_ever: bool) {
    let words: Vec<&str> = [&["final"], words].concat();
    let (names, control) = vocabulary(&words);
    let at = |word: usize| 256 + word;
    let of = |name: &str| control + CONTROLS.iter().position(|control| *control == name).unwrap();
    // A prompt ends in "assistant", so its last token is the byte t.
    let mut path = vec![usize::from(b't'), of("<|channel|>"), at(0), of("<|message|>")];
    path.extend((1..words.len()).map(at));
    path.push(if for_ever { at(words.len() - 1) } else { of("<|return|>") });
    let size = control + CONTROLS.len();
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("config.json"), config(size, of("<|return|>")).to_string()).unwrap();
    std::fs::write(folder.join("tokenizer.json"), tokenizer(&names, control).to_string()).unwrap();
    std::fs::write(folder.join("model.safetensors"), safetensors(&tensors(size, &path))).unwrap();
}

fn config(size: usize, end: usize) -> Value {
    json!({
        "architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "vocab_size": size,
        "hidden_size": HIDDEN, "intermediate_size": WIDTH, "num_hidden_layers": 1,
        "layer_types": ["full_attention"], "sliding_window": 128, "num_attention_heads": HEADS,
        "num_key_value_heads": 1, "head_dim": HEAD_DIM, "num_local_experts": 2, "num_experts_per_tok": 1,
        "max_position_embeddings": CONTEXT, "rope_theta": 10000.0, "rms_norm_eps": 1e-5,
        "eos_token_id": end, "tie_word_embeddings": false, "attention_bias": true,
    })
}

/// 256 bytes, then the words; and how many that are.
fn vocabulary(words: &[&str]) -> (Vec<String>, usize) {
    let spell = |text: &str| text.bytes().map(letter).collect::<String>();
    let mut names: Vec<String> = (0..=u8::MAX).map(|byte| letter(byte).to_string()).collect();
    names.extend(words.iter().map(|word| spell(word)));
    let count = names.len();
    (names, count)
}

/// The letter that byte-level BPE writes for a byte (from GPT-2: printable bytes stand for themselves).
fn letter(byte: u8) -> char {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    if printable(byte) {
        return char::from(byte);
    }
    let place = (0..byte).filter(|byte| !printable(*byte)).count();
    char::from_u32(256 + place as u32).unwrap()
}

fn tokenizer(names: &[String], control: usize) -> Value {
    let vocab: Map<String, Value> =
        names.iter().enumerate().map(|(id, name)| (name.clone(), json!(id))).collect();
    assert_eq!(vocab.len(), names.len(), "every word of a test model must be different");
    let controls = CONTROLS.iter().enumerate().map(|(at, name)| {
        json!({
            "id": control + at, "content": name, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        })
    });
    let bytes =
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": controls.collect::<Vec<_>>(), "pre_tokenizer": bytes, "post_processor": null,
        "decoder": bytes,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": [],
        },
    })
}

type Tensor = (String, Vec<usize>, Vec<f32>);

/// Attention and experts add nothing; each token of the path has a direction of its own, and the head turns it
/// into the next token.
fn tensors(size: usize, path: &[usize]) -> Vec<Tensor> {
    let mut embedding = vec![0.0; size * HIDDEN];
    let mut head = vec![0.0; size * HIDDEN];
    for (direction, pair) in path.windows(2).enumerate() {
        embedding[pair[0] * HIDDEN + direction] = 1.0;
        head[pair[1] * HIDDEN + direction] = 4.0;
    }
    let mut tensors = vec![
        ("model.embed_tokens.weight".to_owned(), vec![size, HIDDEN], embedding),
        ("lm_head.weight".to_owned(), vec![size, HIDDEN], head),
        ("model.norm.weight".to_owned(), vec![HIDDEN], vec![1.0; HIDDEN]),
    ];
    let layer: [(&str, &[usize]); 17] = [
        ("input_layernorm.weight", &[HIDDEN]),
        ("post_attention_layernorm.weight", &[HIDDEN]),
        ("self_attn.q_proj.weight", &[HEADS * HEAD_DIM, HIDDEN]),
        ("self_attn.q_proj.bias", &[HEADS * HEAD_DIM]),
        ("self_attn.k_proj.weight", &[HEAD_DIM, HIDDEN]),
        ("self_attn.k_proj.bias", &[HEAD_DIM]),
        ("self_attn.v_proj.weight", &[HEAD_DIM, HIDDEN]),
        ("self_attn.v_proj.bias", &[HEAD_DIM]),
        ("self_attn.o_proj.weight", &[HIDDEN, HEADS * HEAD_DIM]),
        ("self_attn.o_proj.bias", &[HIDDEN]),
        ("self_attn.sinks", &[HEADS]),
        ("mlp.router.weight", &[2, HIDDEN]),
        ("mlp.router.bias", &[2]),
        ("mlp.experts.gate_up_proj", &[2, HIDDEN, 2 * WIDTH]),
        ("mlp.experts.gate_up_proj_bias", &[2, 2 * WIDTH]),
        ("mlp.experts.down_proj", &[2, WIDTH, HIDDEN]),
        ("mlp.experts.down_proj_bias", &[2, HIDDEN]),
    ];
    tensors.extend(layer.into_iter().map(|(name, shape)| {
        (format!("model.layers.0.{name}"), shape.to_vec(), vec![0.0; shape.iter().product()])
    }));
    tensors
}

fn safetensors(tensors: &[Tensor]) -> Vec<u8> {
    let mut header = Map::new();
    let mut data = Vec::new();
    for (name, shape, values) in tensors {
        let start = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        header.insert(
            name.clone(),
            json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]}),
        );
    }
    let mut header = Value::Object(header).to_string();
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}
