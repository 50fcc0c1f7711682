"""Trains a model further on the businesses of `bank/bases`, in full precision, on a CPU.

    python tune.py --start runs/c/weights.pt --minutes 60 --out runs/d   # 2 cores; tokenizer.json, weights.pt, log.jsonl in runs/d
    python tune.py --check                                               # loss and gradients of trees against each branch read alone

A question's prompt is mostly passages, so a tree (trees.py) reads them once for all its questions. Attention is written out with
its gradient: no mask over a whole row is ever made, and nothing is computed between branches.
"""

import argparse
import json
import multiprocessing
import shutil
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

from data import HERE, read_entries
from model import Model, loss_of, rotate
from mxfp4 import straight_through
from prompt import Encoder
from train import Optimizer, masks_of
from trees import Trees, shops


def main():
    args = arguments()
    if args.check:
        return check()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(args.start).parent / "tokenizer.json", out / "tokenizer.json")
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    model = Model()
    model.load_state_dict(torch.load(args.start, map_location="cpu")["model"])
    for layer in model.layers:
        layer.mlp.rounding = straight_through
    train(model, args, out)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--start", help="a weights.pt with its tokenizer.json beside it")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--out", default=str(HERE / "runs" / "tuned"))
    parser.add_argument("--tokens", type=int, default=8192, help="tokens a step, about")
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--held", type=int, default=60, help="trees of held-out businesses to measure on")
    parser.add_argument("--businesses", type=int, help="only so many of them, to begin sooner")
    parser.add_argument("--every", type=int, default=10, help="steps between lines of the log; measured every tenth")
    parser.add_argument("--check", action="store_true")
    return parser.parse_args()


def train(model, args, out):
    """Until the time is over; the held-out businesses are measured now and then, and the weights kept."""
    context = multiprocessing.get_context("spawn")
    batches = context.Queue(maxsize=24)
    context.Process(target=make, args=(args, out, batches), daemon=True).start()
    held = batches.get()
    optimizer, began, step, tokens, recent = Optimizer(model, args.rate), time.time(), 0, 0, []
    log = open(out / "log.jsonl", "a")
    say(log, {"minutes": 0.0, **measure(model, held)})
    while (now := time.time() - began) < args.minutes * 60:
        trees = batches.get()
        recent.append(one_step(model, optimizer, trees, rate_at(now / args.minutes / 60, step, args.rate)))
        step, tokens = step + 1, tokens + sum(tree.size() for tree in trees)
        if step % args.every == 0:
            loss, right = torch.tensor(recent).mean(0).tolist()
            recent = []
            line = {"step": step, "minutes": round((time.time() - began) / 60, 2), "Mtok": round(tokens / 1e6, 2), "loss": round(loss, 4), "right": round(right, 3)}
            say(log, line | (measure(model, held) if step % (10 * args.every) == 0 else {}))
            if step % (5 * args.every) == 0:
                save(model, out)
    save(model, out)
    say(log, {"end": True, "Mtok": round(tokens / 1e6, 2), **measure(model, held)})


def rate_at(progress, step, rate):
    return rate * min(1.0, (step + 1) / 20) * min(1.0, max(0.03, (1 - progress) / 0.7))


def one_step(model, optimizer, trees, rate):
    loss, right = forward(model, trees)
    loss.backward()
    optimizer.step(rate)
    return loss.item(), right.float().mean().item()


def save(model, out):
    torch.save({"model": {k: v.bfloat16() for k, v in model.state_dict().items()}}, out / "weights.part")
    (out / "weights.part").rename(out / "weights.pt")


def say(log, line):
    print(json.dumps(line), flush=True)
    log.write(json.dumps(line) + "\n"), log.flush()


