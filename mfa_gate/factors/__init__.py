"""The factors: begin/complete pairs without I/O or framework."""
