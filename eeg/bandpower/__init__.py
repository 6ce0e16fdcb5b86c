"""From samples to band power of every play.

In: a recording and its timeline. Out: dB against the silence baseline by band, with what was left out and why.
"""
