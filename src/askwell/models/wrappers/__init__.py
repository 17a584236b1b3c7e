"""Models that wrap other models: retry, rate limit, pool, meter, trace."""
