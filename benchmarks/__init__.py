"""What a bake and a generated worker cost, as ratios to a baseline measured in the same run."""
