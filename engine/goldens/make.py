"""Makes the small random gpt-oss checkpoints of this folder and their logits by Hugging Face transformers.

    pip install torch 'transformers>=5' && python make.py

Every case is a folder: a checkpoint as users have them, `golden.json` with the tokens and the positions that were
kept, and `logits.f32` with their logits (little-endian f32, [positions, vocabulary]). All arithmetic is in fp32 on
the CPU, from exactly the weights that the checkpoint holds. Seeds are fixed; a seed is skipped when two experts of
some token are nearly tied, because rounding alone would then decide between them.
"""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import GptOssConfig, GptOssForCausalLM

HERE = Path(__file__).parent
MXFP4_VALUES = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0])
# Far above what fp32 rounding moves a router logit by.
ROUTER_GAP_MIN = 5e-5

YARN = {
    "rope_type": "yarn",
    "rope_theta": 150000.0,
    "factor": 32.0,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "truncate": False,
    "original_max_position_embeddings": 4096,
}

CASES = {
    # The layout of transformers 5: dense experts in bf16, one file.
    "dense": dict(
        layout="transformers", dtype=torch.bfloat16, length=96, every=1,
        config=dict(
            vocab_size=300, hidden_size=96, intermediate_size=64, num_hidden_layers=4, num_attention_heads=8,
            num_key_value_heads=2, head_dim=16, num_local_experts=4, num_experts_per_tok=2, sliding_window=16,
            max_position_embeddings=4096, rope_parameters=YARN, eos_token_id=[2, 7],
        ),
    ),
    # The layout of the Hub: MXFP4 experts, rope_scaling, the real window, more than 1000 tokens, top 4.
    "mxfp4": dict(
        layout="hub", dtype=torch.bfloat16, length=1100, every=13,
        config=dict(
            vocab_size=320, hidden_size=64, intermediate_size=96, num_hidden_layers=4, num_attention_heads=6,
            num_key_value_heads=3, head_dim=64, num_local_experts=8, num_experts_per_tok=4, sliding_window=128,
            max_position_embeddings=131072, rope_parameters=YARN, eos_token_id=2,
        ),
    ),
    # Odd sizes, fp32, tied embeddings, plain rope, several files, own layer types, one expert a token.
    "odd": dict(
        layout="transformers", dtype=torch.float32, length=70, every=1, shard="40KB",
        config=dict(
            vocab_size=77, hidden_size=40, intermediate_size=24, num_hidden_layers=3, num_attention_heads=5,
            num_key_value_heads=1, head_dim=10, num_local_experts=3, num_experts_per_tok=1, sliding_window=5,
            max_position_embeddings=512, tie_word_embeddings=True, eos_token_id=None,
            layer_types=["full_attention", "sliding_attention", "sliding_attention"],
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        ),
    ),
    # Truncated yarn in another size, fp16, experts without company, other constants of the activation.
    "truncated": dict(
        layout="transformers", dtype=torch.float16, length=150, every=2,
        config=dict(
            vocab_size=130, hidden_size=64, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=4, head_dim=32, num_local_experts=6, num_experts_per_tok=3, sliding_window=33,
            max_position_embeddings=2048, swiglu_limit=4.0, rms_norm_eps=1e-6, eos_token_id=1,
            rope_parameters=YARN | {"truncate": True, "factor": 8.0, "original_max_position_embeddings": 256},
        ),
    ),
}


def main():
    torch.set_num_threads(1)
    for name, case in CASES.items():
        seed = next(seed for seed in range(1, 100) if make(name, case, seed))
        print(f"{name}: seed {seed}")


def make(name, case, seed):
    """Writes a case; False if its routing is too close to call."""
    torch.manual_seed(seed)
    config = GptOssConfig(**case["config"], attn_implementation="eager", experts_implementation="eager")
    model = GptOssForCausalLM(config).to(torch.float32).eval()
    randomise(model, config, case["dtype"])
    tensors = hub_tensors(model, case["dtype"]) if case["layout"] == "hub" else None
    tokens = torch.randint(0, config.vocab_size, (case["length"],))
    logits, gap = run(model, tokens, config.num_experts_per_tok)
    if gap < ROUTER_GAP_MIN:
        return False
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    if tensors is None:
        # Only now: this also rounds the rotary frequencies, which are no part of the checkpoint.
        model.to(case["dtype"]).save_pretrained(folder, max_shard_size=case.get("shard", "1GB"))
    else:
        save_hub(folder, config, tensors)
    positions = sorted({*range(0, len(tokens), case["every"]), len(tokens) - 1})
    logits[positions].numpy().astype("<f4").tofile(folder / "logits.f32")
    golden = {"tokens": tokens.tolist(), "positions": positions, "router_gap": gap}
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
    return True


