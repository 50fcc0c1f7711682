"""gpt-oss in torch, for training: the block of the published model, exactly, at any size.

Checked against transformers' GptOssForCausalLM by `train.py --check`. Parameter names and shapes are those of the
published checkpoint, except that the experts' matrices stay dense until export.py rounds them to MXFP4.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

CONFIG = dict(
    vocab_size=5632, hidden_size=320, intermediate_size=256, num_hidden_layers=6, head_dim=64, num_attention_heads=8,
    num_key_value_heads=2, num_local_experts=8, num_experts_per_tok=2, sliding_window=128, rms_norm_eps=1e-5,
    rope_theta=150000.0, yarn_factor=32.0, yarn_original=4096, yarn_beta_fast=32.0, yarn_beta_slow=1.0, swiglu_limit=7.0,
    max_position_embeddings=131072,
)


class Model(nn.Module):
    def __init__(self, config=CONFIG, flex=False):
        super().__init__()
        self.config, self.flex = config, flex
        hidden, vocabulary = config["hidden_size"], config["vocab_size"]
        self.embed_tokens = nn.Embedding(vocabulary, hidden)
        self.layers = nn.ModuleList(Block(config, index) for index in range(config["num_hidden_layers"]))
        self.norm = Norm(hidden, config["rms_norm_eps"])
        self.lm_head = nn.Linear(hidden, vocabulary, bias=False)
        nn.init.normal_(self.embed_tokens.weight, std=0.5)
        nn.init.normal_(self.lm_head.weight, std=0.5 / math.sqrt(hidden))
        cos, sin = yarn(config, 4096)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, tokens, positions, masks):
        """tokens, positions: [rows, length]; masks: (sliding, full), see `attend`. Hidden states after the last norm,
        and the routers' balance loss."""
        x = self.embed_tokens(tokens)
        cos, sin = self.cos[positions].unsqueeze(1), self.sin[positions].unsqueeze(1)
        balance = 0.0
        for index, layer in enumerate(self.layers):
            x, uneven = layer(x, cos, sin, masks[index % 2], self.flex)
            balance = balance + uneven
        return self.norm(x), balance / len(self.layers)


class Block(nn.Module):
    def __init__(self, config, index):
        super().__init__()
        self.input_layernorm = Norm(config["hidden_size"], config["rms_norm_eps"])
        self.self_attn = Attention(config)
        self.post_attention_layernorm = Norm(config["hidden_size"], config["rms_norm_eps"])
        self.mlp = Experts(config)

    def forward(self, x, cos, sin, mask, flex):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask, flex)
        routed, uneven = self.mlp(self.post_attention_layernorm(x))
        return x + routed, uneven


class Norm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        wide = x.float()
        return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight).to(x.dtype)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, self.size = config["hidden_size"], config["head_dim"]
        self.heads, self.shared = config["num_attention_heads"], config["num_key_value_heads"]
        self.q_proj = nn.Linear(hidden, self.heads * self.size)
        self.k_proj = nn.Linear(hidden, self.shared * self.size)
        self.v_proj = nn.Linear(hidden, self.shared * self.size)
        self.o_proj = nn.Linear(self.heads * self.size, hidden)
        self.sinks = nn.Parameter(torch.zeros(self.heads))
        for linear in (self.q_proj, self.k_proj, self.v_proj, self.o_proj):
            nn.init.normal_(linear.weight, std=1 / math.sqrt(linear.in_features))
            nn.init.zeros_(linear.bias)
        with torch.no_grad():
            self.o_proj.weight.mul_(0.3)

    def forward(self, x, cos, sin, mask, flex):
        rows, length, _ = x.shape
        q, k, v = (
            linear(x).view(rows, length, -1, self.size).transpose(1, 2) for linear in (self.q_proj, self.k_proj, self.v_proj)
        )
        out = attend(rotate(q, cos, sin), rotate(k, cos, sin), v, self.sinks, mask, flex)
        return self.o_proj(out.transpose(1, 2).reshape(rows, length, -1))


def attend(q, k, v, sinks, mask, flex):
    """Softmax attention with one more logit a head, the sink, that takes probability and gives nothing."""
    if flex:
        from torch.nn.attention.flex_attention import flex_attention

        out, total = flex_attention(q, k, v, block_mask=mask, enable_gqa=True, return_lse=True)
        return (out * torch.sigmoid(total - sinks[None, :, None].float()).unsqueeze(-1)).to(q.dtype)
    groups = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
    logits = (q @ k.transpose(-1, -2)).float() / math.sqrt(q.shape[-1])
    logits = logits.masked_fill(~mask.unsqueeze(1), float("-inf"))
    sink = sinks.float()[None, :, None, None].expand(q.shape[0], -1, q.shape[2], 1)
    weights = torch.softmax(torch.cat([logits, sink], -1), -1)[..., :-1]
    return weights.to(v.dtype) @ v


