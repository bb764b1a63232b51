"""What a person writes (the recipe) and what glotmill writes (tables, lock, manifest)."""