def make(args, out, batches):
    """In a process of its own: first the trees to measure on, then batches for ever."""
    torch.set_num_threads(1)
    encoder = Encoder(Tokenizer.from_file(str(out / "tokenizer.json")))
    kept = Trees(5, encoder, shops(held=True, most=args.businesses and args.businesses // 4), plain=0.0)
    batches.put([kept.next() for _ in range(args.held)])
    entries = read_entries(HERE / "bank" / "samples.jsonl") + read_entries(HERE / "bank" / "bases.jsonl")
    source = Trees(args.seed * 1000 + int(time.time()) % 997, encoder, shops(held=False, most=args.businesses), entries=entries)
    while True:
        trees = []
        while sum(tree.size() for tree in trees) < args.tokens - 400:
            tree = source.next()
            if tree.size() <= 2200:
                trees.append(tree)
        batches.put(trees)


@torch.no_grad()
def measure(model, held):
    """On businesses never trained on: how often the right passage is chosen, and nothing where none answers."""
    right = {}
    for tree in held:
        layout = Layout([tree])
        said = model.lm_head(hidden(model, layout)).argmax(-1)
        for kind, (start, tokens, weights) in zip(tree.kinds, layout.spans):
            at = [n for n in range(len(weights)) if weights[n] > 0][:2]  # "[" and the digit, or the two tokens of "none"
            good = all(said[start + n - 1] == tokens[n] for n in at)
            right.setdefault(kind, []).append(good)
            whole = [n for n in range(len(weights)) if weights[n] > 0]
            if len(whole) > 6 and kind == "hit" and good:
                right.setdefault("copied", []).append(all(said[start + n - 1] == tokens[n] for n in whole))
    return {kind: round(sum(seen) / len(seen), 3) for kind, seen in right.items()}


# --- one pass over trees --------------------------------------------------------------------------------------------


class Layout:
    """Several trees as one row of tokens: each trunk, then its branches; which attends to which is told by `groups`."""

    def __init__(self, trees):
        tokens, positions, targets, weights, self.groups, self.spans = [], [], [], [], [], []

        def put(ids, weighed, start):
            at = len(tokens)
            tokens.extend(ids)
            positions.extend(range(start, start + len(ids)))
            targets.extend(ids[1:] + [0])
            weights.extend(weighed[1:] + [0.0])
            return at, len(ids)

        for tree in trees:
            trunk = put(tree.trunk, tree.trunk_weights, 0)
            branches = []
            for ids, weighed in tree.branches:
                at, size = put(ids, weighed, len(tree.trunk))
                branches.append((at, size))
                self.spans.append((at, ids, weighed))
            self.groups.append(Group(trunk, branches))
        self.tokens, self.positions = torch.tensor(tokens), torch.tensor(positions)
        self.targets, self.weights = torch.tensor(targets), torch.tensor(weights)


# Branches of a length between two of these are padded to one length.
LENGTHS = (32, 48, 72, 108, 160, 240, 360)


class Group:
    """Where one tree lies in a layout: its trunk's slice, and its branches in padded blocks of about one length."""

    def __init__(self, trunk, branches):
        self.trunk = slice(trunk[0], trunk[0] + trunk[1])
        by_length = {}
        for at, size in branches:
            by_length.setdefault(next(most for most in LENGTHS if size <= most), []).append((at, size))
        self.blocks = [Block(kept) for kept in by_length.values()]


class Block:
    """`index` [branches, length]: where each token lies, the last one again for padding; `real` [branches * length]."""

    def __init__(self, branches):
        step = torch.arange(max(size for _, size in branches))
        starts, sizes = (torch.tensor(values)[:, None] for values in zip(*branches))
        self.index = starts + torch.minimum(step[None], sizes - 1)
        self.real = (step[None] < sizes).reshape(-1)


def forward(model, trees):
    layout = Layout(trees)
    at = layout.weights > 0
    return loss_of(model, hidden(model, layout)[at], layout.targets[at], layout.weights[at])


def hidden(model, layout):
    """Hidden states after the last norm: [tokens, hidden]."""
    x = model.embed_tokens(layout.tokens)
    cos, sin = model.cos[layout.positions].unsqueeze(1), model.sin[layout.positions].unsqueeze(1)
    for index, layer in enumerate(model.layers):
        window = model.config["sliding_window"] if index % 2 == 0 else None
        x = x + attention(layer.self_attn, layer.input_layernorm(x), cos, sin, layout.groups, window)
        x = x + layer.mlp(layer.post_attention_layernorm(x))[0]
    return model.norm(x)


def attention(block, x, cos, sin, groups, window):
    count = x.shape[0]
    q, k, v = (linear(x).view(count, -1, block.size) for linear in (block.q_proj, block.k_proj, block.v_proj))
    out = Attend.apply(rotate(q, cos, sin), rotate(k, cos, sin), v, block.sinks, groups, window)
    return block.o_proj(out.reshape(count, -1))


class Attend(torch.autograd.Function):
    """Softmax attention with a sink a head over trunks and branches. q: [tokens, heads, size]; k, v: [tokens, shared, size]."""

    @staticmethod
    def forward(ctx, q, k, v, sinks, groups, window):
        out, parts = torch.empty_like(q), []
        for group in groups:
            parts.append(trunk_forward(q, k, v, sinks, out, group, window))
            parts += [branches_forward(q, k, v, sinks, out, group.trunk, block, window) for block in group.blocks]
        ctx.save_for_backward(q, k, v, sinks)
        ctx.groups, ctx.parts = groups, parts
        return out

    @staticmethod
    def backward(ctx, given):
        q, k, v, sinks = ctx.saved_tensors
        grads = [torch.zeros_like(x) for x in (q, k, v, sinks)]
        parts, ctx.parts = iter(ctx.parts), None
        for group in ctx.groups:
            trunk_backward(q, k, v, given, grads, group, next(parts))
            for block in group.blocks:
                branches_backward(q, k, v, given, grads, group.trunk, block, next(parts))
        return *grads, None, None


def trunk_forward(q, k, v, sinks, out, group, window):
    at, shared = group.trunk, k.shape[1]
    n = at.stop - at.start
    logits = grouped(q[at], shared) @ k[at].permute(1, 2, 0)  # [shared, ratio * n, n]
    ahead = torch.arange(n)[:, None] - torch.arange(n)[None]
    closed = ahead < 0 if window is None else (ahead < 0) | (ahead >= window)
    weights, sunk = softmax(logits, closed.repeat(q.shape[1] // shared, 1), spread(sinks, shared, n), q.shape[2])
    made = ungrouped(weights @ v[at].transpose(0, 1), n)
    out[at] = made  # a part of `out` itself, kept for the way back, would keep every step's memory
    return weights, sunk, made


def trunk_backward(q, k, v, given, grads, group, part):
    (weights, sunk, made), at, shared = part, group.trunk, k.shape[1]
    n = at.stop - at.start
    given, scale = given[at], q.shape[2] ** -0.5
    kept = grouped((given * made).sum(-1, keepdim=True), shared)  # each query's weighted mean of the weights' gradients
    wide = grouped(given, shared)
    inner = (wide @ v[at].permute(1, 2, 0)).sub_(kept).mul_(weights).mul_(scale)
    grads[0][at] += ungrouped(inner @ k[at].transpose(0, 1), n)
    grads[1][at] += (inner.transpose(1, 2) @ grouped(q[at], shared)).transpose(0, 1)
    grads[2][at] += (weights.transpose(1, 2) @ wide).transpose(0, 1)
    grads[3] += lost(sunk, kept, shared, n)


def branches_forward(q, k, v, sinks, out, trunk, block, window):
    shared, size, (count, length) = k.shape[1], q.shape[2], block.index.shape
    seen = trunk_seen(trunk, window)
    flat = block.index.reshape(-1)
    queries = grouped(q[flat], shared)  # [shared, ratio * count * length, size]
    own_q, own_k, own_v = own(q[flat], shared, count, length), own(k[flat], shared, count, length), own(v[flat], shared, count, length)
    n = seen.stop - seen.start
    logits = torch.empty(shared, queries.shape[1], n + length)
    logits[..., :n] = queries @ k[seen].permute(1, 2, 0)
    logits[..., n:] = joined(own_q @ own_k.transpose(-1, -2), count, length)
    weights, sunk = softmax(logits, branches_closed(n, length, window).repeat(queries.shape[1] // length, 1), spread(sinks, shared, count * length), size)
    first, second = weights[..., :n].contiguous(), split(weights[..., n:], count, length)
    made = ungrouped(first @ v[seen].transpose(0, 1) + joined(second @ own_v, count, length), count * length)
    out[flat[block.real]] = made[block.real]
    return first, second, sunk, made


def branches_backward(q, k, v, given, grads, trunk, block, part):
    first, second, sunk, made = part
    shared, scale, (count, length) = k.shape[1], q.shape[2] ** -0.5, block.index.shape
    flat, n, real = block.index.reshape(-1), first.shape[-1], block.real
    seen = slice(trunk.stop - n, trunk.stop)
    given = given[flat] * real[:, None, None]
    kept = grouped((given * made).sum(-1, keepdim=True), shared)
    wide, queries = grouped(given, shared), grouped(q[flat], shared)
    inner = (wide @ v[seen].permute(1, 2, 0)).sub_(kept).mul_(first).mul_(scale)
    own_q, own_k, own_v = (own(x[flat], shared, count, length) for x in (q, k, v))
    own_given = own(given, shared, count, length)
    own_inner = (own_given @ own_v.transpose(-1, -2)).sub_(split(kept, count, length)).mul_(second).mul_(scale)
    grads[0][flat[real]] += ungrouped(inner @ k[seen].transpose(0, 1) + joined(own_inner @ own_k, count, length), count * length)[real]
    grads[1][seen] += (inner.transpose(1, 2) @ queries).transpose(0, 1)
    grads[2][seen] += (first.transpose(1, 2) @ wide).transpose(0, 1)
    grads[1][flat[real]] += disowned(own_inner.transpose(-1, -2) @ own_q)[real]
    grads[2][flat[real]] += disowned(second.transpose(-1, -2) @ own_given)[real]
    grads[3] += lost(sunk, kept, shared, count * length)


def trunk_seen(trunk, window):
    """The part of the trunk that some token of a branch sees."""
    return trunk if window is None else slice(max(trunk.start, trunk.stop - window + 1), trunk.stop)


def branches_closed(n, length, window):
    """[length, n + length]: which of the trunk's last n tokens and of its own a branch's token may not see."""
    query, key = torch.arange(n, n + length)[:, None], torch.arange(n + length)[None]
    return key > query if window is None else (key > query) | (query - key >= window)


def softmax(logits, closed, sinks, size):
    """In place; (weights, what the sink takes). closed: [queries, keys]; sinks: [shared, queries, 1]."""
    logits.mul_(size**-0.5).masked_fill_(closed, float("-inf"))
    largest = torch.maximum(logits.amax(-1, keepdim=True), sinks)
    weights, sunk = logits.sub_(largest).exp_(), (sinks - largest).exp_()
    total = weights.sum(-1, keepdim=True).add_(sunk)
    return weights.div_(total), sunk / total


def lost(sunk, kept, shared, n):
    """The gradient of the sinks: [heads]."""
    return -(sunk * kept).view(shared, -1, n).sum(-1).reshape(-1)


def spread(sinks, shared, n):
    return sinks.detach().view(shared, -1, 1).expand(-1, -1, n).reshape(shared, -1, 1)


def grouped(x, shared):
    """[n, heads, size] -> [shared, ratio * n, size]: the query heads that share keys stand together."""
    n, heads, size = x.shape
    return x.permute(1, 0, 2).reshape(shared, heads // shared * n, size)


def ungrouped(x, n):
    return x.reshape(-1, n, x.shape[-1]).transpose(0, 1)


def own(x, shared, count, length):
    """[count * length, heads, size] -> [shared, count, ratio * length, size]."""
    heads, size = x.shape[1], x.shape[2]
    return x.view(count, length, shared, heads // shared, size).permute(2, 0, 3, 1, 4).reshape(shared, count, -1, size)


def disowned(x):
    """[shared, count, length, size] -> [count * length, shared, size]."""
    return x.permute(1, 2, 0, 3).reshape(-1, x.shape[0], x.shape[3])


def split(x, count, length):
    """[shared, ratio * count * length, m] -> [shared, count, ratio * length, m]."""
    shared, m = x.shape[0], x.shape[-1]
    return x.reshape(shared, -1, count, length, m).transpose(1, 2).reshape(shared, count, -1, m)


def joined(x, count, length):
    """The way back from `split`."""
    shared, m = x.shape[0], x.shape[-1]
    return x.view(shared, count, -1, length, m).transpose(1, 2).reshape(shared, -1, m)


def check():
    """Loss and gradients of trees against the model's own reading of each branch alone."""
    torch.manual_seed(3)
    model = Model()
    for layer in model.layers:
        torch.nn.init.normal_(layer.self_attn.sinks)
    from trees import Tree

    def ids(count):
        return torch.randint(0, 5632, (count,)).tolist()

    trees = [Tree(ids(t), [0.0] * (t - 3) + [1.0] * 3, [(ids(b), [0.0] + [1.0] * (b - 1)) for b in lengths]) for t, lengths in ((300, (20, 150, 7)), (40, (9,)), (50, ()))]
    loss, _ = forward(model, trees)
    loss.backward()
    mine = torch.cat([p.grad.reshape(-1) for p in model.parameters() if p.grad is not None])
    model.zero_grad()
    total = 0.0
    weight = sum(sum(t.trunk_weights[1:]) + sum(sum(w[1:]) for _, w in t.branches) for t in trees)
    for tree in trees:
        for tokens, weights in [([], [0.0]), *tree.branches]:
            row = torch.tensor([tree.trunk + tokens])
            given = torch.tensor(tree.trunk_weights + weights if not tokens else [0.0] * (len(tree.trunk) + 1) + weights[1:])[: row.shape[1]]
            states, _ = model(row, torch.arange(row.shape[1])[None], masks_of(torch.zeros(row.shape, dtype=torch.int32), False))
            losses = F.cross_entropy(model.lm_head(states[0, :-1]), row[0, 1:], reduction="none")
            total = total + (losses * given[1:]).sum() / weight
    total.backward()
    theirs = torch.cat([p.grad.reshape(-1) for p in model.parameters() if p.grad is not None])
    print(json.dumps({"loss": loss.item(), "difference": abs(loss.item() - total.item()), "gradient_difference": ((mine - theirs).norm() / theirs.norm()).item()}))


if __name__ == "__main__":
    main()
