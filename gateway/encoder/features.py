"""The features of texts, as the gateway's own code gives them."""

import json
import os
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
# The program that measures; FRONTDESK_TRIAL names one that is built already.
TRIAL = os.environ.get("FRONTDESK_TRIAL", "cargo run -q --release -p frontdesk-gateway --example retrieval_trial --").split()
KINDS = 5
QUESTION, HEADING, TEXT = range(3)
MASK = (1 << 64) - 1


def ask(lines, *options):
    """Gives the program one JSON value a line and returns its answers."""
    given = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    done = subprocess.run([*TRIAL, *options], input=given.encode(), stdout=subprocess.PIPE, cwd=REPOSITORY, check=True)
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def features(texts):
    """For each text its [(hash, kind)], each once."""
    return ask(texts, "--features")


def places(texts):
    """For each (text, role) a list of places, each a list of [hash, kind]."""
    return ask([list(text) for text in texts], "--places")


def mix(x):
    """The finaliser of splitmix64."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)
