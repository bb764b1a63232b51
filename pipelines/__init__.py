"""Wiring: recipe to Beam graph, engines, stages, the command line."""
