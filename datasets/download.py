"""Downloads: one file, held to its checksum, into the user's data folder."""

from pathlib import Path

from eventsim.datasets.dataset import user_folder
from eventsim.errors import DataError


def fetch(name: str, url: str, *, file: str, known_hash: str | None, otherwise: str = "") -> Path:
    """Download a file of data set ``name`` and return its path.

    Parameters
    ----------
    url
        Where it is.
    file
        The name it gets in the data set's folder in the user's data folder.
    known_hash
        ``"md5:..."`` or ``"sha256:..."`` that it must have; None if the caller checks it.
    otherwise
        What else can be done if this fails.

    Raises
    ------
    DataError
        It cannot be fetched, or is another file than expected. The text says where to put one
        that was fetched by hand.
    """
    # Slow to import, and needed for downloads only.
    import pooch  # type: ignore[import-untyped, unused-ignore]

    folder = user_folder(name)
    try:
        found = pooch.retrieve(
            url, known_hash=known_hash, fname=file, path=folder, progressbar=False
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"{name}: download of {url} failed ({type(error).__name__}: {error}). Fetch it by "
            f"other means and put it into {folder} as {file}, or into $EVENTSIM_DATA/{name}."
            f"{' ' if otherwise else ''}{otherwise}"
        ) from error
    return Path(found)
