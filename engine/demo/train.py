"""Trains the demo model; on a GPU where there is one, else on the CPU.

    python train.py --minutes 20 --out runs/demo          # tokenizer.json, model.pt, log.jsonl in runs/demo
    python train.py --minutes 20 --out runs/demo --resume # goes on from runs/demo/model.pt
    python train.py --check                               # the block against transformers' implementation

Then export.py writes the checkpoint folder, and evaluate.py the tables of the model card.
"""

import argparse
import json
import math
import multiprocessing
import time
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

import tokenizer as tokenizer_builder
from data import HERE, Bank, Source, english_text, read_entries
from model import CONFIG, Model, loss_of
from mxfp4 import straight_through
from prompt import DIGIT, Encoder


def main():
    args = arguments()
    if args.check:
        return check()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "tokenizer.json").exists():
        tokenizer_builder.build(english_text(Bank()), 1240, out / "tokenizer.json")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(args.seed)
    model = Model(flex=device == "cuda" and not args.eager).to(device)
    if device == "cuda":
        torch.set_float32_matmul_precision("high")
    for layer in model.layers if args.round else ():
        layer.mlp.rounding = straight_through
    optimizer = Optimizer(model, args.rate)
    state = {"tokens": 0, "seconds": 0.0}
    if args.start:
        model.load_state_dict(torch.load(args.start, map_location=device)["model"])
    if args.resume:
        saved = torch.load(out / "model.pt", map_location=device)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved.get("optimizer"))
        state = saved["state"] if args.total_minutes else state
    print(json.dumps({"parameters": sum(p.numel() for p in model.parameters()), "device": device}), flush=True)
    train(model, optimizer, state, args, out, device)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20, help="time of this run")
    parser.add_argument("--total-minutes", type=float, help="length of the learning-rate schedule over several runs; default: --minutes, from its start")
    parser.add_argument("--out", default=str(HERE / "runs" / "demo"))
    parser.add_argument("--rows", type=int, default=16, help="packed rows a step")
    parser.add_argument("--length", type=int, default=2048, help="tokens a row")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--processes", type=int, default=12, help="processes that make samples")
    parser.add_argument("--every", type=int, default=100, help="steps between lines of the log; measured every fifth")
    parser.add_argument("--held-rows", type=int, default=64, help="rows of held-out samples to measure on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--drill", type=float, nargs=2, default=(0.8, 0.1), metavar=("FIRST", "LAST"), help="share of samples that only choose a passage, at difficulty 0 and at 1")
    parser.add_argument("--difficulty", type=float, default=0.0, help="of the first drills, 0 to 1; grows while nine of ten are right")
    parser.add_argument("--round", action="store_true", help="round the experts to MXFP4 in the forward pass")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--misses", type=float, default=0.22, help="share of prompts whose passages do not answer")
    parser.add_argument("--real", type=float, default=0.15, help="share of entries from whole knowledge bases")
    parser.add_argument("--start", help="weights to begin from (a weights.pt of an earlier run)")
    parser.add_argument("--eager", action="store_true", help="plain attention instead of FlexAttention")
    parser.add_argument("--check", action="store_true")
    return parser.parse_args()


