"""What readers do for themselves: leaving a list, and taking that back."""
