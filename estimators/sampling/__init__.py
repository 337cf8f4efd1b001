"""From (distribution, noise) to x: knows no cost."""
