"""What hgrip costs, as ratios to the least it could cost, measured in one run on real servers."""
