"""Made-up knowledge bases from topics that the encoder was not trained on, and what questions they cover."""

import json
import random
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bank import HERE, fill, read_concepts, read_lines, read_topics
from train import FOLDS, fold_of, train, write

REPOSITORY = HERE.parent.parent


@dataclass
class Question:
    """A question with the places of the entries that answer it (none: not covered) and its kind."""

    text: str
    answers: list
    kind: str
    language: str
    fold: int


def base(topics, fold, size, rng, extra):
    """Entries and questions of one base: `size` of the topics are in it, the rest give near-domain questions it does not cover."""
    topics = rng.sample(topics, len(topics))
    inside, outside = topics[:size], topics[size:]
    mode = rng.choice(["zh", "en", "both"])
    entries, questions = [], []
    for topic in inside:
        values, places, titles = {}, {}, {}
        for language in ("zh", "en") if mode == "both" else (mode,):
            title, *_ = rng.sample(topic.questions[language][:3], 1)
            places[language], titles[language] = len(entries), title
            answer = rng.choice(topic.answers[language] or topic.answers["zh"])
            entries.append({"question": fill(title, rng, values), "text": fill(answer, rng, values)})
        for language in ("zh", "en"):
            asked = [q for q in topic.questions[language] if q != titles.get(language)]
            same = places.get(language)
            kind = "covered" if same is not None else "covered across languages"
            for text in rng.sample(asked, 2):
                questions.append(Question(fill(text, rng, values), list(places.values()), kind, language, fold))
    verticals = {topic.vertical for topic in inside}
    for topic in rng.sample(outside, min(size, len(outside))):
        kind = "near domain" if topic.vertical in verticals else "other domain"
        for language in ("zh", "en"):
            questions.append(Question(fill(rng.choice(topic.questions[language]), rng), [], kind, language, fold))
    for kind, texts in extra.items():
        for text in rng.sample(texts, min(4, len(texts))):
            language = "zh" if any("\u4e00" <= c <= "\u9fff" for c in text) else "en"
            questions.append(Question(text, [], kind, language, fold))
    return entries, questions


def bases(bank, count, seed):
    """`count` bases a fold: [(fold, entries, questions)]."""
    rng = random.Random(seed)
    topics = read_topics(bank)
    extra = {"off topic": read_lines("offtopic.txt", bank), "small talk": read_lines("smalltalk.txt", bank)}
    made = []
    for fold in range(FOLDS):
        held_out = [topic for topic in topics if fold_of(topic.key) == fold]
        for _ in range(count):
            size = rng.randint(len(held_out) // 3, len(held_out) * 3 // 4)
            part = {kind: texts[fold::FOLDS] for kind, texts in extra.items()}
            made.append((fold, *base(held_out, fold, size, rng, part)))
    return made


def fold_encoders(bank, folder, steps):
    """One encoder for each fold, trained without its topics; kept in `folder` between runs."""
    paths = []
    for fold in range(FOLDS):
        path = Path(folder) / f"fold{fold}.safetensors"
        if not path.exists():
            topics = [topic for topic in read_topics(bank) if fold_of(topic.key) != fold]
            write(path, *train(topics, read_concepts(), steps, quiet=True))
            print(f"trained {path.name}", flush=True)
        paths.append(path)
    return paths


def measure(entries_and_queries, encoder):
    """Runs the Rust retrieval over bases; a list of results for each."""
    command = ["cargo", "run", "-q", "-p", "frontdesk-gateway", "--example", "retrieval_trial", "--", "--encoder", str(encoder)]
    lines = "".join(json.dumps({"entries": e, "queries": q}, ensure_ascii=False) + "\n" for e, q in entries_and_queries)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as given:
        given.write(lines)
        given.seek(0)
        done = subprocess.run(command, stdin=given, stdout=subprocess.PIPE, cwd=REPOSITORY, check=True)
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def measured(made, encoders):
    """[(question, result)] over all bases, each base with its fold's encoder."""
    pairs = []
    for fold, encoder in enumerate(encoders):
        mine = [(entries, questions) for at, entries, questions in made if at == fold]
        results = measure([(entries, [q.text for q in questions]) for entries, questions in mine], encoder)
        for (_, questions), result in zip(mine, results):
            pairs += zip(questions, result)
    return pairs
