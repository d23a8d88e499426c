"""Activities: what happened, what was decided about it, and the permanent claim of its id."""
