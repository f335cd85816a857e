"""What the gate costs: ratios against a hand-written floor, measured side by side in one run."""
