"""Several worker processes on one data folder: what they share beside the database."""
