"""Writes golden.json: vectors that the Rust encoder must give with the weights beside it."""

import json
import math

import numpy as np
from safetensors.numpy import load_file

from bank import HERE
from features import KINDS, features
from train import wording

TEXTS = ["收到货后多久可以退货？", "How long is the warranty?", "ＫＸ-２００ 咖啡机 1450W", "退货 return", "zqxv 魑魅", "Straße café Ünïcode", "", "!!!"]


class Weights:
    """A weights file, read back and used as src/knowledge/encoder.rs uses it."""

    def __init__(self, path):
        tensors = load_file(path)
        self.row = {int(hash): at for at, hash in enumerate(tensors["hashes"])}
        self.table = tensors["table"].astype(np.float32) * tensors["scales"][:, None]
        self.weights = tensors["weights"]
        *self.unseen, self.share, self.half = tensors["settings"].astype(float)
        assert len(self.unseen) == KINDS

    def vectors(self, texts):
        """The 512 numbers of each text."""
        return np.array([self.vector(found) for found in features(texts)])

    def vector(self, found):
        """The 512 numbers of a text with these features."""
        known = ((hash, self.row.get(hash, -1), kind) for hash, kind in found)
        weighed = [(hash, at, float(self.weights[at]) if at >= 0 else self.unseen[kind]) for hash, at, kind in known]
        if not weighed:
            return np.zeros(512)
        meaning = sum((weight * self.table[at] for _, at, weight in weighed if at >= 0), np.zeros(256))
        length = np.linalg.norm(meaning)
        relative = length / math.sqrt(sum(weight * weight for _, _, weight in weighed))
        strength = math.sqrt(self.share) * relative / (relative + self.half)
        both = np.concatenate([meaning / max(length, 1e-30) * strength, wording(weighed) * math.sqrt(1 - self.share)])
        return both / np.linalg.norm(both)


if __name__ == "__main__":
    weights = Weights(HERE / "encoder.safetensors")
    cases = [{"text": text, "vector": [round(float(x), 6) for x in vector[::8]]} for text, vector in zip(TEXTS, weights.vectors(TEXTS))]
    (HERE / "golden.json").write_text(json.dumps(cases, ensure_ascii=False) + "\n", encoding="utf-8")
