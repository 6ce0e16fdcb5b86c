"""The local web app: pages to listen on, and to keep clients' sessions.

In: requests of a browser on this machine, or of a paired one. Out: pages, sound, and calls of `sessions` and `study`:
all that can be done here can be done by a command, too. Prints nothing; the command `open` starts it.
"""
