"""How many attempts anybody has: the rules, the limiter that counts, and the pressure of guesses in breadth."""
