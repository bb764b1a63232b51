"""Example recipes and the sample they read; every recipe is also a test."""
