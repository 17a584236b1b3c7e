"""numpy with short names for array types; if it is missing, `ConfigError` with the pip line."""

from __future__ import annotations

from askwell.core.errors import ConfigError

try:
    import numpy as np
    from numpy.typing import NDArray
except ImportError as error:
    raise ConfigError("query-level statistics need numpy: pip install 'askwell[select]'") from error

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

__all__ = ["Bools", "Floats", "Ints", "np"]
