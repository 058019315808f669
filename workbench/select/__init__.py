"""Rules that choose neurons from effect sizes, and matched controls for what they chose."""
