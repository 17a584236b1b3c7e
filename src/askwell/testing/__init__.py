"""For authors of plug-ins: fakes, and one conformance class per protocol."""
