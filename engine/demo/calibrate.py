"""How willing the model should be to answer, and how far to trust the order of retrieval: two numbers, fitted on the
businesses of bank/bases that neither the model nor the encoder was trained on, never on the held-out questions.

    python calibrate.py --model model --binaries ../../target/release     # prints the grid; export.py --answer --first applies it

For every question the real retrieval gives the passages and the real engine scores the decision: `[` against `none`, then
`1` against `2` and `3`. A constant added to a token's logit at a decision is a constant direction added to its row of the
head, since the hidden states of decisions share a mean; export.py does that.
"""

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer

from data import HERE
from prompt import Encoder, Sample, developer_text, system_text
from trees import typed

sys.path.append(str(HERE / "../../gateway/encoder"))
from bank import language_of, left_out, read_businesses  # noqa: E402

# As gateway/src/chat/ground.rs has it.
FAR_BEHIND = 3.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(HERE / "model"))
    parser.add_argument("--binaries", default=str(HERE / "../../target/release"))
    parser.add_argument("--bases", type=int, default=12)
    parser.add_argument("--questions", type=int, default=40, help="covered questions a base")
    parser.add_argument("--rows", help="keep the measured rows in this file")
    args = parser.parse_args()
    encoder = Encoder(Tokenizer.from_file(str(Path(args.model) / "tokenizer.json")))
    rows = []
    for name, entries, uncovered in islice(bases(), args.bases):
        with tempfile.TemporaryDirectory() as folder:
            rows += measured(args, encoder, Path(folder), name, entries, uncovered)
        print(json.dumps({"base": name, "rows": len(rows)}), flush=True)
    if args.rows:
        Path(args.rows).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    grid(rows)


def bases():
    """(name, entries, uncovered questions) of each business, in both languages."""
    for business in left_out(read_businesses()):
        if business.kinds:
            continue  # those of bases.jsonl: the model was trained on them
        entries = [{"title": e.titles[l], "text": e.texts[l], "questions": [q for q in e.questions if language_of(q) == l]} for e in business.entries for l in ("zh", "en")]
        yield business.name, [entry for entry in entries if entry["questions"]], [{"uncovered": text, "kind": "near"} for text in business.uncovered]


def measured(args, encoder, folder, name, entries, uncovered):
    with open(folder / "base.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("question", "answer"), *((e["title"], e["text"]) for e in entries)])
    frontdesk, data = str(Path(args.binaries) / "frontdesk"), ["--data-dir", str(folder / "data")]
    subprocess.run([frontdesk, "kb", "import", str(folder / "base.csv"), *data], check=True, capture_output=True)
    chance = random.Random(name)
    asked = [(chance.choice(e["questions"]), e["text"], "covered") for e in chance.choices(entries, k=args.questions)]
    asked += [(row["uncovered"], None, row["kind"]) for row in uncovered]
    asked = [(typed(question, chance), text, kind) for question, text, kind in asked]
    found = subprocess.run([frontdesk, "kb", "search", "--stdin", "-k", "6", "--json", *data], input="\n".join(q for q, _, _ in asked), capture_output=True, text=True, check=True)
    results = [json.loads(line) for line in found.stdout.splitlines()]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda pair: decision(args, encoder, folder, name, *pair), zip(asked, results)))


def decision(args, encoder, folder, base, asked, result):
    question, text, kind = asked
    hits = one_language([hit for hit in result["hits"] if hit["score"] >= result["hits"][0]["score"] - FAR_BEHIND])
    row = {"base": base, "kind": kind, "question": question, "confidence": result.get("confidence", float(result["covered"])), "right": next((n for n, hit in enumerate(hits) if hit["text"] == text), None)}
    sample = Sample(question, [(hit["title"], hit["text"]) for hit in hits], None, "", "", system=system_text("2026-11-23"), developer=developer_text())
    tokens = encoder.prompt(sample) + encoder.said("analysis", "[")
    scores = score(args, folder, tokens)
    names = {"none": encoder.text("none")[0], "some": encoder.text("[")[0], **{n: encoder.text(f"[{n}]")[1] for n in (1, 2, 3)}}
    row |= {"margin": scores[-2].get(names["some"], -30.0) - scores[-2].get(names["none"], -30.0)}
    return row | {"digits": [scores[-1].get(names[n], -30.0) for n in range(1, len(hits) + 1)]}


def one_language(hits):
    chinese = bool(hits) and has_han(hits[0]["text"])
    return [hit for hit in hits if has_han(hit["text"]) == chinese][:3]


def has_han(text):
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def score(args, folder, tokens):
    file = folder / f"{hash(tuple(tokens))}.json"
    file.write_text(json.dumps(tokens))
    command = [str(Path(args.binaries) / "frontdesk-engine"), "score", "--model-path", args.model, "--tokens", str(file), "--top", "20", "--json", "--threads", "1"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-2:]
    return [{top["id"]: top["logprob"] for top in json.loads(line)["top"]} for line in lines]


def grid(rows):
    """Shares answered right and refused for each pair of constants, and for thresholds of retrieval."""
    for threshold in (0.4, 0.5, 0.6):
        for answer in (-2, -1, 0, 1, 2, 4):
            for first in (-2, -1, 0, 1, 2, 4):
                good = {"covered": [], "near": []}
                for row in rows:
                    answered = row["confidence"] >= threshold and row["margin"] + answer > 0 and row["digits"]
                    scores = [value + first * (place == 0) for place, value in enumerate(row["digits"])]
                    right = answered and scores.index(max(scores)) == row["right"]
                    good[row["kind"]].append(bool(right) if row["kind"] == "covered" else not answered)
                line = {"threshold": threshold, "answer": answer, "first": first} | {kind: round(sum(seen) / len(seen), 3) for kind, seen in good.items() if seen}
                refused = [x for kind, seen in good.items() if kind != "covered" for x in seen]
                print(json.dumps(line | {"refused": round(sum(refused) / len(refused), 3)}))


if __name__ == "__main__":
    main()
