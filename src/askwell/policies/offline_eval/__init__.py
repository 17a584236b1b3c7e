"""What logged outcomes say without a paid call: headroom, off-policy estimates, comparisons."""
