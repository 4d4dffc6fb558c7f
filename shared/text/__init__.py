"""Text from outside: cleaning, search keys and web addresses."""
