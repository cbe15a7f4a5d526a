"""What the values of options may be, for pytest and for `python -m` alike."""

from __future__ import annotations

import argparse
from pathlib import Path


def output_file(text: str) -> Path:
    """A file to write. Raises ArgumentTypeError for a folder."""
    file = Path(text)
    if file.is_dir():
        raise argparse.ArgumentTypeError(f"{text}: is a folder; name a file")
    return file
