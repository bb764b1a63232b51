"""The stages of a run, in order, each in a file of its own."""
