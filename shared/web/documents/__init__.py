"""Documents on pages: previews, the viewer and page images."""
