"""Writes a trained model as a Hugging Face checkpoint folder: MXFP4 experts, the rest bf16, one safetensors file.

    python export.py --run runs/demo --out model --answer 2 --first 1

`--answer` makes the model more willing to answer, `--first` makes it lean to the passage that retrieval ranked first, each by
a constant on one logit at one kind of position; calibrate.py finds the constants. 0 leaves the model as it was trained.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch

from model import CONFIG
from mxfp4 import quantize
from tokenizer import SPECIALS


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="runs/demo")
    parser.add_argument("--out", default="model")
    parser.add_argument("--answer", type=float, default=0.0)
    parser.add_argument("--first", type=float, default=0.0)
    args = parser.parse_args()
    run, out = Path(args.run), Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    from safetensors.torch import save_file

    state = torch.load(run / "weights.pt", map_location="cpu")["model"]
    if args.answer or args.first:
        lean(state, run / "tokenizer.json", args.answer, args.first)
    save_file(tensors(state), str(out / "model.safetensors"), metadata={"format": "pt"})
    shutil.copy(run / "tokenizer.json", out / "tokenizer.json")
    vocabulary = json.loads((run / "tokenizer.json").read_text())
    ids = {token["content"]: token["id"] for token in vocabulary["added_tokens"]}
    (out / "config.json").write_text(json.dumps(config_json(ids), indent=2) + "\n")
    generation = {"bos_token_id": ids[SPECIALS[0]], "do_sample": False, "eos_token_id": [ids[n] for n in ("<|return|>", "<|endoftext|>", "<|call|>")], "pad_token_id": ids[SPECIALS[0]]}
    (out / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")


def lean(state, vocabulary, answer, first):
    """Adds to the head's rows of `[` and `1` a direction that hidden states have where the passage is chosen, and nowhere
    else in a reply: found by least squares over replies to made-up prompts."""
    from tokenizers import Tokenizer

    from prompt import Encoder

    encoder = Encoder(Tokenizer.from_file(str(vocabulary)))
    opening, hidden = len(encoder.said("analysis", "")), []
    for prompt, reply in replies(encoder, 240):
        hidden.append((states(state, prompt + reply)[len(prompt) - 1 : -1], reply))
    bracket, one = encoder.text("[1]")[:2]
    for token, place, constant in ((bracket, opening, answer), (one, opening + 1, first)):
        chosen = torch.cat([h[place : place + 1] for h, reply in hidden if place == opening or reply[opening] == bracket])
        others = torch.cat([torch.cat([h[:place], h[place + 1 :]]) for h, _ in hidden])
        direction = separating(chosen, others)
        reached, spilled = chosen @ direction, others @ direction
        print(json.dumps({"token": token, "constant": constant, "there": [round(v.item(), 2) for v in (reached.min(), reached.max())], "elsewhere": round(spilled.abs().max().item(), 2)}))
        row = state["lm_head.weight"][token].float() + constant * direction
        state["lm_head.weight"][token] = row.to(state["lm_head.weight"].dtype)


def separating(chosen, others):
    """The direction whose product is 1 with `chosen` and 0 with `others`; each kind weighs the same."""
    rows = torch.cat([chosen / len(chosen) ** 0.5, others / len(others) ** 0.5])
    wanted = torch.cat([torch.full((len(chosen),), len(chosen) ** -0.5), torch.zeros(len(others))])
    square = rows.T @ rows
    return torch.linalg.solve(square + 1e-4 * square.trace() / len(square) * torch.eye(len(square)), rows.T @ wanted)


def replies(encoder, count):
    """Prompts and replies: made-up ones, and real entries with real questions, as the gateway frames them."""
    import random

    from data import REFUSAL, Bank, Source
    from prompt import Sample, developer_text, system_text
    from trees import in_languages, read_businesses

    bank, chance = Bank(), random.Random(11)
    source = Source(11, bank, bank.train)
    shops = [shop for business in read_businesses() for shop in in_languages(business)]
    for number in range(count):
        if number % 4 == 0:
            sample = source.grounded()
        else:
            shop = chance.choice(shops)
            asked, places = chance.choice(shop.asked), chance.sample(range(len(shop.entries)), 3)
            if asked.entry is not None and asked.entry not in places:
                places[chance.choice([0, 0, 1, 2])] = asked.entry
            passages = [shop.entries[place] for place in places]
            place = None if asked.entry is None else places.index(asked.entry)
            said = ("none", REFUSAL[shop.language]) if place is None else (f"[{place + 1}]", passages[place][1])
            sample = Sample(asked.text, passages, place, *said, system=system_text("2026-11-23"), developer=developer_text())
        yield encoder.prompt(sample), encoder.reply(sample)[0]


@torch.no_grad()
def states(state, tokens):
    """Hidden states after the last norm: [tokens, hidden]."""
    from model import Model
    from train import masks_of

    if "model" not in LOADED:
        LOADED["model"] = Model().eval()
        LOADED["model"].load_state_dict(state)
    tokens = torch.tensor([tokens])
    masks = masks_of(torch.zeros(tokens.shape, dtype=torch.int32), False)
    return LOADED["model"](tokens, torch.arange(tokens.shape[1])[None], masks)[0][0]


LOADED: dict = {}


def tensors(state):
    made = {}
    for name, value in state.items():
        key = name if name.startswith("lm_head") else f"model.{name}"
        key = key.replace(".mlp.gate_up", ".mlp.experts.gate_up").replace(".mlp.down", ".mlp.experts.down")
        if name.endswith(("gate_up_proj", "down_proj")):
            made[key + "_blocks"], made[key + "_scales"] = (part.contiguous() for part in quantize(value.float()))
        else:
            made[key] = value.to(torch.bfloat16).contiguous()
    return made


def config_json(ids=None):
    ids = ids or {"<|endoftext|>": 0, "<|return|>": 1}
    c = CONFIG
    return {
        "architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "attention_bias": True, "attention_dropout": 0.0,
        "hidden_act": "silu", "hidden_size": c["hidden_size"], "intermediate_size": c["intermediate_size"], "head_dim": c["head_dim"],
        "num_attention_heads": c["num_attention_heads"], "num_key_value_heads": c["num_key_value_heads"], "num_hidden_layers": c["num_hidden_layers"],
        "num_local_experts": c["num_local_experts"], "num_experts_per_tok": c["num_experts_per_tok"], "experts_per_token": c["num_experts_per_tok"],
        "layer_types": ["sliding_attention" if n % 2 == 0 else "full_attention" for n in range(c["num_hidden_layers"])],
        "sliding_window": c["sliding_window"], "initial_context_length": c["yarn_original"], "max_position_embeddings": c["max_position_embeddings"],
        "rms_norm_eps": c["rms_norm_eps"], "rope_theta": c["rope_theta"],
        "rope_scaling": {"rope_type": "yarn", "factor": c["yarn_factor"], "beta_fast": c["yarn_beta_fast"], "beta_slow": c["yarn_beta_slow"],
                         "original_max_position_embeddings": c["yarn_original"], "truncate": False},
        "swiglu_limit": c["swiglu_limit"], "tie_word_embeddings": False, "vocab_size": c["vocab_size"], "use_cache": True,
        "router_aux_loss_coef": 0.9, "output_router_logits": False,
        "eos_token_id": ids["<|return|>"], "pad_token_id": ids["<|endoftext|>"],
        "quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]},
    }


if __name__ == "__main__":
    main()
