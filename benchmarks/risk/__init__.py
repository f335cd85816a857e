"""How well the risk engine tells owners from thieves: made-up sign-ins, attackers, other scorers, figures."""
