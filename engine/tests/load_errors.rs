//! Every damage to a checkpoint is an error that names the file, what was expected and what was found.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use frontdesk_engine::executor::{Executor, Options};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A copy of a golden checkpoint, to be damaged.
struct Copy {
    folder: TempDir,
}

impl Copy {
    fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens").join(name);
        for entry in std::fs::read_dir(source).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        Self { folder }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn edit_json(&self, file: &str, edit: impl FnOnce(&mut Map<String, Value>)) {
        let mut json: Value = serde_json::from_slice(&std::fs::read(self.path(file)).unwrap()).unwrap();
        edit(json.as_object_mut().unwrap());
        std::fs::write(self.path(file), json.to_string()).unwrap();
    }

    fn edit_header(&self, edit: impl FnOnce(&mut Map<String, Value>)) {
        let bytes = std::fs::read(self.path("model.safetensors")).unwrap();
        let size = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let mut header: Value = serde_json::from_slice(&bytes[8..8 + size]).unwrap();
        edit(header.as_object_mut().unwrap());
        let header = header.to_string();
        let mut edited = (header.len() as u64).to_le_bytes().to_vec();
        edited.extend_from_slice(header.as_bytes());
        edited.extend_from_slice(&bytes[8 + size..]);
        std::fs::write(self.path("model.safetensors"), edited).unwrap();
    }

    fn load(&self) -> Result<(), String> {
        load(self.folder.path(), &options())
    }