def train(model, optimizer, state, args, out, device):
    """Until the time is over; writes a line a hundred steps and a checkpoint every two minutes."""
    forward = torch.compile(model, dynamic=False) if device == "cuda" else model
    total = (args.total_minutes or args.minutes) * 60
    held = held_rows(args, out)
    began, before, saved, step, recent = time.time(), state["seconds"], time.time(), 0, []
    log = open(out / "log.jsonl", "a")
    difficulty = multiprocessing.get_context("spawn").Value("d", args.difficulty)
    for rows in batches(args, out, difficulty):
        now = before + time.time() - began
        if now - before > args.minutes * 60 or now > total:
            break
        progress = now / total
        recent.append(one_step(model, forward, optimizer, rows, device, rate_at(progress, args.rate, step)))
        state.update(tokens=state["tokens"] + rows["tokens"].size, seconds=now)
        step += 1
        if step % args.every == 0:
            loss, drilled = torch.stack(recent).mean(0).tolist()
            recent = []
            difficulty.value = min(1.0, difficulty.value + max(0.0, drilled - 0.85) / 3)
            line = {"step": step, "minutes": round(now / 60, 2), "Mtok": round(state["tokens"] / 1e6, 1), "loss": round(loss, 4), "drilled": round(drilled, 3), "difficulty": round(difficulty.value, 3)}
            if step % (5 * args.every) == 0:
                line |= measure(model, forward, held, device)
            print(json.dumps(line), flush=True)
            log.write(json.dumps(line) + "\n"), log.flush()
        if time.time() - saved > 120:
            save(model, optimizer, state, out)
            saved = time.time()
    save(model, optimizer, state, out)
    print(json.dumps({"end": True, "minutes": round(state["seconds"] / 60, 2), **measure(model, forward, held, device)}), flush=True)


def one_step(model, forward, optimizer, rows, device, rate):
    tokens, positions, weights, masks = on_device(rows, device, model.flex)
    with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
        hidden, uneven = forward(tokens, positions, masks)
        at = weights[:, 1:] > 0
        loss, right = loss_of(model, hidden[:, :-1][at], tokens[:, 1:][at], weights[:, 1:][at])
        digits = weights[:, 1:][at] == DIGIT
    (loss + 0.01 * uneven).backward()
    optimizer.step(rate)
    return torch.stack([loss.detach(), (right & digits).sum() / digits.sum().clamp(min=1)])


def rate_at(progress, rate, step):
    warm = min(1.0, (step + 1) / 100) if progress < 0.05 else 1.0
    return rate * warm * min(1.0, max(0.02, (1 - progress) / 0.6))


def save(model, optimizer, state, out):
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "state": state}, out / "model.part")
    (out / "model.part").rename(out / "model.pt")
    torch.save({"model": {k: v.bfloat16() for k, v in model.state_dict().items()}, "state": state}, out / "weights.pt")


# --- batches: samples packed into rows, made by other processes ---------------------------------------------------


def batches(args, out, difficulty):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue(maxsize=64)
    for number in range(args.processes):
        context.Process(target=make_batches, args=(args, out, args.seed * 1000 + number + int(time.time()) % 997, difficulty, queue), daemon=True).start()
    while True:
        yield queue.get()


def make_batches(args, out, seed, difficulty, queue):
    torch.set_num_threads(1)
    pack = Packer(args, out, seed, difficulty)
    while True:
        queue.put(pack.rows(args.rows))


