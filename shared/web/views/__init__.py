"""Templates and what they need: rendering, formats, labels, navigation, static files."""
