"""The exit codes of the command line. Those of askwell's errors are the `exit_status` of each class."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from askwell.core.errors import ConfigError, RunFailed, UnusableReplies

INTERRUPTED = 130
"""128 plus the number of SIGINT, as shells have it."""

EXIT_CODES: Mapping[int, str] = MappingProxyType({
    0: "done; a run that a cap ended is done too",
    RunFailed.exit_status: "too many calls failed, or an unexpected error; a run can be resumed",
    ConfigError.exit_status: "refused: a flag, a file, the data, the log, a missing package, or the model's server",
    UnusableReplies.exit_status: "stopped before step 1: most first replies cannot be scored; --force goes on",
    INTERRUPTED: "Ctrl-C, or a question answered with no; a run can be resumed",
})  # fmt: skip
"""Exit code -> what it means. docs/json.md has the same list."""
