"""The repository's own rules, each with its reason. Taste stays with the author; what is here is worth a red build.

    python3 tests/tidy.py             check the working tree
    python3 tests/tidy.py --canary    prove that each rule can fail
"""

import pathlib
import re
import subprocess
import sys

LINES_MAX = 500
NAMES = {"backend", "worker", "manager", "helper", "helpers", "utils", "util", "common"}
TEXT_BYTES_MAX = 4 << 20

# Written in pieces, so that this file does not break its own rule.
HOME = re.compile(r"(?<![\w.])/(?:home|root|work|Users|workspace)" + r"/[\w.-]+")
REGISTRY = re.compile(r"https?://[^\s\"'/]*\b(?:registry|artifactory|nexus|mirror|pypi|index\.crates)[^\s\"'/]*", re.I)
# The lock file of every Rust program names the registry this way.
PUBLIC_INDEX = "registry+https://" + "github.com/rust-lang/crates.io-index"


def module_sentence(path, text):
    """Every Rust file opens with a `//!` sentence: a reader should know what a file is for before reading it."""
    if path.suffix == ".rs" and not text.startswith("//!"):
        yield "does not open with a `//!` sentence"


def file_length(path, text):
    """No source file is longer than 500 lines: by then it has found a seam, and two names say more than one."""
    lines = text.count("\n")
    if path.suffix in {".rs", ".py", ".mjs"} and lines > LINES_MAX:
        yield f"has {lines} lines; {LINES_MAX} is the most"


def unsafe_place(path, text):
    """`unsafe` lives under engine/src/device only: what can break memory is read in one place."""
    if path.suffix != ".rs" or path.is_relative_to("engine/src/device"):
        return
    for number, line in enumerate(text.splitlines(), 1):
        code = re.sub(r'"(?:[^"\\]|\\.)*"', "", line.split("//")[0])
        if re.search(r"\bunsafe\b", code) or re.search(r"allow\(.*\bunsafe_code\b", code):
            yield f"line {number}: `unsafe` outside engine/src/device"


def file_names(path, _):
    """No file is called backend, worker, manager, helper, utils or common: such a name fits everything."""
    for part in path.with_suffix("").parts:
        if part.lower() in NAMES:
            yield f"`{part}` says nothing; name what it does"


def machine_paths(path, text):
    """No path of somebody's machine and no registry's host: the repository works everywhere or nowhere."""
    for number, line in enumerate(text.replace(PUBLIC_INDEX, "").splitlines(), 1):
        for found in HOME.findall(line) + REGISTRY.findall(line):
            yield f"line {number}: {found}"


RULES = [module_sentence, file_length, unsafe_place, file_names, machine_paths]

# For each rule a file that breaks it.
CANARIES = {
    module_sentence: ("engine/src/a.rs", "fn a() {}\n"),
    file_length: ("engine/src/a.rs", "//! Long.\n" * (LINES_MAX + 1)),
    unsafe_place: ("gateway/src/a.rs", "//! Bold.\nfn a() { un" + "safe { b() } }\n"),
    file_names: ("engine/src/utils.rs", "//! Vague.\n"),
    machine_paths: ("README.md", "Put it into /ho" + "me/me/models.\n"),
}


def broken(path, text):
    return [(rule, fault) for rule in RULES for fault in rule(pathlib.PurePosixPath(path), text)]


def tracked():
    """Files that git holds, or would hold after `git add`, with their text; binary ones have none."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True, capture_output=True
    )
    for name in filter(None, listing.stdout.decode().split("\0")):
        path = pathlib.Path(name)
        if path.is_file():
            data = path.read_bytes()
            binary = b"\0" in data or len(data) > TEXT_BYTES_MAX
            yield name, "" if binary else data.decode("utf-8", "replace")


def canary():
    for rule, (path, text) in CANARIES.items():
        assert rule in [found for found, _ in broken(path, text)], f"{rule.__name__} cannot fail"
    assert not broken("engine/src/device/a.rs", "//! Bold, in its place.\nun" + "safe fn a() {}\n")


def main():
    canary()
    if sys.argv[1:] == ["--canary"]:
        return 0
    count, faults = 0, 0
    for path, text in tracked():
        count += 1
        for rule, fault in broken(path, text):
            faults += 1
            print(f"{path}: {fault}\n    {rule.__doc__}")
    print(f"tidy: {count} files, {len(RULES)} rules, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
