"""What a bake costs, as ratios to a baseline measured in the same run."""
