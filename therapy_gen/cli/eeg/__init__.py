"""`therapy-gen score-eeg`, `rank`, `simulate-eeg`."""