    /// The error of loading, which must hold all of these words.
    fn assert_error(&self, words: &[&str]) {
        let error = self.load().expect_err("the checkpoint is damaged");
        for word in words {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
    }
}

fn options() -> Options {
    Options { block_count: Some(4), threads: Some(1), ..Options::default() }
}

fn load(folder: &Path, options: &Options) -> Result<(), String> {
    Executor::load(folder, options, &|_, _| {}).map(|_| ()).map_err(|e| e.to_string())
}

#[test]
fn an_undamaged_copy_loads_and_reports_its_progress() {
    let copy = Copy::of("mxfp4");
    let seen = std::sync::Mutex::new(Vec::new());
    Executor::load(copy.folder.path(), &options(), &|done, total| seen.lock().unwrap().push((done, total)))
        .unwrap();
    let seen = seen.into_inner().unwrap();
    let &(done, total) = seen.last().unwrap();
    assert!(done == total && total > 100_000 && seen.iter().all(|&(d, t)| d <= t && t == total));
}

#[test]
fn missing_files() {
    let error = load(Path::new("/nowhere/model"), &options()).unwrap_err();
    assert!(
        error.contains("/nowhere/model/config.json") && error.contains("check the model path"),
        "{error}"
    );
    let copy = Copy::of("dense");
    std::fs::remove_file(copy.path("model.safetensors")).unwrap();
    copy.assert_error(&["model.safetensors", "does not exist", "model.safetensors.index.json"]);
    let copy = Copy::of("odd");
    std::fs::remove_file(copy.path("model-00003-of-00006.safetensors")).unwrap();
    copy.assert_error(&["model-00003-of-00006.safetensors", "index.json names it"]);
}

#[test]
fn damaged_indexes() {
    let index = "model.safetensors.index.json";
    let copy = Copy::of("odd");
    std::fs::write(copy.path(index), "{").unwrap();
    copy.assert_error(&[index, "damaged"]);
    std::fs::write(copy.path(index), "{}").unwrap();
    copy.assert_error(&[index, "weight_map"]);
    let place = |tensor: &str, file: Value| {
        let copy = Copy::of("odd");
        copy.edit_json(index, |json| {
            json["weight_map"].as_object_mut().unwrap().insert(tensor.to_owned(), file);
        });
        copy
    };
    place("model.norm.weight", json!("../secret.safetensors")).assert_error(&[
        index,
        "../secret",
        "in this folder",
    ]);
    place("model.norm.weight", json!(7)).assert_error(&[index, "model.norm.weight", "found 7"]);
    let wrong = json!("model-00001-of-00006.safetensors");
    place("model.layers.9.no.such", wrong).assert_error(&[
        index,
        "model.layers.9.no.such",
        "does not hold it",
    ]);
}

#[test]
fn truncated_files() {
    let length = std::fs::metadata(Copy::of("dense").path("model.safetensors")).unwrap().len();
    for keep in [length - 1, length / 2, length / 100] {
        cut("dense", keep).assert_error(&["model.safetensors", &keep.to_string()]);
    }
    for keep in [0, 7, 100] {
        cut("dense", keep).assert_error(&["model.safetensors", "expected", "found"]);
    }
}

/// A copy whose only tensor file ends after `keep` bytes.
fn cut(name: &str, keep: u64) -> Copy {
    let copy = Copy::of(name);
    let file = std::fs::File::options().write(true).open(copy.path("model.safetensors")).unwrap();
    file.set_len(keep).unwrap();
    copy
}

#[test]
fn wrong_tensors() {
    let norm = "model.layers.1.input_layernorm.weight";
    let scales = "model.layers.0.mlp.experts.down_proj_scales";
    let damage = |name: &str, tensor: &str, edit: &dyn Fn(&mut Value)| {
        let copy = Copy::of(name);
        copy.edit_header(|header| edit(&mut header[tensor]));
        copy
    };
    let copy = Copy::of("dense");
    copy.edit_header(|header| rename(header, norm, "spare"));
    copy.assert_error(&[norm, "missing", "BF16 or F32 or F16 [96]"]);
    let copy = Copy::of("mxfp4");
    copy.edit_header(|header| rename(header, "model.layers.0.mlp.experts.gate_up_proj_blocks", "spare"));
    copy.assert_error(&["gate_up_proj_blocks", "missing", "U8 [8, 192, 2, 16]"]);
    damage("dense", norm, &|t| t["shape"] = json!([48, 2])).assert_error(&[
        norm,
        "[96]",
        "[48, 2]",
        "model.safetensors",
    ]);
    damage("dense", norm, &|t| t["dtype"] = json!("I16")).assert_error(&[
        norm,
        "BF16 or F32 or F16",
        "found I16",
    ]);
    damage("mxfp4", scales, &|t| t["dtype"] = json!("F8_E8M0")).assert_error(&[scales, "U8", "F8_E8M0"]);
}

fn rename(header: &mut Map<String, Value>, from: &str, to: &str) {
    let tensor = header.remove(from).unwrap();
    header.insert(to.to_owned(), tensor);
}

#[test]
fn layers_that_the_config_does_not_know() {
    let copy = Copy::of("dense");
    copy.edit_json("config.json", |config| {
        config.insert("num_hidden_layers".to_owned(), json!(3));
        config.remove("layer_types");
    });
    let extra = ["model.safetensors", "tensor `model.layers.3.", "the 3 layers", "0 to 2", "found layer 3"];
    copy.assert_error(&extra);
    for (layer, words) in
        [("4", "found layer 4"), ("99999999999999999999", "found layer 99999999999999999999")]
    {
        let tensor = format!("model.layers.{layer}.extra");
        let copy = Copy::of("dense");
        add_tensor(&copy, &tensor);
        copy.assert_error(&["model.safetensors", &tensor, "the 4 layers", "`num_hidden_layers`", words]);
    }
    // Of no layer, so nothing of the model is left out.
    for tensor in ["model.layers.extra", "model.layers.", "other.layers.9.weight", "model.layers.3.spare"] {
        let copy = Copy::of("dense");
        add_tensor(&copy, tensor);
        copy.load().unwrap();
    }
}

/// One more tensor without bytes, at the end.
fn add_tensor(copy: &Copy, name: &str) {
    copy.edit_header(|header| {
        let ends = header.values().filter_map(|tensor| tensor["data_offsets"][1].as_u64());
        let end = ends.max().unwrap();
        header.insert(name.to_owned(), json!({ "dtype": "F32", "shape": [0], "data_offsets": [end, end] }));
    });
}

#[test]
fn bytes_that_belong_to_no_tensor() {
    let copy = Copy::of("dense");
    let mut bytes = std::fs::read(copy.path("model.safetensors")).unwrap();
    let end = bytes.len();
    bytes.extend_from_slice(b"more");
    std::fs::write(copy.path("model.safetensors"), &bytes).unwrap();
    copy.assert_error(&[
        "model.safetensors",
        "to end with tensor `",
        &format!("at byte {end}, found {} bytes", end + 4),
    ]);
    let copy = Copy::of("dense");
    copy.edit_header(|header| drop(header.remove("model.norm.weight")));
    copy.assert_error(&["model.safetensors", "tensor `", "expected to", "found"]);
    let copy = Copy::of("dense");
    copy.edit_header(|header| header.retain(|name, _| name == "__metadata__"));
    copy.assert_error(&["model.safetensors", "to end with its header at byte"]);
}

#[test]
fn hostile_headers() {
    let norm = "model.norm.weight";
    let damage = |edit: &dyn Fn(&mut Value)| {
        let copy = Copy::of("dense");
        copy.edit_header(|header| edit(&mut header[norm]));
        copy
    };
    damage(&|t| t["data_offsets"] = json!([0, 192])).assert_error(&["overlap", norm]);
    damage(&|t| t["data_offsets"] = json!([192, 0])).assert_error(&[norm, "before their start"]);
    damage(&|t| t["data_offsets"] = json!([u64::MAX - 192, u64::MAX])).assert_error(&[norm, "overflow"]);
    damage(&|t| t["data_offsets"] = json!([1u64 << 50, (1u64 << 50) + 192]))
        .assert_error(&[norm, "incomplete"]);
    damage(&|t| t["data_offsets"] = json!([0, 1, 2]))
        .assert_error(&[norm, "expected 2 data_offsets, found 3"]);
    damage(&|t| t["data_offsets"] = json!("all")).assert_error(&[norm, "data_offsets"]);
    damage(&|t| t["shape"] = json!([u64::MAX, u64::MAX])).assert_error(&[norm, "does not make"]);
    damage(&|t| t["shape"] = json!([-96])).assert_error(&[norm, "shape"]);
    damage(&|t| t["dtype"] = json!(null)).assert_error(&[norm, "dtype"]);
    damage(&|t| *t = json!(3)).assert_error(&[norm, "dtype"]);
    for size in [u64::MAX, 1 << 40, 200_000_000] {
        let copy = Copy::of("dense");
        let mut bytes = std::fs::read(copy.path("model.safetensors")).unwrap();
        bytes[..8].copy_from_slice(&size.to_le_bytes());
        std::fs::write(copy.path("model.safetensors"), bytes).unwrap();
        copy.assert_error(&["model.safetensors", "header of at most", &size.to_string()]);
    }
}

#[test]
fn a_scale_that_is_not_a_number() {
    let copy = Copy::of("mxfp4");
    let mut bytes = std::fs::read(copy.path("model.safetensors")).unwrap();
    let size = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + size]).unwrap();
    let scales = "model.layers.2.mlp.experts.down_proj_scales";
    let start = header[scales]["data_offsets"][0].as_u64().unwrap() as usize;
    bytes[8 + size + start] = 255;
    std::fs::write(copy.path("model.safetensors"), bytes).unwrap();
    copy.assert_error(&[scales, "expert 0, scale 0", "found 255"]);
}

