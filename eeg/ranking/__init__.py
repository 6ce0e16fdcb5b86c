"""From plays to a ranking with its uncertainty.

In: scored plays of one listener. Out: mean, interval, P(best) and expected rank of every piece, and draws
for what to play next.
"""
