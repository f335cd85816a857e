"""What owners and the desk are told: the kinds of notices, and how they are delivered."""
