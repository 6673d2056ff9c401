"""Write the numbers of all commands to a file, or compare two such files."""

import argparse
import json
import sys
from pathlib import Path

from tests.support.ledger.compare import compare, read
from tests.support.ledger.run import write


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tests.support.ledger", description=__doc__)
    ways = parser.add_subparsers(dest="way", required=True)
    one = ways.add_parser("write", help="run all rows, or those named")
    one.add_argument("file", type=Path)
    one.add_argument("--python", default=sys.executable, help="of the checkout under test")
    one.add_argument("--folder", type=Path, default=Path("build/ledger"), help="emptied first")
    one.add_argument("--only", nargs="+", default=(), metavar="ROW")
    two = ways.add_parser("compare", help="exit code 1 if a number differs, is gone, or is new")
    two.add_argument("old", type=Path)
    two.add_argument("new", type=Path)
    two.add_argument("--relative", type=float, default=0.0, help="numbers this near are equal")
    given = parser.parse_args(arguments)
    if given.way == "write":
        ledger = write(given.python, given.folder, given.only)
        given.file.write_text(json.dumps(ledger, indent=0))
        return 0
    said, counts = compare(read(given.old), read(given.new), relative=given.relative)
    print(*said, sep="\n")
    print(f"{len(said)} differences, {counts['equal']} equal, {counts['reworded']} lines reworded")
    return int(bool(said))


if __name__ == "__main__":
    sys.exit(main())
