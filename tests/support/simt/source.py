"""What a CUDA text says of its kernels, read from the text itself.

A kernel without barriers and warp collectives runs one thread after the other, without fibers.
Whether it has any is decided by names: a kernel that mentions, directly or through functions and
macros that it mentions, a name of a collective gets fibers. Where the reading is in doubt, it does.
"""

import re
from functools import cache

# Names that let threads meet; atomics do not.
COLLECTIVE = re.compile(
    r"__sync\w+|__shfl\w*|__ballot\w*|__any_sync|__all_sync|__activemask|__match\w*|__reduce\w*"
)

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)((?:[^\n\\]|\\.|\\\n)*)$", re.MULTILINE)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*$", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z_]\w*")
_NAMED = re.compile(r"([A-Za-z_]\w*)\s*\(|\b(?:struct|class|enum|union|namespace)\s+(\w+)")
_KERNEL = re.compile(r"__global__\s+void\s+(?:__launch_bounds__\(([^)]*)\)\s*)?(\w+)\s*\(")


@cache
def kernels_that_meet(source: str) -> frozenset[str]:
    """Names of the kernels that need one stack per thread."""
    text = _COMMENT.sub(" ", source)
    kernels = {match[2] for match in _KERNEL.finditer(text)}
    mentions, rest = _definitions(text)
    if COLLECTIVE.search(rest):
        return frozenset(kernels)  # outside of all that was recognised: nothing is known
    return frozenset(name for name in kernels if _meets(name, mentions))


def _meets(name, mentions):
    """Whether a name leads to a collective."""
    seen, waiting = set(), [name]
    while waiting:
        word = waiting.pop()
        if COLLECTIVE.fullmatch(word):
            return True
        if word not in seen:
            seen.add(word)
            waiting += mentions.get(word, ())
    return False


def _definitions(text):
    """Words in the body of every macro, function and type by its name; and the text besides."""
    mentions = {}
    for match in _MACRO.finditer(text):
        mentions.setdefault(match[1], set()).update(_WORD.findall(match[2]))
    text = _DIRECTIVE.sub(" ", text)
    outside, position = [], 0
    while (opening := text.find("{", position)) >= 0:
        closing = _closing(text, opening)
        header = re.split(r"[;}]", text[position:opening])[-1]
        body = set(_WORD.findall(text[opening:closing]))
        for called, named in _NAMED.findall(header):
            mentions.setdefault(called or named, set()).update(body)
        outside.append(text[position:opening])
        position = closing
    outside.append(text[position:])
    return mentions, " ".join(outside)


def _closing(text, opening):
    """Position after the brace that closes the one at ``opening``."""
    depth = 0
    for match in re.finditer(r"[{}]", text[opening:]):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return opening + match.end()
    raise ValueError("braces of the CUDA text do not match")


@cache
def launch_bounds(source: str) -> dict[str, int]:
    """Largest block of every kernel that states one."""
    defined = dict(re.findall(r"^#define (\w+) (\d+)$", source, re.MULTILINE))
    bounds = {}
    for match in _KERNEL.finditer(_COMMENT.sub(" ", source)):
        if match[1]:
            largest = match[1].split(",")[0].strip()
            bounds[match[2]] = int(defined.get(largest, largest))
    return bounds
