"""Documents: where their bytes are kept, which kinds are taken in, and how a page of one is shown."""
