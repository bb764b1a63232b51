"""Readers of finished shards, for training; imports no Beam."""

from glotmill.trainer.shards import ShardError, read_shards

__all__ = ["ShardError", "read_shards"]
