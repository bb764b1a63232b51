"""Scripts and style of the pages: they are written into them as they stand."""
