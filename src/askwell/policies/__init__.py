"""Query level: what logged outcomes say about one prompt a query, and policies that choose or write it."""
