"""Writes golden.json: vectors that the Rust encoder must give with the weights beside it."""

import json
import math

import numpy as np
from safetensors.numpy import load_file

from bank import HERE
from features import KINDS, features
from train import wording

TEXTS = ["收到货后多久可以退货？", "How long is the warranty?", "ＫＸ-２００ 咖啡机 1450W", "退货 return", "zqxv 魑魅", "Straße café Ünïcode", "", "!!!"]


def vector(text, weights):
    row = {int(hash): at for at, hash in enumerate(weights["hashes"])}
    *unseen, share, half = weights["settings"].astype(float)
    meaning, squares, weighed = np.zeros(256), 0.0, []
    for hash, kind in features(text):
        at = row.get(hash, -1)
        weight = float(weights["weights"][at]) if at >= 0 else unseen[kind]
        weighed.append((hash, at, weight))
        squares += weight * weight
        if at >= 0:
            meaning += weight * float(weights["scales"][at]) * weights["table"][at].astype(float)
    if not weighed:
        return np.zeros(512)
    length = np.linalg.norm(meaning)
    relative = length / math.sqrt(squares)
    both = np.concatenate([meaning / max(length, 1e-30) * math.sqrt(share) * relative / (relative + half), wording(weighed) * math.sqrt(1 - share)])
    return both / np.linalg.norm(both)


if __name__ == "__main__":
    weights = load_file(HERE / "encoder.safetensors")
    assert len(weights["settings"]) == KINDS + 2
    cases = [{"text": text, "vector": [round(float(x), 6) for x in vector(text, weights)[::8]]} for text in TEXTS]
    (HERE / "golden.json").write_text(json.dumps(cases, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
