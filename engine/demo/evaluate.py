"""Measures the demo model on held-out questions, greedy, after MXFP4; needs nothing but Python for the first.

    python evaluate.py end-to-end --binary ../../target/release/frontdesk  # through the real gateway, retrieval and engine
    python evaluate.py alone                                               # the model alone, by the right passage's place

End to end counts an answer as right when it holds every fact of the right entry (exact figures and names), and an
uncovered question as refused when the reply offers a person instead of an answer. The sample base is the shipped one
(its entries, not these questions, were trained on), with two sets of questions by different hands; the unseen bases (a solar
installer, a music shop, a shop for telescopes, a shop for clothes) were never trained on, though other businesses of the last one's trade were.
"""

import argparse
import json
import re
import subprocess
import tempfile
import time
import unicodedata
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
SAMPLE = sorted((HERE / "../../gateway/samples").glob("*.*"))
BASES = {
    "sample": SAMPLE,
    "sample2": SAMPLE,
    "unseen": sorted((HERE / "eval/unseen_kb").glob("*.*")),
    "music": sorted((HERE / "eval/music_kb").glob("*.*")),
    "optics": sorted((HERE / "eval/optics_kb").glob("*.*")),
    "clothing": sorted((HERE / "eval/clothing_kb").glob("*.*")),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(dest="mode", required=True)
    whole = modes.add_parser("end-to-end")
    whole.add_argument("--binary", default=str(HERE / "../../target/release/frontdesk"))
    whole.add_argument("--base", choices=list(BASES), nargs="*", default=list(BASES))
    whole.add_argument("--port", type=int, default=7106)
    whole.add_argument("--misses", help="write every wrong answer to this file")
    alone = modes.add_parser("alone")
    alone.add_argument("--model", default=str(HERE / "model"))
    alone.add_argument("--samples", type=int, default=400)
    args = parser.parse_args()
    if args.mode == "alone":
        return model_alone(args)
    misses = []
    for base in args.base:
        print(json.dumps(end_to_end(args, base, misses), ensure_ascii=False), flush=True)
    if args.misses:
        Path(args.misses).write_text("".join(json.dumps(miss, ensure_ascii=False) + "\n" for miss in misses))


def end_to_end(args, base, misses):
    with tempfile.TemporaryDirectory() as folder:
        data = ["--data-dir", folder]
        subprocess.run([args.binary, "kb", "import", *map(str, BASES[base]), *data], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        server = subprocess.Popen([args.binary, "serve", *data, "--port", str(args.port), "--api-key", "evaluation-key-0123456789"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            ready(args.port)
            return measured(args, base, misses)
        finally:
            server.terminate()
            server.wait()


def measured(args, base, misses):
    counts, began = {}, time.time()
    for row in lines(HERE / f"eval/{base}.jsonl"):
        answer, about = ask(args.port, row["question"])
        right = all(plain(fact) in plain(answer) for fact in row["facts"])
        count(counts, "answered right", row["language"], right)
        count(counts, "found covered", row["language"], about.get("covered"))
        if not right:
            misses.append({"base": base, **row, "answer": answer, "covered": about.get("covered"), "sources": about.get("sources")})
    for row in lines(HERE / f"eval/{base}_uncovered.jsonl"):
        answer, about = ask(args.port, row["question"])
        refused = bool(re.search("人工|to a person|不知道|don't know", answer))
        count(counts, "refused", row["kind"], refused)
        if not refused:
            misses.append({"base": base, **row, "answer": answer, "covered": about.get("covered"), "sources": about.get("sources")})
    table = {name: {kind: f"{sum(seen)}/{len(seen)}" for kind, seen in kinds.items()} | {"all": f"{sum(sum(s) for s in kinds.values()) / sum(len(s) for s in kinds.values()):.0%}"} for name, kinds in counts.items()}
    return {"base": base, **table, "seconds": round(time.time() - began, 1)}


def count(counts, name, kind, good):
    counts.setdefault(name, {}).setdefault(kind, []).append(bool(good))


def ask(port, question):
    body = {"model": "frontdesk-demo", "temperature": 0, "messages": [{"role": "user", "content": question}]}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/chat/completions", json.dumps(body).encode(), {"Authorization": "Bearer evaluation-key-0123456789", "Content-Type": "application/json"})
    reply = json.load(urllib.request.urlopen(request, timeout=120))
    return reply["choices"][0]["message"]["content"] or "", reply.get("frontdesk", {})


def ready(port):
    for _ in range(300):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5)
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the server did not become ready")


def plain(text):
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).lower()


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def model_alone(args):
    """Replies to made-up prompts on held-out topics. Greedy decoding gives the reference exactly when every one of its
    tokens is the likeliest after those before it, so one forward pass a sample is enough."""
    import torch
    from tokenizers import Tokenizer

    from data import Bank, Source
    from prompt import Encoder
    from train import masks_of

    model = exported(Path(args.model))
    bank = Bank()
    source, encoder = Source(2026, bank, bank.held, mixed=0.0), Encoder(Tokenizer.from_file(str(Path(args.model) / "tokenizer.json")))
    seen: dict[str, list] = {}
    while sum(map(len, seen.values())) < args.samples:
        sample = source.sample()
        if sample.kind not in ("hit", "miss") or len(sample.passages) != 3:
            continue
        prompt, (reply, _) = encoder.prompt(sample), encoder.reply(sample)
        tokens = torch.tensor([prompt + reply])
        with torch.no_grad():
            hidden, _ = model(tokens, torch.arange(tokens.shape[1])[None], masks_of(torch.zeros(1, tokens.shape[1], dtype=torch.int32), False))
            said = model.lm_head(hidden[0, len(prompt) - 1 : -1]).argmax(-1) == tokens[0, len(prompt) :]
        chosen = len(encoder.said("analysis", sample.analysis))
        kind = "only irrelevant passages" if sample.right is None else f"right passage at place {sample.right + 1}"
        seen.setdefault(kind, []).append((bool(said[:chosen].all()), bool(said.all())))
    table = {kind: {"samples": len(rows), "chosen right": round(sum(c for c, _ in rows) / len(rows), 3), "whole reply right": round(sum(e for _, e in rows) / len(rows), 3)} for kind, rows in sorted(seen.items())}
    print(json.dumps(table, indent=1))


def exported(folder):
    """The model as shipped: bf16, and MXFP4 for the experts."""
    import torch
    from safetensors.torch import load_file

    from model import Model
    from mxfp4 import unpacked

    tensors, state = load_file(str(folder / "model.safetensors")), {}
    for name, value in tensors.items():
        key = name.removeprefix("model.").replace(".experts", "")
        if key.endswith("_blocks"):
            state[key.removesuffix("_blocks")] = unpacked(value, tensors[name.replace("_blocks", "_scales")])
        elif not key.endswith("_scales"):
            state[key] = value.float()
    model = Model().eval()
    model.load_state_dict(state)
    return model


if __name__ == "__main__":
    main()
