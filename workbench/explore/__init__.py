"""Looking at neurons and moving them by hand: one core, and two faces for it, a page and a notebook panel."""
