"""A Standard MIDI File."""

from __future__ import annotations

from sessions.export.formats import WHOLE, Export, ExportFormat


def _write(export: Export) -> None:
    from sessions.export.audio import present_midi
    from sessions.export.midi import join_midi

    programme = export.programme
    midi = present_midi(export.store, programme.items)
    placed = [(item.onset_s, midi[item.piece.id]) for item in programme.items if item.piece]
    export.writer.put(export.path, join_midi(placed, title=programme.title, duration_s=programme.duration_s))


FORMATS = (ExportFormat("midi", (".mid", ".midi"), WHOLE, _write, of_pieces=True),)
