"""Trains, calibrates and measures the intent classifier; writes weights.bin, golden.json and the figures.

    python gateway/intent/train.py            (numpy, torch and cargo; 40 seconds on one CPU core)

A linear model over hashed features: character n-grams of Han text, words, word pairs and letter n-grams of
the rest, mirrored by gateway/src/intent/features.rs; and the concepts of the lexicon, which the gateway's own
code finds. golden.json proves that both agree.
"""

import argparse
import functools
import json
import random
import re
import struct
import sys
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "encoder"))
from features import features as lexicon  # noqa: E402  (the program that reads texts as the gateway does)

INTENTS = "consultation order_query after_sales payment_invoice account complaint suggestion other".split()
BUCKETS, CONCEPTS = 1 << 18, 1 << 15
CONCEPT_KIND = 4  # src/knowledge/features.rs
TEXT_MAX = 1000  # characters read of a message
FOLDS = 4
BANK_SHARE = 0.4  # weight of a question of the bank beside a hand-written message
DECAY = 1e-5
SMOOTHING = 0.05  # share of each label that goes to all classes alike
COVERAGE_RISK = 0.10  # abstain so that at most this share of the answered held-out messages is wrong

PRODUCTS = """手机壳 吹风机 连衣裙 运动鞋 电饭煲 台灯 蓝牙耳机 保温杯 羽绒服 书桌 洗面奶 猫粮 登山包 咖啡机 床垫 礼盒
 phone case|hair dryer|dress|running shoes|rice cooker|desk lamp|headphones|bottle|down jacket|desk|cat food|backpack"""
FILLERS = {"brand": ["星河", "Nordwell"], "model": ["X20", "A7 Pro"], "place": ["人民路店", "the mall"]}
GREETINGS_ZH = ["你好，", "您好 ", "请问", "亲，", "在吗？", "那个，", "客服你好，", "麻烦问下，", "哎，", "我想问一下，"]
GREETINGS_EN = ["hi, ", "hello ", "hey ", "excuse me, ", "Hi there! ", "good morning, ", "quick question: ", "um "]
CLOSINGS_ZH = ["谢谢", "，谢谢！", "，急", "啊", "呢", "，麻烦了", "！！"]
CLOSINGS_EN = [" thanks", ", thank you!", " please", " asap", "!!", " pls"]


# --- features ---------------------------------------------------------------------------


def is_han(c):
    return "\u4e00" <= c <= "\u9fff" or "\u3400" <= c <= "\u4dbf"


def tokens(text):
    """Han runs, words and the marks ? and !; digits and stars of masked numbers become # or ## (six or more)."""
    runs, kind = [], ""
    for c in text[:TEXT_MAX]:
        if "\uff01" <= c <= "\uff5e":
            c = chr(ord(c) - 0xFEE0)
        if "A" <= c <= "Z":
            c = c.lower()
        if c in "'’":
            continue
        now = "h" if is_han(c) else "w" if c.isascii() and c.isalnum() or c == "*" else "p" if c in "?!" else ""
        if now and now != "p" and now == kind:
            runs[-1][1] += c
        elif now:
            runs.append([now, c])
        kind = now
    digits = lambda match: "##" if len(match.group()) >= 6 else "#"
    return [(kind, re.sub("[0-9*]+", digits, run) if kind == "w" else run) for kind, run in runs]


def features(texts):
    """For each message the rows of the weights that its n-grams and that its concepts fall into."""
    new = sorted({text for text in texts if text not in KNOWN})
    for text, found in zip(new, lexicon([text[:TEXT_MAX] for text in new]) if new else []):
        concepts = {BUCKETS + hash % CONCEPTS for hash, kind in found if kind == CONCEPT_KIND}
        KNOWN[text] = grams(text), sorted(concepts)
    return [KNOWN[text] for text in texts]


KNOWN = {}


