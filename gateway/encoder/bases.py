"""Knowledge bases with questions that they cover and questions that they do not, and how the gateway's retrieval measures each question."""

import json
import random
from dataclasses import dataclass, field

from bank import BANK, HERE, fill, read_lines, read_topics
from features import ask

# Smaller copies of each base, without some of the entries: questions about those are not covered, and as near as can be.
COPIES, LEFT_OUT = 3, 0.35


@dataclass
class Question:
    """A question with the places of the entries that answer it (none: not covered) and its kind."""

    text: str
    answers: list
    kind: str
    language: str


@dataclass
class Base:
    """A business's entries, and questions about them."""

    name: str
    entries: list = field(default_factory=list)
    questions: list = field(default_factory=list)


def language_of(text):
    return "zh" if any("\u4e00" <= c <= "\u9fff" for c in text) else "en"


def read_bases(folder=BANK):
    """The sample shop and the businesses of bases.jsonl."""
    bases = {}
    for name in ("samples.jsonl", "bases.jsonl"):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            base = bases.setdefault(entry.get("base", "sample"), Base(entry.get("base", "sample")))
            if "uncovered" in entry:
                base.questions.append(Question(entry["uncovered"], [], entry.get("kind", "near"), language_of(entry["uncovered"])))
                continue
            base.questions += [Question(text, [len(base.entries)], "covered", language_of(text)) for text in entry["questions"]]
            base.entries.append({"question": entry["title"], "text": entry["text"]})
    return list(bases.values())


def strangers(bases, base, rng):
    """Questions that have nothing to do with `base`: of other businesses, of the world at large, and small talk."""
    others = [question.text for other in bases if other is not base for question in other.questions if question.kind == "covered"]
    topics = [fill(rng.choice(topic.questions[language]), rng) for topic in read_topics() for language in ("zh", "en")]
    kinds = {"other business": rng.sample(others, min(60, len(others))) + rng.sample(topics, 60)}
    for kind, name in (("off topic", "offtopic.txt"), ("small talk", "smalltalk.txt")):
        kinds[kind] = rng.sample(read_lines(name)[1::2], 60)
    return [Question(text, [], kind, language_of(text)) for kind, texts in kinds.items() for text in texts]


def smaller(base, rng):
    """A copy without some entries; the questions about those are then near misses."""
    kept = [place for place in range(len(base.entries)) if rng.random() > LEFT_OUT]
    at = {place: new for new, place in enumerate(kept)}
    copy = Base(base.name, [base.entries[place] for place in kept])
    for question in base.questions:
        if question.kind == "covered":
            answers = [at[place] for place in question.answers if place in at]
            copy.questions.append(Question(question.text, answers, "covered" if answers else "left out", question.language))
    return copy


def cases(bases, seed=1):
    """Every base whole, with strangers, and a few smaller copies."""
    rng, made = random.Random(seed), []
    for base in bases:
        made.append(Base(base.name, base.entries, base.questions + strangers(bases, base, rng)))
        made += [smaller(base, rng) for _ in range(COPIES)]
    return made


def measure(made):
    """[(base, question, result)]: what the gateway measures of each question in its base."""
    results = ask([{"entries": base.entries, "queries": [question.text for question in base.questions]} for base in made], "--encoder", str(HERE / "encoder.safetensors"))
    return [(base, question, one) for base, result in zip(made, results) for question, one in zip(base.questions, result)]
