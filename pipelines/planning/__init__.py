"""Planning: what a recipe will give and cost, before it is run."""
