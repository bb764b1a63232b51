"""Engines that run elsewhere: Beam's portable job servers, and what a run needs around them."""
