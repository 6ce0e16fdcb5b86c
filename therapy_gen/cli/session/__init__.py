"""`therapy-gen session …`."""
