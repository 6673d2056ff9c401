"""A row of a table of refusals: what the fields of an error must be.

``[class, where, got, expected, remedy]``: class and ``where`` are the whole, the other three pieces
of the fields. ``expected`` may lack where the field is empty, and a remedy where no person must
copy a piece of it.
"""

import json


def assert_row(row, error, folder):
    """The fields of an error are those of the row; paths in the folder are relative to it."""
    kind, where, got, *more = row
    expected, remedy = (*more, "", "")[:2]
    fields = error.where, error.got, error.expected, error.remedy
    seen = [text.replace(f"{folder}/", "") for text in fields]
    shown = f"the row is now {json.dumps([type(error).__name__, *seen], ensure_ascii=False)}"
    assert [kind, where] == [type(error).__name__, seen[0]], shown
    assert got in seen[1], shown
    assert expected in seen[2], shown
    assert expected or not seen[2], f"it does not say what was expected; {shown}"
    assert remedy in seen[3], shown
