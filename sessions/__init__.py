"""Pieces and listening sessions: planned, composed, stored, exported."""
