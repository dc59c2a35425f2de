"""Makes docs/commands.md from what a server says of its commands.

Standard input: the replies to COMMAND INFO and COMMAND DOCS as JSON, one a line. Output: the page.
"""

import json
import sys

HEAD = """# Commands

*Made by `Tools/dev/goldens --update` from the server's own COMMAND INFO and COMMAND DOCS; don't edit.*

What is missing beside Redis 7.2 is in [differences.md](differences.md).
"""


def syntax(argument):
    """One argument in the way of Redis's manual: [NX | XX] key [key ...]."""
    kind = argument["type"]
    token = argument.get("token", "")
    flags = argument.get("flags", [])
    if kind == "pure-token":
        text = token
    elif kind in ("oneof", "block"):
        parts = [syntax(inner) for inner in argument["arguments"]]
        text = (" | " if kind == "oneof" else " ").join(parts)
        if kind == "oneof" and "optional" not in flags:
            text = f"<{text}>"
        text = f"{token} {text}".strip()
    else:
        name = argument.get("display_text") or argument["name"]
        text = f"{token} {name}".strip()
    if "multiple" in flags:
        again = text if "multiple_token" in flags or not token else text[len(token) + 1:]
        text = f"{text} [{again} ...]"
    return f"[{text}]" if "optional" in flags else text


def rows(info, docs):
    """Name, flags and documentation of each command and subcommand."""
    by_name = {}
    for name, doc in docs.items():
        by_name[name] = doc
        by_name.update(doc.get("subcommands") or {})
    for command in info:
        if command is None:
            continue
        subcommands = command[9]
        if not subcommands:
            yield command[0], command[2], by_name.get(command[0], {})
        for inner in subcommands:
            yield inner[0], inner[2], by_name.get(inner[0], {})


def main():
    info, docs = (json.loads(line) for line in sys.stdin.read().splitlines() if line.strip())
    groups = {}
    for name, flags, doc in rows(info, docs):
        groups.setdefault(doc.get("group", "other"), []).append((name, flags, doc))
    print(HEAD)
    for group in sorted(groups):
        print(f"## {group}\n\n| command | | flags |\n| --- | --- | --- |")
        for name, flags, doc in sorted(groups[group]):
            words = [name.replace("|", " ").upper()]
            words += [syntax(argument) for argument in doc.get("arguments") or []]
            text = " ".join(words).replace("|", "\\|")
            print(f"| `{text}` | {doc.get('summary', '')} | {', '.join(flags)} |")
        print()


main()
