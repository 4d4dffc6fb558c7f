"""Code that reads hostile files runs here: in children of one server process, each with limits of time and memory."""
