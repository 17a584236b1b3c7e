"""Write the golden logs and the surface with the code that Python imports as `askwell`; see README.md."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.golden.jobs import JOBS, write_golden

if __name__ == "__main__":
    for name, job in JOBS.items():
        with tempfile.TemporaryDirectory() as folder:
            write_golden(name, job(Path(folder)))
