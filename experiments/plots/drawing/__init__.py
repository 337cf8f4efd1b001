"""What figures are drawn with: knows no kind of figure."""
