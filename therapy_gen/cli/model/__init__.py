"""`therapy-gen model …`."""
