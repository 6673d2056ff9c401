"""What differs between two ledgers, row by row and number by number.

A row is *gone* when its name or its command is, and *failed* when it was done before. A line of
text whose words changed but whose numbers did not is *reworded*: it is counted, and no difference.
"""

import json
import math
from collections import Counter, defaultdict

BITS = ("hash", "bits")  # of an array: no two that are near share them


def compare(old, new, *, relative=0.0):
    """Lines that say what differs, and the number of reworded lines and of equal numbers."""
    said, counts, met = [], Counter(), defaultdict(list)
    for name in dict.fromkeys([*old["rows"], *new["rows"]]):
        before, after = old["rows"].get(name), new["rows"].get(name)
        if before is None or after is None:
            there = before or after
            said.append(
                f"{'gone' if before else 'new'}: row {name} ({there['run'].splitlines()[0]})"
            )
        elif before["state"] == "done" and after["state"] != "done":
            said.append(f"{after['state'].partition(':')[0]}: row {name} ({after['state']})")
        else:
            if before["state"] != after["state"]:
                said.append(f"differs: row {name}: {before['state']} -> {after['state']}")
            for source, line in row(before, after, counts, relative):
                met[line].append(f"{name} > {source}")
    return said + [f"{where[0]} > {line}{others(where)}" for line, where in met.items()], counts


def others(where):
    """Where else the same is to be said."""
    return f" [and in {len(where) - 1} more: {', '.join(where[1:4])} ..]" if where[1:] else ""


def row(before, after, counts, relative):
    a, b = numbers(before), numbers(after)
    gone, new = [k for k in a if k not in b], [k for k in b if k not in a]
    for key in reworded(a, b, gone, new):
        counts["reworded"] += 1
        gone.remove(key[0])
        new.remove(key[1])
    for key in a:
        if key in b and not (relative and key[1].endswith(BITS)):
            same = [equal(x, y, relative) for x, y in zip(a[key], b[key], strict=True)]
            counts["equal"] += sum(same)
            yield from (
                (key[0], f"{' > '.join(map(str, key[1:]))}: {x} -> {y}{moved(x, y)}")
                for x, y, s in zip(a[key], b[key], same, strict=True) if not s
            )  # fmt: skip
    for word, keys, where in (("gone", gone, a), ("new", new, b)):
        yield from (
            (k[0], f"{' > '.join(map(str, k[1:]))}: {word} ({', '.join(where[k])})") for k in keys
        )


def numbers(row):
    """Numbers by (source, path), and by (source, words of the line, which of its kind)."""
    found = {
        (source, path): (value,)
        for source, values in row["values"].items()
        for path, value in values.items()
    }
    for source, lines in row["lines"].items():
        seen = Counter()
        for words, numbers in lines:
            seen[words] += 1
            found[source, words, seen[words]] = tuple(numbers)
    return found


def reworded(a, b, gone, new):
    """Lines of text with other words and the same numbers, first with first."""
    waiting = defaultdict(list)
    for key in new:
        if len(key) == 3:
            waiting[key[0], b[key]].append(key)
    for key in list(gone):
        if len(key) == 3 and waiting[key[0], a[key]]:
            yield key, waiting[key[0], a[key]].pop(0)


def moved(x, y):
    """By how much a number moved, of its size."""
    if None in (number(x), number(y)):
        return ""
    size = max(abs(number(x)), abs(number(y)))
    return f" (by {abs(number(x) - number(y)) / size:.1e} of it)" if size else ""


def equal(x, y, relative):
    if x == y or not relative:
        return x == y
    x, y = number(x), number(y)
    return None not in (x, y) and math.isclose(x, y, rel_tol=relative)


def number(text):
    try:
        return float(text.replace("−", "-"))
    except ValueError:
        return None


def read(path):
    return json.loads(path.read_text())
