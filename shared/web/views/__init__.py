"""HTML views: templates, rendering, formats, labels, navigation and static files."""
