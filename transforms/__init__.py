"""The stages: pure functions on Arrow batches, each with a thin PTransform."""
