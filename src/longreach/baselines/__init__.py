"""What the paper's method is compared with: networks without a recurrent state, and recurrent ones that scan."""
