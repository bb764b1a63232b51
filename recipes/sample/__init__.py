"""The real sample that ships with glotmill, and the script that made it."""
