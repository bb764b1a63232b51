"""Tokenizers: text to the ids of a model, equal to those of the model's own library."""