def grams(text):
    """The set of buckets of a message's characters and words."""
    found, previous = [], ""
    for kind, run in tokens(text):
        if kind == "h":
            edged = "^" + run + "$"
            found += ["z" + c for c in run]
            found += ["z" + edged[i : i + n] for n in (2, 3, 4) for i in range(len(edged) - n + 1)]
        elif kind == "w":
            edged = "^" + run + "$"
            found += ["w" + run, "b" + previous + " " + run]
            found += ["c" + edged[i : i + n] for n in (4, 5) for i in range(len(edged) - n + 1)]
        else:
            found.append("p" + run)
        previous = run if kind == "w" else ""
    return sorted({fnv1a(feature.encode()) % BUCKETS for feature in found})


@functools.lru_cache(maxsize=1 << 21)
def fnv1a(data):
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


# --- data ---------------------------------------------------------------------------------------------------


def hand_written():
    """(topic, intent, text) of every line; a blank line begins another topic."""
    for intent in INTENTS:
        blocks = (HERE / "data" / f"{intent}.txt").read_text("utf-8").split("\n\n")
        for number, block in enumerate(blocks):
            for line in block.splitlines():
                if line.strip():
                    yield f"{intent}/{number}", intent, line.strip()


def phrases():
    """Words that announce an intent in any trade. Always trained on, never measured."""
    for line in (HERE / "data" / "phrases.txt").read_text("utf-8").splitlines():
        intent, _, rest = line.partition(": ")
        yield from (("phrases", intent, phrase) for phrase in rest.split("|"))


def gibberish(count=300):
    """Keys hit at random and characters repeated, so that what says nothing is `other`. Never measured."""
    dice = random.Random(7)
    for _ in range(count):
        keys = "".join(dice.choice("asdfghjklqwertyuiopzxcvbnm") for _ in range(dice.randint(3, 9)))
        again = dice.choice("哈嘻呵啊额嗯哦呃。，0123456789") * dice.randint(1, 8)
        yield "gibberish", "other", dice.choice([keys, keys + " " + keys[::-1], again])


# The bank names the intent of a topic's *answer*. Where its questions report a defect or a lost delivery,
# the intent of the *message* is not a complaint: that is dissatisfaction with how one was treated.
MESSAGE_INTENT = {
    "after_sales": """aquarium_fish_death book_damaged_pages cafe_stale_bread cold_chain_ice_melted color_difference
        furniture_scratch_delivery kettle_plastic_smell missing_item_in_parcel moving_broken_items pilling_fading
        perfume_leak_travel rental_brakes_faulty restaurant_foreign_object rice_cooker_coating_peel short_weight
        spoiled_food_claim stroller_safety_recall toy_choking_battery refund_arrival_time grooming_price_injury
        telecom_slow_speed""".split(),
    "order_query": ["lost_parcel_compensation", "wholesale_late_shipment"],
}


def bank(folder):
    """Questions of the bank, each topic with its intent; its off-topic and small-talk lines are `other`."""
    corrected = {topic: intent for intent, topics in MESSAGE_INTENT.items() for topic in topics}
    for path in sorted(folder.glob("bank_*.txt")):
        topic, intent = "", ""
        for line in path.read_text("utf-8").splitlines():
            if line.startswith("@"):
                topic, _, intent = (part.strip() for part in line[1:].split("|"))
                intent = corrected.get(topic, intent)
            elif line[:2] in ("q ", "e ") and intent in INTENTS:
                yield f"bank/{topic}", intent, line[2:].strip()
    for name in ("offtopic.txt", "smalltalk.txt"):
        for number, line in enumerate((folder / name).read_text("utf-8").splitlines()):
            # p and r are questions that a shop could be asked, only not this one: consultations to us.
            if re.match("[a-z] ", line) and not (name == "offtopic.txt" and line[0] in "pr"):
                yield f"{name}/{number // 5}", "other", line[2:].strip()


def language(text):
    return "zh" if any(map(is_han, text)) else "en"


