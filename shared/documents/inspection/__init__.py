"""Detection of a file's media type and of damaged or hostile files."""
