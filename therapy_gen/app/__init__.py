"""The local web app: pages for listening and for keeping clients' sessions.

In: requests of a browser on this machine, or of a paired one. Out: pages and sound, through `sessions` and `study`; a
command can do everything that a page can. The command `open` starts it.
"""