def fill(text, dice):
    def value(match):
        slot = match.group(1)
        if slot == "order":
            return dice.choice(["20241123", "A", "SO-", ""]) + str(dice.randrange(10**5, 10**10))
        chinese, english = PRODUCTS.split("\n")
        names = chinese.split() if language(text) == "zh" else english.strip().split("|")
        return dice.choice(FILLERS.get(slot, names))

    return re.sub(r"\{(\w+)\}", value, text)


def varied(text, intent, dice):
    """The message as another customer might type it."""
    zh = language(text) == "zh"
    text = fill(text, dice)
    if intent != "other" and dice.random() < 0.35:
        text = dice.choice(GREETINGS_ZH if zh else GREETINGS_EN) + text
    if intent != "other" and dice.random() < 0.25:
        text = text.rstrip("?？") + dice.choice(CLOSINGS_ZH if zh else CLOSINGS_EN)
    if len(text) > 4 and dice.random() < 0.25:
        place = dice.randrange(len(text) - 1)
        typo = dice.choice(["", text[place + 1] + text[place], text[place] * 2 + text[place + 1]])
        text = text[:place] + typo + text[place + 2 :] if typo else text[:place] + text[place + 1 :]
    return text if dice.random() < 0.7 else text.lower()


# --- model --------------------------------------------------------------------------------------------------


def train(rows, seed, copies, steps):
    """Weights [BUCKETS, classes] and biases of a multinomial logistic regression."""
    dice = random.Random(seed)
    torch.set_num_threads(1)  # on busy cores several threads only wait for each other
    texts = [(fill(text, dice), topic, intent) for topic, intent, text in rows]
    texts += [(varied(text, intent, dice), topic, intent) for topic, intent, text in rows for _ in range(copies)]
    inputs = features([text for text, _, _ in texts])
    labels = torch.tensor([INTENTS.index(intent) for _, _, intent in texts])
    shares = torch.tensor([1.0 if is_written(topic) else BANK_SHARE for _, topic, _ in texts])
    balance = torch.zeros(len(INTENTS)).index_add_(0, labels, shares).rsqrt()
    shares = shares * balance[labels]
    shares = (shares / shares.sum())[:, None]
    wanted = torch.nn.functional.one_hot(labels, len(INTENTS)) * (1 - SMOOTHING) + SMOOTHING / len(INTENTS)
    seen, rows_by_bucket, buckets_by_row = matrices(inputs)
    flat = torch.zeros((len(seen) + 1) * len(INTENTS), requires_grad=True)  # the last row is the bias
    optimiser = torch.optim.LBFGS([flat], max_iter=steps, history_size=8, line_search_fn="strong_wolfe")

    @torch.no_grad()
    def loss():
        values = flat.view(-1, len(INTENTS))
        weights, bias = values[:-1], values[-1]
        odds = torch.log_softmax(rows_by_bucket @ weights + bias, 1)
        error = (odds.exp() - wanted) * shares
        gradient = torch.cat([buckets_by_row @ error + 2 * DECAY * weights, error.sum(0, keepdim=True)])
        flat.grad = gradient.view(-1)
        return DECAY * weights.square().sum() - (shares * wanted * odds).sum()

    optimiser.step(loss)
    values = flat.detach().view(-1, len(INTENTS)).numpy()
    weights = np.zeros((BUCKETS + CONCEPTS, len(INTENTS)), np.float32)
    weights[seen] = values[:-1]
    return weights, values[-1]


def matrices(inputs):
    """The buckets that occur, and the sparse matrix of messages by these buckets, upright and transposed."""
    lengths = np.array([len(row) + len(concepts) for row, concepts in inputs])
    seen, columns = np.unique(np.concatenate([np.array(row + concepts, np.int64) for row, concepts in inputs]), return_inverse=True)
    values = np.concatenate([np.full(len(part), len(part) ** -0.5) for row in inputs for part in row if part]).astype(np.float32)
    numbers = np.repeat(np.arange(len(inputs)), lengths)

    def sparse(starts, others, values, shape):
        edges = np.concatenate([[0], np.cumsum(starts)])
        return torch.sparse_csr_tensor(*map(torch.from_numpy, (edges, others, values)), shape)

    upright = sparse(lengths, columns, values, (len(inputs), len(seen)))
    order = np.argsort(columns, kind="stable")
    turned = sparse(np.bincount(columns), numbers[order], values[order], (len(seen), len(inputs)))
    return seen, upright, turned


