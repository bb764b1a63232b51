"""The identification model that ships with the package, and how to load any other."""