#[test]
fn configs_that_make_no_sense() {
    let cases: &[(&str, Value, &[&str])] = &[
        ("model_type", json!("llama"), &["architecture gpt_oss, found llama"]),
        ("num_attention_heads", json!(0), &["`num_attention_heads`", "from 1 to", "found 0"]),
        ("num_attention_heads", json!(-8), &["found -8"]),
        ("num_attention_heads", json!(8.5), &["found 8.5"]),
        ("num_key_value_heads", json!(4), &["`num_key_value_heads`", "divisor of the 6", "found 4"]),
        ("head_dim", json!(63), &["`head_dim`", "even", "found 63"]),
        ("hidden_size", json!("wide"), &["`hidden_size`", "found \"wide\""]),
        ("hidden_size", json!(1u64 << 62), &["`hidden_size`", "from 1 to"]),
        ("hidden_size", json!(65), &["embed_tokens", "[320, 65]", "[320, 64]"]),
        ("intermediate_size", json!(80), &["`intermediate_size`", "multiple of 32", "found 80"]),
        ("intermediate_size", json!(64), &["gate_up_proj_blocks", "[8, 128, 2, 16]", "[8, 192, 2, 16]"]),
        ("vocab_size", json!(321), &["embed_tokens", "[321, 64]", "[320, 64]"]),
        ("num_experts_per_tok", json!(9), &["`num_experts_per_tok`", "at most the 8 experts", "found 9"]),
        ("num_hidden_layers", json!(1_000_000), &["`num_hidden_layers`", "from 1 to"]),
        ("num_hidden_layers", json!(3), &["`layer_types`", "3 times"]),
        ("layer_types", json!(["full_attention", 1, 2, 3]), &["`layer_types`", "sliding_attention"]),
        ("rms_norm_eps", json!(0), &["`rms_norm_eps`", "above 0"]),
        ("rope_theta", json!(1), &["rope_theta", "above 1"]),
        ("rope_scaling", json!({ "rope_type": "longrope" }), &["rope_scaling.rope_type", "yarn", "longrope"]),
        ("rope_scaling", json!([]), &["`rope_scaling`", "an object"]),
        ("swiglu_limit", json!(1e300), &["`swiglu_limit`"]),
        ("eos_token_id", json!("</s>"), &["`eos_token_id`", "token id"]),
        ("tie_word_embeddings", json!(1), &["`tie_word_embeddings`", "true or false"]),
        ("max_position_embeddings", json!(0), &["`max_position_embeddings`"]),
        (
            "quantization_config",
            json!({ "quant_method": "fp8" }),
            &["config.json", "`quantization_config.quant_method`", "mxfp4", "found \"fp8\""],
        ),
        (
            "quantization_config",
            json!({ "quant_method": 4 }),
            &["quantization_config.quant_method", "found 4"],
        ),
        ("quantization_config", json!({ "bits": 4 }), &["quantization_config.quant_method", "found nothing"]),
        ("quantization_config", json!("mxfp4"), &["`quantization_config`", "an object"]),
    ];
    for (key, value, words) in cases {
        let copy = Copy::of("mxfp4");
        copy.edit_json("config.json", |config| drop(config.insert((*key).to_owned(), value.clone())));
        copy.assert_error(words);
    }
}

