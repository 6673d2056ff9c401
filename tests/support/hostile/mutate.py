"""Damage to bytes and to texts: JSON and TOML with values where others belong."""

import copy
import json
import re

DEEP = 10_000  # levels of nesting
DIGITS = 100_000  # of a whole number

# Texts of JSON values that belong nowhere, or in another place.
JSON_VALUES = (
    "null", "true", "false", "0", "-1", "1", "7", "0.5", "-0.0", "1e308", "-1e308", "1e999",
    "1e-320", "NaN", "Infinity", "-Infinity", "2147483647", "2147483648", "9223372036854775808",
    '""', '"x"', '"inf"', '"nan"', '"\\ud800"', '"\\u0000"', '"../x"', '"a.b->c"', "[]", "{}",
    "[[1, 2], [3]]", "[null]", '["x"]', "[[[]]]", '{"x": 1}', "[1, 2, 3]", "[-1]", "[1e308, 1e308]",
    "9" * DIGITS, "-" + "9" * 5000, "[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP,
    "[" * 300 + "]" * 300, '"' + "y" * 100_000 + '"',
)  # fmt: skip
TOML_VALUES = (
    "true", "0", "-1", "1", "7", "0.5", "1e308", "-1e308", "1e999", "1e-320", "nan", "inf", "-inf",
    "2147483648", "9223372036854775808", '""', '"x"', '"inf"', '"\\u0000"', '"../x"', "[]", "{}",
    "[[1, 2], [3]]", '["x"]', "{ x = 1 }", "[1, 2, 3]", "[-1]", "[1e308, 1e308]", "1979-05-27",
    "1979-05-27T07:32:00Z", "07:32:00", "9" * DIGITS, "0x" + "f" * DIGITS,
    "[" * DEEP + "]" * DEEP, "{a=" * DEEP + "1" + "}" * DEEP, '"' + "y" * 100_000 + '"',
)  # fmt: skip
_MARK = "@@hostile@@"


def damaged(content, rng):
    """Bytes with one to four faults: flipped, inserted, removed, cut, zeroed, repeated."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        if not data:
            break
        at, how = int(rng.integers(len(data))), rng.integers(8)
        run = int(min(rng.geometric(0.1), len(data) - at))
        if how == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif how == 1:
            data[at] = int(rng.choice([0, 1, 127, 128, 255]))
        elif how == 2:
            data[at:at] = rng.bytes(run)
        elif how == 3:
            del data[at : at + run]
        elif how == 4:
            del data[at:]
        elif how == 5:
            data[at : at + run] = bytes(run)
        elif how == 6:
            data[at:at] = data[at : at + run]
        else:
            data[at : at + run] = b"\xff" * run
    return bytes(data)


def changed_json(content, rng):
    """JSON with one value replaced, removed, renamed or doubled."""
    value = copy.deepcopy(json.loads(content))
    places = list(_places(value))
    holder, key = places[rng.integers(len(places))] if places else ([value], 0)
    how = rng.integers(6)
    raw = JSON_VALUES[rng.integers(len(JSON_VALUES))]
    if how == 0 and isinstance(holder, dict):
        del holder[key]
    elif how == 1 and isinstance(holder, dict):
        holder[f"{key}x"] = holder.pop(key)
    elif how == 2 and isinstance(holder, list):
        holder.append(holder[key])
    elif how == 3 and not rng.integers(8):
        value = _MARK
    else:
        holder[key] = _MARK
    return json.dumps(value).replace(f'"{_MARK}"', raw).encode()


def changed_json_lines(content, rng):
    """As :func:`changed_json`, in one of the lines."""
    lines = content.splitlines()
    k = int(rng.integers(len(lines)))
    lines[k] = changed_json(lines[k], rng)
    return b"\n".join(lines) + b"\n"


def _places(value):
    """(container, key) of every value inside."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def changed_toml(content, rng):
    """TOML with one line replaced, removed, renamed or doubled, or a line too many."""
    lines = content.decode().splitlines()
    pairs = [k for k, line in enumerate(lines) if re.match(r"[^=\[#]+=", line)]
    k, how = int(rng.choice(pairs)), rng.integers(8)
    key, _, value = lines[k].partition("=")
    raw = TOML_VALUES[rng.integers(len(TOML_VALUES))]
    inner = re.search(r"= ([^={}]+?)( }|,)", value)
    if how == 0:
        del lines[k]
    elif how == 1:
        lines[k] = f"{key.strip()}x = {value}"
    elif how == 2:
        lines.insert(k, lines[k])
    elif how == 3 and not rng.integers(4):
        lines.insert(0, f"{'a.' * DEEP}a = 1")
    elif how in (4, 5) and inner:
        lines[k] = f"{key}={value[: inner.start(1)]}{raw}{value[inner.end(1) :]}"
    else:
        lines[k] = f"{key}= {raw}"
    return "\n".join(lines).encode()
