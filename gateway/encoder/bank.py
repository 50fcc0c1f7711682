"""Reads the question bank and the businesses (engine/demo/bank) and the list of concepts."""

import json
import random
import re
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
BANK = HERE.parent.parent / "engine" / "demo" / "bank"
SLOT = re.compile(r"\{(\w+)\}")
SYLLABLES = "ka lo mi ren tus vel dor sa quin bri mo fa zel nor pi ter".split()
HAN_NAMES = "云禾舒悦澄朗锦佳泰恒睿星晨沐青桐松岚凌峰远航达鑫宁安乐康"
GOODS = ["咖啡机", "空气炸锅", "吹风机", "行李箱", "婴儿车", "跑步鞋", "羽绒服", "路由器", "电饭煲", "净水器", "耳机", "沙发",
         "年卡", "体检套餐", "英语课", "温泉票", "保温杯", "扫地机", "轮椅", "护照照片"]
GOODS_EN = ["coffee machine", "air fryer", "hair dryer", "suitcase", "stroller", "running shoes", "down jacket", "router", "rice cooker",
            "water filter", "headphones", "sofa", "annual pass", "check-up package", "English course", "spa ticket", "thermos", "robot vacuum"]


@dataclass
class Topic:
    """One question, asked in many ways, and its answers. Languages: zh and en."""

    key: str
    vertical: str
    intent: str
    questions: dict = field(default_factory=lambda: {"zh": [], "en": []})
    answers: dict = field(default_factory=lambda: {"zh": [], "en": []})


def read_topics(folder=BANK):
    """Every topic of every bank_*.txt, in file order, keys unique."""
    topics = {}
    for path in sorted(Path(folder).glob("bank_*.txt")):
        topic = None
        for line in path.read_text(encoding="utf-8").splitlines():
            kind, _, rest = line.strip().partition(" ")
            if kind == "@":
                parts = [part.strip() for part in rest.split("|")]
                topic = topics.setdefault(parts[0], Topic(*(parts + ["", ""])[:3]))
            elif topic and kind in ("q", "e"):
                topic.questions["zh" if kind == "q" else "en"].append(rest.strip())
            elif topic and kind in ("a", "b"):
                topic.answers["zh" if kind == "a" else "en"].append(rest.strip())
    return [topic for topic in topics.values() if topic.questions["zh"] and topic.questions["en"] and topic.answers["zh"]]


@dataclass
class Entry:
    """One entry of a business by language (zh, en), and what customers type who want it."""

    titles: dict
    texts: dict
    questions: list = field(default_factory=list)


@dataclass
class Business:
    """A knowledge base with questions that it covers and questions that it does not."""

    name: str
    entries: list = field(default_factory=list)
    uncovered: list = field(default_factory=list)
    # Kinds of the uncovered questions, where they are told.
    kinds: dict = field(default_factory=dict)


def language_of(text):
    return "zh" if any("\u4e00" <= c <= "\u9fff" for c in text) else "en"


def read_businesses(folder=BANK):
    """The businesses of bases/*.txt (every entry in both languages), bases.jsonl and samples.jsonl (in one)."""
    found = [read_business(path) for path in sorted((Path(folder) / "bases").glob("*.txt"))]
    single = {}
    for name in ("samples.jsonl", "bases.jsonl"):
        for line in (Path(folder) / name).read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            business = single.setdefault(entry.get("base", "sample"), Business(entry.get("base", "sample")))
            if "uncovered" in entry:
                business.uncovered.append(entry["uncovered"])
                business.kinds[entry["uncovered"]] = entry.get("kind", "near")
            else:
                language = entry["language"]
                business.entries.append(Entry({language: entry["title"]}, {language: entry["text"]}, entry["questions"]))
    return found + list(single.values())


def left_out(businesses):
    """The businesses that the encoder never sees: those of bases.jsonl, and those that left_out.txt names."""
    names = set((HERE / "left_out.txt").read_text(encoding="utf-8").split())
    return [business for business in businesses if business.kinds or business.name in names]


def read_business(path):
    """One file: `#` key and descriptions; `@` and `t` titles, `a` and `b` texts, `q` and `e` questions; `u` and `v` what no entry answers."""
    business, entry = Business(path.stem), None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        kind, _, rest = line.strip().partition(" ")
        if kind == "@":
            entry = Entry({"zh": rest}, {})
            business.entries.append(entry)
        elif kind == "t":
            entry.titles["en"] = rest
        elif kind in ("a", "b"):
            entry.texts["zh" if kind == "a" else "en"] = rest
        elif kind in ("q", "e"):
            entry.questions.append(rest)
        elif kind in ("u", "v"):
            business.uncovered.append(rest)
        elif kind not in ("", "#"):
            raise ValueError(f"{path.name} line {number}: unknown kind {kind!r}")
    broken = [e.titles for e in business.entries if not (e.titles.keys() == e.texts.keys() == {"zh", "en"} and e.questions)]
    if broken:
        raise ValueError(f"{path.name}: not whole: {broken[0]}")
    return business


def read_lines(name, folder=BANK):
    """The texts of a flat file such as offtopic.txt, without comments and kind letters; empty where there is none."""
    path = Path(folder) / name
    if not path.exists():
        return []
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [re.sub(r"^[a-z] ", "", line) for line in lines if line and line[0] not in "@#"]


def read_concepts(path=HERE / "concepts.txt"):
    """Groups of words and short phrases with one meaning: [[phrase, ...]]."""
    concepts = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            _, zh, en = line.split("|", 2)
            concepts.append(zh.split() + [phrase.strip() for phrase in en.split(",") if phrase.strip()])
    return concepts


def fill(text, rng, values=None):
    """Puts plausible values into the slots; `values` (slot -> text) is filled in and reused, so that a topic agrees with itself."""
    values = {} if values is None else values
    chinese = any("\u4e00" <= c <= "\u9fff" for c in text)

    def value(match):
        slot = match.group(1)
        key = slot if slot not in ("product", "place", "name") else f"{slot}:{chinese}"
        if key not in values:
            values[key] = make(slot, chinese, rng)
        return values[key]

    return SLOT.sub(value, text)


def make(slot, chinese, rng):
    number = lambda low, high: str(rng.randint(low, high))
    coined = "".join(rng.sample(SYLLABLES, 2)).capitalize()
    han = "".join(rng.sample(HAN_NAMES, 2))
    choices = {
        "days": number(1, 90), "hours": number(1, 72), "minutes": number(5, 90), "n": number(1, 50), "percent": number(1, 95),
        "amount": number(5, 2000), "time": f"{rng.randint(6, 22)}:{rng.choice(['00', '30'])}", "date": f"{rng.randint(1, 12)}-{rng.randint(1, 28)}",
        "phone": f"400-{rng.randint(100, 999)}-{rng.randint(1000, 9999)}", "email": f"{coined.lower()}@example.com", "url": f"https://{coined.lower()}.example.com",
        "place": f"{han}路{number(1, 300)}号" if chinese else f"{number(1, 300)} {coined} Road", "name": f"{rng.choice('王李张陈林')}{han[0]}" if chinese else coined,
        "product": rng.choice(GOODS) if chinese else rng.choice(GOODS_EN), "brand": coined, "model": f"{coined[:2].upper()}-{number(10, 990)}",
        "material": rng.choice(["棉", "不锈钢", "实木"]) if chinese else rng.choice(["cotton", "steel", "oak"]),
    }
    return choices.get(slot, number(1, 99))
