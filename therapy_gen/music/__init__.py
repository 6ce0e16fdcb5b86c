"""Notes: reading scores, tokens, keys, calmness, arrangement, sound."""