def randomise(model, config, dtype):
    """Weights that `dtype` holds exactly, large enough that every part of the arithmetic shows in the logits."""
    scales = {
        "embed_tokens.weight": 1.0,
        "lm_head.weight": 2.0 / config.hidden_size**0.5,
        "q_proj.weight": 1.5 / config.hidden_size**0.5,
        "k_proj.weight": 1.5 / config.hidden_size**0.5,
        "v_proj.weight": 1.0 / config.hidden_size**0.5,
        "o_proj.weight": 1.0 / (config.num_attention_heads * config.head_dim) ** 0.5,
        "router.weight": 1.5 / config.hidden_size**0.5,
        # The clamps at 7 cut about one value in fifty.
        "gate_up_proj": 3.0 / config.hidden_size**0.5,
        "down_proj": 0.3 / config.intermediate_size**0.5,
        "sinks": 1.5,
        "bias": 0.3,
    }
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.uniform_(0.5, 1.5)
            elif name.endswith("bias"):
                parameter.normal_(0.0, scales["bias"])
            else:
                (scale,) = [s for suffix, s in scales.items() if name.endswith(suffix)]
                parameter.normal_(0.0, scale)
            parameter.copy_(parameter.to(dtype))


def run(model, tokens, per_token):
    """Logits in fp32, and the smallest distance between an expert that was chosen and one that was not."""
    gaps = []

    def watch(_module, _inputs, outputs):
        values = outputs[0].sort(dim=-1, descending=True).values
        if values.shape[-1] > per_token:
            gaps.append((values[:, per_token - 1] - values[:, per_token]).min().item())

    for layer in model.model.layers:
        layer.mlp.router.register_forward_hook(watch)
    with torch.no_grad():
        logits = model(tokens[None], use_cache=False).logits[0]
    return logits, min(gaps, default=float("inf"))


def hub_tensors(model, dtype):
    """The tensors as on the Hub, experts quantised; the model gets the quantised values, too."""
    tensors = {}
    for name, parameter in model.state_dict().items():
        if name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            # transformers keeps [experts, inputs, outputs]; the Hub quantises along the inputs.
            blocks, scales, values = quantise(parameter.float().transpose(1, 2).contiguous())
            tensors[name + "_blocks"], tensors[name + "_scales"] = blocks, scales
            parameter.copy_(values.transpose(1, 2))
        else:
            tensors[name] = parameter.to(dtype)
    return tensors


def quantise(weights):
    """To MXFP4: 32 nibbles and one power of two for each block along the last dimension."""
    blocks = weights.unflatten(-1, (-1, 32))
    largest = blocks.abs().amax(-1, keepdim=True).clamp(min=2.0**-100)
    exponent = torch.ceil(torch.log2(largest / 6.0))
    nibbles = (blocks / 2.0**exponent).unsqueeze(-1).sub(MXFP4_VALUES).abs().argmin(-1).to(torch.uint8)
    values = (MXFP4_VALUES[nibbles.long()] * 2.0**exponent).flatten(-2)
    packed = nibbles[..., 0::2] | (nibbles[..., 1::2] << 4)
    return packed, (exponent + 127).squeeze(-1).to(torch.uint8), values


def save_hub(folder, config, tensors):
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    fields = {key: getattr(config, key) for key in (
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "head_dim", "num_local_experts", "num_experts_per_tok", "sliding_window",
        "max_position_embeddings", "layer_types", "rms_norm_eps", "tie_word_embeddings", "eos_token_id",
        "attention_bias", "swiglu_limit",
    )}
    rope = dict(config.rope_parameters)
    fields |= {
        "architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "experts_per_token": config.num_experts_per_tok,
        "rope_theta": rope.pop("rope_theta"), "rope_scaling": rope, "quantization_config": {"quant_method": "mxfp4"},
    }
    (folder / "config.json").write_text(json.dumps(fields, indent=2) + "\n")
    generation = {"eos_token_id": [config.eos_token_id, 5], "do_sample": True}
    (folder / "generation_config.json").write_text(json.dumps(generation) + "\n")


if __name__ == "__main__":
    main()
