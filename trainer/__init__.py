"""Readers of finished shards, for training; imports no Beam."""