#[test]
fn configs_that_are_not_json() {
    for (file, text) in [("config.json", "[]"), ("config.json", "{"), ("generation_config.json", "nonsense")]
    {
        let copy = Copy::of("mxfp4");
        std::fs::write(copy.path(file), text).unwrap();
        copy.assert_error(&[file, "damaged", "not a JSON object"]);
    }
}

#[test]
fn options_that_make_no_sense() {
    let copy = Copy::of("dense");
    let error = |options: Options| load(copy.folder.path(), &options).unwrap_err();
    assert!(error(Options { tensor_parallel_size: 0, ..options() }).contains("tensor parallel size"));
    assert!(error(Options { block_size: 0, ..options() }).contains("block size"));
    assert!(error(Options { block_count: Some(0), ..options() }).contains("block count"));
    assert!(
        error(Options { block_count: Some(u32::MAX as usize), block_size: 1024, ..options() })
            .contains("memory")
    );
}

/// Whatever a header or a config holds, loading answers; it never panics.
#[test]
fn random_damage_never_panics() {
    let mut state = 7u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let copy = Copy::of("odd");
    for file in ["model-00002-of-00006.safetensors", "config.json", "model.safetensors.index.json"] {
        let whole = std::fs::read(copy.path(file)).unwrap();
        for _ in 0..300 {
            let mut bytes = whole.clone();
            for _ in 0..=below(4) {
                let at = below(bytes.len().min(2000));
                bytes[at] = if below(2) == 0 { below(256) as u8 } else { b"0123456789,:[]{}\"-"[below(18)] };
            }
            bytes.truncate(if below(4) == 0 { below(bytes.len()) } else { bytes.len() });
            std::fs::write(copy.path(file), &bytes).unwrap();
            // Both answers are fine: many bytes do not matter.
            let _ = copy.load();
        }
        std::fs::write(copy.path(file), whole).unwrap();
    }
    copy.load().unwrap();
}
