"""Licences and sources of all dependencies, from `cargo metadata` and without a network.

deny.toml says the same to those who have cargo-deny (`cargo deny check bans licenses sources`); building that tool takes
longer than all of our tests, so this script reads its lists and checks what matters most.
"""

import json
import re
import subprocess
import sys
import tomllib


def metadata():
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def allows(expression, allowed):
    """Whether an SPDX expression can be fulfilled with allowed licences alone.

    >>> allows("MIT OR GPL-3.0-only", {"MIT"}), allows("MIT AND GPL-3.0-only", {"MIT"}), allows("MIT/Apache-2.0", {"MIT"})
    (True, False, True)
    >>> allows("(MIT OR Apache-2.0) AND Unicode-3.0", {"Apache-2.0", "Unicode-3.0"}), allows("", {"MIT"})
    (True, False)
    """
    words = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))[::-1]

    def took(word):
        return bool(words) and words[-1] == word and bool(words.pop())

    def either():
        held = both()
        while took("OR"):
            held = both() or held
        return held

    def both():
        held = one()
        while took("AND"):
            held = one() and held
        return held

    def one():
        if took("("):
            held = either()
            return took(")") and held
        held = words.pop() in allowed
        # An exception only gives more rights than the licence before it.
        if took("WITH"):
            words.pop()
        return held

    return bool(words) and either() and not words


def faults(packages, policy):
    allowed = set(policy["licenses"]["allow"])
    banned = {entry["crate"]: entry["reason"] for entry in policy["bans"]["deny"]}
    sources = policy["sources"]["allow-registry"]
    for package in packages:
        name = f"{package['name']} {package['version']}"
        if not allows(package["license"] or "", allowed):
            yield f"{name}: licence {package['license']!r} is not on the list in deny.toml"
        if package["name"] in banned:
            yield f"{name}: banned: {banned[package['name']]}"
        source = package["source"]
        if source and source.removeprefix("registry+") not in sources:
            yield f"{name}: comes from {source}, which is not on the list in deny.toml"


def main():
    with open("deny.toml", "rb") as file:
        policy = tomllib.load(file)
    packages = metadata()["packages"]
    found = list(faults(packages, policy))
    print("\n".join(found + [f"licences: {len(packages)} packages, {len(found)} faults"]))
    return 1 if found else 0


if __name__ == "__main__":
    import doctest

    sys.exit(doctest.testmod().failed or main())