def held_rows(args, out):
    pack = Packer(args, out, 5, None)
    return [pack.rows(args.rows) for _ in range(args.held_rows // args.rows)]


class Packer:
    """`difficulty` is shared with the training process; without one, the samples are the held-out ones."""

    def __init__(self, args, out, seed, difficulty):
        bank, held = Bank(), difficulty is None
        entries = [] if held else read_entries(HERE / "bank" / "samples.jsonl") + read_entries(HERE / "bank" / "bases.jsonl")
        shares = {"prefaced": 0.0} if held else {"misses": args.misses, "real": args.real}
        self.source = Source(seed, bank, bank.held if held else bank.train, entries, **shares)
        self.args, self.difficulty = args, difficulty
        self.encoder, self.length, self.rest = Encoder(Tokenizer.from_file(str(Path(out) / "tokenizer.json"))), args.length, None

    def rows(self, count):
        shape = (count, self.length)
        made = {"tokens": np.zeros(shape, np.int32), "positions": np.zeros(shape, np.int32), "weights": np.zeros(shape, np.float32),
                "documents": np.full(shape, -1, np.int32), "kinds": [], "spans": []}
        for row in range(count):
            self.fill(made, row)
        return made

    def fill(self, made, row):
        at = number = 0
        while True:
            sample, prompt, reply, weights = self.rest or self.next()
            size = len(prompt) + len(reply)
            if at + size > self.length:
                self.rest = (sample, prompt, reply, weights)
                return
            self.rest = None
            made["tokens"][row, at : at + size] = prompt + reply
            made["positions"][row, at : at + size] = np.arange(size)
            made["weights"][row, at + len(prompt) : at + size] = weights
            made["documents"][row, at : at + size] = number
            made["kinds"].append(sample.kind if sample.right is None else f"hit{sample.right + 1}of{len(sample.passages)}")
            made["spans"].append((row, at + len(prompt), at + size))
            at, number = at + size, number + 1

    def next(self):
        while True:
            sample = self.draw()
            prompt, (reply, weights) = self.encoder.prompt(sample), self.encoder.reply(sample)
            if len(prompt) + len(reply) <= min(1200, self.length):
                return sample, prompt, reply, weights


    def draw(self):
        """Drills, as hard as the model can take and fewer as they get harder, among whole answers."""
        chance = self.source.chance
        if self.difficulty is None:
            return self.source.sample() if chance.random() < 0.7 else self.source.drill(1.0)
        hard = self.difficulty.value
        first, last = self.args.drill
        if chance.random() < first + (last - first) * hard:
            return self.source.drill(hard if chance.random() < 0.8 else chance.random() * hard)
        return self.source.sample()


def on_device(rows, device, flex):
    tokens, positions, weights, documents = (
        torch.from_numpy(rows[name]).to(device, non_blocking=True) for name in ("tokens", "positions", "weights", "documents")
    )
    return tokens.long(), positions.long(), weights, masks_of(documents, flex)


def masks_of(documents, flex):
    """(sliding, full): which key each query sees, inside its own document only."""
    if flex:
        from torch.nn.attention.flex_attention import create_block_mask

        build = compiled(create_block_mask)
        rows, length = documents.shape

        def full(b, h, q, k):
            return (q >= k) & (documents[b, q] == documents[b, k])

        def sliding(b, h, q, k):
            return (q >= k) & (q - k < CONFIG["sliding_window"]) & (documents[b, q] == documents[b, k])

        return tuple(build(mask, rows, None, length, length, device=documents.device.type) for mask in (sliding, full))
    index = torch.arange(documents.shape[1], device=documents.device)
    ahead = index[:, None] - index[None, :]
    full = (ahead >= 0) & (documents[:, :, None] == documents[:, None, :])
    return full & (ahead < CONFIG["sliding_window"]), full


COMPILED = {}


def compiled(function):
    return COMPILED.setdefault(function, torch.compile(function, dynamic=False))


def measure(model, forward, held, device):
    """On held-out topics, teacher-forced: the share of replies of each kind whose every token is the likeliest."""
    right, decided, seen = {}, {}, {}
    for rows in held:
        tokens, positions, weights, masks = on_device(rows, device, model.flex)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
            hidden = forward(tokens, positions, masks)[0].detach()
        for kind, (row, start, end) in zip(rows["kinds"], rows["spans"]):
            said = model.lm_head(hidden[row, start - 1 : end - 1].to(model.lm_head.weight.dtype)).argmax(-1) == tokens[row, start:end]
            seen[kind] = seen.get(kind, 0) + 1
            right[kind] = right.get(kind, 0) + int(said.all())
            counted = weights[row, start:end] > 0
            decided[kind] = decided.get(kind, 0) + (said[counted].float().mean().item() if kind == "drill" else int(said[:7].all()))
    return {"exact": {k: round(right[k] / seen[k], 2) for k in sorted(seen)}, "decided": {k: round(decided[k] / seen[k], 3) for k in sorted(seen)}}


# --- optimizer: Muon for matrices (Jordan 2024), Adam for the rest ------------------------------------------------


class Optimizer:
    def __init__(self, model, rate):
        self.matrices = [p for n, p in model.named_parameters() if p.ndim >= 2 and not n.startswith(("embed", "lm_head")) and not n.endswith(("bias", "router.weight"))]
        known = {id(p) for p in self.matrices}
        self.rest = [p for p in model.parameters() if id(p) not in known]
        self.momenta = [torch.zeros_like(p) for p in self.matrices]
        self.adam = torch.optim.AdamW(self.rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.0, fused=self.rest[0].is_cuda)

    def step(self, rate):
        torch.nn.utils.clip_grad_norm_(self.rest + self.matrices, 1.0)
        for group in self.adam.param_groups:
            group["lr"] = rate
        self.adam.step()
        for shape in {p.shape for p in self.matrices}:
            chosen = [i for i, p in enumerate(self.matrices) if p.shape == shape]
            update_matrices([self.matrices[i] for i in chosen], [self.momenta[i] for i in chosen], rate)
        for p in self.rest + self.matrices:
            p.grad = None

    def state_dict(self):
        return {"adam": self.adam.state_dict(), "momenta": self.momenta}

    def load_state_dict(self, saved):
        if saved:
            self.adam.load_state_dict(saved["adam"])
            for mine, theirs in zip(self.momenta, saved["momenta"]):
                mine.copy_(theirs)


@torch.no_grad()
def update_matrices(matrices, momenta, rate):
    grads = torch.stack([m.mul_(0.95).add_(p.grad).mul(0.95).add(p.grad) for p, m in zip(matrices, momenta)])
    update = orthogonal(grads.reshape(-1, *grads.shape[-2:])).view_as(grads)
    scale = 0.2 * math.sqrt(max(grads.shape[-2:]))
    for p, direction in zip(matrices, update):
        p.mul_(1 - rate * 0.05).add_(direction.to(p.dtype), alpha=-rate * scale)


def orthogonal(g, steps=5):
    """Newton-Schulz: the nearest semi-orthogonal matrix, roughly; g: [n, rows, columns]."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.bfloat16() if g.is_cuda else g
    flipped = x.shape[-2] > x.shape[-1]
    x = x.mT if flipped else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if flipped else x


def check():
    """Random weights through this model and through transformers': the largest difference of logits."""
    from transformers import GptOssConfig, GptOssForCausalLM

    from export import config_json

    torch.manual_seed(3)
    mine = Model().eval()
    theirs = GptOssForCausalLM(GptOssConfig(**{k: v for k, v in config_json().items() if k not in ("architectures", "quantization_config")})).eval()
    state = {}
    for name, value in mine.state_dict().items():
        key = name if name.startswith("lm_head") else f"model.{name}"
        key = key.replace(".mlp.gate_up", ".mlp.experts.gate_up").replace(".mlp.down", ".mlp.experts.down")
        state[key] = value.transpose(1, 2) if name.endswith(("gate_up_proj", "down_proj")) else value
    missing = theirs.load_state_dict(state, strict=False)
    tokens = torch.randint(0, CONFIG["vocab_size"], (1, 400))
    documents = torch.zeros(1, 400, dtype=torch.int32)
    with torch.no_grad():
        hidden, _ = mine(tokens, torch.arange(400)[None], masks_of(documents, False))
        difference = (mine.lm_head(hidden) - theirs(tokens).logits).abs().max().item()
    print(json.dumps({"max_logit_difference": difference, "missing": missing.missing_keys, "unexpected": missing.unexpected_keys}))
    if torch.cuda.is_available():
        check_flex(mine.cuda(), tokens.cuda(), documents.cuda())


@torch.no_grad()
def check_flex(model, tokens, documents):
    """FlexAttention, compiled, against plain attention."""
    tokens, documents = (x.repeat(1, 3)[:, :1024].contiguous() for x in (tokens, documents))
    positions, hidden = torch.arange(1024, device="cuda")[None], []
    for flex in (False, True):
        model.flex = flex
        forward = torch.compile(model, dynamic=False) if flex else model
        hidden.append(forward(tokens, positions, masks_of(documents, flex))[0])
    print(json.dumps({"flex_difference": (hidden[0] - hidden[1]).abs().max().item()}))


if __name__ == "__main__":
    main()
