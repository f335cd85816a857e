"""How many records a harvest gets, and how often owners are asked or stopped: over made-up accounts."""
