"""The record of security events: their kinds, the chain that shows what was altered, and signals to the portal."""