def is_written(topic):
    return not topic.startswith(("bank", "offtopic", "smalltalk"))


def logits(model, text):
    weights, bias = model
    return sum(weights[rows].sum(0) / np.sqrt(max(len(rows), 1)) for rows in features([text])[0]) + bias


def softmax(values):
    powers = np.exp(values - values.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def temperature_of(values, labels):
    """The temperature with the least negative log-likelihood."""
    grid = np.geomspace(0.3, 3, 100)
    loss = [-np.log(softmax(values / t)[np.arange(len(labels)), labels] + 1e-9).mean() for t in grid]
    return float(grid[int(np.argmin(loss))])


# --- measurement --------------------------------------------------------------------------------------------


def macro_f1(predicted, labels):
    scores = []
    for intent in range(len(INTENTS)):
        hits = np.sum((predicted == intent) & (labels == intent))
        scores.append(2 * hits / max(np.sum(predicted == intent) + np.sum(labels == intent), 1))
    return float(np.mean(scores)), scores


def calibration_error(probability, right):
    """Expected calibration error over 15 equal bins."""
    bins = np.minimum((probability * 15).astype(int), 14)
    gaps = [abs(probability[bins == b].mean() - right[bins == b].mean()) * np.mean(bins == b) for b in set(bins)]
    return float(sum(gaps))


def threshold_of(probability, right):
    """The least probability above which the risk stays within COVERAGE_RISK."""
    order = np.argsort(-probability)
    risk = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    within = np.nonzero(risk <= COVERAGE_RISK)[0]
    return float(probability[order[within[-1]]]) if len(within) else 1.0


def report(name, values, rows, threshold):
    labels = np.array([INTENTS.index(intent) for _, intent, _ in rows])
    languages = np.array([language(text) for _, _, text in rows])
    odds = softmax(values)
    predicted, probability = odds.argmax(1), odds.max(1)
    right = predicted == labels
    lines = [f"### {name} ({len(rows)} messages)", "", "| | zh | en | both |", "|---|---|---|---|"]
    picks = [languages == "zh", languages == "en", np.ones(len(rows), bool)]
    table = lambda title, f: lines.append(f"| {title} | " + " | ".join(f"{f(pick):.3f}" for pick in picks) + " |")
    table("accuracy", lambda pick: right[pick].mean())
    table("macro-F1", lambda pick: macro_f1(predicted[pick], labels[pick])[0])
    table("expected calibration error", lambda pick: calibration_error(probability[pick], right[pick]))
    table("answered (above the threshold)", lambda pick: (probability[pick] >= threshold).mean())
    table("accuracy of the answered", lambda pick: right[pick & (probability >= threshold)].mean())
    lines += ["", "F1: " + ", ".join(f"{i} {s:.2f}" for i, s in zip(INTENTS, macro_f1(predicted, labels)[1])) + ".", ""]
    order = np.argsort(-probability)
    curve = [f"{part:.0%}: {1 - right[order[: int(len(order) * part)]].mean():.3f}" for part in (0.2, 0.4, 0.6, 0.8, 1)]
    lines += ["Risk at coverage " + ", ".join(curve) + ".", ""]
    return "\n".join(lines)


def cross_validate(rows, options, group):
    """Logits of every row from a model that saw no row of its group; and the fold of each row."""
    groups = sorted({group(number, row) for number, row in enumerate(rows)})
    random.Random(1).shuffle(groups)
    fold_of = {name: number % FOLDS for number, name in enumerate(groups)}
    folds = np.array([fold_of[group(number, row)] for number, row in enumerate(rows)])
    values = np.zeros((len(rows), len(INTENTS)))
    for fold in range(FOLDS):
        seen = [row for row, f in zip(rows, folds) if f != fold] + [*phrases(), *gibberish()]
        model = train(seen, fold, options.copies, options.steps)
        asked = {i: fill(rows[i][2], random.Random(int(i))) for i in np.nonzero(folds == fold)[0]}
        features(asked.values())
        for i, text in asked.items():
            values[i] = logits(model, text)
    return values, folds


# --- files --------------------------------------------------------------------------------------------------


def quantise(model, temperature):
    weights, bias = model[0] / temperature, model[1] / temperature
    scale = np.abs(weights).max(0) / 127
    return np.rint(weights / scale).astype(np.int8), scale.astype(np.float32), bias.astype(np.float32)


def write(model, threshold, path):
    """Little endian: magic, version, buckets, concepts, classes, threshold, biases, scales, weights by bucket."""
    weights, scale, bias = model
    head = b"FDINTENT" + struct.pack("<IIIIf", 2, BUCKETS, CONCEPTS, len(INTENTS), threshold)
    path.write_bytes(head + bias.tobytes() + scale.tobytes() + weights.tobytes())


def golden(model, threshold, texts):
    weights, scale, bias = model
    features(texts)
    for text in texts:
        odds = softmax(logits((weights * scale, bias), text))
        best = int(odds.argmax())
        yield {
            "text": text,
            "intent": INTENTS[best],
            "probability": round(float(odds[best]), 5),
            "abstained": bool(odds[best] < threshold),
        }


def heldout(name):
    for line in (HERE / "data" / name).read_text("utf-8").splitlines():
        intent, text = line.split("\t")
        yield name, intent, text


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--bank", type=Path, default=HERE.parents[1] / "engine/demo/bank")
    options.add_argument("--copies", type=int, default=1, help="variations of each message")
    options.add_argument("--steps", type=int, default=40, help="steps of L-BFGS")
    options = options.parse_args()
    rows = [*hand_written(), *bank(options.bank)]
    labels = np.array([INTENTS.index(intent) for _, intent, _ in rows])
    written = np.array([is_written(topic) for topic, _, _ in rows])
    own = [row for row, mine in zip(rows, written) if mine]
    # By topic for the figures: each half of the folds takes its temperature from the other, so that none is
    # measured where it was fitted. By message for what is shipped: a customer's message is seldom of a topic
    # that no training message touches, so folds by topic make the model look less sure than it should be.
    values, folds = cross_validate(rows, options, lambda _, row: row[0])
    for half in (folds % 2 == 0, folds % 2 == 1):
        other = ~half & written
        values[half] /= temperature_of(values[other], labels[other])
    mixed, _ = cross_validate(rows, options, lambda number, _: number)
    temperature = temperature_of(mixed[written], labels[written])
    odds = softmax(mixed[written] / temperature)
    threshold = threshold_of(odds.max(1), odds.argmax(1) == labels[written])
    model = quantise(train(rows + [*phrases(), *gibberish()], 0, options.copies, options.steps), temperature)
    write(model, threshold, HERE / "weights.bin")
    dequantised = (model[0] * model[1], model[2])
    samples = [text for _, _, text in heldout("heldout.tsv")][::5]
    samples += ["", "！？", "ＡＢＣ　order １２３４５６７８", "don’t", "138****5678"]
    (HERE / "golden.json").write_text(
        json.dumps(list(golden(model, threshold, samples)), ensure_ascii=False, indent=1) + "\n", "utf-8"
    )
    print(f"{len(rows)} messages; temperature {temperature:.2f}, abstains below {threshold:.3f}\n")
    print(report("Hand-written messages, any topic", mixed[written] / temperature, own, threshold))
    print(report("Hand-written messages of topics never trained on", values[written], own, threshold))
    print(report("With the bank's questions of topics never trained on", values, rows, threshold))
    for name in ("heldout_wide.tsv", "heldout.tsv"):
        unseen = list(heldout(name))
        features([text for _, _, text in unseen])
        final = np.array([logits(dequantised, text) for _, _, text in unseen])
        print(report(f"data/{name}, the shipped weights", final, unseen, threshold))


if __name__ == "__main__":
    main()
