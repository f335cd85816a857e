"""Records that are read: charged before they are shown, and reported afterwards (GDPR 33, 34)."""
