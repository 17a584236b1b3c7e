"""Models made of models: retry, rate limit, pool, meter, trace."""
