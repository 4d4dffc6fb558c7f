"""Documents: stores of their bytes, inspection of uploads and page images."""