def rotate(x, cos, sin):
    left, right = x.float().chunk(2, -1)
    return torch.cat([left * cos - right * sin, right * cos + left * sin], -1).to(x.dtype)


def yarn(config, length):
    """cos and sin, each [length, head_dim / 2], as YaRN without truncation gives them."""
    size, base, factor = config["head_dim"], config["rope_theta"], config["yarn_factor"]
    index = torch.arange(0, size, 2, dtype=torch.float64)
    plain = base ** (-index / size)

    def turning(beta):
        return size * math.log(config["yarn_original"] / (beta * 2 * math.pi)) / (2 * math.log(base))

    low, high = max(turning(config["yarn_beta_fast"]), 0), min(turning(config["yarn_beta_slow"]), size - 1)
    keep = 1 - torch.clamp((torch.arange(size // 2, dtype=torch.float64) - low) / (high - low), 0, 1)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * (plain / factor * (1 - keep) + plain * keep)
    scale = 0.1 * math.log(factor) + 1
    return (angles.cos() * scale).float(), (angles.sin() * scale).float()


class Experts(nn.Module):
    """On a GPU every expert runs on every token and the router's top k are kept: at this size that beats gathering."""

    def __init__(self, config):
        super().__init__()
        count, hidden, inner = config["num_local_experts"], config["hidden_size"], config["intermediate_size"]
        self.top, self.limit = config["num_experts_per_tok"], config["swiglu_limit"]
        self.router = nn.Linear(hidden, count)
        self.gate_up_proj = nn.Parameter(torch.randn(count, 2 * inner, hidden) / math.sqrt(hidden))
        self.gate_up_proj_bias = nn.Parameter(torch.zeros(count, 2 * inner))
        self.down_proj = nn.Parameter(torch.randn(count, hidden, inner) * (0.3 / math.sqrt(inner)))
        self.down_proj_bias = nn.Parameter(torch.zeros(count, hidden))
        nn.init.normal_(self.router.weight, std=1 / math.sqrt(hidden))
        nn.init.zeros_(self.router.bias)
        self.rounding = None

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1])
        weights, uneven = self.route(flat)
        gate_up, down = self.gate_up_proj, self.down_proj
        if self.rounding is not None:
            gate_up, down = self.rounding(gate_up), self.rounding(down)
        run = self.all_on_all if flat.is_cuda else self.each_on_its_own
        return run(flat, weights, gate_up.to(flat.dtype), down.to(flat.dtype)).view_as(x), uneven

    def all_on_all(self, flat, weights, gate_up, down):
        inner = torch.einsum("th,eih->eti", flat, gate_up) + self.gate_up_proj_bias[:, None].to(flat.dtype)
        inner = self.gated(inner) * weights.t().unsqueeze(-1).to(flat.dtype)
        return torch.einsum("eti,ehi->th", inner, down) + weights.to(flat.dtype) @ self.down_proj_bias.to(flat.dtype)

    def each_on_its_own(self, flat, weights, gate_up, down):
        out = torch.zeros_like(flat)
        for expert in range(weights.shape[1]):
            rows = weights[:, expert].nonzero().squeeze(1)
            inner = self.gated(F.linear(flat[rows], gate_up[expert], self.gate_up_proj_bias[expert]))
            made = F.linear(inner, down[expert], self.down_proj_bias[expert])
            out = out.index_add(0, rows, made * weights[rows, expert, None])
        return out

    def gated(self, inner):
        gate, up = inner[..., ::2].clamp(max=self.limit), inner[..., 1::2].clamp(-self.limit, self.limit)
        return (up + 1) * gate * torch.sigmoid(1.702 * gate)

    def route(self, flat):
        logits = self.router(flat).float()
        top, chosen = logits.topk(self.top, -1)
        weights = torch.zeros_like(logits).scatter(1, chosen, torch.softmax(top, -1))
        share, probability = (weights > 0).float().mean(0), torch.softmax(logits, -1).mean(0)
        return weights, (share * probability).sum() * logits.shape[1] / self.top - 1


def loss_of(model, hidden, targets, weights):
    """Weighted cross entropy, and where the likeliest token is the right one; hidden: [n, hidden], the others [n]."""
    logits = model.lm_head(hidden).float()
    losses = F.cross_entropy(logits, targets, reduction="none")
    return (losses * weights).sum() / weights.sum(), logits.argmax(-1) == targets
